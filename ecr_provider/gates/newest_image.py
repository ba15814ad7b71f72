"""The newest image of a repository, by a policy for its tags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.listing import list_images
from ecr_provider.ecr.report import found_report
from ecr_provider.exceptions import ImageInaccessibleError, ImageNotFoundError, InvalidInputError
from ecr_provider.gates.gate import Look, Verdict
from ecr_provider.oci import Digest, check_tag
from ecr_provider.oci.quoting import quote
from ecr_provider.oci.selection import Order, Ranked, TaggedImage, TagPolicy, newest, rank_of

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository, ImageDetail


_TAGS_SHOWN: Final = 5


class _Reference(NamedTuple):
    """What the newest image has to be newer than.

    :param rank: what it is ordered by; ``None``: it cannot be compared.
    :param why_not: why it cannot.
    """

    digest: Digest | None
    rank: Any
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class NewestImageGate:
    """An image that a policy for tags calls the newest, and that is newer than another one.

    A repository may change while its pages are read. So what was found is described once more, and last of all what it
    has to be newer than: whatever does not fit together is looked at again.

    :param policy: which tags count, and in which order.
    :param newer_than: the tag or digest of the image than which it has to be newer.
    """

    policy: TagPolicy
    newer_than: ImageIdentifier | None = None

    @classmethod
    def from_json(
        cls,
        *,
        order: Order,
        semver_range: str | None = None,
        include_prereleases: bool = False,
        tag_pattern: str | None = None,
        only_if_newer_than: str | None = None,
    ) -> Self:
        """Parse the arguments of the sensor.

        :raises InvalidInputError: an argument is none of what it should be.
        """
        policy = TagPolicy(order, semver_range, include_prereleases, tag_pattern)
        return cls(policy, None if only_if_newer_than is None else _identifier(only_if_newer_than))

    @property
    def target(self) -> str:
        """Nothing: it is about the whole repository."""
        return ""

    def look(self, repository: EcrRepository) -> Look:
        """Look once: one DescribeImages for each thousand images, and one or two more if there is one that counts.

        :raises EcrCallError: ECR refused or failed a call.
        """
        details = [detail for detail in list_images(repository, "TAGGED") if detail.subject is None]
        images = [TaggedImage(tag, each.digest, each.image_pushed_at) for each in details for tag in each.tags]
        ranked = Ranked.all_of(images, self.policy)
        seen = f"of {len(images)} tags, {len(ranked)} count"
        best = newest(ranked)
        if not best:
            return Look.waiting(f"waiting for a tag that counts; {seen}")
        if len({image.tag for image in images}) < len(images):
            return Look.waiting("waiting for tags to settle; one moved while they were listed")
        other = next((each.image for each in best if each.image.digest != best[0].image.digest), None)
        if other:
            return Look(Verdict.FAILED, _tie(best[0].image, other, len(best), seen))
        listed = self.newer_than is not None and any(detail.answers(self.newer_than) for detail in details)
        return self._compare(repository, best[0], seen, is_listed=listed)

    def _compare(self, repository: EcrRepository, best: Ranked, seen: str, *, is_listed: bool) -> Look:
        found = _described(repository, ImageIdentifier(tag=best.image.tag))
        if found is None or found.digest != best.image.digest or not found.is_active:
            return Look.waiting(f"waiting for tags to settle; {best.image.tag} has just changed")
        reference = self._reference(repository)
        if is_listed and reference.digest is None and not reference.why_not:
            return Look.waiting(f"waiting for tags to settle; {self._name} was there, and is not any more")
        if reference.why_not:
            return Look(Verdict.FAILED, f"has nothing that is known to be newer: {reference.why_not}")
        if reference.digest and (found.digest == reference.digest or not best.rank > reference.rank):
            return Look.waiting(f"waiting for an image newer than {self._name}; the newest is {best.image.tag}; {seen}")
        report = found_report(repository, found, best.image.tag, found.tags, reference.digest)
        return Look(Verdict.PASSED, f"has {best.image.tag} as its newest, at {found.digest}; {seen}", report)

    def _reference(self, repository: EcrRepository) -> _Reference:
        if self.newer_than is None:
            return _Reference(None, None)
        try:
            at = _described(repository, self.newer_than)
        except ImageInaccessibleError:
            return _Reference(None, None, f"{self._name} is archived, and the installed botocore too old to read it")
        if at is None:
            # A tag that does not exist yet is older than anything.
            gone = f"{self._name} is not in the repository; name an image that is" if self.newer_than.digest else ""
            return _Reference(None, None, gone)
        rank = self._rank(at)
        return _Reference(at.digest, rank, self._incomparable(at) if rank is None else "")

    @property
    def _name(self) -> str:
        return str(self.newer_than).lstrip(":@")

    def _incomparable(self, image: ImageDetail) -> str:
        pattern = f" and tag_pattern={quote(self.policy.tag_pattern)}" if self.policy.tag_pattern else ""
        return (
            f"{self._name} has no tag that order={self.policy.order!r}{pattern} can compare, only "
            f"{', '.join(image.tags[:_TAGS_SHOWN]) or 'none'}; tag it so, or leave only_if_newer_than out"
        )

    def _rank(self, image: ImageDetail) -> Any:
        """Rank the reference, whatever its version is: the range and the choice of pre-releases are not for it."""
        if self.policy.order == "pushed":
            return image.image_pushed_at
        anything = replace(self.policy, semver_range=None, include_prereleases=self.policy.order == "semver")
        tag = self.newer_than.tag if self.newer_than else None
        if tag is not None and (rank := anything.rank(TaggedImage(tag, image.digest))) is not None:
            return rank
        return rank_of(Ranked.all_of([TaggedImage(tag, image.digest) for tag in image.tags], anything), image.digest)


def _described(repository: EcrRepository, identifier: ImageIdentifier) -> ImageDetail | None:
    try:
        return repository.describe_image(identifier)
    except ImageNotFoundError:
        return None


def _tie(one: TaggedImage, other: TaggedImage, count: int, seen: str) -> str:
    more = f" (and {count - 2} more tags)" if count > 2 else ""  # noqa: PLR2004 - the two that are named
    return (
        f"has no one newest image: {one.tag} at {one.digest} and {other.tag} at {other.digest}{more} are of the same "
        f"rank; {seen}. Narrow tag_pattern or semver_range, or remove a tag"
    )


def _identifier(text: object) -> ImageIdentifier:
    """Read a tag or a digest; a tag has no colon."""
    try:
        return ImageIdentifier(Digest.parse(text)) if ":" in str(text) else ImageIdentifier(tag=check_tag(text))  # type: ignore[arg-type]  # refused if it is no text
    except InvalidInputError as error:
        raise type(error)(f"only_if_newer_than is a tag or a digest: {error}") from error
