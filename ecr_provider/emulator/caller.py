"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that calls and the Region it calls."""

    account: str
    region: str
