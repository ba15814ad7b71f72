"""What a scan may say of an image that is to be released."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final, get_args

import pytest
import strategies  # noqa: F401 - its profile of hypothesis
from hypothesis import given
from hypothesis import strategies as st

from ecr_provider.ecr.scans import SCAN_NOT_FOUND, Finding, Scan
from ecr_provider.emulator.scripts import ScanStatus
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.gates.gate import Verdict
from ecr_provider.gates.scan_policy import ON_STATE, SEVERITIES, Judgement, ScanPolicy, worst_first

NOW: Final = datetime(2026, 12, 31, 12, tzinfo=UTC)
LONG_AGO: Final = NOW - timedelta(days=1)
NAMES: Final = ("CVE-2026-1", "CVE-2026-2", "CVE-2026-3")
DECIDED: Final = ("COMPLETE", "ACTIVE")


def policy(**arguments: Any) -> ScanPolicy:
    return ScanPolicy.from_json(**({"max_findings": {"CRITICAL": 0}} | arguments))


def finding(name: str = NAMES[0], severity: str = "CRITICAL", **more: Any) -> Finding:
    return Finding(name, severity, **more)


def scan(*findings: Finding, status: str = "COMPLETE", **more: Any) -> Scan:
    """Make a scan that counts what it lists."""
    counts = Counter(each.severity for each in findings)
    said: dict[str, Any] = {"counts": counts, "findings": findings} | more
    return Scan(status, **said)


def judge(one: Scan, now: datetime = NOW, settles_from: datetime = LONG_AGO, **arguments: Any) -> Judgement:
    return policy(**arguments).judge(one, now, settles_from=settles_from)


# --- States ------------------------------------------------------------------------------------------------------


def test_every_state_of_ecr_has_a_default() -> None:
    assert set(ON_STATE) == {*get_args(ScanStatus), SCAN_NOT_FOUND}


VERDICTS: Final = {"wait": Verdict.WAITING, "fail": Verdict.FAILED, "pass": Verdict.PASSED}
CHOICES: Final = ("decide", *VERDICTS)
ALLOWED: Final = {(state, choice) for state in ON_STATE for choice in VERDICTS if state != "COMPLETE"}
SILENT: Final = {"counts": None}


@pytest.mark.parametrize("state", [state for state, choice in ON_STATE.items() if choice != "decide"])
def test_a_state_that_is_no_end_of_a_scan_never_passes_unless_it_is_chosen(state: str) -> None:
    for one in (scan(status=state), scan(status=state, **SILENT), scan(finding(), status=state)):
        assert judge(one).verdict is VERDICTS[ON_STATE[state]]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("state", ON_STATE)
def test_for_every_state_but_the_end_of_a_scan_there_is_a_choice(state: str, choice: str) -> None:
    if (state, choice) == ("ACTIVE", "decide"):
        assert judge(scan(status=state), on_state={state: choice}).verdict is Verdict.PASSED
        assert judge(scan(finding(), status=state), on_state={state: choice}).verdict is Verdict.FAILED
    elif (state, choice) in ALLOWED:
        for one in (scan(status=state), scan(status=state, **SILENT), scan(finding(), status=state)):
            assert judge(one, on_state={state: choice}).verdict is VERDICTS[choice]
    else:
        with pytest.raises(InvalidInputError, match=rf"on_state.*{state}"):
            policy(on_state={state: choice})


@pytest.mark.parametrize("state", sorted({*ON_STATE} - {"COMPLETE"}))
def test_a_choice_is_for_one_state_alone(state: str) -> None:
    others = {other: judge(scan(status=other)).verdict for other in ON_STATE if other != state}
    choice = {state: "pass"}
    assert {other: judge(scan(status=other), on_state=choice).verdict for other in others} == others


def test_a_state_that_is_new_fails_and_cannot_be_chosen() -> None:
    seen = judge(scan(status="QUEUED_IN_SPACE"))
    assert (seen.verdict, "QUEUED_IN_SPACE" in seen.says) == (Verdict.FAILED, True)
    with pytest.raises(InvalidInputError, match="QUEUED_IN_SPACE"):
        policy(on_state={"QUEUED_IN_SPACE": "pass"})


@pytest.mark.parametrize("state", [state for state, choice in ON_STATE.items() if choice != "decide"])
def test_what_is_said_of_a_state_is_ecrs_own(state: str) -> None:
    assert judge(scan(status=state, description="Because.")).says.startswith(f"{state} (Because.)")
    assert judge(scan(status=state)).says.startswith(state)


@pytest.mark.parametrize("state", [state for state, choice in ON_STATE.items() if choice == "fail"])
def test_who_meets_a_state_that_fails_is_told_what_to_do(state: str) -> None:
    says = judge(scan(status=state)).says
    assert ("start_scan" if state == "FAILED" else "on_state") in says


# --- Numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", DECIDED)
@pytest.mark.parametrize(("count", "verdict"), [(0, Verdict.PASSED), (2, Verdict.PASSED), (3, Verdict.FAILED)])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_as_many_findings_as_are_allowed_are_not_too_many(
    status: str, severity: str, count: int, verdict: Verdict
) -> None:
    found = [finding(f"CVE-2026-{number}", severity) for number in range(count)]
    seen = judge(scan(*found, status=status), max_findings={severity: 2})
    assert (seen.verdict, dict(seen.counts)) == (verdict, {severity: count} if count else {})
    assert list(seen.offending) == (found if verdict is Verdict.FAILED else [])
    assert f"{count} {severity} of 2 allowed" in seen.says.split(", ")


def test_what_is_undefined_to_a_basic_scan_is_untriaged_to_an_enhanced_one() -> None:
    undefined, untriaged = scan(finding(severity="UNDEFINED")), scan(finding(severity="UNTRIAGED"))
    for severity in ("UNDEFINED", "UNTRIAGED"):
        assert judge(undefined, max_findings={severity: 0}).verdict is Verdict.FAILED
        assert judge(untriaged, max_findings={severity: 0}).verdict is Verdict.FAILED
    apart = {"UNDEFINED": 0, "UNTRIAGED": 1}
    assert judge(undefined, max_findings=apart).verdict is Verdict.FAILED
    assert judge(untriaged, max_findings=apart).verdict is Verdict.PASSED


def test_a_severity_that_is_not_named_may_have_any_number() -> None:
    seen = judge(scan(*[finding(severity="HIGH")] * 1000))
    assert (seen.verdict, seen.says) == (Verdict.PASSED, "0 CRITICAL of 0 allowed, 1000 HIGH")


def test_what_is_found_is_said_from_the_worst_down() -> None:
    found = scan(finding(severity="LOW"), finding(severity="UNTRIAGED"), finding(), finding(severity="MEDIUM"))
    seen = judge(found, max_findings={"HIGH": 3, "CRITICAL": 1})
    assert seen.says == "1 CRITICAL of 1 allowed, 0 HIGH of 3 allowed, 1 MEDIUM, 1 LOW, 1 UNTRIAGED"
    assert list(seen.counts) == ["CRITICAL", "MEDIUM", "LOW", "UNTRIAGED"]


def test_what_offends_is_listed_from_the_worst_down_and_nothing_else() -> None:
    high, critical, allowed = finding("B", "HIGH"), finding("C"), finding("A", "LOW")
    seen = judge(scan(high, finding("A", "HIGH"), allowed, critical), max_findings={"CRITICAL": 0, "HIGH": 1, "LOW": 1})
    assert seen.offending == (critical, finding("A", "HIGH"), high)


def test_a_severity_that_is_new_is_not_hidden() -> None:
    seen = judge(scan(finding(severity="SEVERE")))
    assert (dict(seen.counts), "1 SEVERE" in seen.says) == ({"SEVERE": 1}, True)


@pytest.mark.parametrize("told", [{"CRITICAL": 1}, {"Critical": 1}, {"CRITICAL": 1, "critical": 0}, {"HIGH": 9}])
def test_what_is_listed_counts_whatever_ecr_counts(told: dict[str, int]) -> None:
    assert judge(scan(finding(), counts=told)).verdict is Verdict.FAILED


@pytest.mark.parametrize("told", [{"CRITICAL": 1}, {"Critical": 1}, {"critical": 1, "CRITICAL": 0}])
def test_what_ecr_counts_counts_though_it_is_not_listed(told: dict[str, int]) -> None:
    seen = judge(scan(counts=told))
    assert (seen.verdict, dict(seen.counts), seen.offending) == (Verdict.FAILED, {"CRITICAL": 1}, ())


# --- What does not count -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts_it", [True, False], ids=["counted", "not counted"])
def test_what_amazon_inspector_closed_or_suppressed_does_not_count(counts_it: bool) -> None:
    one = scan(finding(is_active=False), counts={"CRITICAL": 1} if counts_it else {})
    seen = judge(one)
    assert (seen.verdict, dict(seen.counts), seen.ignored) == (Verdict.PASSED, {}, ())


@pytest.mark.parametrize("told", [1, 2])
def test_a_finding_that_is_active_in_one_package_counts(told: int) -> None:
    one = scan(finding(package="a", is_active=False), finding(package="b"), counts={"CRITICAL": told})
    assert judge(one).offending == (finding(package="b"),)


@pytest.mark.parametrize("ignore", [[NAMES[0]], (NAMES[0],), {NAMES[0]: None}, {NAMES[0]: "2026-12-31"}])
def test_what_is_ignored_does_not_count(ignore: Any) -> None:
    one = scan(finding(package="a"), finding(package="b"), finding(NAMES[1], "LOW"))
    seen = judge(one, ignore=ignore)
    assert (seen.verdict, dict(seen.counts), seen.ignored) == (Verdict.PASSED, {"LOW": 1}, (NAMES[0],))
    assert seen.says == "0 CRITICAL of 0 allowed, 1 LOW; 2 ignored"


def test_what_is_ignored_and_not_listed_counts() -> None:
    assert judge(scan(counts={"CRITICAL": 1}), ignore=[NAMES[0]]).verdict is Verdict.FAILED
    assert judge(scan(finding(), counts={"CRITICAL": 2}), ignore=[NAMES[0]]).counts == {"CRITICAL": 1}


def test_what_is_not_found_is_not_said_to_be_ignored() -> None:
    assert judge(scan(), ignore=[NAMES[0]]).ignored == ()
    assert judge(scan(finding(is_active=False)), ignore=[NAMES[0]]).ignored == ()


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (datetime(2026, 12, 31, tzinfo=UTC), Verdict.PASSED),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), Verdict.PASSED),
        (datetime(2027, 1, 1, tzinfo=UTC), Verdict.FAILED),
        (datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), Verdict.PASSED),
        (datetime(2026, 12, 31, 20, tzinfo=timezone(-timedelta(hours=5))), Verdict.FAILED),
    ],
)
def test_the_last_day_ends_at_midnight_in_utc(now: datetime, verdict: Verdict) -> None:
    assert judge(scan(finding()), now, ignore={NAMES[0]: "2026-12-31"}).verdict is verdict


# --- Time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", DECIDED)
@pytest.mark.parametrize(
    ("age", "left", "verdict"), [(0, 60, Verdict.WAITING), (59.5, 0.5, Verdict.WAITING), (60, None, Verdict.PASSED)]
)
def test_nothing_found_counts_after_a_while(status: str, age: float, left: float | None, verdict: Verdict) -> None:
    seen = judge(scan(status=status), settles_from=NOW - timedelta(seconds=age), settle_time=60)
    assert (seen.verdict, seen.settles_in) == (verdict, None if left is None else timedelta(seconds=left))


def test_too_many_findings_fail_at_once() -> None:
    assert judge(scan(finding()), settles_from=NOW, settle_time=60).verdict is Verdict.FAILED


@pytest.mark.parametrize("status", DECIDED)
@pytest.mark.parametrize("seconds", [0, 60])
def test_findings_that_are_not_there_yet_are_waited_for(status: str, seconds: float) -> None:
    seen = judge(scan(status=status, **SILENT), settle_time=seconds)
    assert (seen.verdict, seen.says) == (Verdict.WAITING, f"{status}, but its findings are not there yet")
    assert seen.settles_in is None


def test_nothing_is_waited_for_longer_than_the_settle_time_though_ecrs_clock_is_ahead() -> None:
    ahead = NOW + timedelta(hours=1)
    assert judge(scan(), settles_from=ahead, settle_time=0).verdict is Verdict.PASSED
    assert judge(scan(), settles_from=ahead, settle_time=60).settles_in == timedelta(seconds=60)


def test_what_is_waited_for_is_said_with_what_is_there() -> None:
    seen = judge(scan(finding(severity="LOW")), settles_from=NOW - timedelta(seconds=18), settle_time=60)
    assert seen.says == "0 CRITICAL of 0 allowed, 1 LOW; later findings are waited for, 42 s more"
    assert dict(seen.counts) == {"LOW": 1}


# --- Properties --------------------------------------------------------------------------------------------------

_severities = st.sampled_from(SEVERITIES)
_times = st.datetimes(datetime(2026, 12, 30), datetime(2027, 1, 2), timezones=st.just(UTC))  # noqa: DTZ001 - given
_counts = st.dictionaries(_severities | _severities.map(str.title), st.integers(0, 4), max_size=4)
_findings = st.builds(Finding, st.sampled_from(NAMES), _severities, is_active=st.booleans())
_lists = st.lists(_findings, max_size=8).map(tuple)
_scans = st.builds(
    Scan,
    st.sampled_from(DECIDED),
    counts=st.none() | _counts,
    findings=_lists,
)
_policies = st.builds(
    ScanPolicy.from_json,
    max_findings=st.dictionaries(_severities, st.integers(0, 3), min_size=1, max_size=4),
    ignore=st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from(["2026-12-30", "2026-12-31"])),
    settle_time=st.sampled_from([0, 60, 86_400]),
)


def _is_ignored(name: str, by: ScanPolicy, now: datetime) -> bool:
    return name in by.ignore and (until := by.ignore[name], until is None or now.date() <= until)[1]


def _counted(findings: Iterable[Finding], by: ScanPolicy, now: datetime) -> Counter[str]:
    return Counter(each.severity for each in findings if each.is_active and not _is_ignored(each.name, by, now))


def _is_within(counts: Mapping[str, int], limits: Mapping[str, int]) -> bool:
    return all(counts.get(severity, 0) <= most for severity, most in limits.items())


@given(_policies, _scans, _times, _times)
def test_what_is_listed_and_counts_never_passes_beyond_its_limit(
    by: ScanPolicy, one: Scan, now: datetime, began: datetime
) -> None:
    if by.judge(one, now, settles_from=began).verdict is Verdict.PASSED:
        assert _is_within(_counted(one.findings, by, now), by.max_findings)


@given(_policies, _scans, _times, _times)
def test_what_ecr_counts_never_passes_beyond_its_limit_unless_the_list_says_why(
    by: ScanPolicy, one: Scan, now: datetime, began: datetime
) -> None:
    if by.judge(one, now, settles_from=began).verdict is Verdict.PASSED:
        assert one.counts is not None
        excused = Counter(each.severity for each in one.findings) - _counted(one.findings, by, now)
        told = Counter[str]()
        for severity, count in one.counts.items():
            told[severity.upper()] += count
        assert _is_within(told - excused, by.max_findings)


@given(_policies, _lists, st.sampled_from(["all", "active"]), _times)
def test_where_count_and_list_agree_what_counts_is_counted(
    by: ScanPolicy, findings: tuple[Finding, ...], told: str, now: datetime
) -> None:
    counts = Counter(each.severity for each in findings if told == "all" or each.is_active)
    seen = by.judge(scan(*findings, counts=counts), now, settles_from=LONG_AGO)
    expected = _counted(findings, by, now)
    assert dict(seen.counts) == dict(expected)
    assert (seen.verdict is Verdict.FAILED) is not _is_within(expected, by.max_findings)


@given(_policies, _scans, _findings, _times, _times)
def test_one_more_finding_never_helps(by: ScanPolicy, one: Scan, more: Finding, now: datetime, began: datetime) -> None:
    worse = replace(one, findings=(*one.findings, replace(more, is_active=True)))
    ranks = [Verdict.FAILED, Verdict.WAITING, Verdict.PASSED]
    before, after = (by.judge(each, now, settles_from=began).verdict for each in (one, worse))
    if not _is_ignored(more.name, by, now):
        assert ranks.index(after) <= ranks.index(before)


@given(_policies, _scans, _times, _times)
def test_what_passes_has_settled(by: ScanPolicy, one: Scan, now: datetime, began: datetime) -> None:
    if by.judge(one, now, settles_from=began).verdict is Verdict.PASSED and by.settle_time:
        assert now - began >= by.settle_time


@given(_policies, _scans, _times, _times)
def test_what_offends_is_what_counts_from_the_worst_down(
    by: ScanPolicy, one: Scan, now: datetime, began: datetime
) -> None:
    seen = by.judge(one, now, settles_from=began)
    assert list(seen.offending) == sorted(seen.offending, key=worst_first)
    assert all(each.is_active and each.severity in by.max_findings for each in seen.offending)
    assert not any(_is_ignored(each.name, by, now) for each in seen.offending)
    assert seen.verdict is Verdict.FAILED or not seen.offending


# --- Arguments ---------------------------------------------------------------------------------------------------


def test_a_policy_of_nothing_but_limits_has_defaults() -> None:
    assert policy(max_findings={"HIGH": 3}) == ScanPolicy({"HIGH": 3}, {}, {}, timedelta(0))
    assert policy(ignore={"A": "2026-12-31", "B": None}).ignore == {"A": date(2026, 12, 31), "B": None}
    assert policy(on_state=None).on_state == {}
    assert policy(settle_time=0.5).settle_time == timedelta(seconds=0.5)


BAD: Final[dict[str, tuple[Callable[[Any], dict[str, Any]], list[Any]]]] = {
    "max_findings .* not a mapping": (
        lambda given: {"max_findings": given},
        [{}, None, [], "CRITICAL", 3, [("CRITICAL", 0)]],
    ),
    "max_findings: CRITICAL .* is not a number, 0 or more": (
        lambda given: {"max_findings": {"CRITICAL": given}},
        [-1, 0.5, None, True, "x", "", [], 1e400],
    ),
    "max_findings: .* not a severity": (
        lambda given: {"max_findings": {given: 0}},
        ["critical", "", None, 1, "CRITICAL ", "TOTAL"],
    ),
    "ignore .* neither": (lambda given: {"ignore": given}, [None, "CVE-2026-1", 1, {"CVE-2026-1"}, True]),
    "ignore: .* not the name": (lambda given: {"ignore": [given]}, ["", " ", None, 1, ["CVE-2026-1"]]),
    "ignore:.* not the name": (lambda given: {"ignore": {given: None}}, ["", " ", None, 1]),
    "ignore: .* for 'CVE-2026-1' is not a day": (
        lambda given: {"ignore": {"CVE-2026-1": given}},
        ["", "never", "31.12.2026", "2026-13-01", "2026-02-29", 20261231, True, [], "2026-12-31T00:00"],
    ),
    "on_state .* not a mapping": (lambda given: {"on_state": given}, [[], "pass", 1, [("FAILED", "pass")]]),
    "on_state: there is nothing to choose for": (
        lambda given: {"on_state": {given: "pass"}},
        ["failed", "", None, 1, "COMPLETE", "FAILED "],
    ),
    "on_state: .* no choice for FAILED": (
        lambda given: {"on_state": {"FAILED": given}},
        ["PASS", "", None, True, [], "decide"],
    ),
    "settle_time": (
        lambda given: {"settle_time": given},
        [-1, "60", None, True, [], float("nan"), float("inf"), 10**400],
    ),
}


@pytest.mark.parametrize(
    ("message", "arguments"), [(message, make(given)) for message, (make, all_of) in BAD.items() for given in all_of]
)
def test_bad_arguments_are_refused(message: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=message) as refused:
        policy(**arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [" CVE-2026-1", "CVE-2026-1\n"])
def test_blanks_around_a_name_do_not_matter(name: str) -> None:
    assert policy(ignore=[name]).ignore == policy(ignore={name: None}).ignore == {"CVE-2026-1": None}
