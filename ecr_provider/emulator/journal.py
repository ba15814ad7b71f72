"""The requests that were made, for tests to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ecr_provider.emulator.numbered_log import Log

Endpoint = Literal["api", "registry", "downloads"]
"""Where a request came in: the JSON API, the registry's HTTP API, or the origin of layers."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, in AWS's words, whichever end point it came in by. A download is S3's ``GetObject``.

    ``parameters`` are as they were understood, with a layer part's bytes replaced by their number. It is
    empty, and account and Region are, if the request was refused before it was understood.
    """

    operation: str
    account_id: str
    region_name: str
    parameters: dict[str, Any]
    error_code: str | None
    """What was answered, or None for success; ``ConnectionCut`` (see ``faults``) if the answer did not arrive."""
    endpoint: Endpoint
    time: float
    """When it came in, by the emulator's clock, in epoch seconds."""


Journal = Log[Request]
"""The last requests. A request is here before its answer is sent."""
