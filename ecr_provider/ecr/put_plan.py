"""What it means to put an image under tags: the request, the decision about each tag, the report. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.report import ImageReport, TagReport
from ecr_provider.exceptions import PreconditionFailedError
from ecr_provider.oci import Digest, Manifest

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


class Outcome(StrEnum):
    """What a put means for one tag."""

    MOVED = "moved"
    CREATED = "created"
    RESTORED = "restored"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Pointee:
    """What a tag points at.

    :param is_active: whether it can be pulled; an archived image cannot, and putting it again restores it.
    :param registry_id: the registry that said so.
    """

    digest: Digest
    is_active: bool = True
    registry_id: str | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """Where a tag has to point for it to be moved; ``None``: it must not exist."""

    expected: Digest | None


@dataclass(frozen=True, slots=True)
class PutRequest:
    """What to put where.

    :param source: the manifest, or the image of the same repository to take it from.
    :param tags: the tags to put it under; none: by digest only.
    :param digest: the digest that the manifest must have.
    :param guard: where each tag must point now, unless it points at the image already.
    """

    source: Manifest | ImageIdentifier
    tags: tuple[str, ...] = ()
    digest: Digest | None = None
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class TagMove:
    """A decision about one tag, or, where ``tag`` is ``None``, about the digest alone."""

    tag: str | None
    previous: Digest | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PutPlan:
    """Everything that ``carry_out`` needs.

    :param registry_id: the registry that answered, if it was asked for an image that it has.
    """

    manifest: Manifest
    moves: tuple[TagMove, ...]
    guard: Guard | None
    registry_id: str | None

    @property
    def outcome(self) -> Outcome:
        """The outcome for all tags together: the one that changes most, in the order of ``Outcome``."""
        return min((move.outcome for move in self.moves), key=list(Outcome).index)

    def report(self, repository: EcrRepository, registry_id: str) -> ImageReport:
        """Return what the next task needs to know."""
        first = self.moves[0]
        tags = [_tag_report(move.tag, move) for move in self.moves if move.tag is not None]
        return {
            "imageDigest": str(self.manifest.digest),
            "imageTag": first.tag,
            "imageTags": [tag["imageTag"] for tag in tags],
            "registryId": registry_id,
            "repositoryName": repository.repository_name,
            "imageUri": repository.image_uri(registry_id, self.manifest.digest),
            "imageManifestMediaType": self.manifest.media_type,
            "outcome": self.outcome.value,
            "previousImageDigest": text_or_none(first.previous),
            "tags": tags,
        }


def _tag_report(tag: str, move: TagMove) -> TagReport:
    return {
        "imageTag": tag,
        "outcome": move.outcome.value,
        "previousImageDigest": text_or_none(move.previous),
    }


def text_or_none(digest: Digest | None) -> str | None:
    """Return a digest in the form that XCom and errors carry."""
    return None if digest is None else str(digest)


def decide(
    digest: Digest, current: Mapping[str | None, Pointee | None], guard: Guard | None = None
) -> tuple[TagMove, ...]:
    """Decide what becomes of each tag.

    :param digest: the image to put.
    :param current: for each tag what it points at now, ``None`` if it does not exist.
    :param guard: where a tag that has to move must point now. A tag that points at the image already has nothing
        left to guard, so that the retry of a task that was cut off after its write succeeds.
    :raises PreconditionFailedError: a tag points elsewhere.
    """
    moves = tuple(TagMove(tag, None if at is None else at.digest, _outcome(digest, at)) for tag, at in current.items())
    for move in moves:
        if guard and move.previous not in (digest, guard.expected):
            raise PreconditionFailedError(
                f"Tag {move.tag!r} {whereabouts(move.previous)}, but expected_current_digest says that it "
                f"{whereabouts(guard.expected)}; nothing was put. Somebody else moved it: "
                "decide which image is wanted, and give its digest.",
                image_tag=str(move.tag),
                expected=text_or_none(guard.expected),
                actual=text_or_none(move.previous),
            )
    return moves


def _outcome(digest: Digest, current: Pointee | None) -> Outcome:
    if current is None:
        return Outcome.CREATED
    if current.digest != digest:
        return Outcome.MOVED
    return Outcome.UNCHANGED if current.is_active else Outcome.RESTORED


def whereabouts(digest: Digest | None) -> str:
    """Say what a tag does."""
    return "does not exist" if digest is None else f"points at {digest}"
