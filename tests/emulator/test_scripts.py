"""Scripts: what tests may tell of scans and signing, in Python and as JSON, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_provider.emulator import Finding, ScanStep, SigningStep
from ecr_provider.emulator.scripts import Scans, ScanScript, Signings, from_json, named, step_at

IMAGE = ("123456789012", "us-east-1", "shop/web", "sha256:00")


def test_the_script_told_last_counts() -> None:
    scans = Scans()
    scans.script("shop/web", findings={"CRITICAL": 1})
    scans.script("shop/api", findings={"HIGH": 1})
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
    scans.script("shop/web", image_digest=IMAGE[3], account_id=IMAGE[0], region_name=IMAGE[1])
    scans.script("shop/web", **other)  # type: ignore[arg-type]  # these are all strings
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
        (lambda: Scans().script(None, ScanStep("COMPLETE"), ScanStep("FAILED")), "later than the one before"),
        (lambda: Signings().script(None, SigningStep("FAILED", after=2), SigningStep("COMPLETE")), "later than"),
        (lambda: Scans().script(None, ScanStep("COMPLETE"), findings={"HIGH": 1}), "belong into the steps"),
    ],
)
def test_what_no_scan_says_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()


# --- JSON ---


def test_a_script_as_json() -> None:
    told = {
        "registryId": "123456789012",
        "region": "us-east-1",
        "repositoryName": "shop/web",
        "imageDigest": "sha256:00",
        "steps": [
            {"status": "PENDING", "after": 1.5},
            {"status": "ACTIVE", "after": 60, "findings": None, "description": "Soon."},
            {
                "status": "ACTIVE",
                "after": 90,
                "findings": [{"name": "CVE-2026-1234", "severity": "HIGH", "package": "zlib"}],
            },
        ],
    }
    assert from_json(told) == ScanScript(
        account_id="123456789012",
        region_name="us-east-1",
        repository_name="shop/web",
        image_digest="sha256:00",
        steps=(
            ScanStep("PENDING", 1.5),
            ScanStep("ACTIVE", 60, None, "Soon."),
            ScanStep("ACTIVE", 90, (Finding("CVE-2026-1234", "HIGH", "zlib"),)),
        ),
    )
    assert from_json({"findings": {"CRITICAL": 1}}) == ScanScript(findings={"CRITICAL": 1})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "a scan script is a JSON object"),
        ({"repository": "shop/web"}, "a scan script has no 'repository', only registryId"),
        ({"repositoryName": 1}, "repositoryName of a scan script cannot be 1"),
        ({"steps": {}}, "steps of a scan script cannot be"),
        ({"steps": ["COMPLETE"]}, "a step is a JSON object"),
        ({"steps": [{"after": 1}]}, "a step needs status"),
        ({"steps": [{"status": "DONE"}]}, "status is one of"),
        ({"steps": [{"status": "COMPLETE", "after": True}]}, "after of a step cannot be True"),
        ({"findings": [{"name": "CVE-2026-1234"}]}, "a finding needs severity"),
        ({"findings": [{"name": "CVE-2026-1234", "severity": "high"}]}, "severity is one of"),
        ({"findings": {"HIGH": "1"}}, "0 or more findings"),
        ({"findings": {"AWFUL": 1}}, "severity is one of"),
    ],
)
def test_json_that_says_nothing_clear(document: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(document)
