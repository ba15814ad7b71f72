"""Lists: of tags (ListImages), repositories (DescribeRepositories) and referrers (ListImageReferrers)."""

from __future__ import annotations

import json
from typing import Any

from ecr_provider.emulator.registry.request import RegistryRequest, Reply
from ecr_provider.emulator.rules import media_types
from ecr_provider.emulator.rules.call import Answer
from ecr_provider.emulator.rules.images import referrers

_MOST_DIGITS = 9  # of a page's size
_MOST_REFERRERS = 50  # on a page: ListImageReferrers has no larger ones
_TAGGED = {"tagStatus": "TAGGED"}


def tags(request: RegistryRequest, name: str) -> Reply:
    """List a repository's tags, in ListImages's order and pages. ECR calls it text (reported)."""
    answer = request.call("ListImages", repositoryName=name, filter=_TAGGED, **_page(request))
    found = [image_id["imageTag"] for image_id in answer["imageIds"]]
    headers = {"Content-Type": "text/plain"} | _link(request, f"{name}/tags/list", answer)
    return Reply(200, _json({"name": name, "tags": found}), headers)


def catalog(request: RegistryRequest) -> Reply:
    """List a registry's repositories."""
    answer = request.call("DescribeRepositories", **_page(request))
    names = [repository["repositoryName"] for repository in answer["repositories"]]
    headers = {"Content-Type": "text/plain"} | _link(request, "_catalog", answer)
    return Reply(200, _json({"repositories": names}), headers)


def referrers_of(request: RegistryRequest, name: str, digest: str) -> Reply:
    """List what names a manifest as its subject, as an index of descriptors.

    Not by way of the API's model, which older versions of botocore lack.
    """
    artifact_type, last = request.query.get("artifactType"), request.query.get("last")
    wanted: dict[str, Any] = {"filter": {"artifactTypes": [artifact_type]}} if artifact_type else {}
    answer = request.perform(
        "ListImageReferrers",
        referrers.list_image_referrers,
        repositoryName=name,
        subjectId={"imageDigest": digest},
        maxResults=_MOST_REFERRERS,
        **wanted,
        **({} if last is None else {"nextToken": last}),
    )
    descriptors = list(map(_descriptor, answer["referrers"]))
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": descriptors}
    headers = {"Content-Type": media_types.OCI_INDEX} | _link(request, f"{name}/referrers/{digest}", answer)
    return Reply(200, _json(index), headers | ({"OCI-Filters-Applied": "artifactType"} if artifact_type else {}))


def _descriptor(referrer: Answer) -> Answer:
    return {name: value for name, value in referrer.items() if value is not None and name != "artifactStatus"}


def _page(request: RegistryRequest) -> dict[str, Any]:
    """Read which page is asked for: ``n`` results after an opaque ``last``."""
    size, last = request.query.get("n"), request.query.get("last")
    page: dict[str, Any] = {"nextToken": last} if last is not None else {}
    if size is None:
        return page
    is_number = size.isascii() and size.isdigit() and len(size) <= _MOST_DIGITS
    return page | {"maxResults": int(size) if is_number else size}  # what is no number is refused as such


def _link(request: RegistryRequest, path: str, answer: Answer) -> dict[str, str]:
    """Say where the next page is (reported in this form). What the client asked for otherwise stays."""
    token = answer.get("nextToken")
    if token is None:
        return {}
    asked = {name: value for name, value in request.query.items() if name in ("n", "artifactType")}
    return {"Link": f'<{request.url(path, last=token, **asked)}>; rel="next"'}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
