"""Fixtures: a local ECR, an Airflow home, and real Airflow runs."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from local_ecr import REPOSITORY, connection

from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    from ecr_provider.hooks.ecr import EcrImageHook

# Airflow reads its configuration once, when it is first imported: before any test module is.
_home = tempfile.mkdtemp(prefix="airflow-home-")
_no_dags = Path(_home, "dags")
_no_dags.mkdir()
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ |= {
    "AIRFLOW_HOME": _home,
    # dag.test() reads and stores all that is here, each time.
    "AIRFLOW__CORE__DAGS_FOLDER": str(_no_dags),
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


@pytest.fixture(scope="session", autouse=True)
def botocore_reads_its_files_once() -> Iterator[None]:
    """Share what botocore's sessions read. Each hook makes a session, and reading was a third of what a task took."""
    make, read = botocore.session.create_loader, defaultdict[str | None, dict[Any, Any]](dict)

    def create_loader(search_path: str | None = None) -> Any:
        loader: Any = make(search_path)
        loader._cache = read[search_path]
        return loader

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", create_loader)
        yield


@pytest.fixture
def ecr() -> Iterator[EcrEmulator]:
    """A local ECR with an empty repository."""
    with EcrEmulator() as emulator:
        emulator.client().create_repository(repositoryName=REPOSITORY)
        emulator.clear_requests()
        yield emulator


@pytest.fixture
def aws_default(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connection ``aws_default``, at the local ECR."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(ecr))
    yield
    # A wait that the garbage collector has not seen yet keeps its client, whose emulator is gone.
    if triggers := sys.modules.get("ecr_provider.triggers.hooks"):
        triggers._HOOKS.clear()


@pytest.fixture
def client(ecr: EcrEmulator) -> ECRClient:
    """A boto3 client at the local ECR."""
    return ecr.client()


@pytest.fixture
def build(ecr: EcrEmulator) -> Callable[..., SampleImage]:
    """Push an image whose one file holds the given name, under tags if any are given, and forget the requests."""

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
    return EcrRepository(client, REPOSITORY)


@pytest.fixture
def hook(aws_default: None) -> EcrImageHook:  # noqa: ARG001 - a fixture that needs another one's effect
    from ecr_provider.hooks.ecr import EcrImageHook

    return EcrImageHook()
