"""The decision about each tag, without any I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_provider.ecr.put_plan import Guard, Outcome, Pointee, PutPlan, TagMove, decide
from ecr_provider.exceptions import PreconditionFailedError
from ecr_provider.oci import Digest, parse_manifest

OLD, NEW, OTHER = (Digest.of(name) for name in (b"old", b"new", b"other"))
MAYBE = st.sampled_from([None, OLD, NEW, OTHER])
MANIFEST = parse_manifest('{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}')


def at(**current: Digest | None) -> dict[str | None, Pointee | None]:
    return {tag: None if digest is None else Pointee(digest) for tag, digest in current.items()}


def outcome(current: Digest | None, guard: Guard | None = None) -> Outcome:
    return decide(NEW, at(prod=current), guard)[0].outcome


def test_a_tag_that_does_not_exist_is_created() -> None:
    assert outcome(None) is Outcome.CREATED


def test_a_tag_on_another_image_is_moved_and_remembers_from_where() -> None:
    assert decide(NEW, at(prod=OLD)) == (TagMove("prod", OLD, Outcome.MOVED),)


def test_a_tag_on_this_image_is_unchanged() -> None:
    assert outcome(NEW) is Outcome.UNCHANGED


@pytest.mark.parametrize("guard", [None, Guard(None), Guard(OLD)])
def test_a_tag_on_this_image_in_the_archive_is_restored(guard: Guard | None) -> None:
    assert decide(NEW, {"prod": Pointee(NEW, is_active=False)}, guard)[0].outcome is Outcome.RESTORED


@pytest.mark.parametrize(("current", "guard"), [(OLD, Guard(OLD)), (None, Guard(None))])
def test_a_guard_lets_a_tag_pass_that_is_where_it_should_be(current: Digest | None, guard: Guard) -> None:
    assert outcome(current, guard) is not Outcome.UNCHANGED


@pytest.mark.parametrize(
    ("current", "guard", "actual", "expected"),
    [
        (OTHER, Guard(OLD), f"points at {OTHER}", f"points at {OLD}"),
        (None, Guard(OLD), "does not exist", f"points at {OLD}"),
        (OLD, Guard(None), f"points at {OLD}", "does not exist"),
    ],
)
def test_a_guard_refuses_a_tag_that_is_elsewhere(
    current: Digest | None, guard: Guard, actual: str, expected: str
) -> None:
    with pytest.raises(PreconditionFailedError) as caught:
        decide(NEW, at(prod=current), guard)
    assert f"Tag 'prod' {actual}, but expected_current_digest says that it {expected}" in str(caught.value)


@given(st.dictionaries(st.sampled_from("abcd"), MAYBE, min_size=1), st.sampled_from([OLD, None]))
def test_a_guard_lets_all_tags_pass_or_none(current: dict[str, Digest | None], expected: Digest | None) -> None:
    if all(digest in (expected, NEW) for digest in current.values()):
        assert len(decide(NEW, at(**current), Guard(expected))) == len(current)
    else:
        with pytest.raises(PreconditionFailedError):
            decide(NEW, at(**current), Guard(expected))


@given(st.dictionaries(st.sampled_from("abcd"), MAYBE, min_size=1))
def test_a_second_decision_after_the_moves_finds_nothing_to_do(current: dict[str, Digest | None]) -> None:
    after = {move.tag: Pointee(NEW) for move in decide(NEW, at(**current))}
    for guard in (None, Guard(None), Guard(OLD)):
        assert {move.outcome for move in decide(NEW, after, guard)} == {Outcome.UNCHANGED}


@pytest.mark.parametrize(
    ("outcomes", "overall"),
    [
        ([Outcome.UNCHANGED, Outcome.CREATED, Outcome.MOVED], Outcome.MOVED),
        ([Outcome.UNCHANGED, Outcome.RESTORED, Outcome.CREATED], Outcome.CREATED),
        ([Outcome.UNCHANGED, Outcome.RESTORED], Outcome.RESTORED),
        ([Outcome.UNCHANGED], Outcome.UNCHANGED),
    ],
)
def test_the_outcome_of_several_tags_is_the_strongest(outcomes: list[Outcome], overall: Outcome) -> None:
    moves = tuple(TagMove(str(number), None, each) for number, each in enumerate(outcomes))
    assert PutPlan(MANIFEST, moves, guard=None, registry_id=None).outcome is overall
