"""The one way from a call to its rule, whichever door it came in by.

What all calls have in common happens here: due work is done first, faults are met, events go out, and the
journal knows of it before the client does.
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
from ecr_provider.emulator.faults import Faults
from ecr_provider.emulator.journal import Endpoint, Journal, Request
from ecr_provider.emulator.rules import RULES, Rule
from ecr_provider.emulator.rules.call import Answer, Call, State
from ecr_provider.emulator.rules.caller import Caller
from ecr_provider.emulator.rules.errors import ConnectionCutError, EcrError


@dataclass(slots=True)
class Exchange:
    """A request, and what is understood of it so far: that much is recorded, however it ends."""

    endpoint: Endpoint
    operation: str
    caller: Caller = field(default_factory=lambda: Caller("", ""))
    parameters: dict[str, Any] = field(default_factory=dict)


class Dispatcher:
    """Carries out calls on a state."""

    def __init__(self, state: State, agenda: Agenda, faults: Faults, journal: Journal) -> None:
        self.state = state
        self._agenda = agenda
        self._faults = faults
        self._journal = journal

    @contextmanager
    def recorded(self, exchange: Exchange) -> Iterator[None]:
        """Write the exchange into the journal when the body ends, with the error that ended it.

        Raises EcrError, ConnectionCutError where a fault wants no answer at all, and nothing else: an error of
        the emulator's own must not leave a client waiting.
        """
        error_code: str | None = None
        try:
            yield
        except EcrError as error:
            error_code = error.code
            raise
        except ConnectionCutError:
            error_code = "ConnectionCut"
            raise
        except (OSError, sqlite3.Error) as error:  # such as a full disk
            error_code = "ServerException"
            raise EcrError(error_code, f"The ECR emulator cannot read or write its data: {error}") from error
        except Exception as error:
            error_code = "InternalFailure"
            traceback.print_exc()
            raise EcrError(error_code, f"The ECR emulator failed: {error!r}") from error
        finally:
            self._journal.add(_request(exchange, error_code))

    def call(self, exchange: Exchange, request: Any) -> Answer:
        """Carry out an operation of ECR's API; return the answer as JSON."""
        operation = model.operation(exchange.operation)
        if operation is None:
            raise EcrError("UnknownOperationException", f"Amazon ECR has no operation '{exchange.operation}'")
        exchange.parameters = operation.parse(request)
        return self.perform(exchange, lambda call: operation.serialise(_rule(operation.name)(call)))

    def perform(self, exchange: Exchange, rule: Rule) -> Answer:
        """Carry out a rule as the next fault lets it, with the exchange's parameters as they are."""
        self._agenda.run_due()

        def apply() -> Answer:
            now = self.state.clock.now()
            call = Call(exchange.operation, exchange.caller, exchange.parameters, self.state, now)
            answer = rule(call)
            self.state.events.publish(call.events)
            return answer

        effect = self._faults.take(exchange.operation)
        return effect(apply) if effect else apply()


def _request(exchange: Exchange, error_code: str | None) -> Request:
    caller, parameters = exchange.caller, exchange.parameters
    if isinstance(blob := parameters.get("layerPartBlob"), bytes):
        parameters = parameters | {"layerPartBlob": len(blob)}
    return Request(exchange.operation, caller.account, caller.region, parameters, error_code, exchange.endpoint)


def _rule(name: str) -> Rule:
    if name not in RULES:
        raise EcrError("NotImplementedException", f"The ECR emulator does not implement {name}")
    return RULES[name]
