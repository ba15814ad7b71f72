"""Where a watcher is, across restarts: never ahead of what is stored."""

from __future__ import annotations

from typing import Any

import pytest
import strategies  # noqa: F401 - its settings
from airflow.sdk import Asset
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import REPOSITORY
from triggerer import (
    GONE,
    Build,
    Store,
    Triggerer,
    What,
    ecr,
    either_way,
    in_a_loop,
    looked,
    needs_stored_events,
    put,
    restarted,
    soon,
    stores_of,
    untag,
    watch,
)

from ecr_provider.emulator import EcrEmulator
from ecr_provider.triggers.cursor import Cursor, Observation
from ecr_provider.triggers.image_watch import EcrImageWatchTrigger
from ecr_provider.version_compat import asset_stores

__all__ = ["ecr"]

pytestmark = needs_stored_events


def cursor_of(*stores: Store) -> Cursor:
    trigger = watch()
    trigger.asset_state_store = stores_of(*stores)
    return Cursor(trigger, "place", {})


def observed(*, is_stored: bool = True) -> Observation:
    (observation := Observation()).is_stored = is_stored
    return observation


async def keep(place: Any, *stores: Store) -> None:
    cursor = cursor_of(*stores)
    cursor.move(place, observed())
    await cursor.keep()


@pytest.mark.parametrize("place", [{}, [], 7, {"at": [1, None]}])
@in_a_loop
async def test_a_place_is_what_was_kept_and_none_is_none(place: Any) -> None:
    store = Store()
    await keep(place)  # without a store
    await keep(place, store)
    assert await cursor_of(Store()).load() is await cursor_of().load() is None
    assert await cursor_of(store).load() == await cursor_of(Store(), store).load() == place


@in_a_loop
async def test_all_assets_keep_the_place_and_one_that_is_new_too() -> None:
    stores = [Store(), Store()]
    await keep(8, *stores)
    cursor = cursor_of(new := Store(), *stores)
    cursor.move(await cursor.load(), observed())
    await cursor.keep()
    assert [list(store.kept.values()) for store in (new, *stores)] == [["8"]] * 3


@in_a_loop
async def test_a_place_that_cannot_be_kept_is_kept_later() -> None:
    cursor = cursor_of(store := Store())
    cursor.move(1, observed())
    store.failures = [GONE]
    await cursor.keep()
    assert store.kept == {}
    await cursor.keep()
    assert list(store.kept.values()) == ["1"]


def test_without_a_store_nothing_piles_up() -> None:
    cursor = cursor_of()
    cursor.move({"at": 1}, observed())
    assert cursor._moves == []


@in_a_loop
async def test_a_place_that_is_the_same_is_written_once() -> None:
    cursor = cursor_of(store := Store())
    for place, is_written in ((1, True), (1, False), (2, True), (2, False), (1, True)):
        store.kept.clear()
        cursor.move(place, observed())
        await cursor.keep()
        assert bool(store.kept) == is_written


@given(st.lists(st.lists(st.booleans(), max_size=4), max_size=6))
@in_a_loop
async def test_the_place_is_that_of_the_last_observation_that_is_stored(rounds: list[list[bool]]) -> None:
    store, places = Store(), list[Observation]()
    cursor = cursor_of(store)
    for each in rounds:
        for is_stored in each:
            places.append(observed(is_stored=is_stored))
            cursor.move(len(places), places[-1])
        await cursor.keep()
        last = max((number for number, place in enumerate(places, 1) if place.is_stored), default=None)
        assert list(store.kept.values()) == ([] if last is None else [str(last)])
        assert len(cursor._moves) == len(places) - (last or 0)
        for place in places[1::2]:  # some of what was not stored is so, later
            place.is_stored = True


@pytest.mark.parametrize(
    ("acked", "failed", "rejected", "is_stored"),
    [(1, 0, 0, True), (3, 0, 0, True), (2, 1, 0, False), (2, 0, 1, False), (0, 0, 0, False)],
)
@in_a_loop
async def test_stored_is_what_every_watcher_accepted(acked: int, failed: int, rejected: int, is_stored: bool) -> None:
    from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

    before, observation = Observation(), Observation()
    outcomes = [(before, AdvanceOutcome(1, 0)), (observation, AdvanceOutcome(acked, failed, rejected))]
    producer = EcrImageWatchTrigger.create_shared_stream_producer(watch().serialize()[1])
    await producer.advance([AdvanceItem(*outcome) for outcome in outcomes])
    assert (before.is_stored, observation.is_stored) == (True, is_stored)


def test_all_assets_of_a_trigger_have_a_store() -> None:
    from airflow.sdk.definitions.asset import AssetUriRef
    from airflow.sdk.execution_time.context import AssetStateStoreAccessor, AssetStateStoreAccessors

    trigger = watch()
    assert asset_stores(trigger) == []
    trigger.asset_state_store = AssetStateStoreAccessors(inlets=[Asset("a"), Asset("b"), AssetUriRef("x://c")])
    expected = [AssetStateStoreAccessor(name="a"), AssetStateStoreAccessor(name="b")]
    assert asset_stores(trigger) == [*expected, AssetStateStoreAccessor(uri="x://c")]


# --- Across restarts -------------------------------------------------------------------------------------------


class TestRestart:
    """A watcher whose triggerer restarts."""

    @in_a_loop
    async def test_what_happens_meanwhile_is_told_once(self, ecr: EcrEmulator, build: Build) -> None:
        store = Store()
        assert await restarted(ecr, watch(), store) == []
        images = [build("first", "prod"), build("old")]
        (event,) = await restarted(ecr, watch(), store)
        assert (event["outcome"], event["imageDigest"]) == ("created", images[0].digest)
        assert await restarted(ecr, watch(), store) == []
        put(ecr, images[1])
        (event,) = await restarted(ecr, watch(), store)
        assert (event["outcome"], event["imageDigest"]) == ("moved", images[1].digest)
        assert await restarted(ecr, watch(), store) == []

    @in_a_loop
    async def test_a_tag_that_is_gone_is_remembered(self, ecr: EcrEmulator, build: Build) -> None:
        image, store = build("first", "prod", "v1"), Store()
        for change in (untag, lambda ecr: put(ecr, image), lambda _: None):
            assert await restarted(ecr, watch(), store) == []
            change(ecr)
        assert await restarted(ecr, watch(), store) == []

    @either_way
    @in_a_loop
    async def test_an_event_that_was_not_stored_comes_again(self, ecr: EcrEmulator, build: Build, what: What) -> None:
        build("first", "prod")
        store = Store()
        await restarted(ecr, watch(**what), store)
        kept = dict(store.kept)
        async with Triggerer(stores=False) as triggerer:
            watcher = triggerer.start(watch(**what), store)
            second = build("second", "prod")
            await soon(lambda: watcher.payloads)
            await looked(ecr)
            assert store.kept == kept
        (event,) = await restarted(ecr, watch(**what), store)
        assert event["imageDigest"] == second.digest
        assert await restarted(ecr, watch(**what), store) == []

    @in_a_loop
    async def test_who_waits_in_vain_for_the_database_tells_it_again(self, ecr: EcrEmulator, build: Build) -> None:
        store = Store()
        await restarted(ecr, watch(), store)
        image = build("first", "prod")
        async with Triggerer(stores=False, ack_timeout=0.2) as triggerer:
            watcher = triggerer.start(watch(), store)
            await soon(lambda: type(watcher.error).__name__ == "AckTimeout")
            triggerer.store()
            again = triggerer.start(watch(), store)
            await soon(lambda: again.payloads)
        assert watcher.told("imageDigest") == again.told("imageDigest") == [image.digest]

    @in_a_loop
    async def test_the_watchers_of_one_asset_keep_a_place_each(self, ecr: EcrEmulator, build: Build) -> None:
        store = Store()
        for tag in ("prod", "staging", "v1"):
            build(tag, tag)
        watched: list[What] = [{}, {"image_tag": "v1"}, {"tag_pattern": "v.*"}, {"tag_pattern": "p.*"}]
        for _ in range(2):
            async with Triggerer() as triggerer:
                watchers = [triggerer.start(watch(**what), store) for what in watched]
                await looked(ecr, *watchers)
            assert [watcher.payloads for watcher in watchers] == [[]] * len(watched)

    @pytest.mark.parametrize("other", [{"image_tag": "v1"}, {"tag_pattern": ".*"}, {"repository_name": "shop/api"}])
    @in_a_loop
    async def test_who_watches_something_else_now_starts_anew(
        self, ecr: EcrEmulator, build: Build, other: What
    ) -> None:
        ecr.client().create_repository(repositoryName="shop/api")
        store = Store()
        for name, tag, repository in (("a", "prod", REPOSITORY), ("b", "v1", REPOSITORY), ("c", "prod", "shop/api")):
            build(name, tag, repository_name=repository)
        assert [await restarted(ecr, watch(**what), store) for what in ({}, other, {})] == [[], [], []]
