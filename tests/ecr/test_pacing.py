"""Keeping to a rate, on a clock that a test moves."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import pytest
import strategies  # noqa: F401 - no deadlines
from hypothesis import given
from hypothesis import strategies as st

from ecr_provider.ecr import pacing
from ecr_provider.ecr.pacing import Pace, pace_of
from ecr_provider.exceptions import CopyStoppedError
from ecr_provider.patience import Patience

RATE = 16.0
BURST = 12  # calls: 0.8 seconds' worth
FIRST_WAIT = (BURST + 1) / RATE - 0.8  # seconds
LITTLE = 1e-6  # seconds, and calls


class Clock:
    """The time, which passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing, "time", made)
    return made


def departures(pace: Pace, clock: Clock, pauses: Sequence[float]) -> list[float]:
    """Make a call after each of these pauses; return when each went out."""
    left = []
    for pause in pauses:
        clock.now += pause
        pace.wait(clock.sleep)
        left.append(clock.now)
    return left


def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate(clock: Clock) -> None:
    left = departures(Pace(RATE), clock, [0.0] * 30)
    assert left[:BURST] == [1000.0] * BURST
    assert left[BURST:] == pytest.approx([1000.0 + FIRST_WAIT + each / RATE for each in range(30 - BURST)])


def test_after_the_burst_no_second_has_more_calls_than_the_rate(clock: Clock) -> None:
    left = departures(Pace(RATE), clock, [0.0] * 50)[BURST:]
    assert {sum(start <= each < start + 1 - LITTLE for each in left) for start in left[: -int(RATE)]} == {RATE}


def test_a_pause_allows_another_burst_and_no_larger_one(clock: Clock) -> None:
    pace = Pace(RATE)
    departures(pace, clock, [0.0] * 20)
    clock.now += 3600
    clock.slept.clear()
    departures(pace, clock, [0.0] * (BURST + 2))
    assert clock.slept == pytest.approx([FIRST_WAIT, 1 / RATE])


def test_who_calls_slowly_never_waits(clock: Clock) -> None:
    departures(Pace(RATE), clock, [1 / RATE + LITTLE] * 50)
    assert clock.slept == []


_pauses = st.lists(st.floats(0, 3) | st.just(0.0), max_size=60)


@given(st.sampled_from([2.0, 3.0, 10.0, 100.0]), _pauses)
def test_no_span_of_time_has_more_calls_than_the_rate_and_the_burst(rate: float, pauses: list[float]) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pacing, "time", clock)
        left = departures(Pace(rate), clock, pauses)
    for (first, began), (last, ended) in combinations(enumerate(left), 2):
        assert last - first + 1 <= rate * (0.8 + ended - began) + LITTLE


@given(st.sampled_from([2.0, 3.0, 10.0, 100.0]), _pauses)
def test_nobody_waits_longer_than_for_the_calls_before(rate: float, pauses: list[float]) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pacing, "time", clock)
        departures(Pace(rate), clock, pauses)
    assert max(clock.slept, default=0) <= 1 / rate + LITTLE  # one caller alone has but its own last call before it


@pytest.mark.usefixtures("clock")
def test_threads_get_a_turn_each() -> None:
    pace, waits, count = Pace(RATE), list[float](), 40
    barrier = threading.Barrier(count)

    def call() -> None:
        barrier.wait()
        pace.wait(waits.append)  # the clock stands still, so each wait is as long as its turn is away

    with ThreadPoolExecutor(count) as threads:
        for done in [threads.submit(call) for _ in range(count)]:
            done.result()
    assert sorted(waits) == pytest.approx([FIRST_WAIT + each / RATE for each in range(count - BURST)])


def test_a_wait_does_not_hold_up_who_asks_for_a_turn(clock: Clock) -> None:
    pace, waits = Pace(RATE), list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            pace.wait(sleep)  # would never end if a sleeper kept the others out

    for _ in range(BURST + 1):
        pace.wait(sleep)
    assert waits == pytest.approx([FIRST_WAIT, FIRST_WAIT + 1 / RATE])
    assert clock.slept == []


@pytest.mark.usefixtures("clock")
def test_a_wait_ends_when_the_job_does() -> None:
    pace, patience = Pace(RATE), Patience()
    patience.stop()
    for _ in range(BURST):
        pace.wait(patience.sleep)
    with pytest.raises(CopyStoppedError):
        pace.wait(patience.sleep)


# --- Which pace ------------------------------------------------------------------------------------------------------


def test_all_callers_in_a_registry_share_a_pace() -> None:
    shared = pace_of("PutImage", "123456789012 us-east-1")
    assert pace_of("PutImage", "123456789012 us-east-1") is shared
    assert pace_of("PutImage", "123456789012 eu-west-1") is not shared
    assert pace_of("PutImage", "999999999999 us-east-1") is not shared
    assert pace_of("InitiateLayerUpload", "123456789012 us-east-1") is not shared


# https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
@pytest.mark.parametrize(("operation", "rate"), [("PutImage", 10), ("InitiateLayerUpload", 100)])
def test_the_paces_are_those_of_ecr_s_quotas(clock: Clock, operation: str, rate: int) -> None:
    left = departures(pace_of(operation, "a test's own"), clock, [0.0] * (3 * rate))
    assert left[-1] - left[0] == pytest.approx(3 - 0.8)
