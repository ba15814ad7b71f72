"""Five hundred sensors that wait in a triggerer: what they cost its memory and its event loop.

Against as many tasks that only sleep, which is the floor, and against waits that make a boto3 client each. Of these a
tenth has to do, in their favour: two hundred take 1.8 GB, and half a minute to start. Each kind is measured once, in
a process of its own, against an ECR in yet another one.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.fresh import fresh
from benchmarks.local import REPOSITORY, LocalEcr, airflow_on, endpoint_url, take_calls
from benchmarks.report import Figure

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    from ecr_provider.emulator import EcrEmulator

_WAITS: Final = {"idle": 500, "ours": 500, "own client": 50}
_POKE_INTERVAL: Final = 2.0
_WINDOW: Final = 10.0
_BEAT: Final = 0.01
_WARNED_OF: Final = 0.2  # seconds, from which on Airflow logs that triggers block

_Wait = Callable[[int], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Cost:
    """What the waits of one kind cost.

    :param memory: by how much the process grew for each wait, in MB; of shared pages its part (PSS).
    :param starting: the longest time for which the event loop was blocked until all had looked once, in seconds.
    :param waiting: the same from then on, in seconds.
    :param cpu: processor time a second for each wait, in seconds.
    :param calls: API calls a minute for each wait.
    """

    memory: float
    starting: float
    waiting: float
    cpu: float
    calls: float


def measure() -> list[Figure]:
    """Measure each kind of wait."""
    idle, ours, own = (fresh(_measure, kind) for kind in _WAITS)
    floor, peer = "tasks that only sleep", "a client for each wait"
    return [
        Figure("memory for each wait", ours.memory, peer, own.memory, "MB", 0.05),
        Figure("memory for each wait", ours.memory, floor, idle.memory, "MB"),
        Figure("longest block while all start", ours.starting, peer, own.starting, "s", 1),
        Figure("longest block while all wait", ours.waiting, "what Airflow's triggerer warns of", _WARNED_OF, "s", 0.5),
        Figure("longest block while all wait", ours.waiting, floor, idle.waiting, "s"),
        Figure("longest block while all wait", ours.waiting, peer, own.waiting, "s"),
        Figure("CPU time a second, each wait", ours.cpu, peer, own.cpu, "s", 1.1),
        Figure("API calls a minute, each wait", ours.calls, "a look each poke_interval", 60 / _POKE_INTERVAL, "", 1.05),
    ]


def _measure(kind: str) -> _Cost:
    with LocalEcr() as ecr, airflow_on(ecr):
        wait = {"idle": _idle, "ours": _ours, "own client": _own_client}[kind](ecr)
        return asyncio.run(_cost(ecr, wait, _WAITS[kind], looks=kind != "idle"))


async def _cost(ecr: LocalEcr, wait: _Wait, number: int, *, looks: bool) -> _Cost:
    memory, beats = _memory(), _Heartbeat()
    heart = asyncio.create_task(beats.run())
    waits = [asyncio.create_task(wait(each)) for each in range(number)]
    with ThreadPoolExecutor(1) as asking:
        ask = partial(asyncio.get_running_loop().run_in_executor, asking)
        while looks and await ask(ecr.ask, _images_asked_for) < number:
            await asyncio.sleep(_BEAT)
            if any(task.done() for task in waits):
                break
        starting = beats.take_longest()
        await ask(ecr.ask, take_calls)
        cpu = time.process_time()
        await asyncio.sleep(_WINDOW)
        waiting, cpu = beats.take_longest(), time.process_time() - cpu
        calls = len(await ask(ecr.ask, take_calls))
    memory = _memory() - memory
    await _end([heart, *waits])
    return _Cost(memory / number, starting, waiting, cpu / _WINDOW / number, calls * 60 / _WINDOW / number)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(end, Exception):  # it had ended before, so that what was measured is not what it says
            raise end


class _Heartbeat:
    """Notes by how much the event loop is late, as the triggerer's own watchdog does."""

    def __init__(self) -> None:
        self._longest = 0.0

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            self._longest = max(self._longest, time.monotonic() - due)

    def take_longest(self) -> float:
        """Return the longest delay since this was asked last, in seconds."""
        longest, self._longest = self._longest, 0.0
        return longest


def _images_asked_for(ecr: EcrEmulator) -> int:
    return len({str(request.parameters["imageIds"]) for request in ecr.requests if "imageIds" in request.parameters})


def _memory() -> float:
    gc.collect()
    found = re.search(r"^Pss: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("this kernel does not tell how much memory a process takes")
    return int(found[1]) / 1024


# --- Kinds of waits, for an image that never comes -------------------------------------------------------------------


def _idle(_: LocalEcr) -> _Wait:
    async def wait(_: int) -> None:
        while True:  # noqa: ASYNC110 - to sleep is what is measured
            await asyncio.sleep(_POKE_INTERVAL)

    return wait


def _ours(_: LocalEcr) -> _Wait:
    from ecr_provider.triggers.gate import EcrGateTrigger

    hook = {"aws_conn_id": "aws_default", "region_name": None, "verify": None, "config": None}

    async def wait(number: int) -> None:
        trigger = EcrGateTrigger(
            gate="image",
            arguments={"image_tag": f"build-{number}"},
            hook=hook,
            repository_name=REPOSITORY,
            poke_interval=_POKE_INTERVAL,
        )
        async for event in trigger.run():
            raise RuntimeError(f"the wait ended: {event.payload}")

    return wait


def _own_client(ecr: LocalEcr) -> _Wait:
    from botocore.exceptions import ClientError

    url, log = ecr.ask(endpoint_url), logging.getLogger(__name__)

    def look(client: ECRClient, number: int) -> None:
        try:
            client.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": f"build-{number}"}])
        except ClientError as error:
            log.info("build-%s: %s", number, error)

    async def wait(number: int) -> None:
        client = await asyncio.to_thread(_new_client, url)
        while True:
            await asyncio.to_thread(look, client, number)
            await asyncio.sleep(_POKE_INTERVAL)

    return wait


def _new_client(url: str) -> ECRClient:
    from boto3.session import Session

    # A session is for one thread at a time, so each wait has its own, as it has with a hook of its own.
    session = Session("123456789012", "emulator", region_name="us-east-1")
    client: ECRClient = session.client("ecr", endpoint_url=url)
    return client
