"""Fixtures for the tests of release DAGs: a local ECR, images in it, and Airflow's connection to it.

pytest finds them by itself where this package is installed. Until one is used, they cost nothing: what they need
is imported then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import pytest

from ecr_provider.emulator.registries import DEFAULT_ACCOUNT, DEFAULT_REGION

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


class PushImage:
    """Pushes small images into a local ECR: what the fixture ``ecr_image`` is."""

    def __init__(self, ecr_emulator: EcrEmulator) -> None:
        self._ecr_emulator = ecr_emulator

    def __call__(
        self,
        repository_name: str,
        tag: str | None = None,
        *,
        region_name: str = DEFAULT_REGION,
        account_id: str = DEFAULT_ACCOUNT,
        platforms: Iterable[str] = ("linux/amd64", "linux/arm64"),
        files: Mapping[str, bytes] | None = None,
        media_types: Literal["oci", "docker"] = "oci",
        annotations: Mapping[str, str] | None = None,
    ) -> SampleImage:
        """Make the repository if there is none, push an image into it, and forget the requests so far.

        The image is what ``samples.sample_image`` makes of ``platforms``, ``files``, ``media_types`` and
        ``annotations``. Without ``files`` its contents are its name and tag, so that two tags are two images.
        """
        from ecr_provider.emulator.samples import push, sample_image  # noqa: PLC0415 - see above

        contents = {"name": f"{repository_name}:{tag}".encode()} if files is None else files
        image = sample_image(platforms, contents, media_types, annotations)
        client = self._ecr_emulator.client(region_name, account_id)
        with suppress(client.exceptions.RepositoryAlreadyExistsException):
            client.create_repository(repositoryName=repository_name)
        push(client, repository_name, image, tag)
        self._ecr_emulator.clear_requests()
        return image


@pytest.fixture
def ecr_image(ecr_emulator: EcrEmulator) -> PushImage:
    """Push images into the local ECR.

    ::

        def test_release(ecr_image):
            build = ecr_image("shop/web", tag="build-42")
            assert build.digest.startswith("sha256:")

    What it takes is in ``PushImage``. Afterwards the requests so far are forgotten: the emulator then has those of
    what is tested.
    """
    return PushImage(ecr_emulator)
