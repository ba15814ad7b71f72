"""Where a watcher is, across restarts: never ahead of what is stored. Also, for the tests: a triggerer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from types import SimpleNamespace
from typing import Any, ParamSpec, Self

import pytest
import strategies  # noqa: F401 - its settings
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.triggers.base import BaseEventTrigger
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import REPOSITORY, connection

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.triggers import hooks
from ecr_provider.triggers.cursor import Cursor, Observation
from ecr_provider.triggers.image_watch import EcrImageWatchTrigger
from ecr_provider.version_compat import HAS_STORED_EVENTS, asset_stores

Build = Callable[..., SampleImage]
What = dict[str, str]
_Arguments = ParamSpec("_Arguments")

needs_stored_events = pytest.mark.skipif(not HAS_STORED_EVENTS, reason="this Airflow tells no trigger what is stored")
either_way = pytest.mark.parametrize("what", [{"image_tag": "prod"}, {"tag_pattern": "pro."}])

# --- A triggerer -----------------------------------------------------------------------------------------------


def in_a_loop(test: Callable[_Arguments, Coroutine[Any, Any, None]]) -> Callable[_Arguments, None]:
    """Run a test in an event loop of its own, and not for ever."""

    @wraps(test)
    def run(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **named), 30))

    return run


async def soon(done: Callable[[], object], seconds: float = 10) -> None:
    """Wait until this is so, and not for ever."""
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.005)


class Store:
    """What Airflow keeps with an asset, as JSON, across restarts."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.failures: list[Exception] = []

    async def aget(self, key: str, default: Any = None) -> Any:
        await self._answer()
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key: str, value: Any) -> None:
        await self._answer()
        assert value is not None  # as Airflow says
        self.kept[key] = json.dumps(value, allow_nan=False)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)


def stores_of(*stores: Store) -> Any:
    """Return what a triggerer gives to a trigger: the stores of all assets that it watches, if any."""
    return SimpleNamespace(_by_name=dict(enumerate(stores)), _by_uri={}) if stores else None


class Watcher:
    """A trigger that runs, what it told, and how it failed.

    :param stores: whether Airflow's database takes its events.
    """

    task: asyncio.Task[None]

    def __init__(self, trigger: BaseEventTrigger, *, stores: bool) -> None:
        self.trigger = trigger
        self.stores = stores
        self.key = trigger.shared_stream_key()
        self.payloads: list[Any] = []
        self.not_stored: list[int] = []

    @property
    def error(self) -> BaseException | None:
        return self.task.exception() if self.task.done() and not self.task.cancelled() else None

    def told(self, *keys: str) -> list[Any]:
        """Return one thing of each event, or several."""
        return [payload[keys[0]] if len(keys) == 1 else tuple(map(payload.get, keys)) for payload in self.payloads]


class Triggerer:
    """Runs watchers as Airflow's TriggerRunner.run_trigger does, by Airflow's own manager of shared streams.

    :param stores: whether Airflow's database takes the events; if not, ``store`` has it do so later.
    """

    def __init__(self, *, stores: bool = True, ack_timeout: float = 300) -> None:
        from airflow.sdk.execution_time.comms import _new_encoder
        from airflow.triggers.shared_stream import SharedStreamManager

        self.streams = SharedStreamManager(ack_timeout=ack_timeout)
        self.stores = stores
        self.watchers: list[Watcher] = []
        self._encode = _new_encoder().encode

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self, trigger: BaseEventTrigger, *stores: Store) -> Watcher:
        """Make a trigger as the database has it, and run it."""
        _, arguments = trigger.serialize()
        made = type(trigger)(**json.loads(json.dumps(arguments)))
        made.asset_state_store = stores_of(*stores)
        watcher = Watcher(made, stores=self.stores)
        watcher.task = asyncio.create_task(self._run(len(self.watchers), watcher))
        self.watchers.append(watcher)
        return watcher

    def store(self) -> None:
        """Store the events so far, and those to come."""
        self.stores = True
        for watcher in self.watchers:
            watcher.stores = True
            self._confirm(watcher)

    def _confirm(self, watcher: Watcher) -> None:
        self.streams.confirm_persisted(watcher.not_stored)
        watcher.not_stored.clear()

    async def stop(self) -> None:
        """Stop as a triggerer does that is told to."""
        for watcher in self.watchers:
            watcher.task.cancel()
        await asyncio.gather(*(watcher.task for watcher in self.watchers), return_exceptions=True)
        await self.streams.stop_all()

    async def _run(self, number: int, watcher: Watcher) -> None:
        stream = self.streams.subscribe(trigger_id=number, trigger=watcher.trigger, key=watcher.key)
        try:
            async for event in watcher.trigger.filter_shared_stream(stream):
                self._encode(event.model_dump())  # what cannot be encoded ends Airflow's triggerer
                sequence = self.streams.bind_pending_event(trigger_id=number, key=watcher.key)
                watcher.payloads.append(event.payload)
                watcher.not_stored += [] if sequence is None else [sequence]
                if watcher.stores:
                    asyncio.get_running_loop().call_soon(self._confirm, watcher)
        finally:
            await self.streams.unsubscribe(number, watcher.key)
            await watcher.trigger.cleanup()


# --- Watchers --------------------------------------------------------------------------------------------------


@pytest.fixture
def ecr(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[EcrEmulator]:
    """The local ECR of the connection ``aws_default``. The watchers' client is kept: it takes longest to make."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(ecr))
    arguments = {"aws_conn_id": "aws_default", "region_name": None, "verify": None, "config": None}
    hook = asyncio.run(hooks.shared_hook(arguments))
    yield ecr
    del hook
    hooks._HOOKS.clear()


def watch(**arguments: Any) -> EcrImageWatchTrigger:
    what: dict[str, Any] = {} if "tag_pattern" in arguments else {"image_tag": "prod"}
    return EcrImageWatchTrigger(**(what | {"repository_name": REPOSITORY, "poll_interval": 0.02} | arguments))


async def looked(ecr: EcrEmulator, *watchers: Watcher) -> None:
    """Wait until it was looked again, and what came of it was kept; none of the watchers may fail."""
    before = ecr.calls.count("DescribeImages")
    await soon(lambda: ecr.calls.count("DescribeImages") > before + 3 or any(each.error for each in watchers))
    assert [watcher.error for watcher in watchers] == [None] * len(watchers)


async def restarted(ecr: EcrEmulator, trigger: BaseEventTrigger, *stores: Store) -> list[Any]:
    """Run a watcher in a new triggerer; return what it tells."""
    async with Triggerer() as triggerer:
        watcher = triggerer.start(trigger, *stores)
        await looked(ecr, watcher)
        return watcher.payloads


def untag(ecr: EcrEmulator, tag: str = "prod") -> None:
    ecr.client().batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])


def put(ecr: EcrEmulator, image: SampleImage, tag: str = "prod") -> None:
    """Put a tag under an image that is there."""
    ecr.client().put_image(repositoryName=REPOSITORY, imageManifest=image.text, imageTag=tag)


# --- The cursor ------------------------------------------------------------------------------------------------

GONE = AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 503}))

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
