"""Descriptors, by which content names other content: OCI image-spec descriptor.md and image-index.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from ecr_provider.exceptions import InvalidInputError, InvalidManifestError
from ecr_provider.oci.digest import Digest
from ecr_provider.oci.media_types import check_media_type
from ecr_provider.oci.quoting import quote
from ecr_provider.oci.strict_json import JsonObject, text_of, texts_by_name_of, texts_of

_PLATFORM_PART: Final = re.compile(r"[A-Za-z0-9_.-]+")
_PLATFORM_RULE: Final = "write os/architecture or os/architecture/variant, such as linux/arm64/v8"

# What a missing variant means: containerd/platforms database.go, normalizeArch.
_DEFAULT_VARIANTS: Final = {"amd64": "v1", "arm": "v7", "arm64": "v8"}

_LARGEST_SIZE: Final = 2**63 - 1  # int64: descriptor.md, "size"


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on: image-index.md, "platform", in Go's words (``GOOS``, ``GOARCH``).

    :param os: such as ``linux``.
    :param architecture: such as ``arm64``.
    :param variant: of the CPU, such as ``v8``.
    :param os_version: such as ``10.0.20348.2113``; Windows uses it.
    :param os_features: what the image requires of the OS, such as ``win32k``.
    :raises InvalidInputError: a part of ``os/architecture/variant`` is empty or has odd characters.
    """

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part in self._parts():
            _platform_part_of(part)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a platform from its text.

        :param text: ``os/architecture`` or ``os/architecture/variant``.
        :raises InvalidInputError: it is something else.
        """
        match _split(text):
            case [os, architecture]:
                return cls(os, architecture)
            case [os, architecture, variant]:
                return cls(os, architecture, variant)
            case _:
                raise InvalidInputError(f"{quote(text)} is not a platform: {_PLATFORM_RULE}")

    @classmethod
    def read(cls, json: JsonObject) -> Self | None:
        """Read a descriptor's ``platform``.

        :param json: the object.
        :return: ``None`` if os and architecture are both empty: Go writes an unset platform so.
        :raises InvalidManifestError: it breaks the specification.
        """
        if json.required("os", text_of) == json.required("architecture", text_of) == "":
            return None
        return cls(
            os=json.required("os", _platform_part_of),
            architecture=json.required("architecture", _platform_part_of),
            variant=json.optional("variant", _platform_part_of),
            os_version=json.optional("os.version", text_of),
            os_features=json.optional("os.features", texts_of) or (),
        )

    def satisfies(self, wanted: Platform) -> bool:
        """Tell whether an image for this platform is one for the wanted platform.

        What ``wanted`` leaves open is met by anything: ``linux/arm64`` by every variant and every OS version.
        What it names must be equal, where a missing variant means the architecture's first (``arm64`` is
        ``arm64/v8``, as in containerd). Nothing is compatible with anything else: ``linux/amd64`` is not met
        by ``linux/386``, although it could run it, because a release asks what an image is, not where it
        might run. ``os.features`` is a demand on the host and is not compared.

        :param wanted: the platform asked for.
        """
        return (
            (self.os, self.architecture) == (wanted.os, wanted.architecture)
            and wanted.variant in (None, self.variant or _DEFAULT_VARIANTS.get(self.architecture))
            and wanted.os_version in (None, self.os_version)
        )

    def __str__(self) -> str:
        return "/".join(self._parts())

    def _parts(self) -> tuple[str, ...]:
        named = (self.os, self.architecture)
        return named if self.variant is None else (*named, self.variant)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Content, named by type, digest and size.

    The specification's ``data``, a copy of the content within the descriptor, is left unread: content comes
    from where it is verified.

    :param media_type: of the content.
    :param digest: of the content.
    :param size: of the content, in bytes.
    :param platform: what the content runs on, if it is an image.
    :param annotations: whatever its author added.
    :param artifact_type: what the content is, if it is an artifact.
    :param urls: from where else it may be downloaded.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    artifact_type: str | None = None
    urls: tuple[str, ...] = ()

    @classmethod
    def read(cls, json: JsonObject) -> Self:
        """Read a descriptor of a manifest.

        :param json: the object.
        :raises InvalidManifestError: it breaks the specification.
        """
        platform = json.optional_object("platform")
        return cls(
            media_type=json.required("mediaType", check_media_type),
            digest=json.required("digest", Digest.parse),
            size=json.required("size", _size_of),
            platform=Platform.read(platform) if platform else None,
            annotations=json.optional("annotations", texts_by_name_of) or {},
            artifact_type=json.optional("artifactType", check_media_type),
            urls=json.optional("urls", texts_of) or (),
        )


class Referrer(NamedTuple):
    """A manifest that refers to another one, its subject: a signature, an SBOM, an attestation.

    Source: OCI distribution-spec, "Listing Referrers".

    :param digest: the manifest's.
    :param media_type: the manifest's.
    """

    digest: Digest
    media_type: str


def _split(text: object) -> list[str]:
    return text.split("/") if isinstance(text, str) else []


def _platform_part_of(value: object) -> str:
    if isinstance(value, str) and _PLATFORM_PART.fullmatch(value):
        return value
    raise InvalidInputError(f"{quote(value)} is not a part of a platform: {_PLATFORM_RULE}")


def _size_of(value: object) -> int:
    # JSON's true is an int to Python.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_SIZE:
        return value
    raise InvalidManifestError(f"{quote(value)} is not a number of bytes from 0 to {_LARGEST_SIZE}")
