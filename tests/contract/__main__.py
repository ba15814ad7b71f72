"""Run the cases and print what came of them, as a table in Markdown: ``PYTHONPATH=tests python -m contract``."""

from __future__ import annotations

from contextlib import ExitStack

from contract.case import Case
from contract.cases import by_subject
from contract.runner import BrokenContractError, UnavailableError, run
from contract.targets import Target, available, can_be_asked, opened


def outcome(case: Case, target: Target) -> str:
    if not can_be_asked(target.name, case) or target.unfit(case):
        return "not run"
    try:
        answers = run(case, target)
    except UnavailableError:
        return "not there"
    except BrokenContractError:
        return f"no: {case.moto_fails}" if target.name == "moto" and case.moto_fails else "**no**"
    return "yes" if not (case.is_question and target.is_aws) else answers[-1]


def main() -> None:
    names = available()
    with ExitStack() as stack:
        targets = [stack.enter_context(opened(name)) for name in names]
        for subject, cases in by_subject().items():
            rows = [["Case", "Evidence", *names], ["---"] * (2 + len(names))]
            rows += [[case.name, case.source, *(outcome(case, target) for target in targets)] for case in cases]
            lines = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
            print(f"\n## {subject.replace('_', ' ')}\n", *lines, sep="\n")  # noqa: T201 - it is what is asked for


if __name__ == "__main__":
    main()
