"""EcrNewestImageSensor, run by Airflow against the local ECR."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow_runs import log, run_dag
from local_ecr import ACCOUNT, REGION, REPOSITORY
from sensor_runs import Sensors, both_modes, once_called, reschedules

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.sensors.newest_image import EcrNewestImageSensor

Build = Callable[..., SampleImage]

pytestmark = pytest.mark.usefixtures("aws_default")
sensors = Sensors(EcrNewestImageSensor)
sensor, run = sensors.make, sensors.run
all_modes = pytest.mark.parametrize(
    "mode", [{}, {"deferrable": True}, pytest.param({"mode": "reschedule"}, marks=reschedules)], ids=str
)


@both_modes
def test_the_newest_that_is_there_is_found_at_once(ecr: EcrEmulator, build: Build, *, deferrable: bool) -> None:
    build("old", "1.9.0")
    image = build("new", "1.10.0", "latest")
    result = run(deferrable=deferrable)
    report = result.xcom("wait")
    assert (report["imageDigest"], report["imageTag"], report["outcome"]) == (image.digest, "1.10.0", "found")
    assert result.xcom("wait", "imageUri").endswith(f"@{image.digest}")
    assert ecr.calls == ["DescribeImages"] * 2


@all_modes
def test_a_tag_that_comes_later_is_waited_for(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], mode: dict[str, Any]
) -> None:
    build("rolling", "latest", "1")
    once_called(ecr, 2, lambda: build("new", "1.0.0"))
    result = run(**mode)
    assert result.state("wait") == "success"
    lines = log(capfd)
    waiting = rf"Look 1 after \d+ s: {REPOSITORY} waiting for a tag that counts; of 2 tags, 0 count"
    assert re.search(waiting, lines)
    assert re.search(r"Look [2-9] after \d+ s", lines)
    assert f"1.0.0 as its newest, at {result.xcom('wait', 'imageDigest')}; of 3 tags, 1 count" in lines


@all_modes
def test_a_newer_image_is_waited_for(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], mode: dict[str, Any]
) -> None:
    old = build("old", "1.0.0", "prod")
    build("older", "0.9.0")
    once_called(ecr, 4, lambda: build("new", "1.1.0"))
    result = run(only_if_newer_than="prod", **mode)
    assert (result.xcom("wait", "imageTag"), result.xcom("wait", "previousImageDigest")) == ("1.1.0", old.digest)
    assert "waiting for an image newer than prod; the newest is 1.0.0" in log(capfd)
    assert set(ecr.calls) == {"DescribeImages"}


@all_modes
def test_what_it_has_to_be_newer_than_may_move_meanwhile(ecr: EcrEmulator, build: Build, mode: dict[str, Any]) -> None:
    build("a", "1.0.0", "prod")

    def release_and_promote_by_hand() -> None:
        build("b", "1.1.0", "prod")
        ecr.clear_requests()
        once_called(ecr, 2, lambda: build("c", "1.2.0"))

    ecr.faults.before("DescribeImages", release_and_promote_by_hand, skip=5)
    result = run(only_if_newer_than="prod", **mode)
    assert result.xcom("wait", "imageTag") == "1.2.0"


@both_modes
def test_a_tie_fails_at_once(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    build("one", "1.0.0")
    build("other", "v1.0.0")
    assert run(deferrable=deferrable, retries=3).state("wait") == "failed"
    assert f"{REPOSITORY} has no one newest image: 1.0.0 at sha256:" in log(capfd)
    assert ecr.calls == ["DescribeImages"]


def test_a_tie_that_comes_while_the_triggerer_waits_fails_the_task(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    build("one", "1.0.0", "prod")
    build("two", "1.1.0-rc.1")

    def tie() -> None:
        build("three", "1.1.0")
        build("four", "v1.1.0")

    ecr.faults.before("DescribeImages", tie, skip=3)  # with the second look
    assert run(only_if_newer_than="prod", deferrable=True, retries=3).state("wait") == "failed"
    assert "has no one newest image" in log(capfd)


@both_modes
@pytest.mark.parametrize("how", ["soft_fail", "never_fail"])
def test_failing_softly_skips(build: Build, how: str, *, deferrable: bool) -> None:
    build("one", "1.0.0")
    build("other", "v1.0.0")
    softly: dict[str, Any] = {how: True}
    assert run(deferrable=deferrable, **softly).state("wait") == "skipped"


@both_modes
def test_arguments_are_rendered(build: Build, *, deferrable: bool) -> None:
    build("old", "web-1.0.0", "prod")
    build("new", "web-1.1.0")
    build("too new", "web-2.0.0")
    build("another", "api-1.9.0")
    result = run(
        {"params": {"order": "semver", "major": 1, "app": "web", "stage": "prod"}},
        order="{{ params.order }}",
        semver_range=">={{ params.major }},<{{ params.major + 1 }}",
        tag_pattern="{{ params.app }}-(.*)",
        only_if_newer_than="{{ params.stage }}",
        deferrable=deferrable,
    )
    assert result.xcom("wait", "imageTag") == "web-1.1.0"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"order": "newest"}, "order 'newest' is none of semver, numeric"),
        ({"order": "{{ none }}"}, "order was given, but rendered to None"),
        ({"semver_range": "latest"}, "semver_range 'latest' is not a range"),
        ({"semver_range": "{{ '1.2' }}"}, "semver_range 1.2 is not a range"),
        ({"semver_range": "{{ none }}"}, "semver_range was given, but rendered to None"),
        ({"semver_range": "{{ ' ' }}"}, "semver_range was given, but rendered to"),
        ({"order": "numeric", "semver_range": "<2"}, "go with order='semver', and order is 'numeric'"),
        ({"order": "pushed", "include_prereleases": True}, "go with order='semver', and order is 'pushed'"),
        ({"include_prereleases": "false"}, "include_prereleases"),
        ({"tag_pattern": "("}, "tag_pattern '(' is not a regular expression"),
        ({"tag_pattern": "{{ '7' }}"}, "tag_pattern is 7"),
        ({"tag_pattern": "{{ none }}"}, "tag_pattern was given, but rendered to None"),
        ({"only_if_newer_than": "{{ none }}"}, "only_if_newer_than was given, but rendered to None"),
        *(
            ({"only_if_newer_than": value}, "only_if_newer_than is a tag or a digest: ")
            for value in ("no good", "{{ '1.10' }}", "{{ ['prod'] }}", "shop/web:prod", "prod@sha256:short")
        ),
    ],
    ids=str,
)
def test_a_bad_argument_fails_the_task_at_once_and_is_named(
    ecr: EcrEmulator, capfd: pytest.CaptureFixture[str], arguments: dict[str, Any], words: str
) -> None:
    result = run({"render_template_as_native_obj": True}, retries=3, timeout=1, **arguments)
    assert (result.state("wait"), ecr.calls) == ("failed", [])
    assert words in log(capfd)


def test_a_newer_image_is_released_once(
    build: Build, capfd: pytest.CaptureFixture[str], points_at: Callable[[str], str | None]
) -> None:
    def release() -> str:
        with DAG("release", schedule=None) as dag:
            wait = sensor(only_if_newer_than="prod", timeout=0.2, soft_fail=True)
            EcrPutImageOperator(
                task_id="promote",
                repository_name=REPOSITORY,
                source_image_digest=wait.output["imageDigest"],  # type: ignore[index]  # not in its stub
                image_tag="prod",
                expected_current_digest="{{ ti.xcom_pull('wait', key='previousImageDigest') or '' }}",
            )
        return run_dag(dag).state("promote")

    for name in ("1.1.0", "1.2.0"):
        image = build(name, name)
        assert (release(), points_at("prod")) == ("success", image.digest)
    build("fix of what was", "1.1.1")
    assert (release(), points_at("prod")) == ("skipped", image.digest)
    assert "the newest is 1.2.0" in log(capfd)


def test_the_links_are_there(build: Build) -> None:
    image = build("new", "1.0.0")
    result = run()
    base = f"https://console.aws.amazon.com/ecr/repositories/private/{ACCOUNT}/{REPOSITORY}"
    assert result.xcom("wait", "_link_EcrRepositoryLink") == f"{base}?region={REGION}"
    assert result.xcom("wait", "_link_EcrImageLink") == f"{base}/_/image/{image.digest}/details?region={REGION}"


def test_nothing_that_counts_times_out(build: Build) -> None:
    build("rolling", "latest")
    assert run(timeout=0.3).state("wait") == "failed"
