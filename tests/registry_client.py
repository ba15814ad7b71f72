"""A client of the registry's HTTP API."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from http_connection import Answer, Connection, fetched

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, SampleManifest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def digest_of(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def authorization_of(client: ECRClient) -> str:
    """Return the ``Authorization`` header of a client's account."""
    (granted,) = client.get_authorization_token()["authorizationData"]
    return f"Basic {granted['authorizationToken']}"


def credentials_of(client: ECRClient) -> str:
    """Return the name and the password of a client's account, with a colon between them."""
    return base64.b64decode(authorization_of(client).removeprefix("Basic ")).decode()


class RegistryClient(Connection):
    """A connection to the registry, with the credentials of an account."""

    def __init__(self, endpoint_url: str, authorization: str) -> None:
        super().__init__(endpoint_url)
        self.authorization = authorization

    @classmethod
    def of(cls, ecr: EcrEmulator, account_id: str = "123456789012", region_name: str = "us-east-1") -> Self:
        """Connect with an account's token of a Region."""
        return cls(ecr.endpoint_url, authorization_of(ecr.client(account_id=account_id, region_name=region_name)))

    def ask(
        self, method: str, address: str, body: bytes | Iterable[bytes] | None = None, **headers: str | None
    ) -> Answer:
        """Send a request to a path or an address. A header's ``_`` is a ``-``, and None leaves it out."""
        sent = {"Authorization": self.authorization} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.send(method, address, body, {name: text for name, text in sent.items() if text is not None})

    # --- Whole tasks ---

    def begin(self, repository: str) -> str:
        """Begin an upload; return its address."""
        answer = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status == 202, answer
        return str(answer.headers["Location"])

    def upload(self, repository: str, *parts: bytes) -> str:
        """Upload a blob in these parts; return its digest."""
        address, digest = self.begin(repository), digest_of(b"".join(parts))
        for part in parts:
            assert self.ask("PATCH", address, part).status == 201
        answer = self.ask("PUT", f"{address}?digest={digest}")
        assert answer.status == 201, answer
        return digest

    def download(self, repository: str, digest: str) -> bytes:
        """Read a blob, from where the registry says it is."""
        answer = self.ask("GET", f"/v2/{repository}/blobs/{digest}")
        assert answer.status == 307, answer
        return fetched(answer.headers["Location"])

    def put(self, repository: str, manifest: SampleManifest, reference: str) -> Answer:
        """Put a manifest."""
        path = f"/v2/{repository}/manifests/{reference}"
        return self.ask("PUT", path, manifest.text.encode(), Content_Type=manifest.media_type)

    def push(self, repository: str, image: SampleImage, tag: str) -> None:
        """Push an image."""
        for blob in image.blobs.values():
            self.upload(repository, blob)
        for child in image.children:
            assert self.put(repository, child, child.digest).status == 201
        assert self.put(repository, image.manifest, tag).status == 201
