"""Images of random layers, which no compression makes smaller, written to wherever they are to be."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

_OCI: Final = "application/vnd.oci.image"
MANIFEST: Final = f"{_OCI}.manifest.v1+json"
INDEX: Final = f"{_OCI}.index.v1+json"

_CHUNK: Final = 10_000_000  # bytes
_REFERRER: Final = 4_000  # bytes of a signature, or of an SBOM

Descriptor = dict[str, Any]


class Store(Protocol):
    """Where an image is written to."""

    def put_blob(self, digest: str, size: int, chunks: Iterable[bytes]) -> None:
        """Keep a blob."""
        ...

    def put_manifest(self, digest: str, data: bytes, media_type: str, tag: str | None) -> None:
        """Keep a manifest."""
        ...


def write_image(store: Store, sizes: Sequence[int], tag: str | None = None, architecture: str = "amd64") -> Descriptor:
    """Write an image for one platform.

    :param sizes: those of its layers, in bytes.
    """
    layers = [_write_layer(store, size) for size in sizes]
    platform = {"os": "linux", "architecture": architecture}
    rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    config = _write_blob(store, _json(platform | {"rootfs": rootfs}), f"{_OCI}.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return write_manifest(store, manifest, tag) | {"platform": platform}


def write_index(store: Store, images: Sequence[Descriptor], tag: str) -> Descriptor:
    """Write an index of images that are there."""
    return write_manifest(store, {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(images)}, tag)


def write_referrers(store: Store, subject: Descriptor, artifact_types: Sequence[str]) -> None:
    """Write what refers to an image, such as a signature and an SBOM, and list it in the tag that does so.

    That tag is how it is found in a registry without an end point for it: OCI distribution-spec 1.1, "Referrers Tag
    Schema".
    """
    referrers = [_write_referrer(store, subject, artifact_type) for artifact_type in artifact_types]
    write_index(store, referrers, subject["digest"].replace(":", "-"))


def _write_referrer(store: Store, subject: Descriptor, artifact_type: str) -> Descriptor:
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": _write_blob(store, b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [_write_blob(store, os.urandom(_REFERRER), artifact_type)],
        "subject": {name: subject[name] for name in ("mediaType", "digest", "size")},
    }
    return write_manifest(store, manifest, None) | {"artifactType": artifact_type}


def write_manifest(store: Store, manifest: dict[str, Any], tag: str | None) -> Descriptor:
    """Write a manifest, and return its descriptor."""
    data, media_type = _json(manifest), manifest["mediaType"]
    described = _described(data, media_type)
    store.put_manifest(described["digest"], data, media_type, tag)
    return described


def _write_layer(store: Store, size: int) -> Descriptor:
    seed = os.urandom(_CHUNK)
    sha256 = hashlib.sha256()
    for chunk in _chunks(seed, size):
        sha256.update(chunk)
    digest = f"sha256:{sha256.hexdigest()}"
    store.put_blob(digest, size, _chunks(seed, size))
    return {"mediaType": f"{_OCI}.layer.v1.tar+gzip", "digest": digest, "size": size}


def _chunks(seed: bytes, size: int) -> Iterator[bytes]:
    return (seed[: size - start] for start in range(0, size, _CHUNK))


def _write_blob(store: Store, data: bytes, media_type: str) -> Descriptor:
    described = _described(data, media_type)
    store.put_blob(described["digest"], len(data), [data])
    return described


def _described(data: bytes, media_type: str) -> Descriptor:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


# --- Stores --------------------------------------------------------------------------------------------------


class Layout:
    """An OCI image layout.

    :param directory: where to make it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._blobs = directory / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def put_blob(self, digest: str, size: int, chunks: Iterable[bytes]) -> None:
        """Keep a blob in a file."""
        with (self._blobs / digest.removeprefix("sha256:")).open("wb") as file:
            file.writelines(chunks)

    def put_manifest(self, digest: str, data: bytes, media_type: str, tag: str | None) -> None:
        """Keep a manifest in a file, as the one that the layout is about."""
        self.put_blob(digest, len(data), [data])
        described = {"mediaType": media_type, "digest": digest, "size": len(data)}
        (self._directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))


class Repository:
    """A repository of a registry that asks for no credentials.

    :param host: where the registry listens.
    :param name: the repository's.
    :param ca: the path of the registry's CA; by default there is no TLS.
    """

    def __init__(self, host: str, name: str, ca: str | None = None) -> None:
        self._host = host
        self._path = f"/v2/{name}"
        self._ca = ca

    def put_blob(self, digest: str, size: int, chunks: Iterable[bytes]) -> None:
        """Send a blob."""
        begun = self._send("POST", f"{self._path}/blobs/uploads/", b"", {})
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        location = urlsplit(begun["Location"])
        self._send("PUT", f"{location.path}?{location.query}&digest={digest}", iter(chunks), headers)

    def put_manifest(self, digest: str, data: bytes, media_type: str, tag: str | None) -> None:
        """Send a manifest."""
        self._send("PUT", f"{self._path}/manifests/{tag or digest}", data, {"Content-Type": media_type})

    def digest_of(self, tag: str) -> str:
        """Ask what a tag points at."""
        accept = {"Accept": f"{MANIFEST}, {INDEX}"}
        return str(self._send("HEAD", f"{self._path}/manifests/{tag}", None, accept)["Docker-Content-Digest"])

    def _send(
        self, method: str, address: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]
    ) -> Message:
        """Make a request; return the headers of the answer."""
        with closing(self._connection()) as connection:
            connection.request(method, address, body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= http.HTTPStatus.BAD_REQUEST:
                raise RuntimeError(f"{method} {address}: {answer.status} {said.decode()}")
            return answer.headers

    def _connection(self) -> http.client.HTTPConnection:
        if self._ca is None:
            return http.client.HTTPConnection(self._host)
        return http.client.HTTPSConnection(self._host, context=ssl.create_default_context(cafile=self._ca))
