"""What a scan may say of an image that is to be released: pure functions on data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self

from ecr_provider.ecr.scans import SCAN_NOT_FOUND, Finding, Scan
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.gates.arguments import whole_number
from ecr_provider.gates.gate import Verdict
from ecr_provider.oci.quoting import quote

#: From the worst down.
SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")

#: What to do with an image whose scan is in a state: ``decide`` by its findings, ``wait``, ``fail`` or ``pass``.
#: Source of the states: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanStatus.html
ON_STATE: Final[Mapping[str, str]] = {
    "COMPLETE": "decide",
    "ACTIVE": "decide",
    SCAN_NOT_FOUND: "wait",
    "PENDING": "wait",
    "IN_PROGRESS": "wait",
    "FINDINGS_UNAVAILABLE": "wait",
    "FAILED": "fail",
    "UNSUPPORTED_IMAGE": "fail",
    "SCAN_ELIGIBILITY_EXPIRED": "fail",
    "LIMIT_EXCEEDED": "fail",
    "IMAGE_ARCHIVED": "fail",
    "IMAGE_SIZE_EXCEEDED": "fail",
}
#: What may be chosen for a state; for COMPLETE nothing: its findings are what the gate is about.
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    state: ("decide", "wait", "fail", "pass") if state == "ACTIVE" else ("wait", "fail", "pass")
    for state in ON_STATE
    if state != "COMPLETE"
}
_LONGEST_SETTLE_TIME: Final = 24 * 60 * 60  # seconds


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy says of one image's scan.

    :param says: why.
    :param counts: the findings that count, by severity.
    :param ignored: the names of those that the policy ignores.
    :param offending: the findings of every severity that has too many.
    :param settles_in: how long later findings are waited for, if nothing else is.
    """

    verdict: Verdict
    says: str
    counts: Mapping[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    offending: tuple[Finding, ...] = ()
    settles_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ScanPolicy:
    """What a scan may say.

    :param max_findings: how many findings of a severity an image may have; a severity that is not named, any number.
    :param ignore: findings that do not count, by name, each with the last day on which that holds, in UTC.
    :param on_state: what to do in states other than ``ON_STATE`` has it.
    :param settle_time: how long a scan has to be complete before findings that are not there count as none.
    """

    max_findings: Mapping[str, int]
    ignore: Mapping[str, date | None] = field(default_factory=dict)
    on_state: Mapping[str, str] = field(default_factory=dict)
    settle_time: timedelta = timedelta(0)

    @classmethod
    def from_json(
        cls,
        *,
        max_findings: Mapping[str, int],
        ignore: Sequence[str] | Mapping[str, str | None] = (),
        on_state: Mapping[str, str] | None = None,
        settle_time: float = 0,
    ) -> Self:
        """Parse the arguments of the sensor.

        :param settle_time: in seconds.
        :raises InvalidInputError: an argument is none of what it should be.
        """
        return cls(
            max_findings=_limits(max_findings),
            ignore=_ignored_until(ignore),
            on_state=_choices({} if on_state is None else on_state),
            settle_time=_seconds(settle_time),
        )

    def judge(self, scan: Scan, now: datetime, *, settles_from: datetime) -> Judgement:
        """Decide about one image by its last scan.

        :param settles_from: when its findings came, as far as that is known.
        """
        state = scan.status + (f" ({scan.description})" if scan.description else "")
        match {**ON_STATE, **self.on_state}.get(scan.status):
            case "decide":
                return self._by_findings(scan, now, settles_from)
            case "wait":
                return Judgement(Verdict.WAITING, state)
            case "pass":
                return Judgement(Verdict.PASSED, f"{state}, which on_state lets pass")
            case "fail":
                another = "start_scan=True starts another one, where ECR's quotas let it, and "
                remedy = f"{another if scan.status == 'FAILED' else ''}on_state can choose otherwise"
                return Judgement(Verdict.FAILED, f"{state}; {remedy}")
            case _:  # newer than this package
                return Judgement(Verdict.FAILED, f"{state}, which this package does not know")

    def _by_findings(self, scan: Scan, now: datetime, settles_from: datetime) -> Judgement:
        if scan.counts is None:
            return Judgement(Verdict.WAITING, f"{scan.status}, but its findings are not there yet")
        counted, ignored = self._split(scan.findings, now)
        counts = _at_least(_by_severity(counted), scan.counts, _by_severity(scan.findings))
        names = tuple(sorted({each.name for each in ignored}))
        over = {severity for severity, most in self.max_findings.items() if counts.get(severity, 0) > most}
        if over:
            offending = tuple(sorted((each for each in counted if each.severity in over), key=worst_first))
            return Judgement(Verdict.FAILED, self._says(counts, ignored), counts, names, offending)
        left = self.settle_time - max(now - settles_from, timedelta(0))  # ECR's clock may be ahead
        if left > timedelta(0):
            says = f"{self._says(counts, ignored)}; later findings are waited for, {left.total_seconds():.0f} s more"
            return Judgement(Verdict.WAITING, says, counts, names, settles_in=left)
        return Judgement(Verdict.PASSED, self._says(counts, ignored), counts, names)

    def _split(self, findings: Iterable[Finding], now: datetime) -> tuple[list[Finding], list[Finding]]:
        """Return the findings that count, and those that the policy ignores."""
        today = now.astimezone(UTC).date()
        ignored_now = {name for name, until in self.ignore.items() if until is None or today <= until}
        active = [finding for finding in findings if finding.is_active]
        return (
            [finding for finding in active if finding.name not in ignored_now],
            [finding for finding in active if finding.name in ignored_now],
        )

    def _says(self, counts: Mapping[str, int], ignored: Sequence[Finding]) -> str:
        named = sorted({*counts, *self.max_findings}, key=_rank)
        parts = [_count_of(severity, counts, self.max_findings) for severity in named]
        return ", ".join(parts or ["no findings"]) + (f"; {len(ignored)} ignored" if ignored else "")


def _by_severity(findings: Iterable[Finding]) -> Counter[str]:
    return Counter(finding.severity for finding in findings)


def _at_least(counted: Counter[str], told: Mapping[str, int], listed: Counter[str]) -> dict[str, int]:
    """Count by severity what is listed and counts, or all that ECR counts without what does not, whichever is more."""
    of_all = Counter[str]()
    for severity, count in told.items():
        of_all[severity.upper()] += count
    counts = counted | (of_all - (listed - counted))
    return {severity: counts[severity] for severity in sorted(counts, key=_rank)}


def _count_of(severity: str, counts: Mapping[str, int], limits: Mapping[str, int]) -> str:
    limit = f" of {limits[severity]} allowed" if severity in limits else ""
    return f"{counts.get(severity, 0)} {severity}{limit}"


def worst_first(finding: Finding) -> tuple[tuple[int, str], str, str]:
    """Sort findings, for people who read from the top."""
    return _rank(finding.severity), finding.name, finding.package


def _rank(severity: str) -> tuple[int, str]:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES), severity


def _limits(given: object) -> dict[str, int]:
    if not isinstance(given, Mapping) or not given:
        raise InvalidInputError(
            f"max_findings {quote(given)} is not a mapping of severities to numbers, such as "
            "{'CRITICAL': 0, 'HIGH': 5}."
        )
    for severity in given:
        if severity not in SEVERITIES:
            raise InvalidInputError(
                f"max_findings: {quote(severity)} is not a severity; they are {', '.join(SEVERITIES)}."
            )
    limits = {severity: whole_number(f"max_findings: {severity}", most) for severity, most in given.items()}
    for one, other in (("UNDEFINED", "UNTRIAGED"), ("UNTRIAGED", "UNDEFINED")):
        if one in given:  # the same in the words of basic and of enhanced scanning
            limits.setdefault(other, limits[one])
    return limits


def _seconds(given: object) -> timedelta:
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= _LONGEST_SETTLE_TIME:
        return timedelta(seconds=given)
    raise InvalidInputError(f"settle_time {quote(given)} is not a number of seconds, from 0 to {_LONGEST_SETTLE_TIME}.")


def _ignored_until(given: object) -> dict[str, date | None]:
    if isinstance(given, Mapping):
        return {_finding_name(name): _day(until, name) for name, until in given.items()}
    if isinstance(given, Sequence) and not isinstance(given, str):
        return {_finding_name(name): None for name in given}
    raise InvalidInputError(
        f"ignore {quote(given)} is neither a list of findings, such as ['CVE-2026-1234'], nor a mapping of them to the "
        "last day on which they are ignored, such as {'CVE-2026-1234': '2026-12-31'}."
    )


def _finding_name(name: object) -> str:
    if isinstance(name, str) and name.strip():
        return name.strip()
    raise InvalidInputError(f"ignore: {quote(name)} is not the name of a finding, such as 'CVE-2026-1234'.")


def _day(until: object, name: object) -> date | None:
    if until is None:
        return None
    try:
        return date.fromisoformat(until)  # type: ignore[arg-type]  # what is not text is refused, too
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"ignore: {quote(until)} for {quote(name)} is not a day, such as '2026-12-31'."
        ) from error


def _choices(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"on_state {quote(given)} is not a mapping, such as {{'UNSUPPORTED_IMAGE': 'pass'}}.")
    for state, choice in given.items():
        if state not in _CHOICES:
            raise InvalidInputError(
                f"on_state: there is nothing to choose for {quote(state)}; there is for {', '.join(_CHOICES)}."
            )
        if choice not in _CHOICES[state]:
            raise InvalidInputError(
                f"on_state: {quote(choice)} is no choice for {state}; they are {', '.join(_CHOICES[state])}."
            )
    return dict(given)
