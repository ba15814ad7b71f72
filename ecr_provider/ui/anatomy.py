"""What an image is made of, as the Image tab shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from ecr_provider.copying.protocols import Download
from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.referrers import can_list_referrers, describe_referrers
from ecr_provider.ecr.repository import EcrRepository, Image
from ecr_provider.exceptions import DigestMismatchError, EcrProviderError
from ecr_provider.oci import Descriptor, Digest, ImageIndex, ImageManifest, Manifest
from ecr_provider.oci.media_types import DOCKER_IMAGE_CONFIG, OCI_IMAGE_CONFIG

#: How many manifests of an index are read, in one BatchGetImage.
_MOST_MANIFESTS: Final = 100
#: What an image's config may have, in bytes; they have a few thousand.
_LARGEST_CONFIG: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Node:
    """A manifest, and what it is made of.

    :param size: of the manifest, in bytes.
    :param platform: such as ``linux/amd64``; ``None``: nothing says so.
    :param created: when it was built, as its config says.
    :param layers: from the base layer up.
    :param manifests: those of an index.
    :param referrers: signatures and the like; ``None``: not known.
    :param problem: why something is missing here.
    """

    digest: Digest
    media_type: str
    size: int
    platform: str | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Node, ...] = ()
    referrers: tuple[Descriptor, ...] | None = None
    problem: str | None = None


class Anatomist:
    """Reads what images are made of.

    What cannot be read is left out, and said: the rest is worth seeing. Environment variables and the history are not
    shown, since people leave secrets there.

    :param repository: where the images are. That they are read counts as a pull of them.
    :param download: begins to read a blob of the repository.
    """

    def __init__(self, repository: EcrRepository, download: Callable[[Descriptor], Download]) -> None:
        self._repository = repository
        self._download = download

    def read(self, digest: Digest) -> Node:
        """Read an image: its platforms, their configs and layers, and what refers to them.

        :raises EcrProviderError: the image itself cannot be read.
        """
        manifest = self._repository.manifest_of(self._repository.get_image(ImageIdentifier(digest)))
        if isinstance(manifest, ImageManifest):
            return self._image(manifest, None)
        return self._node(manifest, None, manifests=self._children(manifest))

    def _children(self, index: ImageIndex) -> tuple[Node, ...]:
        read, rest = index.manifests[:_MOST_MANIFESTS], index.manifests[_MOST_MANIFESTS:]
        found = self._repository.read(ImageIdentifier(child.digest) for child in read)
        nodes = [self._child(child, found[ImageIdentifier(child.digest)]) for child in read]
        return (*nodes, *(_unread(child, f"only {_MOST_MANIFESTS} manifests are read") for child in rest))

    def _child(self, child: Descriptor, found: Image | EcrProviderError) -> Node:
        if isinstance(found, EcrProviderError):
            return _unread(child, str(found))
        try:
            manifest = self._repository.manifest_of(found)
        except EcrProviderError as error:
            return _unread(child, str(error))
        if isinstance(manifest, ImageManifest):
            return self._image(manifest, child)
        # Indexes within indexes are allowed, and nobody builds them: what they are is said, not what is in them.
        return self._node(manifest, child, problem=f"an index of {len(manifest.manifests)} manifests within the index")

    def _image(self, manifest: ImageManifest, descriptor: Descriptor | None) -> Node:
        facts: dict[str, Any] = {"layers": manifest.layers}
        if manifest.config.media_type in (OCI_IMAGE_CONFIG, DOCKER_IMAGE_CONFIG):
            try:
                facts |= _facts_in(self._config(manifest.config))
            except (EcrProviderError, ValueError, RecursionError) as error:
                facts["problem"] = f"The config cannot be read: {error}"
        return self._node(manifest, descriptor, **facts)

    def _node(self, manifest: Manifest, descriptor: Descriptor | None, **facts: Any) -> Node:
        """Return what the manifest, and the descriptor that an index has of it, say of themselves."""
        if descriptor and descriptor.platform:
            facts["platform"] = str(descriptor.platform)
        return Node(
            digest=manifest.digest,
            media_type=manifest.media_type,
            size=len(manifest.raw),
            artifact_type=manifest.artifact_type,
            annotations={**(descriptor.annotations if descriptor else {}), **manifest.annotations},
            referrers=self._referrers(manifest.digest),
            **facts,
        )

    def _config(self, blob: Descriptor) -> dict[str, Any]:
        if blob.size > _LARGEST_CONFIG:
            raise ValueError(f"it has {blob.size} bytes, and more than {_LARGEST_CONFIG} are not read.")
        with closing(self._download(blob)) as download:
            content = b""
            while len(content) <= blob.size and (chunk := download.read(blob.size + 1)):
                content += chunk
        if not blob.digest.matches(content):
            raise DigestMismatchError(
                "its content does not have its digest.", expected=str(blob.digest), actual=str(Digest.of(content))
            )
        config = json.loads(content)
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object.")  # noqa: TRY004 - what was read is bad, not what was handed over
        return config

    def _referrers(self, digest: Digest) -> tuple[Descriptor, ...] | None:
        if not can_list_referrers(self._repository):
            return None
        try:
            return describe_referrers(self._repository, digest)
        except EcrProviderError:  # it may be denied, which is no reason to show nothing
            return None


def _unread(descriptor: Descriptor, problem: str) -> Node:
    return Node(
        digest=descriptor.digest,
        media_type=descriptor.media_type,
        size=descriptor.size,
        platform=str(descriptor.platform) if descriptor.platform else None,
        artifact_type=descriptor.artifact_type,
        annotations=descriptor.annotations,
        problem=problem,
    )


def _facts_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is shown of an image's config: OCI image-spec config.md."""
    platform = "/".join(part for name in ("os", "architecture", "variant") if (part := _text(config.get(name))))
    run = config.get("config")
    labels = run.get("Labels") if isinstance(run, dict) else None
    return {
        "platform": platform or None,
        "created": _text(config.get("created")),
        "labels": {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else {},
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
