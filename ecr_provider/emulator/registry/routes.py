"""The paths of the registry's HTTP API, as the OCI distribution specification lists them ("Endpoints")."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import unquote

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registry import blobs, listings, manifests, uploads
from ecr_provider.emulator.registry.request import RegistryRequest, Reply
from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.operations import Rule

Route = Callable[..., Reply]
"""Takes the request, and the variable parts of its path."""


def ping(request: RegistryRequest) -> Reply:
    """Tell a client with good credentials that it is welcome."""
    return _answer_alone(request, lambda _: {})


_ROUTES: tuple[tuple[re.Pattern[str], dict[str, Route]], ...] = (
    (re.compile(r"/v2/"), {"GET": ping}),
    (re.compile(r"/v2/_catalog"), {"GET": listings.catalog}),
    (re.compile(r"/v2/(.+)/tags/list"), {"GET": listings.tags}),
    (re.compile(r"/v2/(.+)/referrers/([^/]+)"), {"GET": listings.referrers_of}),
    (
        re.compile(r"/v2/(.+)/manifests/([^/]+)"),
        {"GET": manifests.get, "PUT": manifests.put, "DELETE": manifests.delete},
    ),
    (re.compile(r"/v2/(.+)/blobs/uploads/?"), {"POST": uploads.begin}),
    (
        re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)"),
        {"GET": uploads.status, "PATCH": uploads.append, "PUT": uploads.complete, "DELETE": uploads.cancel},
    ),
    (re.compile(r"/v2/(.+)/blobs/([^/]+)"), {"GET": blobs.get, "HEAD": blobs.head}),
)


def reply_to(request: RegistryRequest) -> Reply:
    """Answer a request by its route. A HEAD is a GET where it is nothing special.

    Raises EcrError.
    """
    path, status = unquote(request.path), HTTPStatus.NOT_FOUND
    for pattern, methods in _ROUTES:
        if found := pattern.fullmatch(path):
            route = methods.get(request.method) or (methods.get("GET") if request.method == "HEAD" else None)
            if route is not None:
                return route(request, *found.groups())
            status = HTTPStatus.METHOD_NOT_ALLOWED
    error = EcrError("UnknownOperationException", f"Amazon ECR has no '{request.line}'", status=status)
    return _answer_alone(request, partial(_refuse, error))


def _answer_alone(request: RegistryRequest, rule: Rule) -> Reply:
    """Answer what is no call of the API, and needs credentials like one."""
    request.perform(request.line, rule)
    return Reply(HTTPStatus.OK)


def _refuse(error: EcrError, _: Call) -> NoReturn:
    raise error
