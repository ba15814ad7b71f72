"""The filters of ECR's rules, in which ``*`` stands for any text, and nothing else for anything but itself."""

from __future__ import annotations

import re


def matches(pattern: str, text: str) -> bool:
    """Tell whether the whole text is what a filter names.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html, "tagPatternList"
    """
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
