"""Hold the emulator, moto and (if it is asked for) a real account to the contract of Amazon ECR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from contract.case import EVIDENCE, Case
from contract.cases import by_subject
from contract.rows import ELSEWHERE
from contract.runner import BrokenContractError, UnavailableError, run
from contract.targets import Target, available, can_be_asked
from contract.world import WORLDS

CASES = [(subject, case) for subject, cases in by_subject().items() for case in cases]


def runs() -> Iterator[object]:
    for target in available():
        for subject, case in CASES:
            if not can_be_asked(target, case):
                continue
            marks = []
            if target == "moto" and case.moto_fails:
                marks = [pytest.mark.xfail(reason=f"moto: {case.moto_fails}", strict=True)]
            yield pytest.param(target, case, id=f"{target}: {subject}: {case}", marks=marks)


@pytest.mark.parametrize(("name", "case"), list(runs()))
def test_contract(name: str, case: Case, target_named: Callable[[str], Target], note: Callable[[str], None]) -> None:
    target = target_named(name)
    if reason := target.unfit(case):
        pytest.skip(reason)
    broken: BrokenContractError | None = None
    try:
        answers = run(case, target)
    except UnavailableError as error:
        pytest.skip(str(error))
    except BrokenContractError as error:
        broken = error
    if broken:
        pytest.fail(str(broken), pytrace=False)
    if case.is_question and target.is_aws:
        for answer in [case.name, *answers]:
            note(answer)


# --- The cases themselves ------------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    names = Counter((subject, case.name) for subject, case in CASES)
    assert [name for name, count in names.items() if count > 1] == []


def test_worlds_and_evidence_are_known() -> None:
    for _, case in CASES:
        assert case.given in WORLDS, case
        assert case.evidence in EVIDENCE, case
        assert case.source.partition(": ")[2], f"{case}: where does it say so?"


def test_every_row_of_table_g_is_a_case() -> None:
    """Each thing that a popular emulator gets wrong is asserted, here or (and then ``ELSEWHERE`` says where) there."""
    rows = {row for _, case in CASES for row in case.rows}
    assert rows & ELSEWHERE.keys() == set()
    assert sorted(rows | ELSEWHERE.keys()) == list(range(1, 49))
