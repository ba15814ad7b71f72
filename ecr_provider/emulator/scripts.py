"""What tests tell the emulator to find: how scans of images go, and how signing them goes.

A script is told for some images, or for all, and says in steps what is the case so many seconds after the scan or
the signing began. The one told last counts. A scan goes as its script says now, even if that was told after the
push; signing goes as was told before. Scripts live in memory: a restart forgets them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

ScanStatus = Literal[
    "IN_PROGRESS",
    "COMPLETE",
    "FAILED",
    "UNSUPPORTED_IMAGE",
    "ACTIVE",
    "PENDING",
    "SCAN_ELIGIBILITY_EXPIRED",
    "FINDINGS_UNAVAILABLE",
    "LIMIT_EXCEEDED",
    "IMAGE_ARCHIVED",
    "IMAGE_SIZE_EXCEEDED",
]
SigningStatus = Literal["IN_PROGRESS", "COMPLETE", "FAILED"]
Severity = Literal["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL", "UNDEFINED"]


# --- Findings ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability in a package of an image."""

    name: str
    """Such as ``CVE-2026-1234``."""
    severity: Severity
    package: str = "openssl"
    version: str = "1.1.1"
    description: str = "A finding that the ECR emulator was told of."

    def __post_init__(self) -> None:
        _require_one_of("severity", self.severity, Severity)


Findings = Mapping[Severity, int] | Sequence[Finding]
"""Findings one by one, or only how many of each severity."""


def named(findings: Findings) -> tuple[Finding, ...]:
    """Spell findings out. Those that were only counted get names of a year in which there was no CVE yet."""
    if not isinstance(findings, Mapping):
        return tuple(findings)
    for severity, count in findings.items():
        if type(count) is not int or count < 0:
            raise ValueError(f"there are 0 or more findings of a severity, not {count!r} {severity}")
    severities = [severity for severity, count in findings.items() for _ in range(count)]
    return tuple(Finding(f"CVE-1900-{number:04}", severity) for number, severity in enumerate(severities, start=1))


# --- Steps ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScanStep:
    """What a scan says from some time on."""

    status: ScanStatus
    after: float = 0
    """Seconds since the scan began. Before the first step there is a ``ScanNotFoundException``."""
    findings: Findings | None = ()
    """None: the answer has no ``imageScanFindings`` at all, though the status is COMPLETE or ACTIVE."""
    description: str | None = None

    def __post_init__(self) -> None:
        _require_one_of("status", self.status, ScanStatus)
        _require_time(self.after)
        named(self.findings or ())


@dataclass(frozen=True, slots=True)
class SigningStep:
    """What is said of an image's signature from some time on."""

    status: SigningStatus
    after: float = 0
    """Seconds since the image was pushed."""
    failure_code: str | None = None
    failure_reason: str | None = None

    def __post_init__(self) -> None:
        _require_one_of("status", self.status, SigningStatus)
        _require_time(self.after)


class _Step(Protocol):
    @property
    def after(self) -> float: ...


StepT = TypeVar("StepT", bound=_Step)


def step_at(steps: Iterable[StepT], began: float, now: float) -> StepT | None:
    """Return the step that counts now, if it all began then (both in epoch seconds); None before the first."""
    reached = [step for step in steps if began + step.after <= now]
    return reached[-1] if reached else None


# --- Scripts -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """Which images a script is about: all, as far as nothing is said."""

    repository_name: str | None = None
    image_digest: str | None = None
    account_id: str | None = None
    region_name: str | None = None

    def is_about(self, account_id: str, region_name: str, repository_name: str, image_digest: str) -> bool:
        """Tell whether it is about an image."""
        return (
            self.account_id in (None, account_id)
            and self.region_name in (None, region_name)
            and self.repository_name in (None, repository_name)
            and self.image_digest in (None, image_digest)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanScript(_Script):
    """How scans go: in these steps or, without any, as usual, and with these findings."""

    steps: tuple[ScanStep, ...] = ()
    findings: Findings = ()

    def __post_init__(self) -> None:
        _require_order(self.steps)
        if named(self.findings) and self.steps:
            raise ValueError("findings belong into the steps, if there are any")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningScript(_Script):
    """How signing goes, for one signing profile or for all."""

    steps: tuple[SigningStep, ...]
    signing_profile_arn: str | None = None

    def __post_init__(self) -> None:
        _require_order(self.steps)


ScriptT = TypeVar("ScriptT", bound=_Script)


class _Scripts(Generic[ScriptT]):
    def __init__(self) -> None:
        self._lock = Lock()
        self._scripts: tuple[ScriptT, ...] = ()

    def add(self, script: ScriptT) -> None:
        """Tell a script. It comes before all that were told already."""
        with self._lock:
            self._scripts = (script, *self._scripts)

    def clear(self) -> None:
        """Forget all scripts: things go as usual again."""
        with self._lock:
            self._scripts = ()

    def about(self, account_id: str, region_name: str, repository_name: str, image_digest: str) -> list[ScriptT]:
        """Return the scripts about an image, the last told first."""
        image = (account_id, region_name, repository_name, image_digest)
        return [script for script in self._scripts if script.is_about(*image)]


class Scans(_Scripts[ScanScript]):
    """How scans go."""

    def script(
        self,
        repository_name: str | None = None,
        *steps: ScanStep,
        findings: Findings = (),
        image_digest: str | None = None,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Say how scans go, of all images or of some.

        ::

            ecr.scans.script("shop/web", findings={"CRITICAL": 1})
            ecr.scans.script("shop/web", ScanStep("IN_PROGRESS"), ScanStep("FAILED", after=10))

        Raises ValueError for what no scan says, and for steps that are out of order.
        """
        script = ScanScript(
            repository_name=repository_name,
            image_digest=image_digest,
            account_id=account_id,
            region_name=region_name,
            steps=steps,
            findings=findings,
        )
        self.add(script)


class Signings(_Scripts[SigningScript]):
    """How signing goes."""

    def script(
        self,
        repository_name: str | None = None,
        *steps: SigningStep,
        image_digest: str | None = None,
        signing_profile_arn: str | None = None,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Say how signing goes, of all images or of some.

        Raises ValueError for what signing never comes to, and for steps that are out of order.
        """
        script = SigningScript(
            repository_name=repository_name,
            image_digest=image_digest,
            account_id=account_id,
            region_name=region_name,
            signing_profile_arn=signing_profile_arn,
            steps=steps,
        )
        self.add(script)


# --- JSON ----------------------------------------------------------------------------------------------------


def from_json(document: Any) -> ScanScript:
    """Read a scan script from JSON: ``Scans.script``'s parameters, in AWS's words.

    ::

        {"repositoryName": "shop/web", "findings": {"CRITICAL": 1}}
        {"imageDigest": "sha256:…", "steps": [{"status": "PENDING"}, {"status": "ACTIVE", "after": 60, "findings": [
            {"name": "CVE-2026-1234", "severity": "HIGH", "package": "openssl"}]}]}

    ``registryId`` and ``region`` say more of which images are meant. Raises ValueError for anything else.
    """
    script = _members(document, "a scan script", _SCRIPT)
    names = {ours: script[theirs] for theirs, ours in _IMAGE.items() if theirs in script}
    steps = tuple(_step(step) for step in script.get("steps", []))
    return ScanScript(**names, steps=steps, findings=_findings(script.get("findings", ())))


_IMAGE = {
    "registryId": "account_id",
    "region": "region_name",
    "repositoryName": "repository_name",
    "imageDigest": "image_digest",
}
_SCRIPT = dict.fromkeys(_IMAGE, str) | {"steps": list, "findings": (dict, list)}
_STEP = {"status": str, "after": (int, float), "findings": (dict, list, type(None)), "description": str}
_FINDING = dict.fromkeys(("name", "severity", "package", "version", "description"), str)


def _step(document: Any) -> ScanStep:
    step = _members(document, "a step", _STEP, "status")
    if step.get("findings") is not None:
        step["findings"] = _findings(step["findings"])
    return ScanStep(**step)


def _findings(document: Any) -> Findings:
    if isinstance(document, dict):
        return document
    return tuple(Finding(**_members(finding, "a finding", _FINDING, "name", "severity")) for finding in document)


def _members(document: Any, what: str, types: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """Read a JSON object of known members and types."""
    if not isinstance(document, dict):
        raise ValueError(f"{what} is a JSON object, not {document!r}")  # noqa: TRY004 - whatever is wrong with the JSON
    if missing := [name for name in required if name not in document]:
        raise ValueError(f"{what} needs {', '.join(missing)}")
    for name, value in document.items():
        if name not in types:
            raise ValueError(f"{what} has no {name!r}, only {', '.join(types)}")
        if isinstance(value, bool) or not isinstance(value, types[name]):
            raise ValueError(f"{name} of {what} cannot be {value!r}")  # noqa: TRY004 - as above
    return dict(document)


# --- Checks --------------------------------------------------------------------------------------------------


def _require_one_of(what: str, value: object, kind: Any) -> None:
    if value not in get_args(kind):
        raise ValueError(f"{what} is one of {', '.join(get_args(kind))}, not {value!r}")


def _require_time(after: float) -> None:
    if not 0 <= after < math.inf:
        raise ValueError(f"a step is so many seconds after the beginning, not {after!r}")


def _require_order(steps: Sequence[_Step]) -> None:
    if any(later.after <= earlier.after for earlier, later in pairwise(steps)):
        raise ValueError("each step comes later than the one before it")
