"""Who calls: an account, in a Region."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"

_ACCOUNT = re.compile(r"[0-9]{12}")


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


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that calls and the Region it calls."""

    account: str
    region: str
