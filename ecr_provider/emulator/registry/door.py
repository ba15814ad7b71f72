"""The registry's door: the HTTP API of the OCI distribution specification, in ECR's dialect, below ``/v2/``.

It translates. Each request becomes the calls of ECR's API that AWS's own proxy makes of it (its CloudTrail
events show them), so that every rule, fault and limit is the same whichever way a call comes.
"""

from __future__ import annotations

from ecr_provider.emulator.dispatch import Dispatcher
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registry import errors, routes
from ecr_provider.emulator.registry.request import RegistryRequest, Reply
from ecr_provider.emulator.serving.server import Handler

_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


class RegistryApi:
    """The registry of every account and Region."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def answer(self, http: Handler) -> None:
        """Answer a request."""
        body = http.stream()
        if body is None:
            return
        request = RegistryRequest(http, body, self._dispatcher)
        try:
            reply = routes.reply_to(request)
        except EcrError as error:
            reply = _refusal(request, error)
        if not body.drain():
            http.close_connection = True
        http.reply(reply.status, reply.body, {**_VERSION, **reply.headers}, request.damage)


def _refusal(request: RegistryRequest, error: EcrError) -> Reply:
    if error.code in errors.UNAUTHENTICATED:
        challenge = f'Basic realm="https://{request.host}/",service="ecr.amazonaws.com"'
        headers = {"Www-Authenticate": challenge, "Content-Type": "text/plain; charset=utf-8"}
        return Reply(401, b"Not Authorized\n", headers)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(errors.status_of(error), errors.body_of(error), headers)
