"""Fixtures for the tests of release DAGs: a local ECR, images in it, and Airflow's connection to it.

pytest finds them by itself where this package is installed. Until one is used, they cost nothing: what they need
is imported then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ecr_provider.emulator import EcrEmulator
    from ecr_provider.emulator.samples import SampleImage


@pytest.fixture
def ecr_emulator() -> Iterator[EcrEmulator]:
    """Run a local ECR of the test's own, with nothing in it."""
    from ecr_provider.emulator import EcrEmulator  # noqa: PLC0415 - see above

    with EcrEmulator() as emulator:
        yield emulator


@pytest.fixture
def ecr_connection(ecr_emulator: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make Airflow's connection ``aws_default`` lead to the local ECR; return its URI."""
    uri = ecr_emulator.airflow_connection_uri()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", uri)
    return uri


@pytest.fixture
def ecr_image(ecr_emulator: EcrEmulator) -> Callable[..., SampleImage]:
    """Push images into the local ECR.

    ::

        def test_release(ecr_image):
            build = ecr_image("shop/web", tag="build-42")
            assert build.digest.startswith("sha256:")

    ``ecr_image(repository_name, tag=None, account_id=…, region_name=…, **image)`` makes the repository if there is
    none, and pushes a small image: of the ``platforms``, ``files``, ``media_types`` and ``annotations`` of
    ``samples.sample_image``. Without ``files`` its contents are its name and tag, so that two tags are two images.
    Afterwards the requests so far are forgotten: the emulator then has those of what is tested.
    """
    from ecr_provider.emulator.samples import push, sample_image  # noqa: PLC0415 - see above

    def push_image(
        repository_name: str,
        tag: str | None = None,
        *,
        account_id: str = "123456789012",
        region_name: str = "us-east-1",
        **image: Any,
    ) -> SampleImage:
        image.setdefault("files", {"name": f"{repository_name}:{tag}".encode()})
        made = sample_image(**image)
        client = ecr_emulator.client(region_name, account_id)
        with suppress(client.exceptions.RepositoryAlreadyExistsException):
            client.create_repository(repositoryName=repository_name)
        push(client, repository_name, made, tag)
        ecr_emulator.clear_requests()
        return made

    return push_image
