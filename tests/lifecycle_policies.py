"""Lifecycle policies, from their parts."""

from __future__ import annotations

import json
from typing import Any

ANY: dict[str, Any] = {"tagStatus": "any"}
UNTAGGED: dict[str, Any] = {"tagStatus": "untagged"}


def tagged(*patterns: str) -> dict[str, Any]:
    return {"tagStatus": "tagged", "tagPatternList": list(patterns)}


def prefixed(*prefixes: str) -> dict[str, Any]:
    return {"tagStatus": "tagged", "tagPrefixList": list(prefixes)}


def more_than(number: int) -> dict[str, Any]:
    return {"countType": "imageCountMoreThan", "countNumber": number}


def older(days: int, since: str = "sinceImagePushed") -> dict[str, Any]:
    return {"countType": since, "countUnit": "days", "countNumber": days}


def rule(priority: int, selected: dict[str, Any], limit: dict[str, Any], action: str = "expire") -> dict[str, Any]:
    acted = {"type": action} | ({"targetStorageClass": "archive"} if action == "transition" else {})
    return {"rulePriority": priority, "selection": selected | limit, "action": acted}


ARCHIVED = rule(99, ANY, older(90, "sinceImageTransitioned") | {"storageClass": "archive"})


def policy(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": rules})
