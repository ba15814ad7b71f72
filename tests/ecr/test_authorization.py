"""How to reach the registry end point of a repository."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from emulator_calls import ONCE
from local_ecr import ACCOUNT, REPOSITORY
from registry_client import RegistryClient

from ecr_provider.ecr.authorization import RegistryAccess, registry_access
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.exceptions import AccessDeniedError, ServiceFaultError

OTHER = "999999999999"
OF_AWS = "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"

Answer = dict[str, Any]


def with_member(name: str, value: object) -> Callable[[Answer], Answer]:
    """Change a member of the first authorization; ``None`` leaves it out."""

    def transform(answer: Answer) -> Answer:
        granted = {key: member for key, member in answer["authorizationData"][0].items() if key != name}
        return {"authorizationData": [granted if value is None else granted | {name: value}]}

    return transform


@pytest.fixture
def at_aws(ecr: EcrEmulator) -> None:
    """Have the local ECR answer where its registry is as AWS does."""
    ecr.faults.corrupt("GetAuthorizationToken", with_member("proxyEndpoint", OF_AWS), times=9)


# --- A local ECR -----------------------------------------------------------------------------------------------------


def test_a_local_registry_has_ecr_s_name_and_another_address(ecr: EcrEmulator, repository: EcrRepository) -> None:
    access = registry_access(repository)
    assert (access.registry_id, access.host) == (ACCOUNT, "123456789012.dkr.ecr.us-east-1.amazonaws.com")
    assert access.connect_to == ecr.endpoint_url
    assert ecr.calls == ["GetAuthorizationToken", "DescribeRegistry"]


def test_the_registry_lets_one_in_by_the_header(ecr: EcrEmulator, repository: EcrRepository) -> None:
    header = registry_access(repository).header
    with closing(RegistryClient(ecr.endpoint_url, header)) as registry:
        assert registry.ask("GET", "/v2/").status == 200
    assert base64.b64decode(header.removeprefix("Basic ")).startswith(b"AWS:")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
        ("cn-north-1", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("us-iso-east-1", "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov"),
    ],
)
def test_the_host_is_of_the_client_s_region(ecr: EcrEmulator, region: str, host: str) -> None:
    assert registry_access(EcrRepository(ecr.client(region), REPOSITORY)).host == host


# --- The account -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registry_id", "hint", "account"), [(OTHER, None, OTHER), (OTHER, ACCOUNT, OTHER), (None, OTHER, OTHER)]
)
def test_an_account_that_is_known_is_not_asked_for(
    ecr: EcrEmulator, registry_id: str | None, hint: str | None, account: str
) -> None:
    access = registry_access(EcrRepository(ecr.client(), REPOSITORY, registry_id), hint)
    assert access.registry_id == account
    assert access.host == f"{account}.dkr.ecr.us-east-1.amazonaws.com"
    assert ecr.calls == ["GetAuthorizationToken"]


def test_the_account_of_the_credentials_is_asked_for(ecr: EcrEmulator) -> None:
    access = registry_access(EcrRepository(ecr.client(account_id=OTHER), REPOSITORY))
    assert (access.registry_id, access.host) == (OTHER, f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com")


# --- AWS's own answer ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_aws")
def test_the_registry_of_aws_is_reached_by_its_name(ecr: EcrEmulator, repository: EcrRepository) -> None:
    access = registry_access(repository)
    assert (access.registry_id, access.host) == (ACCOUNT, OF_AWS.removeprefix("https://"))
    assert access.connect_to is None
    assert ecr.calls == ["GetAuthorizationToken"]


@pytest.mark.usefixtures("at_aws")
@pytest.mark.parametrize(("registry_id", "hint"), [(OTHER, None), (None, OTHER)])
def test_the_token_is_good_for_another_account_s_registry(
    ecr: EcrEmulator, registry_id: str | None, hint: str | None
) -> None:
    access = registry_access(EcrRepository(ecr.client(), REPOSITORY, registry_id), hint)
    assert (access.registry_id, access.host) == (OTHER, f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com")
    assert access.connect_to is None


# --- For how long ----------------------------------------------------------------------------------------------------


def test_a_new_token_is_good_for_about_twelve_hours(repository: EcrRepository) -> None:
    access = registry_access(repository)
    assert access.is_good
    assert timedelta(hours=11, minutes=59) < access.ends - datetime.now(UTC) <= timedelta(hours=12)


@pytest.mark.parametrize(("minutes", "good"), [(600, True), (16, True), (14, False), (0, False), (-600, False)])
def test_a_token_is_good_no_more_a_while_before_its_end(minutes: int, good: bool) -> None:
    for now in (datetime.now(UTC), datetime.now().astimezone()):
        access = RegistryAccess(ACCOUNT, "host", None, "Basic eA==", now + timedelta(minutes=minutes))
        assert access.is_good is good


def test_a_token_that_ended_is_not_good(repository: EcrRepository) -> None:
    access = registry_access(repository)
    assert not replace(access, ends=access.ends - timedelta(hours=12)).is_good


def test_the_header_is_never_shown(repository: EcrRepository) -> None:
    access = registry_access(repository)
    assert access.header.startswith("Basic ")
    assert access.header.removeprefix("Basic ") not in f"{access!r} {access}"
    assert "header" not in repr(access)


# --- Failures --------------------------------------------------------------------------------------------------------


def test_a_refusal_names_the_call(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.faults.fail("GetAuthorizationToken", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=rf"GetAuthorizationToken of {REPOSITORY} failed"):
        registry_access(repository)
    ecr.faults.fail("DescribeRegistry", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=rf"DescribeRegistry of {REPOSITORY} failed"):
        registry_access(repository)


@pytest.mark.parametrize(
    "transform",
    [
        lambda _: {},
        lambda _: {"authorizationData": None},
        lambda _: {"authorizationData": []},
        with_member("authorizationToken", None),
        with_member("expiresAt", None),
        with_member("proxyEndpoint", None),
    ],
)
def test_an_answer_of_another_shape_is_a_fault(ecr: EcrEmulator, transform: Callable[[Answer], Answer]) -> None:
    ecr.faults.corrupt("GetAuthorizationToken", transform)
    with pytest.raises(ServiceFaultError):
        registry_access(EcrRepository(ecr.client(config=ONCE), REPOSITORY))
