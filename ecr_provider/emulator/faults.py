"""Make the emulator fail on purpose: throttles, lost answers, races, lies.

A fault is for one operation and is used up by its next calls, in the order in which the faults were added; one call
meets one fault at most. Faults are met after the request was found valid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Literal, TypedDict, Unpack, get_args

from ecr_provider.emulator import model
from ecr_provider.emulator.errors import ConnectionCutError, EcrError
from ecr_provider.emulator.journal import Endpoint
from ecr_provider.emulator.rules.call import Answer
from ecr_provider.emulator.rules.errors import throttled
from ecr_provider.emulator.serving.damage import UNHARMED, Damage

Apply = Callable[[], Answer]
"""Carry out the call and return the answer as JSON."""

Effect = Callable[[Apply], Answer]
"""What a fault does with a call: it may apply it or not, and answer what it likes."""

ANY = "*"
"""Any operation."""

_BEYOND_THE_API = frozenset({ANY, "GetObject", "MountLayer"})

_LOWEST_ERROR, _HIGHEST_ERROR = 400, 599  # of HTTP's statuses

_MESSAGES = {
    "ThrottlingException": throttled().message,
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
}


class Which(TypedDict, total=False):
    """Which calls of the operation a fault is for; the next one by default."""

    times: int
    """How many calls meet the fault; 1 by default."""
    skip: int
    """How many calls pass first; 0 by default."""
    repository_name: str
    """The only repository whose calls meet it."""
    endpoint: Endpoint
    """The only end point at which calls meet it."""


@dataclass(slots=True, eq=False)
class Fault:
    """A fault that is still to come."""

    fault: str
    """The name of the method that added it."""
    operation: str
    arguments: Mapping[str, Any]
    """What else the method was given."""
    times: int = 1
    """How many calls it is still for."""
    skip: int = 0
    """How many calls still pass first."""
    repository_name: str | None = None
    endpoint: Endpoint | None = None
    effect: Effect = field(default=lambda apply: apply(), repr=False, kw_only=True)
    damage: Damage = field(default=UNHARMED, repr=False, kw_only=True)
    """What becomes of the body of the answer."""

    def __post_init__(self) -> None:
        if self.operation not in _BEYOND_THE_API and model.operation(self.operation) is None:
            raise ValueError(f"Amazon ECR has no operation {self.operation!r}")
        if self.times < 1:
            raise ValueError(f"a fault happens at least once, not {self.times} times")
        if self.skip < 0:
            raise ValueError(f"a fault lets 0 calls pass or more, not {self.skip}")
        if self.endpoint not in (None, *get_args(Endpoint)):
            raise ValueError(f"an end point is one of {', '.join(get_args(Endpoint))}, not {self.endpoint!r}")

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
    ``*``, which is any. All faults take what ``Which`` has: ``times``, ``skip`` (let so many calls pass first),
    ``repository_name`` and ``endpoint`` ("api", "registry" or "downloads").

    Each method adds a fault, and raises ValueError if there cannot be such a one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []

    def fail(
        self,
        operation: str,
        code: str = "ThrottlingException",
        *,
        message: str | None = None,
        status: int | None = None,
        **which: Unpack[Which],
    ) -> None:
        """Answer with an error, without applying the call."""
        if status is not None and not _LOWEST_ERROR <= status <= _HIGHEST_ERROR:
            raise ValueError(f"the status of an error is {_LOWEST_ERROR} to {_HIGHEST_ERROR}, not {status}")
        text = message or _MESSAGES.get(code, f"{code}, as asked of the emulator")

        def effect(_: Apply) -> Answer:
            raise EcrError(code, text, status=status)

        arguments = {"code": code, "message": message, "status": status}
        self._add(Fault("fail", operation, arguments, effect=effect, **which))

    def delay(self, operation: str, seconds: float, **which: Unpack[Which]) -> None:
        """Wait (in real time), then go on."""
        if seconds < 0:
            raise ValueError(f"a delay is no less than 0 seconds, not {seconds}")

        def effect(apply: Apply) -> Answer:
            time.sleep(seconds)
            return apply()

        self._add(Fault("delay", operation, {"seconds": seconds}, effect=effect, **which))

    def cut(self, operation: str, *, after_bytes: int | None = None, **which: Unpack[Which]) -> None:
        """Close the connection instead of applying the call.

        With ``after_bytes``, the call is applied, and the connection is closed when so many bytes of the answer's
        body have gone out; or of the layer's, where the registry end point is receiving one.
        """
        if after_bytes is not None:
            damage = _damage("cut", after_bytes)
            self._add(Fault("cut", operation, {"after_bytes": after_bytes}, damage=damage, **which))
            return

        def effect(_: Apply) -> Answer:
            raise ConnectionCutError

        self._add(Fault("cut", operation, {}, effect=effect, **which))

    def truncate(self, operation: str, after_bytes: int, **which: Unpack[Which]) -> None:
        """Apply the call and send only so many bytes of the answer's body, with a length that says so."""
        damage = _damage("truncate", after_bytes)
        self._add(Fault("truncate", operation, {"after_bytes": after_bytes}, damage=damage, **which))

    def lose(self, operation: str, how: Literal["500", "cut"] = "500", **which: Unpack[Which]) -> None:
        """Apply the call and lose the answer: a ``ServerException`` instead, or a closed connection."""
        if how not in ("500", "cut"):
            raise ValueError(f"an answer is lost by '500' or 'cut', not by {how!r}")

        def effect(apply: Apply) -> Answer:
            with suppress(EcrError):
                apply()
            if how == "cut":
                raise ConnectionCutError
            raise EcrError("ServerException", "The answer was lost, as asked of the emulator")

        self._add(Fault("lose", operation, {"how": how}, effect=effect, **which))

    def corrupt(
        self, operation: str, transform: Callable[[Answer], Answer] | None = None, **which: Unpack[Which]
    ) -> None:
        """Apply the call and answer with what ``transform`` makes of the answer's JSON.

        Without it, flip one bit in the middle of the body, as it is sent: of a layer's bytes, for example.
        """
        if transform is None:
            self._add(Fault("corrupt", operation, {}, damage=Damage("corrupt"), **which))
            return
        if operation == "GetObject":
            raise ValueError("a download is no JSON that could be transformed: leave the transform out")
        arguments = {"transform": transform}
        self._add(Fault("corrupt", operation, arguments, effect=lambda apply: transform(apply()), **which))

    def before(self, operation: str, action: Callable[[], object], **which: Unpack[Which]) -> None:
        """Run something before the call is applied, such as another writer's call."""

        def effect(apply: Apply) -> Answer:
            action()
            return apply()

        self._add(Fault("before", operation, {"action": action}, effect=effect, **which))

    def after(self, operation: str, action: Callable[[], object], **which: Unpack[Which]) -> None:
        """Run something after the call was applied, or refused, and before its answer is sent."""

        def effect(apply: Apply) -> Answer:
            try:
                return apply()
            finally:
                action()

        self._add(Fault("after", operation, {"action": action}, effect=effect, **which))

    # --- What is still to come ---

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that were not met yet, or not as often as they were to be."""
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
        with self._lock:
            self._faults.append(fault)


def _damage(kind: Literal["cut", "truncate"], after_bytes: int) -> Damage:
    if after_bytes < 0:
        raise ValueError(f"a body passes for 0 bytes or more, not for {after_bytes}")
    return Damage(kind, after_bytes)
