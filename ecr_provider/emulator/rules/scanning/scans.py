"""When images are scanned, and what their scans say: what the operations, a push and a restore have in common.

A scan is a row with the time at which it began. What it says is a function of that, of the latest script
(``scripts``) or the usual one, and of the clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.clock import DAY
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules import filters
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.media_types import IMAGE_CONFIGS, SCHEMA1, SIGNED_SCHEMA1
from ecr_provider.emulator.rules.scanning.findings import severity_counts
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.scripts import ScanStatus, ScanStep, step_at
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.scans import Scan
from ecr_provider.emulator.store.settings import SettingKind

_USUAL_CONFIGURATION = {"scanType": "BASIC", "rules": []}  # PutRegistryScanningConfiguration

COMPLETE: frozenset[ScanStatus] = frozenset({"COMPLETE", "ACTIVE"})
"""What an image is after its first scan: one that is scanned continuously stays ACTIVE."""

# The first two descriptions are in the API reference's examples, the last was reported (aws-sdk#289).
_DESCRIPTIONS: dict[ScanStatus, str] = {
    "COMPLETE": "The scan was completed successfully.",
    "ACTIVE": "Continuous scan is selected for image.",
    "PENDING": "Pending start of the image scan.",
}


# --- Whether -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a repository is scanned."""

    scan_type: str
    frequency: str
    """SCAN_ON_PUSH or CONTINUOUS_SCAN; MANUAL is, under enhanced scanning, not at all."""
    filters: list[dict[str, str]]
    """The filters that say so."""

    @property
    def is_on_push(self) -> bool:
        """Whether a push begins a scan."""
        return self.frequency != "MANUAL"


def configuration(records: Records, registry: Registry) -> dict[str, Any]:
    """Return a registry's scanning configuration."""
    setting = records.setting(registry, SettingKind.SCANNING_CONFIGURATION)
    return setting.value if setting else _USUAL_CONFIGURATION


def coverage(configured: dict[str, Any], repository: Repository) -> Coverage:
    """Tell how a repository is scanned.

    Continuous scanning comes before scan on push where filters of both match (user guide, "Filters to choose which
    repositories are scanned"). The repository's own ``scanOnPush`` counts under basic scanning only, beside the
    filters: which of the two wins there is not documented.
    """
    matching = {
        rule["scanFrequency"]: selecting
        for rule in configured["rules"]
        if (selecting := [wanted for wanted in rule["repositoryFilters"] if filters.selects(wanted, repository.name)])
    }
    for frequency in ("CONTINUOUS_SCAN", "SCAN_ON_PUSH"):
        if frequency in matching:
            return Coverage(configured["scanType"], frequency, matching[frequency])
    on_push = configured["scanType"] == "BASIC" and repository.scan_on_push
    return Coverage(configured["scanType"], "SCAN_ON_PUSH" if on_push else "MANUAL", [])


def is_scannable(image: Image) -> bool:
    """Tell whether it is an image for one platform: neither indexes nor other artifacts are scanned."""
    return image.artifact_media_type in IMAGE_CONFIGS or image.media_type in (SCHEMA1, SIGNED_SCHEMA1)


# --- Beginning -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageScan:
    """A scan, and of what."""

    repository: Repository
    image: Image
    scan: Scan


def find(records: Records, repository: Repository, image: Image, scan_type: str) -> ImageScan | None:
    """Find an image's last scan of a type."""
    scan = records.scan(image, scan_type)
    return ImageScan(repository, image, scan) if scan else None


def scan_on_push(call: Call, records: Records, repository: Repository, image: Image, *, after: float = 0) -> None:
    """Begin the scan that a push sets off, if it does, or a restore that ends after so many seconds.

    Where a quota stands against it there is none, and nobody is told.
    """
    wanted = coverage(configuration(records, repository.registry), repository)
    if not wanted.is_on_push or not is_scannable(image):
        return
    last, start = records.scan(image, wanted.scan_type), call.now + after
    if wanted.scan_type == "ENHANCED":
        due = _is_scan_over(image, last)
    else:
        due = not was_scanned_lately(last, start) and not is_quota_used_up(call, records, repository)
    if due:
        begin(call, records, ImageScan(repository, image, Scan(wanted.scan_type, wanted.frequency, start)))


def was_scanned_lately(last: Scan | None, now: float) -> bool:
    """Tell whether the last basic scan is less than 24 hours old: an image has one in that time."""
    return last is not None and now - last.started_at < DAY


def is_quota_used_up(call: Call, records: Records, repository: Repository) -> bool:
    """Tell whether the registry had all the basic scans it may have in 24 hours."""
    limit = call.state.limits.basic_scans
    return records.has_scans(limit, repository.registry, "BASIC", call.now - DAY)


def _is_scan_over(image: Image, last: Scan | None) -> bool:
    """Tell whether an enhanced scan has to begin anew.

    A new tag for an image that is scanned changes nothing (our choice); pushing one whose scan expired, and
    restoring one from the archive, begins a new scan (user guide).
    """
    return last is None or last.expired or (image.activated_at or 0) > last.started_at


def begin(call: Call, records: Records, begun: ImageScan) -> None:
    """Begin a scan, and have its end reported."""
    records.set_scan(begun.image, begun.scan)
    if not begun.scan.expired:
        _report_later(call, begun)


# --- What it says --------------------------------------------------------------------------------------------


def current_step(state: State, found: ImageScan, now: float) -> ScanStep | None:
    """Return what a scan says at this time; None while it cannot be found yet."""
    if found.image.archived:
        return ScanStep("IMAGE_ARCHIVED")
    if found.scan.expired:
        return ScanStep("SCAN_ELIGIBILITY_EXPIRED")
    return step_at(_steps(state, found), found.scan.started_at, now)


def status(step: ScanStep) -> Answer:
    """Write an ``ImageScanStatus``."""
    return {"status": step.status, "description": step.description or _DESCRIPTIONS.get(step.status)}


def _steps(state: State, found: ImageScan) -> tuple[ScanStep, ...]:
    repository, scan = found.repository, found.scan
    scripts = state.scans.about(*repository.registry, repository.name, found.image.digest)
    if scripts and scripts[0].steps:
        return scripts[0].steps
    first: ScanStatus = "IN_PROGRESS" if scan.scan_type == "BASIC" else "PENDING"
    last: ScanStatus = "ACTIVE" if scan.frequency == "CONTINUOUS_SCAN" else "COMPLETE"
    findings = scripts[0].findings if scripts else ()
    return (ScanStep(first), ScanStep(last, state.switches.scan_seconds, findings))


# --- Reporting its end ---------------------------------------------------------------------------------------


def complete_image_scan(call: Call) -> Answer:
    """Report a scan that is complete: the job of ``begin``.

    Nothing happens if the image is gone or was scanned anew. The report waits for a script that was added later and
    makes the scan last longer; one that makes it shorter does not hurry the report.
    """
    wanted = call.parameters
    with call.transaction() as records:
        scanned = call.job_image(records)
        found = find(records, *scanned, wanted["scanType"]) if scanned else None
        if found and found.scan.started_at == wanted["startedAt"]:
            step = current_step(call.state, found, call.now)
            if step and step.status in COMPLETE:
                _report(call, found, step, records.tags(found.image))
            elif _end(call.state, found) > call.now:
                _report_later(call, found)
    return {}


def _report_later(call: Call, found: ImageScan) -> None:
    end = _end(call.state, found)
    if end < math.inf:
        parameters = {
            "repositoryName": found.repository.name,
            "imageDigest": found.image.digest,
            "scanType": found.scan.scan_type,
            "startedAt": found.scan.started_at,
        }
        call.later(end - call.now, "CompleteImageScan", parameters)


def _end(state: State, found: ImageScan) -> float:
    """Return when the scan is complete for the first time, in epoch seconds; ``inf`` for never."""
    ends = (step.after for step in _steps(state, found) if step.status in COMPLETE)
    return found.scan.started_at + next(ends, math.inf)


def _report(call: Call, found: ImageScan, step: ScanStep, tags: list[str]) -> None:
    """Tell EventBridge: ECR does of a basic scan, Amazon Inspector of an enhanced one.

    User guide, "Amazon ECR events and EventBridge" and "EventBridge events sent for enhanced scanning".
    """
    repository, scan_type = found.repository, found.scan.scan_type
    counts = severity_counts(step, scan_type)
    detail = {
        "scan-status": "COMPLETE",
        "repository-name": repository.name,
        "finding-severity-counts": counts,
        "image-digest": found.image.digest,
        "image-tags": tags,
    }
    if scan_type == "BASIC":
        call.emit("ECR Image Scan", detail, (repository.arn,))
        return
    counts["TOTAL"] = sum(counts.values())
    detail |= {"scan-status": "INITIAL_SCAN_COMPLETE", "repository-name": repository.arn}
    call.emit("Inspector2 Scan", detail, (repository.arn,), source="aws.inspector2")
