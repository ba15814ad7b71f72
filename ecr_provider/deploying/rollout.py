"""What all deployments have in common: they are begun, looked at until they end, and perhaps taken back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from ecr_provider.exceptions import EcrProviderError
from ecr_provider.gates.gate import Look, Verdict, looked

_Door = TypeVar("_Door")

_NOT_UNDONE: Final = "The task itself undid nothing, since rollback_on_failure is not set."


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a deployment failed.

    :param says: what happened, in full sentences.
    :param report: what goes to XCom.
    """

    says: str
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ending:
    """How it all ended.

    :param report: what goes to XCom.
    :param failure: what the task fails with, if it does.
    """

    report: Mapping[str, Any]
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rollout(ABC, Generic[_Door]):
    """A deployment that was begun, as data: another process can go on looking at it.

    Its ``_Door`` is what makes AWS's calls about it.

    :param failure: how the deployment failed that this one is the way back from.
    """

    kind: ClassVar[str]
    failure: Failure | None = None

    @abstractmethod
    def __str__(self) -> str:
        """Name it, as the subject of a sentence."""

    @abstractmethod
    def look(self, door: _Door) -> Look:
        """Look once; the look's report is what was seen.

        :raises EcrProviderError: a call failed.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what goes to XCom of what is known without a look."""

    @abstractmethod
    def way_back(self, door: _Door) -> Self:
        """Begin to go back to what was there before, unless somebody else has begun that already.

        :raises EcrProviderError: there is nothing to go back to, somebody else is at work, or a call failed.
        """

    @abstractmethod
    def as_rollback(self) -> dict[str, Any]:
        """Return what goes to XCom of it if it is a way back."""

    def further(self, door: _Door, look: Look) -> Self | None:
        """Begin what follows once it has passed, and return that; ``None`` if nothing does."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` returned, or what became of it on the way through JSON."""
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in json.items()
        }
        failure = given.pop("failure")
        return cls(**given, failure=None if failure is None else Failure(**failure))

    def report(self, look: Look) -> dict[str, Any]:
        """Return what goes to XCom once a look has ended it."""
        outcome = {} if look.verdict is Verdict.PASSED else {"outcome": "failed"}
        return self.facts() | dict(look.report or {}) | outcome

    def after_failure(self, failure: Failure) -> Self:
        """Return it as the way back from a failure."""
        return replace(self, failure=failure)


def failure_of(rollout: Rollout[Any], look: Look) -> Failure:
    """Return how a look that failed it is told."""
    return Failure(says=_sentence(rollout, look), report=rollout.report(look))


def _sentence(rollout: Rollout[Any], look: Look) -> str:
    return f"{rollout} {look.says.rstrip('.')}."


def ending_of(rollout: Rollout[Any], look: Look) -> Ending:
    """Return how it ended, if nothing more is to be done after a look."""
    if rollout.failure is not None:
        return _back_again(rollout, rollout.failure, look)
    if look.verdict is Verdict.PASSED:
        return Ending(rollout.report(look))
    failure = failure_of(rollout, look)
    return Ending(failure.report, f"{failure.says} {_NOT_UNDONE}")


def stuck(failure: Failure, error: EcrProviderError) -> Ending:
    """Return how it ended if the way back could not be begun."""
    report = {**failure.report, "rollback": {"outcome": "not begun", "reason": str(error)}}
    return Ending(report, f"{failure.says} It was not taken back: {error}")


def _back_again(rollout: Rollout[Any], failure: Failure, look: Look) -> Ending:
    if look.verdict is Verdict.PASSED:
        outcome, says = "completed", f"It was taken back: {_sentence(rollout, look)}"
    else:
        outcome = "failed"
        says = f"Taking it back failed, too: {_sentence(rollout, look)} Neither is known to run: look what does."
    rollback = {**rollout.as_rollback(), "outcome": outcome, "reason": look.says}
    return Ending({**failure.report, "rollback": rollback}, f"{failure.says} {says}")


def look_at_rollout(rollout: Rollout[_Door], door: _Door) -> Look:
    """Look once; a throttled or failed call is a look that saw nothing.

    :raises EcrProviderError: no further look can mend it.
    """
    return looked(lambda: rollout.look(door))


def line_of(rollout: Rollout[Any], look: Look, attempt: int, elapsed: float) -> str:
    """Return the one line that a look leaves in the log.

    :param attempt: the number of the look, from 1.
    :param elapsed: the time since the wait began, in seconds.
    """
    return f"Look {attempt} after {elapsed:.0f} s: {rollout} {look.says}"


def out_of_patience(look: Look, attempt: int, attempts: int, elapsed: float) -> Look:
    """Return what a look means: one that did not see the end fails it, if it was the last one.

    :param attempt: the number of the look, from 1.
    :param attempts: how many there may be: ``waiter_max_attempts``.
    :param elapsed: the time since the wait began, in seconds.
    """
    if look.verdict is not Verdict.WAITING or attempt < attempts:
        return look
    return Look(
        Verdict.FAILED,
        f"did not come to an end within {attempt} looks and {elapsed:.0f} s (waiter_max_attempts, waiter_delay), and "
        f"goes on by itself; the last look: {look.says}",
        look.report,
    )


def lost_sight(rollout: Rollout[Any], error: str) -> Ending:
    """Return how it ended if it cannot be looked at any more: nobody knows.

    :param error: why it cannot.
    """
    says = f"{rollout} cannot be followed any further, and goes on by itself: {error}"
    if rollout.failure is None:
        return Ending({**rollout.facts(), "outcome": "unknown"}, f"{says} Nothing was undone.")
    rollback = {**rollout.as_rollback(), "outcome": "unknown", "reason": error}
    return Ending(
        {**rollout.failure.report, "rollback": rollback}, f"{rollout.failure.says} It is being taken back: {says}"
    )
