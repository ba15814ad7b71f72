"""Putting where the quota is used up by others: by the real boto3 client against the local ECR, and as a queue."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import pytest
from emulator_calls import ONCE
from hypothesis import example, given, settings
from hypothesis import strategies as st
from local_ecr import REPOSITORY
from puts import retag
from tenacity import wait_random

from ecr_provider.ecr.limits import CALLS_PER_SECOND
from ecr_provider.ecr.put_image import PATIENCE_WITH_QUOTA, _turns, carry_out, plan_put
from ecr_provider.ecr.put_plan import Guard, Outcome, PutRequest
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import PartialPutError, PreconditionFailedError, ThrottledError
from ecr_provider.oci import Digest, parse_manifest

Build = Callable[..., SampleImage]
PointsAt = Callable[[str], str | None]


@pytest.fixture
def repository(ecr: EcrEmulator) -> EcrRepository:
    """A client that does not try again by itself, so that a turn is one call."""
    return EcrRepository(ecr.client(config=ONCE), REPOSITORY)


@pytest.fixture
def waits() -> list[float]:
    return []


# --- Waiting for a turn ----------------------------------------------------------------------------------------------


def test_a_put_waits_for_its_turn(
    ecr: EcrEmulator,
    repository: EcrRepository,
    build: Build,
    points_at: PointsAt,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    image = build("new", "build-42")
    ecr.faults.fail("PutImage", times=5)
    with caplog.at_level("INFO", "ecr_provider.ecr.put_image"):
        done, _ = carry_out(
            repository, plan_put(repository, retag("build-42", "prod")), patience=60, sleep=waits.append
        )
    assert (done.outcome, points_at("prod")) == (Outcome.CREATED, image.digest)
    assert ecr.calls.count("PutImage") == 6
    assert len(waits) == 5
    assert all(1 <= wait <= 3 for wait in waits)
    assert len(set(waits)) > 1  # those who were throttled together do not come back together
    assert "ECR has no turn for this put yet (ThrottlingException). Next try in" in caplog.text


def test_patience_ends(ecr: EcrEmulator, repository: EcrRepository, build: Build, waits: list[float]) -> None:
    build("new", "build-42")
    ecr.faults.fail("PutImage", times=100)
    with pytest.raises(ThrottledError, match="Airflow pool") as caught:
        carry_out(repository, plan_put(repository, retag("build-42", "prod")), patience=30, sleep=waits.append)
    assert caught.value.retryable
    assert 30 <= sum(waits) <= 33


def test_without_patience_there_is_one_try(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")
    ecr.faults.fail("PutImage")
    with pytest.raises(ThrottledError):
        carry_out(repository, plan_put(repository, retag("build-42", "prod")))
    assert ecr.calls.count("PutImage") == 1


def test_a_manifest_without_a_tag_waits_too(ecr: EcrEmulator, repository: EcrRepository, waits: list[float]) -> None:
    manifest = parse_manifest(
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    )
    ecr.faults.fail("PutImage", times=2)
    plan = plan_put(repository, PutRequest(manifest))
    done, _ = carry_out(repository, plan, patience=60, sleep=waits.append)
    assert (done.outcome, len(waits)) == (Outcome.CREATED, 2)


def test_several_tags_wait_one_after_the_other_and_none_is_put_twice(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt, waits: list[float]
) -> None:
    image = build("new", "build-42")
    ecr.faults.fail("PutImage", skip=1, times=3)
    plan = plan_put(repository, retag("build-42", "one", "two", "three"))
    carry_out(repository, plan, patience=60, sleep=waits.append)
    assert {points_at(tag) for tag in ("one", "two", "three")} == {image.digest}
    assert (ecr.calls.count("PutImage"), len(waits)) == (6, 3)


def test_the_tag_that_got_no_turn_is_named(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, waits: list[float]
) -> None:
    build("new", "build-42")
    ecr.faults.fail("PutImage", skip=1, times=100)
    with pytest.raises(PartialPutError) as caught:
        carry_out(repository, plan_put(repository, retag("build-42", "one", "two")), patience=9, sleep=waits.append)
    assert (caught.value.put, caught.value.failed, caught.value.retryable) == (("one",), "two", True)


# --- What happens meanwhile ------------------------------------------------------------------------------------------


def rival_of(ecr: EcrEmulator, rival: SampleImage) -> Callable[[float], None]:
    """Have somebody else move prod while the put waits."""
    other = ecr.client()

    def move(_: float) -> None:
        other.put_image(repositoryName=REPOSITORY, imageManifest=rival.text, imageTag="prod")

    return move


def test_a_guarded_tag_that_moves_during_the_wait_is_left_alone(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt
) -> None:
    old, rival = build("old", "prod"), build("rival", "build-43")
    build("new", "build-42")
    plan = plan_put(repository, retag("build-42", "prod", guard=Guard(Digest.parse(old.digest))))
    ecr.faults.fail("PutImage")
    with pytest.raises(PreconditionFailedError):
        carry_out(repository, plan, patience=60, sleep=rival_of(ecr, rival))
    assert points_at("prod") == rival.digest


def test_what_was_overwritten_is_what_stood_there_at_the_turn(
    ecr: EcrEmulator, repository: EcrRepository, build: Build, points_at: PointsAt
) -> None:
    old, rival = build("old", "prod"), build("rival", "build-43")
    new = build("new", "build-42")
    plan = plan_put(repository, retag("build-42", "prod"))
    ecr.faults.fail("PutImage")
    done, _ = carry_out(repository, plan, patience=60, sleep=rival_of(ecr, rival))
    assert points_at("prod") == new.digest
    assert [str(each.moves[0].previous) for each in (plan, done)] == [old.digest, rival.digest]


def test_a_put_whose_answer_was_lost_and_that_is_throttled_then_is_done_once(
    ecr: EcrEmulator, build: Build, points_at: PointsAt, waits: list[float]
) -> None:
    old, image = build("old", "prod"), build("new", "build-42")
    repository = EcrRepository(ecr.client(), REPOSITORY)  # which tries again by itself
    plan = plan_put(repository, retag("build-42", "prod"))
    ecr.faults.lose("PutImage", how="cut")
    ecr.faults.fail("PutImage", times=2)
    done, _ = carry_out(repository, plan, patience=60, sleep=waits.append)
    assert (done.outcome, str(done.moves[0].previous)) == (Outcome.MOVED, old.digest)
    assert points_at("prod") == image.digest
    assert not waits


def test_a_try_that_was_applied_late_still_counts_as_the_move_that_it_was(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    old, new = build("old", "prod"), build("new", "build-42")
    plan = plan_put(repository, retag("build-42", "prod"))
    ecr.faults.fail("PutImage")
    done, _ = carry_out(repository, plan, patience=60, sleep=rival_of(ecr, new))
    assert (done.outcome, str(done.moves[0].previous)) == (Outcome.MOVED, old.digest)


# --- Many at one quota -----------------------------------------------------------------------------------------------


#: What botocore waits by itself before its two further tries, in seconds, by default.
BOTOCORE = (wait_random(0, 1), wait_random(0, 2))


@settings(max_examples=30, deadline=None)
@given(slots=st.integers(1, 128), service=st.floats(0.005, 2.0))
@example(slots=128, service=0.005)
@example(slots=32, service=1.0)
def test_many_tasks_at_one_quota_are_done_as_soon_as_it_allows(slots: int, service: float) -> None:
    """Two hundred puts: what the quota needs, or what the slots need, whichever is more; and 15 % beyond."""
    puts, rate = 200, CALLS_PER_SECOND["PutImage"]
    took, longest_wait = queue(puts, slots, service, rate)
    slots_need = puts * service / slots
    assert took <= 1.15 * max((puts - rate) / rate, slots_need) + 1.5 * service
    assert longest_wait < PATIENCE_WITH_QUOTA / 2


def queue(puts: int, slots: int, service: float, rate: float) -> tuple[float, float]:
    """Let slots put one image after the other at a bucket, by the waits of botocore and the operator, in virtual time.

    :return: how long all of it took, and how long the unluckiest put waited, in seconds.
    """
    waits: list[Any] = [*BOTOCORE, _turns(PATIENCE_WITH_QUOTA, lambda _: None).wait]
    tokens, filled_at, ended, longest = rate, 0.0, 0.0, 0.0
    left = puts - min(slots, puts)
    due = [(service * _jitter(slot), slot, 0, 0.0) for slot in range(puts - left)]
    heapq.heapify(due)
    while due:
        now, slot, tried, waited = heapq.heappop(due)
        tokens, filled_at = min(rate, tokens + (now - filled_at) * rate), now
        if tokens < 1:
            pause = waits[tried % len(waits)](None)
            heapq.heappush(due, (now + pause, slot, tried + 1, waited + pause))
            continue
        tokens, ended, longest = tokens - 1, now, max(longest, waited)
        if left:
            left -= 1
            heapq.heappush(due, (now + service * (0.5 + _jitter(left)), slot, 0, 0.0))
    return ended, longest


def _jitter(number: int) -> float:
    """Return a number from 0 to 1 that differs from those before it."""
    return number * 0.618 % 1
