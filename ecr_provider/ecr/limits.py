"""Limits of Amazon ECR, each with its source."""

from __future__ import annotations

from typing import Final

#: Identifiers in one BatchGetImage or DescribeImages call.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
MAX_IMAGE_IDS: Final = 100
