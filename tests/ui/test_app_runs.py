"""Runs as the pages show them: what stands before a release, what follows it, and what is on its way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ecr_provider.version_compat import HAS_REACT_APPS

if TYPE_CHECKING:
    from airflow_api import Api

pytestmark = pytest.mark.skipif(not HAS_REACT_APPS, reason="this Airflow shows no pages of plugins")

World = Any
Clones = Any
NOW = datetime.now(UTC)


def current(api: Api, run_id: str, user: str = "viewer") -> dict[str, Any] | None:
    """What is shown of a run that is on its way."""
    found: list[dict[str, Any]] = [each for each in api.read("releases", user)["runs"] if each["run_id"] == run_id]
    return found[0] if found else None


def steps(run: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {each["task_id"]: (each["role"], each["says"]) for each in run["steps"]}


# --- A run -----------------------------------------------------------------------------------------------------------


def test_a_run_is_its_gates_its_release_and_what_follows(api: Api, world: World) -> None:
    run = api.read("run", **world.key("ui_promote"))
    assert (run["state"], run["run_type"], run["images"]) == ("success", "manual", ["ui/shop:prod", "ui/shop:v2"])
    assert list(steps(run).items()) == [
        ("wait", ("gate", "found build-2")),
        ("put", ("release", None)),
        ("hand_on", ("deploy", None)),
    ]
    assert [each["operator"] for each in run["steps"]][:2] == ["EcrImageSensor", "EcrPutImageOperator"]
    assert {each["state"] for each in run["steps"]} == {"success"}
    assert all(each["started_at"] <= each["ended_at"] for each in run["steps"])


def test_a_run_shows_the_runs_that_its_release_started(api: Api, world: World) -> None:
    (follower,) = api.read("run", **world.key("ui_promote"))["followers"]
    assert {name: follower[name] for name in ("dag_id", "run_id")} == world.key("ui_deploy")
    assert steps(follower) == {"deploy": ("step", None)}
    assert (follower["state"], follower["followers"]) == ("success", [])


def test_a_run_that_is_not_there_is_said_to_be_so(api: Api) -> None:
    answer = api.get("/ecr/api/run", dag_id="ui_promote", run_id="<script>")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


def test_a_task_with_two_hundred_instances_is_one_step(api: Api, world: World, clones: Clones) -> None:
    run = clones.run(world.key("ui_mapped"), "of-200", state="success")
    clones.tasks(world.key("ui_mapped", map_index=0), run)
    clones.instances({**run, "task_id": "put", "map_index": 0}, 199, state="failed")
    (step,) = api.read("run", **run)["steps"]
    assert (step["count"], step["done"], step["state"]) == (200, 1, "failed")


def test_what_another_task_reports_is_not_said_by_a_gate(api: Api, world: World, clones: Clones) -> None:
    """Somebody's XCom of the same keys, and of any size, is not even read."""
    from airflow.models.xcom import XComModel

    value = {"findingSeverityCounts": {"CRITICAL": 9}, "scans": []}
    where = world.key("ui_deploy", task_id="deploy")
    promote = world.key("ui_promote", task_id="wait", key="return_value")
    dag_run_id = world.runs["ui_deploy"].dag_run.id
    clones.rows(XComModel, promote, {**where, "dag_run_id": dag_run_id, "value": value})
    assert steps(api.read("run", **world.key("ui_deploy"))) == {"deploy": ("step", None)}


def test_what_people_answered_is_said(api: Api, world: World, clones: Clones) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    run = clones.run(world.key("ui_promote"), "approved", state="success")
    clones.tasks(world.key("ui_promote"), run)
    with create_session() as session:
        of_run = TaskInstance.run_id == "approved"
        for task_id, answered in (("wait", True), ("put", False)):
            detail = HITLDetail(
                ti_id=session.scalar(select(TaskInstance.id).where(of_run, TaskInstance.task_id == task_id)),
                options=["Approve", "Reject"],
                subject="Release?",
                responded_at=NOW if answered else None,
                responded_by={"id": "7", "name": "Ada"} if answered else None,
                chosen_options=["Approve"] if answered else None,
            )
            session.add(detail)
    assert steps(api.read("run", **run)) == {
        "wait": ("gate", "Approve by Ada"),
        "put": ("release", None),
        "hand_on": ("deploy", None),
    }


# --- What is on its way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "age", "is_shown"),
    [
        ("queued", timedelta(days=9), True),
        ("running", timedelta(days=9), True),
        ("failed", timedelta(hours=23), True),
        ("failed", timedelta(hours=25), False),
        ("success", timedelta(), False),
    ],
)
def test_a_run_is_shown_while_it_is_on_its_way_or_has_just_failed(
    api: Api, world: World, clones: Clones, state: str, age: timedelta, *, is_shown: bool
) -> None:
    name = f"{state}-{age}"
    end = None if state in ("queued", "running") else datetime.now(UTC) - age
    origin = world.key("ui_promote")
    clones.tasks(origin, clones.run(origin, name, state=state, end_date=end), state=None)
    found = current(api, name)
    assert (found is not None) is is_shown
    if found:
        assert (found["state"], found["images"]) == (state, ["ui/shop:prod", "ui/shop:v2"])
        assert {each["state"] for each in found["steps"]} == {None}


def test_a_run_that_releases_nothing_is_not_on_its_way_here(api: Api, world: World, clones: Clones) -> None:
    run = clones.run(world.key("ui_deploy"), "deploying", state="running", end_date=None)
    clones.tasks(world.key("ui_deploy"), run)
    assert current(api, "deploying") is None


def test_a_run_of_a_dag_that_is_not_theirs_is_not_shown(api: Api, world: World, clones: Clones) -> None:
    from airflow_api import PickyAuthManager

    PickyAuthManager.only["of-copy"] = {"ui_copy"}
    clones.tasks(world.key("ui_promote"), clones.run(world.key("ui_promote"), "theirs", state="running"))
    assert current(api, "theirs") is not None
    assert current(api, "theirs", "of-copy") is None


def test_a_dag_that_was_never_parsed_or_is_gone_has_its_tasks_in_the_order_of_their_names(
    api: Api, world: World, clones: Clones
) -> None:
    run = clones.run(world.key("ui_promote"), "of-no-version", state="running", created_dag_version_id=None)
    clones.tasks(world.key("ui_promote"), run)
    assert set(steps(api.read("run", **run))) == {"wait", "put", "hand_on"}
