"""How a job waits, and when it gives up."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ecr_provider.exceptions import (
    CopyIncompleteError,
    CopyStoppedError,
    EcrProviderError,
    RegistryAccessDeniedError,
    RegistryUnavailableError,
)
from ecr_provider.patience import TRIES, Patience


def unavailable(retry_after: float | None = None) -> RegistryUnavailableError:
    error = RegistryUnavailableError("not now", operation="GET", status=503)
    error.retry_after = retry_after
    return error


class Function:
    """A function that fails with these errors, one after the other, and then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self.calls = 0
        self._errors = iter(errors)

    def __call__(self) -> str:
        self.calls += 1
        if error := next(self._errors, None):
            raise error
        return "done"


class Counted(Patience):
    """A patience that notes how long it would wait."""

    def __init__(self, *, tries: int = TRIES, first_wait: float = 0.5) -> None:
        super().__init__(tries=tries, first_wait=first_wait)
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


# --- Tries ---


def test_what_succeeds_is_called_once() -> None:
    function, patience = Function(), Counted()
    assert patience.call(function) == "done"
    assert (function.calls, patience.waits) == (1, [])


def test_what_may_succeed_later_is_called_again() -> None:
    function = Function(unavailable(), unavailable(), CopyIncompleteError("not yet", missing=()))
    assert Counted().call(function) == "done"
    assert function.calls == 4


def test_the_last_error_is_the_answer() -> None:
    errors = [unavailable() for _ in range(TRIES)]
    function = Function(*errors)
    with pytest.raises(RegistryUnavailableError) as caught:
        Counted().call(function)
    assert caught.value is errors[-1]
    assert function.calls == TRIES


@pytest.mark.parametrize(("tries", "given", "calls"), [(5, None, 5), (5, 2, 2), (1, None, 1), (5, 1, 1)])
def test_how_often(tries: int, given: int | None, calls: int) -> None:
    function = Function(*(unavailable() for _ in range(10)))
    with pytest.raises(RegistryUnavailableError):
        Counted(tries=tries).call(function, tries=given)
    assert function.calls == calls


@pytest.mark.parametrize(
    "error",
    [
        RegistryAccessDeniedError("no", operation="GET", status=403),
        EcrProviderError("no"),
        ValueError("a bug"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_other_try_can_mend_is_raised_at_once(error: BaseException) -> None:
    function = Function(error)
    with pytest.raises(type(error)) as caught:
        Counted().call(function)
    assert caught.value is error
    assert function.calls == 1


def test_calls_within_calls_do_not_multiply() -> None:
    patience, function = Counted(tries=3), Function(*(unavailable() for _ in range(100)))
    with pytest.raises(RegistryUnavailableError):
        patience.call(lambda: patience.call(lambda: patience.call(function)))
    assert function.calls == 3


def test_what_was_told_to_stop_in_between_is_not_called_again() -> None:
    patience, calls = Patience(tries=5, first_wait=0.0001), []

    def stopped() -> None:
        calls.append(1)
        patience.stop()
        patience.check()

    with pytest.raises(CopyStoppedError):
        patience.call(stopped)
    assert len(calls) == 1


def test_an_error_still_pickles_after_its_tries() -> None:
    with pytest.raises(RegistryUnavailableError) as caught:
        Counted(tries=2).call(Function(unavailable(3.0), unavailable(3.0)))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.status, copy.retry_after) == ("not now", 503, 3.0)


# --- Waits ---


def test_waits_grow_at_random_and_have_an_end() -> None:
    patience = Counted(tries=12, first_wait=0.5)
    with pytest.raises(RegistryUnavailableError):
        patience.call(Function(*(unavailable() for _ in range(12))))
    assert len(patience.waits) == 11
    for number, seconds in enumerate(patience.waits):
        assert 0 <= seconds <= min(20.0, 0.5 * 2**number)


def test_two_jobs_do_not_wait_in_step() -> None:
    waits = []
    for _ in range(2):
        patience = Counted()
        with pytest.raises(RegistryUnavailableError):
            patience.call(Function(*(unavailable() for _ in range(TRIES))))
        waits.append(patience.waits)
    assert waits[0] != waits[1]


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (3600.0, 20.0), (float("inf"), 20.0)])
def test_who_is_asked_to_wait_waits_but_not_for_ever(asked: float, waited: float) -> None:
    patience = Counted(first_wait=0.001)
    patience.call(Function(unavailable(asked)))
    assert patience.waits == [waited]


def test_who_is_asked_to_wait_for_less_waits_as_long_as_ever() -> None:
    patience = Counted(first_wait=0.5)
    patience.call(Function(unavailable(0.0), unavailable(None)))
    assert all(0 <= seconds <= 1 for seconds in patience.waits)


# --- Ends ---


def test_time_that_is_over_is_told() -> None:
    patience = Patience(-1)
    function = Function()
    with pytest.raises(CopyStoppedError, match="out of time"):
        patience.check()
    with pytest.raises(CopyStoppedError, match="execution_timeout"):
        patience.call(function)
    assert function.calls == 0


def test_no_wait_is_longer_than_there_is_time() -> None:
    began = time.monotonic()
    patience = Patience(0.05)
    with pytest.raises(CopyStoppedError):
        patience.call(Function(unavailable(10.0), unavailable(10.0)))
    assert time.monotonic() - began < 5


def test_a_job_without_an_end_goes_on() -> None:
    patience = Patience()
    patience.check()
    patience.sleep(0)


def test_a_negative_wait_is_none() -> None:
    Patience(10).sleep(-5)


def test_another_thread_may_stop_all_that_wait() -> None:
    patience = Patience(tries=1000, first_wait=10)
    waiting = threading.Barrier(5)

    def work() -> str:
        waiting.wait(10)
        return patience.call(Function(unavailable(20.0), unavailable(20.0)))

    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(work) for _ in range(4)]
        waiting.wait(10)
        patience.stop()
        for future in futures:
            with pytest.raises(CopyStoppedError, match="stopped"):
                future.result(10)
    assert time.monotonic() - began < 10


def test_what_was_stopped_does_not_begin_again() -> None:
    patience, function = Patience(), Function()
    patience.stop()
    for attempt in (patience.check, lambda: patience.sleep(0), lambda: patience.call(function)):
        with pytest.raises(CopyStoppedError):
            attempt()
    assert function.calls == 0


def test_one_patience_is_for_many_calls_at_once() -> None:
    patience = Patience(tries=3, first_wait=0.0001)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: patience.call(Function(unavailable(), unavailable())), range(50)))
    assert results == ["done"] * 50
