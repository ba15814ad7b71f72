"""The emulator's own door, for tests in other processes: ``/_emulator``, in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from ecr_provider.emulator.control import values
from ecr_provider.emulator.control.resources import Resource
from ecr_provider.emulator.serving import guard
from ecr_provider.emulator.serving.server import Handler

PREFIX = "/_emulator"

_LARGEST_BODY = 1024 * 1024


class _RefusedError(Exception):
    """A request that is not answered; the text says why."""

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class Control:
    """Answers what one may ask of the emulator itself."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = {"": Resource("What there is.", {"GET": self._index}), **resources}

    def answer(self, http: Handler) -> None:
        """Answer a request with JSON, or refuse it with a message."""
        body = http.body(_LARGEST_BODY)
        if body is None:
            return
        try:
            _reply(http, HTTPStatus.OK, self._answer(http, body))
        except _RefusedError as refused:
            _reply(http, refused.status, {"message": str(refused)}, refused.headers)
        except ValueError as error:
            _reply(http, HTTPStatus.BAD_REQUEST, {"message": str(error)})

    def _answer(self, http: Handler, body: bytes) -> Any:
        if objection := guard.objection(http):
            raise _RefusedError(HTTPStatus.FORBIDDEN, objection)
        path, _, query = http.path.partition("?")
        resource = self._resources.get(path.removeprefix(PREFIX).rstrip("/"))
        if resource is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"there is no {path}: GET {PREFIX} says what there is")
        method = resource.methods.get(http.command)
        if method is None:
            allowed = ", ".join(resource.methods)
            message = f"{path} takes {allowed}, not {http.command}"
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, message, Allow=allowed)
        if http.command == "GET":
            return method(_query(query))
        _require_json(http)
        return method(_object(body))

    def _index(self, query: dict[str, Any]) -> Any:
        values.read_members(query, {}, "this")
        return {
            PREFIX + path: {"about": resource.about, "methods": list(resource.methods)}
            for path, resource in self._resources.items()
        }


def _reply(http: Handler, status: HTTPStatus, answer: Any, headers: Mapping[str, str] | None = None) -> None:
    body = json.dumps(answer, default=_json).encode()
    http.reply(status, body, {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})})


def _json(value: Any) -> Any:
    """Write what JSON has no word for."""
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)


def _require_json(http: Handler) -> None:
    """Require the type that a browser does not send for another site without asking first (CORS)."""
    kind = http.headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        message = f"the Content-Type is {kind!r}: what changes something has to say application/json"
        raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)


def _query(text: str) -> dict[str, Any]:
    """Read a query: what is written in digits is a number."""
    parameters = parse_qsl(text, keep_blank_values=True)
    return {name: int(value) if value.isascii() and value.isdigit() else value for name, value in parameters}


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"the body is a JSON object, not {value!r}")  # noqa: TRY004 - it is the client's error
    return value
