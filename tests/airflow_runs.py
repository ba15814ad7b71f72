"""Run a DAG as Airflow does, rendering, XCom and deferral included, in this process and a database of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.models.xcom import XComModel
from airflow.sdk import DAG, BaseOperator
from airflow.sdk import __version__ as task_sdk_version
from airflow.utils.db import initdb
from airflow.utils.session import create_session

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.exceptions import TaskDeferred
else:
    try:
        from airflow.dag_processing.dagbag import DagBag
        from airflow.sdk.exceptions import TaskDeferred
    except ImportError:  # before Airflow 3.2
        from airflow.exceptions import TaskDeferred
        from airflow.models.dagbag import DagBag

__all__ = ["LOGS_FAILURES", "Run", "TaskDeferred", "dags_of", "log", "run_dag", "run_task"]


#: dag.test() of Airflow 3.0 does not log what a task failed with.
LOGS_FAILURES = not task_sdk_version.startswith("1.0.")


@dataclass(frozen=True)
class Run:
    """A finished DAG run."""

    dag_run: Any

    def state(self, task_id: str, map_index: int = -1) -> str:
        instances = self.dag_run.get_task_instances()
        return next(str(each.state) for each in instances if (each.task_id, each.map_index) == (task_id, map_index))

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return the value as the database holds it; the model's own xcom_pull would make numbers of text."""
        where = {"dag_id": self.dag_run.dag_id, "run_id": self.dag_run.run_id, "task_id": task_id}
        with create_session() as session:
            row = session.query(XComModel).filter_by(**where, key=key, map_index=map_index).one_or_none()
            return row.value if row else None


def run_task(make: Callable[[], BaseOperator], **dag_arguments: Any) -> Run:
    """Run one task in a DAG of its own."""
    with DAG(f"test_{uuid4().hex}", schedule=None, **dag_arguments) as dag:
        make()
    return run_dag(dag)


def run_dag(dag: DAG) -> Run:
    """Run a DAG once, to its end."""
    _prepare_database()
    _store(dag)
    return Run(dag.test())


def log(capfd: pytest.CaptureFixture[str]) -> str:
    """Return what Airflow has logged so far, on one line."""
    out, err = capfd.readouterr()
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", out + err).split())  # Airflow 3.0 shows errors in colours


def dags_of(path: Path) -> list[DAG]:
    """Load the DAGs of a file as Airflow does."""
    bag = DagBag(str(path))
    assert not bag.import_errors
    return list(bag.dags.values())


@cache
def _prepare_database() -> None:
    initdb()
    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)


def _store(dag: DAG) -> None:
    # dag.test() takes DAGs of a configured folder; those that a test makes are stored by hand.
    update: Any = update_dag_parsing_results_in_db
    with create_session() as session:
        if task_sdk_version.startswith("1.0."):
            update("dags-folder", None, [import_module("airflow.models.dag").DAG.from_sdk_dag(dag)], {}, set(), session)
        else:
            from airflow.serialization.serialized_objects import LazyDeserializedDAG

            update("dags-folder", None, [LazyDeserializedDAG.from_dag(dag)], {}, None, set(), session)
