"""The emulator, and the real boto3 client on it, with retries off: every answer is seen as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import pytest
from emulator.replications import WEST
from emulator_calls import ONCE, OTHER, Control, Wire, version

from ecr_provider.emulator import EcrEmulator, model
from ecr_provider.emulator.samples import push

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

REPOSITORY = "shop/web"

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
def west(ecr: EcrEmulator) -> ECRClient:
    """A client of the default account, in another Region."""
    return ecr.client(WEST, config=ONCE)


@pytest.fixture
def abroad(ecr: EcrEmulator) -> ECRClient:
    """A client of another account, in another Region."""
    return ecr.client(WEST, account_id=OTHER, config=ONCE)


@pytest.fixture
def web(client: ECRClient) -> str:
    """The name of an empty repository."""
    client.create_repository(repositoryName=REPOSITORY)
    return REPOSITORY


@pytest.fixture
def layers(ecr: EcrEmulator, client: ECRClient, web: str) -> str:
    """The name of a repository with one image, tagged "zero": its layers are those of many other samples."""
    push(client, web, version(0), "zero")
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


@pytest.fixture
def wire(ecr: EcrEmulator) -> Iterator[Wire]:
    connection = Wire(ecr.endpoint_url)
    yield connection
    connection.close()


@pytest.fixture
def control(wire: Wire) -> Control:
    """What other processes may ask of the emulator."""
    return Control(wire)
