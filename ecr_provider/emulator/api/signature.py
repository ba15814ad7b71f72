"""Who calls: the account and the Region, out of the Signature Version 4 header.

The emulator knows no secrets, so it does not verify signatures; it does insist on there being one.
"""

from __future__ import annotations

import re

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import DEFAULT_ACCOUNT, Registry, is_account

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +"
    r"Credential=(?P<key>[\w+=.@-]+)/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request, *"
    r"SignedHeaders=[a-z0-9;_-]+, *"
    r"Signature=[0-9a-f]{64}"
)


def caller_of(authorization: str | None) -> Registry:
    """Read the ``Authorization`` header: an access key id of 12 digits names the account."""
    if not authorization:
        raise EcrError("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(authorization.strip())
    if not found:
        raise EcrError(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' of AWS4-HMAC-SHA256",
        )
    if found["service"] != "ecr":
        raise EcrError("InvalidSignatureException", "Credential should be scoped to correct service: 'ecr'.")
    key = found["key"]
    return Registry(key if is_account(key) else DEFAULT_ACCOUNT, found["region"])
