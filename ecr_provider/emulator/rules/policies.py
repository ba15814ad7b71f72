"""Policies of repositories and registries: who may do what across accounts.

Read are ``Effect``, ``Principal``, ``Action`` and ``Resource``, with wildcards. Callers are accounts here, so a
principal that names a user or a role of an account means the account. What cannot be read (``Condition``,
``NotAction``, ``NotPrincipal``, ``NotResource``) is refused when the policy is set, since ignoring it could
allow what AWS denies.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.filters import matches_in_policy

_READ = {"Sid", "Effect", "Principal", "Action", "Resource"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, its lists made lists."""

    allows: bool
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def concerns(self, account: str, action: str, resource: str) -> bool:
        """Tell whether the statement is about this account doing this to this repository, given as an ARN."""
        return (
            any(_names(principal, account) for principal in self.principals)
            and any(matches_in_policy(pattern, action, re.IGNORECASE) for pattern in self.actions)
            and any(matches_in_policy(pattern, resource) for pattern in self.resources)
        )


def parse(text: str, kind: Literal["repository", "registry"] = "repository") -> tuple[Statement, ...]:
    """Read a policy, or raise ``InvalidParameterException`` (*reported*, in these words, for both kinds).

    A repository's policy need not name a resource; it is about the repository then.
    """
    try:
        document = json.loads(text)
        statements = document["Statement"]
        listed = statements if isinstance(statements, list) else [statements]
        return tuple(_statement(statement, kind) for statement in listed)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise invalid_parameter("PolicyText", f"Invalid {kind} policy provided") from None


def is_allowed(*texts: str | None, owner: str, account: str, action: str, resource: str) -> bool:
    """Decide as IAM does: a denial wins; other accounts need an allowance, the owner's own callers don't."""
    statements = [statement for text in texts if text for statement in parse(text)]
    concerned = [statement for statement in statements if statement.concerns(account, action, resource)]
    if not all(statement.allows for statement in concerned):
        return False
    return account == owner or bool(concerned)


def _statement(value: dict[str, Any], kind: str) -> Statement:
    if unread := value.keys() - _READ:
        raise EcrError(
            "InvalidParameterException",
            f"The ECR emulator does not evaluate {', '.join(sorted(unread))} in {kind} policies",
        )
    if value["Effect"] not in ("Allow", "Deny"):
        raise ValueError(value["Effect"])
    resources = value["Resource"] if kind == "registry" else value.get("Resource", "*")
    return Statement(
        value["Effect"] == "Allow", _principals(value["Principal"]), _strings(value["Action"]), _strings(resources)
    )


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
