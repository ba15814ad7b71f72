"""What a test has the emulator find: how scans of images go, and how signing them goes.

A script is for some images, or for all, and says in steps what is the case so many seconds after the scan or the
signing began. The latest script wins. A scan goes as its script says now, even if that was added after the push;
signing goes as the script said at the push. Scripts live in memory: a restart forgets them.
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
    description: str = "A finding that a test scripted."

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


_StepT = TypeVar("_StepT", bound=_Step)


def step_at(steps: Iterable[_StepT], began: float, now: float) -> _StepT | None:
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
        """Tell whether the script is about an image."""
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


_ScriptT = TypeVar("_ScriptT", bound=_Script)


class _Scripts(Generic[_ScriptT]):
    def __init__(self) -> None:
        self._lock = Lock()
        self._scripts: tuple[_ScriptT, ...] = ()

    @property
    def scripted(self) -> tuple[_ScriptT, ...]:
        """The scripts, the latest first."""
        return self._scripts

    def clear(self) -> None:
        """Forget all scripts: things go as usual again."""
        with self._lock:
            self._scripts = ()

    def about(self, account_id: str, region_name: str, repository_name: str, image_digest: str) -> list[_ScriptT]:
        """Return the scripts about an image, the latest first."""
        image = (account_id, region_name, repository_name, image_digest)
        return [script for script in self._scripts if script.is_about(*image)]

    def _add(self, script: _ScriptT) -> None:
        with self._lock:
            self._scripts = (script, *self._scripts)


class Scans(_Scripts[ScanScript]):
    """How scans go: as scripted, or else without findings, after ``Switches.scan_seconds``."""

    def script(
        self,
        *steps: ScanStep,
        repository_name: str | None = None,
        findings: Findings | None = None,
        image_digest: str | None = None,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Script the scans of all images or of some: step by step, or only what they find in the end.

        ::

            ecr.scans.script(repository_name="shop/web", findings={"CRITICAL": 1})
            ecr.scans.script(ScanStep("IN_PROGRESS"), ScanStep("FAILED", after=10), repository_name="shop/web")

        Raises ValueError for what no scan says, for steps that are out of order, and if there are neither steps nor
        findings. To script that nothing is found, give ``findings={}``.
        """
        if not steps and findings is None:
            raise ValueError("a script of scans has steps or findings: give ScanSteps, or findings={'CRITICAL': 1}")
        _require_steps(steps, ScanStep)
        script = ScanScript(
            repository_name=repository_name,
            image_digest=image_digest,
            account_id=account_id,
            region_name=region_name,
            steps=steps,
            findings=findings or (),
        )
        self._add(script)


class Signings(_Scripts[SigningScript]):
    """How managed signing goes: as scripted, or else to its end, after ``Switches.signing_seconds``."""

    def script(
        self,
        *steps: SigningStep,
        repository_name: str | None = None,
        image_digest: str | None = None,
        signing_profile_arn: str | None = None,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Script the signing of all images or of some, step by step, for all signing profiles or for one.

        ::

            ecr.signings.script(SigningStep("FAILED", after=3, failure_code="AccessDenied"), repository_name="shop/web")

        Raises ValueError for what signing never comes to, for steps that are out of order, and if there are none.
        """
        if not steps:
            raise ValueError("a script of signings has steps: give SigningSteps, such as SigningStep('FAILED')")
        _require_steps(steps, SigningStep)
        script = SigningScript(
            repository_name=repository_name,
            image_digest=image_digest,
            account_id=account_id,
            region_name=region_name,
            signing_profile_arn=signing_profile_arn,
            steps=steps,
        )
        self._add(script)


# --- Checks --------------------------------------------------------------------------------------------------


def _require_one_of(what: str, value: object, kind: Any) -> None:
    if value not in get_args(kind):
        raise ValueError(f"{what} is one of {', '.join(get_args(kind))}, not {value!r}")


def _require_time(after: float) -> None:
    if not 0 <= after < math.inf:
        raise ValueError(f"a step is so many seconds after the beginning, not {after!r}")


def _require_steps(steps: Sequence[object], kind: type[ScanStep | SigningStep]) -> None:
    for step in steps:
        if not isinstance(step, kind):
            raise ValueError(  # noqa: TRY004 - as all that is wrong with a script
                f"a step is a {kind.__name__}, not {step!r}: give a repository's name as repository_name=…"
            )


def _require_order(steps: Sequence[_Step]) -> None:
    if any(later.after <= earlier.after for earlier, later in pairwise(steps)):
        raise ValueError("each step comes later than the one before it")
