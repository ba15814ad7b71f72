"""Limits of Amazon ECR, each with its source."""

from __future__ import annotations

from typing import Final

#: Identifiers in one BatchGetImage or DescribeImages call.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
MAX_IMAGE_IDS: Final = 100

#: Digests in one BatchCheckLayerAvailability call.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html
MAX_LAYER_DIGESTS: Final = 100

#: Referrers in one answer of ListImageReferrers.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html
MAX_REFERRERS_A_PAGE: Final = 50

#: Findings in one answer of DescribeImageScanFindings.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
MAX_FINDINGS_A_PAGE: Final = 1_000

#: Images in one answer of DescribeImages.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
MAX_IMAGES_A_PAGE: Final = 1_000

#: Calls a second, for each account and Region, of what a copy makes many of; a quota may have been raised.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
CALLS_PER_SECOND: Final = {"PutImage": 10.0, "InitiateLayerUpload": 100.0}
