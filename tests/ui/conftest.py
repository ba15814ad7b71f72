"""A day of releases, made by real DAG runs once for all tests of the pages, and the API server that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from local_ecr import ACCOUNT, REGION, connection

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from airflow_api import Api
    from airflow_runs import Run

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
SHOP, EDGE = "ui/shop", "ui/edge"


@dataclass
class World:
    """What is released, and who did it."""

    ecr: EcrEmulator
    images: dict[str, SampleImage] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)

    def key(self, dag_id: str, **more: Any) -> dict[str, Any]:
        """Name a run as the API does."""
        return {"dag_id": dag_id, "run_id": self.runs[dag_id].dag_run.run_id, **more}

    def push(self, repository_name: str, build: str) -> SampleImage:
        """Push a build under its name."""
        image = self.images[build] = sample_image(files={"name": build.encode()})
        push(self.ecr.client(), repository_name, image, build)
        return image

    def run(self, dag_id: str, make: Callable[[], object], **arguments: Any) -> Run:
        """Run a DAG, once for all tests."""
        from airflow.sdk import DAG
        from airflow_runs import run_dag

        if dag_id not in self.runs:
            with DAG(dag_id, schedule=arguments.pop("schedule", None), **arguments) as dag:
                make()
            self.runs[dag_id] = run_dag(dag)
        return self.runs[dag_id]


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with EcrEmulator() as ecr:
        made = World(ecr)
        for name in (SHOP, EDGE):
            ecr.client().create_repository(repositoryName=name)
        for build in ("build-1", "build-2"):
            made.push(SHOP, build)
        # For these runs only: tests of other modules come after.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(ecr))
            made.run("ui_promote", _promote)
            made.run("ui_copy", _copy)
            made.run("ui_mapped", _mapped)
            made.run("ui_deploy", _deploy, schedule=[_prod()])
        _start_by_event(made)
        yield made


def _prod() -> Any:
    from ecr_provider.assets.ecr import EcrImageAsset

    return EcrImageAsset(f"{HOST}/{SHOP}:prod")


def _promote() -> None:
    """Find, release under two tags, hand on, deploy."""
    from airflow.sdk import task

    from ecr_provider.operators.image import EcrPutImageOperator
    from ecr_provider.sensors.image import EcrImageSensor

    wait = EcrImageSensor(task_id="wait", repository_name=SHOP, image_tag="build-2")
    tags = ["prod", "v2"]
    put = EcrPutImageOperator(
        task_id="put", repository_name=SHOP, source_image_tag="build-2", image_tags=tags, outlets=[_prod()]
    )

    @task
    def hand_on(report: Any) -> Any:
        return report

    wait >> put >> hand_on(put.output)


def _copy() -> None:
    from ecr_provider.operators.image_copy import EcrCopyImageOperator

    EcrCopyImageOperator(
        task_id="copy",
        repository_name=EDGE,
        image_tag="edge",
        source_repository_name=SHOP,
        source_image_tag="build-1",
    )


def _mapped() -> None:
    from ecr_provider.operators.image import EcrPutImageOperator

    mapped = EcrPutImageOperator.partial(task_id="put", repository_name=EDGE, source_image_tag="edge")
    mapped.expand(image_tag=["eu", "us"])


def _deploy() -> None:
    from airflow.sdk import task

    @task
    def deploy() -> None:
        pass

    deploy()


def _start_by_event(world: World) -> None:
    """Tell Airflow that the event of the release started the deploy, as its scheduler does."""
    from airflow.models.asset import AssetEvent
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    deploy = world.runs["ui_deploy"].dag_run
    with create_session() as session:
        event = session.scalars(select(AssetEvent).where(AssetEvent.source_dag_id == "ui_promote")).one()
        event.created_dagruns.append(session.get(DagRun, deploy.id))


@pytest.fixture(scope="module")
def api(world: World) -> Iterator[Api]:
    """The API server. Its ``viewer`` may see the DAGs of these tests, and not those of others."""
    from airflow_api import api_server

    with api_server() as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(world.ecr))
        yield made


@pytest.fixture(autouse=True)
def _forget(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "world" in request.fixturenames:
        made: World = request.getfixturevalue("world")
        made.ecr.faults.clear()
        made.ecr.clear_requests()


# --- What Airflow would have stored ----------------------------------------------------------------------------------


class Clones:
    """Rows as Airflow has them, once more with something else in them."""

    def __init__(self) -> None:
        self._runs: list[str] = []

    def forget(self) -> None:
        """Delete the runs that were stored, and with them all that is theirs."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import delete

        with create_session() as session:
            session.execute(delete(DagRun).where(DagRun.run_id.in_(self._runs)))

    def run(self, origin: dict[str, Any], run_id: str, **changes: Any) -> dict[str, Any]:
        """Store a run once more, without its tasks, and return its name."""
        from airflow.models.dagrun import DagRun

        now = datetime.now(UTC)
        unique = {"logical_date": None, "run_after": now, "start_date": now, "end_date": now}
        self._runs.append(run_id)
        self.rows(DagRun, origin, {"run_id": run_id, **unique, **changes})
        return {"dag_id": origin["dag_id"], "run_id": run_id}

    def number_of(self, run: dict[str, Any]) -> int:
        """Return what a run is called in the database."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            number: int = session.scalars(select(DagRun.id).filter_by(**run)).one()
            return number

    def tasks(self, origin: dict[str, Any], target: dict[str, Any], **changes: Any) -> None:
        """Store the tasks of a run once more for another one."""
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.models.taskinstance import TaskInstance

        self.rows(TaskInstance, origin, {"run_id": target["run_id"], **changes})
        self.rows(RenderedTaskInstanceFields, origin, {"run_id": target["run_id"]})

    def instances(self, origin: dict[str, Any], count: int, **changes: Any) -> None:
        """Have a task mapped, ``count`` times more: ``origin`` names the instance that all are like."""
        from airflow.models.taskinstance import TaskInstance

        self.rows(TaskInstance, origin, *({"map_index": 1000 + number, **changes} for number in range(count)))

    def rows(self, model: Any, where: dict[str, Any], *changes: dict[str, Any]) -> None:
        """Insert each row that is found once for each of the changes."""
        from airflow.utils.session import create_session
        from sqlalchemy import insert, select

        table = model.__table__
        with create_session() as session:
            found = session.execute(select(table).filter_by(**where)).mappings().all()
            made = [{**row, **_identity(model, row), **each} for each in changes for row in found]
            session.execute(insert(table), made)


def _identity(model: Any, row: Any) -> dict[str, Any]:
    if model.__tablename__ == "task_instance":
        return {"id": type(row["id"])(str(uuid4()))}
    return {"id": None} if model.__tablename__ == "dag_run" else {}


@pytest.fixture
def clones() -> Iterator[Clones]:
    made = Clones()
    yield made
    made.forget()


@pytest.fixture
def watched(world: World) -> Callable[..., None]:
    """Store an event as the triggerer does for a watcher."""

    def tell(build: str, tag: str = "prod", repository_name: str = SHOP, **payload: Any) -> None:
        from airflow.assets.manager import AssetManager
        from airflow.utils.session import create_session

        digest = world.images[build].digest
        told = {
            "imageDigest": digest,
            "imageTag": tag,
            "registryId": ACCOUNT,
            "repositoryName": repository_name,
            "imageUri": f"{HOST}/{repository_name}@{digest}",
            "outcome": "moved",
            "previousImageDigest": None,
            **payload,
        }
        with create_session() as session:
            AssetManager().register_asset_change(
                asset=_prod(), extra={"from_trigger": True, "payload": told}, session=session
            )

    return tell
