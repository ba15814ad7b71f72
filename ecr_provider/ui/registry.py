"""What Amazon ECR says of releases: read by the API server, with the connection of the task that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Final

from ecr_provider.ecr.identifiers import EcrRegistry, ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository, Image, ImageDetail
from ecr_provider.ecr.tags import describe_tags
from ecr_provider.exceptions import EcrProviderError, InvalidManifestError, InvalidReferenceError
from ecr_provider.hooks.ecr import HURRIED, EcrImageHook
from ecr_provider.oci import Digest, ImageIndex, ImageReference, Manifest, Platform
from ecr_provider.patience import Patience
from ecr_provider.ui.anatomy import Anatomist, Node

#: By digest, whose manifest was read and had it.
PLATFORMS: Final[dict[Digest, list[Platform]]] = {}
_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class TagNow:
    """What a tag names in the registry.

    :param digest: the image; ``None``: there is no such tag.
    :param status: ``ACTIVE``, ``ARCHIVED`` or ``ACTIVATING``.
    """

    digest: Digest | None
    status: str | None

    @classmethod
    def of(cls, detail: ImageDetail | None) -> TagNow:
        """Return what a description says."""
        return cls(detail.digest, detail.image_status) if detail else cls(None, None)


def open_repository(image: ImageReference, arguments: Mapping[str, Any]) -> EcrRepository:
    """Return the repository of an image; nothing is called yet.

    :param arguments: the AWS arguments of a task that released there.
    :raises EcrProviderError: the connection does not do.
    """
    return _hook(image, arguments).repository(image.repository, registry_id=_registry_of(image).account_id)


def read_tags(repository: EcrRepository, tags: Sequence[str]) -> dict[str, TagNow]:
    """Ask ECR what tags of a repository name now; it does not count as a pull.

    :raises EcrProviderError: ECR did not say.
    """
    return {tag: TagNow.of(detail) for tag, detail in describe_tags(repository, tags).items()}


def read_platforms(repository: EcrRepository, digests: Sequence[Digest]) -> dict[Digest, list[Platform]]:
    """Read for which platforms images are, by BatchGetImage, which counts as a pull: of each once, since none changes.

    :return: those of the indexes among them, as far as ECR says; a single image does not say it here.
    """
    if len(PLATFORMS) > _MOST_REMEMBERED:
        PLATFORMS.clear()
    with suppress(EcrProviderError):  # what the tags name is known all the same
        found = repository.read(ImageIdentifier(digest) for digest in digests if digest not in PLATFORMS)
        for manifest in map(_manifest_of, found.values()):
            if manifest is not None:
                PLATFORMS[manifest.digest] = list(manifest.platforms) if isinstance(manifest, ImageIndex) else []
    return {digest: platforms for digest in digests if (platforms := PLATFORMS.get(digest))}


def _manifest_of(image: Image | EcrProviderError) -> Manifest | None:
    """Return an image's manifest; ``None``: it has gone, or others put something there that is no image for here."""
    with suppress(InvalidManifestError):
        return image.manifest() if isinstance(image, Image) else None
    return None


def read_image(image: ImageReference, arguments: Mapping[str, Any]) -> Node:
    """Read what an image is made of, which counts as a pull of it.

    :param image: pinned by its digest.
    :param arguments: the AWS arguments of the task that it is of.
    :raises EcrProviderError: ECR did not say.
    """
    hook = _hook(image, arguments)
    if image.digest is None:
        raise InvalidReferenceError(f"{image} names no digest; what a tag names may be another image by now.")
    account = _registry_of(image).account_id
    with closing(hook.images(image.repository, Patience(tries=1), registry_id=account, timeout=HURRIED)) as images:
        return Anatomist(images.repository, images.download).read(image.digest)


def _hook(image: ImageReference, arguments: Mapping[str, Any]) -> EcrImageHook:
    hook = EcrImageHook(
        arguments.get("aws_conn_id"), region_name=_registry_of(image).region_name, verify=arguments.get("verify")
    )
    return hook.hurried()


def _registry_of(image: ImageReference) -> EcrRegistry:
    registry = EcrRegistry.of_host(image.registry)
    if registry is None:
        raise InvalidReferenceError(f"{image.registry} is no private registry of Amazon ECR.")
    return registry
