"""What is scanned, and how often: the settings of repositories and of the registry."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ecr_provider.emulator.clock import DAY
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.scanning import scans
from ecr_provider.emulator.rules.scanning.scans import ImageScan
from ecr_provider.emulator.store.images import ImageFilter
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.scans import Scan
from ecr_provider.emulator.store.settings import SettingKind

_ELIGIBLE = 14 * DAY

# PutRegistryScanningConfiguration (API reference), but for MANUAL: it is what a repository has anyway.
_FREQUENCIES = {
    "BASIC": frozenset({"SCAN_ON_PUSH", "MANUAL"}),
    "ENHANCED": frozenset({"SCAN_ON_PUSH", "CONTINUOUS_SCAN"}),
}


# --- Of a repository -----------------------------------------------------------------------------------------


def put_image_scanning_configuration(call: Call) -> Answer:
    """PutImageScanningConfiguration: whether pushes to a repository begin a basic scan."""
    on_push: bool = call.parameters["imageScanningConfiguration"].get("scanOnPush", False)
    with call.transaction() as records:
        repository = call.repository(records)
        records.set_scan_on_push(repository, on_push)
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageScanningConfiguration": {"scanOnPush": on_push},
    }


def batch_get_repository_scanning_configuration(call: Call) -> Answer:
    """BatchGetRepositoryScanningConfiguration: missing repositories are failures, not errors."""
    found, failures = [], []
    with call.transaction() as records:
        configured = scans.configuration(records, call.registry)
        for name in dict.fromkeys(call.parameters["repositoryNames"]):
            if repository := records.repository(call.registry, name):
                call.authorise(repository)
                found.append(_describe(repository, scans.coverage(configured, repository)))
            else:
                failures.append(_failure(name, call.account))
    return {"scanningConfigurations": found, "failures": failures}


def _describe(repository: Repository, covered: scans.Coverage) -> Answer:
    return {
        "repositoryArn": repository.arn,
        "repositoryName": repository.name,
        "scanOnPush": covered.frequency == "SCAN_ON_PUSH",
        "scanFrequency": covered.frequency,
        "appliedScanFilters": covered.filters,
    }


def _failure(name: str, registry_id: str) -> Answer:
    reason = f"The repository with name '{name}' does not exist in the registry with id '{registry_id}'"
    return {"repositoryName": name, "failureCode": "REPOSITORY_NOT_FOUND", "failureReason": reason}


# --- Of the registry -----------------------------------------------------------------------------------------


def get_registry_scanning_configuration(call: Call) -> Answer:
    """GetRegistryScanningConfiguration: basic scanning without rules, as long as nothing is put."""
    with call.transaction() as records:
        configured = scans.configuration(records, call.registry)
    return {"registryId": call.account, "scanningConfiguration": configured}


def put_registry_scanning_configuration(call: Call) -> Answer:
    """PutRegistryScanningConfiguration: replaces all of it.

    Under enhanced scanning the images that are there are scanned too, if they were pushed in the last 14 days; the
    older ones' eligibility has expired (user guide, "Considerations for enhanced scanning").
    """
    configured = {"scanType": call.parameters.get("scanType", "BASIC"), "rules": call.parameters.get("rules", [])}
    _require_rules(configured)
    with call.transaction() as records:
        before = scans.configuration(records, call.registry)
        records.set_setting(call.registry, SettingKind.SCANNING_CONFIGURATION, "", configured, now=call.now)
        if configured["scanType"] == "ENHANCED":
            _turn_on(call, records, before, configured)
    return {"registryScanningConfiguration": configured}


def _require_rules(configured: dict[str, Any]) -> None:
    """Require one rule at most for each frequency that goes with the scan type."""
    scan_type, allowed = configured["scanType"], _FREQUENCIES[configured["scanType"]]
    for frequency, count in Counter(rule["scanFrequency"] for rule in configured["rules"]).items():
        if frequency not in allowed:
            raise invalid_parameter("rules", f"scanFrequency {frequency} does not go with scanType {scan_type}")
        if count > 1:
            raise invalid_parameter("rules", f"There must be one rule for scanFrequency {frequency} at most")


def _turn_on(call: Call, records: Records, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Scan what has come under enhanced scanning, and announce which repositories' frequency changed."""
    changes = []
    for repository in records.repositories(call.registry):
        old, new = scans.coverage(before, repository), scans.coverage(after, repository)
        if new.is_on_push:
            _scan_present_images(call, records, repository, new)
        if old.frequency != new.frequency:
            changes.append(_change(repository, old, new))
    if changes:
        detail = {"action-type": "SCAN_FREQUENCY_CHANGE", "repositories": changes}
        call.emit("ECR Scan Resource Change", detail | {"resource-type": "REPOSITORY", "scan-type": "ENHANCED"})


def _scan_present_images(call: Call, records: Records, repository: Repository, wanted: scans.Coverage) -> None:
    for image in records.images(repository, ImageFilter("ANY", "ACTIVE", call.now)):
        if scans.is_scannable(image) and records.scan(image, "ENHANCED") is None:
            expired = image.pushed_at < call.now - _ELIGIBLE
            scan = Scan("ENHANCED", wanted.frequency, call.now, expired)
            scans.begin(call, records, ImageScan(repository, image, scan))


def _change(repository: Repository, old: scans.Coverage, new: scans.Coverage) -> dict[str, str]:
    return {
        "repository-name": repository.name,
        "repository-arn": repository.arn,
        "scan-frequency": new.frequency,
        "previous-scan-frequency": old.frequency,
    }
