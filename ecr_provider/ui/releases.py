"""Releases, and what they add up to: values and pure functions, of which the Releases page shows the outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from ecr_provider.ecr.put_plan import Outcome
from ecr_provider.exceptions import EcrProviderError
from ecr_provider.oci import Digest, ImageReference

#: What operators and watchers say of a tag; a sensor's ``found`` tells of no release.
_OUTCOMES: Final = frozenset(Outcome)
#: From the moment in which a tag moves to that in which its task says so.
_LONGEST_PUT: Final = timedelta(minutes=5)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


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


def history_of(reported: Iterable[Release], told: Iterable[Release] = ()) -> list[Release]:
    """Put what several sources tell into one history, the newest first.

    :param reported: what tasks store: of each task what its last try released.
    :param told: what asset events tell. They outlive a task that is cleared, so that they tell of its earlier tries,
        too; and by watchers, of what was put outside of Airflow. What says nothing new is left out.
    """
    found = set(reported)
    known: dict[object, datetime] = {}
    for release in found:
        known[_subject(release)] = min(release.at, known.get(_subject(release), release.at))
    # A task stores its report before its events are sent, so an event from before the report is an earlier try's.
    found |= {each for each in told if each.origin.task is None or each.at < known.get(_subject(each), _NEVER)}
    news = [release for each in _by_name(sorted(found, key=_order)) for release in _without_echoes(each)]
    return sorted(news, key=_order, reverse=True)


def _subject(release: Release) -> object:
    return release.origin.task, release.name


def _order(release: Release) -> tuple[object, ...]:
    # What happened at one time has an order, too, so that two looks show the same.
    origin, previous = release.origin, release.previous
    return (release.at, str(release.name), str(release.digest), str(origin), release.outcome, str(previous))


def _without_echoes(releases: Iterable[Release]) -> Iterator[Release]:
    """Leave out what watchers say of an image that a task put there, or that was seen before.

    :param releases: of one tag, in order.
    """
    news: list[Release] = []
    for release in releases:
        if release.origin.task is not None or not news or release.digest != news[-1].digest:
            news.append(release)
    for release, after in zip_longest(news, news[1:]):
        if after is None or not _is_early_echo(release, after):
            yield release


def _is_early_echo(release: Release, after: Release) -> bool:
    """Tell whether a watcher saw what a task was putting, before the task had ended and said so."""
    return (
        release.origin.task is None
        and after.origin.task is not None
        and after.outcome in (Outcome.MOVED, Outcome.CREATED)
        and release.digest == after.digest
        and after.at - release.at < _LONGEST_PUT
    )


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
            # A task that found the image there already knows of nothing else.
            known = (release.previous, state.release.digest if state else None)
            before = next((each for each in known if each not in (None, release.digest)), None)
            state = TagState(release, release.at, release.at, before)
    if state is None:
        raise ValueError("a tag without a release has no state")
    return state


def _by_name(releases: Iterable[Release]) -> Iterator[list[Release]]:
    groups: defaultdict[ImageReference, list[Release]] = defaultdict(list)
    for release in releases:
        groups[release.name].append(release)
    yield from groups.values()
