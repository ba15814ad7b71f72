"""Fixtures: a local ECR, an Airflow home, and real Airflow runs."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    from ecr_provider.ecr.repository import EcrRepository
    from ecr_provider.emulator import EcrEmulator
    from ecr_provider.emulator.samples import SampleImage
    from ecr_provider.hooks.ecr import EcrImageHook

ROOT = Path(__file__).parent.parent

# Airflow reads its configuration once, when it is first imported: before any test module is.
_home = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ |= {
    "AIRFLOW_HOME": _home.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "AWS_EC2_METADATA_DISABLED": "true",
    # The default of newer botocores, and fewer waits than that of older ones.
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "3",
}
for variable in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"):
    os.environ.pop(variable, None)

ACCOUNT = "123456789012"
REGION = "us-east-1"
REPOSITORY = "shop/web"


def _knows_archives() -> bool:
    from botocore.loaders import Loader

    return "UpdateImageStorageClass" in Loader().load_service_model("ecr", "service-2")["operations"]


needs_archives = pytest.mark.skipif(not _knows_archives(), reason="this botocore is older than archived images")


@pytest.fixture
def ecr() -> Iterator[EcrEmulator]:
    """A local ECR with an empty repository."""
    from ecr_provider.emulator import EcrEmulator

    with EcrEmulator() as emulator:
        emulator.client().create_repository(repositoryName=REPOSITORY)
        emulator.clear_requests()
        yield emulator


def connection(emulator: EcrEmulator, account_id: str = ACCOUNT, **extra: object) -> str:
    """An Airflow connection to the emulator, as the JSON that an environment variable takes."""
    return json.dumps(
        {
            "conn_type": "aws",
            "login": account_id,
            "password": "emulator",
            "extra": {"region_name": REGION, "endpoint_url": emulator.endpoint_url, **extra},
        }
    )


@pytest.fixture
def aws_default(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connection ``aws_default``, at the local ECR."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(ecr))
    yield
    # A wait that the garbage collector has not seen yet keeps its client, whose emulator is gone.
    if triggers := sys.modules.get("ecr_provider.triggers.image"):
        triggers._HOOKS.clear()


@pytest.fixture
def client(ecr: EcrEmulator) -> ECRClient:
    """A boto3 client at the local ECR."""
    return ecr.client()


@pytest.fixture
def build(ecr: EcrEmulator) -> Callable[..., SampleImage]:
    """Push an image whose one file holds the given name, under tags if any are given, and forget the requests."""
    from ecr_provider.emulator.samples import push, sample_image

    def push_build(name: str, *tags: str, repository_name: str = REPOSITORY, **image: Any) -> SampleImage:
        made = sample_image(files={"name": name.encode()}, **image)
        for tag in tags or (None,):
            push(ecr.client(), repository_name, made, tag)
        ecr.clear_requests()
        return made

    return push_build


@pytest.fixture
def points_at(client: ECRClient) -> Callable[[str], str | None]:
    """Tell which digest a tag points at, by the registry's own word."""

    def look(tag: str) -> str | None:
        images = client.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["images"]
        return images[0]["imageId"]["imageDigest"] if images else None

    return look


@pytest.fixture
def repository(client: ECRClient) -> EcrRepository:
    from ecr_provider.ecr.repository import EcrRepository

    return EcrRepository(client, REPOSITORY)


@pytest.fixture
def hook(aws_default: None) -> EcrImageHook:  # noqa: ARG001 - a fixture that needs another one's effect
    from ecr_provider.hooks.ecr import EcrImageHook

    return EcrImageHook()
