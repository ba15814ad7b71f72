"""All that the engine asks of the places that it copies between; the adapters fulfil it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ecr_provider.oci import Descriptor, Digest, Manifest, Referrer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is.

    :param registry: the registry's host, as in an image reference.
    :param repository: the repository's name.
    """

    registry: str
    repository: str

    def may_mount_from(self, source: Place) -> bool:
        """Tell whether blobs of another repository may be mounted here: it is in the same registry."""
        return self.registry == source.registry and self.repository != source.repository


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a target holds of that which was asked for.

    :param tags: what each tag points at; ``None``: it does not exist.
    :param manifests: those that are there; whatever such a manifest needs is there, too.
    """

    tags: Mapping[str, Digest | None] = field(default_factory=dict)
    manifests: frozenset[Digest] = frozenset()


class Referrers(Protocol):
    """What refers to what in a repository, as it is about now."""

    def of(self, subjects: Sequence[Digest]) -> Mapping[Digest, tuple[Referrer, ...]]:
        """List what refers to each of some manifests."""
        ...


class Download(Protocol):
    """The bytes of a blob on their way."""

    def read(self, size: int) -> bytes:
        """Read the next bytes; none at the end."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Upload(Protocol):
    """A blob on its way into a target, where it is nothing before all of it has arrived and is verified."""

    def send(self, blob: Descriptor, chunks: Iterable[bytes]) -> None:
        """Send all of the blob; what ``chunks`` raises breaks it off."""
        ...

    def cancel(self) -> None:
        """Forget the upload."""
        ...


class ImageSource(Protocol):
    """A repository to copy from."""

    @property
    def place(self) -> Place:
        """Where it is; to find out may take a request."""
        ...

    def manifest(self, reference: str | Digest) -> Manifest:
        """Read a manifest by its tag or its digest, byte for byte."""
        ...

    def manifests(self, digests: Sequence[Digest]) -> Mapping[Digest, Manifest]:
        """Read manifests; all of them, or it is an error."""
        ...

    def referrers(self) -> Referrers:
        """Begin to list what refers to what."""
        ...

    def download(self, blob: Descriptor, start: int = 0, stop: int | None = None) -> Download:
        """Begin to read a blob, or a part of it."""
        ...


class ImageTarget(Protocol):
    """A repository to copy to."""

    @property
    def place(self) -> Place:
        """Where it is; to find out may take a request."""
        ...

    def is_same_as(self, source: ImageSource) -> bool:
        """Tell whether it is the very repository of the source, which so has all that is needed."""
        ...

    def look(self, image: Manifest, tags: Sequence[str], digests: Collection[Digest]) -> Holdings:
        """Tell where tags point and which manifests are there; refuse now what the tags would be refused later.

        :param image: what the tags are to point at.
        """
        ...

    def blobs(self, blobs: Collection[Descriptor], *, may_mount: bool = False) -> frozenset[Digest]:
        """Tell which blobs are there.

        :param may_mount: the next thing is to mount those that are not; where to try that costs no more than to ask,
            nothing need be asked.
        """
        ...

    def begin_upload(self, blob: Descriptor, mount_from: str | None) -> Upload | None:
        """Begin to upload a blob, or mount it from another repository of the registry: ``None``, if that was done."""
        ...

    def put_manifest(self, manifest: Manifest) -> None:
        """Put a manifest by its digest alone."""
        ...

    def referrers(self) -> Referrers:
        """Begin to list what refers to what."""
        ...

    def tag(self, image: Manifest, tags: Sequence[str]) -> None:
        """Put an image under tags. All that it needs is there by now: this is what makes it visible."""
        ...
