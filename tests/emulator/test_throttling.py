"""Request rates: off unless switched on, then AWS's, for each operation, account and Region."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from emulator_calls import ONCE

from ecr_provider.emulator import EcrEmulator, Limits, Switches
from ecr_provider.emulator.clock import Clock
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.samples import push, sample_image
from ecr_provider.emulator.throttling import Throttle

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


@pytest.fixture
def ecr() -> Iterator[EcrEmulator]:
    """An emulator whose clock stands still, and that throttles."""
    with EcrEmulator(clock=lambda: 1_000_000_000.0, switches=Switches(throttling=True)) as emulator:
        yield emulator


def allowed(client: ECRClient, most: int) -> int:
    """Count how many PutImages come through, one after the other."""
    for number in range(most):
        try:
            client.put_image(repositoryName="shop/web", imageManifest="{}")
        except client.exceptions.InvalidParameterException:
            continue
        except ClientError as error:
            return number if error.response["Error"]["Code"] == "ThrottlingException" else -1
    return most


def test_off_by_default() -> None:
    with EcrEmulator(clock=lambda: 1_000_000_000.0) as ecr:
        client = ecr.client(config=ONCE)
        client.create_repository(repositoryName="shop/web")
        assert allowed(client, 30) == 30


def test_ten_puts_a_second(ecr: EcrEmulator, web: str) -> None:
    client = ecr.client(config=ONCE)
    assert web
    assert allowed(client, 30) == 10
    with pytest.raises(ClientError) as caught:
        client.put_image(repositoryName="shop/web", imageManifest="{}")
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    ecr.advance(0.5)
    assert allowed(client, 30) == 5
    ecr.advance(3600)
    assert allowed(client, 30) == 10  # what was not used does not add up


def test_each_account_and_region_has_its_own(ecr: EcrEmulator) -> None:
    for account, region in (("123456789012", "us-east-1"), ("123456789012", "eu-west-1"), ("2" * 12, "us-east-1")):
        client = ecr.client(region, account, config=ONCE)
        client.create_repository(repositoryName="shop/web")
        assert allowed(client, 30) == 10


def test_calls_are_throttled_before_they_are_looked_at(ecr: EcrEmulator) -> None:
    client = ecr.client(config=ONCE)
    ecr.limits.calls_per_second["PutImage"] = 0
    with pytest.raises(ClientError, match="Rate exceeded"):
        client.put_image(repositoryName="UPPER!!", imageManifest="{}")
    (request,) = ecr.requests
    assert (request.operation, request.error_code, request.parameters) == ("PutImage", "ThrottlingException", {})


def test_rates_may_be_changed_and_switched_off_at_any_time(ecr: EcrEmulator, web: str) -> None:
    client = ecr.client(config=ONCE)
    assert web
    assert allowed(client, 30) == 10
    ecr.limits.calls_per_second["PutImage"] = 20
    ecr.advance(1)
    assert allowed(client, 30) == 20
    del ecr.limits.calls_per_second["PutImage"]
    assert allowed(client, 30) == 30
    ecr.limits.calls_per_second["PutImage"] = 1
    ecr.switches.throttling = False
    assert allowed(client, 30) == 30


def test_a_slow_rate_lets_one_call_through(ecr: EcrEmulator, web: str) -> None:
    client = ecr.client(config=ONCE)
    assert web
    ecr.limits.calls_per_second["PutImage"] = 0.1
    assert allowed(client, 5) == 1
    ecr.advance(9)
    assert allowed(client, 5) == 0
    ecr.advance(1.01)
    assert allowed(client, 5) == 1


def test_the_published_rates() -> None:
    assert Limits().calls_per_second == {
        "PutImage": 10,
        "InitiateLayerUpload": 100,
        "CompleteLayerUpload": 100,
        "UploadLayerPart": 500,
        "BatchCheckLayerAvailability": 1_000,
        "BatchGetImage": 2_000,
        "GetDownloadUrlForLayer": 3_000,
        "GetAuthorizationToken": 500,
    }
    Limits().calls_per_second["PutImage"] = 1
    assert Limits().calls_per_second["PutImage"] == 10


def test_boto3_comes_through_with_its_retries() -> None:
    """What is throttled is tried again, later: each refusal takes a second here, however busy the machine is."""

    def refusals() -> int:
        return [request.error_code for request in local.requests].count("ThrottlingException")

    limits = Limits(calls_per_second={"PutImage": 2})
    local = EcrEmulator(switches=Switches(throttling=True), limits=limits, clock=lambda: 1e9 + refusals())
    with local:
        client = local.client(config=Config(retries={"mode": "standard", "total_max_attempts": 10}))
        client.create_repository(repositoryName="shop/web")
        for number in range(5):
            push(
                client,
                "shop/web",
                sample_image(platforms=["linux/amd64"], annotations={"n": str(number)}),
                f"v{number}",
            )
        assert refusals() == 2


def test_many_at_once_get_no_more_than_one_after_the_other() -> None:
    throttle = Throttle(Clock(lambda: 0.0), Limits(), Switches(throttling=True))

    def admitted(_: int) -> bool:
        try:
            throttle.admit("UploadLayerPart", Registry("123456789012", "us-east-1"))
        except EcrError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(admitted, range(2000))) == 500


def test_a_clock_that_is_set_back_changes_nothing() -> None:
    now = [1000.0]
    throttle = Throttle(Clock(lambda: now[0]), Limits(calls_per_second={"PutImage": 1}), Switches(throttling=True))
    caller = Registry("123456789012", "us-east-1")
    throttle.admit("PutImage", caller)
    now[0] = 10.0
    with pytest.raises(EcrError, match="Rate exceeded"):
        throttle.admit("PutImage", caller)
    now[0] = 11.0
    throttle.admit("PutImage", caller)
