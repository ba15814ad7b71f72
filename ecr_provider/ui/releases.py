"""Releases, and what they add up to: values and pure functions, of which the Releases page shows the outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from ecr_provider.ecr.put_plan import Outcome
from ecr_provider.exceptions import EcrProviderError
from ecr_provider.oci import Digest, ImageReference

#: What operators and watchers say of a tag; a sensor's ``found`` tells of no release.
_OUTCOMES: Final = frozenset(Outcome)


class TaskKey(NamedTuple):
    """A task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a release comes from.

    :param task: who put the image; ``None``: it was put outside of Airflow, and a watcher saw it.
    :param run_type: how the DAG run came about, in Airflow's words.
    :param user: who started the DAG run, if somebody did.
    """

    task: TaskKey | None = None
    run_type: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """What became of a tag, once.

    :param name: registry, repository and tag; without a tag, the image was put by its digest only.
    :param digest: the image.
    :param outcome: what changed.
    :param previous: what the tag named before, as far as it is known.
    :param at: when Airflow heard of it.
    """

    name: ImageReference
    digest: Digest
    outcome: Outcome
    previous: Digest | None
    at: datetime
    origin: Origin

    @property
    def image_uri(self) -> str:
        """The image, pinned by its digest."""
        return str(self.name.with_digest(self.digest))


@dataclass(frozen=True, slots=True)
class TagState:
    """What a tag names, by all that Airflow knows.

    :param release: the release that made it so.
    :param since: when that was.
    :param confirmed_at: when it was last found to be so.
    :param previous: the image before.
    """

    release: Release
    since: datetime
    confirmed_at: datetime
    previous: Digest | None


def releases_in(report: object, at: datetime, origin: Origin) -> Iterator[Release]:
    """Read the releases that a task or a watcher reports.

    :param report: what somebody stored: an :class:`~ecr_provider.ecr.report.ImageReport`, one of a single tag, or
        anything else, which tells of no release.
    """
    if not isinstance(report, Mapping):
        return
    for tag in _tags_of(report):
        # What others store under the same keys is theirs.
        with suppress(EcrProviderError, KeyError, TypeError, ValueError):
            if tag["outcome"] in _OUTCOMES:
                yield _release(report, tag, at, origin)


def image_of(report: object) -> ImageReference | None:
    """Read which image a task reports, pinned by its digest; ``None``: none."""
    try:
        image = ImageReference.parse(report["imageUri"])  # type: ignore[index]  # whatever it is
    except (EcrProviderError, KeyError, TypeError):
        return None
    return image if image.digest else None


def _tags_of(report: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    tags = report.get("tags")
    listed = [tag for tag in tags if isinstance(tag, Mapping)] if isinstance(tags, Sequence) else []
    yield from listed or [report]


def _release(report: Mapping[str, Any], tag: Mapping[str, Any], at: datetime, origin: Origin) -> Release:
    image = ImageReference.parse(report["imageUri"])
    name = ImageReference(image.registry, image.repository, tag.get("imageTag"))
    previous = tag.get("previousImageDigest")
    return Release(
        name,
        Digest.parse(report["imageDigest"]),
        Outcome(tag["outcome"]),
        None if previous is None else Digest.parse(previous),
        at,
        origin,
    )


def history_of(releases: Iterable[Release]) -> list[Release]:
    """Put what several sources tell into one history, the newest first.

    A task's XCom and its asset event tell of one release; XComs are gone once their task is cleared, and events stay. A
    watcher tells of what Airflow put, too: it is dropped where it says nothing new.
    """
    told: dict[object, Release] = {}
    for release in sorted(releases, key=lambda each: each.at):
        told.setdefault(_identity(release), release)
    news = [release for each in _by_name(told.values()) for release in _without_echoes(each)]
    return sorted(news, key=lambda each: each.at, reverse=True)


def _identity(release: Release) -> object:
    if release.origin.task is None:
        return (release.name, release.digest, release.at)
    return (release.origin.task, release.name, release.digest, release.outcome)


def _without_echoes(releases: Iterable[Release]) -> Iterator[Release]:
    """Leave out what watchers say of an image that the tag was put on by a task already.

    :param releases: of one tag, in order.
    """
    now: Digest | None = None
    for release in releases:
        if release.origin.task is not None or release.digest != now:
            yield release
        now = release.digest


def tag_states(history: Iterable[Release]) -> list[TagState]:
    """Tell what each tag names by a history, those that changed last first.

    :param history: as :func:`history_of` returns it.
    """
    tagged = [release for release in history if release.name.tag is not None]
    states = [_state(each) for each in _by_name(reversed(tagged))]
    return sorted(states, key=lambda state: state.since, reverse=True)


def _state(releases: Iterable[Release]) -> TagState:
    """Return what a tag names at the end of its releases, which are in order."""
    state: TagState | None = None
    for release in releases:
        if state is not None and release.digest == state.release.digest:
            state = TagState(state.release, state.since, release.at, state.previous)
        else:
            before = release.previous or (state.release.digest if state else None)
            state = TagState(release, release.at, release.at, before if before != release.digest else None)
    if state is None:
        raise ValueError("a tag without a release has no state")
    return state


def _by_name(releases: Iterable[Release]) -> Iterator[list[Release]]:
    groups: defaultdict[ImageReference, list[Release]] = defaultdict(list)
    for release in releases:
        groups[release.name].append(release)
    yield from groups.values()
