"""EcrImageReplicationSensor, run by Airflow against the local ECR."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow_runs import LOGS_FAILURES, log, run_dag
from emulator.replications import WEST, configure, to
from emulator_calls import OTHER, OWN
from local_ecr import ACCOUNT, REGION, REPOSITORY
from sensor_runs import Sensors, both_modes

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest
from ecr_provider.sensors.image_replication import EcrImageReplicationSensor

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
IRELAND = "eu-west-1"
LOOK = "DescribeImageReplicationStatus"

pytestmark = pytest.mark.usefixtures("aws_default")
sensors = Sensors(EcrImageReplicationSensor, image_tag="build-42")
sensor, run = sensors.make, sensors.run


@pytest.fixture
def image(client: ECRClient, build: Build) -> SampleImage:
    """An image on its way to two Regions."""
    configure(client, *to(WEST, IRELAND))
    return build("new", "build-42")


@both_modes
def test_an_image_that_is_everywhere_passes_at_once(ecr: EcrEmulator, image: SampleImage, *, deferrable: bool) -> None:
    ecr.advance(30)
    result = run(deferrable=deferrable)
    report = result.xcom("wait")
    assert (report["imageDigest"], report["imageTag"], report["outcome"]) == (image.digest, "build-42", "passed")
    assert [each["status"] for each in report["replicationStatuses"]] == ["COMPLETE", "COMPLETE"]
    assert result.xcom("wait", "imageUri").endswith(f"@{image.digest}")
    assert ecr.calls == ["DescribeImages", "DescribeRegistry", LOOK]


@both_modes
@pytest.mark.usefixtures("image")
def test_an_image_on_its_way_is_waited_for(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    ecr.faults.after(LOOK, lambda: ecr.advance(30), skip=2)
    assert run(deferrable=deferrable).state("wait") == "success"
    lines = log(capfd)
    way = f"waiting to be replicated; {OWN}/{WEST} IN_PROGRESS, {OWN}/{IRELAND} IN_PROGRESS"
    assert re.search(rf"Look 1 after \d+ s: {REPOSITORY}:build-42@sha256:[0-9a-f]{{64}} {way}", lines)
    assert re.search(rf"Look 4 after .*{OWN}/{WEST} COMPLETE, {OWN}/{IRELAND} COMPLETE", lines)


@both_modes
def test_a_replication_that_fails_while_it_waits_fails_the_task_without_retries(
    ecr: EcrEmulator, image: SampleImage, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    ecr.switches.replication_failures[IRELAND] = "INTERNAL_ERROR"
    ecr.faults.after(LOOK, lambda: ecr.advance(30), skip=1)
    result = run(deferrable=deferrable, retries=3)
    assert result.state("wait") == "failed"
    told = f"replication failed: {OWN}/{WEST} COMPLETE, {OWN}/{IRELAND} FAILED (INTERNAL_ERROR)"
    assert f"@{image.digest} {told}" in log(capfd)
    report = result.xcom("wait")
    assert (report["outcome"], report["imageDigest"]) == ("failed", image.digest)
    assert result.xcom("wait", "outcome") == "failed"
    assert {each["region"]: each["failureCode"] for each in report["replicationStatuses"]} == {
        WEST: None,
        IRELAND: "INTERNAL_ERROR",
    }
    assert ecr.calls.count(LOOK) == 3


@both_modes
def test_a_failure_may_skip(ecr: EcrEmulator, image: SampleImage, *, deferrable: bool) -> None:
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    ecr.faults.after(LOOK, lambda: ecr.advance(30), skip=1)
    result = run(deferrable=deferrable, soft_fail=True)
    assert result.state("wait") == "skipped"
    assert result.xcom("wait", "imageDigest") == image.digest


@both_modes
def test_only_the_named_destination_counts(ecr: EcrEmulator, image: SampleImage, *, deferrable: bool) -> None:
    ecr.switches.replication_failures[IRELAND] = "INTERNAL_ERROR"
    ecr.faults.after(LOOK, lambda: ecr.advance(30), skip=1)
    result = run(deferrable=deferrable, destinations=(f"{OWN}/{WEST}",))
    assert result.xcom("wait", "imageDigest") == image.digest
    assert [each["region"] for each in result.xcom("wait", "replicationStatuses")] == [WEST]


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"destinations": ["ap-south-1"]}, f"No rule replicates {REPOSITORY} to 'ap-south-1'"),
        ({"destinations": [f"{OTHER}/{WEST}"]}, f"No rule replicates {REPOSITORY} to '{OTHER}/{WEST}'"),
        ({"destinations": []}, "destinations is empty"),
        ({"destinations": WEST}, f"destinations is '{WEST}'"),
        ({"image_tag": "build-43"}, f"{REPOSITORY}:build-43"),
        ({"image_digest": str(Digest.of(b"other"))}, f"{REPOSITORY}:build-42@{Digest.of(b'other')}"),
        ({"image_tag": "no good"}, "image_tag: "),
        ({"repository_name": "shop/nowhere"}, "Create the repository"),
    ],
    ids=str,
)
def test_what_would_be_waited_for_in_vain_fails_at_once(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], arguments: dict[str, Any], words: str
) -> None:
    assert run(retries=3, **arguments).state("wait") == "failed"
    assert not LOGS_FAILURES or words in log(capfd)
    assert LOOK not in ecr.calls


@both_modes
def test_a_repository_that_no_rule_replicates_fails_at_once(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    build("new", "build-42")
    assert run(deferrable=deferrable, retries=3).state("wait") == "failed"
    assert f"No rule replicates {REPOSITORY}, so that waiting for it would be in vain" in log(capfd)
    assert ecr.calls == ["DescribeImages", "DescribeRegistry"]


def test_an_image_older_than_the_rule_times_out(
    client: ECRClient, build: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    build("old", "build-42")
    configure(client)
    assert run(timeout=0.3).state("wait") == "failed"
    assert f"{OWN}/{WEST} no status yet" in log(capfd)


@pytest.mark.usefixtures("image")
def test_a_rule_that_goes_while_the_triggerer_waits_fails_the_task(
    ecr: EcrEmulator, client: ECRClient, capfd: pytest.CaptureFixture[str]
) -> None:
    ecr.faults.after(LOOK, lambda: client.put_replication_configuration(replicationConfiguration={"rules": []}))
    assert run(deferrable=True, retries=3).state("wait") == "failed"
    assert "No rule replicates" in log(capfd)


@both_modes
def test_an_image_that_is_deleted_while_it_waits_fails_the_task(
    ecr: EcrEmulator, client: ECRClient, image: SampleImage, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    ids: Any = [{"imageDigest": image.digest}]
    ecr.faults.after(LOOK, lambda: client.batch_delete_image(repositoryName=REPOSITORY, imageIds=ids), skip=1)
    assert run(deferrable=deferrable, retries=3).state("wait") == "failed"
    assert not LOGS_FAILURES or f"{LOOK} of {REPOSITORY}@{image.digest} failed" in log(capfd)


@both_modes
def test_a_tag_that_moves_while_it_waits_does_not_change_the_image(
    ecr: EcrEmulator, build: Build, image: SampleImage, *, deferrable: bool
) -> None:
    def move() -> None:
        build("newer", "build-42")
        ecr.advance(30)

    ecr.faults.after(LOOK, move, skip=1)
    result = run(deferrable=deferrable)
    assert result.xcom("wait", "imageDigest") == image.digest
    asked = [each.parameters["imageId"] for each in ecr.requests if each.operation == LOOK]
    assert asked
    assert all(each == {"imageDigest": image.digest} for each in asked)


@pytest.mark.parametrize(
    ("operation", "deferrable"), [("DescribeImages", False), ("DescribeRegistry", False), (LOOK, True)]
)
def test_throttling_is_waited_out_and_a_refusal_is_not(
    ecr: EcrEmulator, image: SampleImage, operation: str, deferrable: bool
) -> None:
    ecr.advance(30)
    ecr.faults.fail(operation, times=3)
    assert run(deferrable=deferrable).xcom("wait", "imageDigest") == image.digest
    ecr.faults.fail(operation, "AccessDeniedException")
    before = len(ecr.calls)
    assert run(deferrable=deferrable, retries=3).state("wait") == "failed"
    assert ecr.calls[before:].count(operation) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"destinations": "{{ none }}"},
        {"destinations": [WEST, "{{ '' }}"]},
        {"image_digest": "{{ none }}"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("image")
def test_what_rendering_made_of_an_argument_is_checked(ecr: EcrEmulator, arguments: dict[str, Any]) -> None:
    assert run({"render_template_as_native_obj": True}, **arguments).state("wait") == "failed"
    assert ecr.calls == []


@pytest.mark.usefixtures("image")
def test_destinations_may_be_rendered(ecr: EcrEmulator) -> None:
    ecr.advance(30)
    wanted: dict[str, Any] = {"destinations": "{{ params.places }}", "params": {"places": [WEST]}}
    result = run({"render_template_as_native_obj": True}, **wanted)
    assert [each["region"] for each in result.xcom("wait", "replicationStatuses")] == [WEST]
    assert run(destinations=["{{ 'us-west' }}-2"]).state("wait") == "success"


def test_there_is_something_to_check_and_it_is_not_forgotten() -> None:
    with pytest.raises(InvalidInputError, match="nothing to check"):
        sensor(image_tag=None)
    with pytest.raises(InvalidInputError, match="forgets between two looks"):
        sensor(mode="reschedule")


@both_modes
def test_the_links_and_the_answer_are_there_after_a_failure_too(
    ecr: EcrEmulator, image: SampleImage, *, deferrable: bool
) -> None:
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    ecr.advance(30)
    result = run(deferrable=deferrable)
    base = f"https://console.aws.amazon.com/ecr/repositories/private/{ACCOUNT}/{REPOSITORY}"
    assert result.xcom("wait", "_link_EcrRepositoryLink") == f"{base}?region={REGION}"
    assert result.xcom("wait", "_link_EcrImageLink") == f"{base}/_/image/{image.digest}/details?region={REGION}"


def test_what_was_checked_is_handed_on(ecr: EcrEmulator, image: SampleImage) -> None:
    ecr.advance(30)
    with DAG("replicated", schedule=None) as dag:

        @task
        def deploy(digest: str) -> str:
            return digest

        deploy(sensor().output["imageDigest"])  # type: ignore[index]  # not in its stub
    assert run_dag(dag).xcom("deploy") == image.digest
