"""The addresses that GetDownloadUrlForLayer gives: all the permission there is, in the query.

They have the form of S3's presigned ones. One is good for an hour and for GET only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qs

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.sealing import Sealer

LIFETIME = 3600  # seconds

_DATE = "%Y%m%dT%H%M%SZ"
_PATH = re.compile(
    r"/prod-(?P<region>[a-z0-9-]+)-starport-layer-bucket"
    r"/(?P<account>[0-9]{12})/(?P<repository_name>[a-z0-9._/-]+)/(?P<encoded>[0-9a-f]{64})"
)
_SIGNATURE = "&X-Amz-Signature="


@dataclass(frozen=True, slots=True)
class Address:
    """Where a layer is, seen from one repository that has it."""

    registry: Registry
    repository_name: str
    digest: str

    def signed(self, now: float, sealer: Sealer) -> str:
        """Make the path and the query that are good from now on."""
        date = datetime.fromtimestamp(now, UTC).strftime(_DATE)
        account, region = self.registry
        scope = f"EMULATOR%2F{date[:8]}%2F{region}%2Fs3%2Faws4_request"
        unsigned = (
            f"/prod-{region}-starport-layer-bucket/{account}/{self.repository_name}"
            f"/{self.digest.removeprefix('sha256:')}"
            f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Date={date}"
            f"&X-Amz-Expires={LIFETIME}&X-Amz-SignedHeaders=host"
        )
        return unsigned + _SIGNATURE + sealer.signature(f"GET {unsigned}")


def read(method: str, target: str, now: float, sealer: Sealer) -> Address:
    """Read the path and the query of a request, or raise EcrError in S3's words."""
    unsigned, _, signature = target.rpartition(_SIGNATURE)
    path, _, query = unsigned.partition("?")
    if not unsigned:
        raise EcrError("AccessDenied", "Access Denied", status=HTTPStatus.FORBIDDEN)
    # S3 signs the method too, so a HEAD of an address made for GET is refused like any other alteration.
    found = _PATH.fullmatch(path)
    if not sealer.verifies(f"{method} {unsigned}", signature) or not found:
        raise EcrError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            status=HTTPStatus.FORBIDDEN,
        )
    signed_at = datetime.strptime(parse_qs(query)["X-Amz-Date"][0], _DATE).replace(tzinfo=UTC)
    if now > signed_at.timestamp() + LIFETIME:
        raise EcrError("AccessDenied", "Request has expired", status=HTTPStatus.FORBIDDEN)
    registry = Registry(found["account"], found["region"])
    return Address(registry, found["repository_name"], f"sha256:{found['encoded']}")
