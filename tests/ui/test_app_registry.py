"""What the pages say of Amazon ECR: asked by the API server, with the connection of the task that released."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from local_ecr import connection, needs_archives

from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_image
from ecr_provider.version_compat import HAS_REACT_APPS

if TYPE_CHECKING:
    from airflow_api import Api

pytestmark = pytest.mark.skipif(not HAS_REACT_APPS, reason="this Airflow shows no pages of plugins")

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
SHOP = "ui/shop"
World = Any
Clones = Any


def registry(api: Api, repository_name: str = SHOP) -> dict[str, Any]:
    found: dict[str, Any] = api.read("registry", registry=HOST, repository_name=repository_name)
    return found


def release(world: World, dag_id: str, image: SampleImage | None = None, **arguments: Any) -> dict[str, Any]:
    """Release in a repository of its own, and name the task."""
    from ecr_provider.operators.image import EcrPutImageOperator

    name = arguments["repository_name"] = f"ui/{dag_id.removeprefix('ui_')}"
    if dag_id not in world.runs:
        world.ecr.client().create_repository(repositoryName=name)
        push(world.ecr.client(), name, image or sample_image(), "build")
    put = {"task_id": "put", "source_image_tag": "build", "image_tag": "prod", **arguments}
    world.run(dag_id, lambda: EcrPutImageOperator(**put))
    key: dict[str, Any] = world.key(dag_id, task_id="put")
    return key


@pytest.fixture
def single(world: World) -> dict[str, Any]:
    """A repository where one task has released."""
    return release(world, "ui_single", image_tag=None, image_tags=["prod", "moved", "gone"])


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What the API server remembers of images, it has forgotten."""
    from ecr_provider.ui.registry import PLATFORMS

    PLATFORMS.clear()


@contextmanager
def rendered(task: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Iterator[None]:
    """Have Airflow keep other rendered fields of a task, or none."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session
    from sqlalchemy import delete, insert, select

    table = RenderedTaskInstanceFields.__table__
    where = {name: task[name] for name in ("dag_id", "run_id", "task_id")}
    with create_session() as session:
        kept = dict(session.execute(select(table).filter_by(**where)).mappings().one())
        session.execute(delete(table).filter_by(**where))
        fields = change(kept["rendered_fields"])
        if fields is not None:
            session.execute(insert(table), [{**kept, "rendered_fields": fields}])
    try:
        yield
    finally:
        with create_session() as session:
            session.execute(delete(table).filter_by(**where))
            session.execute(insert(table), [kept])


def with_connection(conn_id: str | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda fields: {**fields, "aws_conn_id": conn_id}


# --- Tags ------------------------------------------------------------------------------------------------------------


def test_the_registry_agrees_with_what_was_released(api: Api, world: World) -> None:
    world.ecr.clear_requests()
    seen = registry(api)
    digest = world.images["build-2"].digest
    assert seen["tags"]["prod"] == seen["tags"]["v2"] == {"digest": digest, "status": "ACTIVE"}
    assert seen["platforms"][digest] == ["linux/amd64", "linux/arm64"]
    assert set(world.ecr.calls) == {"DescribeImages", "BatchGetImage"}
    # What an image is for never changes, and each BatchGetImage would be another pull.
    world.ecr.clear_requests()
    assert (registry(api), set(world.ecr.calls)) == (seen, {"DescribeImages"})


def test_tags_are_told_of_where_the_images_may_not_be_read(api: Api, world: World) -> None:
    world.ecr.faults.fail("BatchGetImage", "AccessDeniedException", times=9)
    seen = registry(api)
    world.ecr.faults.clear()
    assert seen["tags"]["prod"]["digest"] == world.images["build-2"].digest
    assert ("problem" in seen, seen["platforms"]) == (False, {})


@pytest.mark.usefixtures("single")
def test_a_tag_that_was_moved_or_deleted_behind_airflows_back_is_told_of(api: Api, world: World) -> None:
    client = world.ecr.client()
    other = sample_image(files={"name": b"other"})
    push(client, "ui/single", other, "moved")
    client.batch_delete_image(repositoryName="ui/single", imageIds=[{"imageTag": "gone"}])
    tags = registry(api, "ui/single")["tags"]
    assert {tag: tags[tag] for tag in ("moved", "gone")} == {
        "moved": {"digest": other.digest, "status": "ACTIVE"},
        "gone": {"digest": None, "status": None},
    }


@needs_archives
def test_an_image_that_was_archived_is_told_of(api: Api, world: World) -> None:
    task = release(world, "ui_archive")
    image_id: Any = {"imageDigest": sample_image().digest}
    world.ecr.client().update_image_storage_class(
        repositoryName="ui/archive", imageId=image_id, targetStorageClass="ARCHIVE"
    )
    seen = registry(api, "ui/archive")
    assert (seen["tags"]["prod"]["status"], seen["platforms"]) == ("ARCHIVED", {})
    assert "archived" in api.read("image", **task)["problem"].lower()


@pytest.mark.usefixtures("single")
def test_an_image_of_others_that_is_none_for_here_does_not_hide_the_tags(api: Api, world: World) -> None:
    """Docker's first schema can still be pushed by others, and cannot be parsed here."""

    def ancient(answer: Any) -> Any:
        changed = {"imageManifestMediaType": "application/vnd.docker.distribution.manifest.v1+json"}
        return answer | {"images": [{**each, **changed} for each in answer["images"]]}

    world.ecr.faults.corrupt("BatchGetImage", ancient)
    seen = registry(api, "ui/single")
    assert ("problem" in seen, seen["platforms"]) == (False, {})


def test_a_repository_where_nothing_was_released_is_not_asked(api: Api, world: World) -> None:
    world.ecr.clear_requests()
    for host, name in ((HOST, "ui/nothing"), ("ghcr.io", SHOP), ("x", "..")):
        answer = api.read("registry", registry=host, repository_name=name)
        assert "No task released there" in answer["problem"]
    assert world.ecr.calls == []


# --- An image --------------------------------------------------------------------------------------------------------


def test_the_image_of_a_task_is_shown_with_what_it_is_made_of(api: Api, world: World) -> None:
    seen = api.read("image", **world.key("ui_promote", task_id="put"))
    image = world.images["build-2"]
    assert seen["image"] == {
        "imageUri": f"{HOST}/{SHOP}@{image.digest}",
        "imageDigest": image.digest,
        "repositoryName": SHOP,
        "imageTag": "prod",
        "outcome": "created",
        "previousImageDigest": None,
    }
    assert seen["console"].startswith("https://console.aws.amazon.com/ecr/repositories/private/123456789012/")
    assert [each["platform"] for each in seen["manifest"]["manifests"]] == ["linux/amd64", "linux/arm64"]


def test_the_image_of_a_sensor_and_of_a_mapped_task_is_shown(api: Api, world: World) -> None:
    found = api.read("image", **world.key("ui_promote", task_id="wait"))
    assert (found["image"]["outcome"], found["image"]["imageTag"]) == ("found", "build-2")
    tags = [
        api.read("image", **world.key("ui_mapped", task_id="put", map_index=number))["image"]["imageTag"]
        for number in (0, 1)
    ]
    assert tags == ["eu", "us"]


def test_a_task_without_an_image_has_none(api: Api, world: World) -> None:
    assert api.read("image", **world.key("ui_deploy", task_id="deploy")) == {"image": None}
    assert api.read("image", **world.key("ui_deploy", task_id="no-such-task")) == {"image": None}


def test_labels_that_are_no_text_can_be_shown(api: Api, world: World) -> None:
    """JSON may hold half of a character, which UTF-8 cannot encode."""
    image = sample_image(("linux/amd64",))
    manifest = json.loads(image.text)
    labelled = b'{"os":"linux","architecture":"amd64","config":{"Labels":{"half":"\\ud83d"}}}'
    digest = f"sha256:{hashlib.sha256(labelled).hexdigest()}"
    manifest["config"] |= {"digest": digest, "size": len(labelled)}
    text = json.dumps(manifest)
    half = SampleImage(SampleManifest(text, image.media_type), (), {**image.blobs, digest: labelled})
    task = release(world, "ui_half", half)
    assert api.read("image", **task)["manifest"]["labels"] == {"half": "\ud83d"}


# --- Connections -----------------------------------------------------------------------------------------------------


def test_a_connection_in_the_database_is_used(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_UI_STORED", connection(world.ecr))
        task = release(world, "ui_stored", aws_conn_id="ui_stored")
    assert "'ui_stored' does not exist" in registry(api, "ui/stored")["problem"]
    assert "'ui_stored' does not exist" in api.read("image", **task)["problem"]
    given = json.loads(connection(world.ecr))
    with create_session() as session:
        session.add(Connection(conn_id="ui_stored", **{**given, "extra": json.dumps(given["extra"])}))
    assert registry(api, "ui/stored")["tags"]["prod"]["status"] == "ACTIVE"
    assert "manifest" in api.read("image", **task)


def test_a_connection_that_airflow_masks_is_not_guessed(api: Api, single: dict[str, Any]) -> None:
    with rendered(single, with_connection("***")):
        assert "'***' does not exist" in registry(api, "ui/single")["problem"]


def test_where_airflow_has_pruned_the_connection_of_a_run_that_of_the_newest_is_used(
    api: Api, clones: Clones, single: dict[str, Any]
) -> None:
    origin = {name: single[name] for name in ("dag_id", "run_id")}
    clones.tasks(origin, newer := clones.run(origin, "newer", state="success"))
    with rendered({**single, **newer}, with_connection("newest")):
        assert "tags" in registry(api, "ui/single")
        with rendered(single, lambda _: None):
            assert "'newest' does not exist" in registry(api, "ui/single")["problem"]


@pytest.mark.parametrize("kept", [None, {}, {"repository_name": "ui/single"}])
def test_where_airflow_keeps_no_connection_the_api_servers_own_credentials_are_not_used(
    api: Api, world: World, single: dict[str, Any], kept: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", world.ecr.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    world.ecr.clear_requests()
    with rendered(single, lambda _: kept):
        for seen in (registry(api, "ui/single"), api.read("image", **single)):
            assert "max_num_rendered_ti_fields_per_task" in seen["problem"]
    assert world.ecr.calls == []


def test_each_instance_of_a_mapped_task_is_read_with_its_own_connection(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecr_provider.operators.image import EcrPutImageOperator

    other = "210987654321"
    for conn_id, account in (("ui_own", "123456789012"), ("ui_other", other)):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection(world.ecr, account))
        client = world.ecr.client(account_id=account)
        client.create_repository(repositoryName="ui/accounts")
        push(client, "ui/accounts", sample_image(), "build")
    put = {"task_id": "put", "repository_name": "ui/accounts", "source_image_tag": "build", "image_tag": "prod"}
    accounts = ["ui_own", "ui_other"]
    world.run("ui_accounts", lambda: EcrPutImageOperator.partial(**put).expand(aws_conn_id=accounts))
    for number, host in enumerate((HOST, HOST.replace("123456789012", other))):
        seen = api.read("image", **world.key("ui_accounts", task_id="put", map_index=number))
        assert (seen["image"]["imageUri"].startswith(host), "manifest" in seen) == (True, True)
        tags = api.read("registry", registry=host, repository_name="ui/accounts")["tags"]
        assert tags["prod"]["digest"] == sample_image().digest


# --- When ECR does not answer ----------------------------------------------------------------------------------------


def test_a_registry_that_is_away_is_said_to_be_so(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        away = json.loads(connection(world.ecr)) | {"extra": {"region_name": "us-east-1", "endpoint_url": address}}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(away))
        assert "DescribeImages" in registry(api)["problem"]
        seen = api.read("image", **world.key("ui_promote", task_id="put"))
        assert ("BatchGetImage" in seen["problem"], seen["image"]["imageTag"]) == (True, "prod")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "ServerException"])
def test_a_registry_that_refuses_is_said_to_do_so_without_what_it_was_asked_with(
    api: Api, world: World, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for operation, ask in (
        ("DescribeImages", lambda: registry(api)),
        ("BatchGetImage", lambda: api.read("image", **world.key("ui_promote", task_id="put"))),
    ):
        world.ecr.faults.clear()
        world.ecr.faults.fail(operation, code, times=9)
        assert code in ask()["problem"]
    assert not any(secret in "".join(capfd.readouterr()) for secret in ("emulator-canary", "Signature="))


def test_nobody_waits_for_a_layer_store_that_says_nothing(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecr_provider.ui.registry.HURRIED", (1.0, 0.2))
    world.ecr.faults.delay("GetObject", 3, times=99)
    begun = time.monotonic()
    seen = api.read("image", **world.key("ui_promote", task_id="put"))
    assert time.monotonic() - begun < 3
    world.ecr.faults.clear()
    problems = [each["problem"] for each in seen["manifest"]["manifests"]]
    assert len(problems) == 2
    assert all("config cannot be read" in problem for problem in problems)


def test_no_answer_and_no_log_line_has_a_secret_in_it(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given = json.loads(connection(world.ecr)) | {"password": "canary-password"}
    given["extra"] |= {"aws_session_token": "canary-session"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(given))
    answers = [api.get("/ecr/api/releases").text, json.dumps(registry(api))]
    answers += [json.dumps(api.read("image", **world.key("ui_promote", task_id="put")))]
    for operation in ("GetDownloadUrlForLayer", "GetAuthorizationToken", "GetObject", "BatchGetImage"):
        world.ecr.faults.clear()
        world.ecr.faults.fail(operation, "AccessDeniedException", status=403, times=9)
        answers += [json.dumps(api.read("image", **world.key("ui_promote", task_id="put")))]
    told = "".join((*answers, *capfd.readouterr()))
    assert "ui/shop" in told
    for secret in ("canary-password", "canary-session", "X-Amz-", "Signature=", "Credential=", "Basic ", "Bearer"):
        assert secret not in told, secret
