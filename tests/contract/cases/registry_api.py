"""The registry's own HTTP API: that it is there, and wants the API's token. The rest is no matter of boto3's."""

from __future__ import annotations

from contract.case import Case, Like, Step, call, download
from contract.world import MANIFEST

NO_REGISTRY = "answers as S3"
login = call("GetAuthorizationToken").keeps(token="authorizationData.0.authorizationToken")


def read(path: str) -> Step:
    """GET a path with the token that was kept."""
    return download("{registry}" + path, Authorization="Basic {token}", Accept=MANIFEST)


CASES = [
    Case(
        "the registry asks for a login",
        "I: NVIDIA/enroot#59",
        "no repository",
        download("{registry}/v2/").refused(
            "HTTP 401",
            "^Not Authorized\n$",
            headers={
                "www-authenticate": Like(r'Basic realm="https?://[^"]+/",service="ecr\.amazonaws\.com"'),
                "docker-distribution-api-version": "registry/2.0",
            },
        ),
        row=46,
        moto_fails=NO_REGISTRY,
    ),
    Case(
        "the API's token is a login",
        "D: user guide, Private registry authentication: HTTP API authentication",
        "no repository",
        login,
        read("/v2/").answers(status=200),
        row=46,
        moto_fails=NO_REGISTRY,
    ),
    Case(
        "the registry has the manifest, byte for byte",
        "D: user guide, Private registry authentication: HTTP API authentication",
        "one at v1",
        login,
        read("/v2/{repository}/manifests/v1").answers(status=200, body="{one.raw}"),
        row=46,
        moto_fails=NO_REGISTRY,
    ),
    Case(
        "a manifest that the registry does not have",
        "I: MANIFEST_UNKNOWN in many reports",
        "one at v1",
        login,
        read("/v2/{repository}/manifests/none").refused("HTTP 404", "MANIFEST_UNKNOWN"),
        row=46,
        moto_fails=NO_REGISTRY,
    ),
    Case(
        "a repository that the registry does not have",
        "I: NAME_UNKNOWN in many reports",
        "no repository",
        login,
        read("/v2/{repository}/manifests/v1").refused("HTTP 404", "NAME_UNKNOWN"),
        row=46,
        moto_fails=NO_REGISTRY,
    ),
]
