"""What stops a request: an error that is an answer, and a connection that is cut."""

from __future__ import annotations

from typing import Any

_SERVER_FAULTS = frozenset({"ServerException", "InternalFailure", "InternalServerError", "ServiceUnavailable"})


class EcrError(Exception):
    """An answer of ECR that is an error: ``{"__type": code, "message": …}`` and what else its shape has."""

    def __init__(self, code: str, message: str, *, status: int | None = None, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or (500 if code in _SERVER_FAULTS else 400)
        self.members = members


class ConnectionCutError(Exception):
    """Not an answer at all: the connection is closed instead (see ``faults``)."""
