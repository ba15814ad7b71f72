"""The operator that deploys on Lambda."""

from __future__ import annotations

import re
from typing import Any

import pytest
from airflow_runs import run_task
from deploys import Outcome, carry_out
from lambda_door import Lambda, functions  # noqa: F401 - a fixture
from local_ecr import ACCOUNT, REGION

from ecr_provider.exceptions import ConflictError, InvalidInputError
from ecr_provider.operators.deploy_lambda import LambdaUpdateFunctionCodeOperator

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OLD, NEW, OTHER = (f"{HOST}/shop/thumbnails@sha256:{letter * 64}" for letter in "abc")

either_way = pytest.mark.parametrize("deferrable", [False, True], ids=["in the worker", "deferred"])


@pytest.fixture
def door(functions: Lambda) -> Lambda:  # noqa: F811 - the fixture
    functions.image = functions.resolved = OLD
    return functions


def operator(**arguments: Any) -> LambdaUpdateFunctionCodeOperator:
    given: dict[str, Any] = {
        "task_id": "deploy",
        "function_name": "thumbnails",
        "image_uri": NEW,
        "waiter_delay": 0,
        "waiter_max_attempts": 5,
    }
    return LambdaUpdateFunctionCodeOperator(**given | arguments)


def deploy(**arguments: Any) -> Outcome:
    return carry_out(operator(**arguments))


def test_airflow_runs_it_with_templates_and_xcom(door: Lambda) -> None:
    door.after_update = [[lambda: None, door.finish]]
    run = run_task(
        lambda: operator(image_uri="{{ params.image }}", publish=True, deferrable=True), params={"image": NEW}
    )
    assert run.state("deploy") == "success"
    assert run.xcom("deploy", "imageUri") == run.xcom("deploy", "resolvedImageUri") == NEW
    assert run.xcom("deploy")["version"] == "1"
    link = run.xcom("deploy", "_link_LambdaFunctionLink")
    assert link == "https://console.aws.amazon.com/lambda/home?region=us-east-1#/functions/thumbnails"


@either_way
def test_a_version_is_published_after_the_check_and_waited_for(door: Lambda, *, deferrable: bool) -> None:
    door.version_state = "Pending"
    door.after_update = [[lambda: None, lambda: None, door.finish]]
    outcome = deploy(publish=True, deferrable=deferrable, waiter_max_attempts=4)
    assert "thumbnails, version 1: the update to" in outcome.failure
    assert "did not come to an end within 4 looks" in outcome.failure
    assert door.calls.index("PublishVersion") == 5
    door.versions["1"]["State"] = "Active"
    again = deploy(publish=True, deferrable=deferrable)
    assert (again.returned["outcome"], again.returned["version"]) == ("unchanged", "1")


@either_way
def test_a_failed_update_is_taken_back_if_that_is_asked_for(door: Lambda, *, deferrable: bool) -> None:
    door.after_update = [[lambda: None, door.fail], [lambda: None, door.finish]]
    outcome = deploy(deferrable=deferrable, rollback_on_failure=True)
    assert f"thumbnails: the update to {NEW} failed, and Lambda goes on with the code of before" in outcome.failure
    assert f"It was taken back: thumbnails: the update to {OLD} is done" in outcome.failure
    assert outcome.xcoms["rollback"]["imageUri"] == OLD
    assert outcome.xcoms["return_value"]["outcome"] == "failed"
    assert door.updates() == [NEW, OLD]


def test_the_architecture_is_changed_with_the_image(door: Lambda) -> None:
    assert deploy(architectures=["arm64"]).returned["architectures"] == ["arm64"]
    assert door.asked_for[0]["Architectures"] == ["arm64"]


def test_without_the_choice_nothing_is_undone(door: Lambda) -> None:
    door.after_update = [[door.fail]]
    assert "The task itself undid nothing" in deploy().failure
    assert door.updates() == [NEW]


def test_somebody_elses_image_is_a_contradiction_and_left_alone(door: Lambda) -> None:
    def other() -> None:
        door.give(OTHER)
        door.finish()

    door.after_update = [[other]]
    outcome = deploy(rollback_on_failure=True)
    assert f"is not what the function has: its image is {OTHER}" in outcome.failure
    assert "It was not taken back: it is somebody else's by now" in outcome.failure


def test_a_function_that_is_being_updated_may_be_tried_again(door: Lambda) -> None:
    door.refuse("UpdateFunctionCode", "ResourceConflictException", "An update is in progress.", 409)
    with pytest.raises(ConflictError, match="Nothing was changed; let the task retry"):
        deploy()
    assert deploy().returned["outcome"] == "deployed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architectures": ["riscv"]}, r"architectures: .*\['x86_64'\] or \['arm64'\]"),
        ({"image_uri": None}, "image_uri is missing"),
        ({"function_name": "thumbnails:prod"}, "function_name: 'thumbnails:prod' names a version or an alias"),
        ({"function_name": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:thumbnails:7"}, "names a version or an alias"),
        ({"architectures": "arm64"}, "architectures: 'arm64' is not what Lambda takes"),
        ({"image_uri": f"{HOST}/shop/thumbnails:prod"}, "not pinned by digest"),
    ],
)
def test_nothing_is_called_with_an_argument_that_is_none(door: Lambda, arguments: dict[str, Any], message: str) -> None:
    assert re.search(message, deploy(**arguments).failure)
    assert door.calls == []


def test_only_what_was_checked_is_published() -> None:
    with pytest.raises(InvalidInputError, match="publish goes with wait_for_completion"):
        operator(publish=True, wait_for_completion=False)
