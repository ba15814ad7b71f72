"""What scans say of an image, as the local ECR answers it, and as ECR was seen to answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import pytest
from emulator_calls import ONCE
from local_ecr import REPOSITORY, needs_archives

from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.ecr.scans import SCAN_NOT_FOUND, Finding, Scan, describe_scan, start_scan
from ecr_provider.emulator import EcrEmulator, ScanStep
from ecr_provider.emulator import Finding as Scripted
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.emulator.scripts import ScanStatus
from ecr_provider.exceptions import (
    AccessDeniedError,
    EcrCallError,
    ImageNotFoundError,
    InvalidRequestError,
    QuotaExceededError,
    RepositoryNotFoundError,
    ServiceFaultError,
    ThrottledError,
)
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
OTHER = "999999999999"
ANYBODY = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"}]}'
EVERYTHING: Any = [
    {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
]


@pytest.fixture
def repository(ecr: EcrEmulator) -> EcrRepository:
    """The repository, scanned on push, by a client that tries once."""
    client = ecr.client(config=ONCE)
    client.put_image_scanning_configuration(repositoryName=REPOSITORY, imageScanningConfiguration={"scanOnPush": True})
    return EcrRepository(client, REPOSITORY)


@pytest.fixture
def digest(build: Build, repository: EcrRepository) -> Digest:  # noqa: ARG001 - scanned on push
    """An image that is scanned."""
    return Digest.parse(build("new", "build-42", platforms=["linux/amd64"]).digest)


def answers(ecr: EcrEmulator, change: dict[str, Any]) -> None:
    """Have the next answer carry this."""
    ecr.faults.corrupt("DescribeImageScanFindings", lambda answer: answer | change)


def answer_of(status: str = "COMPLETE", **findings: Any) -> dict[str, Any]:
    return {"imageScanStatus": {"status": status}, "imageScanFindings": findings}


def enhanced(**changes: Any) -> dict[str, Any]:
    """Write a finding of Amazon Inspector's."""
    package = {"name": "openssl", "version": "1.1.1", "fixedInVersion": "1.1.2"}
    return {
        "severity": "CRITICAL",
        "status": "ACTIVE",
        "title": "CVE-2026-1 - openssl",
        "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2026-1", "vulnerablePackages": [package]},
    } | changes


# --- What it is --------------------------------------------------------------------------------------------------


def test_a_basic_scan_is_described(ecr: EcrEmulator, repository: EcrRepository, digest: Digest) -> None:
    found = [Scripted("CVE-2026-1", "CRITICAL"), Scripted("CVE-2026-2", "LOW", "zlib", "1.3")]
    ecr.scans.script(findings=found)
    ecr.advance(60)
    scan = describe_scan(repository, digest)
    assert scan.completed_at is not None
    assert scan == Scan(
        "COMPLETE",
        "The scan was completed successfully.",
        "basic",
        scan.completed_at,
        {"CRITICAL": 1, "LOW": 1},
        (
            Finding("CVE-2026-1", "CRITICAL", "openssl", "1.1.1"),
            Finding("CVE-2026-2", "LOW", "zlib", "1.3"),
        ),
    )
    assert ecr.calls == ["DescribeImageScanFindings"]
    assert ecr.requests[-1].parameters["maxResults"] == 1000


def test_an_enhanced_scan_is_described(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, digest: Digest
) -> None:
    ecr.scans.script(findings={"HIGH": 1, "UNDEFINED": 1})
    client.put_registry_scanning_configuration(scanType="ENHANCED", rules=EVERYTHING)
    ecr.advance(60)
    scan = describe_scan(repository, digest)
    assert (scan.status, scan.kind, scan.counts) == ("ACTIVE", "enhanced", {"HIGH": 1, "UNTRIAGED": 1})
    assert scan.findings == (
        Finding("CVE-1900-0001", "HIGH", "openssl", "1.1.1"),
        Finding("CVE-1900-0002", "UNTRIAGED", "openssl", "1.1.1"),
    )


@pytest.mark.parametrize("status", get_args(ScanStatus))
def test_every_state_is_told_in_ecrs_words(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, status: ScanStatus
) -> None:
    ecr.scans.script(ScanStep(status, findings=None, description="Because."))
    assert describe_scan(repository, digest) == Scan(status, "Because.")


def test_a_state_that_is_new_is_told_as_it_is(ecr: EcrEmulator, repository: EcrRepository, digest: Digest) -> None:
    answers(ecr, {"imageScanStatus": {"status": "QUEUED_IN_SPACE"}})
    assert describe_scan(repository, digest) == Scan("QUEUED_IN_SPACE")


def test_an_image_that_nothing_scanned_is_no_error(client: ECRClient, build: Build) -> None:
    digest = Digest.parse(build("new", platforms=["linux/amd64"]).digest)
    assert describe_scan(EcrRepository(client, REPOSITORY), digest).status == SCAN_NOT_FOUND


@pytest.mark.parametrize("status", ["COMPLETE", "ACTIVE"])
def test_nothing_found_is_not_the_same_as_no_findings_yet(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, status: ScanStatus
) -> None:
    ecr.scans.script(ScanStep(status))
    assert (describe_scan(repository, digest).counts, describe_scan(repository, digest).kind) == ({}, "basic")
    ecr.scans.script(ScanStep(status, findings=None))
    assert (describe_scan(repository, digest).counts, describe_scan(repository, digest).kind) == (None, None)


@pytest.mark.parametrize("status", ["COMPLETE", "ACTIVE"])
def test_a_list_that_is_empty_and_not_counted_is_no_finding_of_nothing(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, status: str
) -> None:
    # Seen under enhanced scanning, seconds before the findings were there: github.com/aws/aws-sdk/issues/289.
    answers(ecr, answer_of(status, findings=[]))
    assert describe_scan(repository, digest).counts is None


def test_findings_that_are_listed_and_not_counted_are_findings(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest
) -> None:
    answers(ecr, answer_of(enhancedFindings=[enhanced()]))
    scan = describe_scan(repository, digest)
    assert (scan.counts, len(scan.findings)) == ({}, 1)


# --- Findings ----------------------------------------------------------------------------------------------------


def described(ecr: EcrEmulator, repository: EcrRepository, digest: Digest, **findings: Any) -> Finding:
    answers(ecr, answer_of(**findings))
    (found,) = describe_scan(repository, digest).findings
    return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Finding("CVE-2026-1", "CRITICAL", "openssl", "1.1.1", "1.1.2")),
        ({"status": "SUPPRESSED"}, Finding("CVE-2026-1", "CRITICAL", "openssl", "1.1.1", "1.1.2", is_active=False)),
        ({"status": "CLOSED"}, Finding("CVE-2026-1", "CRITICAL", "openssl", "1.1.1", "1.1.2", is_active=False)),
        ({"status": None}, Finding("CVE-2026-1", "CRITICAL", "openssl", "1.1.1", "1.1.2")),
        ({"severity": "Critical"}, Finding("CVE-2026-1", "CRITICAL", "openssl", "1.1.1", "1.1.2")),
        ({"packageVulnerabilityDetails": None}, Finding("CVE-2026-1 - openssl", "CRITICAL")),
        ({"packageVulnerabilityDetails": {"vulnerabilityId": "GHSA-1"}}, Finding("GHSA-1", "CRITICAL")),
        (
            {"packageVulnerabilityDetails": {"vulnerabilityId": "GHSA-1", "vulnerablePackages": []}},
            Finding("GHSA-1", "CRITICAL"),
        ),
        (
            {"packageVulnerabilityDetails": {"vulnerablePackages": [{"name": "a"}, {"name": "b", "version": "2"}]}},
            Finding("CVE-2026-1 - openssl", "CRITICAL", "a"),
        ),
    ],
)
def test_an_enhanced_finding_is_read(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, changes: dict[str, Any], expected: Finding
) -> None:
    assert described(ecr, repository, digest, enhancedFindings=[enhanced(**changes)]) == expected


def test_a_fix_that_is_not_available_is_none(ecr: EcrEmulator, repository: EcrRepository, digest: Digest) -> None:
    package = {"name": "zlib", "version": "1.3", "fixedInVersion": "NotAvailable"}
    details = {"vulnerabilityId": "CVE-2026-1", "vulnerablePackages": [package]}
    finding = enhanced(packageVulnerabilityDetails=details)
    assert not described(ecr, repository, digest, enhancedFindings=[finding]).fixed_in


@pytest.mark.parametrize("severity", ["Critical", "critical", "CRITICAL"])
def test_the_severity_of_a_basic_finding_is_in_capitals(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, severity: str
) -> None:
    finding = {"name": "CVE-2026-1", "severity": severity, "attributes": [{"key": "package_name"}]}
    assert described(ecr, repository, digest, findings=[finding]) == Finding("CVE-2026-1", "CRITICAL")


@pytest.mark.parametrize("kind", ["findings", "enhancedFindings"])
def test_a_finding_that_nobody_rated_or_named_is_one(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, kind: str
) -> None:
    # ECR's model requires neither.
    finding = described(ecr, repository, digest, **{kind: [{"description": "Something."}]})
    assert finding == Finding("", "UNDEFINED" if kind == "findings" else "UNTRIAGED")


# --- Pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "calls"), [(999, 1), (1000, 1), (1001, 2), (2345, 3)])
def test_all_pages_are_read(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, count: int, calls: int
) -> None:
    ecr.scans.script(findings={"LOW": count - 1, "CRITICAL": 1})  # the worst comes last
    ecr.advance(60)
    scan = describe_scan(repository, digest)
    assert ecr.calls == ["DescribeImageScanFindings"] * calls
    assert Counter(each.severity for each in scan.findings) == scan.counts == {"LOW": count - 1, "CRITICAL": 1}
    assert len({each.name for each in scan.findings}) == count


@pytest.fixture
def two_pages(ecr: EcrEmulator, digest: Digest) -> Digest:
    """An image whose findings are two pages."""
    ecr.scans.script(findings={"LOW": 1001})
    ecr.advance(60)
    return digest


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError),
        ("ServerException", ServiceFaultError),
        ("AccessDeniedException", AccessDeniedError),
    ],
)
def test_a_failure_of_the_second_page_is_one_of_the_scan(
    ecr: EcrEmulator, repository: EcrRepository, two_pages: Digest, code: str, error: type[EcrCallError]
) -> None:
    ecr.faults.fail("DescribeImageScanFindings", code, skip=1)
    with pytest.raises(error):
        describe_scan(repository, two_pages)


def test_an_image_deleted_between_two_pages_is_missing(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, two_pages: Digest
) -> None:
    gone: Any = [{"imageDigest": str(two_pages)}]
    delete = lambda: client.batch_delete_image(repositoryName=REPOSITORY, imageIds=gone)  # noqa: E731 - a one-off
    ecr.faults.before("DescribeImageScanFindings", delete, skip=1)
    with pytest.raises(ImageNotFoundError):
        describe_scan(repository, two_pages)


def test_a_scan_that_begins_anew_between_two_pages_is_in_progress(
    ecr: EcrEmulator, repository: EcrRepository, two_pages: Digest
) -> None:
    anew = lambda: ecr.scans.script(ScanStep("IN_PROGRESS", findings=None))  # noqa: E731 - a one-off
    ecr.faults.before("DescribeImageScanFindings", anew, skip=1)
    assert describe_scan(repository, two_pages).status == "IN_PROGRESS"


def test_a_scan_that_is_gone_between_two_pages_is_not_found(
    ecr: EcrEmulator, repository: EcrRepository, two_pages: Digest
) -> None:
    ecr.faults.fail("DescribeImageScanFindings", "ScanNotFoundException", skip=1)
    assert describe_scan(repository, two_pages).status == SCAN_NOT_FOUND


@pytest.mark.parametrize("left_out", ["findingSeverityCounts", "imageScanFindings"])
def test_counts_are_known_if_a_page_has_them(
    ecr: EcrEmulator, repository: EcrRepository, two_pages: Digest, left_out: str
) -> None:
    def without(answer: dict[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in answer["imageScanFindings"].items() if name != left_out}
        return {name: value for name, value in (answer | {"imageScanFindings": found}).items() if name != left_out}

    ecr.faults.corrupt("DescribeImageScanFindings", without, skip=1)
    assert describe_scan(repository, two_pages).counts == {"LOW": 1001}


# --- Failures ----------------------------------------------------------------------------------------------------


def test_failures_are_errors(ecr: EcrEmulator, repository: EcrRepository, digest: Digest) -> None:
    with pytest.raises(RepositoryNotFoundError, match=rf"DescribeImageScanFindings of shop/none@{digest} failed"):
        describe_scan(EcrRepository(repository.client, "shop/none"), digest)
    with pytest.raises(ImageNotFoundError):
        describe_scan(repository, Digest.of(b"nowhere"))
    ecr.faults.fail("DescribeImageScanFindings", "ValidationException")
    with pytest.raises(InvalidRequestError):
        describe_scan(repository, digest)


@pytest.mark.parametrize(
    "change",
    [
        {"imageScanStatus": None},
        {"imageScanStatus": {"description": "Nothing."}},
        {"imageScanFindings": {"findings": [{"severity": "CRITICAL", "attributes": [{"value": "zlib"}]}]}},
    ],
)
def test_an_answer_of_another_shape_is_a_fault(
    ecr: EcrEmulator, repository: EcrRepository, digest: Digest, change: dict[str, Any]
) -> None:
    answers(ecr, change)
    with pytest.raises(ServiceFaultError):
        describe_scan(repository, digest)


def test_another_account_is_asked_by_its_registry_id(ecr: EcrEmulator, repository: EcrRepository) -> None:
    foreign = EcrRepository(repository.client, REPOSITORY, OTHER)
    with pytest.raises(RepositoryNotFoundError):
        describe_scan(foreign, Digest.of(b""))
    with pytest.raises(RepositoryNotFoundError):
        start_scan(foreign, Digest.of(b""))
    assert [request.parameters["registryId"] for request in ecr.requests[-2:]] == [OTHER, OTHER]


# --- Starting one ------------------------------------------------------------------------------------------------


@pytest.fixture
def unscanned(client: ECRClient, build: Build) -> tuple[EcrRepository, Digest]:
    """An image that nothing scans by itself."""
    return EcrRepository(client, REPOSITORY), Digest.parse(build("new", platforms=["linux/amd64"]).digest)


def test_a_scan_is_started(ecr: EcrEmulator, unscanned: tuple[EcrRepository, Digest]) -> None:
    assert start_scan(*unscanned) == "IN_PROGRESS"
    assert describe_scan(*unscanned).status == "IN_PROGRESS"
    assert ecr.calls == ["StartImageScan", "DescribeImageScanFindings"]


def test_an_image_is_scanned_once_a_day(unscanned: tuple[EcrRepository, Digest]) -> None:
    start_scan(*unscanned)
    with pytest.raises(QuotaExceededError, match="scan quota per image") as refused:
        start_scan(*unscanned)
    assert "Delete images" not in str(refused.value)


def test_the_registry_has_a_quota_of_scans(ecr: EcrEmulator, unscanned: tuple[EcrRepository, Digest]) -> None:
    ecr.limits.basic_scans = 0
    with pytest.raises(QuotaExceededError):
        start_scan(*unscanned)


def test_under_enhanced_scanning_no_scan_can_be_started(
    client: ECRClient, unscanned: tuple[EcrRepository, Digest]
) -> None:
    client.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    with pytest.raises(EcrCallError, match="feature is disabled"):
        start_scan(*unscanned)


def test_an_index_is_no_image_to_scan(client: ECRClient, build: Build) -> None:
    with pytest.raises(EcrCallError, match="UnsupportedImageTypeException"):
        start_scan(EcrRepository(client, REPOSITORY), Digest.parse(build("new").digest))


@needs_archives
def test_what_is_in_the_archive_is_not_scanned(client: ECRClient, unscanned: tuple[EcrRepository, Digest]) -> None:
    repository, digest = unscanned
    client.update_image_storage_class(
        repositoryName=REPOSITORY, imageId={"imageDigest": str(digest)}, targetStorageClass="ARCHIVE"
    )
    with pytest.raises(EcrCallError, match="ImageArchivedException"):
        start_scan(repository, digest)


def test_an_answer_without_a_status_is_a_fault(ecr: EcrEmulator, unscanned: tuple[EcrRepository, Digest]) -> None:
    ecr.faults.corrupt("StartImageScan", lambda answer: answer | {"imageScanStatus": None})
    with pytest.raises(ServiceFaultError):
        start_scan(*unscanned)
