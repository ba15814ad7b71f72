"""Deployments on ECS, without Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ecs_door import Ecs
from ecs_rollouts import HOST, NEW, OLD, OTHER, begun, end_of
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REGION

from ecr_provider.deploying.ecs_rollout import EcsRollout, decide_back, progress
from ecr_provider.deploying.ecs_service import Deployment, ServiceState
from ecr_provider.deploying.kinds import rollout_of
from ecr_provider.deploying.pinned import pinned
from ecr_provider.deploying.rollout import Failure, look_at_rollout, out_of_patience
from ecr_provider.exceptions import (
    DeploymentFailedError,
    DeploymentRefusedError,
    EcrCallError,
    InvalidReferenceError,
    InvalidRequestError,
)
from ecr_provider.gates.gate import Look, Verdict

# --- Beginning -----------------------------------------------------------------------------------------------


def test_one_update_deploys_the_definition_and_the_tasks_prove_it(door: Ecs) -> None:
    service, rollout = begun(door)
    look = end_of(rollout, service)
    assert door.updates() == ["web:2"]
    assert look.verdict is Verdict.PASSED
    assert look.says == f"is done; its 2 tasks run {NEW} in web"
    assert rollout.report(look) == {
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/shop",
        "serviceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/web",
        "serviceName": "web",
        "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:2",
        "previousTaskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:1",
        "deploymentId": "ecs-svc/2",
        "outcome": "deployed",
        "imageUri": NEW,
        "rolloutState": "COMPLETED",
        "desiredCount": 2,
        "runningCount": 2,
        "containers": [{"name": "web", "image": NEW, "imageDigest": NEW.partition("@")[2]}],
        "rollback": None,
    }


def test_nothing_else_of_the_service_is_touched(door: Ecs) -> None:
    begun(door)
    assert set(door.asked_for[0]) == {"cluster", "service", "taskDefinition", "forceNewDeployment"}


def test_a_retry_joins_the_deployment_that_is_under_way(door: Ecs) -> None:
    door.after_update = [[]]
    _, first = begun(door)
    service, second = begun(door)
    assert second == replace(first, outcome="unchanged", earlier=())
    door.finish()
    assert end_of(second, service).verdict is Verdict.PASSED
    assert door.updates() == ["web:2"]


@pytest.mark.parametrize("how", ["finish", "fail"])
def test_a_new_deployment_is_forced_unless_one_is_under_way(door: Ecs, how: str) -> None:
    door.after_update = [[], []]
    begun(door, force=True)
    begun(door, force=True)
    assert len(door.asked_for) == 1
    getattr(door, how)()
    _, forced = begun(door, force=True)
    assert forced.deployment_id == "ecs-svc/3"
    assert len(door.asked_for) == 2


def test_what_has_come_to_rest_already_is_checked_all_the_same(door: Ecs) -> None:
    door.register(OLD)
    service, rollout = begun(door, task_definition="web:1", image=pinned(OLD))
    assert (rollout.outcome, rollout.previous) == ("unchanged", None)
    assert end_of(rollout, service).verdict is Verdict.PASSED
    assert door.updates() == []


@pytest.mark.parametrize(
    ("further", "message"),
    [
        ({"image": pinned(OTHER)}, rf"would not run {OTHER}: none of its containers names exactly that"),
        ({"container_name": "sidecar"}, rf"its container 'sidecar' names exactly that.*containers are: web {NEW}\."),
        ({"image": pinned(NEW.replace("shop/web", "shop/api"))}, "none of its containers"),
        ({"task_definition": "web:3", "image": None}, r"web:3 is INACTIVE.*Register a new revision"),
    ],
)
def test_a_definition_that_would_not_run_the_image_changes_nothing(
    door: Ecs, further: dict[str, Any], message: str
) -> None:
    door.register(NEW, status="INACTIVE")
    arguments: dict[str, Any] = {"task_definition": "web:2"} | further
    with pytest.raises(DeploymentRefusedError, match=message):
        begun(door, **arguments)
    assert "UpdateService" not in door.calls


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "controller CODE_DEPLOY.*start a deployment there"),
        ({"deploymentController": {"type": "EXTERNAL"}}, "controller EXTERNAL.*CreateTaskSet"),
        ({"status": "INACTIVE"}, "web is INACTIVE, not ACTIVE"),
        ({"status": "DRAINING"}, "web is DRAINING, not ACTIVE"),
        ({"serviceName": "api"}, r"no ECS service shop/web \(MISSING\)"),
    ],
)
def test_a_service_that_cannot_take_it_is_refused_with_a_remedy(
    door: Ecs, service: dict[str, Any], message: str
) -> None:
    door.service.update(service)
    with pytest.raises(DeploymentRefusedError, match=message):
        begun(door)
    assert "UpdateService" not in door.calls


@pytest.mark.parametrize(
    ("action", "code", "error"),
    [
        ("DescribeServices", "ClusterNotFoundException", InvalidRequestError),
        ("DescribeTaskDefinition", "ClientException", InvalidRequestError),
        ("UpdateService", "ServiceNotActiveException", InvalidRequestError),
        ("UpdateService", "AccessDeniedException", EcrCallError),
    ],
)
def test_what_ecs_refuses_is_told_with_its_code(door: Ecs, action: str, code: str, error: type[EcrCallError]) -> None:
    door.refuse(action, code)
    with pytest.raises(error, match=f"{action} of .*{code}"):
        begun(door)


# --- Waiting -------------------------------------------------------------------------------------------------


def test_each_look_says_how_far_it_is(door: Ecs) -> None:
    door.after_update = [[door.start_one, door.lose_one, door.finish]]
    service, rollout = begun(door)
    looks = [rollout.look(service) for _ in range(3)]
    assert [look.verdict for look in looks] == [Verdict.WAITING, Verdict.WAITING, Verdict.PASSED]
    assert looks[0].says == (
        "is under way. Now: PRIMARY ecs-svc/2 of web:2 runs 1 of 2 tasks, IN_PROGRESS; "
        "ACTIVE ecs-svc/1 of web:1 runs 2 of 2 tasks, COMPLETED"
    )
    assert looks[1].says.startswith("is under way, 1 have failed. Now: ")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("fail", "FAILED: ECS deployment circuit breaker: tasks failed to start. Now: PRIMARY ecs-svc/2 of web:2"),
        ("roll_back", "ECS itself went back: ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."),
        ("forget", "was taken back, by ECS or by somebody else"),
        ("displace", "was displaced by another deployment, ecs-svc/3. Now: PRIMARY ecs-svc/3 of web:3"),
        ("delete", "ended with the service, which is INACTIVE"),
    ],
)
def test_how_a_deployment_can_fail(door: Ecs, how: str, says: str) -> None:
    def forget() -> None:
        door.roll_back()
        door.finish()

    ways = {
        "fail": door.fail,
        "roll_back": door.roll_back,
        "forget": forget,
        "displace": lambda: door.deploy(door.register(OTHER)),
        "delete": lambda: door.service.update(status="INACTIVE", deployments=[]),
    }
    door.after_update = [[ways[how]]]
    service, rollout = begun(door, task_definition="web:2")
    look = end_of(rollout, service)
    assert look.verdict is Verdict.FAILED
    assert says in look.says
    assert rollout.report(look)["outcome"] == "failed"


def test_an_answer_of_before_is_no_successor(door: Ecs) -> None:
    service, rollout = begun(door)
    now = door.service["deployments"]
    door.service["deployments"] = [{**now[1], "status": "PRIMARY"}]
    door.steps = []
    look = rollout.look(service)
    assert (look.verdict, look.says.partition(".")[0]) == (Verdict.WAITING, "is not to be seen yet")
    door.service["deployments"] = now
    door.finish()
    assert rollout.look(service).verdict is Verdict.PASSED


def test_where_ecs_gives_no_rollout_state_the_counts_decide(door: Ecs) -> None:
    door.after_update = [[]]
    service, rollout = begun(door)
    for each in door.service["deployments"]:
        del each["rolloutState"]
    assert rollout.look(service).verdict is Verdict.WAITING
    door.finish()
    del door.primary["rolloutState"]
    assert rollout.look(service).verdict is Verdict.PASSED


def test_a_throttled_look_saw_nothing_and_a_denied_one_ends_it(door: Ecs) -> None:
    service, rollout = begun(door)
    door.refuse("DescribeServices", "ThrottlingException", times=20)
    assert look_at_rollout(rollout, service).verdict is Verdict.WAITING
    door.refusals.clear()
    door.refuse("ListTasks", "AccessDeniedException")
    with pytest.raises(EcrCallError, match="ListTasks"):
        look_at_rollout(rollout, service)


def test_the_last_look_fails_it_whatever_it_saw() -> None:
    waiting = Look.waiting("is under way")
    assert out_of_patience(waiting, 2, 3, 9) is waiting
    last = out_of_patience(waiting, 3, 3, 30)
    assert last.verdict is Verdict.FAILED
    assert "within 3 looks and 30 s" in last.says
    assert "goes on by itself" in last.says
    passed = Look(Verdict.PASSED, "is done")
    assert out_of_patience(passed, 3, 3, 30) is passed


# --- The way back --------------------------------------------------------------------------------------------


def test_the_way_back_is_the_last_definition_that_came_to_rest(door: Ecs) -> None:
    door.after_update = [[], [door.fail], [door.start_one, door.finish]]
    begun(door, image=None)  # web:2 never comes to rest
    door.register(OTHER)
    service, rollout = begun(door, image=pinned(OTHER))
    assert end_of(rollout, service).verdict is Verdict.FAILED
    back = rollout.way_back(service)
    assert (back.task_definition, back.deployment_id) == (rollout.previous, "ecs-svc/4")
    assert door.updates() == ["web:2", "web:3", "web:1"]
    assert end_of(back, service).says == "is done; its 2 tasks run"


def test_ecs_own_way_back_is_taken_for_it(door: Ecs) -> None:
    door.after_update = [[door.roll_back]]
    service, rollout = begun(door)
    end_of(rollout, service)
    back = rollout.way_back(service)
    assert (back.task_definition, back.deployment_id) == (rollout.previous, "ecs-svc/3")
    assert door.updates() == ["web:2"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda door: door.deploy(door.register(OTHER)), "somebody else's by now, and was left alone"),
        (lambda door: door.service.update(status="INACTIVE"), "the service is INACTIVE"),
    ],
)
def test_a_service_that_is_somebody_elses_is_left_alone(
    door: Ecs, spoil: Callable[[Ecs], object], message: str
) -> None:
    service, rollout = begun(door, task_definition="web:2")
    spoil(door)
    with pytest.raises(DeploymentRefusedError, match=message):
        rollout.way_back(service)
    assert door.updates() == ["web:2"]


def test_there_is_no_way_back_to_what_never_came_to_rest(door: Ecs) -> None:
    door.deploy(door.register(OTHER))
    door.service["deployments"] = [door.primary]
    door.fail()
    service, rollout = begun(door, task_definition="web:2")
    assert rollout.previous is None
    with pytest.raises(DeploymentRefusedError, match="none to go back to"):
        rollout.way_back(service)


def test_an_update_that_ecs_answers_with_something_else_is_a_failure(
    door: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "deploy", lambda _: None)  # somebody else's update at the same instant
    with pytest.raises(DeploymentFailedError, match="answers with something else: PRIMARY ecs-svc/1 of web:1"):
        begun(door)


# --- As data -------------------------------------------------------------------------------------------------


def test_references_that_may_mean_two_images_are_refused() -> None:
    for text in (f"{HOST}/shop/web:prod", f"{HOST}/shop/web", NEW.replace("@", ":prod@"), "shop/web"):
        with pytest.raises(InvalidReferenceError):
            pinned(text)
    assert str(pinned(NEW)) == NEW


TEXTS = st.text(max_size=8)
ROLLOUTS = st.builds(
    EcsRollout,
    cluster=TEXTS,
    service=TEXTS,
    cluster_arn=TEXTS,
    service_arn=TEXTS,
    task_definition=TEXTS,
    previous=st.none() | TEXTS,
    deployment_id=TEXTS,
    image=st.none() | TEXTS,
    containers=st.lists(TEXTS, max_size=2).map(tuple),
    outcome=TEXTS,
    earlier=st.lists(TEXTS, max_size=2).map(tuple),
    failure=st.none() | st.builds(Failure, says=TEXTS, report=st.dictionaries(TEXTS, st.lists(TEXTS))),
)
DEPLOYMENTS = st.builds(
    Deployment,
    id=st.sampled_from(["ecs-svc/1", "ecs-svc/2", "ecs-svc/3"]),
    status=st.sampled_from(["PRIMARY", "ACTIVE", "INACTIVE"]),
    task_definition_arn=st.sampled_from(["t/web:1", "t/web:2", "t/web:3"]),
    rollout_state=st.sampled_from([None, "IN_PROGRESS", "COMPLETED", "FAILED"]),
    reason=TEXTS,
    desired=st.integers(0, 2),
    pending=st.integers(0, 2),
    running=st.integers(0, 2),
    failed=st.integers(0, 2),
)
STATES = st.builds(
    ServiceState,
    cluster_arn=TEXTS,
    service_arn=TEXTS,
    service_name=TEXTS,
    status=st.sampled_from(["ACTIVE", "DRAINING", "INACTIVE"]),
    controller=st.just("ECS"),
    deployments=st.lists(DEPLOYMENTS, max_size=3).map(tuple),
)


@given(ROLLOUTS)
def test_a_deployment_survives_the_way_through_json(rollout: EcsRollout) -> None:
    assert rollout_of("ecs", json.loads(json.dumps(rollout.to_json()))) == rollout


@given(STATES)
def test_only_the_own_deployment_at_rest_passes(state: ServiceState) -> None:
    rollout = replace(SOME, deployment_id="ecs-svc/2")
    passed = progress(rollout, state).verdict is Verdict.PASSED
    primary = state.primary
    assert passed == (
        state.status == "ACTIVE" and primary is not None and primary.id == "ecs-svc/2" and state.is_steady(primary)
    )


@given(STATES)
def test_a_way_back_never_writes_over_somebody_elses_deployment(state: ServiceState) -> None:
    rollout = replace(SOME, deployment_id="ecs-svc/2", previous="t/web:1")
    try:
        back = decide_back(rollout, state)
    except DeploymentRefusedError:
        return
    assert state.primary is not None
    assert back.task_definition == "t/web:1"
    assert (back.deployment is None) == (state.primary.id == "ecs-svc/2")
    assert back.deployment is None or back.deployment.task_definition_arn == "t/web:1"


SOME = EcsRollout(
    cluster="shop",
    service="web",
    cluster_arn="c/shop",
    service_arn="s/web",
    task_definition="t/web:2",
    previous="t/web:1",
    deployment_id="ecs-svc/2",
    image=NEW,
    containers=("web",),
    outcome="deployed",
    earlier=("ecs-svc/1",),
)
