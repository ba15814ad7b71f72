"""Tags: which there can be, and which of a repository's may move to another image."""

from __future__ import annotations

import re
from typing import Any

from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.filters import matches
from ecr_provider.emulator.store.repositories import Repository

TAG_PATTERN = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
"""The OCI distribution specification's tags. ECR's model lets 300 characters of anything pass, and does not
say what the service then refuses."""

is_tag = re.compile(TAG_PATTERN).fullmatch


def settings(parameters: dict[str, Any]) -> tuple[str, list[dict[str, str]]]:
    """Read the mutability and its exclusion filters: there are filters exactly for ``…_WITH_EXCLUSION``."""
    mutability: str = parameters.get("imageTagMutability", "MUTABLE")
    filters: list[dict[str, str]] = parameters.get("imageTagMutabilityExclusionFilters", [])
    if mutability.endswith("_WITH_EXCLUSION") != bool(filters):
        rule = "can't be null" if not filters else "must be null"
        raise invalid_parameter(
            "imageTagMutabilityExclusionFilters",
            f"ImageTagMutabilityExclusionFilters {rule} when imageTagMutability is set as {mutability}",
        )
    return mutability, filters


def is_immutable(repository: Repository, tag: str) -> bool:
    """Tell whether a tag, once put, must stay where it is. Deleting it is always allowed."""
    excluded = any(matches(exclusion["filter"], tag) for exclusion in repository.exclusions)
    return repository.mutability.startswith("IMMUTABLE") is not excluded
