"""The one way from a call to its rule, whichever door it came in by.

What all calls have in common happens here: rates are kept to, due work is done first, faults are met, events go
out, and the journal knows of it before the client does.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ecr_provider.emulator import model
from ecr_provider.emulator.agenda import Agenda
from ecr_provider.emulator.errors import ConnectionCutError, EcrError
from ecr_provider.emulator.faults import Faults
from ecr_provider.emulator.journal import Endpoint, Journal, Request
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.operations import Rule, rule_of
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.serving.damage import UNHARMED, Damage
from ecr_provider.emulator.throttling import Throttle

_NOBODY = Registry("", "")
_CUT = "ConnectionCut"  # what the journal says of a request whose answer did not arrive


@dataclass(slots=True)
class Exchange:
    """A request, and what is understood of it so far: that much is recorded, however it ends."""

    endpoint: Endpoint
    operation: str
    caller: Registry = _NOBODY
    parameters: dict[str, Any] = field(default_factory=dict)
    damage: Damage = UNHARMED
    """What a fault wants to become of a body: known once the rule is carried out, and up to the door to do."""


class Dispatcher:
    """Carries out calls on a state."""

    def __init__(self, state: State, agenda: Agenda, faults: Faults, journal: Journal) -> None:
        self.state = state
        self._agenda = agenda
        self._faults = faults
        self._journal = journal
        self._throttle = Throttle(state.clock, state.limits, state.switches)

    @contextmanager
    def recorded(self, exchange: Exchange) -> Iterator[None]:
        """Write the exchange into the journal when the body ends, with the error that ended it.

        Raises EcrError, ConnectionCutError where a fault wants no answer at all, and nothing else: an error of
        the emulator's own must not leave a client waiting.
        """
        error_code: str | None = None
        begun = self.state.clock.now()
        try:
            yield
            if exchange.damage.kind == "cut":
                error_code = _CUT
        except EcrError as error:
            error_code = error.code
            raise
        except ConnectionCutError:
            error_code = _CUT
            raise
        except (OSError, sqlite3.Error) as error:  # such as a full disk
            error_code = "ServerException"
            raise EcrError(error_code, f"The ECR emulator cannot read or write its data: {error}") from error
        except Exception as error:
            error_code = "InternalFailure"
            traceback.print_exc()
            raise EcrError(error_code, f"The ECR emulator failed: {error!r}") from error
        finally:
            self._journal.add([_request(exchange, error_code, begun)])

    def call(self, exchange: Exchange, request: Any) -> Answer:
        """Carry out an operation of ECR's API; return the answer as JSON."""
        operation = model.operation(exchange.operation)
        if operation is None:
            raise EcrError("UnknownOperationException", f"Amazon ECR has no operation '{exchange.operation}'")
        self._throttle.admit(exchange.operation, exchange.caller)
        exchange.parameters = operation.parse(request)
        return self._carry_out(exchange, lambda call: operation.serialise(rule_of(operation.name)(call)))

    def perform(self, exchange: Exchange, rule: Rule) -> Answer:
        """Carry out a rule, with the exchange's parameters as they are."""
        self._throttle.admit(exchange.operation, exchange.caller)
        return self._carry_out(exchange, rule)

    def _carry_out(self, exchange: Exchange, rule: Rule) -> Answer:
        """Carry out a rule as the next fault lets it."""
        self._agenda.run_due()

        def apply() -> Answer:
            now = self.state.clock.now()
            call = Call(exchange.operation, exchange.caller, exchange.parameters, self.state, now)
            answer = rule(call)
            self.state.events.publish(call.events)
            return answer

        fault = self._faults.take(exchange.operation, exchange.parameters.get("repositoryName"), exchange.endpoint)
        if fault is None:
            return apply()
        exchange.damage = fault.damage
        return fault.effect(apply)


def _request(exchange: Exchange, error_code: str | None, time: float) -> Request:
    parameters = exchange.parameters
    if isinstance(blob := parameters.get("layerPartBlob"), bytes):
        parameters = parameters | {"layerPartBlob": len(blob)}
    return Request(exchange.operation, *exchange.caller, parameters, error_code, exchange.endpoint, time)
