"""What Airflow keeps of releases, read from its metadata database.

Nothing is stored here: releases are in the XComs of the tasks that made them, and in asset events, which outlive a
cleared task and tell of what was put outside of Airflow. The models are Airflow's own and not a promise of its: they
are used in this module only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from airflow.api_fastapi.common.dagbag import create_dag_bag
from airflow.models.asset import AssetEvent, AssetModel, TaskOutletAssetReference
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql import Select

from ecr_provider.assets.ecr import SCHEME
from ecr_provider.assets.events import image_in
from ecr_provider.exceptions import ConnectionNotFoundError
from ecr_provider.links.ecr import EcrImageLink
from ecr_provider.ui.releases import Origin, Release, TaskKey, history_of, releases_in
from ecr_provider.ui.runs import Instance, Run, gate_says, steps_of

#: How many reports are read at a time; those of sensors are among them, with which a release has two or three.
PAGE: Final = 4000
#: The operators that release images.
RELEASING: Final = frozenset({"EcrPutImageOperator", "EcrCopyImageOperator"})
#: By this XCom, the tasks of this package are found. A task that only hands on what another one reported has none.
_MARK: Final = EcrImageLink().xcom_key
_RETURN_VALUE: Final = "return_value"
_FAILED_FOR: Final = timedelta(hours=24)
_MOST_RUNS: Final = 50
_AWS_ARGUMENTS: Final = ("aws_conn_id", "region_name", "registry_id", "verify")

#: It keeps the DAGs that it has read.
_DAGS: Final = create_dag_bag()


class History(NamedTuple):
    """What is known of releases.

    :param releases: the newest first.
    :param is_complete: whether that is all that Airflow keeps.
    """

    releases: list[Release]
    is_complete: bool


# --- Releases ------------------------------------------------------------------------------------------------


def read_history(session: Session, dag_ids: AbstractSet[str], *, pages: int = 1, events: bool = True) -> History:
    """Read the releases of some DAGs, the newest first.

    :param pages: how many pages to read.
    :param events: whether to read asset events, too.
    """
    rows = session.execute(_reports(dag_ids).limit(pages * PAGE)).all()
    is_complete = len(rows) < pages * PAGE
    told: Sequence[Any] = ()
    if events:
        query = _asset_events(dag_ids) if is_complete else _asset_events(dag_ids, since=rows[-1].timestamp)
        told = session.execute(query.limit(pages * PAGE)).all()
        is_complete = is_complete and len(told) < pages * PAGE
    return History(history_of(_from_tasks(rows), _from_events(told)), is_complete)


def _reports(dag_ids: AbstractSet[str]) -> Select[Any]:
    mark = aliased(XComModel)
    return (
        select(
            XComModel.dag_id,
            XComModel.run_id,
            XComModel.task_id,
            XComModel.map_index,
            XComModel.value,
            XComModel.timestamp,
            DagRun.run_type,
            DagRun.triggering_user_name,
        )
        .join(*_marked(mark))
        .join(DagRun, DagRun.id == XComModel.dag_run_id)
        .where(mark.key == _MARK, XComModel.key == _RETURN_VALUE, XComModel.dag_id.in_(dag_ids))
        .order_by(XComModel.timestamp.desc())
    )


def _marked(mark: Any) -> tuple[Any, Any]:
    """Return what to join to find the reports of this package's tasks, and on what."""
    return mark, and_(*(getattr(mark, name) == getattr(XComModel, name) for name in _INSTANCE))


_INSTANCE: Final = ("dag_run_id", "task_id", "map_index")


def _from_tasks(rows: Iterable[Any]) -> Iterator[Release]:
    for row in rows:
        task = TaskKey(row.dag_id, row.run_id, row.task_id, row.map_index)
        yield from releases_in(row.value, row.timestamp, Origin(task, row.run_type, row.triggering_user_name))


def _asset_events(dag_ids: AbstractSet[str], since: datetime | None = None) -> Select[Any]:
    query = (
        select(
            AssetEvent.source_dag_id,
            AssetEvent.source_run_id,
            AssetEvent.source_task_id,
            AssetEvent.source_map_index,
            AssetEvent.extra,
            AssetEvent.timestamp,
            DagRun.run_type,
            DagRun.triggering_user_name,
        )
        .outerjoin(DagRun, and_(DagRun.dag_id == AssetEvent.source_dag_id, DagRun.run_id == AssetEvent.source_run_id))
        .where(
            AssetEvent.asset_id.in_(_ecr_assets()),
            or_(AssetEvent.source_dag_id.is_(None), AssetEvent.source_dag_id.in_(dag_ids)),
        )
        .order_by(AssetEvent.timestamp.desc())
    )
    return query if since is None else query.where(AssetEvent.timestamp >= since)


def _ecr_assets() -> Select[Any]:
    # Looked up first: events are found by the index on their assets.
    return select(AssetModel.id).where(AssetModel.uri.startswith(f"{SCHEME}://", autoescape=True))


def _from_events(rows: Iterable[Any]) -> Iterator[Release]:
    for row in rows:
        task = None
        if row.source_dag_id is not None:
            task = TaskKey(row.source_dag_id, row.source_run_id, row.source_task_id, row.source_map_index)
        origin = Origin(task, row.run_type, row.triggering_user_name)
        yield from releases_in(image_in(row), row.timestamp, origin)


def read_report(session: Session, task: TaskKey) -> object:
    """Return what a task says of its image; ``None``: nothing."""
    return session.scalar(
        select(XComModel.value).where(
            XComModel.dag_id == task.dag_id,
            XComModel.run_id == task.run_id,
            XComModel.task_id == task.task_id,
            XComModel.map_index == task.map_index,
            XComModel.key == _RETURN_VALUE,
        )
    )


def read_aws_arguments(session: Session, task: TaskKey) -> dict[str, Any]:
    """Return the AWS arguments that a task had, or its last run, where Airflow does not keep those of all runs.

    :raises ConnectionNotFoundError: Airflow keeps those of no run: to ask with others would be to ask another account.
    """
    rendered = RenderedTaskInstanceFields
    fields = session.scalar(
        select(rendered.rendered_fields)
        .join(DagRun, and_(DagRun.dag_id == rendered.dag_id, DagRun.run_id == rendered.run_id))
        .where(rendered.dag_id == task.dag_id, rendered.task_id == task.task_id)
        .order_by(
            (rendered.run_id == task.run_id).desc(), (rendered.map_index == task.map_index).desc(), DagRun.id.desc()
        )
        .limit(1)
    )
    if not isinstance(fields, Mapping) or "aws_conn_id" not in fields:
        raise ConnectionNotFoundError(
            f"Airflow does not keep which connection {task.task_id} of {task.dag_id} had, so that ECR cannot be asked: "
            "set [core] max_num_rendered_ti_fields_per_task to 1 or more."
        )
    return {name: fields.get(name) for name in _AWS_ARGUMENTS}


# --- Runs ----------------------------------------------------------------------------------------------------


def read_run(session: Session, dag_id: str, run_id: str, dag_ids: AbstractSet[str]) -> Run | None:
    """Read a run, its steps, and the runs that its releases started.

    :param dag_ids: the DAGs that may be shown.
    """
    found = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    return _with_followers(session, [found], dag_ids)[0] if found else None


def read_current_runs(session: Session, dag_ids: AbstractSet[str], now: datetime) -> list[Run]:
    """Read the runs that are to release something and have not ended, or failed lately, the newest first."""
    runs = session.scalars(
        select(DagRun)
        .where(
            DagRun.dag_id.in_(dag_ids),
            or_(
                DagRun.state.in_(("queued", "running")),
                and_(DagRun.state == "failed", DagRun.end_date > now - _FAILED_FOR),
            ),
            select(TaskInstance.task_id)
            .where(
                TaskInstance.dag_id == DagRun.dag_id,
                TaskInstance.run_id == DagRun.run_id,
                TaskInstance.operator.in_(RELEASING),
            )
            .exists(),
        )
        .order_by(DagRun.id.desc())
        .limit(_MOST_RUNS)
    ).all()
    return _with_followers(session, runs, dag_ids)


def _with_followers(session: Session, runs: Sequence[DagRun], dag_ids: AbstractSet[str]) -> list[Run]:
    return [_run(session, run, [_run(session, each) for each in _followers(session, run, dag_ids)]) for run in runs]


def _followers(session: Session, run: DagRun, dag_ids: AbstractSet[str]) -> Sequence[DagRun]:
    outlets = select(TaskOutletAssetReference.asset_id).where(TaskOutletAssetReference.dag_id == run.dag_id)
    started = (
        select(DagRun.id)
        .join(DagRun.consumed_asset_events)
        .where(
            # There is no index on where events come from: without these two, all there ever were would be read.
            or_(AssetEvent.asset_id.in_(_ecr_assets()), AssetEvent.asset_id.in_(outlets)),
            AssetEvent.timestamp >= run.run_after,
            AssetEvent.source_dag_id == run.dag_id,
            AssetEvent.source_run_id == run.run_id,
        )
    )
    return session.scalars(
        select(DagRun).where(DagRun.id.in_(started), DagRun.dag_id.in_(dag_ids)).order_by(DagRun.id).limit(_MOST_RUNS)
    ).all()


def _run(session: Session, run: DagRun, followers: Sequence[Run] = ()) -> Run:
    dag = _DAGS.get_dag_for_run(run, session)
    upstream: dict[str, AbstractSet[str]] = {each.task_id: each.upstream_task_ids for each in dag.tasks} if dag else {}
    instances = list(_instances(session, run))
    releasing = {each.task_id for each in instances if each.operator in RELEASING}
    return Run(
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=str(run.run_type),
        state=str(run.state),
        user=run.triggering_user_name,
        started_at=run.start_date,
        ended_at=run.end_date,
        steps=steps_of(instances, upstream, releasing),
        images=_images(session, run, releasing),
        followers=followers,
    )


def _instances(session: Session, run: DagRun) -> Iterator[Instance]:
    reports, answers = _reports_of(session, run), _answers_of(session, run)
    rows = session.execute(
        select(
            TaskInstance.id,
            TaskInstance.task_id,
            TaskInstance.map_index,
            TaskInstance.operator,
            TaskInstance.state,
            TaskInstance.start_date,
            TaskInstance.end_date,
        ).where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
    )
    for row in rows:
        says = answers.get(row.id) or gate_says(reports.get((row.task_id, row.map_index)))
        yield Instance(row.task_id, row.map_index, row.operator, row.state, row.start_date, row.end_date, says)


def _reports_of(session: Session, run: DagRun) -> dict[tuple[str, int], Any]:
    rows = session.execute(
        select(XComModel.task_id, XComModel.map_index, XComModel.value)
        .join(*_marked(mark := aliased(XComModel)))
        .where(mark.key == _MARK, XComModel.dag_run_id == run.id, XComModel.key == _RETURN_VALUE)
    )
    return {(row.task_id, row.map_index): row.value for row in rows}


def _answers_of(session: Session, run: DagRun) -> dict[Any, str]:
    """Return what people answered to the tasks that asked them."""
    rows = session.execute(
        select(HITLDetail.ti_id, HITLDetail.chosen_options, HITLDetail.responded_by)
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .where(
            TaskInstance.dag_id == run.dag_id,
            TaskInstance.run_id == run.run_id,
            HITLDetail.responded_at.is_not(None),
        )
    )
    return {row.ti_id: _answer(row.chosen_options, row.responded_by) for row in rows}


def _answer(options: Sequence[str] | None, user: Mapping[str, str] | None) -> str:
    name = (user or {}).get("name") or (user or {}).get("id")
    return ", ".join(options or ()) + (f" by {name}" if name else "")


def _images(session: Session, run: DagRun, releasing: AbstractSet[str]) -> list[str]:
    """Return what the run releases, by what its tasks have rendered; until then, which repositories it looks at."""
    rows = session.execute(
        select(RenderedTaskInstanceFields.task_id, RenderedTaskInstanceFields.rendered_fields).where(
            RenderedTaskInstanceFields.dag_id == run.dag_id,
            RenderedTaskInstanceFields.run_id == run.run_id,
        )
    ).all()
    names = {name for row in rows if row.task_id in releasing for name in _names(row.rendered_fields)}
    return sorted(names or {str(name) for row in rows if (name := row.rendered_fields.get("repository_name"))})


def _names(fields: Mapping[str, Any]) -> Iterator[str]:
    tags = fields.get("image_tags") or [fields.get("image_tag")]
    for tag in tags if isinstance(tags, list) else [tags]:
        yield f"{fields.get('repository_name')}:{tag}" if tag else str(fields.get("repository_name"))
