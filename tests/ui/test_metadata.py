"""How the metadata database is read: never written to, by its indexes, and no more of it than is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ecr_provider.version_compat import HAS_REACT_APPS

if TYPE_CHECKING:
    from airflow_api import Api

pytestmark = pytest.mark.skipif(not HAS_REACT_APPS, reason="this Airflow shows no pages of plugins")

World = Any
Clones = Any
Look = Callable[[], object]


@pytest.fixture
def looks(api: Api, world: World) -> dict[str, Look]:
    """All that the pages ask of the database."""
    shop = {"registry": "123456789012.dkr.ecr.us-east-1.amazonaws.com", "repository_name": "ui/shop"}
    return {
        "releases": lambda: api.read("releases"),
        "run": lambda: api.read("run", **world.key("ui_promote")),
        "image": lambda: api.read("image", **world.key("ui_promote", task_id="put")),
        "registry": lambda: api.read("registry", **shop),
    }


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Note what is sent to the database."""
    from airflow import settings
    from sqlalchemy import event

    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append((statement, parameters))

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)


def plan_of(statement: str, parameters: Any) -> str:
    """How SQLite would go about a query."""
    from airflow import settings

    assert settings.engine is not None
    with settings.engine.connect() as connected:
        rows = connected.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        return "\n".join(row[-1] for row in rows)


@contextmanager
def steps() -> Iterator[list[int]]:
    """Count the steps of SQLite's machine, in hundreds: how much it reads, whatever the time is."""
    from airflow import settings
    from sqlalchemy import event

    counted: list[int] = []

    def count() -> int:
        counted.append(1)
        return 0

    def watch(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(count, 100)

    event.listen(settings.engine, "checkout", watch)
    try:
        yield counted
    finally:
        event.remove(settings.engine, "checkout", watch)


LOOKS = pytest.mark.parametrize("look", ["releases", "run", "image", "registry"])


@LOOKS
def test_looking_writes_nothing(looks: dict[str, Look], look: str) -> None:
    with statements() as sent:
        looks[look]()
    assert sent
    assert {statement.split()[0] for statement, _ in sent} <= {"SELECT", "PRAGMA"}


#: Tables that grow with every run.
GROWING = ("xcom", "task_instance", "dag_run", "asset_event", "rendered_task_instance_fields", "hitl_detail")


@LOOKS
def test_no_table_that_grows_is_read_from_end_to_end(looks: dict[str, Look], look: str) -> None:
    with statements() as sent:
        looks[look]()
    plans = {
        statement: plan_of(statement, parameters) for statement, parameters in sent if statement.startswith("SELECT")
    }
    for statement, plan in plans.items():
        for line in plan.splitlines():
            read_through = line.startswith("SCAN") and any(line.split()[1].startswith(name) for name in GROWING)
            assert not read_through, f"{line}\n\n{plan}\n\n{statement}"


@LOOKS
def test_what_others_store_makes_no_difference(looks: dict[str, Look], world: World, clones: Clones, look: str) -> None:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import insert

    looks[look]()
    with steps() as before:
        looks[look]()
    run = clones.run(world.key("ui_deploy"), "of-many-xcoms", state="success")
    clones.tasks(world.key("ui_deploy"), run)
    origin = world.key("ui_promote", task_id="wait", key="return_value")
    of_others = {**run, "task_id": "deploy", "dag_run_id": clones.number_of(run), "value": {"rows": [1, 2, 3]}}
    clones.rows(XComModel, origin, *({**of_others, "key": f"key-{number}"} for number in range(20_000)))
    with create_session() as session:
        if not session.query(AssetModel).filter_by(name="of others").count():
            session.add(other := AssetModel(name="of others", uri="x://of-others", group="asset", extra={}))
            session.flush()
            told = [{"asset_id": other.id, "extra": {}, "timestamp": datetime.now(UTC)}] * 20_000
            session.execute(insert(AssetEvent.__table__), told)
    with steps() as after:
        looks[look]()
    assert len(after) <= len(before) * 1.1 + 20


def test_a_run_of_many_instances_takes_no_more_queries(world: World, api: Api, clones: Clones) -> None:
    run = clones.run(world.key("ui_mapped"), "of-many", state="success")
    clones.tasks(world.key("ui_mapped", map_index=0), run)
    api.read("run", **run)  # its DAG is known from now on
    with statements() as few:
        api.read("run", **run)
    clones.instances({**run, "task_id": "put", "map_index": 0}, 200)
    with statements() as many:
        api.read("run", **run)
    assert len(many) == len(few)


def test_older_releases_are_read_page_by_page(world: World, clones: Clones, api: Api) -> None:
    """A page is of so many reports; what is older is told to be there, and read if it is asked for."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel

    from ecr_provider.ui.metadata import PAGE

    digest = world.images["build-1"].digest
    run = clones.run(world.key("ui_copy"), "of-thousands", state="success")
    origin = world.key("ui_copy", task_id="copy")
    first = datetime(2020, 1, 1, tzinfo=UTC)
    clones.rows(TaskInstance, origin, *({**run, "map_index": number} for number in range(PAGE)))

    def report(number: int) -> dict[str, Any]:
        return {
            "imageDigest": digest,
            "imageUri": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/ui/old@{digest}",
            "tags": [{"imageTag": f"v{number}", "outcome": "created", "previousImageDigest": None}],
        }

    def changes(number: int) -> dict[str, Any]:
        at = first + timedelta(seconds=number)
        return {**run, "dag_run_id": clones.number_of(run), "map_index": number, "timestamp": at}

    link, value = ({**origin, "key": key} for key in ("_link_EcrImageLink", "return_value"))
    clones.rows(XComModel, link, *(changes(number) for number in range(PAGE)))
    clones.rows(XComModel, value, *({**changes(number), "value": report(number)} for number in range(PAGE)))

    def old(pages: int) -> tuple[list[str], bool]:
        seen = api.read("releases", pages=pages)
        return [each["image_tag"] for each in seen["releases"] if each["repository_name"] == "ui/old"], seen[
            "is_complete"
        ]

    newest, is_complete = old(1)
    assert (newest[0], is_complete) == (f"v{PAGE - 1}", False)
    assert "v0" not in newest
    everything, is_complete = old(2)
    assert (everything, is_complete) == ([f"v{number}" for number in reversed(range(PAGE))], True)


def test_the_dags_are_read_once(api: Api, world: World) -> None:
    """They are large, and the same for all runs of a version."""
    api.read("run", **world.key("ui_promote"))
    with statements() as sent:
        api.read("run", **world.key("ui_promote"))
    assert not any("serialized_dag.data" in statement for statement, _ in sent)


def test_what_is_answered_is_json_as_browsers_read_it(api: Api, world: World) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path, parameters in (("releases", {}), ("run", world.key("ui_promote"))):
        json.loads(api.get(f"/ecr/api/{path}", **parameters).content, parse_constant=refuse)
