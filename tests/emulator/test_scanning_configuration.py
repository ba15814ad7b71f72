"""The registry's scanning configuration, and enhanced scanning, which only it turns on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import refused
from local_ecr import needs

from ecr_provider.emulator import EcrEmulator, ScanStep
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import DescribeImageScanFindingsResponseTypeDef as Described

DAY = 24 * 60 * 60
ARN = "arn:aws:ecr:us-east-1:123456789012:repository/shop/web"
IMAGE = sample_image(("linux/amd64",))


def rule(frequency: str, *filters: str) -> Any:
    return {
        "scanFrequency": frequency,
        "repositoryFilters": [{"filter": wildcard, "filterType": "WILDCARD"} for wildcard in filters],
    }


def configure(client: ECRClient, scan_type: Any, *rules: Any) -> None:
    client.put_registry_scanning_configuration(scanType=scan_type, rules=list(rules))


def frequency(client: ECRClient, name: str) -> tuple[str, bool, list[str]]:
    answer = client.batch_get_repository_scanning_configuration(repositoryNames=[name])
    (found,) = answer["scanningConfigurations"]
    return found["scanFrequency"], found["scanOnPush"], [wanted["filter"] for wanted in found["appliedScanFilters"]]


def describe(client: ECRClient, tag: str = "v1") -> Described:
    return client.describe_image_scan_findings(repositoryName="shop/web", imageId={"imageTag": tag})


def status(client: ECRClient, tag: str = "v1") -> str:
    return describe(client, tag)["imageScanStatus"]["status"]


# --- The configuration ---


def test_basic_scanning_is_what_there_is_without_any(client: ECRClient) -> None:
    answer = client.get_registry_scanning_configuration()
    assert answer["registryId"] == "123456789012"
    assert answer["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}


def test_what_is_put_is_shown(ecr: EcrEmulator, client: ECRClient) -> None:
    rules = [rule("CONTINUOUS_SCAN", "prod*"), rule("SCAN_ON_PUSH", "*")]
    put = client.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    assert put["registryScanningConfiguration"] == {"scanType": "ENHANCED", "rules": rules}
    shown = client.get_registry_scanning_configuration()["scanningConfiguration"]
    assert shown == put["registryScanningConfiguration"]
    elsewhere = ecr.client("eu-west-1").get_registry_scanning_configuration()["scanningConfiguration"]
    assert elsewhere["scanType"] == "BASIC"


@pytest.mark.parametrize(
    ("scan_type", "rules"),
    [
        ("BASIC", [rule("CONTINUOUS_SCAN", "*")]),
        ("ENHANCED", [rule("MANUAL", "*")]),
        ("ENHANCED", [rule("SCAN_ON_PUSH", "a"), rule("SCAN_ON_PUSH", "b")]),
        ("BASIC", [rule("SCAN_ON_PUSH", "UPPER")]),
        ("BASIC", [rule("SCAN_ON_PUSH", *["a"] * 101)]),
    ],
)
def test_rules_that_cannot_be(client: ECRClient, scan_type: str, rules: Any) -> None:
    with refused("InvalidParameterException"):
        configure(client, scan_type, *rules)
    assert client.get_registry_scanning_configuration()["scanningConfiguration"]["rules"] == []


# "Filter wildcards", user guide: its table.
@pytest.mark.parametrize(
    ("wildcard", "covered"),
    [
        ("prod", {"prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"}),
        ("*prod", {"prod", "repo-prod"}),
        ("prod*", {"prod", "prod-repo", "prodrepo"}),
        ("*prod*", {"prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"}),
        ("prod*repo", {"prod-repo", "prodrepo"}),
    ],
)
def test_what_a_filter_covers(client: ECRClient, wildcard: str, covered: set[str]) -> None:
    names = ["prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"]
    for name in names:
        client.create_repository(repositoryName=name)
    configure(client, "BASIC", rule("SCAN_ON_PUSH", wildcard))
    answer = client.batch_get_repository_scanning_configuration(repositoryNames=names)
    found = {each["repositoryName"] for each in answer["scanningConfigurations"] if each["scanOnPush"]}
    assert found == covered


def test_how_a_repository_is_scanned(client: ECRClient, web: str) -> None:
    assert frequency(client, web) == ("MANUAL", False, [])
    client.put_image_scanning_configuration(repositoryName=web, imageScanningConfiguration={"scanOnPush": True})
    assert frequency(client, web) == ("SCAN_ON_PUSH", True, [])
    configure(client, "BASIC", rule("SCAN_ON_PUSH", "shop", "other", "*web"))
    assert frequency(client, web) == ("SCAN_ON_PUSH", True, ["shop", "*web"])
    configure(client, "ENHANCED", rule("SCAN_ON_PUSH", "*"), rule("CONTINUOUS_SCAN", "shop*"))
    assert frequency(client, web) == ("CONTINUOUS_SCAN", False, ["shop*"])
    configure(client, "ENHANCED")
    assert frequency(client, web) == ("MANUAL", False, [])


def test_repositories_that_are_missing_are_failures(client: ECRClient, web: str) -> None:
    answer = client.batch_get_repository_scanning_configuration(repositoryNames=["shop/none", web])
    assert [found["repositoryArn"] for found in answer["scanningConfigurations"]] == [ARN]
    (failure,) = answer["failures"]
    assert (failure["repositoryName"], failure["failureCode"]) == ("shop/none", "REPOSITORY_NOT_FOUND")


def test_a_filter_has_pushes_scanned(client: ECRClient, web: str) -> None:
    configure(client, "BASIC", rule("SCAN_ON_PUSH", "shop"))
    push(client, web, IMAGE, "v1")
    assert status(client) == "IN_PROGRESS"


# --- Enhanced scanning ---


def test_continuous_scanning(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    ecr.scans.script(repository_name=web, findings={"CRITICAL": 1, "UNDEFINED": 1})
    push(client, web, IMAGE, "v1")
    assert describe(client)["imageScanStatus"] == {
        "status": "PENDING",
        "description": "Pending start of the image scan.",
    }
    ecr.advance(ecr.switches.scan_seconds)
    answer = describe(client)
    assert answer["imageScanStatus"] == {
        "status": "ACTIVE",
        "description": "Continuous scan is selected for image.",
    }
    found = answer["imageScanFindings"]
    assert found["findingSeverityCounts"] == {"CRITICAL": 1, "UNTRIAGED": 1}
    assert "findings" not in found
    first, second = found["enhancedFindings"]
    assert (first["title"], first["severity"], first["score"]) == ("CVE-1900-0001 - openssl", "CRITICAL", 9.8)
    assert first["packageVulnerabilityDetails"]["vulnerabilityId"] == "CVE-1900-0001"
    assert first["resources"][0]["details"]["awsEcrContainerImage"]["imageHash"] == IMAGE.digest
    assert first["resources"][0]["id"] == f"{ARN}/{IMAGE.digest}"
    assert second["severity"] == "UNTRIAGED"
    assert first["findingArn"] != second["findingArn"]


def test_enhanced_scan_on_push(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, "ENHANCED", rule("SCAN_ON_PUSH", "*"))
    push(client, web, IMAGE, "v1")
    assert status(client) == "PENDING"
    ecr.advance(60)
    assert status(client) == "COMPLETE"
    assert describe(client)["imageScanFindings"]["enhancedFindings"] == []


def test_what_no_filter_covers_is_not_scanned(client: ECRClient) -> None:
    client.create_repository(repositoryName="shop/web", imageScanningConfiguration={"scanOnPush": True})
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "other"))
    push(client, "shop/web", IMAGE, "v1")
    with refused("ScanNotFoundException"):
        status(client)


def test_no_scans_by_hand(client: ECRClient, web: str) -> None:
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    push(client, web, IMAGE, "v1")
    with refused("ValidationException", "This feature is disabled"):
        client.start_image_scan(repositoryName=web, imageId={"imageTag": "v1"})


def test_turning_it_on_scans_what_was_pushed_lately(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, IMAGE, "old")
    ecr.advance(14 * DAY + 1)
    push(client, web, sample_image(("linux/arm64",)), "new")
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    assert (status(client, "old"), status(client, "new")) == ("SCAN_ELIGIBILITY_EXPIRED", "PENDING")
    client.put_image(repositoryName=web, imageManifest=IMAGE.text, imageTag="again")
    assert status(client, "old") == "PENDING"


def test_turning_it_on_scans_no_indexes(client: ECRClient, web: str) -> None:
    push(client, web, sample_image(), "v1")
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    with refused("ScanNotFoundException"):
        status(client)


def test_a_new_tag_does_not_begin_a_new_scan(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    push(client, web, IMAGE, "v1")
    ecr.advance(60)
    client.put_image(repositoryName=web, imageManifest=IMAGE.text, imageTag="prod")
    assert status(client, "prod") == "ACTIVE"


def test_the_scans_of_either_type_are_kept(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, "BASIC", rule("SCAN_ON_PUSH", "*"))
    push(client, web, IMAGE, "v1")
    ecr.advance(60)
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    assert status(client) == "PENDING"
    ecr.advance(60)
    configure(client, "BASIC")
    assert (status(client), "findings" in describe(client)["imageScanFindings"]) == ("COMPLETE", True)
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    assert status(client) == "ACTIVE"


@needs("UpdateImageStorageClass")
def test_what_is_archived_is_not_scanned(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    push(client, web, IMAGE, "v1")
    ecr.advance(60)
    move(client, "ARCHIVE")
    assert status(client) == "IMAGE_ARCHIVED"
    configure(client, "BASIC", rule("SCAN_ON_PUSH", "*"))
    with refused("ImageArchivedException"):
        client.start_image_scan(repositoryName=web, imageId={"imageTag": "v1"})


@needs("UpdateImageStorageClass")
@pytest.mark.parametrize(("scan_type", "first"), [("BASIC", "IN_PROGRESS"), ("ENHANCED", "PENDING")])
def test_what_is_restored_is_scanned_like_a_push(
    ecr: EcrEmulator, client: ECRClient, web: str, scan_type: str, first: str
) -> None:
    configure(client, scan_type, rule("SCAN_ON_PUSH", "*"))
    push(client, web, IMAGE, "v1")
    ecr.advance(2 * DAY)
    move(client, "ARCHIVE")
    ecr.clear_events()
    move(client, "STANDARD")
    with refused("ScanNotFoundException"):
        status(client)
    ecr.advance(ecr.switches.restore_seconds)
    assert status(client) == first
    ecr.advance(60)
    assert status(client) == "COMPLETE"
    assert [event.detail_type for event in ecr.events if event.detail_type.endswith("Scan")] == [
        "ECR Image Scan" if scan_type == "BASIC" else "Inspector2 Scan"
    ]


@needs("UpdateImageStorageClass")
def test_what_is_pushed_out_of_the_archive_is_scanned(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    push(client, web, IMAGE, "v1")
    ecr.advance(60)
    move(client, "ARCHIVE")
    client.put_image(repositoryName=web, imageManifest=IMAGE.text, imageTag="v1")
    assert status(client) == "PENDING"


def move(client: ECRClient, storage_class: Any) -> None:
    client.update_image_storage_class(
        repositoryName="shop/web", imageId={"imageTag": "v1"}, targetStorageClass=storage_class
    )


# --- Events ---


def test_inspector_announces_the_first_scan(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client, "ENHANCED", rule("CONTINUOUS_SCAN", "*"))
    ecr.scans.script(
        ScanStep("PENDING"),
        ScanStep("ACTIVE", after=10, findings={"HIGH": 1, "LOW": 2}),
        ScanStep("ACTIVE", after=100, findings={"HIGH": 2}),
        repository_name=web,
    )
    push(client, web, IMAGE, "v1")
    ecr.advance(DAY)
    (event,) = [event for event in ecr.events if event.source == "aws.inspector2"]
    assert event.detail_type == "Inspector2 Scan"
    assert event.resources == (ARN,)
    assert event.detail == {
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": ARN,
        "finding-severity-counts": {"HIGH": 1, "LOW": 2, "TOTAL": 3},
        "image-digest": IMAGE.digest,
        "image-tags": ["v1"],
    }


def test_a_change_of_frequency_is_announced(ecr: EcrEmulator, client: ECRClient) -> None:
    for name in ("other", "shop/web"):
        client.create_repository(repositoryName=name)
    configure(client, "BASIC", rule("SCAN_ON_PUSH", "other"))
    assert not ecr.events
    configure(client, "ENHANCED", rule("SCAN_ON_PUSH", "*"))
    (event,) = ecr.events
    assert (event.detail_type, event.source, event.resources) == ("ECR Scan Resource Change", "aws.ecr", ())
    assert event.detail == {
        "action-type": "SCAN_FREQUENCY_CHANGE",
        "repositories": [
            {
                "repository-name": "shop/web",
                "repository-arn": ARN,
                "scan-frequency": "SCAN_ON_PUSH",
                "previous-scan-frequency": "MANUAL",
            }
        ],
        "resource-type": "REPOSITORY",
        "scan-type": "ENHANCED",
    }
    configure(client, "ENHANCED", rule("SCAN_ON_PUSH", "*"))
    assert len(ecr.events) == 1
