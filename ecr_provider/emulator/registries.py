"""Registries: one for every account in every Region. Who calls is one too: the account's own, where it calls."""

from __future__ import annotations

import re
from typing import NamedTuple

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"

_ACCOUNT = re.compile(r"[0-9]{12}")

# `<account>.dkr.ecr.<region>.amazonaws.com`, its dual-stack form, and the FIPS forms of both.
_HOST = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)


class Registry(NamedTuple):
    """The private registry of an account in a Region."""

    account: str
    region: str

    @property
    def partition(self) -> str:
        """The AWS partition of the Region."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def host(self) -> str:
        """The host name."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"{self.account}.dkr.ecr.{self.region}.{suffix}"

    def arn(self, name: str) -> str:
        """Return the ARN of the repository of this name."""
        return f"arn:{self.partition}:ecr:{self.region}:{self.account}:repository/{name}"


def parse_host(host: str) -> Registry | None:
    """Tell whose host name this is, in any of the forms that AWS has for it; None if it is no registry's."""
    found = _HOST.fullmatch(host)
    return Registry(found["account"], found["region"]) if found else None


def is_account(text: str) -> bool:
    """Tell whether a text is the id of an AWS account."""
    return bool(_ACCOUNT.fullmatch(text))


def require_region_and_account(region_name: str, account_id: str) -> None:
    """Require that neither is the other, and that the account's id is one."""
    if is_account(region_name):
        raise ValueError(
            f"region_name {region_name!r} is the id of an AWS account: "
            f"give a Region, such as {DEFAULT_REGION!r}, and after it the account_id"
        )
    if not is_account(account_id):
        raise ValueError(
            f"account_id {account_id!r} is not the id of an AWS account, which has 12 digits: "
            f"give one, such as {DEFAULT_ACCOUNT!r}, after the region_name"
        )
