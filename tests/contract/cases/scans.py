"""Scanning images: basic scans, and the settings of scanning."""

from __future__ import annotations

from contract.case import SOME, Case, Like, Step, call, wait
from contract.phrases import archive, by_tag, put

AN_HOUR = 3600
RUNNING = {"status": Like("PENDING|IN_PROGRESS")}
ONCE_A_DAY = "D: user guide, Basic scanning: an image can be scanned once in 24 hours"
FAKED = "answers COMPLETE, with a finding, at once"


def scan(tag: str = "v1") -> Step:
    return call("StartImageScan", imageId=by_tag(tag))


def findings(tag: str = "v1") -> Step:
    return call("DescribeImageScanFindings", imageId=by_tag(tag))


CASES = [
    Case(
        "a scan takes a while",
        "D: AWS CLI, start-image-scan",
        "one at v1",
        scan().answers(
            registryId="{account}", repositoryName="{repository}", imageId=by_tag("v1"), imageScanStatus=RUNNING
        ),
        findings().answers(imageScanStatus=RUNNING),
        row=42,
        moto_fails=FAKED,
        not_on_aws="an image can be scanned once a day",
    ),
    Case(
        "a scan completes, and then has findings, be they none",
        "D: AWS CLI, describe-image-scan-findings",
        "one at v1",
        scan(),
        wait(AN_HOUR),
        findings().answers(
            imageScanStatus={"status": "COMPLETE"},
            imageScanFindings={"imageScanCompletedAt": SOME, "findingSeverityCounts": {}},
        ),
        row=42,
    ),
    Case(
        "a push into a repository that scans on push is scanned",
        "D: user guide, Basic scanning: scan on push",
        "scanned on push, one at v1",
        wait(AN_HOUR),
        findings().answers(imageScanStatus={"status": "COMPLETE"}),
        row=42,
    ),
    Case(
        "an image that was not scanned",
        "M: ScanNotFoundException",
        "one at v1",
        findings().refused("ScanNotFoundException"),
        row=42,
    ),
    *(
        Case(
            f"{step.operation} of an image that is not there",
            "M: ImageNotFoundException",
            "one at v1",
            step.refused("ImageNotFoundException"),
        )
        for step in (scan("none"), findings("none"))
    ),
    Case(
        "a second scan within a day",
        ONCE_A_DAY,
        "one at v1",
        scan(),
        wait(AN_HOUR),
        scan().refused("LimitExceededException"),
        wait(24 * AN_HOUR),
        scan().answers(imageScanStatus=RUNNING),
    ),
    Case(
        "a scan of an archived image",
        "M: ImageArchivedException",
        "one at v1",
        archive("v1"),
        scan().refused("ImageArchivedException"),
        moto_fails="has no archive",
        not_on_aws="an archived image is paid for ninety days",
    ),
    Case(
        "a scan of what is no image of an operating system",
        "M: UnsupportedImageTypeException",
        "artifacts' layers",
        put("helm", "v1"),
        scan().refused("UnsupportedImageTypeException"),
        moto_fails="scans it",
    ),
    # --- Settings ---
    Case(
        "a repository can be made to scan on push",
        "D: AWS CLI, put-image-scanning-configuration",
        "an empty repository",
        call("PutImageScanningConfiguration", imageScanningConfiguration={"scanOnPush": True}).answers(
            repositoryName="{repository}", imageScanningConfiguration={"scanOnPush": True}
        ),
        call("DescribeRepositories", repositoryNames=["{repository}"]).answers(
            repositories=[{"imageScanningConfiguration": {"scanOnPush": True}}]
        ),
    ),
    Case(
        "a registry scans as basic at first",
        "D: AWS CLI, get-registry-scanning-configuration",
        "no repository",
        call("GetRegistryScanningConfiguration").answers(
            registryId="{account}", scanningConfiguration={"scanType": "BASIC", "rules": []}
        ),
        not_on_aws="the account may have another setting",
    ),
    Case(
        "rules of scanning are kept",
        "D: AWS CLI, put-registry-scanning-configuration",
        "no repository",
        call(
            "PutRegistryScanningConfiguration",
            scanType="BASIC",
            rules=[
                {
                    "scanFrequency": "SCAN_ON_PUSH",
                    "repositoryFilters": [{"filter": "contract*", "filterType": "WILDCARD"}],
                }
            ],
        ),
        call("GetRegistryScanningConfiguration").answers(
            scanningConfiguration={"scanType": "BASIC", "rules": [{"scanFrequency": "SCAN_ON_PUSH"}]}
        ),
    ),
    Case(
        "how repositories are scanned, and which are not there",
        "D: AWS CLI, batch-get-repository-scanning-configuration",
        "scanned on push, one at v1",
        call(
            "BatchGetRepositoryScanningConfiguration", repositoryNames=["{repository}", "{repository}-not-there"]
        ).answers(
            scanningConfigurations=[
                {"repositoryName": "{repository}", "scanOnPush": True, "scanFrequency": "SCAN_ON_PUSH"}
            ],
            failures=[{"repositoryName": "{repository}-not-there", "failureCode": "REPOSITORY_NOT_FOUND"}],
        ),
        moto_fails="does not say how often",
    ),
]
