"""What other processes may ask of the emulator, and tell it. All arguments are named as in Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints

from ecr_provider.emulator.agenda import Agenda
from ecr_provider.emulator.control import values
from ecr_provider.emulator.events.events import Event
from ecr_provider.emulator.faults import Fault, Faults, Which
from ecr_provider.emulator.journal import Journal
from ecr_provider.emulator.numbered_log import Log
from ecr_provider.emulator.rules.call import State
from ecr_provider.emulator.scripts import Scans, from_json

_PAGE = 1000  # requests or events in one answer
_FAULTS = ("fail", "delay", "cut", "truncate", "lose", "corrupt")  # those that take no function
_NO_JSON = frozenset({"transform", "return", "which"})


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to ask for.

    A method is given the query or, if it changes something, the body. It returns what JSON can say, and raises
    ValueError for what it does not take.
    """

    about: str
    methods: Mapping[str, Callable[[dict[str, Any]], Any]]


def resources(state: State, agenda: Agenda, faults: Faults, journal: Journal) -> dict[str, Resource]:
    """Return all that there is, by path."""
    return {
        "/faults": _faults(faults),
        "/clock": _clock(state, agenda),
        "/requests": _log("requests", "Requests, and what they were answered", journal, asdict),
        "/events": _log("events", "Events, as EventBridge delivers them", state.events, _event),
        "/scans": _scans(state.scans),
        "/limits": _settings("Amazon ECR's quotas", state.limits),
        "/switches": _settings("Answers that AWS leaves open", state.switches),
    }


def _faults(faults: Faults) -> Resource:
    def pending(_: dict[str, Any]) -> Any:
        return {"faults": [_fault(fault) for fault in faults.pending]}

    def tell(body: dict[str, Any]) -> Any:
        _tell_fault(faults, **body)
        return pending({})

    about = "Faults still to come. POST one: {'fault': 'fail', 'operation': 'PutImage', 'times': 2}"
    return Resource(about, {"GET": pending, "POST": tell, "DELETE": _clear(faults)})


def _tell_fault(faults: Faults, fault: Any = None, **arguments: Any) -> None:
    if fault not in _FAULTS:
        raise ValueError(f"fault is one of {', '.join(_FAULTS)}, not {fault!r}")
    tell = getattr(faults, fault)
    hints = get_type_hints(tell) | get_type_hints(Which)
    read = _read(arguments, {name: hint for name, hint in hints.items() if name not in _NO_JSON}, f"a {fault}")
    try:
        inspect.signature(tell).bind(**read)
    except TypeError as error:
        raise ValueError(f"a {fault}: {error}") from None
    tell(**read)


def _fault(fault: Fault) -> Any:
    """Write which calls a fault is for."""
    told = {field.name: getattr(fault, field.name) for field in fields(fault) if field.repr}
    return {name: value for name, value in told.items() if value is not None}


def _clock(state: State, agenda: Agenda) -> Resource:
    def now(_: dict[str, Any]) -> Any:
        return {"now": state.clock.now()}

    def advance(body: dict[str, Any]) -> Any:
        arguments = _read(body, {"advance": float}, "the clock")
        state.clock.advance(arguments.get("advance", 0))
        agenda.run_due()
        return now({})

    return Resource(
        "The time, in epoch seconds. POST {'advance': 3600} to skip an hour.", {"GET": now, "POST": advance}
    )


def _log(name: str, about: str, log: Log[Any], write: Callable[[Any], dict[str, Any]]) -> Resource:
    def page(query: dict[str, Any]) -> Any:
        text = query.get("after", "0")
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"after is a whole number, not {text!r}")
        entries = log.numbered(int(text))[:_PAGE]
        written = [{"number": number} | write(entry) for number, entry in entries]
        return {name: written, "last": entries[-1][0] if entries else int(text)}

    about = f"{about}: {_PAGE} at most. ?after=N gives those with a number above N, which is the last page's 'last'."
    return Resource(about, {"GET": page, "DELETE": _clear(log)})


def _event(event: Event) -> dict[str, Any]:
    return {"event": event.envelope()}


def _scans(scans: Scans) -> Resource:
    def script(body: dict[str, Any]) -> Any:
        scans.add(from_json(body))
        return {}

    about = "How scans go. POST a script: {'repositoryName': 'shop/web', 'findings': {'CRITICAL': 1}}"
    return Resource(about, {"POST": script, "DELETE": _clear(scans)})


def _settings(about: str, settings: Any) -> Resource:
    """Offer the fields of a dataclass."""

    def patch(body: dict[str, Any]) -> Any:
        for name, value in _read(body, get_type_hints(type(settings)), "these settings").items():
            is_part = isinstance(value, dict)
            setattr(settings, name, getattr(settings, name) | value if is_part else value)
        return asdict(settings)

    return Resource(f"{about}. PATCH those to change.", {"GET": lambda _: asdict(settings), "PATCH": patch})


def _clear(clearable: Faults | Log[Any] | Scans) -> Callable[[dict[str, Any]], Any]:
    def clear(_: dict[str, Any]) -> Any:
        clearable.clear()
        return {}

    return clear


def _read(body: Mapping[str, Any], hints: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Read the members of a body, all of which must be known."""
    for name in body:
        if name not in hints:
            raise ValueError(f"there is no {name!r} for {what}, only {', '.join(sorted(hints))}")
    return {name: values.read(name, value, hints[name]) for name, value in body.items()}
