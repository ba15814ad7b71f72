"""The requests that were made, for tests to look at."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

Endpoint = Literal["api", "registry", "downloads"]
"""Where a request came in: the JSON API, the registry's HTTP API, or the origin of layers."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, in AWS's words, whichever end point it came in by.

    ``parameters`` are as they were understood, with a layer part's bytes replaced by their number. It is
    empty, and account and Region are, if the request was refused before it was understood.
    """

    operation: str
    account_id: str
    region_name: str
    parameters: dict[str, Any]
    error_code: str | None
    """What was answered, or None for success; ``ConnectionCut`` (see ``faults``) if nothing was."""
    endpoint: Endpoint = "api"


class Journal:
    """The last requests, oldest first. A request is here before its answer is sent."""

    def __init__(self, size: int) -> None:
        self._requests: deque[Request] = deque(maxlen=size)

    def add(self, request: Request) -> None:
        """Record a request."""
        self._requests.append(request)

    def requests(self) -> tuple[Request, ...]:
        """Return what was recorded."""
        return tuple(self._requests.copy())

    def clear(self) -> None:
        """Forget what was recorded."""
        self._requests.clear()
