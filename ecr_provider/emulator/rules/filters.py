"""Filters: the wildcards of ECR and of IAM, and which repositories a rule is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any


def matches(wildcard: str, text: str) -> bool:
    """Match the whole text, case-sensitively; ``*``, the only special character, stands for any text."""
    return _expression(wildcard, "*").fullmatch(text) is not None


def matches_in_policy(wildcard: str, text: str, flags: re.RegexFlag = re.NOFLAG) -> bool:
    """Match as IAM does: ``*`` stands for any text, and ``?`` for any one character."""
    return _expression(wildcard, "*?", flags).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _expression(wildcard: str, special: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    meanings = {"*": ".*", "?": "."}
    return re.compile("".join(meanings[c] if c in special else re.escape(c) for c in wildcard), flags)


# --- Repositories --------------------------------------------------------------------------------------------


def is_for_repository(rule: Mapping[str, Any], name: str) -> bool:
    """Tell whether a rule is for a repository; one without filters is for all."""
    filters = rule.get("repositoryFilters")
    return filters is None or any(selects(wanted, name) for wanted in filters)


def selects(wanted: Mapping[str, str], name: str) -> bool:
    """Tell whether a filter selects a repository, in the way of its type."""
    return _SELECTIONS[wanted["filterType"]](wanted["filter"], name)


def _begins(prefix: str, name: str) -> bool:
    return name.startswith(prefix)


def _contains(wildcard: str, name: str) -> bool:
    """Match a name; a filter without a wildcard matches all names that contain it.

    User guide, "Filters to choose which repositories are scanned".
    """
    return matches(wildcard if "*" in wildcard else f"*{wildcard}*", name)


_SELECTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "PREFIX_MATCH": _begins,  # of replication
    "WILDCARD": _contains,  # of scanning
    "WILDCARD_MATCH": matches,  # of signing
}
