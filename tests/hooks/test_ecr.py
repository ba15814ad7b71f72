from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.ecr import EcrHook
from local_ecr import REPOSITORY, connection

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import (
    ConnectionNotFoundError,
    ImageNotFoundError,
    InvalidInputError,
    InvalidRequestError,
    RepositoryNotFoundError,
)
from ecr_provider.hooks.ecr import EcrImageHook
from ecr_provider.oci import parse_manifest

Build = Callable[..., SampleImage]


def test_an_image_is_read_put_and_described(hook: EcrImageHook, build: Build) -> None:
    image = build("new", "build-42")
    manifest = hook.get_image(REPOSITORY, image_tag="build-42")
    assert (manifest.text, str(manifest.digest)) == (image.text, image.digest)
    put = hook.put_image(REPOSITORY, manifest, image_tag="prod")
    assert (str(put.digest), put.tag) == (image.digest, "prod")
    detail = hook.describe_image(REPOSITORY, image_digest=image.digest)
    assert set(detail.tags) == {"build-42", "prod"}


def test_a_manifest_is_put_by_digest_alone(hook: EcrImageHook, build: Build) -> None:
    manifest = parse_manifest(build("new").text + "\n")
    hook.put_image(REPOSITORY, manifest)
    assert hook.get_image(REPOSITORY, image_digest=str(manifest.digest)).text == manifest.text


def test_a_missing_image_is_an_error(hook: EcrImageHook) -> None:
    with pytest.raises(ImageNotFoundError):
        hook.get_image(REPOSITORY, image_tag="build-42")


def test_an_image_has_to_be_named(hook: EcrImageHook) -> None:
    with pytest.raises(InvalidInputError):
        hook.describe_image(REPOSITORY)


def test_a_connection_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConnectionNotFoundError, match="'prod_account' does not exist"):
        EcrImageHook("prod_account").repository(REPOSITORY)


@pytest.mark.parametrize("conn_id", ["aws_default", None])
def test_only_the_default_connection_falls_back_to_the_workers_credentials(
    ecr: EcrEmulator, build: Build, monkeypatch: pytest.MonkeyPatch, conn_id: str | None
) -> None:
    image = build("new", "build-42")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    hook = EcrImageHook(conn_id, region_name="us-east-1")
    assert str(hook.get_image(REPOSITORY, image_tag="build-42").digest) == image.digest


def test_a_connection_without_a_region_says_what_to_do(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", connection(ecr, region_name=None))
    with pytest.raises(InvalidRequestError, match="Give region_name"):
        EcrImageHook("shop").repository(REPOSITORY)


def test_the_arguments_of_the_amazon_provider_are_honoured(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", connection(ecr))
    hook = EcrImageHook("shop", region_name="eu-west-1", verify=False, config={"connect_timeout": 7})
    assert hook.client.meta.region_name == "eu-west-1"
    assert vars(hook.config)["connect_timeout"] == 7
    assert hook.verify is False


def test_a_missing_connection_stays_missing_however_often_the_hook_is_used(
    ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    hook = EcrImageHook("prod_account", region_name="us-east-1")
    for _ in range(2):
        with pytest.raises(ConnectionNotFoundError):
            hook.repository(REPOSITORY)


def test_an_unknown_botocore_setting_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"botocore_config: .*retires"):
        EcrImageHook(config={"retires": 3})


def test_another_account_is_asked_by_its_registry_id(hook: EcrImageHook, build: Build) -> None:
    manifest = parse_manifest(build("new", "build-42").text)
    for call in (
        lambda: hook.get_image(REPOSITORY, image_tag="build-42", registry_id="999999999999"),
        lambda: hook.put_image(REPOSITORY, manifest, registry_id="999999999999"),
        lambda: hook.describe_image(REPOSITORY, image_tag="build-42", registry_id="999999999999"),
    ):
        with pytest.raises(RepositoryNotFoundError, match="999999999999"):
            call()


def user_agent(hook: EcrHook) -> str:
    config: Any = hook.conn_client_meta.config
    return str(config.user_agent_extra)


class Promotion:
    """Something that has a client made, as an operator does."""

    def execute(self, hook: EcrHook) -> str:
        return user_agent(hook)


def test_the_user_agent_names_the_operator_as_the_amazon_provider_does(
    hook: EcrImageHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Promotion().execute(EcrHook())
    monkeypatch.delattr(inspect, "stack")  # which is what makes theirs slow
    assert Promotion().execute(hook) == theirs
    assert " Caller/Promotion " in theirs


def test_the_user_agent_says_that_it_does_not_know_who_calls(hook: EcrImageHook) -> None:
    assert " Caller/Unknown " in user_agent(hook)
