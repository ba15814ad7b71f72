"""The operator that deploys on ECS."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from airflow_runs import run_task
from deploys import Outcome, TaskInstance, carry_out
from ecs_door import Ecs, ecs  # noqa: F401 - a fixture
from local_ecr import ACCOUNT, REGION

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import ConnectionNotFoundError, EcrProviderError, InvalidInputError
from ecr_provider.operators.deploy_ecs import EcsUpdateServiceOperator
from ecr_provider.version_compat import AirflowFailException

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OLD, NEW, OTHER = (f"{HOST}/shop/web@sha256:{letter * 64}" for letter in "abc")

either_way = pytest.mark.parametrize("deferrable", [False, True], ids=["in the worker", "deferred"])


@pytest.fixture
def door(ecs: Ecs) -> Ecs:  # noqa: F811 - the fixture
    """A service that runs ``web:1``, and ``web:2`` to deploy."""
    ecs.serve(ecs.register(OLD))
    ecs.register(NEW)
    return ecs


def operator(**arguments: Any) -> EcsUpdateServiceOperator:
    given: dict[str, Any] = {
        "task_id": "deploy",
        "cluster": "shop",
        "service": "web",
        "task_definition": "web",
        "image_uri": NEW,
        "waiter_delay": 0,
        "waiter_max_attempts": 5,
    }
    return EcsUpdateServiceOperator(**given | arguments)


def deploy(**arguments: Any) -> Outcome:
    return carry_out(operator(**arguments))


@either_way
def test_airflow_runs_it_with_templates_and_xcom(
    door: Ecs, capsys: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    door.after_update = [[door.start_one, door.finish]]
    run = run_task(
        lambda: operator(image_uri="{{ params.image }}", task_definition="{{ params.family }}", deferrable=deferrable),
        params={"image": NEW, "family": "web"},
    )
    assert run.state("deploy") == "success"
    assert run.xcom("deploy")["outcome"] == "deployed"
    assert run.xcom("deploy", "taskDefinitionArn").endswith("web:2")
    link = run.xcom("deploy", "_link_EcsServiceLink")
    assert link == "https://console.aws.amazon.com/ecs/v2/clusters/shop/services/web/health?region=us-east-1"
    assert door.updates() == ["web:2"]
    log = capsys.readouterr().out
    assert "shop/web: deployment ecs-svc/2 of web:2 is begun (requested by test_" in log
    assert re.search(r"Look 1 after \d+ s: shop/web: deployment ecs-svc/2 of web:2 is under way", log)
    if not deferrable:  # the triggerer of Airflow 3.0 logs elsewhere
        assert re.search(rf"Look 2 after \d+ s: .* is done; its 2 tasks run {NEW} in web", log)


@either_way
def test_a_failed_rollout_fails_the_task_for_good_with_its_facts_in_xcom(door: Ecs, *, deferrable: bool) -> None:
    door.after_update = [[door.start_one, door.fail]]
    outcome = deploy(deferrable=deferrable)
    assert outcome.failure.startswith(
        "shop/web: deployment ecs-svc/2 of web:2 FAILED: ECS deployment circuit breaker: tasks failed to start. Now: "
    )
    assert outcome.failure.endswith("The task itself undid nothing, since rollback_on_failure is not set.")
    assert outcome.xcoms["return_value"]["outcome"] == "failed"
    assert outcome.xcoms["rolloutState"] == "FAILED"
    assert door.updates() == ["web:2"]
    assert outcome.deferrals == deferrable


@either_way
def test_it_goes_back_if_that_is_asked_for_and_fails_all_the_same(door: Ecs, *, deferrable: bool) -> None:
    door.after_update = [[door.fail], [door.start_one, door.finish]]
    outcome = deploy(deferrable=deferrable, rollback_on_failure=True)
    assert door.updates() == ["web:2", "web:1"]
    assert "web:2 FAILED: ECS deployment circuit breaker" in outcome.failure
    assert outcome.failure.endswith(
        "It was taken back: shop/web: deployment ecs-svc/3 of web:1 is done; its 2 tasks run."
    )
    report = outcome.xcoms["return_value"]
    assert (report["outcome"], report["taskDefinitionArn"][-5:]) == ("failed", "web:2")
    assert report["rollback"] == {
        "taskDefinitionArn": report["previousTaskDefinitionArn"],
        "deploymentId": "ecs-svc/3",
        "outcome": "completed",
        "reason": "is done; its 2 tasks run",
    }
    assert outcome.deferrals == deferrable


@either_way
def test_a_contradiction_is_a_failure_that_is_taken_back(door: Ecs, *, deferrable: bool) -> None:
    image, digest = NEW.replace(HOST, "registry.example.com"), OTHER.partition("@")[2]
    door.register(image)
    door.pulled[image] = digest
    outcome = deploy(image_uri=image, deferrable=deferrable, rollback_on_failure=True)
    assert f"it is not {image} that runs" in outcome.failure
    assert "It was taken back" in outcome.failure
    assert outcome.xcoms["containers"] == [{"name": "web", "image": image, "imageDigest": digest}]


@either_way
def test_the_time_is_up_for_a_rollout_and_for_its_way_back(door: Ecs, *, deferrable: bool) -> None:
    door.after_update = [[], []]
    outcome = deploy(deferrable=deferrable, rollback_on_failure=True, waiter_max_attempts=3)
    assert "web:2 did not come to an end within 3 looks" in outcome.failure
    assert (
        "Taking it back failed, too: shop/web: deployment ecs-svc/3 of web:1 did not come to an end within 3 looks"
        in outcome.failure
    )
    assert "Neither is known to run" in outcome.failure
    assert outcome.xcoms["rollback"]["outcome"] == "failed"


def test_a_way_back_that_cannot_be_begun_is_said(door: Ecs) -> None:
    door.after_update = [[door.fail, lambda: door.refuse("UpdateService", "ClientException")]]
    outcome = deploy(rollback_on_failure=True)
    assert "It was not taken back: UpdateService of shop/web to web:1 failed" in outcome.failure
    assert outcome.xcoms["rollback"]["outcome"] == "not begun"
    assert door.primary["taskDefinition"].endswith("web:2")


def test_ecs_own_rollback_is_followed_and_no_second_one_begun(door: Ecs) -> None:
    door.after_update = [[door.roll_back, lambda: None, door.finish]]
    outcome = deploy(rollback_on_failure=True)
    assert "ECS itself went back" in outcome.failure
    assert "It was taken back: shop/web: deployment ecs-svc/3 of web:1 is done" in outcome.failure
    assert door.updates() == ["web:2"]


def test_somebody_elses_deployment_is_left_alone(door: Ecs) -> None:
    door.after_update = [[lambda: door.deploy(door.register(OTHER))]]
    outcome = deploy(rollback_on_failure=True)
    assert "was displaced by another deployment, ecs-svc/3" in outcome.failure
    assert "It was not taken back: the service is somebody else's by now" in outcome.failure
    assert door.updates() == ["web:2"]


def test_a_retry_after_a_killed_worker_waits_for_the_first_deployment(door: Ecs) -> None:
    door.after_update = [[]]
    deploy(wait_for_completion=False)
    door.steps = [door.start_one, door.finish]
    outcome = deploy()
    assert outcome.returned["outcome"] == "unchanged"
    assert outcome.returned["previousTaskDefinitionArn"].endswith("web:1")
    assert door.updates() == ["web:2"]


def test_a_deployment_that_is_not_waited_for_is_called_started(door: Ecs) -> None:
    outcome = deploy(wait_for_completion=False)
    assert outcome.returned["outcome"] == "started"
    assert "ListTasks" not in door.calls


@either_way
def test_what_cannot_be_followed_any_further_says_that_it_goes_on(door: Ecs, *, deferrable: bool) -> None:
    door.after_update = [[door.start_one, door.finish]]
    door.refuse("ListTasks", "AccessDeniedException")
    outcome = deploy(deferrable=deferrable, rollback_on_failure=True)
    assert "web:2 cannot be followed any further, and goes on by itself: ListTasks of shop/web" in outcome.failure
    assert outcome.failure.endswith("Nothing was undone.")
    assert outcome.xcoms["outcome"] == "unknown"
    assert door.updates() == ["web:2"]


@either_way
def test_a_way_back_that_cannot_be_followed_is_told_with_what_failed(door: Ecs, *, deferrable: bool) -> None:
    door.after_update = [[door.fail], [lambda: None, door.finish]]
    door.refuse("ListTasks", "AccessDeniedException")
    outcome = deploy(deferrable=deferrable, rollback_on_failure=True)
    assert "web:2 FAILED: ECS deployment circuit breaker" in outcome.failure
    assert "It is being taken back: shop/web: deployment ecs-svc/3 of web:1 cannot be followed" in outcome.failure
    assert (outcome.xcoms["outcome"], outcome.xcoms["rollback"]["outcome"]) == ("failed", "unknown")


@pytest.mark.usefixtures("door")
def test_a_trigger_that_could_not_look_may_be_retried_but_for_a_way_back() -> None:
    from ecr_provider.deploying.ecs_plan import EcsRequest
    from ecr_provider.deploying.ecs_rollout import begin
    from ecr_provider.deploying.rollout import Failure
    from ecr_provider.hooks.ecs import EcsServiceHook

    rollout = begin(EcsServiceHook().service("shop", "web"), EcsRequest("web"))
    event = {"kind": "ecs", "rollout": rollout.to_json(), "error": "no credentials", "retryable": True}
    with pytest.raises(EcrProviderError, match="web:2 could not be looked at: no credentials"):
        operator().execute_complete({}, event)
    event["rollout"] = rollout.after_failure(Failure(says="It failed.", report={})).to_json()
    context: Any = {"ti": TaskInstance(xcoms={})}
    with pytest.raises(AirflowFailException, match=r"It failed\. It is being taken back: "):
        operator().execute_complete(context, event)


# --- The index, by the connection ----------------------------------------------------------------------------


def test_the_index_is_read_from_the_registry_that_the_image_names(
    door: Ecs, ecr: EcrEmulator, build: Callable[..., SampleImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build("new", "prod")
    uri = f"{HOST}/shop/web@{made.digest}"
    door.register(uri)
    door.pulled[uri] = made.children[0].digest
    services = {"service_config": {"ecr": {"endpoint_url": ecr.endpoint_url}}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", door.connection(**services))
    assert deploy(image_uri=uri).returned["containers"][0]["imageDigest"] == made.children[0].digest
    assert ecr.calls == ["BatchGetImage"]
    elsewhere = f"registry.example.com/shop/web@{made.digest}"
    door.register(elsewhere)
    door.pulled[elsewhere] = made.children[0].digest
    assert "is not registry.example.com" in deploy(image_uri=elsewhere).failure


# --- Arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_uri": None, "container_name": "web"}, "give image_uri, too"),
        ({"wait_for_completion": False, "rollback_on_failure": True}, "goes with wait_for_completion"),
        ({"waiter_max_attempts": 0}, "waiter_max_attempts is 0"),
        ({"waiter_delay": -1}, "waiter_delay -1"),
    ],
)
def test_arguments_that_contradict_each_other_do_not_import(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        operator(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_uri": f"{HOST}/shop/web:prod"}, "image_uri: .* is not pinned by digest"),
        ({"image_uri": "  "}, "image_uri was given, but rendered to"),
        ({"task_definition": "None"}, "task_definition was given, but rendered to"),
        ({"aws_conn_id": "aws_prod"}, "'aws_prod' does not exist"),
        ({"botocore_config": {"nonsense": 1}}, "botocore_config"),
    ],
)
def test_nothing_is_called_with_an_argument_that_is_none(door: Ecs, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message) as caught:
        operator(**arguments).execute({"ti": None})  # type: ignore[typeddict-item]
    assert isinstance(caught.value.__cause__, InvalidInputError | ConnectionNotFoundError)
    assert door.calls == []


@pytest.mark.usefixtures("door")
def test_the_link_is_there_before_the_first_call() -> None:
    outcome = deploy(service="api")
    assert "There is no ECS service shop/api" in outcome.failure
    assert outcome.xcoms["_link_EcsServiceLink"].endswith("services/api/health?region=us-east-1")
    arns = {"cluster": f"arn:aws-cn:ecs:cn-north-1:{ACCOUNT}:cluster/shop", "region_name": "cn-north-1"}
    assert deploy(**arns).xcoms == {
        "_link_EcsServiceLink": (
            "https://console.amazonaws.cn/ecs/v2/clusters/shop/services/web/health?region=cn-north-1"
        )
    }


def test_the_lineage_has_the_image_that_is_deployed() -> None:
    (told,) = operator().get_openlineage_facets_on_complete(None).inputs
    assert (told.namespace, told.name) == (f"ecr://{HOST}", NEW.removeprefix(f"{HOST}/"))
    assert operator(image_uri=None).get_openlineage_facets_on_complete(None).inputs == []
    # The task has failed of that; OpenLineage asks all the same.
    assert operator(image_uri="shop/web:prod").get_openlineage_facets_on_failure(None).inputs == []
