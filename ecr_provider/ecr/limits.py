"""Limits of Amazon ECR, each with its source."""

from __future__ import annotations

from typing import Final

#: Identifiers in one BatchGetImage or DescribeImages call.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
MAX_IMAGE_IDS: Final = 100

#: PutImage calls a second, for an account and Region; adjustable (quota L-AD52DFB2).
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
PUT_IMAGE_PER_SECOND: Final = 10
