"""The registry's HTTP API as the default account's client sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from registry_client import RegistryClient

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, sample_image


@pytest.fixture
def registry(ecr: EcrEmulator) -> Iterator[RegistryClient]:
    """A client of the default account."""
    client = RegistryClient.of(ecr)
    yield client
    client.close()


@pytest.fixture
def image(ecr: EcrEmulator, registry: RegistryClient, web: str) -> SampleImage:
    """A two-platform image, pushed to "shop/web" as "v1"."""
    made = sample_image()
    registry.push(web, made, "v1")
    ecr.clear_requests()
    return made
