"""What scans for vulnerabilities say of an image: Amazon ECR's basic ones, and Amazon Inspector's enhanced ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final, Literal, Self, cast

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.limits import MAX_FINDINGS_A_PAGE
from ecr_provider.ecr.repository import Page
from ecr_provider.exceptions import EcrCallError
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_ecr.type_defs import (
        DescribeImageScanFindingsResponseTypeDef,
        EnhancedImageScanFindingTypeDef,
        ImageScanFindingTypeDef,
        VulnerablePackageTypeDef,
    )

    from ecr_provider.ecr.repository import EcrRepository

SCAN_NOT_FOUND: Final = "SCAN_NOT_FOUND"
"""The state of an image that ECR knows no scan of: one that was just pushed, or that nothing scans."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability that a scan found.

    :param name: such as ``CVE-2026-1234``.
    :param severity: ``CRITICAL``, ``HIGH``, ``MEDIUM``, ``LOW``, ``INFORMATIONAL``, ``UNDEFINED`` or ``UNTRIAGED``.
    :param package: the package that has it.
    :param version: the package's version.
    :param fixed_in: the version without it, if there is one.
    :param is_active: whether it counts: Amazon Inspector also tells of those that it closed or suppressed.
    """

    name: str
    severity: str
    package: str = ""
    version: str = ""
    fixed_in: str = ""
    is_active: bool = True

    @classmethod
    def from_basic(cls, finding: ImageScanFindingTypeDef) -> Self:
        """Read one of a basic scan."""
        attributes = {each["key"]: each.get("value", "") for each in finding.get("attributes", ())}
        return cls(
            name=finding.get("name", ""),
            severity=finding.get("severity", "UNDEFINED").upper(),
            package=attributes.get("package_name", ""),
            version=attributes.get("package_version", ""),
        )

    @classmethod
    def from_enhanced(cls, finding: EnhancedImageScanFindingTypeDef) -> Self:
        """Read one of an enhanced scan; of several packages, the first is named."""
        vulnerability = finding.get("packageVulnerabilityDetails", {})
        package: VulnerablePackageTypeDef = (vulnerability.get("vulnerablePackages") or [{}])[0]
        fixed_in = package.get("fixedInVersion", "")
        return cls(
            name=vulnerability.get("vulnerabilityId") or finding.get("title", ""),
            severity=finding.get("severity", "UNTRIAGED").upper(),
            package=package.get("name", ""),
            version=package.get("version", ""),
            fixed_in="" if fixed_in == "NotAvailable" else fixed_in,
            is_active=finding.get("status", "ACTIVE") == "ACTIVE",
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """An image's last scan.

    :param status: ECR's ``ScanStatus``, or :data:`SCAN_NOT_FOUND`.
    :param description: ECR's words for it.
    :param kind: which of the two scans it is, as its findings show; ``None`` without any.
    :param completed_at: when it ended, as far as ECR tells.
    :param counts: how many findings ECR counts of each severity; ``None``: the answer has no findings at all, which
        is not the same as none.
    :param findings: one by one.
    """

    status: str
    description: str = ""
    kind: Literal["basic", "enhanced"] | None = None
    completed_at: datetime | None = None
    counts: Mapping[str, int] | None = None
    findings: tuple[Finding, ...] = ()


def describe_scan(repository: EcrRepository, digest: Digest) -> Scan:
    """Describe an image's last scan, by DescribeImageScanFindings, all of its pages.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html

    :raises ImageNotFoundError: there is no such image.
    :raises EcrCallError: another failure of the call.
    """
    pages: list[Scan] = []
    page: Page = {"maxResults": MAX_FINDINGS_A_PAGE}
    while True:
        try:
            with translated("DescribeImageScanFindings", f"{repository}@{digest}"):
                answer = repository.client.describe_image_scan_findings(
                    imageId={"imageDigest": str(digest)}, **page, **repository.address
                )
                pages.append(_scan(answer))
        except EcrCallError as error:
            if error.code == "ScanNotFoundException":
                return Scan(SCAN_NOT_FOUND, "ECR knows no scan of it")
            raise
        if not (token := answer.get("nextToken")):
            return _joined(pages)
        page["nextToken"] = token


def _joined(pages: Sequence[Scan]) -> Scan:
    """Make one answer of its pages; what is counted or dated on one of them counts for all."""
    counts = [page.counts for page in pages if page.counts is not None]
    return replace(
        pages[-1],
        kind=next((page.kind for page in pages if page.kind), None),
        completed_at=max((page.completed_at for page in pages if page.completed_at), default=None),
        counts=reduce(or_, map(Counter, counts)) if counts else None,
        findings=tuple(finding for page in pages for finding in page.findings),
    )


def start_scan(repository: EcrRepository, digest: Digest) -> str:
    """Start a basic scan, by StartImageScan, and return its status.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartImageScan.html

    :raises QuotaExceededError: the image was scanned in the last 24 hours, or the registry has used up its scans.
    :raises EcrCallError: another failure of the call; under enhanced scanning no scan can be started.
    """
    with translated("StartImageScan", f"{repository}@{digest}"):
        answer = repository.client.start_image_scan(imageId={"imageDigest": str(digest)}, **repository.address)
        return answer["imageScanStatus"]["status"]


def _scan(answer: DescribeImageScanFindingsResponseTypeDef) -> Scan:
    status = answer.get("imageScanStatus", {})
    found = answer.get("imageScanFindings", {})
    basic = tuple(map(Finding.from_basic, found.get("findings", ())))
    enhanced = tuple(map(Finding.from_enhanced, found.get("enhancedFindings", ())))
    counts = cast("Mapping[str, int] | None", found.get("findingSeverityCounts"))
    return Scan(
        status=status["status"],
        description=status.get("description", ""),
        kind="enhanced" if "enhancedFindings" in found else "basic" if "findings" in found else None,
        completed_at=found.get("imageScanCompletedAt"),
        # An answer that lists findings and does not count them is an answer all the same.
        counts={} if counts is None and (basic or enhanced) else counts,
        findings=basic + enhanced,
    )
