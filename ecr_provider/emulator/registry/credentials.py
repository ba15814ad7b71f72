"""Who calls which registry: the password that GetAuthorizationToken gave, and the host name."""

from __future__ import annotations

import base64
import binascii
import json
import re

from ecr_provider.emulator.caller import Caller
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.sealing import Sealer

_USER = "AWS"

# `<account>.dkr.ecr.<region>.amazonaws.com` and its dual-stack form, with or without a port.
_HOST = re.compile(
    r"(?P<account>[0-9]{12})\.dkr(?:\.ecr|-ecr|\.ecr-fips|-ecr-fips)\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com|amazonaws\.com\.cn|on\.aws)(?::[0-9]+)?"
)


def caller_of(authorization: str | None, now: float, sealer: Sealer) -> Caller:
    """Read the ``Authorization`` header: Basic, with the authorization token as it is.

    Raises EcrError: ``MissingAuthenticationTokenException`` or ``UnrecognizedClientException``, to which the
    answer is the challenge, and ``ExpiredTokenException``.
    """
    if not authorization:
        raise EcrError("MissingAuthenticationTokenException", "Not Authorized")
    grant = sealer.unseal("registry password", _password(authorization))
    if grant is None:
        raise EcrError("UnrecognizedClientException", "Not Authorized")
    granted = json.loads(grant)
    if granted["expires"] <= now:
        message = "Your authorization token has expired. Reauthenticate and try again."
        raise EcrError("ExpiredTokenException", message)
    return Caller(granted["account"], granted["region"])


def _password(authorization: str) -> str:
    """Return the password of user ``AWS``, or "" where there is none."""
    scheme, _, token = authorization.strip().partition(" ")
    try:
        user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return password if (scheme.lower(), user) == ("basic", _USER) else ""


def registry_of(host: str, caller: Caller) -> tuple[str, Caller]:
    """Tell which registry is called, and as whom: that of the host name, or else the caller's own."""
    found = _HOST.fullmatch(host.lower())
    if not found:
        return caller.account, caller
    return found["account"], Caller(caller.account, found["region"])
