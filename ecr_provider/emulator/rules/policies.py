"""Repository policies: who may do what across accounts.

Read are ``Effect``, ``Principal`` and ``Action``, with wildcards. Callers are accounts here, so a principal
that names a user or a role of an account means the account. What cannot be read (``Condition``, ``NotAction``,
``NotPrincipal``) is refused when the policy is set, since ignoring it could allow what AWS denies.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.rules.errors import EcrError, invalid_parameter

_READ = {"Sid", "Effect", "Principal", "Action", "Resource"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, its lists made lists."""

    allows: bool
    principals: tuple[str, ...]
    actions: tuple[str, ...]

    def concerns(self, account: str, action: str) -> bool:
        """Tell whether the statement is about this account doing this."""
        return any(_names(principal, account) for principal in self.principals) and any(
            _matches(pattern, action) for pattern in self.actions
        )


def parse(text: str) -> tuple[Statement, ...]:
    """Read a policy, or raise ``InvalidParameterException``."""
    try:
        document = json.loads(text)
        statements = document["Statement"]
        return tuple(map(_statement, statements if isinstance(statements, list) else [statements]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise invalid_parameter("PolicyText", "Invalid repository policy provided") from None


def is_allowed(policy: str | None, *, owner: str, account: str, action: str) -> bool:
    """Decide as IAM does: a denial wins; other accounts need an allowance, the owner's own callers don't."""
    concerned = [s for s in parse(policy) if s.concerns(account, action)] if policy else []
    if not all(statement.allows for statement in concerned):
        return False
    return account == owner or bool(concerned)


def _statement(value: dict[str, Any]) -> Statement:
    if unread := value.keys() - _READ:
        raise EcrError(
            "InvalidParameterException",
            f"The ECR emulator does not evaluate {', '.join(sorted(unread))} in repository policies",
        )
    if value["Effect"] not in ("Allow", "Deny"):
        raise ValueError(value["Effect"])
    return Statement(value["Effect"] == "Allow", _principals(value["Principal"]), _strings(value["Action"]))


def _principals(value: Any) -> tuple[str, ...]:
    if value == "*":
        return ("*",)
    return tuple(name for kind in value for name in _strings(value[kind]) if kind == "AWS")


def _strings(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        raise TypeError(value)
    return tuple(values)


def _names(principal: str, account: str) -> bool:
    arn = re.fullmatch(r"arn:[a-z-]+:(?:iam|sts)::([0-9]{12}):.+", principal)
    return (arn[1] if arn else principal) in ("*", account)


def _matches(pattern: str, action: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, action, re.IGNORECASE) is not None
