"""Run a DAG as Airflow does: rendering, XCom, deferral and states included, in this process and a database of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from airflow.sdk import DAG, BaseOperator
from airflow.sdk import __version__ as task_sdk_version
from airflow.utils.db import initdb


@dataclass(frozen=True)
class Run:
    """A finished DAG run."""

    dag_run: Any

    def state(self, task_id: str, map_index: int = -1) -> str:
        return str(self._task_instance(task_id, map_index).state)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        instance = self._task_instance(task_id, map_index)
        return instance.xcom_pull(task_ids=task_id, key=key, map_indexes=None if map_index < 0 else map_index)

    def _task_instance(self, task_id: str, map_index: int) -> Any:
        return next(
            instance
            for instance in self.dag_run.get_task_instances()
            if instance.task_id == task_id and instance.map_index == map_index
        )


def run_task(make: Callable[[], BaseOperator], **dag_arguments: Any) -> Run:
    """Run one task in a DAG of its own."""
    with DAG(f"test_{uuid4().hex}", schedule=None, **dag_arguments) as dag:
        make()
    return run_dag(dag)


def run_dag(dag: DAG) -> Run:
    """Run a DAG once, to its end."""
    _prepare_database()
    if not task_sdk_version.startswith("1.0."):
        _store(dag)
    return Run(dag.test())


@cache
def _prepare_database() -> None:
    initdb()


def _store(dag: DAG) -> None:
    # dag.test() takes DAGs of a configured folder; those that a test makes are stored by hand.
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
        session.commit()
        serialized = [LazyDeserializedDAG.from_dag(dag)]
        update_dag_parsing_results_in_db("dags-folder", None, serialized, {}, None, set(), session)
