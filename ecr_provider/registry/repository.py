"""One repository of any OCI registry, over HTTP: manifests, blobs, uploads, referrers.

Source: OCI distribution-spec 1.1, whose end points are named by their numbers there ("end-3" and so on).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote as escaped
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from ecr_provider.exceptions import (
    DigestMismatchError,
    EcrProviderError,
    InvalidManifestError,
    RegistryNotFoundError,
)
from ecr_provider.oci import Descriptor, Digest, ImageManifest, Manifest, parse_manifest
from ecr_provider.oci.manifest import LARGEST_MANIFEST
from ecr_provider.oci.media_types import MANIFEST_TYPES, OCI_IMAGE_INDEX
from ecr_provider.oci.strict_json import parse_object
from ecr_provider.registry.failures import lost, malformed, ranges_ignored
from ecr_provider.registry.request import Request, Scope
from ecr_provider.registry.transport import Answer, Transport, resolved

_ANY_MANIFEST: Final = {"Accept": ", ".join(MANIFEST_TYPES)}
_INDEX: Final = {"Accept": OCI_IMAGE_INDEX}
_NO_HEADERS: Final[Mapping[str, str]] = {}
_OCTETS: Final = "application/octet-stream"
_NEXT: Final = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_MOST_PAGES: Final = 1_000


class Download:
    """The bytes of a blob, from a position on.

    :param request: what was asked, for messages.
    :param answer: the answer, of whose body nothing is read yet.
    """

    def __init__(self, request: Request, answer: Answer) -> None:
        self._request = request
        self._answer = answer
        self._is_whole = False

    def read(self, size: int) -> bytes:
        """Read the next bytes; none at the end.

        :param size: how many bytes at most.
        :raises RegistryUnavailableError: the connection broke, or was silent for too long.
        """
        try:
            chunk = self._answer.read(size)
        except (HTTPError, OSError) as error:
            raise lost(self._request, error) from error
        self._is_whole = not chunk
        return chunk

    def close(self) -> None:
        """Give the connection back if all was read, else close it."""
        if self._is_whole:
            self._answer.release_conn()
        else:
            self._answer.close()


class Upload:
    """A blob on its way into a repository.

    :param registry: the repository.
    :param address: where the registry takes it.
    :param scope: what that needs permission for.
    """

    def __init__(self, transport: Transport, address: str, scope: Scope) -> None:
        self._transport = transport
        self._address = address
        self._scope = scope

    def send(self, blob: Descriptor, chunks: Iterable[bytes]) -> None:
        """Send all of the blob in one request, and have the registry verify its digest ("end-6").

        What ``chunks`` raises breaks the request off, before the registry has all of it.

        :param blob: what it is to be.
        :param chunks: its bytes.
        :raises RegistryCallError: the registry's refusal or failure.
        """
        joint = "&" if urlsplit(self._address).query else "?"
        address = f"{self._address}{joint}digest={escaped(str(blob.digest), safe='')}"
        headers = {"Content-Type": _OCTETS, "Content-Length": str(blob.size)}
        good = frozenset({201})
        body = chunks if blob.size else b"".join(chunks)
        answer = self._transport.open(Request("PUT", address, self._scope, str(blob.digest), good, headers, body))
        answer.drain_conn()
        answer.release_conn()

    def cancel(self) -> None:
        """Have the registry forget the upload, if it can ("Canceling an upload" is optional)."""
        request = Request("DELETE", self._address, self._scope, "an upload", frozenset({204}))
        with suppress(EcrProviderError):
            self._transport.open(request).release_conn()


class RegistryRepository:
    """A repository of a registry.

    :param transport: the connections to the registry.
    :param name: the repository's name there.
    """

    def __init__(self, transport: Transport, name: str) -> None:
        self.name = name
        self._transport = transport
        self._has_referrers_api = True

    def __str__(self) -> str:
        return f"{self._transport.registry}/{self.name}"

    @property
    def registry(self) -> str:
        """The registry's ``host`` or ``host:port``."""
        return self._transport.registry

    def close(self) -> None:
        """Close the connections to the registry that nobody uses."""
        self._transport.close()

    # --- Manifests ---

    def manifest(self, reference: str | Digest) -> Manifest:
        """Read a manifest, byte for byte, and verify its digest ("end-3").

        :param reference: its tag or its digest.
        :raises RegistryNotFoundError: there is none.
        :raises DigestMismatchError: the bytes are not the ones that were asked for.
        :raises InvalidManifestError: it is none that can be released.
        """
        request = self._request("GET", f"manifests/{reference}", f"{self}{_suffix(reference)}", headers=_ANY_MANIFEST)
        answer, body = self._transport.request(request)
        if len(body) > LARGEST_MANIFEST:
            raise InvalidManifestError(f"The manifest of {request.about} is larger than {LARGEST_MANIFEST} bytes.")
        manifest = parse_manifest(body, _media_type(answer))
        told = answer.headers.get("Docker-Content-Digest")
        if not isinstance(reference, Digest):
            _require(manifest, told, request.about)
        elif not reference.matches(body):
            _require(manifest, str(reference), request.about)
        return manifest

    def digest_of(self, reference: str | Digest) -> Digest | None:
        """Tell the digest of a manifest, or ``None`` if there is none ("end-3", by HEAD).

        :param reference: its tag or its digest.
        """
        request = self._request("HEAD", f"manifests/{reference}", f"{self}{_suffix(reference)}", headers=_ANY_MANIFEST)
        try:
            answer, _ = self._transport.request(request)
        except RegistryNotFoundError:
            return None
        told = answer.headers.get("Docker-Content-Digest")
        if isinstance(reference, Digest):
            return reference
        return Digest.parse(told) if told else self.manifest(reference).digest

    def put_manifest(self, manifest: Manifest, tag: str | None = None) -> bool:
        """Put a manifest, under a tag or by its digest alone ("end-7").

        :return: whether the registry lists it as a referrer of its subject (``OCI-Subject``).
        :raises DigestMismatchError: the registry stored it under another digest.
        :raises RegistryCallError: the registry's refusal or failure.
        """
        reference = tag or manifest.digest
        request = self._request(
            "PUT",
            f"manifests/{reference}",
            f"{self}{_suffix(reference)}",
            good=frozenset({201}),
            body=manifest.raw,
            push=True,
            headers={"Content-Type": manifest.media_type},
        )
        answer, _ = self._transport.request(request)
        _require(manifest, answer.headers.get("Docker-Content-Digest"), request.about)
        return "OCI-Subject" in answer.headers

    # --- Referrers ---

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """List what refers to a manifest: signatures, SBOMs, attestations ("end-12a").

        A registry without that end point is asked for the referrers tag, which takes its place
        ("Unavailable Referrers API").

        :raises RegistryCallError: the registry's refusal or failure.
        """
        pages = self._referrers_pages(subject) if self._has_referrers_api else None
        return self._tagged_referrers(subject) if pages is None else pages

    def _referrers_pages(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Read all pages of the end point; ``None``: there is none."""
        about, maybe = f"{self}@{subject}", frozenset({200, 404})
        request = self._request("GET", f"referrers/{subject}", about, good=maybe, headers=_INDEX)
        answer, body = self._transport.request(request)
        if answer.status != 200 or _media_type(answer) != OCI_IMAGE_INDEX:  # noqa: PLR2004 - HTTP's own number
            self._has_referrers_api = False
            return None
        found = [*_descriptors(request, body)]
        for _ in range(_MOST_PAGES):
            following = _NEXT.search(answer.headers.get("Link", ""))
            if following is None:
                return tuple(found)
            # Relative to the request, if it is not whole: RFC 8288, section 3.1.
            address = resolved(request, request.address, following[1])
            request = replace(request, address=address, good=frozenset({200}))
            answer, body = self._transport.request(request)
            found += _descriptors(request, body)
        raise malformed(request, f"its list of referrers has more than {_MOST_PAGES} pages")

    def add_referrer(self, subject: Digest, referrer: Manifest) -> None:
        """Add to the referrers tag, in a registry without the end point ("Pushing Manifests with Subject").

        What is read here and written then may be written by others in between: a registry has no better way.

        :raises RegistryCallError: the registry's refusal or failure.
        """
        there = self._tagged_referrers(subject)
        if referrer.digest in {each.digest for each in there}:
            return
        listed = [_json_of(each) for each in (*there, _as_referrer(referrer))]
        index = {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": listed}
        self.put_manifest(parse_manifest(json.dumps(index, separators=(",", ":"))), _referrers_tag(subject))

    def _tagged_referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        tag = _referrers_tag(subject)
        request = self._request("GET", f"manifests/{tag}", f"{self}:{tag}", headers=_INDEX)
        try:
            answer, body = self._transport.request(request)
        except RegistryNotFoundError:
            return ()
        # Some registries answer any tag that looks like a digest with the image itself (oras-project/oras#2148).
        if _media_type(answer) != OCI_IMAGE_INDEX or Digest.of(body) == subject:
            return ()
        return _descriptors(request, body)

    # --- Blobs ---

    def has_blob(self, blob: Descriptor) -> bool:
        """Tell whether the repository has a blob ("end-2", by HEAD)."""
        try:
            answer, _ = self._transport.request(self._request("HEAD", f"blobs/{blob.digest}", f"{self}@{blob.digest}"))
        except RegistryNotFoundError:
            return False
        return answer.headers.get("Content-Length", str(blob.size)) == str(blob.size)

    def download(self, blob: Descriptor, start: int = 0, stop: int | None = None) -> Download:
        """Begin to read a blob ("end-2"), once: a further try is the caller's.

        :param blob: the blob.
        :param start: the first byte to read.
        :param stop: the byte to stop before; by default to the end.
        :raises RegistryNotFoundError: there is no such blob.
        :raises RangeIgnoredError: the registry would send all of it where a part was asked for.
        :raises RegistryCallError: the registry's refusal or failure.
        """
        in_part = start > 0 or stop is not None
        request = self._request(
            "GET",
            f"blobs/{blob.digest}",
            f"{self}@{blob.digest}",
            good=frozenset({200, 206}),
            headers={"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if in_part else {},
        )
        answer = self._transport.open(request)
        if in_part and answer.status != 206:  # noqa: PLR2004 - HTTP's own number
            answer.close()
            raise ranges_ignored(request)
        return Download(request, answer)

    def begin_upload(self, blob: Descriptor, mount_from: str | None = None) -> Upload | None:
        """Begin an upload ("end-4a"), or mount the blob from another repository ("end-11").

        :param blob: what is to come.
        :param mount_from: a repository of the same registry that has it.
        :return: the upload; ``None`` if the registry mounted the blob, so that there is nothing to send.
        :raises RegistryCallError: the registry's refusal or failure.
        """
        mount = f"?mount={escaped(str(blob.digest), safe='')}&from={escaped(mount_from, safe='')}" if mount_from else ""
        scope = Scope(self.name, "pull,push", mount_from)
        path = f"/v2/{self.name}/blobs/uploads/{mount}"
        request = Request("POST", path, scope, f"{self}@{blob.digest}", frozenset({201, 202}), body=b"")
        answer, _ = self._transport.request(request)
        if answer.status == 201:  # noqa: PLR2004 - HTTP's own number
            return None
        location = answer.headers.get("Location")
        if not location:
            raise malformed(request, "an upload without a Location")
        return Upload(self._transport, resolved(request, path, location), scope)

    def _request(
        self,
        method: str,
        path: str,
        about: str,
        *,
        good: frozenset[int] = frozenset({200}),
        body: bytes | None = None,
        push: bool = False,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Request:
        address = path if path.startswith("/") else f"/v2/{self.name}/{path}"
        return Request(method, address, Scope(self.name, "pull,push" if push else "pull"), about, good, headers, body)


def _suffix(reference: str | Digest) -> str:
    return f"@{reference}" if isinstance(reference, Digest) else f":{reference}"


def _referrers_tag(subject: Digest) -> str:
    """Return the tag that stands in for the end point: "Referrers Tag Schema"."""
    return f"{subject.algorithm[:32]}-{subject.encoded[:64]}"


def _media_type(answer: Answer) -> str | None:
    """Return the type of a manifest, or ``None`` where the registry says something else, such as ``text/plain``."""
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    return media_type if media_type in MANIFEST_TYPES else None


def _require(manifest: Manifest, digest: str | None, about: str) -> None:
    if digest not in (None, str(manifest.digest)):
        raise DigestMismatchError(
            f"{about}: the manifest's digest is {manifest.digest}, but {digest} was asked for or told. Do not deploy "
            "this image before you know why they differ.",
            expected=str(digest),
            actual=str(manifest.digest),
        )


def _descriptors(request: Request, index: bytes) -> tuple[Descriptor, ...]:
    try:
        return tuple(Descriptor.read(item) for item in parse_object(index.decode()).objects("manifests"))
    except (InvalidManifestError, UnicodeDecodeError) as error:
        raise malformed(request, str(error)) from error


def _as_referrer(manifest: Manifest) -> Descriptor:
    """Describe a manifest as a list of referrers does: "Listing Referrers"."""
    config = manifest.config.media_type if isinstance(manifest, ImageManifest) else None
    return Descriptor(
        manifest.media_type,
        manifest.digest,
        len(manifest.raw),
        annotations=manifest.annotations,
        artifact_type=manifest.artifact_type or config,
    )


def _json_of(descriptor: Descriptor) -> dict[str, Any]:
    optional = {"artifactType": descriptor.artifact_type, "annotations": dict(descriptor.annotations)}
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        **{name: value for name, value in optional.items() if value},
    }
