"""Which of a repository's tags is the newest: pure functions on tags, digests and times.

Source of the versions and their order: https://semver.org/spec/v2.0.0.html; of the ranges:
https://python-semanticversion.readthedocs.io/en/latest/reference.html#semantic_version.SimpleSpec
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, Self, get_args

from semantic_version import SimpleSpec, Version

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci.digest import Digest
from ecr_provider.oci.quoting import quote

Order = Literal["semver", "numeric", "alphabetical", "pushed"]
ORDERS: Final = get_args(Order)

#: Tags that name another image's signature or SBOM, and no release.
#: Source: OCI distribution-spec, "Referrers Tag Schema"; cosign names its older ones alike.
_REFERRERS_TAG: Final = re.compile(r"sha256-[0-9a-f]{64}(\..*)?")


_BEHIND_AN_OPERATOR: Final = re.compile(r"(?<=[<>=!~^]) +")
_BEHIND_A_STAR: Final = re.compile(r"\*\.[^*]")


@dataclass(frozen=True, slots=True)
class TaggedImage:
    """A tag, and the image that it names.

    :param tag: the tag.
    :param digest: the image.
    :param pushed_at: when the image was pushed, which a later tag does not change.
    """

    tag: str
    digest: Digest
    pushed_at: datetime | None = None


def compiled_pattern(text: object) -> re.Pattern[str]:
    """Return a regular expression that tags have to match.

    :raises InvalidInputError: it is none.
    """
    if not isinstance(text, str):
        raise InvalidInputError(f"tag_pattern is {quote(text)}; it has to be text, a regular expression.")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        reason = quote(getattr(error, "msg", str(error)))
        raise InvalidInputError(f"tag_pattern {quote(text)} is not a regular expression: {reason}.") from error


@dataclass(frozen=True)
class TagPolicy:
    """Which tags count, and in which order.

    ``semver``: semantic versions of three numbers, with or without a ``v`` before them. ``numeric``: whole numbers.
    ``alphabetical``: text, by its code points. ``pushed``: whatever its tag, by the time of the image's push.

    :param order: one of ``ORDERS``.
    :param semver_range: with ``semver``: what the version has to be, such as ``>=1.2,<2`` or ``~1.4``.
    :param include_prereleases: with ``semver``: whether ``1.3.0-rc.1`` counts, where the range lets it.
    :param tag_pattern: a regular expression that the whole tag has to match. Its group, if it has one, is what is
        ordered; with ``numeric`` it may have several, which are compared one after the other.
    :raises InvalidInputError: an argument is none, or does not go with the order.
    """

    order: Order
    semver_range: str | None = None
    include_prereleases: bool = False
    tag_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise InvalidInputError(f"order {quote(self.order)} is none of {', '.join(ORDERS)}.")
        if self.order != "semver" and (self.semver_range is not None or self.include_prereleases):
            raise InvalidInputError(
                f"semver_range and include_prereleases go with order='semver', and order is {self.order!r}."
            )
        if not isinstance(self.include_prereleases, bool):
            raise InvalidInputError(f"include_prereleases is {quote(self.include_prereleases)}; it is True or False.")
        groups = self._pattern.groups
        if groups > 1 and self.order != "numeric":
            raise InvalidInputError(
                f"tag_pattern {quote(self.tag_pattern)} has {groups} groups; order={self.order!r} takes one. "
                "Write (?:…) for those that are not what is ordered."
            )
        self._range  # noqa: B018 - parsed here, so that it is refused here

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return compiled_pattern(".*" if self.tag_pattern is None else self.tag_pattern)

    @cached_property
    def _range(self) -> SimpleSpec | None:
        try:
            return None if self.semver_range is None else _range_of(self.semver_range)
        except (AttributeError, TypeError, ValueError) as error:
            raise InvalidInputError(
                f"semver_range {quote(self.semver_range)} is not a range of semantic versions, such as '>=1.2,<2', "
                "'~1.4', '^1.2.3' or '1.*'."
            ) from error

    def rank(self, image: TaggedImage) -> Any:
        """Return what the tag is ordered by; ``None``: it does not count."""
        found = self._pattern.fullmatch(image.tag)
        if found is None or _REFERRERS_TAG.fullmatch(image.tag):
            return None
        match self.order:
            case "semver":
                return self._version(found[self._pattern.groups])
            case "numeric":
                return _numbers(found.groups() or (found[0],))
            case "alphabetical":
                return found[self._pattern.groups]
            case _:  # pushed
                return image.pushed_at

    def _version(self, text: str | None) -> Version | None:
        if text is None or not text.isascii():
            return None
        try:
            version = Version(text.removeprefix("v"))
        except ValueError:
            return None
        counts = self.include_prereleases or not version.prerelease
        return version if counts and (self._range is None or self._range.match(version)) else None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A tag that counts.

    :param rank: what it is ordered by.
    """

    image: TaggedImage
    rank: Any

    @classmethod
    def all_of(cls, images: Iterable[TaggedImage], policy: TagPolicy) -> tuple[Self, ...]:
        """Rank the tags that count for a policy."""
        ranked = ((image, policy.rank(image)) for image in images)
        return tuple(cls(image, rank) for image, rank in ranked if rank is not None)


def newest(ranked: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Return the tags of the highest rank: several, if they are of one rank, and none, if there are none."""
    found = tuple(ranked)
    if not found:
        return ()
    highest = max(each.rank for each in found)
    return tuple(
        sorted((each for each in found if not each.rank < highest), key=lambda each: _shortest_first(each.image))
    )


def rank_of(ranked: Iterable[Ranked], digest: Digest) -> Any:
    """Return the highest rank that an image has by any of its tags; ``None``: it has none."""
    return max((each.rank for each in ranked if each.image.digest == digest), default=None)


def _range_of(text: str) -> SimpleSpec:
    """Read a range as people write it: with spaces behind commas and operators, and nothing behind a ``*``."""
    if _BEHIND_A_STAR.search(text):
        raise ValueError("a number behind a * would be ignored")
    return SimpleSpec(",".join(_BEHIND_AN_OPERATOR.sub("", block.strip()) for block in text.split(",")))


def _numbers(texts: Iterable[str | None]) -> tuple[int, ...] | None:
    found = tuple(texts)
    return tuple(map(int, found)) if all(text and text.isascii() and text.isdigit() for text in found) else None  # type: ignore[arg-type]  # no None is left


def _shortest_first(image: TaggedImage) -> tuple[int, str]:
    return len(image.tag), image.tag
