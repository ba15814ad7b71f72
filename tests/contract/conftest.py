"""The targets, opened once; and, of a real account, what it answered to the questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from contract.targets import Target, opened

ANSWERS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def target_named() -> Iterator[Callable[[str], Target]]:
    """Return a target by its name; it is opened by the first test that needs it."""
    targets: dict[str, Target] = {}
    with ExitStack() as stack:

        def named(name: str) -> Target:
            if name not in targets:
                targets[name] = stack.enter_context(opened(name))
            return targets[name]

        yield named


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note an answer for the end of the report."""
    return request.config.stash.setdefault(ANSWERS, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if answers := config.stash.get(ANSWERS, []):
        terminalreporter.section("what the real account answered to the questions")
        for line in answers:
            terminalreporter.write_line(line)
