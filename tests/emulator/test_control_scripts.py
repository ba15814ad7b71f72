"""Scripts of scans and signings, told and shown over HTTP."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from emulator_calls import Control

from ecr_provider.emulator import EcrEmulator, Finding, ScanStep, SigningStep

STEPS = [
    {"status": "PENDING", "after": 1.5, "findings": [], "description": None},
    {"status": "ACTIVE", "after": 60, "findings": None, "description": "Soon."},
    {
        "status": "ACTIVE",
        "after": 90,
        "findings": [
            {"name": "CVE-2026-1", "severity": "HIGH", "package": "zlib", "version": "1", "description": "It is bad."}
        ],
        "description": None,
    },
    {"status": "ACTIVE", "after": 120, "findings": {"LOW": 2}, "description": None},
]


def test_scripts_of_scans(ecr: EcrEmulator, control: Control) -> None:
    assert control.do("POST", "/scans", {"repository_name": "shop/web", "findings": {"CRITICAL": 1}}) == {}
    image = {"account_id": "123456789012", "region_name": "us-east-1", "image_digest": "sha256:0"}
    assert control.do("POST", "/scans", {"steps": STEPS, **image}) == {}
    latest, first = ecr.scans.scripted
    assert (first.repository_name, first.findings, first.steps) == ("shop/web", {"CRITICAL": 1}, ())
    assert (latest.account_id, latest.region_name, latest.image_digest) == tuple(image.values())
    assert latest.steps == (
        ScanStep("PENDING", 1.5),
        ScanStep("ACTIVE", 60, None, "Soon."),
        ScanStep("ACTIVE", 90, (Finding("CVE-2026-1", "HIGH", "zlib", "1", "It is bad."),)),
        ScanStep("ACTIVE", 120, {"LOW": 2}),
    )


def test_scripts_are_shown_as_they_may_be_posted(ecr: EcrEmulator, control: Control) -> None:
    ecr.scans.script(findings=MappingProxyType({"LOW": 1}))
    control.do("POST", "/scans", {"steps": STEPS})
    scans = control.get("/scans")["scans"]
    assert scans == [{"steps": STEPS, "findings": []}, {"steps": [], "findings": {"LOW": 1}}]
    before = ecr.scans.scripted
    assert control.do("DELETE", "/scans") == {}
    assert control.get("/scans") == {"scans": []}
    for script in reversed(scans):
        control.do("POST", "/scans", script)
    assert ecr.scans.scripted == before


def test_scripts_of_signings(ecr: EcrEmulator, control: Control) -> None:
    step = {"status": "FAILED", "after": 3, "failure_code": "AccessDenied", "failure_reason": None}
    script = {"steps": [step], "repository_name": "shop/web", "signing_profile_arn": "arn"}
    assert control.do("POST", "/signings", script) == {}
    assert ecr.signings.scripted[0].steps == (SigningStep("FAILED", 3, "AccessDenied"),)
    assert control.get("/signings") == {"signings": [script]}
    control.do("DELETE", "/signings")
    assert ecr.signings.scripted == ()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({}, "a script of scans has steps or findings"),
        ({"repository_name": "shop/web"}, "a script of scans has steps or findings"),
        ({"repositoryName": "a/b"}, "no 'repositoryName' for a script of scans, only account_id, findings, image_"),
        ({"repository_name": 1}, "repository_name is a text or null, not 1"),
        ({"steps": {}}, "steps is a list, each of it an object of status, after, findings, description, not {}"),
        ({"steps": ["COMPLETE"]}, "steps[0] is an object of status, after, findings, description, not 'COMPLETE'"),
        ({"steps": [{"after": 1}]}, "steps[0]: missing a required argument: 'status'"),
        ({"steps": [{"status": "DONE"}]}, "status is one of IN_PROGRESS, COMPLETE"),
        ({"steps": [{"status": "FAILED", "x": 1}]}, "no 'x' for steps[0], only after, description, findings, status"),
        ({"steps": [{"status": "COMPLETE", "after": True}]}, "after is a number, not True"),
        ({"steps": [{"status": "COMPLETE"}, {"status": "FAILED"}]}, "each step comes later"),
        ({"findings": [{"name": "CVE-2026-1234"}]}, "findings[0]: missing a required argument: 'severity'"),
        ({"findings": [{"name": "CVE-2026-1234", "severity": "high"}]}, "severity is one of"),
        ({"findings": {"HIGH": "1"}}, "findings.HIGH is a whole number, not '1'"),
        ({"findings": {"AWFUL": 1}}, "severity is one of"),
    ],
)
def test_scripts_that_say_nothing_clear(ecr: EcrEmulator, control: Control, script: Any, message: str) -> None:
    refusal = control.refused("POST", "/scans", script)
    assert refusal.startswith("400 ")
    assert message in refusal
    assert ecr.scans.scripted == ()
