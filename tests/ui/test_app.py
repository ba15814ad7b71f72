"""Who sees what, and which releases there are: the real application behind Airflow's own authentication."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ecr_provider.version_compat import HAS_REACT_APPS

if TYPE_CHECKING:
    from airflow_api import Api

pytestmark = pytest.mark.skipif(not HAS_REACT_APPS, reason="this Airflow shows no pages of plugins")

SHOP, EDGE = "ui/shop", "ui/edge"
Watched = Callable[..., None]
World = Any


def asked(world: World, path: str) -> dict[str, Any]:
    """The parameters with which an address has something to say."""
    parameters: dict[str, dict[str, Any]] = {
        "releases": {},
        "run": world.key("ui_promote"),
        "image": world.key("ui_promote", task_id="put"),
        "registry": {"registry": "123456789012.dkr.ecr.us-east-1.amazonaws.com", "repository_name": SHOP},
    }
    return parameters[path]


def told(api: Api, repository: str = SHOP, user: str = "viewer") -> list[tuple[str | None, str, str | None]]:
    """The releases that a user sees, the newest first."""
    releases = api.read("releases", user)["releases"]
    return [
        (each["image_tag"], each["outcome"], (each["task"] or {}).get("dag_id"))
        for each in releases
        if each["repository_name"] == repository
    ]


PATHS = pytest.mark.parametrize("path", ["releases", "run", "image", "registry"])


# --- Who sees anything -----------------------------------------------------------------------------------------------


@PATHS
def test_without_a_token_nobody_sees_anything(api: Api, world: World, path: str) -> None:
    answer = api.get(f"/ecr/api/{path}", user=None, **asked(world, path))
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


@PATHS
def test_a_token_is_checked(api: Api, world: World, path: str) -> None:
    from airflow_api import token

    for made, status in ((token("viewer", seconds=-60), 401), (token("viewer")[:-4] + "AAAA", 403), ("x", 403)):
        headers = {"Authorization": f"Bearer {made}"}
        answer = api.get(f"/ecr/api/{path}", user=None, headers=headers, **asked(world, path))
        assert answer.status_code == status
        assert set(answer.json()) == {"detail"}


@PATHS
def test_a_user_without_a_role_sees_nothing(api: Api, world: World, path: str) -> None:
    assert api.get(f"/ecr/api/{path}", "nobody", **asked(world, path)).status_code == 403


@PATHS
def test_a_viewer_sees_it(api: Api, world: World, path: str) -> None:
    assert api.get(f"/ecr/api/{path}", **asked(world, path)).status_code == 200


def test_every_address_of_the_application_is_known_here() -> None:
    from ecr_provider.ui.app import app
    from ecr_provider.ui.settings import static_path

    known = {f"/api/{path}" for path in ("releases", "run", "image", "registry")}
    assert {getattr(each, "path", None) for each in app.routes} == {*known, f"/{static_path()}"}


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json", "api/", "api/nothing", ""])
def test_there_is_nothing_else(api: Api, path: str) -> None:
    assert api.get(f"/ecr/{path}", user=None).status_code == 404


# --- Who sees some ---------------------------------------------------------------------------------------------------


@pytest.fixture
def of_promote() -> str:
    """A user who may read one DAG only."""
    from airflow_api import PickyAuthManager

    PickyAuthManager.only["of-promote"] = {"ui_promote"}
    return "of-promote"


@pytest.fixture
def of_copy() -> str:
    from airflow_api import PickyAuthManager

    PickyAuthManager.only["of-copy"] = {"ui_copy"}
    return "of-copy"


def test_a_user_sees_the_releases_of_the_dags_that_are_theirs(api: Api, of_copy: str) -> None:
    seen = api.read("releases", of_copy)
    assert {each["task"]["dag_id"] for each in seen["releases"] if each["task"]} == {"ui_copy"}
    assert [each["image_tag"] for each in seen["tags"] if each["repository_name"] == EDGE] == ["edge"]
    assert set(seen["consoles"]) == {"123456789012.dkr.ecr.us-east-1.amazonaws.com"}


def test_a_user_cannot_reach_the_run_of_another_dag(api: Api, world: World, of_copy: str) -> None:
    assert api.get("/ecr/api/run", of_copy, **world.key("ui_promote")).status_code == 403
    assert api.get("/ecr/api/run", of_copy, **world.key("ui_copy")).status_code == 200
    assert api.get("/ecr/api/run", of_copy, dag_id="ui_copy", run_id="no-such-run").status_code == 404


def test_a_user_cannot_reach_the_image_of_another_dag(api: Api, world: World, of_copy: str) -> None:
    world.ecr.clear_requests()
    assert api.get("/ecr/api/image", of_copy, **world.key("ui_promote", task_id="put")).status_code == 403
    assert world.ecr.calls == []


@pytest.mark.parametrize("dag_id", ["~", "", "ui_copy"])
def test_no_way_of_naming_a_dag_leads_to_another_one(api: Api, world: World, of_copy: str, dag_id: str) -> None:
    run_id = world.key("ui_promote")["run_id"]
    for order in ([("dag_id", dag_id), ("dag_id", "ui_promote")], [("dag_id", "ui_promote"), ("dag_id", dag_id)]):
        query = "&".join(f"{name}={value}" for name, value in [*order, ("run_id", run_id), ("task_id", "put")])
        for path in ("run", "image"):
            answer = api.get(f"/ecr/api/{path}?{query}", of_copy)
            assert answer.status_code in (403, 404) or answer.json() == {"image": None}


def test_the_registry_is_not_asked_with_the_connection_of_another_dag(api: Api, world: World, of_copy: str) -> None:
    world.ecr.clear_requests()
    seen = api.read("registry", of_copy, **asked(world, "registry"))
    assert "No task released there" in seen["problem"]
    assert world.ecr.calls == []


def test_followers_of_dags_that_are_not_theirs_are_left_out(api: Api, world: World, of_promote: str) -> None:
    assert [each["dag_id"] for each in api.read("run", **world.key("ui_promote"))["followers"]] == ["ui_deploy"]
    assert api.read("run", of_promote, **world.key("ui_promote"))["followers"] == []


@pytest.mark.parametrize("named", [{}, {"dag_id": "ui_copy"}])
def test_a_dag_whose_xcoms_may_be_read_does_not_open_those_of_the_others(api: Api, named: dict[str, Any]) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow_api import PickyAuthManager

    PickyAuthManager.parts["sly"] = (DagAccessEntity.XCOM, {"ui_copy"})
    assert api.get("/ecr/api/releases", "sly", **named).status_code == 403
    assert api.get("/ecr/api/registry", "sly", **named, registry="x", repository_name="y").status_code == 403


@pytest.mark.parametrize("entity", ["RUN", "TASK_INSTANCE", "XCOM"])
def test_all_that_is_shown_has_to_be_allowed(api: Api, world: World, entity: str) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow_api import PickyAuthManager

    user = f"without-{entity}"
    PickyAuthManager.parts[user] = (DagAccessEntity[entity], set())
    for path in ("releases", "run", "image", "registry"):
        assert api.get(f"/ecr/api/{path}", user, **asked(world, path)).status_code == 403


# --- Releases --------------------------------------------------------------------------------------------------------


def test_what_operators_release_is_shown_and_what_others_hand_on_is_not(api: Api) -> None:
    assert [each for each in told(api) if each[2]] == [
        ("v2", "created", "ui_promote"),
        ("prod", "created", "ui_promote"),
    ]
    assert sorted(told(api, EDGE)) == [
        ("edge", "created", "ui_copy"),
        ("eu", "created", "ui_mapped"),
        ("us", "created", "ui_mapped"),
    ]


def test_a_release_says_all_that_a_page_shows(api: Api, world: World) -> None:
    (release,) = (each for each in api.read("releases")["releases"] if each["image_tag"] == "edge")
    assert release | {"at": None} == {
        "registry": "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "repository_name": EDGE,
        "image_tag": "edge",
        "image_digest": world.images["build-1"].digest,
        "previous_image_digest": None,
        "outcome": "created",
        "at": None,
        "task": world.key("ui_copy", task_id="copy", map_index=-1),
        "run_type": "manual",
        "user": release["user"],
    }
    state = next(each for each in api.read("releases")["tags"] if each["image_tag"] == "edge")
    assert state == release | {"since": release["at"], "confirmed_at": release["at"]}


def test_an_image_that_is_put_by_digest_only_is_a_release_of_no_tag(api: Api, world: World) -> None:
    from ecr_provider.operators.image import EcrPutImageOperator

    text = json.dumps(json.loads(world.images["build-1"].text), indent=1)
    world.run("ui_digest", lambda: EcrPutImageOperator(task_id="put", repository_name=SHOP, image_manifest=text))
    assert told(api)[0] == (None, "created", "ui_digest")
    assert all(each["image_tag"] for each in api.read("releases")["tags"])


def test_the_release_of_a_task_that_was_cleared_is_known_by_its_event(api: Api, world: World) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    from ecr_provider.assets.ecr import EcrImageAsset
    from ecr_provider.operators.image import EcrPutImageOperator

    def put() -> None:
        outlets = [EcrImageAsset(f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{SHOP}:cleared")]
        EcrPutImageOperator(
            task_id="put", repository_name=SHOP, source_image_tag="build-1", image_tag="cleared", outlets=outlets
        )

    world.run("ui_cleared", put)
    assert [each for each in told(api) if each[0] == "cleared"] == [("cleared", "created", "ui_cleared")]
    with create_session() as session:  # as Airflow does when it starts the task again
        session.execute(delete(XComModel).where(XComModel.dag_id == "ui_cleared"))
    assert [each for each in told(api) if each[0] == "cleared"] == [("cleared", "created", "ui_cleared")]


def test_what_a_watcher_saw_was_put_outside_of_airflow(api: Api, watched: Watched) -> None:
    from airflow_api import PickyAuthManager

    PickyAuthManager.without_assets.add("without-assets")
    watched("build-1", "outside", previousImageDigest=None)
    assert told(api)[0] == ("outside", "moved", None)
    assert ("outside", "moved", None) not in told(api, user="without-assets")
    assert ("prod", "created", "ui_promote") in told(api, user="without-assets")


def test_what_a_watcher_saw_of_a_release_is_no_release(api: Api, watched: Watched) -> None:
    before = api.read("releases")
    watched("build-2", "prod")
    assert api.read("releases") == before


@pytest.mark.parametrize("value", [[], "text", 7, None, {"imageUri": 5, "outcome": "moved"}, {"tags": [{}]}])
def test_xcoms_that_are_no_reports_are_no_releases(api: Api, world: World, value: Any) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    before = told(api, EDGE)
    where = {"key": "return_value", **world.key("ui_mapped"), "map_index": 1}
    with create_session() as session:
        kept = session.query(XComModel).filter_by(**where).one().value
        session.execute(update(XComModel).filter_by(**where).values(value=value))
    try:
        assert told(api, EDGE) == [each for each in before if each[0] != "us"]
        assert api.read("image", **world.key("ui_mapped", task_id="put", map_index=1)) == {"image": None}
    finally:
        with create_session() as session:
            session.execute(update(XComModel).filter_by(**where).values(value=kept))


# --- Answers ---------------------------------------------------------------------------------------------------------


@PATHS
def test_what_the_browser_has_is_not_sent_again(api: Api, world: World, path: str) -> None:
    first = api.get(f"/ecr/api/{path}", **asked(world, path))
    known = {"If-None-Match": first.headers["ETag"]}
    again = api.get(f"/ecr/api/{path}", headers=known, **asked(world, path))
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "private, no-cache"
    assert api.get(f"/ecr/api/{path}", user=None, headers=known, **asked(world, path)).status_code == 401


@pytest.mark.parametrize("pages", ["0", "26", "-1", "x"])
def test_a_number_of_pages_that_is_none_is_refused(api: Api, pages: str) -> None:
    assert api.get("/ecr/api/releases", pages=pages).status_code == 422


def test_a_page_that_is_switched_off_from_the_registry_says_so(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECR__UI_READS_REGISTRY", "False")
    world.ecr.clear_requests()
    assert api.read("releases")["reads_registry"] is False
    assert "ui_reads_registry" in api.read("registry", **asked(world, "registry"))["problem"]
    image = api.read("image", **asked(world, "image"))
    assert ("ui_reads_registry" in image["problem"], image["image"]["imageTag"]) == (True, "prod")
    assert world.ecr.calls == []


def test_no_connection_is_made_by_looking_at_releases(api: Api, world: World) -> None:
    world.ecr.clear_requests()
    api.read("releases")
    api.read("run", **world.key("ui_promote"))
    assert world.ecr.calls == []
