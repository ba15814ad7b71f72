"""The trigger behind the sensors."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent
from local_ecr import REPOSITORY, connection

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.triggers import hooks as module
from ecr_provider.triggers.gate import EcrGateTrigger

Build = Callable[..., SampleImage]

pytestmark = pytest.mark.usefixtures("aws_default")


def trigger(**arguments: Any) -> EcrGateTrigger:
    hook = {"aws_conn_id": "aws_default", "region_name": None, "verify": None, "config": None}
    defaults: dict[str, Any] = {
        "gate": "image",
        "arguments": {"image_tag": "prod"},
        "hook": hook,
        "repository_name": REPOSITORY,
        "poke_interval": 0.05,
    }
    return EcrGateTrigger(**(defaults | arguments))


async def event_of(one: EcrGateTrigger) -> TriggerEvent:
    return await anext(one.run())


def run(one: EcrGateTrigger) -> Any:
    return asyncio.run(event_of(one)).payload


def again(one: EcrGateTrigger) -> EcrGateTrigger:
    """What a triggerer that restarted makes of it."""
    path, arguments = one.serialize()
    assert path == f"{EcrGateTrigger.__module__}.{EcrGateTrigger.__qualname__}"
    return EcrGateTrigger(**arguments)


def test_it_reports_the_image(build: Build) -> None:
    image = build("new", "prod")
    assert run(trigger())["look"]["report"]["imageDigest"] == image.digest


def test_it_survives_a_restart_and_remembers_when_the_wait_began(build: Build) -> None:
    first = trigger(started_at=time.time() - 100, registry_id="123456789012", poke_interval=7)
    second = again(first)
    assert second.serialize() == first.serialize()
    image = build("new", "prod")
    assert run(second)["look"]["report"]["imageDigest"] == image.digest


def test_it_only_ever_reads(ecr: EcrEmulator, build: Build) -> None:
    build("new", "prod")
    run(trigger(arguments={"image_tag": "prod", "platforms": ["linux/amd64"]}))
    assert set(ecr.calls) == {"DescribeImages", "BatchGetImage"}


def test_an_error_that_no_look_can_mend_is_an_event() -> None:
    assert "Create the repository" in run(trigger(repository_name="shop/nowhere"))["error"]


def test_a_missing_connection_is_an_event() -> None:
    hook = {"aws_conn_id": "nowhere", "region_name": None, "verify": None, "config": None}
    assert "'nowhere' does not exist" in run(trigger(hook=hook))["error"]


def test_waits_on_one_connection_share_one_client(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", connection(ecr))
    shop = {"aws_conn_id": "shop", "region_name": None, "verify": None, "config": None}

    async def both() -> int:
        waits = [asyncio.create_task(event_of(trigger(**extra))) for extra in ({}, {}, {"hook": shop}, {"hook": shop})]
        while len(ecr.calls) < 8:
            await asyncio.sleep(0.01)
        hooks = len(module._HOOKS)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return hooks

    assert asyncio.run(both()) == 2


def test_a_client_lives_no_longer_than_the_waits_that_use_it(build: Build) -> None:
    build("new", "prod")
    run(trigger())
    gc.collect()
    assert len(module._HOOKS) == 0


def test_the_loop_is_not_blocked_by_a_slow_answer(ecr: EcrEmulator, build: Build) -> None:
    build("new", "prod")
    asked, released, answered_because_released = threading.Event(), threading.Event(), []

    def hold() -> None:
        asked.set()
        answered_because_released.append(released.wait(20))

    ecr.faults.before("DescribeImages", hold)

    async def release_from_the_loop() -> None:
        wait = asyncio.create_task(event_of(trigger()))
        while not asked.is_set():
            await asyncio.sleep(0.01)
        released.set()
        await wait

    asyncio.run(release_from_the_loop())
    assert answered_because_released == [True]


def test_a_missing_connection_is_missing_for_the_second_wait_too(
    ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.endpoint_url)
    hook = {"aws_conn_id": "nowhere", "region_name": "us-east-1", "verify": None, "config": None}
    for _ in range(2):
        event = run(trigger(hook=hook))
        assert "'nowhere' does not exist" in event["error"]
        assert event["retryable"] is False
    assert ecr.calls == []


def test_another_account_is_asked_by_its_registry_id(build: Build) -> None:
    build("new", "prod")
    assert "999999999999" in run(trigger(registry_id="999999999999"))["error"]
