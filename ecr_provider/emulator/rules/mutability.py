"""Tag mutability: which tags of a repository may move to another image."""

from __future__ import annotations

import re
from typing import Any

from ecr_provider.emulator.rules.errors import EcrError
from ecr_provider.emulator.store.repositories import Repository


def settings(parameters: dict[str, Any]) -> tuple[str, list[dict[str, str]]]:
    """Read the mutability and its exclusion filters: there are filters exactly for ``…_WITH_EXCLUSION``."""
    mutability: str = parameters.get("imageTagMutability", "MUTABLE")
    filters: list[dict[str, str]] = parameters.get("imageTagMutabilityExclusionFilters", [])
    if mutability.endswith("_WITH_EXCLUSION") != bool(filters):
        rule = "can't be null" if not filters else "must be null"
        raise EcrError(
            "InvalidParameterException",
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
            f"'ImageTagMutabilityExclusionFilters {rule} when imageTagMutability is set as {mutability}'",
        )
    return mutability, filters


def is_immutable(repository: Repository, tag: str) -> bool:
    """Tell whether a tag, once put, must stay where it is. Deleting it is always allowed."""
    excluded = any(_matches(exclusion["filter"], tag) for exclusion in repository.exclusions)
    return repository.mutability.startswith("IMMUTABLE") is not excluded


def _matches(wildcard: str, tag: str) -> bool:
    """Match the whole tag, case-sensitively; ``*`` is the only special character."""
    return re.fullmatch(".*".join(map(re.escape, wildcard.split("*"))), tag) is not None
