"""The addresses that GetDownloadUrlForLayer gives: all the permission there is, in the query.

They have the form of S3's presigned ones. One is good for an hour and for GET only.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs

from ecr_provider.emulator.signing import Signer

LIFETIME = 3600  # seconds

_DATE = "%Y%m%dT%H%M%SZ"
_PATH = re.compile(r"/prod-[a-z0-9-]+-starport-layer-bucket/[0-9]{12}/([0-9a-f]{64})")
_SIGNATURE = "&X-Amz-Signature="


class RefusedError(Exception):
    """The address is not good; in S3's words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def signed_path(digest: str, account: str, region: str, now: float, signer: Signer) -> str:
    """Make the path and the query of an address that is good from now on."""
    date = datetime.fromtimestamp(now, UTC).strftime(_DATE)
    scope = f"EMULATOR%2F{date[:8]}%2F{region}%2Fs3%2Faws4_request"
    unsigned = (
        f"/prod-{region}-starport-layer-bucket/{account}/{digest.removeprefix('sha256:')}"
        f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Date={date}"
        f"&X-Amz-Expires={LIFETIME}&X-Amz-SignedHeaders=host"
    )
    return unsigned + _SIGNATURE + signer.signature(f"GET {unsigned}")


def digest_of_signed_path(method: str, target: str, now: float, signer: Signer) -> str:
    """Return the digest of the layer at an address, or raise RefusedError."""
    unsigned, _, signature = target.rpartition(_SIGNATURE)
    path, _, query = unsigned.partition("?")
    if not unsigned:
        raise RefusedError("AccessDenied", "Access Denied")
    # S3 signs the method too, so a HEAD of an address made for GET is refused like any other alteration.
    found = _PATH.fullmatch(path)
    if not signer.verifies(f"{method} {unsigned}", signature) or not found:
        raise RefusedError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    signed_at = datetime.strptime(parse_qs(query)["X-Amz-Date"][0], _DATE).replace(tzinfo=UTC)
    if now > signed_at.timestamp() + LIFETIME:
        raise RefusedError("AccessDenied", "Request has expired")
    return f"sha256:{found[1]}"
