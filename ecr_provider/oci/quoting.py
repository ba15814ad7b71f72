"""How a message of this package shows a value that it refuses, and a number of things."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 60
"""Characters of text, or bits of a number, that a message shows: manifests do not belong in logs."""


def quote(value: object) -> str:
    """Show a value in a message: escaped, on one line, and cut to ``LONGEST`` characters.

    What is neither text nor a plain number is named by its type alone: its own text may be as long and as
    hostile as it likes.

    :param value: what was refused.
    """
    match value:
        case str() | bytes():
            return _cut(repr(value[: LONGEST + 1]))
        case float() | None:
            return str(value)
        case int():
            bits = value.bit_length()
            return str(value) if bits <= LONGEST else f"an integer of {bits} bits"
        case _:
            return f"a {type(value).__name__}"


def number_of(count: int, what: str, ending: str = "s") -> str:
    """Write a number of things for people.

    :param count: how many.
    :param what: one of them.
    :param ending: what makes several of one.
    """
    return f"{count} {what}" if count == 1 else f"{count} {what}{ending}"


def _cut(shown: str) -> str:
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
