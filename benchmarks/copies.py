"""Copies to measure: what there is to copy, from where to where, and what one copy took."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from benchmarks.certificate import make_certificate
from benchmarks.clients import Client, Image
from benchmarks.cost import Cost, cost_of
from benchmarks.images import Repository, Store, write_image, write_index, write_referrers
from benchmarks.link import Line, slow
from benchmarks.registries import REPOSITORY, Registry, docker_registry, ecr_client, local_ecr

SIZES: Final = (250, 500, 1_000, 2_000)  # MB
LAYERS: Final = (10, 20, 40, 80)
PLATFORMS: Final = "platforms"
SIGNED: Final = "signed"

_PARTS: Final = (0.45, 0.2, 0.15, 0.1, 0.06, 0.04)  # of an image's size, each a layer
_PLATFORM: Final = (30_000_000, 12_000_000)  # bytes
_ROUND_TRIP: Final = 0.02  # seconds
_FAR: Final = Line(_ROUND_TRIP / 2, each=10e6)  # slow enough that two cores are not what limits
_NEAR: Final = Line(_ROUND_TRIP / 2, total=200e6)


class Way(Enum):
    """From where to where."""

    RETAG = auto()
    """In one repository."""
    REPOSITORY = auto()
    """To another repository of the same registry."""
    REGISTRY = auto()
    """To another registry."""
    AGAIN = auto()
    """To another registry, where it is already."""
    TLS = auto()
    """To another registry, by TLS from and to."""
    LINE = auto()
    """To another registry, with a slow line to either: each connection to the source is limited."""
    ECR = auto()
    """To the local ECR."""


@dataclass(frozen=True, slots=True)
class Run:
    """One copy.

    :param cost: what the client took.
    :param requests: how many requests the registries got.
    :param moved: the bytes that the source wrote and the target read; none, if that cannot be said.
    :param servers: processor time of the registries, in seconds.
    """

    cost: Cost
    requests: int
    moved: int
    servers: float


@dataclass(frozen=True, slots=True)
class Site:
    """What there is to copy.

    :param directory: a place for data.
    :param source: the registry that has it.
    :param secured: the same, by TLS.
    :param digests: the images' digests by their tags.
    """

    directory: Path
    source: Registry
    secured: Registry
    digests: Mapping[str, str]

    def copy(self, client: Client, tag: str, way: Way, number: int) -> Run:
        """Copy an image, and verify what is there then.

        :param number: one that is used once.
        """
        with self._ends(tag, way, f"{client.name}-{number}") as (source, target):
            if way is Way.AGAIN:
                self._run(client, source, target)
            return self._run(client, source, target)

    @property
    def _bytecode(self) -> dict[str, str]:
        """As where it is deployed, everything is compiled, also in a checkout that is kept free of bytecode."""
        return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.directory / "bytecode")}

    def _run(self, client: Client, source: Image, target: Image) -> Run:
        before = _counted(source.registry, target.registry)
        with tempfile.TemporaryDirectory(prefix="ecr-bench-") as home:
            environment = client.environment(Path(home), source, target) | self._bytecode
            cost = cost_of(client.command(source, target), environment)
        after = _counted(source.registry, target.registry)
        if _digest_of(target) != self.digests[source.tag]:
            raise RuntimeError(f"{client.name} made another image of {source.reference}")
        requests, moved, servers = (now - then for now, then in zip(after, before, strict=True))
        return Run(cost, int(requests), int(moved), servers)

    @contextmanager
    def _ends(self, tag: str, way: Way, name: str) -> Iterator[tuple[Image, Image]]:
        source = self.secured if way is Way.TLS else self.source
        with ExitStack() as stack:
            match way:
                case Way.RETAG:
                    target = Image(source, source.host, REPOSITORY, name)
                case Way.REPOSITORY:
                    target = Image(source, source.host, f"shop/{name}", tag)
                case Way.ECR:
                    ecr = stack.enter_context(local_ecr(self.directory / "target"))
                    target = Image(ecr, ecr.host, REPOSITORY, tag)
                case _:
                    empty = stack.enter_context(docker_registry(self.directory / "target", source.certificate))
                    host = stack.enter_context(slow(empty.host, _NEAR)) if way is Way.LINE else empty.host
                    target = Image(empty, host, REPOSITORY, tag)
            host = stack.enter_context(slow(source.host, _FAR)) if way is Way.LINE else source.host
            yield Image(source, host, REPOSITORY, tag), target


def _counted(source: Registry, target: Registry) -> tuple[int, int, float]:
    """Return what two registries have done so far: requests, bytes on their way, processor time."""
    both = [source] if source is target else [source, target]
    is_known = len(both) > 1 and not target.is_ecr
    moved = source.traffic()[1] + target.traffic()[0] if is_known else 0
    return sum(each.requests() for each in both), moved, sum(each.cpu() for each in both)


def _digest_of(image: Image) -> str:
    """Ask the registry itself what a tag points at."""
    if image.registry.is_ecr:
        client = ecr_client(image.registry.host)
        (found,) = client.batch_get_image(repositoryName=image.repository, imageIds=[{"imageTag": image.tag}])["images"]
        return found["imageId"]["imageDigest"]
    certificate = image.registry.certificate
    ca = certificate.path if certificate else None
    return Repository(image.registry.host, image.repository, ca).digest_of(image.tag)


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """Make the images, in a registry that is there twice: without TLS and with it."""
    certificate = make_certificate(directory / "certificate")
    storage = directory / "source"
    with docker_registry(storage) as plain, docker_registry(directory / "tls", certificate, storage) as secured:
        yield Site(directory, plain, secured, _write_images(Repository(plain.host, REPOSITORY)))


def _write_images(store: Store) -> dict[str, str]:
    images = {
        **{f"{size}MB": write_image(store, [int(size * 1e6 * part) for part in _PARTS], f"{size}MB") for size in SIZES},
        **{f"{count}-layers": write_image(store, _layers(count), f"{count}-layers") for count in LAYERS},
        SIGNED: write_image(store, _layers(4), SIGNED),
    }
    write_referrers(store, images[SIGNED], ("application/vnd.dev.sigstore.bundle.v0.3+json", "application/spdx+json"))
    platforms = [write_image(store, _PLATFORM, None, name) for name in ("amd64", "arm64", "s390x")]
    images[PLATFORMS] = write_index(store, platforms, PLATFORMS)
    return {tag: image["digest"] for tag, image in images.items()}


def _layers(count: int) -> list[int]:
    """Return the sizes of small layers, from 100 kB to 1 MB."""
    return [100_000 * (1 + number % 10) for number in range(count)]
