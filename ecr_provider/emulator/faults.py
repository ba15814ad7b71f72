"""Make the emulator fail on purpose: throttles, lost answers, races, lies.

A fault is told for one operation and used up by its next calls, in the order in which the faults were told;
one call meets one fault at most. Faults are met after the request was found valid.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from ecr_provider.emulator import model
from ecr_provider.emulator.rules.errors import ConnectionCutError, EcrError

Answer = dict[str, Any]
Apply = Callable[[], Answer]
"""Carry out the call and return the answer as JSON."""

Effect = Callable[[Apply], Answer]
"""What a fault does with a call: it may apply it or not, and answer what it likes."""

_MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
}


@dataclass(slots=True)
class _Fault:
    operation: str
    effect: Effect
    left: int


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[_Fault] = []

    def fail(
        self,
        operation: str,
        code: str = "ThrottlingException",
        message: str | None = None,
        times: int = 1,
        status: int | None = None,
    ) -> None:
        """Answer with an error, without applying the call."""
        text = message or _MESSAGES.get(code, f"{code}, as asked of the emulator")

        def effect(_: Apply) -> Answer:
            raise EcrError(code, text, status=status)

        self._add(operation, effect, times)

    def delay(self, operation: str, seconds: float, times: int = 1) -> None:
        """Wait (in real time), then go on."""

        def effect(apply: Apply) -> Answer:
            time.sleep(seconds)
            return apply()

        self._add(operation, effect, times)

    def cut(self, operation: str, times: int = 1) -> None:
        """Close the connection instead of applying the call."""

        def effect(_: Apply) -> Answer:
            raise ConnectionCutError

        self._add(operation, effect, times)

    def lose(self, operation: str, times: int = 1, how: Literal["500", "cut"] = "500") -> None:
        """Apply the call and lose the answer: a ``ServerException`` instead, or a closed connection."""

        def effect(apply: Apply) -> Answer:
            with suppress(EcrError):
                apply()
            if how == "cut":
                raise ConnectionCutError
            raise EcrError("ServerException", "The answer was lost, as asked of the emulator")

        self._add(operation, effect, times)

    def corrupt(self, operation: str, transform: Callable[[Answer], Answer], times: int = 1) -> None:
        """Apply the call and answer with what ``transform`` makes of the answer's JSON."""
        self._add(operation, lambda apply: transform(apply()), times)

    def before(self, operation: str, action: Callable[[], object], times: int = 1) -> None:
        """Run something before the call is applied, such as another writer's call."""

        def effect(apply: Apply) -> Answer:
            action()
            return apply()

        self._add(operation, effect, times)

    def after(self, operation: str, action: Callable[[], object], times: int = 1) -> None:
        """Run something after the call was applied, or refused, and before its answer is sent."""

        def effect(apply: Apply) -> Answer:
            try:
                return apply()
            finally:
                action()

        self._add(operation, effect, times)

    def clear(self) -> None:
        """Forget the faults that are still to come."""
        with self._lock:
            self._faults.clear()

    def take(self, operation: str) -> Effect | None:
        """Use up one fault of an operation, if there is one."""
        if not self._faults:
            return None
        with self._lock:
            fault = next((fault for fault in self._faults if fault.operation == operation), None)
            if fault is None:
                return None
            fault.left -= 1
            if not fault.left:
                self._faults.remove(fault)
            return fault.effect

    def _add(self, operation: str, effect: Effect, times: int) -> None:
        if model.operation(operation) is None:
            raise ValueError(f"Amazon ECR has no operation {operation!r}")
        if times < 1:
            raise ValueError(f"a fault happens at least once, not {times} times")
        with self._lock:
            self._faults.append(_Fault(operation, effect, times))
