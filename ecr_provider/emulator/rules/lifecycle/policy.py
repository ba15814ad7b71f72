"""Reading lifecycle policies ("Lifecycle policy properties", user guide)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.rules.errors import invalid_lifecycle_policy
from ecr_provider.emulator.rules.filters import matches

_MOST_RULES = 50  # a quota that cannot be raised
_MOST_WILDCARDS = 4
_LEAST_DAYS_ARCHIVED = 90  # "Examples of lifecycle policies", user guide

_SINCE = frozenset({"sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"})

# Members by name, with their type.
_POLICY: Mapping[str, type] = {"rules": list}
_RULE: Mapping[str, type] = {"rulePriority": int, "description": str, "selection": dict, "action": dict}
_SELECTION: Mapping[str, type] = {
    "tagStatus": str,
    "tagPatternList": list,
    "tagPrefixList": list,
    "storageClass": str,
    "countType": str,
    "countUnit": str,
    "countNumber": int,
}
_ACTION: Mapping[str, type] = {"type": str, "targetStorageClass": str}

_OPTIONAL = frozenset(
    {"description", "tagPatternList", "tagPrefixList", "storageClass", "countUnit", "targetStorageClass"}
)


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """A rule of a lifecycle policy."""

    priority: int
    tag_status: str
    tag_patterns: tuple[str, ...]
    tag_prefixes: tuple[str, ...]
    storage_class: str
    count_type: str
    count_number: int
    action: str
    """expire, or transition: to the archive."""

    def selects(self, tags: list[str], storage_class: str) -> bool:
        """Tell whether an image has the tags and the storage class that the rule is about.

        Each of several patterns or prefixes must match some tag of the image.
        """
        if storage_class != self.storage_class:
            return False
        if self.tag_status != "tagged":
            return self.tag_status == "any" or not tags
        return all(any(matches(pattern, tag) for tag in tags) for pattern in self.tag_patterns) and all(
            any(tag.startswith(prefix) for tag in tags) for prefix in self.tag_prefixes
        )


def parse_policy(text: str) -> list[LifecycleRule]:
    """Read a policy; return its rules in the order of their priority, the first to be applied first.

    Raises InvalidParameterException for a policy that ECR would refuse.
    """
    rules = [_rule(item) for item in _members(_load(text), _POLICY)["rules"]]
    if not 1 <= len(rules) <= _MOST_RULES:
        raise invalid_lifecycle_policy(f"There must be between 1 and {_MOST_RULES} rules.")
    _require_unique([rule.priority for rule in rules], "rulePriority must be unique.")
    for storage_class in ("standard", "archive"):
        _require_harmony([rule for rule in rules if rule.storage_class == storage_class])
    return sorted(rules, key=lambda rule: rule.priority)


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable() from None


def _members(value: Any, types: Mapping[str, type]) -> dict[str, Any]:
    """Read an object that has these members and no others."""
    if not isinstance(value, dict) or not types.keys() - _OPTIONAL <= value.keys() <= types.keys():
        raise _unreadable()
    if not all(type(item) is types[name] for name, item in value.items()):
        raise _unreadable()
    return value


def _unreadable() -> Exception:
    return invalid_lifecycle_policy("Could not map policyString into LifecyclePolicy.")


# --- One rule ------------------------------------------------------------------------------------------------


def _rule(item: Any) -> LifecycleRule:
    rule = _members(item, _RULE)
    selection, action = _members(rule["selection"], _SELECTION), _members(rule["action"], _ACTION)
    patterns, prefixes = _tags(selection)
    count_type = _count_type(selection)
    if rule["rulePriority"] < 1:
        raise invalid_lifecycle_policy("rulePriority must be positive.")
    return LifecycleRule(
        rule["rulePriority"],
        selection["tagStatus"],
        patterns,
        prefixes,
        _storage_class(count_type, selection),
        count_type,
        selection["countNumber"],
        _action(count_type, action),
    )


def _tags(selection: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read the patterns and the prefixes: there are one or the other, exactly for tagged images."""
    status, patterns, prefixes = (selection.get(name) for name in ("tagStatus", "tagPatternList", "tagPrefixList"))
    _require_one_of("tagStatus", status, {"tagged", "untagged", "any"})
    if status != "tagged" and (patterns or prefixes):
        raise invalid_lifecycle_policy("tagPrefixList and tagPatternList go with tagStatus=TAGGED only.")
    if status == "tagged" and not (patterns or prefixes):
        raise invalid_lifecycle_policy("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.")
    if patterns and prefixes:
        raise invalid_lifecycle_policy("Must not specify both tagPrefixList and tagPatternList.")
    wanted = [*(patterns or ()), *(prefixes or ())]
    if not all(isinstance(item, str) and item for item in wanted):
        raise _unreadable()
    if any(item.count("*") > _MOST_WILDCARDS for item in wanted):
        raise invalid_lifecycle_policy(f"There can be {_MOST_WILDCARDS} wildcards in a string at most.")
    return tuple(patterns or ()), tuple(prefixes or ())


def _count_type(selection: dict[str, Any]) -> str:
    """Read the count type, and check the number and the unit that go with it."""
    count_type: str = selection["countType"]
    _require_one_of("countType", count_type, {"imageCountMoreThan", *_SINCE})
    if selection.get("countUnit") != ("days" if count_type in _SINCE else None):
        rule = "must be days" if count_type in _SINCE else "must not be specified"
        raise invalid_lifecycle_policy(f"countUnit {rule} when countType={count_type}.")
    least = _LEAST_DAYS_ARCHIVED if count_type == "sinceImageTransitioned" else 1
    if selection["countNumber"] < least:
        raise invalid_lifecycle_policy(f"countNumber must be {least} at least when countType={count_type}.")
    return count_type


def _storage_class(count_type: str, selection: dict[str, Any]) -> str:
    """Read the storage class, which goes with the count type, and must be spelt out for the archive."""
    expected = "archive" if count_type == "sinceImageTransitioned" else "standard"
    if selection.get("storageClass", "standard") != expected:
        raise invalid_lifecycle_policy(f"storageClass must be {expected} when countType={count_type}.")
    return expected


def _action(count_type: str, action: dict[str, Any]) -> str:
    """Read the action: images not pulled are archived, never expired, and archived ones are expired."""
    kind: str = action["type"]
    _require_one_of("type", kind, {"expire", "transition"})
    if action.get("targetStorageClass") != ("archive" if kind == "transition" else None):
        raise invalid_lifecycle_policy("targetStorageClass must be archive, and given for transition only.")
    if (count_type, kind) in (("sinceImagePulled", "expire"), ("sinceImageTransitioned", "transition")):
        raise invalid_lifecycle_policy(f"Action type {kind} does not go with countType={count_type}.")
    return kind


def _require_one_of(member: str, value: object, values: set[str]) -> None:
    if value not in values:
        raise invalid_lifecycle_policy(f"{member} must be one of {', '.join(sorted(values))}.")


# --- Rules together ------------------------------------------------------------------------------------------


def _require_harmony(rules: list[LifecycleRule]) -> None:
    """Check the rules of one storage class against each other (texts of the first two are reported)."""
    statuses = Counter(rule.tag_status for rule in rules)
    if statuses["untagged"] > 1:
        raise invalid_lifecycle_policy("Only one rule can select Untagged images per storage class.")
    last = max((rule.priority for rule in rules), default=0)
    if any(rule.tag_status == "any" and rule.priority != last for rule in rules):
        raise invalid_lifecycle_policy("Rule for tagStatus=ANY must have the lowest priority per storage class")
    tagged = [frozenset((*rule.tag_patterns, *rule.tag_prefixes)) for rule in rules if rule.tag_status == "tagged"]
    _require_unique(tagged, "Tagged rules must have unique sets of prefixes or patterns per storage class.")


def _require_unique(values: list[Any], reason: str) -> None:
    if len(set(values)) < len(values):
        raise invalid_lifecycle_policy(reason)
