"""Calls of ECR's API that many tests of the emulator make, and what they are made with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from http_connection import Answer, Connection, fetched
from local_ecr import ACCOUNT

from ecr_provider.emulator.samples import SampleImage, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OWN, OTHER = ACCOUNT, "210987654321"
ONCE = Config(retries={"total_max_attempts": 1})
"""Every answer is seen as it is."""

ZEROS = f"sha256:{'0' * 64}"


def version(number: int | str, **kind: Any) -> SampleImage:
    """Make one of many images that are made of the same layers."""
    return sample_image(("linux/amd64",), annotations={"version": str(number)}, **kind)


def put(client: ECRClient, repository: str, image: SampleImage, **more: Any) -> str:
    """Put an image whose layers are there; return the digest that ECR answers."""
    answer = client.put_image(repositoryName=repository, imageManifest=image.text, **more)
    return answer["image"]["imageId"]["imageDigest"]


def assert_whole(client: ECRClient, repository: str, image: SampleImage, tag: str) -> None:
    """Check an image down to its layers' bytes."""
    (read,) = client.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    assert read["imageManifest"] == image.text
    for child in image.children:
        ids: Any = [{"imageDigest": child.digest}]
        (found,) = client.batch_get_image(repositoryName=repository, imageIds=ids)["images"]
        assert found["imageManifest"] == child.text
    for digest, blob in image.blobs.items():
        url = client.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
        assert fetched(url) == blob


def refused(code: str, message: str = "") -> pytest.RaisesExc[ClientError]:
    """Expect an error of this code, with a message in which the pattern is found."""
    return pytest.raises(ClientError, match=rf"\({code}\).*{message}")


# --- Without boto3 ---

TARGET = "AmazonEC2ContainerRegistry_V20150921."
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20261123/us-east-1/ecr/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={'0' * 64}"
)


class Wire(Connection):
    """A connection to the API, for requests that boto3 would not make."""

    def call(self, operation: str, parameters: Any) -> Answer:
        """POST a signed call."""
        return self.send("POST", "/", json.dumps(parameters), {"X-Amz-Target": TARGET + operation})

    def send(
        self,
        method: str,
        address: str,
        body: str | bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, signed unless ``headers`` say otherwise."""
        return super().send(method, address, body, {"Authorization": AUTHORIZATION} | dict(headers or {}))


class Control:
    """A client of ``/_emulator``."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        text = None if body is None else json.dumps(body)
        return self._wire.send(
            method, f"/_emulator{path}", text, {"Content-Type": "application/json"} | (headers or {})
        )

    def get(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), answer
        return answer.json

    def do(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.send(method, path, body)
        assert answer.status == 200, answer
        return answer.json

    def refused(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> str:
        answer = self.send(method, path, body, headers)
        assert 400 <= answer.status < 500
        return f"{answer.status} {answer.json['message']}"
