"""An ECR repository as a source and a target: its API for what is small, its registry end point for the layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

from ecr_provider.copying.protocols import Holdings, ImageSource, Place, Referrers
from ecr_provider.copying.registries import RegistryReferrers, at_once
from ecr_provider.ecr.authorization import RegistryAccess, registry_access
from ecr_provider.ecr.creation import create_repository
from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.indexes import index_with
from ecr_provider.ecr.layers import available_layers
from ecr_provider.ecr.pacing import pace_of
from ecr_provider.ecr.put_image import carry_out, plan_put, pointee
from ecr_provider.ecr.put_plan import Guard, Outcome, Pointee, PutPlan, PutRequest, TagMove, decide
from ecr_provider.ecr.referrers import all_referrers, can_list_referrers, list_referrers
from ecr_provider.ecr.repository import EcrRepository, Image, ImageDetail
from ecr_provider.exceptions import EcrCallError, EcrProviderError, RepositoryNotFoundError
from ecr_provider.oci import Descriptor, Digest, ImageManifest, Manifest, Referrer
from ecr_provider.patience import Patience
from ecr_provider.registry.auth import Fetch
from ecr_provider.registry.repository import Download, RegistryRepository, Upload
from ecr_provider.registry.request import Scope
from ecr_provider.registry.transport import CONNECT_SECONDS, STALL_SECONDS, Transport

_T = TypeVar("_T")


class EcrImages:
    """The images of an ECR repository, to copy from or to.

    ECR's own calls are made by its API; layers, which the API can only take in small pieces, go by the registry end
    point, with a token that lives as long as this object.

    :param repository: the repository.
    :param patience: how to wait between tries.
    :param guard: where a tag has to point for it to be moved.
    :param create_with: if the repository is missing as a target, create it with these arguments of CreateRepository;
        ``None``: that is an error.
    :param verify: whether to verify the registry's TLS certificate, or the path of a CA bundle.
    :param timeout: how long it may take to connect to the registry's end point, and how long that may be silent, in
        seconds.
    """

    def __init__(
        self,
        repository: EcrRepository,
        patience: Patience,
        *,
        guard: Guard | None = None,
        create_with: Mapping[str, Any] | None = None,
        verify: bool | str | None = None,
        timeout: tuple[float, float] = (CONNECT_SECONDS, STALL_SECONDS),
    ) -> None:
        self.repository = repository
        self.put_plan: PutPlan | None = None
        """What was decided about the tags, once they were looked at."""
        self._patience = patience
        self._guard = guard
        self._create_with = create_with
        self._verify = verify
        self._timeout = timeout
        self._registry_id = repository.registry_id
        self._lock = Lock()
        self._endpoint: RegistryRepository | None = None

    def __str__(self) -> str:
        return f"{self.repository} ({self._registry_id or 'ECR'}, {self.repository.region_name})"

    def close(self) -> None:
        """Close the connections to the registry end point, if it was needed."""
        if self._endpoint is not None:
            self._endpoint.close()

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self._registry.registry, self.repository.repository_name)

    @property
    def registry_id(self) -> str | None:
        """The account, if it is known by now."""
        return self._registry_id

    # --- As a source ---

    def manifest(self, reference: str | Digest) -> Manifest:
        """Read a manifest by its tag or its digest, by BatchGetImage."""
        identifier = ImageIdentifier(tag=reference) if isinstance(reference, str) else ImageIdentifier(reference)
        image = self._call(lambda: self.repository.get_image(identifier))
        self._registry_id = image.registry_id
        return self._call(lambda: self.repository.manifest_of(image))

    def manifests(self, digests: Sequence[Digest]) -> Mapping[Digest, Manifest]:
        """Read manifests, by BatchGetImage."""
        found = self._read([ImageIdentifier(digest) for digest in digests])
        return {digest: self._manifest_of(found[ImageIdentifier(digest)]) for digest in digests}

    def referrers(self) -> Referrers:
        """Begin to list what refers to what: by the API, or by the registry, if botocore is older than the API."""
        if can_list_referrers(self.repository):
            return EcrReferrers(self.repository, self._patience)
        return RegistryReferrers(self._registry)

    def download(self, blob: Descriptor, start: int = 0, stop: int | None = None) -> Download:
        """Begin to read a blob, or a part of it."""
        return self._registry.download(blob, start, stop)

    def index_of(self, image: Manifest) -> ImageDetail | None:
        """Find the index that a single image is a part of; ``None``: there is none, or it is not seen at once."""
        if not isinstance(image, ImageManifest) or image.subject:
            return None
        with suppress(EcrProviderError):  # to know it is worth a look, and no failure
            return index_with(self.repository, image.digest)
        return None

    # --- As a target ---

    def is_same_as(self, source: ImageSource) -> bool:
        """Tell whether the source is this repository, read by the same client; more would take a call to tell."""
        if not isinstance(source, EcrImages):
            return False
        ours, theirs = self.repository, source.repository
        return ours.client is theirs.client and (ours.repository_name, ours.registry_id) == (
            theirs.repository_name,
            theirs.registry_id,
        )

    def look(self, image: Manifest, tags: Sequence[str], digests: Collection[Digest]) -> Holdings:
        """Ask for all tags and manifests at once, by BatchGetImage.

        :raises PreconditionFailedError: a tag does not point where the guard says.
        """
        targets: dict[str | None, ImageIdentifier] = {tag: ImageIdentifier(tag=tag) for tag in tags}
        if not tags and image.digest in digests:
            targets[None] = ImageIdentifier(image.digest)
        found = self._read_or_create({*targets.values(), *map(ImageIdentifier, digests)})
        current = {tag: self._pointee(target, found[target]) for tag, target in targets.items()}
        if current:
            moves = decide(image.digest, current, self._guard)
            self.put_plan = PutPlan(image, moves, self._guard, self._registry_id)
        return Holdings(
            {tag: at.digest if at and at.is_active else None for tag, at in current.items() if tag is not None},
            frozenset(digest for digest in digests if isinstance(found[ImageIdentifier(digest)], Image)),
        )

    def blobs(self, blobs: Collection[Descriptor], *, may_mount: bool = False) -> frozenset[Digest]:
        """Ask for all blobs, by BatchCheckLayerAvailability."""
        return self._call(lambda: available_layers(self.repository, {blob.digest for blob in blobs}))

    def begin_upload(self, blob: Descriptor, mount_from: str | None) -> Upload | None:
        """Begin to upload a blob, or mount it if the account allows that (``BLOB_MOUNTING``)."""
        self._keep_pace("InitiateLayerUpload")
        return self._registry.begin_upload(blob, mount_from)

    def put_manifest(self, manifest: Manifest) -> None:
        """Put a manifest by its digest, by PutImage, which verifies it; that it is there already is fine."""
        plan = PutPlan(manifest, (TagMove(None, None, Outcome.CREATED),), None, self._registry_id)
        self._registry_id = self._call(lambda: self._carry_out(plan))

    def tag(self, image: Manifest, tags: Sequence[str]) -> None:
        """Look again where the tags point, and put the image under those that do not point at it.

        :raises PreconditionFailedError: a tag does not point where the guard says, by now.
        """
        seen = {move.tag: move for move in self.put_plan.moves} if self.put_plan else {}
        request = PutRequest(image, tuple(filter(None, seen)) or tuple(tags), guard=self._guard)

        def put() -> None:
            plan = plan_put(self.repository, request)
            # What a try before this one moved is not unchanged: the report is about the whole copy.
            moves = tuple(
                seen.get(move.tag, move) if move.outcome is Outcome.UNCHANGED else move for move in plan.moves
            )
            self.put_plan = replace(plan, moves=moves)
            self._registry_id = self._carry_out(plan)

        self._call(put)

    # --- Calls ---

    def _read(self, identifiers: Collection[ImageIdentifier]) -> Mapping[ImageIdentifier, Image | EcrCallError]:
        found = self._call(lambda: self.repository.read(identifiers))
        answered = (image.registry_id for image in found.values() if isinstance(image, Image))
        self._registry_id = self._registry_id or next(answered, None)
        return found

    def _read_or_create(
        self, identifiers: Collection[ImageIdentifier]
    ) -> Mapping[ImageIdentifier, Image | EcrCallError]:
        try:
            return self._read(identifiers)
        except RepositoryNotFoundError:
            if self._create_with is None:
                raise
            settings = self._create_with
            self._call(lambda: create_repository(self.repository, settings))
            return self._read(identifiers)

    def _pointee(self, target: ImageIdentifier, result: Image | EcrCallError) -> Pointee | None:
        return self._call(lambda: pointee(self.repository, target, result, self._guard))

    def _manifest_of(self, result: Image | EcrCallError) -> Manifest:
        if isinstance(result, EcrCallError):
            raise result
        return self._call(lambda: self.repository.manifest_of(result))

    def _carry_out(self, plan: PutPlan) -> str:
        for _ in plan.moves:
            self._keep_pace("PutImage")
        _, registry_id = carry_out(self.repository, plan, sleep=self._patience.sleep)
        return registry_id

    def _keep_pace(self, operation: str) -> None:
        pace_of(operation, f"{self._registry_id} {self.repository.region_name}").wait(self._patience.sleep)

    def _call(self, function: Callable[[], _T]) -> _T:
        return self._patience.call(function)

    @property
    def _registry(self) -> RegistryRepository:
        """The registry end point, reached when it is first needed: a copy that has nothing to move does without."""
        with self._lock:
            if self._endpoint is None:
                authorizer = _TokenAuthorizer(
                    lambda: self._call(lambda: registry_access(self.repository, self._registry_id))
                )
                transport = Transport(
                    authorizer.access.host,
                    authorizer,
                    self._patience,
                    connect_to=authorizer.access.connect_to,
                    verify=self._verify,
                    proxies=getattr(self.repository.client.meta.config, "proxies", None),
                    timeout=self._timeout,
                )
                self._registry_id = authorizer.access.registry_id
                self._endpoint = RegistryRepository(transport, self.repository.repository_name)
            return self._endpoint


class EcrReferrers:
    """What refers to what in an ECR repository: by one call, or in a large repository by one for each manifest.

    :param repository: the repository.
    :param patience: how to wait between tries.
    """

    def __init__(self, repository: EcrRepository, patience: Patience) -> None:
        self._repository = repository
        self._patience = patience

    def of(self, subjects: Sequence[Digest]) -> Mapping[Digest, tuple[Referrer, ...]]:
        """List what refers to each of some manifests."""
        if self._all is not None:
            return {subject: self._all.get(subject, ()) for subject in subjects}
        return at_once(self._list, subjects)

    @cached_property
    def _all(self) -> Mapping[Digest, tuple[Referrer, ...]] | None:
        return self._patience.call(lambda: all_referrers(self._repository))

    def _list(self, subject: Digest) -> tuple[Referrer, ...]:
        return self._patience.call(lambda: list_referrers(self._repository, subject))


class _TokenAuthorizer:
    """ECR's token, replaced before it ends."""

    def __init__(self, get: Callable[[], RegistryAccess]) -> None:
        self._get = get
        self._lock = Lock()
        self.access = get()

    def header(self, scope: Scope) -> str:
        """Return the token's header."""
        with self._lock:
            if not self.access.is_good:
                self.access = self._get()
            return self.access.header

    def answer(self, challenges: Sequence[str], scope: Scope, sent: str | None, fetch: Fetch) -> str:
        """Get another token, unless another thread just did."""
        with self._lock:
            if self.access.header == sent:
                self.access = self._get()
            return self.access.header
