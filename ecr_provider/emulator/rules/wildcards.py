"""The wildcards of ECR's filters: of tags, and of repositories' names."""

from __future__ import annotations

import re


def matches(wildcard: str, text: str) -> bool:
    """Match the whole text, case-sensitively; ``*``, the only special character, stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, wildcard.split("*"))), text) is not None
