"""The trigger behind the operators that deploy."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from deploys import event_of
from ecs_door import Ecs, ecs  # noqa: F401 - a fixture

from ecr_provider.deploying.ecs_plan import EcsRequest
from ecr_provider.deploying.ecs_rollout import begin
from ecr_provider.hooks.ecs import EcsServiceHook
from ecr_provider.triggers.deployment import DeploymentTrigger

IMAGES = [f"registry.example.com/shop/web@sha256:{letter * 64}" for letter in "ab"]
HOOK: dict[str, Any] = {"aws_conn_id": "aws_default", "region_name": None, "verify": None, "config": None}


@pytest.fixture
def door(ecs: Ecs) -> Ecs:  # noqa: F811 - the fixture
    ecs.serve(ecs.register(IMAGES[0]))
    ecs.register(IMAGES[1])
    return ecs


def trigger(door: Ecs, **arguments: Any) -> DeploymentTrigger:
    rollout = begin(EcsServiceHook().service("shop", "web"), EcsRequest("web")).to_json()
    door.calls.clear()
    given: dict[str, Any] = {"kind": "ecs", "rollout": rollout, "hook": HOOK, "waiter_delay": 0.01}
    return DeploymentTrigger(**given | arguments)


def run(one: DeploymentTrigger) -> Any:
    return asyncio.run(event_of(one)).payload


def test_it_tells_the_end_and_has_only_read(door: Ecs) -> None:
    door.after_update = [[lambda: None, door.start_one, door.finish]]
    one = trigger(door)
    event = run(one)
    assert (event["kind"], event["rollout"]) == ("ecs", one.rollout)
    assert event["look"]["verdict"] == "passed"
    assert set(door.calls) == {"DescribeServices", "ListTasks", "DescribeTasks"}


def test_the_looks_of_the_worker_count(door: Ecs) -> None:
    door.after_update = [[]]
    event = run(trigger(door, waiter_max_attempts=5, looks=3, started_at=time.time() - 100))
    assert event["look"]["verdict"] == "failed"
    assert "within 5 looks and 10" in event["look"]["says"]
    assert door.calls == ["DescribeServices"] * 2


def test_a_throttled_look_is_made_again(door: Ecs) -> None:
    one = trigger(door)
    door.refuse("DescribeServices", "ThrottlingException", times=3)
    assert run(one)["look"]["verdict"] == "passed"


def test_an_error_that_no_look_can_mend_is_an_event(door: Ecs) -> None:
    one = trigger(door)
    door.refuse("DescribeServices", "AccessDeniedException")
    event = run(one)
    assert "AccessDeniedException" in event["error"]
    assert (event["retryable"], event["rollout"]) == (False, one.rollout)


def test_a_missing_connection_is_an_event(door: Ecs) -> None:
    event = run(trigger(door, hook={**HOOK, "aws_conn_id": "nowhere"}))
    assert "'nowhere' does not exist" in event["error"]
