"""EcrImageSensor, run by Airflow against the local ECR."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk import __version__ as task_sdk_version
from airflow_runs import TaskDeferred, log, run_dag
from local_ecr import ACCOUNT, REGION, REPOSITORY, connection, needs_archives
from sensor_runs import Sensors, after_two_looks, both_modes

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import EcrProviderError, InvalidInputError
from ecr_provider.oci import Digest
from ecr_provider.sensors.image import EcrImageSensor

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]

pytestmark = pytest.mark.usefixtures("aws_default")
sensors = Sensors(EcrImageSensor)
sensor, run = sensors.make, sensors.run


@both_modes
def test_an_image_that_is_there_is_found_at_once(ecr: EcrEmulator, build: Build, *, deferrable: bool) -> None:
    image = build("new", "build-42")
    result = run(image_tag="build-42", deferrable=deferrable)
    report = result.xcom("wait")
    assert (report["imageDigest"], report["outcome"]) == (image.digest, "found")
    assert result.xcom("wait", "imageUri").endswith(f"@{image.digest}")
    assert ecr.calls == ["DescribeImages"]


@both_modes
def test_an_image_that_comes_later_is_waited_for(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    after_two_looks(ecr, lambda: build("new", "build-42"))
    result = run(image_tag="build-42", deferrable=deferrable)
    assert result.state("wait") == "success"
    lines = log(capfd)
    assert re.search(rf"Look 1 after \d+ s: {REPOSITORY}:build-42 waiting to exist; no such image", lines)
    assert f"{REPOSITORY}:build-42 found {result.xcom('wait', 'imageDigest')}" in lines


@both_modes
def test_a_tag_that_moves_is_waited_for(ecr: EcrEmulator, build: Build, *, deferrable: bool) -> None:
    old = build("old", "prod")
    after_two_looks(ecr, lambda: build("new", "prod"))
    result = run(image_tag="prod", other_than_image_digest=old.digest, deferrable=deferrable)
    assert result.xcom("wait", "previousImageDigest") == old.digest
    assert result.xcom("wait", "imageDigest") != old.digest


@both_modes
def test_a_platform_that_comes_later_is_waited_for(ecr: EcrEmulator, build: Build, *, deferrable: bool) -> None:
    build("new", "build-42", platforms=["linux/amd64", "linux/386"])
    after_two_looks(ecr, lambda: build("new", "build-42", platforms=["linux/amd64", "linux/arm64"]))
    result = run(image_tag="build-42", platforms=["linux/arm64"], deferrable=deferrable)
    assert result.state("wait") == "success"


@pytest.mark.skipif(task_sdk_version.startswith("1.0."), reason="dag.test() of Airflow 3.0 cannot reschedule a sensor")
def test_rescheduling_keeps_count_and_time(ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str]) -> None:
    after_two_looks(ecr, lambda: build("new", "build-42"))
    result = run(image_tag="build-42", mode="reschedule")
    assert result.state("wait") == "success"
    assert "Look 2 after" in log(capfd)


@needs_archives
def test_an_archived_image_is_not_there(client: ECRClient, build: Build, capfd: pytest.CaptureFixture[str]) -> None:
    image = build("new", "build-42", platforms=["linux/amd64"])
    client.update_image_storage_class(
        repositoryName=REPOSITORY, imageId={"imageDigest": image.digest}, targetStorageClass="ARCHIVE"
    )
    result = run(image_tag="build-42", timeout=0.5)
    assert result.state("wait") == "failed"
    assert "its status is ARCHIVED" in log(capfd)


@both_modes
def test_a_missing_repository_fails_at_once(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    result = run(repository_name="shop/nowhere", image_tag="prod", deferrable=deferrable, retries=3)
    assert result.state("wait") == "failed"
    assert "Create the repository" in log(capfd)
    assert ecr.calls == ["DescribeImages"]


@both_modes
def test_a_missing_repository_is_waited_for_if_wanted(
    ecr: EcrEmulator, client: ECRClient, build: Build, *, deferrable: bool
) -> None:
    def create() -> None:
        client.create_repository(repositoryName="shop/later")
        build("new", "build-42", repository_name="shop/later")

    after_two_looks(ecr, create)
    arguments: dict[str, Any] = {"repository_name": "shop/later", "image_tag": "build-42", "wait_for_repository": True}
    assert run(deferrable=deferrable, **arguments).state("wait") == "success"


def test_a_repository_that_vanishes_while_the_triggerer_waits_fails_the_task(
    ecr: EcrEmulator, client: ECRClient, capfd: pytest.CaptureFixture[str]
) -> None:
    after_two_looks(ecr, lambda: client.delete_repository(repositoryName=REPOSITORY, force=True))
    assert run(image_tag="prod", deferrable=True).state("wait") == "failed"
    assert "Create the repository" in log(capfd)


@both_modes
@pytest.mark.parametrize("arguments", [{"soft_fail": True}, {"never_fail": True}], ids=lambda value: next(iter(value)))
def test_failing_softly_skips(*, deferrable: bool, arguments: dict[str, Any]) -> None:
    result = run(repository_name="shop/nowhere", image_tag="prod", deferrable=deferrable, **arguments)
    assert result.state("wait") == "skipped"


@both_modes
def test_throttling_is_waited_out(ecr: EcrEmulator, build: Build, *, deferrable: bool) -> None:
    build("new", "build-42")
    ecr.faults.fail("DescribeImages", "ThrottlingException", times=3)
    assert run(image_tag="build-42", deferrable=deferrable).state("wait") == "success"


@pytest.mark.parametrize(
    "arguments",
    [
        {"image_tag": "{{ none }}"},
        {"image_tag": "{{ '1.10' }}"},
        {"image_tag": "prod", "image_digest": "{{ none }}"},
        {"image_tag": "prod", "platforms": "{{ none }}"},
        {"image_tag": "prod", "platforms": ["linux"]},
    ],
)
def test_what_rendering_made_of_an_argument_is_checked(ecr: EcrEmulator, arguments: dict[str, Any]) -> None:
    assert run({"render_template_as_native_obj": True}, **arguments).state("wait") == "failed"
    assert ecr.calls == []


def test_there_is_something_to_wait_for() -> None:
    with pytest.raises(InvalidInputError, match="nothing to wait for"):
        sensor()


def test_the_links_are_there(build: Build) -> None:
    image = build("new", "build-42")
    result = run(image_tag="build-42")
    base = f"https://console.aws.amazon.com/ecr/repositories/private/{ACCOUNT}/{REPOSITORY}"
    assert result.xcom("wait", "_link_EcrRepositoryLink") == f"{base}?region={REGION}"
    assert result.xcom("wait", "_link_EcrImageLink") == f"{base}/_/image/{image.digest}/details?region={REGION}"


def test_what_was_waited_for_is_handed_on(build: Build) -> None:
    image = build("new", "build-42")
    with DAG("handed_on", schedule=None) as dag:

        @task
        def deploy(digest: str) -> str:
            return digest

        deploy(sensor(image_tag="build-42").output["imageDigest"])  # type: ignore[index]  # not in its stub
    assert run_dag(dag).xcom("deploy") == image.digest


def test_a_digest_that_never_comes_times_out() -> None:
    assert run(image_digest=str(Digest.of(b"never")), timeout=0.3).state("wait") == "failed"


def test_a_deferred_wait_ends_at_the_timeout_and_takes_everything_along(
    ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", connection(ecr))
    aws: dict[str, Any] = {"aws_conn_id": "shop", "region_name": REGION, "verify": False, "registry_id": ACCOUNT}
    wait = sensor(image_tag="prod", timeout=77, poke_interval=7, botocore_config={"connect_timeout": 3}, **aws)
    with pytest.raises(TaskDeferred) as deferred:
        wait._defer_wait()
    assert deferred.value.timeout == timedelta(seconds=77)
    _, arguments = deferred.value.trigger.serialize()
    assert arguments["hook"] == {
        "aws_conn_id": "shop",
        "region_name": REGION,
        "verify": False,
        "config": {"connect_timeout": 3},
    }
    assert (arguments["registry_id"], arguments["poke_interval"]) == (ACCOUNT, 7)


def test_another_account_is_asked_by_its_registry_id(build: Build, capfd: pytest.CaptureFixture[str]) -> None:
    build("new", "prod")
    assert run(image_tag="prod", registry_id="999999999999").state("wait") == "failed"
    assert "999999999999" in log(capfd)


def test_a_triggerer_that_could_not_look_may_be_tried_again() -> None:
    sensor = EcrImageSensor(task_id="wait", repository_name=REPOSITORY, image_tag="prod", retries=3)
    event = {"error": "the credential service does not answer", "retryable": True}
    with pytest.raises(EcrProviderError, match="does not answer"):
        sensor.execute_complete({}, event)
