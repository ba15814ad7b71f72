"""What a lifecycle policy does with images ("Lifecycle policy evaluation rules", user guide). Nothing is done here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ecr_provider.emulator.clock import DAY
from ecr_provider.emulator.rules.lifecycle.policy import LifecycleRule
from ecr_provider.emulator.store.images import Image


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image, and what of its surroundings matters."""

    image: Image
    tags: list[str]
    is_in_index: bool
    """An index that is not archived names it: it cannot go before that does."""

    @property
    def storage_class(self) -> str:
        """Where it is."""
        return "archive" if self.image.archived else "standard"


def evaluate(
    rules: Iterable[LifecycleRule], candidates: Iterable[Candidate], now: float
) -> list[tuple[Candidate, LifecycleRule]]:
    """Tell which images are to go and by which rule, the oldest first. ``rules`` are in the order of priority.

    A rule sees all images that have its tags and its storage class, and counts those too that another rule takes.
    It can take only such as no rule of a higher priority is about, whatever that does with them.
    """
    youngest_first = sorted(candidates, key=lambda one: (_pushed_at(one.image), one.image.id), reverse=True)
    taken: dict[str, LifecycleRule] = {}
    spoken_for: set[str] = set()
    for rule in rules:
        selected = [one for one in youngest_first if rule.selects(one.tags, one.storage_class)]
        for one in _exceeding(rule, selected, now):
            if one.image.digest not in spoken_for and not one.is_in_index:
                taken[one.image.digest] = rule
        spoken_for.update(one.image.digest for one in selected)
    return [(one, taken[one.image.digest]) for one in reversed(youngest_first) if one.image.digest in taken]


def _exceeding(rule: LifecycleRule, selected: list[Candidate], now: float) -> list[Candidate]:
    """Choose from the images that a rule is about, the youngest first, those beyond its count or its age."""
    if rule.count_type == "imageCountMoreThan":
        return selected[rule.count_number :]
    since = _SINCE[rule.count_type]
    return [one for one in selected if since(one.image) < now - rule.count_number * DAY]


def _pushed_at(image: Image) -> float:
    """Return when it was pushed or, if it ever was in the archive, restored."""
    return image.activated_at or image.pushed_at


def _pulled_at(image: Image) -> float:
    """Return when it was pulled or, if it never was, pushed; or restored, if it was not pulled since then."""
    return max(image.pulled_at or image.pushed_at, image.activated_at or 0)


def _archived_at(image: Image) -> float:
    return image.archived_at or image.pushed_at


_SINCE = {
    "sinceImagePushed": _pushed_at,
    "sinceImagePulled": _pulled_at,
    "sinceImageTransitioned": _archived_at,
}
