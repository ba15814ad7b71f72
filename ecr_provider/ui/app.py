"""What the Releases page and the Image tab ask for: JSON, behind Airflow's own authentication and authorisation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.orm import Session

from ecr_provider.exceptions import EcrProviderError
from ecr_provider.oci import ImageReference
from ecr_provider.ui.json import console_of, image_json, plain, release_json, state_json
from ecr_provider.ui.metadata import read_aws_arguments, read_current_runs, read_history, read_report, read_run
from ecr_provider.ui.registry import open_repository, read_image, read_platforms, read_tags
from ecr_provider.ui.releases import TaskKey, image_of, tag_states
from ecr_provider.ui.settings import STATIC, reads_registry, static_path

#: What the page shows is in DAG runs, their tasks and their XComs: whoever may not read these is refused.
_SHOWN: Final = (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)
_SWITCHED_OFF: Final = "The API server does not ask Amazon ECR: [ecr] ui_reads_registry is False."

app = FastAPI(title="Amazon ECR releases", openapi_url=None)
app.mount(f"/{static_path()}", StaticFiles(directory=STATIC))


def _session() -> Iterator[Session]:
    with create_session(scoped=False) as session:
        yield session


def _may_read_some(user: GetUserDep) -> None:
    _check_access(user, DagDetails())


def _may_read(user: GetUserDep, dag_id: str) -> None:
    _check_access(user, DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)))


def _check_access(user: BaseUser, details: DagDetails) -> None:
    # Not by Airflow's requires_access_dag: before 3.2, it does not see which DAG a query names, and allows any.
    manager = get_auth_manager()
    if not all(
        manager.is_authorized_dag(method="GET", access_entity=entity, details=details, user=user) for entity in _SHOWN
    ):
        raise HTTPException(403, "Forbidden")


def _readable_dags(user: GetUserDep) -> set[str]:
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


def _may_read_assets(user: GetUserDep) -> bool:
    return get_auth_manager().is_authorized_asset(method="GET", user=user)


SessionDep = Annotated[Session, Depends(_session)]
ReadableDags = Annotated[set[str], Depends(_readable_dags)]
Events = Annotated[bool, Depends(_may_read_assets)]


@app.get("/api/releases", dependencies=[Depends(_may_read_some)])
def releases(
    request: Request,
    session: SessionDep,
    dag_ids: ReadableDags,
    events: Events,
    pages: Annotated[int, Query(ge=1, le=25)] = 1,
) -> Response:
    """Return what was released, what each tag names, and which runs are to release something.

    :param pages: how much of the history.
    """
    history = read_history(session, dag_ids, pages=pages, events=events)
    content = {
        "releases": [release_json(each) for each in history.releases],
        "is_complete": history.is_complete,
        "tags": [state_json(each) for each in tag_states(history.releases)],
        "runs": plain(read_current_runs(session, dag_ids, datetime.now(UTC))),
        "consoles": {each.name.registry: console_of(each.name.registry) for each in history.releases},
        "reads_registry": reads_registry(),
    }
    return _unless_known(request, content)


@app.get("/api/run", dependencies=[Depends(_may_read)])
def run(request: Request, session: SessionDep, dag_ids: ReadableDags, dag_id: str, run_id: str) -> Response:
    """Return a run: its gates, its releases, its deploys, and the runs that it started."""
    found = read_run(session, dag_id, run_id, dag_ids)
    if found is None:
        raise HTTPException(404, f"{dag_id} has no run {run_id}.")
    return _unless_known(request, plain(found))


@app.get("/api/registry", dependencies=[Depends(_may_read_some)])
def registry(
    request: Request, session: SessionDep, dag_ids: ReadableDags, events: Events, *, registry: str, repository_name: str
) -> Response:
    """Return what the tags of a repository name in ECR now, and for which platforms the released images are."""
    if not reads_registry():
        return _unless_known(request, {"problem": _SWITCHED_OFF})
    history = read_history(session, dag_ids, events=events)
    states = [each for each in tag_states(history.releases) if _is_of(each.release.name, registry, repository_name)]
    task = next((each.release.origin.task for each in states if each.release.origin.task), None)
    if task is None:
        problem = "No task released there, so that there is no connection to ask ECR with."
        return _unless_known(request, {"problem": problem})
    try:
        repository = open_repository(states[0].release.name, read_aws_arguments(session, task))
        tags = read_tags(repository, [str(each.release.name.tag) for each in states])
        platforms = read_platforms(repository, [each.release.digest for each in states])
    except EcrProviderError as error:
        return _unless_known(request, {"problem": str(error)})
    return _unless_known(request, {"tags": plain(tags), "platforms": plain(platforms)})


@app.get("/api/image", dependencies=[Depends(_may_read)])
def image(
    request: Request, session: SessionDep, *, dag_id: str, run_id: str, task_id: str, map_index: int = -1
) -> Response:
    """Return the image that a task found or put, and what it is made of."""
    task = TaskKey(dag_id, run_id, task_id, map_index)
    report = read_report(session, task)
    found = image_of(report)
    if found is None or not isinstance(report, Mapping):
        return _unless_known(request, {"image": None})
    answer = {"image": image_json(found, report), "console": console_of(found.registry)}
    return _unless_known(request, answer | _anatomy_of(session, found, task))


def _anatomy_of(session: Session, image: ImageReference, task: TaskKey) -> dict[str, Any]:
    if not reads_registry():
        return {"problem": _SWITCHED_OFF}
    try:
        return {"manifest": plain(read_image(image, read_aws_arguments(session, task)))}
    except EcrProviderError as error:
        return {"problem": str(error)}


def _is_of(name: ImageReference, registry: str, repository_name: str) -> bool:
    return (name.registry, name.repository) == (registry, repository_name)


def _unless_known(request: Request, content: Any) -> Response:
    """Return the content, or only say that it is what the browser has already."""
    # In ASCII: annotations and labels may hold what is no character, which UTF-8 cannot encode.
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
