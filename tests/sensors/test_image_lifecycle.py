"""EcrImageLifecycleSensor, run by Airflow against the local ECR."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow_runs import LOGS_FAILURES, log, run_dag, run_task
from lifecycle_policies import more_than, older, policy, rule
from local_ecr import REPOSITORY, needs_archives
from sensor_runs import Sensors, both_modes

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import Digest
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.image_lifecycle import EcrImageLifecycleSensor

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
START, LOOK = "StartLifecyclePolicyPreview", "GetLifecyclePolicyPreview"

pytestmark = pytest.mark.usefixtures("aws_default")
sensors = Sensors(EcrImageLifecycleSensor, image_tag="build-42", days_ahead=0, pushes_ahead=0)
sensor, run = sensors.make, sensors.run


def keep(count: int, tag_status: str = "any", action: str = "expire", *, days: bool = False) -> str:
    """Write a policy that keeps so many images, or keeps images for so many days."""
    limit = older(count) if days else more_than(count)
    return policy(rule(4, {"tagStatus": tag_status}, limit, action))


@pytest.fixture(autouse=True)
def _quick_previews(ecr: EcrEmulator) -> None:
    ecr.switches.lifecycle_preview_seconds = 0.15


@pytest.fixture
def have(client: ECRClient) -> Callable[[str], object]:
    """Give the repository a policy."""
    return lambda text: client.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=text)


@both_modes
def test_without_a_policy_an_image_passes_at_once(ecr: EcrEmulator, build: Build, *, deferrable: bool) -> None:
    image = build("new", "build-42")
    report = run(deferrable=deferrable, days_ahead=7, pushes_ahead=10).xcom("wait")
    assert (report["imageDigest"], report["outcome"], report["previewResults"]) == (image.digest, "passed", [])
    assert set(ecr.calls) == {"DescribeImages", "GetLifecyclePolicy"}


@both_modes
def test_an_image_that_stays_passes_after_a_preview(
    ecr: EcrEmulator, client: ECRClient, build: Build, have: Any, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    have(keep(30, days=True))
    image = build("new", "build-42")
    result = run(deferrable=deferrable, days_ahead=7, pushes_ahead=10)
    assert (result.xcom("wait", "imageDigest"), result.xcom("wait", "outcome")) == (image.digest, "passed")
    lines = log(capfd)
    started = "waiting for the preview of the lifecycle policy, which has just started"
    assert re.search(rf"Look 1 after \d+ s: {REPOSITORY}:build-42@{image.digest} {started}", lines)
    assert f"{REPOSITORY}:build-42@{image.digest} stays within 7 days and 10 pushes" in lines
    assert ecr.calls.count(START) == 1
    previewed = client.get_lifecycle_policy_preview(repositoryName=REPOSITORY)["lifecyclePolicyText"]
    assert json.loads(previewed) == json.loads(keep(23, days=True))
    assert client.get_lifecycle_policy(repositoryName=REPOSITORY)["lifecyclePolicyText"] == keep(30, days=True)


@needs_archives
@both_modes
@pytest.mark.parametrize(
    ("policy", "fate"),
    [
        (keep(7, days=True), "expires by rule 4"),
        (keep(1), "expires by rule 4"),
        (keep(1, action="transition"), "goes to the archive by rule 4"),
    ],
    ids=["by time", "by count", "to the archive"],
)
def test_an_image_that_will_not_stay_fails_the_task_without_retries(
    ecr: EcrEmulator,
    build: Build,
    have: Any,
    capfd: pytest.CaptureFixture[str],
    policy: str,
    fate: str,
    *,
    deferrable: bool,
) -> None:
    have(policy)
    image = build("old", "build-42")
    build("new", "build-43")
    result = run(deferrable=deferrable, days_ahead=7, retries=3)
    assert result.state("wait") == "failed"
    report = result.xcom("wait")
    assert (report["imageDigest"], report["outcome"]) == (image.digest, "failed")
    assert [each["imageDigest"] for each in report["previewResults"]] == [image.digest]
    told = f"{REPOSITORY}@{image.digest} will not stay within 7 days and 0 pushes: :build-42@{image.digest} {fate}"
    assert told in log(capfd)
    assert ecr.calls.count(START) == 1


def test_by_default_it_looks_a_week_and_ten_pushes_ahead(build: Build, have: Any) -> None:
    build("new", "build-42")
    for text, state in {
        keep(7, days=True): "failed",
        keep(8, days=True): "success",
        keep(10): "failed",
        keep(11): "success",
    }.items():
        have(text)
        made = run_task(
            lambda: EcrImageLifecycleSensor(
                task_id="wait", repository_name=REPOSITORY, image_tag="build-42", poke_interval=0.1, timeout=20
            )
        )
        assert made.state("wait") == state


# --- The image to go back to -----------------------------------------------------------------------------------------


@both_modes
def test_the_image_to_go_back_to_has_to_stay_too(
    build: Build, have: Any, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    have(keep(1, "untagged"))
    old, new = build("old"), build("new", "build-42")
    build("other")
    assert run(deferrable=deferrable).state("wait") == "success"
    assert run(deferrable=deferrable, rollback_image_digest=old.digest).xcom("wait", "imageDigest") == new.digest
    assert f"@{old.digest} expires by rule 4" in log(capfd)


@pytest.mark.parametrize(
    ("rollback", "is_native"),
    [("", False), ("{{ ' ' }}", False), ("{{ params.nothing }}", False), ("{{ none }}", True)],
)
def test_a_first_release_has_nothing_to_go_back_to(build: Build, rollback: str, is_native: bool) -> None:
    build("new", "build-42")
    result = run({"render_template_as_native_obj": is_native}, rollback_image_digest=rollback, params={"nothing": None})
    assert result.state("wait") == "success"


@pytest.mark.parametrize("is_first", [False, True])
def test_what_a_release_replaced_is_what_to_go_back_to(
    build: Build, have: Any, capfd: pytest.CaptureFixture[str], is_first: bool
) -> None:
    have(keep(1, "untagged"))
    old = build("old", "v1" if is_first else "prod")
    build("other")
    build("new", "build-42")
    with DAG("released", schedule=None) as dag:
        release = EcrPutImageOperator(
            task_id="release", repository_name=REPOSITORY, source_image_tag="build-42", image_tags=["prod"]
        )
        sensor(rollback_image_digest=release.output["previousImageDigest"])  # type: ignore[index]  # not in its stub
    assert run_dag(dag).state("wait") == ("success" if is_first else "failed")
    assert (f"@{old.digest} expires by rule 4" in log(capfd)) is not is_first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rollback_image_digest": str(Digest.of(b"gone"))}, f"{REPOSITORY}@{Digest.of(b'gone')}"),
        ({"rollback_image_digest": "build-42"}, "rollback_image_digest: "),
        ({"pushes_ahead": "{{ 'many' }}"}, "pushes_ahead"),
        ({"days_ahead": "{{ none }}"}, "days_ahead"),
        ({"image_tag": "build-43"}, f"{REPOSITORY}:build-43"),
    ],
    ids=str,
)
def test_what_cannot_be_fails_at_once(
    ecr: EcrEmulator,
    build: Build,
    have: Any,
    capfd: pytest.CaptureFixture[str],
    arguments: dict[str, Any],
    words: str,
) -> None:
    have(keep(1))
    build("new", "build-42")
    assert run(retries=3, **arguments).state("wait") == "failed"
    assert words in log(capfd)
    assert START not in ecr.calls


@pytest.mark.parametrize("is_native", [False, True])
def test_how_far_to_look_may_be_rendered(build: Build, have: Any, is_native: bool) -> None:
    have(keep(7, days=True))
    build("new", "build-42")
    ahead: dict[str, Any] = {"days_ahead": "{{ params.days }}", "pushes_ahead": "{{ 3 }}"}
    for days, state in {6: "success", 7: "failed"}.items():
        result = run({"render_template_as_native_obj": is_native}, params={"days": days}, **ahead)
        assert result.state("wait") == state


@needs_archives
@both_modes
def test_an_image_that_is_archived_fails_at_once(
    ecr: EcrEmulator, client: ECRClient, build: Build, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    image = build("new", "build-42", platforms=["linux/amd64"])
    ids: Any = {"repositoryName": REPOSITORY, "imageId": {"imageDigest": image.digest}}
    client.update_image_storage_class(**ids, targetStorageClass="ARCHIVE")
    assert run(deferrable=deferrable, retries=3).state("wait") == "failed"
    assert "is ARCHIVED" in log(capfd)
    assert START not in ecr.calls


# --- While it waits --------------------------------------------------------------------------------------------------


@both_modes
def test_somebody_else_s_previews_are_waited_for(
    ecr: EcrEmulator, client: ECRClient, build: Build, have: Any, *, deferrable: bool
) -> None:
    have(keep(5))
    image = build("new", "build-42")
    other: Any = {"repositoryName": REPOSITORY, "lifecyclePolicyText": keep(1, days=True)}
    client.start_lifecycle_policy_preview(**other)

    def come_between() -> None:
        ecr.advance(1)
        client.start_lifecycle_policy_preview(**other)

    ecr.faults.before(LOOK, come_between)
    result = run(deferrable=deferrable)
    assert (result.xcom("wait", "imageDigest"), result.xcom("wait", "outcome")) == (image.digest, "passed")
    assert ecr.calls.count(START) > 3


@both_modes
@pytest.mark.parametrize("status", ["EXPIRED", "FAILED"])
def test_a_preview_that_comes_to_nothing_is_started_again(
    ecr: EcrEmulator, build: Build, have: Any, status: str, *, deferrable: bool
) -> None:
    have(keep(5))
    build("new", "build-42")
    ecr.faults.corrupt(LOOK, lambda answer: answer | {"status": status})
    ecr.faults.fail(LOOK, "LifecyclePolicyPreviewNotFoundException")
    assert run(deferrable=deferrable).state("wait") == "success"
    assert ecr.calls.count(START) > 1


@both_modes
def test_a_tag_that_moves_while_it_waits_does_not_change_the_image(
    ecr: EcrEmulator, build: Build, have: Any, *, deferrable: bool
) -> None:
    have(keep(1, "untagged"))
    image = build("old", "build-42")
    build("other")
    ecr.faults.after(START, lambda: build("newer", "build-42"))
    result = run(deferrable=deferrable)
    assert result.state("wait") == "failed"  # it is untagged now, and older than another one
    assert result.xcom("wait", "imageDigest") == image.digest


@both_modes
def test_the_policy_of_the_end_counts(ecr: EcrEmulator, build: Build, have: Any, *, deferrable: bool) -> None:
    have(keep(5))
    build("old", "build-42")
    build("new", "build-43")
    ecr.faults.after(START, lambda: have(keep(1)))
    assert run(deferrable=deferrable).state("wait") == "failed"


@both_modes
def test_an_image_that_is_deleted_while_it_waits_fails_the_task(
    ecr: EcrEmulator, client: ECRClient, build: Build, have: Any, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    have(keep(5))
    old, _ = build("old"), build("new", "build-42")
    ids: Any = [{"imageDigest": old.digest}]
    ecr.faults.after(START, lambda: client.batch_delete_image(repositoryName=REPOSITORY, imageIds=ids))
    assert run(deferrable=deferrable, rollback_image_digest=old.digest, retries=3).state("wait") == "failed"
    assert not LOGS_FAILURES or f"{REPOSITORY}@{old.digest} " in log(capfd)


@pytest.mark.parametrize(("operation", "deferrable"), [("GetLifecyclePolicy", False), (START, False), (LOOK, True)])
def test_throttling_is_waited_out_and_a_refusal_is_not(
    ecr: EcrEmulator, build: Build, have: Any, operation: str, deferrable: bool
) -> None:
    have(keep(5))
    build("new", "build-42")
    ecr.faults.fail(operation, times=3)
    assert run(deferrable=deferrable).state("wait") == "success"
    ecr.faults.fail(operation, "AccessDeniedException")
    before = len(ecr.calls)
    assert run(deferrable=deferrable, retries=3).state("wait") == "failed"
    assert ecr.calls[before:].count(operation) == 1


def test_it_does_not_forget_between_two_looks() -> None:
    with pytest.raises(InvalidInputError, match="forgets between two looks"):
        sensor(mode="reschedule")
