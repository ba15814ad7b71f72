"""What a poll of the Releases page costs with 1,000 releases, against merely reading their reports."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from benchmarks.fresh import fresh
from benchmarks.report import Figure
from benchmarks.timing import in_turn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_RELEASES: Final = 1000
_OTHERS: Final = 20_000
_TAGS: Final = 500
_ROUNDS: Final = 9
_AIM: Final = 6.0
_DAG: Final = "release"
_HOST: Final = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
_FLOOR: Final = "one SELECT of their reports"
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def measure() -> list[Figure]:
    """Measure in a process of its own, with a database of its own."""
    return fresh(_measure)


def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        from airflow.utils.db import initdb
        from airflow.utils.session import create_session

        initdb()
        with create_session(scoped=False) as session:
            _fill(session)
        with create_session(scoped=False) as session:
            samples = in_turn({"ours": _poll(session), "floor": _read(session)}, _ROUNDS, warm_up=2)
    ours, floor = samples["ours"], samples["floor"]
    return [
        Figure(f"a poll with {_RELEASES:,} releases, time", ours.wall, _FLOOR, floor.wall, "s", _AIM),
        Figure(f"a poll with {_RELEASES:,} releases, CPU", ours.cpu, _FLOOR, floor.cpu, "s"),
    ]


def _poll(session: Session) -> Callable[[int], None]:
    from ecr_provider.ui.json import release_json, state_json
    from ecr_provider.ui.metadata import read_current_runs, read_history
    from ecr_provider.ui.releases import tag_states

    def poll(_: int) -> None:
        history = read_history(session, {_DAG})
        states = tag_states(history.releases)
        runs = read_current_runs(session, {_DAG}, _NOW)
        json.dumps([*map(release_json, history.releases), *map(state_json, states), *runs])
        if (len(history.releases), len(states)) != (_RELEASES, _TAGS):
            raise RuntimeError(f"{len(history.releases)} releases of {len(states)} tags were found")

    return poll


def _read(session: Session) -> Callable[[int], None]:
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    def read(_: int) -> None:
        query = select(XComModel.value).where(XComModel.dag_id == _DAG, XComModel.key == "return_value")
        if len(session.scalars(query).all()) != _RELEASES * 2:
            raise RuntimeError("not all reports were found")

    return read


# --- The database ------------------------------------------------------------------------------------------------


def _fill(session: Session) -> None:
    """Store runs of a sensor and a put, and what other DAGs have in XCom."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert

    for model, rows in (
        (DagRun, [*_runs(_DAG, 1, _RELEASES), *_runs("other", _RELEASES + 1, _OTHERS)]),
        (TaskInstance, [*_instances(_DAG, _RELEASES, "wait", "put"), *_instances("other", _OTHERS, "work")]),
        (XComModel, [*_xcoms(), *_other_xcoms()]),
    ):
        for batch in _batches(rows):
            session.execute(insert(model.__table__), batch)


def _batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), 1000):
        yield rows[start : start + 1000]


def _runs(dag_id: str, first: int, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        at = _NOW - timedelta(minutes=count - number)
        yield {
            "id": first + number,
            "dag_id": dag_id,
            "run_id": f"run {number}",
            "run_type": "manual",
            "state": "success",
            "run_after": at,
            "start_date": at,
            "end_date": at,
            "log_template_id": 1,
        }


def _instances(dag_id: str, count: int, *task_ids: str) -> Iterator[dict[str, Any]]:
    names = {"put": "EcrPutImageOperator", "wait": "EcrImageSensor", "work": "PythonOperator"}
    for number in range(count):
        for task_id in task_ids:
            yield {
                "id": UUID(int=hash((dag_id, number, task_id)) % 2**128),
                "dag_id": dag_id,
                "run_id": f"run {number}",
                "task_id": task_id,
                "operator": names[task_id],
                "state": "success",
                "pool": "default_pool",
                "pool_slots": 1,
                "queue": "default",
                "map_index": -1,
                "max_tries": 0,
                "try_number": 1,
                "custom_operator_name": names[task_id],
            }


def _xcoms() -> Iterator[dict[str, Any]]:
    for number in range(_RELEASES):
        for task_id, outcome in (("wait", "found"), ("put", "moved")):
            report = _report(number, outcome)
            for key, value in {**report, "return_value": report, "_link_EcrImageLink": "https://…"}.items():
                yield _xcom(_DAG, number + 1, number, task_id, key=key, value=value)


def _other_xcoms() -> Iterator[dict[str, Any]]:
    for number in range(_OTHERS):
        yield _xcom("other", _RELEASES + 1 + number, number, "work", key="return_value", value={"rows": number})


def _xcom(dag_id: str, dag_run_id: int, number: int, task_id: str, *, key: str, value: Any) -> dict[str, Any]:
    return {
        "dag_run_id": dag_run_id,
        "dag_id": dag_id,
        "run_id": f"run {number}",
        "task_id": task_id,
        "map_index": -1,
        "key": key,
        "value": value,
        "timestamp": _NOW - timedelta(minutes=_OTHERS - number),
    }


def _report(number: int, outcome: str) -> dict[str, Any]:
    digest, tag = f"sha256:{number:064x}", f"prod-{number % _TAGS}"
    previous = f"sha256:{number - _TAGS:064x}" if number >= _TAGS else None
    return {
        "imageDigest": digest,
        "imageTag": tag,
        "imageTags": [tag],
        "registryId": "123456789012",
        "repositoryName": "shop/web",
        "imageUri": f"{_HOST}/shop/web@{digest}",
        "imageManifestMediaType": "application/vnd.oci.image.index.v1+json",
        "outcome": outcome,
        "previousImageDigest": previous,
        "tags": [{"imageTag": tag, "outcome": outcome, "previousImageDigest": previous}],
    }
