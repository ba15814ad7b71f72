"""What the registry does by itself: each job once, whatever becomes of the others."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from waiting import until

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.agenda import Agenda
from ecr_provider.emulator.clock import Clock
from ecr_provider.emulator.events.events import Events
from ecr_provider.emulator.registries import DEFAULT_ACCOUNT, DEFAULT_REGION, Registry
from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.operations import JOBS
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.sealing import Sealer
from ecr_provider.emulator.settings import Limits, Switches
from ecr_provider.emulator.store.store import Store


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(Store(tmp_path)) as store:
        yield State(store, Sealer(b"secret"), Clock(), Limits(), Switches(), Events(10))


@pytest.fixture
def jobs() -> Iterator[Callable[[str, Callable[[Call], dict[str, object]]], None]]:
    """Define jobs of the test's own."""
    known = set(JOBS)
    yield JOBS.__setitem__
    for name in JOBS.keys() - known:
        del JOBS[name]


def plan(state: State, *names: str) -> None:
    with state.store.transaction() as records:
        for name in names:
            records.add_job(state.clock.now(), name, Registry(DEFAULT_ACCOUNT, DEFAULT_REGION), {})


def test_a_job_that_fails_is_dropped_and_no_other(
    state: State, jobs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []

    def work(call: Call) -> dict[str, object]:
        done.append(call.operation)
        return {}

    def fail(_: Call) -> dict[str, object]:
        raise RuntimeError("on purpose")

    jobs("Good", work)
    jobs("Bad", fail)
    plan(state, "Good", "Bad", "Good", "Bad", "Good")
    Agenda(state).run_due()
    Agenda(state).run_due()
    assert done == ["Good"] * 3
    assert capsys.readouterr().err.count("RuntimeError: on purpose") == 2


def test_a_job_that_the_disk_has_no_room_for_is_tried_again(
    state: State, jobs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tries: list[str] = []

    def work(call: Call) -> dict[str, object]:
        tries.append(call.operation)
        if len(tries) == 1:
            raise sqlite3.OperationalError("database or disk is full")
        return {}

    jobs("Work", work)
    plan(state, "Work")
    agenda = Agenda(state)
    agenda.run_due()
    assert len(tries) == 1
    agenda.run_due()
    agenda.run_due()
    assert len(tries) == 2
    assert "disk is full" in capsys.readouterr().err


def test_a_clock_that_fails_once_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    broken: list[bool] = []

    def clock() -> float:
        if broken:
            broken.clear()
            raise ValueError("no time")
        return time.time()

    with EcrEmulator(clock=clock) as ecr:
        client = ecr.client()
        client.create_repository(repositoryName="shop/web")
        broken.append(True)
        until(lambda: not broken)
        assert client.describe_repositories()["repositories"]
    assert "no time" in capfd.readouterr().err


def test_the_same_job_twice_is_one(state: State, jobs: Callable[..., None]) -> None:
    """A clock that stands still gives two calls the same time."""
    done: list[str] = []

    def work(call: Call) -> dict[str, object]:
        done.append(call.operation)
        return {}

    jobs("One", work)
    jobs("Other", work)
    with state.store.transaction() as records:
        for name in ("One", "Other", "One"):
            records.add_job(0.0, name, Registry(DEFAULT_ACCOUNT, DEFAULT_REGION), {})
    Agenda(state).run_due()
    assert done == ["Other", "One"]
