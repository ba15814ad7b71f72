"""The newest image of a repository, by a policy for its tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.listing import list_images
from ecr_provider.ecr.report import found_report
from ecr_provider.exceptions import ImageNotFoundError
from ecr_provider.gates.gate import Look, Verdict
from ecr_provider.oci import Digest, check_tag
from ecr_provider.oci.selection import Order, Ranked, TaggedImage, TagPolicy, newest, rank_of

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository, ImageDetail


class _Reference(NamedTuple):
    """What the newest image has to be newer than.

    :param digest: where it is; ``None``: there is no such tag yet, so that anything is newer.
    :param rank: what it is ordered by; ``None``: nothing that the policy knows.
    """

    digest: Digest | None
    rank: Any


@dataclass(frozen=True, slots=True)
class NewestImageGate:
    """An image that a policy for tags calls the newest, and that is newer than another one.

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
        """Look once: one DescribeImages for each thousand images, and one more for the image that is found.

        :raises EcrCallError: ECR refused or failed a call.
        """
        details = [detail for detail in list_images(repository, "TAGGED") if detail.subject is None]
        images = [TaggedImage(tag, each.digest, each.image_pushed_at) for each in details for tag in each.tags]
        ranked = Ranked.all_of(images, self.policy)
        best = newest(ranked)
        seen = f"of {len(images)} tags, {len(ranked)} count"
        if not best:
            return Look.waiting(f"waiting for a tag that counts; {seen}")
        if len({each.image.digest for each in best}) > 1:
            names = ", ".join(f"{each.image.tag} at {each.image.digest}" for each in best)
            return Look(Verdict.FAILED, f"has no one newest image: {names} are of the same rank; {seen}")
        return self._compare(repository, details, best[0], seen)

    def _compare(self, repository: EcrRepository, details: Sequence[ImageDetail], best: Ranked, seen: str) -> Look:
        name, reference = str(self.newer_than or "").lstrip(":@"), self._reference(repository, details)
        if reference and reference.digest:
            if reference.rank is None:
                says = (
                    f"cannot be told: {reference.digest} is not there to be pulled, or has no tag that can be compared"
                )
                return Look(Verdict.FAILED, f"what is newer than {name} {says}")
            if best.image.digest == reference.digest or not best.rank > reference.rank:
                return Look.waiting(f"waiting for an image newer than {name}; the newest is {best.image.tag}; {seen}")
        detail = repository.describe_image(ImageIdentifier(tag=best.image.tag))
        if detail.digest != best.image.digest or not detail.is_active:
            return Look.waiting(f"waiting for tags to settle; {best.image.tag} has just moved")
        previous = reference.digest if reference else None
        report = found_report(repository, detail, best.image.tag, detail.tags, previous)
        return Look(Verdict.PASSED, f"newest is {best.image.tag} at {detail.digest}; {seen}", report)

    def _reference(self, repository: EcrRepository, details: Sequence[ImageDetail]) -> _Reference | None:
        if self.newer_than is None:
            return None
        tag = self.newer_than.tag
        at = next((detail for detail in details if detail.answers(self.newer_than)), None)
        if at is None:
            return _Reference(_digest_of_unlisted(repository, self.newer_than), None)
        if self.policy.order == "pushed":
            return _Reference(at.digest, at.image_pushed_at)
        # Whatever its version is, also one that may not be released any more: the range is not for it.
        anything = replace(self.policy, semver_range=None, include_prereleases=self.policy.order == "semver")
        names = [tag] if tag is not None and anything.rank(TaggedImage(tag, at.digest)) is not None else at.tags
        ranked = Ranked.all_of([TaggedImage(name, at.digest) for name in names], anything)
        return _Reference(at.digest, rank_of(ranked, at.digest))


def _digest_of_unlisted(repository: EcrRepository, identifier: ImageIdentifier) -> Digest | None:
    """Return where a tag is that no image has which can be pulled: at an archived one, perhaps."""
    try:
        return repository.describe_image(identifier).digest
    except ImageNotFoundError:
        return identifier.digest


def _identifier(text: str) -> ImageIdentifier:
    """Read a tag or a digest; a tag has no colon."""
    if ":" in text:
        return ImageIdentifier(Digest.parse(text))
    return ImageIdentifier(tag=check_tag(text))
