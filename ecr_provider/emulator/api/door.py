"""The JSON API's door: everything is a POST to ``/``."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import Any

from ecr_provider.emulator import model
from ecr_provider.emulator.api.signature import caller_of
from ecr_provider.emulator.dispatch import Dispatcher, Exchange
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.serving import guard
from ecr_provider.emulator.serving.server import Handler

_LARGEST_BODY = 64 * 1024 * 1024  # the largest layer part takes 28 MB of base64


class Api:
    """Amazon ECR's API, in AWS's JSON protocol 1.1."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def answer(self, http: Handler) -> None:
        """Answer a call. What is not a POST to ``/`` is refused as the call of no operation."""
        body = http.body(_LARGEST_BODY)
        if body is None:
            return
        if objection := guard.objection_to_origin(http):
            http.send_error(HTTPStatus.FORBIDDEN, objection)
            return
        is_call = http.command == "POST" and http.path == "/"
        target = http.headers.get("X-Amz-Target", "") if is_call else f"{http.command} {http.path}"
        exchange = Exchange("api", target.removeprefix(model.target_prefix()))
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())}
        try:
            answer = self._answer(exchange, target, http.headers.get("Authorization"), body)
            http.reply(200, answer, headers, exchange.damage)
        except EcrError as error:
            http.reply(error.status, _error(error), headers | {"x-amzn-ErrorType": error.code}, exchange.damage)

    def _answer(self, exchange: Exchange, target: str, authorization: str | None, body: bytes) -> bytes:
        with self._dispatcher.recorded(exchange):
            if exchange.operation == target:
                raise EcrError("UnknownOperationException", f"Amazon ECR has no operation '{target}'")
            exchange.caller = caller_of(authorization)
            return _json(self._dispatcher.call(exchange, _read_json(body)))


def _read_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise EcrError("SerializationException", "The request's body is not JSON") from None


def _error(error: EcrError) -> bytes:
    members = {name: value for name, value in error.members.items() if value is not None}
    return _json({"__type": error.code, "message": error.message, **members})


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
