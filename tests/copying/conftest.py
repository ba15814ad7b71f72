"""Two repositories of one local ECR, in two accounts and Regions: one has an image to copy, the other an old one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from copies import Side, SignedImage, signed_image

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact


@pytest.fixture
def ecr() -> Iterator[EcrEmulator]:
    """A local ECR."""
    with EcrEmulator() as emulator:
        yield emulator


@pytest.fixture
def source(ecr: EcrEmulator) -> Side:
    return Side.create(ecr, "team/web", "eu-west-1")


@pytest.fixture
def target(ecr: EcrEmulator) -> Side:
    return Side.create(ecr, "shop/web")


@pytest.fixture
def old(target: Side) -> str:
    """What the tag ``prod`` of the target points at."""
    return push(target.client, target.name, sample_artifact("text/plain", b"old"), "prod")


@pytest.fixture
def signed(ecr: EcrEmulator, source: Side, old: str) -> SignedImage:  # noqa: ARG001 - it is there before
    """A signed image of two platforms, as ``build-42`` of the source; nothing was called yet."""
    image = signed_image()
    image.push(source.client, source.name, "build-42")
    ecr.clear_requests()
    return image
