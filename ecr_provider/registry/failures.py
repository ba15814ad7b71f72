"""What a registry's failure means: which error, whether another try may help, and what to do.

Source: OCI distribution-spec 1.1, "Error Codes"; RFC 9110.
"""

from __future__ import annotations

import json
import ssl
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from urllib3.exceptions import HTTPError, SSLError

from ecr_provider.exceptions import (
    RangeIgnoredError,
    RegistryAccessDeniedError,
    RegistryCallError,
    RegistryNotFoundError,
    RegistryUnavailableError,
)
from ecr_provider.oci.quoting import quote
from ecr_provider.registry.request import Request

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_MOST_SHOWN: Final = 300  # characters of a registry's own words

_MEANINGS: Final = {
    401: (RegistryAccessDeniedError, "Check the credentials of the connection."),
    403: (RegistryAccessDeniedError, "Check the credentials, and what they may do in this repository."),
    404: (RegistryNotFoundError, "Check the registry, the repository, and the tag or digest."),
    408: (RegistryUnavailableError, ""),
    429: (RegistryUnavailableError, "The registry asks to slow down: run fewer copies at a time."),
}


def failure_of(request: Request, answer: BaseHTTPResponse, body: bytes) -> RegistryCallError:
    """Return the error that an answer stands for.

    :param request: what was asked.
    :param answer: its status and headers.
    :param body: its body; of the specification's form, or a page of whatever stands in between.
    """
    status = answer.status
    code, message = _first_error(body)
    kind, remedy = _MEANINGS.get(status) or (
        (RegistryUnavailableError, "") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else (RegistryCallError, "")
    )
    said = ": ".join(filter(None, (code, message))) or "no reason given"
    error = kind(
        f"{request.operation} of {request.about} failed: {said} (HTTP {status}). {remedy}".rstrip(),
        operation=request.operation,
        status=status,
        code=code,
    )
    if isinstance(error, RegistryUnavailableError):
        error.retry_after = _seconds(answer.headers.get("Retry-After"))
    return error


def lost(request: Request, error: HTTPError | OSError) -> RegistryCallError:
    """Return the error for a connection that failed or broke.

    :param request: what was asked.
    :param error: what happened.
    """
    if isinstance(error, SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError):
        return RegistryCallError(
            f"{request.operation} of {request.about} failed: {error}. Check the certificate, or name its CA by verify.",
            operation=request.operation,
            code="TLS",
        )
    return RegistryUnavailableError(
        f"{request.operation} of {request.about} failed: {type(error).__name__}, the connection could not be made, "
        "broke, or was silent for too long.",
        operation=request.operation,
        code=type(error).__name__,
    )


def malformed(request: Request, what: str) -> RegistryUnavailableError:
    """Return the error for an answer that is none: a proxy's page, or one that broke off.

    :param request: what was asked.
    :param what: what is wrong with the answer.
    """
    return RegistryUnavailableError(
        f"{request.operation} of {request.about} got an answer that is no registry's: {what}.",
        operation=request.operation,
        code="MalformedAnswer",
    )


def is_expiry(failure: RegistryCallError) -> bool:
    """Tell whether a registry says that the credentials have ended.

    ECR says so as a refusal (403), not as a question (401): "Troubleshooting errors with Docker commands when using
    Amazon ECR", user guide.

    :param failure: what it said.
    """
    return failure.status == HTTPStatus.FORBIDDEN and "expired" in str(failure)


def replaced_credentials(request: Request) -> RegistryUnavailableError:
    """Return the error for a body that was sent with credentials that had ended, and has to be sent again.

    :param request: what was asked.
    """
    return RegistryUnavailableError(
        f"{request.operation} of {request.about}: the credentials ended meanwhile, and were replaced.",
        operation=request.operation,
        status=HTTPStatus.UNAUTHORIZED,
    )


def refused_elsewhere(request: Request, failure: RegistryCallError) -> RegistryCallError:
    """Return the error for a refusal by whom the registry redirected to: it is the address that ended, not access.

    :param request: what was asked.
    :param failure: what was said there.
    """
    if failure.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return failure
    return RegistryUnavailableError(
        f"{request.operation} of {request.about}: the address that the registry gave was refused "
        f"(HTTP {failure.status}); another try asks for another one.",
        operation=request.operation,
        status=failure.status,
    )


def ranges_ignored(request: Request) -> RangeIgnoredError:
    """Return the error for a registry that sends everything where a part was asked for.

    :param request: what was asked.
    """
    return RangeIgnoredError(
        f"{request.operation} of {request.about}: the registry, or a proxy before it, ignores the header Range.",
        operation=request.operation,
        status=200,
    )


def refused_redirect(request: Request, where: str) -> RegistryCallError:
    """Return the error for a redirect that is not followed.

    :param request: what was asked.
    :param where: where it leads, without a query.
    """
    return RegistryCallError(
        f"{request.operation} of {request.about} was redirected {where}; that is not followed. "
        "Ask the registry's owner.",
        operation=request.operation,
        code="Redirect",
    )


def _first_error(body: bytes) -> tuple[str, str]:
    with suppress(ValueError, KeyError, IndexError, TypeError, AttributeError):
        first = json.loads(body)["errors"][0]
        return str(first["code"])[:_MOST_SHOWN], str(first.get("message", ""))[:_MOST_SHOWN]
    text = body[:_MOST_SHOWN].decode(errors="replace").strip()
    return "", quote(text) if text else ""


def _seconds(retry_after: str | None) -> float | None:
    # The other form, a date, is rare, and a clock that is wrong would make nonsense of it.
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
