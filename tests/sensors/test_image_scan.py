"""EcrImageScanSensor, run by Airflow against the local ECR."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow_runs import LOGS_FAILURES, log, run_dag
from local_ecr import ACCOUNT, REGION, REPOSITORY
from sensor_runs import Sensors, after_two_looks, both_modes

from ecr_provider.emulator import EcrEmulator, Finding, ScanStep
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image_scan import EcrImageScanSensor

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]

pytestmark = pytest.mark.usefixtures("aws_default")
sensors = Sensors(EcrImageScanSensor, task_id="check", image_tag="build-42", poke_interval=0.05, settle_time=0)
sensor, run = sensors.make, sensors.run
sooner_or_later = pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
both_ways = pytest.mark.parametrize("softly", [{"soft_fail": True}, {"never_fail": True}], ids=["soft", "never"])

CLEAN, CRITICAL = ScanStep("COMPLETE"), ScanStep("COMPLETE", findings=[Finding("CVE-2026-1", "CRITICAL")])
RUNNING = ScanStep("IN_PROGRESS")
LOOK = "DescribeImageScanFindings"
ONCE = {"retries": {"total_max_attempts": 1}}
YESTERDAY, TOMORROW = (datetime.now(UTC).date() + timedelta(days=days) for days in (-1, 1))


@pytest.fixture
def scanned(ecr: EcrEmulator, client: ECRClient) -> None:
    """Have images be scanned when they are pushed."""
    client.put_image_scanning_configuration(repositoryName=REPOSITORY, imageScanningConfiguration={"scanOnPush": True})
    ecr.clear_requests()


@pytest.fixture
def image(scanned: None, build: Build) -> SampleImage:  # noqa: ARG001 - a fixture that needs another one's effect
    return build("new", "build-42", platforms=["linux/amd64"])


def says(ecr: EcrEmulator, step: ScanStep, *, late: bool = False) -> None:
    """Have scans say this, at once or after two looks."""
    ecr.scans.script(RUNNING if late else step)
    if late:
        after_two_looks(ecr, lambda: ecr.scans.script(step), LOOK)


# --- Yes and no --------------------------------------------------------------------------------------------------


@both_modes
def test_an_image_that_was_scanned_passes_at_once(ecr: EcrEmulator, image: SampleImage, *, deferrable: bool) -> None:
    ecr.scans.script(ScanStep("COMPLETE", findings={"HIGH": 2}))
    result = run(deferrable=deferrable)
    report = result.xcom("check")
    assert (report["imageDigest"], report["outcome"]) == (image.digest, "passed")
    assert result.xcom("check", "findingSeverityCounts") == {"HIGH": 2}
    assert ecr.calls == ["DescribeImages", "DescribeImageScanFindings"]


@both_modes
@pytest.mark.usefixtures("image")
def test_the_end_of_a_scan_is_waited_for(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    says(ecr, CLEAN, late=True)
    assert run(deferrable=deferrable).state("check") == "success"
    look = rf"after \d+ s: {REPOSITORY}:build-42@sha256:\w+"
    assert re.search(rf"Look 1 {look} waiting for the scan; IN_PROGRESS.*Look 3 {look} scan passed: 0 CRIT", log(capfd))


@both_modes
@sooner_or_later
def test_too_many_findings_fail_the_task_without_retries_and_are_in_its_log_and_xcom(
    ecr: EcrEmulator, image: SampleImage, capfd: pytest.CaptureFixture[str], *, late: bool, deferrable: bool
) -> None:
    says(ecr, CRITICAL, late=late)
    result = run(deferrable=deferrable, retries=3)
    assert result.state("check") == "failed"
    assert ecr.calls.count("DescribeImages") == 1
    lines = log(capfd)
    assert "SEVERITY FINDING PACKAGE VERSION FIXED IN IMAGE" in lines
    assert f"CRITICAL CVE-2026-1 openssl 1.1.1 - {image.digest}" in lines
    assert f"@{image.digest} scan failed: 1 CRITICAL of 0 allowed" in lines
    report = result.xcom("check")
    assert (report["imageDigest"], report["outcome"]) == (image.digest, "failed")
    assert {key: result.xcom("check", key) for key in report} == report
    assert result.xcom("check", "findingSeverityCounts") == {"CRITICAL": 1}
    link = f"repositories/private/{ACCOUNT}/{REPOSITORY}/_/image/{image.digest}/details?region={REGION}"
    assert result.xcom("check", "_link_EcrImageLink").endswith(link)


@both_modes
@both_ways
@sooner_or_later
@pytest.mark.usefixtures("image")
def test_failing_softly_skips(ecr: EcrEmulator, *, late: bool, softly: Any, deferrable: bool) -> None:
    says(ecr, CRITICAL, late=late)
    result = run(deferrable=deferrable, **softly)
    assert (result.state("check"), result.xcom("check", "outcome")) == ("skipped", "failed")


@both_modes
@pytest.mark.usefixtures("scanned")
def test_every_image_of_an_index_is_waited_for(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    index = build("new", "build-42")
    ecr.scans.script(CLEAN)
    ecr.scans.script(RUNNING, image_digest=index.children[1].digest)
    after_two_looks(ecr, lambda: ecr.scans.script(CRITICAL, image_digest=index.children[1].digest), LOOK)
    result = run(deferrable=deferrable)
    assert (result.state("check"), result.xcom("check", "imageDigest")) == ("failed", index.digest)
    assert "CRITICAL CVE-2026-1 openssl 1.1.1 - linux/arm64" in log(capfd)


@both_modes
@pytest.mark.usefixtures("image")
def test_findings_settle_from_when_they_came(ecr: EcrEmulator, *, deferrable: bool) -> None:
    def nothing_yet(answer: dict[str, Any]) -> dict[str, Any]:
        ecr.scans.script(CRITICAL)
        an_hour_ago = {"imageScanCompletedAt": time.time() - 3600}
        return answer | {"imageScanFindings": {"findings": [], "findingSeverityCounts": {}} | an_hour_ago}

    ecr.scans.script(ScanStep("COMPLETE", findings=None))
    ecr.faults.corrupt("DescribeImageScanFindings", nothing_yet, skip=1)
    assert run(deferrable=deferrable, settle_time=60).state("check") == "failed"


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_scan_that_does_not_end_times_out(ecr: EcrEmulator, *, soft_fail: bool, state: str) -> None:
    ecr.scans.script(RUNNING)
    assert run(timeout=0.2, soft_fail=soft_fail).state("check") == state


# --- What is checked ---------------------------------------------------------------------------------------------


@both_modes
def test_a_tag_that_moves_meanwhile_does_not_change_what_is_checked(
    ecr: EcrEmulator, build: Build, image: SampleImage, *, deferrable: bool
) -> None:
    ecr.scans.script(RUNNING)

    def move() -> None:
        ecr.scans.script(CRITICAL)
        ecr.scans.script(CLEAN, image_digest=image.digest)
        build("other", "build-42", platforms=["linux/amd64"])

    after_two_looks(ecr, move, LOOK)
    result = run(deferrable=deferrable)
    assert result.xcom("check", "imageDigest") == image.digest
    asked = {
        request.parameters["imageId"]["imageDigest"] for request in ecr.requests if "imageId" in request.parameters
    }
    assert asked <= {image.digest}


def test_what_was_checked_is_what_is_put_though_the_tag_moved(
    ecr: EcrEmulator, build: Build, image: SampleImage, points_at: Callable[[str], str | None]
) -> None:
    ecr.scans.script(CLEAN)
    with DAG("checked_and_put", schedule=None) as dag:

        @task
        def move() -> None:
            build("other", "build-42", platforms=["linux/amd64"])

        checked = sensor()
        put = EcrPutImageOperator(
            task_id="put",
            repository_name=REPOSITORY,
            source_image_digest=checked.output["imageDigest"],  # type: ignore[index]  # not in its stub
            image_tag="prod",
        )
        checked >> move() >> put
    assert run_dag(dag).state("put") == "success"
    assert points_at("prod") == image.digest != points_at("build-42")


def test_a_tag_that_points_elsewhere_than_the_digest_fails(ecr: EcrEmulator, build: Build, image: SampleImage) -> None:
    ecr.scans.script(CLEAN)
    assert run(image_digest=image.digest, image_tag=None).xcom("check", "imageDigest") == image.digest
    assert run(image_digest=image.digest).xcom("check", "imageTag") == "build-42"
    build("other", "build-42", platforms=["linux/amd64"])
    assert run(image_digest=image.digest, retries=3).state("check") == "failed"


@both_modes
@pytest.mark.usefixtures("image")
def test_an_image_that_is_deleted_meanwhile_fails_at_once(
    ecr: EcrEmulator, client: ECRClient, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    gone: Any = [{"imageTag": "build-42"}]
    ecr.scans.script(RUNNING)
    after_two_looks(ecr, lambda: client.batch_delete_image(repositoryName=REPOSITORY, imageIds=gone), LOOK)
    assert run(deferrable=deferrable, retries=3).state("check") == "failed"
    assert "ImageNotFoundException" in log(capfd)


@both_modes
@pytest.mark.usefixtures("image")
def test_throttling_is_waited_out(ecr: EcrEmulator, *, deferrable: bool) -> None:
    ecr.scans.script(CLEAN)
    ecr.faults.fail("DescribeImageScanFindings", times=2)
    assert run(deferrable=deferrable, botocore_config=ONCE).state("check") == "success"


# --- Starting scans ----------------------------------------------------------------------------------------------


@both_modes
def test_a_scan_is_started_if_there_is_none(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    build("new", "build-42")
    ecr.scans.script(ScanStep("IN_PROGRESS"), ScanStep("COMPLETE", after=0.1))
    result = run(start_scan=True, deferrable=deferrable)
    assert result.state("check") == "success"
    assert ecr.calls.count("StartImageScan") == 2
    assert "linux/arm64 IN_PROGRESS (started now)" in log(capfd)


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize("step", [CLEAN, CRITICAL, RUNNING, ScanStep("UNSUPPORTED_IMAGE"), ScanStep("ACTIVE")])
def test_a_scan_that_there_is_is_not_started_again(ecr: EcrEmulator, step: ScanStep) -> None:
    ecr.scans.script(step)
    run(start_scan=True, timeout=0.1)
    assert "StartImageScan" not in ecr.calls


@pytest.mark.usefixtures("image")
def test_a_scan_that_failed_is_started_again(ecr: EcrEmulator) -> None:
    ecr.scans.script(ScanStep("FAILED"))
    ecr.advance(24 * 60 * 60)
    ecr.faults.before("StartImageScan", lambda: ecr.scans.script(CLEAN))
    assert run(start_scan=True).state("check") == "success"


@pytest.mark.usefixtures("image")
def test_a_scan_that_failed_today_and_cannot_be_started_again_fails(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str]
) -> None:
    ecr.scans.script(ScanStep("FAILED"))
    assert run(start_scan=True).state("check") == "failed"
    assert "FAILED (ECR starts none now, LimitExceededException)" in log(capfd)


def test_where_amazon_inspector_scans_no_scan_can_be_started_and_its_own_is_waited_for(
    ecr: EcrEmulator, client: ECRClient, build: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    build("new", "build-42", platforms=["linux/amd64"])
    ecr.scans.script(CLEAN)
    every = {"filter": "*", "filterType": "WILDCARD"}
    rules: Any = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [every]}]
    client.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    after_two_looks(ecr, lambda: client.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules), LOOK)
    assert run(start_scan=True).state("check") == "success"
    assert "ECR starts none now, ValidationException" in log(capfd)


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
def test_throttling_at_the_start_is_waited_out(ecr: EcrEmulator, build: Build, operation: str) -> None:
    build("new", "build-42", platforms=["linux/amd64"])
    ecr.scans.script(CLEAN)
    ecr.faults.fail(operation)
    assert run(start_scan=True, botocore_config=ONCE).state("check") == "success"
    assert "StartImageScan" in ecr.calls


@both_modes
@both_ways
@pytest.mark.parametrize("start_scan", [False, True], ids=["only look", "start"])
def test_failing_softly_skips_what_cannot_be_looked_at(softly: Any, *, start_scan: bool, deferrable: bool) -> None:
    result = run(start_scan=start_scan, deferrable=deferrable, **softly)  # there is no such image
    assert result.state("check") == "skipped"


@pytest.mark.usefixtures("image")
def test_who_may_not_look_at_scans_fails_at_once(ecr: EcrEmulator) -> None:
    for operation in ("DescribeImageScanFindings", "DescribeImages"):
        ecr.faults.fail(operation, "AccessDeniedException")
        assert run(start_scan=True, retries=3).state("check") == "failed"
        assert ecr.calls[-1] == operation


# --- Arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{"image_tag": None}, {"mode": "reschedule"}])
def test_bad_arguments_are_refused_when_the_dag_is_read(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=r"nothing to check|deferrable=True"):
        sensor(**arguments)


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_tag": "{{ none }}"}, "image_tag"),
        ({"max_findings": "{{ none }}"}, "max_findings"),
        ({"max_findings": {"CRITICAL": "{{ none }}"}}, "max_findings"),
        ({"ignore": "{{ none }}"}, "ignore"),
        ({"ignore": ["CVE-2026-1", "{{ none }}"]}, "ignore"),
        ({"ignore": {"CVE-2026-1": "{{ none }}"}}, "ignore"),
        ({"ignore": {"CVE-2026-1": datetime(2026, 12, 31, tzinfo=UTC)}}, "ignore"),
        ({"on_state": {"COMPLETE": "pass"}}, "on_state"),
        ({"on_state": {"FAILED": "{{ none }}"}}, "on_state"),
        ({"settle_time": -1}, "settle_time"),
    ],
)
def test_what_rendering_made_of_an_argument_is_checked(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], arguments: dict[str, Any], message: str
) -> None:
    ecr.scans.script(CRITICAL)
    result = run({"render_template_as_native_obj": True}, retries=3, **arguments)
    assert (result.state("check"), "DescribeImageScanFindings" in ecr.calls) == ("failed", False)
    assert not LOGS_FAILURES or re.search(rf"AirflowFailException: {message}", log(capfd))


@pytest.mark.parametrize("arguments", [{"max_findings": {}}, {"ignore": 1}, {"on_state": {"COMPLETE": "pass"}}])
def test_a_bad_argument_is_refused_before_anything_is_called(ecr: EcrEmulator, arguments: dict[str, Any]) -> None:
    assert run(**arguments).state("check") == "failed"
    assert ecr.calls == []


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("ignore", "state"),
    [
        (("CVE-2026-1",), "success"),
        ({"CVE-2026-1": None}, "success"),
        ({"CVE-2026-1": TOMORROW}, "success"),
        ({"CVE-2026-1": "{{ params.until }}"}, "success"),
        ({"CVE-2026-1": YESTERDAY}, "failed"),
    ],
)
def test_findings_are_ignored_for_ever_or_to_a_day(ecr: EcrEmulator, ignore: Any, state: str) -> None:
    says(ecr, CRITICAL, late=True)
    given = {"params": {"until": TOMORROW.isoformat()}}
    assert run(given, ignore=ignore, deferrable=True).state("check") == state


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    "arguments",
    [
        {"max_findings": {"CRITICAL": "{{ params.most }}"}},
        {"max_findings": "{{ params.limits }}"},
        {"on_state": {"UNSUPPORTED_IMAGE": "{{ params.choice }}"}, "ignore": ["{{ params.name }}"]},
    ],
)
def test_the_policy_can_be_templates(ecr: EcrEmulator, arguments: dict[str, Any]) -> None:
    ecr.scans.script(CRITICAL)
    given = {"most": 1, "limits": {"CRITICAL": 1}, "choice": "pass", "name": "CVE-2026-1"}
    dag_arguments = {"params": given, "render_template_as_native_obj": True}
    assert run(dag_arguments, **arguments).state("check") == "success"


def test_nothing_critical_may_be_found_and_findings_are_waited_for_a_minute_if_nothing_is_said() -> None:
    plain = EcrImageScanSensor(task_id="check", repository_name=REPOSITORY, image_tag="build-42")
    assert (plain.max_findings, plain.settle_time) == ({"CRITICAL": 0}, 60)
