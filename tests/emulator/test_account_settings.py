"""Account settings, and the principals whose pulls do not count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from emulator_calls import OTHER, refused
from local_ecr import needs

from ecr_provider.emulator import EcrEmulator

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ROLE = "arn:aws:iam::123456789012:role/scanner"
USER = "arn:aws:iam::123456789012:user/ops/ann"

needs_exclusions = needs("RegisterPullTimeUpdateExclusion")


# --- Settings ---


@pytest.mark.parametrize(
    ("name", "value"),
    [("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE"), ("BLOB_MOUNTING", "DISABLED"), ("REGISTRY_POLICY_SCOPE", "V2")],
)
def test_what_counts_while_nothing_is_put(client: ECRClient, name: str, value: str) -> None:
    answer = client.get_account_setting(name=name)
    assert (answer["name"], answer["value"]) == (name, value)


def test_a_setting_is_of_an_account_and_a_region(ecr: EcrEmulator, client: ECRClient) -> None:
    put = client.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    assert (put["name"], put["value"]) == ("BLOB_MOUNTING", "ENABLED")
    others = (client, ecr.client(account_id=OTHER), ecr.client("eu-west-1"))
    values = [other.get_account_setting(name="BLOB_MOUNTING")["value"] for other in others]
    assert values == ["ENABLED", "DISABLED", "DISABLED"]
    client.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    assert client.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLOB_MOUNTING", "YES"),
        ("BASIC_SCAN_TYPE_VERSION", "CLAIR"),  # gone since February 2026
        ("REGISTRY_POLICY_SCOPE", "V1"),
        ("COLOUR", "BLUE"),
    ],
)
def test_what_cannot_be_set(client: ECRClient, name: str, value: str) -> None:
    with refused("InvalidParameterException"):
        client.put_account_setting(name=name, value=value)


def test_a_setting_that_there_is_not(client: ECRClient) -> None:
    with refused("InvalidParameterException"):
        client.get_account_setting(name="COLOUR")


# --- Pull-time update exclusions ---


@needs_exclusions
def test_exclusions_come_and_go(ecr: EcrEmulator, client: ECRClient) -> None:
    assert client.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []
    made = client.register_pull_time_update_exclusion(principalArn=ROLE)
    assert (made["principalArn"], "createdAt" in made) == (ROLE, True)
    with refused("ExclusionAlreadyExistsException"):
        client.register_pull_time_update_exclusion(principalArn=ROLE)
    assert client.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == [ROLE]
    assert ecr.client("eu-west-1").list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []
    assert client.deregister_pull_time_update_exclusion(principalArn=ROLE)["principalArn"] == ROLE
    with refused("ExclusionNotFoundException"):
        client.deregister_pull_time_update_exclusion(principalArn=ROLE)


@needs_exclusions
def test_exclusions_in_pages(client: ECRClient) -> None:
    for principal in (USER, ROLE):
        client.register_pull_time_update_exclusion(principalArn=principal)
    first = client.list_pull_time_update_exclusions(maxResults=1)
    second = client.list_pull_time_update_exclusions(maxResults=1, nextToken=first["nextToken"])
    assert first["pullTimeUpdateExclusions"] + second["pullTimeUpdateExclusions"] == [ROLE, USER]
    assert "nextToken" not in second
    with refused("InvalidParameterException"):
        client.list_pull_time_update_exclusions(nextToken="mine")


@needs_exclusions
def test_exclusions_have_a_quota(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.limits.pull_time_update_exclusions = 1
    client.register_pull_time_update_exclusion(principalArn=ROLE)
    with refused("LimitExceededException"):
        client.register_pull_time_update_exclusion(principalArn=USER)


@needs_exclusions
def test_only_principals_can_be_excluded(client: ECRClient) -> None:
    with refused("InvalidParameterException"):
        client.register_pull_time_update_exclusion(principalArn="arn:aws:iam::123456789012:root")
