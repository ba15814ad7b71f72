"""The operations of scans: starting one by hand, and reading what it says."""

from __future__ import annotations

from typing import Any

from ecr_provider.emulator.rules import errors, paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.images.image_ids import find_or_raise, image_answer
from ecr_provider.emulator.rules.scanning import findings, scans
from ecr_provider.emulator.rules.scanning.scans import ImageScan
from ecr_provider.emulator.scripts import ScanStep, named
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.scans import Scan


def start_image_scan(call: Call) -> Answer:
    """StartImageScan: a basic scan, of an image that had none in the last 24 hours, on push or by hand.

    AWS does not document the order of errors. Here: repository, image, the registry's scan type, the image's
    kind, the archive, the image's quota, the registry's.
    """
    with call.transaction() as records:
        repository = call.repository(records)
        image = find_or_raise(records, repository, call.parameters["imageId"])
        configured = scans.configuration(records, repository.registry)
        covered = scans.coverage(configured, repository)
        _require_scannable(call, records, repository, image, covered.scan_type)
        begun = ImageScan(repository, image, Scan("BASIC", covered.frequency, call.now))
        scans.begin(call, records, begun)
        step = scans.current_step(call.state, begun, call.now) or ScanStep("IN_PROGRESS")
    return _answer(call, repository, image) | {"imageScanStatus": scans.status(step)}


def _require_scannable(call: Call, records: Records, repository: Repository, image: Image, scan_type: str) -> None:
    if scan_type == "ENHANCED":
        raise errors.feature_disabled()
    if not scans.is_scannable(image):
        raise errors.unsupported_image_type(image.artifact_media_type or image.media_type)
    if image.status(call.now) != "ACTIVE":
        raise errors.image_archived(image.digest, repository.name, repository.account)
    if scans.was_scanned_lately(records.scan(image, "BASIC"), call.now):
        raise errors.scan_quota_exceeded()
    if scans.is_quota_used_up(call, records, repository):
        raise errors.limit_exceeded("basic scans per 24 hours", call.state.limits.basic_scans)


def describe_image_scan_findings(call: Call) -> Answer:
    """DescribeImageScanFindings: of the last scan of the registry's present scan type.

    The findings of the other type are there again when the registry goes back to it (user guide, "Scan images for
    software vulnerabilities"). There are no findings before the scan is complete.
    """
    with call.transaction() as records:
        repository = call.repository(records)
        image = find_or_raise(records, repository, call.parameters["imageId"])
        configured = scans.configuration(records, repository.registry)
        found = scans.find(records, repository, image, configured["scanType"])
        step = scans.current_step(call.state, found, call.now) if found else None
        if found is None or step is None:
            raise errors.scan_not_found(call.parameters["imageId"], repository.name, repository.account)
        tags = records.tags(image)
    return (
        _answer(call, repository, image)
        | {"imageScanStatus": scans.status(step)}
        | _findings_answer(call, found, step, tags)
    )


def _findings_answer(call: Call, found: ImageScan, step: ScanStep, tags: list[str]) -> Answer:
    """Write a page of what was found, under the name that goes with the scan's type, and the next page's token."""
    every = named(step.findings or ())
    if step.findings is None or not (every or step.status in scans.COMPLETE):
        return {}
    page, more = paging.page_of_all(call, every)
    seen_at = found.scan.started_at + step.after
    written: dict[str, Any] = {
        "imageScanCompletedAt": seen_at,
        "vulnerabilitySourceUpdatedAt": seen_at,
        "findingSeverityCounts": findings.severity_counts(step, found.scan.scan_type),
    }
    if found.scan.scan_type == "BASIC":
        written["findings"] = [findings.basic(finding) for finding in page]
    else:
        image = findings.resource(found.repository, found.image, tags)
        written["enhancedFindings"] = [findings.enhanced(finding, found.repository, image, seen_at) for finding in page]
    return {"imageScanFindings": written, "nextToken": more}


def _answer(call: Call, repository: Repository, image: Image) -> Answer:
    return image_answer(repository, image.digest, call.parameters["imageId"].get("imageTag"))
