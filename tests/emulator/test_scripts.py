"""Scripts: how tests may have scans and signing go, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_provider.emulator import Finding, ScanStep, SigningStep
from ecr_provider.emulator.scripts import Scans, Signings, named, step_at

IMAGE = ("123456789012", "us-east-1", "shop/web", "sha256:00")


def test_the_latest_script_wins() -> None:
    scans = Scans()
    scans.script(repository_name="shop/web", findings={"CRITICAL": 1})
    scans.script(repository_name="shop/api", findings={"HIGH": 1})
    scans.script(findings={"LOW": 1})
    assert [script.findings for script in scans.about(*IMAGE)] == [{"LOW": 1}, {"CRITICAL": 1}]
    scans.clear()
    assert scans.about(*IMAGE) == []


@pytest.mark.parametrize(
    "other",
    [{"account_id": "210987654321"}, {"region_name": "eu-west-1"}, {"image_digest": "sha256:01"}],
)
def test_a_script_is_about_what_it_says(other: dict[str, str]) -> None:
    scans = Scans()
    account, region, name, digest = IMAGE
    scans.script(repository_name=name, image_digest=digest, account_id=account, region_name=region, findings={})
    scans.script(repository_name=name, findings={}, **other)
    assert len(scans.about(*IMAGE)) == 1


def test_steps_begin_when_they_are_reached() -> None:
    steps = [ScanStep("PENDING", after=5), ScanStep("ACTIVE", after=10)]
    found = [step_at(steps, 1000.0, now) for now in (1004.9, 1005.0, 1009.9, 1010.0, 9999.0)]
    assert [step and step.status for step in found] == [None, "PENDING", "PENDING", "ACTIVE", "ACTIVE"]


def test_findings_that_are_only_counted_get_names() -> None:
    found = named({"CRITICAL": 1, "LOW": 2})
    assert [finding.severity for finding in found] == ["CRITICAL", "LOW", "LOW"]
    assert [finding.name for finding in found] == ["CVE-1900-0001", "CVE-1900-0002", "CVE-1900-0003"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: ScanStep("DONE"), "status is one of IN_PROGRESS, COMPLETE"),  # type: ignore[arg-type]
        (lambda: SigningStep("ACTIVE"), "status is one of"),  # type: ignore[arg-type]
        (lambda: ScanStep("COMPLETE", after=-1), "so many seconds"),
        (lambda: ScanStep("COMPLETE", after=float("nan")), "so many seconds"),
        (lambda: ScanStep("COMPLETE", findings={"HIGH": -1}), "0 or more"),
        (lambda: ScanStep("COMPLETE", findings={"AWFUL": 1}), "severity is one of"),  # type: ignore[dict-item]
        (lambda: Finding("CVE-2026-1234", "AWFUL"), "severity is one of"),  # type: ignore[arg-type]
        (lambda: Scans().script(ScanStep("COMPLETE"), ScanStep("FAILED")), "later than the one before"),
        (lambda: Signings().script(SigningStep("FAILED", after=2), SigningStep("COMPLETE")), "later than"),
        (lambda: Scans().script(ScanStep("COMPLETE"), findings={"HIGH": 1}), "belong into the steps"),
        (lambda: Scans().script(repository_name="shop/web"), "has steps or findings: give ScanSteps, or findings="),
        (lambda: Signings().script(repository_name="shop/web"), "has steps: give SigningSteps"),
        (
            lambda: Scans().script("shop/web", findings={"HIGH": 1}),  # type: ignore[arg-type]
            "a step is a ScanStep, not 'shop/web': give a repository's name as repository_name=",
        ),
        (lambda: Scans().script(SigningStep("FAILED")), "a step is a ScanStep"),  # type: ignore[arg-type]
        (lambda: Signings().script(ScanStep("FAILED")), "a step is a SigningStep"),  # type: ignore[arg-type]
    ],
)
def test_what_no_scan_says_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()
