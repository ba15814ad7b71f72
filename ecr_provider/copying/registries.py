"""Any OCI registry as a source and a target, by the registry's HTTP API alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Final, Self, TypeVar

from ecr_provider.copying.protocols import Holdings, ImageSource, Place
from ecr_provider.oci import Descriptor, Digest, Manifest, Referrer
from ecr_provider.patience import Patience
from ecr_provider.registry.addresses import repository_of
from ecr_provider.registry.auth import ChallengedAuthorizer, Credentials
from ecr_provider.registry.repository import Download, RegistryRepository, Upload
from ecr_provider.registry.transport import Transport

REQUESTS_AT_ONCE: Final = 8

_T = TypeVar("_T")
_R = TypeVar("_R")


class RegistryImages:
    """The images of a repository, to copy from or to.

    :param repository: the repository.
    """

    def __init__(self, repository: RegistryRepository) -> None:
        self._repository = repository
        self._listing = Lock()

    @classmethod
    def at(
        cls,
        registry: str,
        repository: str,
        patience: Patience,
        credentials: Credentials | None = None,
        *,
        verify: bool | str | None = None,
    ) -> Self:
        """Return the images of a repository; nothing is asked yet.

        :param registry: the registry's ``host`` or ``host:port``, as in an image reference.
        :param repository: the repository's name there, as in an image reference.
        :param patience: how to wait between tries.
        :param credentials: a name and a password, if there are; else one is anybody.
        :param verify: whether to verify TLS certificates, or the path of a CA bundle.
        """
        transport = Transport(registry, ChallengedAuthorizer(credentials), patience, verify=verify)
        return cls(RegistryRepository(transport, repository_of(registry, repository)))

    def __str__(self) -> str:
        return str(self._repository)

    def close(self) -> None:
        """Close the connections."""
        self._repository.close()

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self._repository.registry, self._repository.name)

    # --- As a source ---

    def manifest(self, reference: str | Digest) -> Manifest:
        """Read a manifest by its tag or its digest."""
        return self._repository.manifest(reference)

    def manifests(self, digests: Sequence[Digest]) -> Mapping[Digest, Manifest]:
        """Read manifests."""
        return at_once(self._repository.manifest, digests)

    def referrers(self) -> RegistryReferrers:
        """Begin to list what refers to what."""
        return RegistryReferrers(self._repository)

    def download(self, blob: Descriptor, start: int = 0, stop: int | None = None) -> Download:
        """Begin to read a blob, or a part of it."""
        return self._repository.download(blob, start, stop)

    # --- As a target ---

    def is_same_as(self, source: ImageSource) -> bool:
        """Tell whether the source is this repository."""
        return isinstance(source, RegistryImages) and source.place == self.place

    def look(self, image: Manifest, tags: Sequence[str], digests: Collection[Digest]) -> Holdings:
        """Ask for each tag, and for each manifest that no tag has shown to be there."""
        pointees = at_once(self._repository.digest_of, tags)
        shown = set(digests).intersection(filter(None, pointees.values()))
        asked = at_once(self._repository.digest_of, [digest for digest in digests if digest not in shown])
        return Holdings(pointees, frozenset(shown | {digest for digest, there in asked.items() if there}))

    def blobs(self, blobs: Collection[Descriptor], *, may_mount: bool = False) -> frozenset[Digest]:
        """Ask for each blob, unless it may be mounted: that answers it, too."""
        if may_mount:
            return frozenset()
        there = at_once(self._repository.has_blob, blobs)
        return frozenset(blob.digest for blob, is_there in there.items() if is_there)

    def begin_upload(self, blob: Descriptor, mount_from: str | None) -> Upload | None:
        """Begin to upload a blob, or mount it."""
        return self._repository.begin_upload(blob, mount_from)

    def put_manifest(self, manifest: Manifest) -> None:
        """Put a manifest by its digest."""
        self._put(manifest)

    def tag(self, image: Manifest, tags: Sequence[str]) -> None:
        """Put the image under each tag."""
        for tag in tags:
            self._put(image, tag)

    def _put(self, manifest: Manifest, tag: str | None = None) -> None:
        """Put a manifest, and list a referrer in the tag that does that where the registry does not."""
        is_listed = self._repository.put_manifest(manifest, tag)
        if manifest.subject and not is_listed:
            with self._listing:  # read, then written: one at a time
                self._repository.add_referrer(manifest.subject.digest, manifest)


class RegistryReferrers:
    """What refers to what, by the registry's HTTP API: a request for each manifest.

    :param repository: the repository.
    """

    def __init__(self, repository: RegistryRepository) -> None:
        self._repository = repository

    def of(self, subjects: Sequence[Digest]) -> Mapping[Digest, tuple[Referrer, ...]]:
        """List what refers to each of some manifests."""
        listed = at_once(self._repository.referrers, subjects)
        return {
            subject: tuple(Referrer(each.digest, each.media_type) for each in group)
            for subject, group in listed.items()
        }


def at_once(function: Callable[[_T], _R], items: Iterable[_T]) -> dict[_T, _R]:
    """Call a function for each item, some at a time, and return what it said of each."""
    keys = list(items)
    if len(keys) < 2:  # noqa: PLR2004 - one needs no thread
        return {key: function(key) for key in keys}
    with ThreadPoolExecutor(min(REQUESTS_AT_ONCE, len(keys))) as threads:
        return dict(zip(keys, threads.map(function, keys), strict=True))
