from __future__ import annotations

import pytest

from ecr_provider.oci.quoting import LONGEST, number_of, quote


@pytest.mark.parametrize(
    ("count", "written"), [(0, "0 referrers"), (1, "1 referrer"), (2, "2 referrers"), (1000, "1000 referrers")]
)
def test_a_number_of_things_is_written_for_people(count: int, written: str) -> None:
    assert number_of(count, "referrer") == written


def test_what_makes_several_of_one_may_be_something_else() -> None:
    assert (number_of(1, "push", "es"), number_of(2, "push", "es")) == ("1 push", "2 pushes")


def test_a_long_value_is_cut() -> None:
    assert len(quote("a" * 1000)) <= LONGEST + len("…")
