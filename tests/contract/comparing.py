"""Compare an answer with what is expected of it, and say in words where it differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from contract.case import ABSENT, SOME, AnyOrder, Around, Like, Refusal


def differences(expected: Any, came: Any, path: str = "") -> Iterator[str]:
    """Say in which members an answer is not what was expected."""
    if isinstance(expected, Refusal) or isinstance(came, Refusal):
        yield from _refusal_differences(expected, came)
    elif isinstance(expected, dict) and isinstance(came, dict):
        for name, item in expected.items():
            yield from differences(item, came.get(name, ABSENT), f"{path}.{name}".lstrip("."))
    elif isinstance(expected, list) and isinstance(came, list) and len(expected) == len(came):
        for number, (one, other) in enumerate(zip(expected, came, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif not _equal(expected, came):
        yield f"{path or 'the answer'} is {shown(came)}, not {shown(expected)}"


def _refusal_differences(expected: Any, came: Any) -> Iterator[str]:
    if not isinstance(came, Refusal):
        yield f"it was not refused with {expected.code}"
    elif not isinstance(expected, Refusal):
        yield f"it was refused with {came.code}"
    elif not re.fullmatch(expected.code, came.code):
        yield f"the code is {came.code}, not {expected.code}"
    elif not re.search(expected.message, came.message):
        yield f"the message is not like {expected.message!r}"
    else:
        yield from differences(expected.members, came.members)


def _equal(expected: Any, came: Any) -> bool:
    if expected is SOME:
        return came is not ABSENT and came is not None
    if isinstance(expected, Like):
        return isinstance(came, str) and re.fullmatch(expected.pattern, came, re.DOTALL) is not None
    if isinstance(expected, Around):
        return isinstance(came, datetime) and abs(came.timestamp() - expected.moment) <= expected.seconds
    if isinstance(expected, AnyOrder):
        return isinstance(came, list) and _match(expected.items, came)
    return bool(expected == came)


def _match(expected: tuple[Any, ...], came: list[Any]) -> bool:
    """Tell whether each expected item finds one of its own."""
    left = list(came)
    for item in expected:
        found = next((other for other in left if not list(differences(item, other))), ABSENT)
        if found is ABSENT:
            return False
        left.remove(found)
    return not left


def shown(value: Any, width: int = 1000) -> str:
    """Write a value for a reader: not all of it, if it is long."""
    if isinstance(value, Refusal):
        members = f" {value.members}" if value.members else ""
        return f"{value.code}: {value.message[:width]}{members}"
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 40]}… ({len(text)} characters)"
