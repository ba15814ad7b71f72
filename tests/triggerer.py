"""A triggerer for tests: watchers, run by Airflow's own manager of shared streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from types import SimpleNamespace
from typing import Any, ParamSpec, Self

import pytest
import strategies  # noqa: F401 - its settings
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse, _new_encoder
from airflow.triggers.base import BaseEventTrigger
from local_ecr import REPOSITORY, connection

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.triggers import hooks
from ecr_provider.triggers.image_watch import EcrImageWatchTrigger
from ecr_provider.version_compat import HAS_STORED_EVENTS

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
        shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="of Airflow 3.3")
        self.streams = shared_stream.SharedStreamManager(ack_timeout=ack_timeout)
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


GONE = AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 503}))
