"""The emulator, and the real boto3 client on it, with retries off: every answer is seen as it is."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from botocore.config import Config

from ecr_provider.emulator import EcrEmulator, model
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

REPOSITORY = "shop/web"
TARGET = "AmazonEC2ContainerRegistry_V20150921."
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20261123/us-east-1/ecr/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={'0' * 64}"
)
ONCE = Config(retries={"total_max_attempts": 1})


# What a service may answer that its model does not list: AWS's common errors, and the emulator's own.
COMMON_ERRORS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
} | {"ConnectionCut", "InternalFailure", "NotImplementedException"}

# What the registry's HTTP API may answer where a request is no call of the API's.
UNMODELLED_ERRORS = {
    "InvalidParameterException",
    "LayerInaccessibleException",
    "RepositoryNotFoundException",
    "UploadNotFoundException",
}


@pytest.fixture
def ecr() -> Iterator[EcrEmulator]:
    """An emulator, of which every error that a test sees must be one that ECR's model lists."""
    with EcrEmulator() as emulator:
        yield emulator
        for request in emulator.requests:
            if request.endpoint == "downloads":
                continue  # S3's errors are in no model of ECR's
            operation = model.operation(request.operation)
            modelled = operation.errors if operation else UNMODELLED_ERRORS
            assert request.error_code in {None, *modelled, *COMMON_ERRORS}, request


@pytest.fixture
def client(ecr: EcrEmulator) -> ECRClient:
    """A client of the default account, without repositories yet."""
    return ecr.client(config=ONCE)


@pytest.fixture
def web(client: ECRClient) -> str:
    """The name of an empty repository."""
    client.create_repository(repositoryName=REPOSITORY)
    return REPOSITORY


@pytest.fixture
def layers(ecr: EcrEmulator, client: ECRClient, web: str) -> str:
    """The name of a repository with one image, tagged "zero": its layers are those of many other samples."""
    push(client, web, sample_image(("linux/amd64",), annotations={"version": "0"}), "zero")
    ecr.clear_requests()
    return web


class Uploader(Protocol):
    def __call__(self, client: ECRClient, repository: str, *parts: bytes, digest: str | None = None) -> str: ...


@pytest.fixture
def upload() -> Uploader:
    """Upload a blob in the given parts; return its digest."""

    def upload(client: ECRClient, repository: str, *parts: bytes, digest: str | None = None) -> str:
        digest = digest or f"sha256:{hashlib.sha256(b''.join(parts)).hexdigest()}"
        upload_id = client.initiate_layer_upload(repositoryName=repository)["uploadId"]
        first = 0
        for part in parts:
            client.upload_layer_part(
                repositoryName=repository,
                uploadId=upload_id,
                partFirstByte=first,
                partLastByte=first + len(part) - 1,
                layerPartBlob=part,
            )
            first += len(part)
        client.complete_layer_upload(repositoryName=repository, uploadId=upload_id, layerDigests=[digest])
        return digest

    return upload


@dataclass(frozen=True)
class Raw:
    """An HTTP answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        code: str = self.json["__type"]
        return code


class Wire:
    """One kept-alive connection to the API, for requests that boto3 would not make."""

    def __init__(self, endpoint_url: str) -> None:
        self._connection = http.client.HTTPConnection(endpoint_url.removeprefix("http://"), timeout=10)

    def call(self, operation: str, parameters: Any) -> Raw:
        """POST a signed call."""
        return self.send("POST", "/", json.dumps(parameters), {"X-Amz-Target": TARGET + operation})

    def send(
        self, method: str, path: str, body: str | bytes | None = None, headers: dict[str, str] | None = None
    ) -> Raw:
        """Send a request, signed unless ``headers`` say otherwise."""
        self._connection.request(method, path, body, {"Authorization": AUTHORIZATION} | (headers or {}))
        return self._answer()

    def send_exactly(self, path: str, headers: Sequence[tuple[str, str]], method: str = "POST") -> Raw:
        """Send these headers and no others, and no body."""
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            self._connection.putheader(name, value)
        self._connection.endheaders()
        return self._answer()

    def _answer(self) -> Raw:
        response = self._connection.getresponse()
        return Raw(response.status, dict(response.getheaders()), response.read())

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def wire(ecr: EcrEmulator) -> Iterator[Wire]:
    connection = Wire(ecr.endpoint_url)
    yield connection
    connection.close()
