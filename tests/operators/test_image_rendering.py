"""What rendering and XCom may do to the arguments of EcrPutImageOperator, and what they may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, task
from airflow_runs import Run, log, run_dag, run_task
from local_ecr import REPOSITORY

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest
from ecr_provider.operators.image import EcrPutImageOperator, _manifest_text

Build = Callable[..., SampleImage]
PointsAt = Callable[[str], str | None]
CONSOLE = "https://console.aws.amazon.com/ecr"

pytestmark = pytest.mark.usefixtures("aws_default")


def put(**arguments: Any) -> EcrPutImageOperator:
    return EcrPutImageOperator(**({"task_id": "put", "repository_name": REPOSITORY} | arguments))


def run(dag_arguments: dict[str, Any] | None = None, **arguments: Any) -> Run:
    return run_task(lambda: put(**arguments), **(dag_arguments or {}))


def alien(image: SampleImage) -> str:
    """The image's manifest with everything in it that rendering and parsing like to touch."""
    manifest = json.loads(image.text)
    manifest["annotations"] = {"é": "{{ params.x }} {# gone #} {% if %}", "tab": "a\tb"}
    return json.dumps(manifest, indent=3, ensure_ascii=False).replace("\n", "\r\n") + "\n"


# --- Manifest bytes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("native", [False, True], ids=["text rendering", "native rendering"])
@pytest.mark.parametrize("upstream", [False, True], ids=["literal", "from XCom"])
def test_a_manifest_reaches_ecr_byte_for_byte(ecr: EcrEmulator, build: Build, *, native: bool, upstream: bool) -> None:
    text = alien(build("new"))
    with DAG("bytes", schedule=None, render_template_as_native_obj=native) as dag:

        @task
        def read() -> str:
            return text

        put(image_manifest=read() if upstream else text, image_tag="prod", image_digest=str(Digest.of(text.encode())))
    assert run_dag(dag).state("put") == "success"
    assert ecr.requests[-1].parameters["imageManifest"] == text


def test_a_manifest_that_names_a_file_is_not_read_from_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(image_manifest="manifest.json", image_tag="prod").state("put") == "failed"
    assert "InvalidManifestError" in log(capfd)


def test_a_template_in_place_of_a_manifest_is_refused_with_a_hint(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(image_manifest="{{ ti.xcom_pull('read') }}", image_tag="prod").state("put") == "failed"
    assert "task.output" in log(capfd)


def test_a_dict_is_put_with_sorted_keys(ecr: EcrEmulator, build: Build) -> None:
    manifest = json.loads(build("new").text)
    manifest["annotations"] = {"{{ b }}": "{% if %}", "a": "é"}
    result = run(image_manifest=manifest, image_tag="prod")
    assert result.state("put") == "success"
    text = ecr.requests[-1].parameters["imageManifest"]
    assert text == json.dumps(manifest, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def test_a_manifest_of_another_type_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with DAG("list", schedule=None) as dag:

        @task
        def read() -> list[str]:
            return ["no", "manifest"]

        put(image_manifest=read(), image_tag="prod")
    assert run_dag(dag).state("put") == "failed"
    assert "image_manifest is a list" in log(capfd)


def test_the_media_type_is_filled_in(ecr: EcrEmulator, build: Build) -> None:
    manifest = json.loads(build("new").text)
    media_type = manifest.pop("mediaType")
    assert run(image_manifest=json.dumps(manifest), image_tag="prod").state("put") == "success"
    assert ecr.requests[-1].parameters["imageManifestMediaType"] == media_type


# --- What rendering may do to text -----------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["image_tag", "source_image_tag", "image_tags"])
def test_a_tag_that_native_rendering_made_a_number_is_refused(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], argument: str
) -> None:
    arguments: dict[str, Any] = {"source_image_tag": "build-42", "image_tag": "prod"}
    arguments[argument] = ["{{ '1.10' }}"] if argument == "image_tags" else "{{ '1.10' }}"
    if argument == "image_tags":
        del arguments["image_tag"]
    result = run({"render_template_as_native_obj": True}, **arguments)
    assert result.state("put") == "failed"
    message = log(capfd)
    assert "1.1" in message
    assert "render_template_as_native_obj" in message
    assert ecr.calls == []


def test_an_account_that_native_rendering_made_a_number_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    native = {"render_template_as_native_obj": True}
    result = run(native, source_image_tag="a", image_tag="b", registry_id="{{ '123456789012' }}")
    assert result.state("put") == "failed"
    assert "registry_id 123456789012 is a int" in log(capfd)


def test_the_media_type_that_is_given_is_used(ecr: EcrEmulator, build: Build) -> None:
    image = build("new", media_types="docker", platforms=["linux/amd64"])
    manifest = json.loads(image.text)
    del manifest["mediaType"]
    text = json.dumps(manifest)
    result = run(image_manifest=text, image_manifest_media_type=image.media_type, image_tag="prod")
    assert result.xcom("put", "imageManifestMediaType") == image.media_type
    assert ecr.requests[-1].parameters["imageManifestMediaType"] == image.media_type


@pytest.mark.parametrize("argument", ["aws_conn_id", "region_name", "image_digest", "image_tag", "registry_id"])
def test_a_blank_argument_drops_no_guard_either(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], argument: str
) -> None:
    build("new", "build-42")
    arguments: dict[str, Any] = {"source_image_tag": "build-42", "image_tag": "prod", argument: "{{ '  ' }}"}
    assert run(**arguments).state("put") == "failed"
    assert f"{argument} was given, but rendered to" in log(capfd)
    assert ecr.calls == []


def test_a_tag_in_a_list_that_a_template_did_not_find_is_refused(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(source_image_tag="build-42", image_tags=["prod", "{{ none }}"]).state("put") == "failed"
    assert "image_tags was given, but rendered to" in log(capfd)
    assert ecr.calls == []


@pytest.mark.parametrize("manifest", [{"schemaVersion": float("nan")}, {"a": 1, 2: "b"}, {"config": b"bytes"}])
def test_a_dict_that_is_no_json_is_refused(manifest: dict[Any, Any]) -> None:
    with pytest.raises(InvalidInputError, match="image_manifest cannot be written as JSON"):
        _manifest_text(manifest)


def test_tags_of_several_upstream_tasks(build: Build, points_at: PointsAt) -> None:
    new = build("new", "build-42")
    with DAG("tags", schedule=None) as dag:

        @task
        def name(number: int) -> str:
            return f"v{number}"

        put(task_id="list", source_image_tag="build-42", image_tags=[name(1), name(2)])
        put(task_id="mapped", source_image_tag="build-42", image_tags=name.expand(number=[3, 4]))
    result = run_dag(dag)
    assert (result.state("list"), result.state("mapped")) == ("success", "success")
    assert {points_at(f"v{number}") for number in (1, 2, 3, 4)} == {new.digest}


@pytest.mark.parametrize("native", [False, True], ids=["text rendering", "native rendering"])
@pytest.mark.parametrize(
    "argument",
    ["image_tag", "image_digest", "expected_current_digest", "registry_id", "aws_conn_id", "source_image_tag"],
)
def test_a_template_that_finds_nothing_drops_no_guard(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], argument: str, *, native: bool
) -> None:
    build("new", "build-42")
    arguments = {"source_image_tag": "build-42", "image_tag": "prod", argument: "{{ none }}"}
    assert run({"render_template_as_native_obj": native}, **arguments).state("put") == "failed"
    assert f"{argument} was given, but rendered to" in log(capfd)
    assert ecr.calls == []


def test_an_upstream_task_that_returns_nothing_drops_no_guard(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    build("new", "build-42")
    with DAG("nothing", schedule=None) as dag:

        @task
        def expect() -> None: ...

        put(source_image_tag="build-42", image_tag="prod", expected_current_digest=expect())
    assert run_dag(dag).state("put") == "failed"
    assert "expected_current_digest was given" in log(capfd)
    assert ecr.calls == []


def test_templates_are_rendered(build: Build, points_at: PointsAt) -> None:
    new = build("new", "build-42")
    params = {"repository": REPOSITORY, "build": 42}
    result = run(
        {"params": params},
        repository_name="{{ params.repository }}",
        source_image_tag="build-{{ params.build }}",
        image_tags=["{{ dag.dag_id[:4] }}", "prod"],
    )
    assert result.state("put") == "success"
    assert (points_at("test"), points_at("prod")) == (new.digest, new.digest)
