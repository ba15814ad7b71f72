"""Who calls: the password that GetAuthorizationToken gave."""

from __future__ import annotations

import base64
import binascii
import json

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.sealing import Sealer

_USER = "AWS"


def authenticate(authorization: str | None, now: float, sealer: Sealer) -> Registry:
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
    return Registry(granted["account"], granted["region"])


def _password(authorization: str) -> str:
    """Return the password of user ``AWS``, or "" where there is none."""
    scheme, _, token = authorization.strip().partition(" ")
    try:
        user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return password if (scheme.lower(), user) == ("basic", _USER) else ""
