"""What other processes may ask of the emulator, and have it do. All is named as in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints

from ecr_provider.emulator.agenda import Agenda
from ecr_provider.emulator.control import values
from ecr_provider.emulator.events.events import Event
from ecr_provider.emulator.faults import Fault, Faults
from ecr_provider.emulator.journal import Journal
from ecr_provider.emulator.numbered_log import Log
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.scripts import Scans, Signings

_PAGE = 1000  # requests or events in one answer

Method = Callable[[dict[str, Any]], Any]
"""Is given the query or, if it changes something, the body; returns what JSON can say.

Raises ValueError for what it does not take.
"""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to ask for."""

    about: str
    methods: Mapping[str, Method]


def resources(state: State, agenda: Agenda, faults: Faults, journal: Journal) -> dict[str, Resource]:
    """Return all that there is, by path."""
    scan = "{'repository_name': 'shop/web', 'findings': {'CRITICAL': 1}}"
    signing = "{'repository_name': 'shop/web', 'steps': [{'status': 'FAILED', 'after': 3}]}"
    return {
        "/faults": _faults(faults),
        "/clock": _clock(state, agenda),
        "/requests": _log("requests", "Requests, and what they were answered", journal, asdict),
        "/events": _log("events", "Events, as EventBridge delivers them", state.events, _event),
        "/scans": _scripts("scans", f"How scans go, the latest script first. POST one: {scan}", state.scans),
        "/signings": _scripts(
            "signings", f"How signing goes, the latest script first. POST one: {signing}", state.signings
        ),
        "/limits": _settings("Amazon ECR's quotas", state.limits),
        "/switches": _settings("How ECR behaves", state.switches),
    }


def _method(function: Callable[..., Any], what: str) -> Method:
    """Make a method of a function that takes its arguments by name."""
    return lambda arguments: values.call(function, arguments, what) or {}


def _faults(faults: Faults) -> Resource:
    methods = (faults.fail, faults.delay, faults.cut, faults.truncate, faults.lose, faults.corrupt)
    kinds: dict[str, Callable[..., None]] = {method.__name__: method for method in methods}

    def pending() -> Any:
        return {"faults": [_fault(fault) for fault in faults.pending]}

    def add(body: dict[str, Any]) -> Any:
        arguments = dict(body)
        kind = arguments.pop("fault", None)
        if not isinstance(kind, str) or kind not in kinds:
            raise ValueError(f"fault is one of {', '.join(kinds)}, not {kind!r}")
        values.call(kinds[kind], arguments, f"a {kind}")
        return pending()

    about = "Faults still to come. POST one: {'fault': 'fail', 'operation': 'PutImage', 'times': 2}"
    get, clear = _method(pending, "the faults"), _method(faults.clear, "the faults")
    return Resource(about, {"GET": get, "POST": add, "DELETE": clear})


def _fault(fault: Fault) -> dict[str, Any]:
    """Write a fault as it may be posted."""
    written = _given(fault)
    arguments = {name: value for name, value in written.pop("arguments").items() if value is not None}
    return written | arguments


def _given(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that say something."""
    shown = {field.name: getattr(value, field.name) for field in fields(value) if field.repr}
    return {name: value for name, value in shown.items() if value is not None}


def _clock(state: State, agenda: Agenda) -> Resource:
    def now() -> Any:
        return {"now": state.clock.now()}

    def move(advance: float) -> Any:
        agenda.advance(advance)
        return now()

    about = "The time, in epoch seconds. POST {'advance': 3600} to skip an hour."
    return Resource(about, {"GET": _method(now, "the clock"), "POST": _method(move, "the clock")})


def _log(name: str, about: str, log: Log[Any], write: Callable[[Any], dict[str, Any]]) -> Resource:
    def page(after: int = 0) -> Any:
        entries = log.numbered(after)[:_PAGE]
        written = [{"number": number} | write(entry) for number, entry in entries]
        return {name: written, "last": entries[-1][0] if entries else after}

    about = f"{about}: {_PAGE} at most. ?after=N gives those with a number above N, which is the last page's 'last'."
    return Resource(about, {"GET": _method(page, f"the {name}"), "DELETE": _method(log.clear, f"the {name}")})


def _event(event: Event) -> dict[str, Any]:
    return {"event": event.envelope()}


def _scripts(name: str, about: str, scripts: Scans | Signings) -> Resource:
    def scripted() -> Any:
        return {name: [_given(script) for script in scripts.scripted]}

    get, clear = _method(scripted, f"the {name}"), _method(scripts.clear, f"the {name}")
    return Resource(about, {"GET": get, "POST": _method(scripts.script, f"a script of {name}"), "DELETE": clear})


def _settings(about: str, settings: Any) -> Resource:
    """Offer the fields of a dataclass."""

    def shown() -> Any:
        return asdict(settings)

    def patch(body: dict[str, Any]) -> Any:
        for name, value in values.read_members(body, get_type_hints(type(settings)), "these settings").items():
            is_part = isinstance(value, dict)
            setattr(settings, name, getattr(settings, name) | value if is_part else value)
        return shown()

    return Resource(f"{about}. PATCH those to change.", {"GET": _method(shown, "these settings"), "PATCH": patch})
