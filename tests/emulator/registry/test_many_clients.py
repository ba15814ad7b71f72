"""Many clients of the registry's API at once, and of both APIs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from emulator_calls import put, version
from registry_client import RegistryClient, digest_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def test_sixty_four_clients_push_and_pull(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    images = [sample_image(files={"name": f"{number}".encode() * 1000}) for number in range(64)]
    registries = [RegistryClient.of(ecr) for _ in images]
    ready = threading.Barrier(len(images))

    def work(number: int) -> None:
        registry, others = registries[number], images[number - 1]
        ready.wait(timeout=30)
        registry.push(web, images[number], f"v{number}")
        pull(registry, images[number])
        ready.wait(timeout=60)
        pull(registry, others)
        manifest = registry.ask("GET", f"/v2/{web}/manifests/v{(number - 1) % 64}", Accept=others.media_type)
        assert (manifest.body.decode(), manifest.headers["Docker-Content-Digest"]) == (others.text, others.digest)
        registry.close()

    def pull(registry: RegistryClient, image: SampleImage) -> None:
        for digest, blob in image.blobs.items():
            read = registry.download(web, digest)
            assert (digest_of(read), read) == (digest, blob)

    with ThreadPoolExecutor(len(images)) as pool:
        list(pool.map(work, range(len(images))))
    pages = client.get_paginator("list_images").paginate(repositoryName=web, filter={"tagStatus": "TAGGED"})
    tags = {image_id["imageTag"]: image_id["imageDigest"] for page in pages for image_id in page["imageIds"]}
    assert tags == {f"v{number}": image.digest for number, image in enumerate(images)}


def test_one_tag_by_both_apis(client: ECRClient, registry: RegistryClient, web: str) -> None:
    """No image is lost, and a write that began after the other one was acknowledged has the tag."""
    push(client, web, version("base"), "base")
    written: list[str] = []

    def timed(write: Callable[[], object]) -> tuple[float, float]:
        begun = time.monotonic()
        write()
        return begun, time.monotonic()

    def by_call(name: str) -> tuple[float, float]:
        return timed(lambda: put(client, web, version(name), imageTag="prod"))

    def by_registry(name: str) -> tuple[float, float]:
        def write() -> None:
            assert registry.put(web, version(name).manifest, "prod").status == 201

        return timed(write)

    with ThreadPoolExecutor(2) as pool:
        for turn in range(45):
            ways = [(by_call, f"call-{turn}"), (by_registry, f"registry-{turn}")][:: -1 if turn % 2 else 1]
            under_way = []
            for way, name in ways:
                under_way.append(pool.submit(way, name))
                if turn % 3 == 0:
                    under_way[-1].result()  # one after the other
            times = [each.result() for each in under_way]
            digests = [version(name).digest for _, name in ways]
            written += digests
            (tagged,) = client.batch_get_image(repositoryName=web, imageIds=[{"imageTag": "prod"}])["images"]
            last = max(begun for begun, _ in times)
            may_have_it = [digest for digest, (_, ended) in zip(digests, times, strict=True) if ended >= last]
            assert tagged["imageId"]["imageDigest"] in may_have_it
            assert len(may_have_it) == 1 or turn % 3
    shown = client.describe_images(repositoryName=web, imageIds=[{"imageDigest": digest} for digest in written])
    assert {image["imageDigest"] for image in shown["imageDetails"]} == set(written)
    assert [image["imageDigest"] for image in shown["imageDetails"] if "prod" in image.get("imageTags", [])] == [
        tagged["imageId"]["imageDigest"]
    ]
