"""What reports add up to: pure functions, so laws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values, references, sha256_digests

from ecr_provider.ecr.put_plan import Outcome
from ecr_provider.ecr.report import ImageReport
from ecr_provider.oci import Digest, ImageReference
from ecr_provider.ui.releases import (
    Origin,
    Release,
    TagState,
    TaskKey,
    history_of,
    image_of,
    releases_in,
    tag_states,
)

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PROD = ImageReference(HOST, "shop/web", "prod")
OLD, NEW, OTHER = (Digest.of(name) for name in (b"old", b"new", b"other"))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROMOTE = TaskKey("promote", "run-1", "put")
ROLLBACK = TaskKey("rollback", "run-1", "put")
OUTSIDE = Origin()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def release(
    digest: Digest,
    seconds: float,
    task: TaskKey | None = PROMOTE,
    outcome: Outcome = Outcome.MOVED,
    previous: Digest | None = None,
    name: ImageReference = PROD,
) -> Release:
    return Release(name, digest, outcome, previous, at(seconds), Origin(task))


def seen(digest: Digest, seconds: float, previous: Digest | None = None) -> Release:
    return release(digest, seconds, None, Outcome.MOVED, previous)


def the_state(history: Sequence[Release]) -> TagState:
    (state,) = tag_states(history)
    return state


# --- Reading reports -------------------------------------------------------------------------------------------------


def report(**members: Any) -> dict[str, Any]:
    told: ImageReport = {
        "imageDigest": str(NEW),
        "imageTag": "prod",
        "imageTags": ["prod", "v1"],
        "registryId": "123456789012",
        "repositoryName": "shop/web",
        "imageUri": f"{HOST}/shop/web@{NEW}",
        "imageManifestMediaType": None,
        "outcome": "moved",
        "previousImageDigest": str(OLD),
        "tags": [
            {"imageTag": "prod", "outcome": "moved", "previousImageDigest": str(OLD)},
            {"imageTag": "v1", "outcome": "created", "previousImageDigest": None},
        ],
    }
    return {**told, **members}


def test_a_report_of_several_tags_is_a_release_of_each() -> None:
    prod, v1 = releases_in(report(), NOON, Origin(PROMOTE))
    assert prod == Release(PROD, NEW, Outcome.MOVED, OLD, NOON, Origin(PROMOTE))
    assert v1 == Release(PROD.with_tag("v1"), NEW, Outcome.CREATED, None, NOON, Origin(PROMOTE))
    assert prod.image_uri == f"{HOST}/shop/web@{NEW}"


def test_an_image_that_is_put_by_digest_only_has_no_tag() -> None:
    (found,) = releases_in(report(imageTag=None, imageTags=[], tags=[], outcome="created"), NOON, Origin(PROMOTE))
    assert (found.name.tag, found.digest, found.outcome) == (None, NEW, Outcome.CREATED)


def test_the_report_of_one_tag_is_one_release() -> None:
    told = {key: value for key, value in report().items() if key not in ("tags", "imageTags")}
    (found,) = releases_in(told, NOON, OUTSIDE)
    assert (found.name, found.previous) == (PROD, OLD)


@pytest.mark.parametrize("outcome", ["found", "passed", "failed", "", None, 1, [], {}])
def test_what_a_sensor_or_somebody_else_says_is_no_release(outcome: object) -> None:
    told = {**report(outcome=outcome), "tags": []}
    assert list(releases_in(told, NOON, Origin(PROMOTE))) == []


def test_one_tag_that_cannot_be_read_does_not_hide_the_others() -> None:
    tags = [{"imageTag": "../prod", "outcome": "moved"}, {"imageTag": "v1", "outcome": "moved"}, "prod", None]
    (found,) = releases_in(report(tags=tags), NOON, Origin(PROMOTE))
    assert found.name.tag == "v1"


_KEYS = ("imageDigest", "imageTag", "imageUri", "outcome", "previousImageDigest", "tags")
_PLAUSIBLE = st.sampled_from(["moved", "created", "prod", str(NEW), f"{HOST}/shop/web@{NEW}", f"{HOST}/shop/web"])


@given(
    json_values()
    | st.dictionaries(st.sampled_from(_KEYS), json_values() | _PLAUSIBLE)
    | st.builds(lambda key, value: report(**{key: value}), st.sampled_from(_KEYS), json_values() | _PLAUSIBLE)
    | st.builds(
        lambda tags: report(tags=tags),
        st.lists(st.dictionaries(st.sampled_from(_KEYS), json_values() | _PLAUSIBLE) | json_values()),
    )
)
def test_whatever_somebody_stores_is_read_or_left_out(told: Any) -> None:
    for found in releases_in(told, NOON, OUTSIDE):
        assert found.image_uri.endswith(f"@{found.digest}")
    image = image_of(told)
    assert image is None or image.digest is not None


def test_the_image_of_a_report_is_pinned() -> None:
    assert image_of(report()) == ImageReference(HOST, "shop/web", digest=NEW)
    assert image_of(report(imageUri=f"{HOST}/shop/web:prod")) is None


# --- One history of several sources ----------------------------------------------------------------------------------


def test_a_tasks_event_tells_nothing_that_its_report_does_not() -> None:
    reported, told = release(NEW, 0, previous=OLD), release(NEW, 1, previous=OLD)
    assert history_of([reported], [told]) == [reported]


def test_the_event_of_a_task_that_was_cleared_stays() -> None:
    first = release(NEW, 1, previous=OLD)
    again = release(NEW, 60, outcome=Outcome.UNCHANGED, previous=NEW)
    assert history_of([again], [first]) == [again, first]
    assert the_state(history_of([again], [first])).since == first.at


def test_a_task_that_is_cleared_to_put_its_image_again_has_released_it_again() -> None:
    """Its first event and its second report differ in nothing but the time, and the tag was elsewhere in between."""
    first, first_told = release(NEW, 0, previous=OLD), release(NEW, 1, previous=OLD)
    back = release(OLD, 60, ROLLBACK, previous=NEW)
    again, again_told = release(NEW, 120, previous=OLD), release(NEW, 121, previous=OLD)
    assert history_of([first, back], [first_told]) == [back, first]
    history = history_of([back, again], [first_told, again_told])
    assert history == [again, back, first_told]
    assert the_state(history).release == again


def test_the_event_of_one_tag_says_nothing_of_another_one() -> None:
    prod, v1 = release(NEW, 0), release(NEW, 1, name=PROD.with_tag("v1"))
    assert history_of([prod], [v1]) == [v1, prod]


def test_what_a_watcher_saw_of_a_tasks_release_is_left_out() -> None:
    put = release(NEW, 0, previous=OLD)
    assert history_of([put], [seen(NEW, 30, OLD)]) == [put]


def test_a_watcher_may_see_a_release_before_its_task_has_ended() -> None:
    put, echo = release(NEW, 2, previous=OLD), seen(NEW, 1, OLD)
    assert history_of([put], [echo]) == [put]
    assert the_state(history_of([put], [echo])).release == put


def test_a_task_that_found_the_tag_where_somebody_else_put_it_did_not_put_it() -> None:
    outside, found = seen(NEW, 1, OLD), release(NEW, 2, outcome=Outcome.UNCHANGED, previous=NEW)
    assert history_of([found], [outside]) == [found, outside]
    assert the_state(history_of([found], [outside])).release == outside


def test_an_image_that_was_put_outside_long_before_is_no_echo() -> None:
    outside, gone = seen(NEW, 0, OLD), seen(OTHER, 7200, NEW)
    put = release(NEW, 14400, previous=OTHER)
    assert history_of([put], [outside, gone]) == [put, gone, outside]
    assert history_of([put], [outside]) == [put, outside]


_TASKS = st.sampled_from([PROMOTE, ROLLBACK, None])
_NAMES = st.sampled_from([PROD, PROD.with_tag("v1"), ImageReference(HOST, "shop/web")])
_DIGESTS = st.sampled_from([OLD, NEW, OTHER])
_RELEASES = st.builds(
    release,
    _DIGESTS,
    st.integers(0, 20),
    _TASKS,
    st.sampled_from(list(Outcome)),
    st.none() | _DIGESTS,
    _NAMES,
)
_HISTORIES = st.tuples(st.lists(_RELEASES, max_size=8), st.lists(_RELEASES, max_size=8))


@given(_HISTORIES, st.randoms())
def test_the_order_in_which_sources_are_read_and_what_they_tell_twice_make_no_difference(
    sources: tuple[list[Release], list[Release]], chance: Any
) -> None:
    mixed = [[*source, *source[: len(source) // 2]] for source in sources]
    for source in mixed:
        chance.shuffle(source)
    assert history_of(*mixed) == history_of(*sources)


@given(_HISTORIES)
def test_a_history_is_its_own_history(sources: tuple[list[Release], list[Release]]) -> None:
    history = history_of(*sources)
    assert history_of(history) == history
    assert history_of(history, sources[1]) == history


@given(_HISTORIES)
def test_what_tasks_report_is_never_left_out(sources: tuple[list[Release], list[Release]]) -> None:
    history = history_of(*sources)
    assert {each for each in sources[0] if each.origin.task} <= set(history)
    assert set(history) <= {*sources[0], *sources[1]}
    assert [each.at for each in history] == sorted((each.at for each in history), reverse=True)


# --- What tags name --------------------------------------------------------------------------------------------------


def test_a_tag_is_since_its_first_release_and_confirmed_at_its_last() -> None:
    put = release(NEW, 0, previous=OLD)
    found = release(NEW, 60, ROLLBACK, Outcome.UNCHANGED, previous=NEW)
    assert the_state(history_of([put, found])) == TagState(put, at(0), at(60), OLD)


def test_what_nobody_says_was_before_is_what_was_known_before() -> None:
    history = history_of([release(OLD, 0), release(NEW, 60, ROLLBACK, Outcome.RESTORED, previous=NEW)])
    assert the_state(history).previous == OLD


def test_a_tag_that_always_named_its_image_had_none_before() -> None:
    assert the_state([release(NEW, 0, outcome=Outcome.UNCHANGED, previous=NEW)]).previous is None


def test_an_image_without_a_tag_is_no_state() -> None:
    assert tag_states([release(NEW, 0, name=ImageReference(HOST, "shop/web"))]) == []


@given(_HISTORIES)
def test_a_tag_names_the_image_of_its_last_release(sources: tuple[list[Release], list[Release]]) -> None:
    history = history_of(*sources)
    states = tag_states(history)
    assert {state.release.name for state in states} == {each.name for each in history if each.name.tag}
    assert [state.since for state in states] == sorted((state.since for state in states), reverse=True)
    for state in states:
        own = [each for each in history if each.name == state.release.name]
        assert state.release.digest == own[0].digest
        assert state.release.at == state.since <= state.confirmed_at == own[0].at
        assert state.previous != state.release.digest


@given(_HISTORIES, st.integers(1, 100))
def test_the_echo_of_a_watcher_changes_no_state(sources: tuple[list[Release], list[Release]], seconds: int) -> None:
    states = tag_states(history_of(*sources))
    echoes = [
        Release(
            each.release.name,
            each.release.digest,
            Outcome.MOVED,
            None,
            each.confirmed_at + timedelta(seconds=seconds),
            OUTSIDE,
        )
        for each in states
    ]
    assert tag_states(history_of(sources[0], [*sources[1], *echoes])) == states


@given(references(), sha256_digests())
def test_a_state_is_of_one_tag_of_one_repository_of_one_registry(name: ImageReference, digest: Digest) -> None:
    elsewhere = ImageReference("210987654321.dkr.ecr.us-east-1.amazonaws.com", name.repository, name.tag)
    history = history_of([release(digest, 0, name=ImageReference(name.registry, name.repository, name.tag))])
    both = history_of([*history, release(NEW, 1, name=elsewhere)])
    assert len(tag_states(both)) == (0 if name.tag is None else len({name.registry, elsewhere.registry}))
