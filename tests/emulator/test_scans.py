"""Basic scans: begun on push or by hand, complete some time later, with the findings that were told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import OTHER, refused

from ecr_provider.emulator import EcrEmulator, Finding, ScanStep
from ecr_provider.emulator.samples import SampleImage, push, sample_artifact, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

DAY = 24 * 60 * 60
IMAGE = sample_image(("linux/amd64",))


@pytest.fixture
def scanned(client: ECRClient) -> str:
    """The name of a repository whose images are scanned on push."""
    client.create_repository(repositoryName="shop/web", imageScanningConfiguration={"scanOnPush": True})
    return "shop/web"


def describe(client: ECRClient, tag: str = "v1", **parameters: Any) -> Any:
    return client.describe_image_scan_findings(repositoryName="shop/web", imageId={"imageTag": tag}, **parameters)


def status(client: ECRClient, tag: str = "v1") -> str:
    found: str = describe(client, tag)["imageScanStatus"]["status"]
    return found


def start(client: ECRClient, tag: str = "v1") -> str:
    answer = client.start_image_scan(repositoryName="shop/web", imageId={"imageTag": tag})
    return answer["imageScanStatus"]["status"]


# --- On push ---


def test_a_scan_on_push_takes_its_time(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    answer = describe(client)
    assert answer["imageScanStatus"] == {"status": "IN_PROGRESS"}
    assert "imageScanFindings" not in answer
    ecr.advance(ecr.switches.scan_seconds)
    answer = describe(client)
    assert answer["imageId"] == {"imageDigest": IMAGE.digest, "imageTag": "v1"}
    assert answer["imageScanStatus"] == {
        "status": "COMPLETE",
        "description": "The scan was completed successfully.",
    }
    assert answer["imageScanFindings"]["findings"] == []
    assert answer["imageScanFindings"]["findingSeverityCounts"] == {}
    assert "enhancedFindings" not in answer["imageScanFindings"]


def test_without_scan_on_push_there_is_no_scan(client: ECRClient, web: str) -> None:
    push(client, web, IMAGE, "v1")
    message = f"Image scan does not exist for the image with '{{imageDigest:'null', imageTag:'v1'}}'.* '{web}'"
    with refused("ScanNotFoundException", message):
        describe(client)


def test_scan_on_push_can_be_turned_on_and_off(client: ECRClient, web: str) -> None:
    answer = client.put_image_scanning_configuration(
        repositoryName=web, imageScanningConfiguration={"scanOnPush": True}
    )
    assert answer["imageScanningConfiguration"] == {"scanOnPush": True}
    (repository,) = client.describe_repositories(repositoryNames=[web])["repositories"]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    push(client, web, IMAGE, "v1")
    assert status(client) == "IN_PROGRESS"
    client.put_image_scanning_configuration(repositoryName=web, imageScanningConfiguration={"scanOnPush": False})
    push(client, web, sample_image(("linux/arm64",)), "v2")
    with refused("ScanNotFoundException"):
        status(client, "v2")


def test_an_index_is_scanned_platform_by_platform(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    image = sample_image()
    arm = image.children[1].digest
    ecr.scans.script(image_digest=arm, findings={"HIGH": 1})
    push(client, scanned, image, "v1")
    with refused("ScanNotFoundException"):
        status(client)
    ecr.advance(60)
    counts = [
        client.describe_image_scan_findings(repositoryName=scanned, imageId={"imageDigest": child.digest})[
            "imageScanFindings"
        ]["findingSeverityCounts"]
        for child in image.children
    ]
    assert counts == [{}, {"HIGH": 1}]


def test_an_image_is_scanned_once_a_day(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    ecr.advance(DAY - 1)
    retag(client, scanned, IMAGE, "v2")
    assert status(client) == "COMPLETE"
    ecr.advance(1)
    retag(client, scanned, IMAGE, "v3")
    assert status(client) == "IN_PROGRESS"


def retag(client: ECRClient, repository: str, image: SampleImage, tag: str) -> None:
    client.put_image(repositoryName=repository, imageManifest=image.text, imageTag=tag)


def test_describe_images_does_not_show_scans(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    # "The new version of Amazon ECR Basic Scanning doesn't use" them (API reference, DescribeImages).
    push(client, scanned, IMAGE, "v1")
    ecr.advance(60)
    (detail,) = client.describe_images(repositoryName=scanned)["imageDetails"]
    assert not {"imageScanStatus", "imageScanFindingsSummary"} & detail.keys()


def test_a_scan_goes_with_its_image(client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    client.batch_delete_image(repositoryName=scanned, imageIds=[{"imageTag": "v1"}])
    with refused("ImageNotFoundException"):
        status(client)
    push(client, scanned, IMAGE, "v1")  # scanned again: it is another image, 24 hours or not
    assert status(client) == "IN_PROGRESS"


# --- By hand ---


def test_a_scan_by_hand(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, IMAGE, "v1")
    assert start(client) == "IN_PROGRESS"
    ecr.advance(60)
    assert status(client) == "COMPLETE"
    with refused("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."):
        start(client)
    ecr.advance(DAY)
    assert start(client) == "IN_PROGRESS"


def test_a_scan_on_push_is_the_scan_of_the_day(client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    with refused("LimitExceededException"):
        start(client)


def test_the_registry_has_a_quota_too(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    ecr.limits.basic_scans = 1
    push(client, scanned, IMAGE, "v1")
    push(client, scanned, sample_image(("linux/arm64",)), "v2")  # not scanned, and no error either
    with refused("LimitExceededException", "1 basic scans per 24 hours"):
        start(client, "v2")
    ecr.advance(DAY)
    assert start(client, "v2") == "IN_PROGRESS"


def test_an_index_is_not_scanned(client: ECRClient, web: str) -> None:
    push(client, web, sample_image(), "v1")
    with refused("UnsupportedImageTypeException", "'application/vnd.oci.image.index.v1.json' cannot be scanned"):
        start(client)


def test_an_artifact_is_not_scanned(client: ECRClient, scanned: str) -> None:
    push(client, scanned, sample_artifact("application/vnd.example.sbom", subject=IMAGE), "v1")
    with refused("ScanNotFoundException"):
        status(client)
    with refused("UnsupportedImageTypeException", "'application/vnd.example.sbom' cannot be scanned"):
        start(client)


def test_what_is_missing_is_not_scanned(client: ECRClient, web: str) -> None:
    with refused("ImageNotFoundException"):
        start(client)
    with refused("RepositoryNotFoundException"):
        client.start_image_scan(repositoryName="shop/none", imageId={"imageTag": "v1"})
    with refused("RepositoryNotFoundException"):
        client.put_image_scanning_configuration(repositoryName="shop/none", imageScanningConfiguration={})
    with refused("InvalidParameterException"):
        client.start_image_scan(repositoryName=web, imageId={})


def test_another_account_needs_a_policy(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, IMAGE, "v1")
    stranger = ecr.client(account_id=OTHER)
    with refused("AccessDeniedException"):
        stranger.start_image_scan(registryId="123456789012", repositoryName=web, imageId={"imageTag": "v1"})


# --- Scripts ---


def test_findings_in_pages(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    found = [
        Finding(f"CVE-2026-{number}", "HIGH", package="openssl", version="3.0.1", description="Oh.")
        for number in range(1001, 1006)
    ]
    ecr.scans.script(repository_name=scanned, findings=found)
    push(client, scanned, IMAGE, "v1")
    ecr.advance(60)
    paginator = client.get_paginator("describe_image_scan_findings")
    pages = list(
        paginator.paginate(repositoryName=scanned, imageId={"imageTag": "v1"}, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["imageScanFindings"]["findings"]) for page in pages] == [2, 2, 1]
    assert {page["imageScanFindings"]["findingSeverityCounts"]["HIGH"] for page in pages} == {5}
    assert pages[0]["imageScanFindings"]["findings"][0] == {
        "name": "CVE-2026-1001",
        "description": "Oh.",
        "uri": "https://nvd.nist.gov/vuln/detail/CVE-2026-1001",
        "severity": "HIGH",
        "attributes": [{"key": "package_version", "value": "3.0.1"}, {"key": "package_name", "value": "openssl"}],
    }
    with refused("InvalidParameterException"):
        describe(client, nextToken="mine")


def test_findings_may_come_after_the_scan_is_complete(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    ecr.scans.script(
        ScanStep("IN_PROGRESS"),
        ScanStep("COMPLETE", after=5, findings=None),
        ScanStep("COMPLETE", after=10),
        ScanStep("COMPLETE", after=40, findings={"CRITICAL": 1}),
        repository_name=scanned,
    )
    push(client, scanned, IMAGE, "v1")
    ecr.advance(5)
    assert (status(client), "imageScanFindings" in describe(client)) == ("COMPLETE", False)
    ecr.advance(5)
    assert describe(client)["imageScanFindings"]["findings"] == []
    ecr.advance(30)
    assert describe(client)["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1}


def test_a_scan_that_is_not_known_at_once(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    ecr.scans.script(ScanStep("IN_PROGRESS", after=30), ScanStep("COMPLETE", after=40), repository_name=scanned)
    push(client, scanned, IMAGE, "v1")
    with refused("ScanNotFoundException"):
        status(client)
    ecr.advance(30)
    assert status(client) == "IN_PROGRESS"


@pytest.mark.parametrize("final", ["FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED"])
def test_a_scan_that_comes_to_nothing(ecr: EcrEmulator, client: ECRClient, scanned: str, final: Any) -> None:
    ecr.scans.script(ScanStep(final, description="As scripted."), repository_name=scanned)
    push(client, scanned, IMAGE, "v1")
    assert describe(client)["imageScanStatus"] == {"status": final, "description": "As scripted."}
    assert "imageScanFindings" not in describe(client)
    ecr.advance(DAY)
    assert "ECR Image Scan" not in {event.detail_type for event in ecr.events}


def test_a_script_told_after_the_push_counts_too(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    ecr.scans.script(repository_name=scanned, findings={"CRITICAL": 2})
    ecr.advance(60)
    assert describe(client)["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 2}
    ecr.scans.clear()
    assert describe(client)["imageScanFindings"]["findingSeverityCounts"] == {}


def test_a_restart_keeps_scans_and_forgets_scripts(tmp_path: Path) -> None:
    with EcrEmulator(tmp_path) as ecr:
        client = ecr.client()
        client.create_repository(repositoryName="shop/web", imageScanningConfiguration={"scanOnPush": True})
        ecr.scans.script(findings={"HIGH": 1})
        push(client, "shop/web", IMAGE, "v1")
    with EcrEmulator(tmp_path) as ecr:
        assert status(ecr.client()) == "IN_PROGRESS"
        ecr.advance(60)
        assert describe(ecr.client())["imageScanFindings"]["findings"] == []
        assert ecr.events[-1].detail_type == "ECR Image Scan"


# --- The waiter ---


def test_the_waiter_sees_the_scan_complete(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    ecr.faults.after("DescribeImageScanFindings", lambda: ecr.advance(6), times=9)
    waiter = client.get_waiter("image_scan_complete")
    waiter.wait(repositoryName=scanned, imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 0, "MaxAttempts": 9})
    assert ecr.calls.count("DescribeImageScanFindings") == 3


def test_the_waiter_sees_the_scan_fail(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    ecr.scans.script(ScanStep("FAILED"), repository_name=scanned)
    push(client, scanned, IMAGE, "v1")
    from botocore.exceptions import WaiterError

    with pytest.raises(WaiterError, match="FAILED"):
        client.get_waiter("image_scan_complete").wait(repositoryName=scanned, imageId={"imageTag": "v1"})


# --- Events ---


def test_a_complete_scan_is_announced(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    ecr.scans.script(repository_name=scanned, findings={"CRITICAL": 1, "MEDIUM": 2})
    push(client, scanned, IMAGE, "v1")
    ecr.advance(9)
    assert ecr.events[-1].detail_type == "ECR Image Action"
    ecr.advance(1)
    event = ecr.events[-1]
    assert (event.detail_type, event.source) == ("ECR Image Scan", "aws.ecr")
    assert event.resources == ("arn:aws:ecr:us-east-1:123456789012:repository/shop/web",)
    assert event.detail == {
        "scan-status": "COMPLETE",
        "repository-name": "shop/web",
        "finding-severity-counts": {"CRITICAL": 1, "MEDIUM": 2},
        "image-digest": IMAGE.digest,
        "image-tags": ["v1"],
    }


def test_the_announcement_waits_for_a_slower_script(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    ecr.scans.script(ScanStep("IN_PROGRESS"), ScanStep("COMPLETE", after=100), repository_name=scanned)
    ecr.advance(50)
    assert ecr.events[-1].detail_type == "ECR Image Action"
    ecr.advance(50)
    assert ecr.events[-1].detail_type == "ECR Image Scan"


def test_nothing_is_announced_of_an_image_that_is_gone(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    client.delete_repository(repositoryName=scanned, force=True)
    ecr.advance(60)
    assert "ECR Image Scan" not in {event.detail_type for event in ecr.events}


def test_only_the_last_scan_is_announced(ecr: EcrEmulator, client: ECRClient, scanned: str) -> None:
    push(client, scanned, IMAGE, "v1")
    client.batch_delete_image(repositoryName=scanned, imageIds=[{"imageTag": "v1"}])
    ecr.advance(5)
    push(client, scanned, IMAGE, "v1")
    ecr.advance(5)
    assert "ECR Image Scan" not in {event.detail_type for event in ecr.events}
    ecr.advance(5)
    assert [event.detail_type for event in ecr.events].count("ECR Image Scan") == 1
