"""Make the emulator fail on purpose: throttles, lost answers, races, lies.

A fault is told for one operation and used up by its next calls, in the order in which the faults were told;
one call meets one fault at most. Faults are met after the request was found valid.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Literal, TypedDict, Unpack, get_args

from ecr_provider.emulator import model
from ecr_provider.emulator.errors import ConnectionCutError, EcrError
from ecr_provider.emulator.journal import Endpoint
from ecr_provider.emulator.serving.damage import Damage

Answer = dict[str, Any]
Apply = Callable[[], Answer]
"""Carry out the call and return the answer as JSON."""

Effect = Callable[[Apply], Answer]
"""What a fault does with a call: it may apply it or not, and answer what it likes."""

ANY = "*"
"""Any operation."""

_BEYOND_THE_API = frozenset({ANY, "GetObject", "MountLayer"})

_LOWEST_ERROR, _HIGHEST_ERROR = 400, 599  # of HTTP's statuses

_MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
}


class Which(TypedDict, total=False):
    """Which calls of the operation a fault is for; all of them by default."""

    skip: int
    """Let so many pass first."""
    repository_name: str
    endpoint: Endpoint


@dataclass(slots=True, eq=False)
class Fault:
    """A fault that is still to come, in the words it was told in."""

    fault: str
    operation: str
    times: int = 1
    """How many calls it is still for."""
    skip: int = 0
    """How many calls still pass first."""
    repository_name: str | None = None
    endpoint: Endpoint | None = None
    effect: Effect = field(default=lambda apply: apply(), repr=False)
    damage: Damage | None = field(default=None, repr=False)
    """What becomes of the body of the answer."""

    def concerns(self, operation: str, repository_name: str | None, endpoint: Endpoint) -> bool:
        """Tell whether such a call is one that the fault is for."""
        return (
            self.operation in (ANY, operation)
            and self.repository_name in (None, repository_name)
            and self.endpoint in (None, endpoint)
        )

    def lets_pass(self) -> bool:
        """Tell whether to let one more call pass, and count it."""
        if not self.skip:
            return False
        self.skip -= 1
        return True


class Faults:
    """The faults that are still to come.

    An operation is one of ECR's API, whichever end point it is called by; ``GetObject``, which is S3's word for
    the download of a layer; ``MountLayer``, which is CloudTrail's for what only the registry end point does; or
    ``*``, which is any. ``times`` says how many calls meet the fault. All faults also take ``skip`` (let so many
    calls pass first), ``repository_name`` and ``endpoint`` ("api", "registry" or "downloads").
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []

    def fail(
        self,
        operation: str,
        code: str = "ThrottlingException",
        message: str | None = None,
        times: int = 1,
        status: int | None = None,
        **which: Unpack[Which],
    ) -> None:
        """Answer with an error, without applying the call."""
        if status is not None and not _LOWEST_ERROR <= status <= _HIGHEST_ERROR:
            raise ValueError(f"the status of an error is {_LOWEST_ERROR} to {_HIGHEST_ERROR}, not {status}")
        text = message or _MESSAGES.get(code, f"{code}, as asked of the emulator")

        def effect(_: Apply) -> Answer:
            raise EcrError(code, text, status=status)

        self._add(Fault("fail", operation, times, effect=effect, **which))

    def delay(self, operation: str, seconds: float, times: int = 1, **which: Unpack[Which]) -> None:
        """Wait (in real time), then go on."""
        if seconds < 0:
            raise ValueError(f"a delay is no less than 0 seconds, not {seconds}")

        def effect(apply: Apply) -> Answer:
            time.sleep(seconds)
            return apply()

        self._add(Fault("delay", operation, times, effect=effect, **which))

    def cut(self, operation: str, times: int = 1, *, after_bytes: int | None = None, **which: Unpack[Which]) -> None:
        """Close the connection instead of applying the call.

        With ``after_bytes``, the call is applied, and the connection is closed when so many bytes of the answer's
        body have gone out; or of the layer's, where the registry end point is receiving one.
        """
        if after_bytes is not None:
            self._add(Fault("cut", operation, times, damage=_damage("cut", after_bytes), **which))
            return

        def effect(_: Apply) -> Answer:
            raise ConnectionCutError

        self._add(Fault("cut", operation, times, effect=effect, **which))

    def truncate(self, operation: str, after_bytes: int, times: int = 1, **which: Unpack[Which]) -> None:
        """Apply the call and send only so many bytes of the answer's body, with a length that says so."""
        self._add(Fault("truncate", operation, times, damage=_damage("truncate", after_bytes), **which))

    def lose(self, operation: str, times: int = 1, how: Literal["500", "cut"] = "500", **which: Unpack[Which]) -> None:
        """Apply the call and lose the answer: a ``ServerException`` instead, or a closed connection."""
        if how not in ("500", "cut"):
            raise ValueError(f"an answer is lost by '500' or 'cut', not by {how!r}")

        def effect(apply: Apply) -> Answer:
            with suppress(EcrError):
                apply()
            if how == "cut":
                raise ConnectionCutError
            raise EcrError("ServerException", "The answer was lost, as asked of the emulator")

        self._add(Fault("lose", operation, times, effect=effect, **which))

    def corrupt(
        self,
        operation: str,
        transform: Callable[[Answer], Answer] | None = None,
        times: int = 1,
        **which: Unpack[Which],
    ) -> None:
        """Apply the call and answer with what ``transform`` makes of the answer's JSON.

        Without it, flip one bit in the middle of the body, as it is sent: of a layer's bytes, for example.
        """
        if transform is None:
            self._add(Fault("corrupt", operation, times, damage=Damage("corrupt"), **which))
            return
        if operation == "GetObject":
            raise ValueError("a download is no JSON that could be transformed: leave the transform out")
        self._add(Fault("corrupt", operation, times, effect=lambda apply: transform(apply()), **which))

    def before(self, operation: str, action: Callable[[], object], times: int = 1, **which: Unpack[Which]) -> None:
        """Run something before the call is applied, such as another writer's call."""

        def effect(apply: Apply) -> Answer:
            action()
            return apply()

        self._add(Fault("before", operation, times, effect=effect, **which))

    def after(self, operation: str, action: Callable[[], object], times: int = 1, **which: Unpack[Which]) -> None:
        """Run something after the call was applied, or refused, and before its answer is sent."""

        def effect(apply: Apply) -> Answer:
            try:
                return apply()
            finally:
                action()

        self._add(Fault("after", operation, times, effect=effect, **which))

    # --- What is still to come ---

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that were not met yet, or not as often as they were told."""
        with self._lock:
            return tuple(replace(fault) for fault in self._faults)

    def clear(self) -> None:
        """Forget the faults that are still to come."""
        with self._lock:
            self._faults.clear()

    def take(self, operation: str, repository_name: str | None, endpoint: Endpoint) -> Fault | None:
        """Use up one fault for such a call, if there is one."""
        if not self._faults:
            return None
        with self._lock:
            concerned = (f for f in self._faults if f.concerns(operation, repository_name, endpoint))
            fault = next((fault for fault in concerned if not fault.lets_pass()), None)
            if fault is None:
                return None
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
            return fault

    def _add(self, fault: Fault) -> None:
        if fault.operation not in _BEYOND_THE_API and model.operation(fault.operation) is None:
            raise ValueError(f"Amazon ECR has no operation {fault.operation!r}")
        if fault.times < 1:
            raise ValueError(f"a fault happens at least once, not {fault.times} times")
        if fault.skip < 0:
            raise ValueError(f"a fault lets 0 calls pass or more, not {fault.skip}")
        if fault.endpoint not in (None, *get_args(Endpoint)):
            raise ValueError(f"an end point is one of {', '.join(get_args(Endpoint))}, not {fault.endpoint!r}")
        with self._lock:
            self._faults.append(fault)


def _damage(kind: Literal["cut", "truncate"], after_bytes: int) -> Damage:
    if after_bytes < 0:
        raise ValueError(f"a body passes for 0 bytes or more, not for {after_bytes}")
    return Damage(kind, after_bytes)
