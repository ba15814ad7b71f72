"""A disk that is full: an error, and a store that is whole and goes on once there is room."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from emulator_calls import ONCE

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

REPOSITORY = "shop/web"
SIZE = 4 * 1024 * 1024  # bytes


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which is soon full."""
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", tmp_path],
        capture_output=True,
        check=False,
        text=True,
    )
    if mounted.returncode:
        assert "CI" not in os.environ, mounted.stderr
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["/bin/umount", tmp_path], check=True)


def fill(disk: Path) -> Path:
    """Use up all that is left, and return the file to be removed."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def built(number: int) -> SampleImage:
    return sample_image(("linux/amd64",), files={"build": str(number).encode() * 20_000})


def push_without_end(client: ECRClient, pushed: dict[str, SampleImage]) -> None:
    """Push one image after another, and note each that was acknowledged."""
    for number in itertools.count():
        push(client, REPOSITORY, built(number), f"v{number}")
        pushed[f"v{number}"] = built(number)


def assert_there(client: ECRClient, tags: dict[str, SampleImage]) -> None:
    """Require these tags and no others, each on its image, byte for byte."""
    listed = client.list_images(repositoryName=REPOSITORY)["imageIds"]
    assert {each["imageTag"]: each["imageDigest"] for each in listed} == {tag: tags[tag].digest for tag in tags}
    for tag, image in tags.items():
        (read,) = client.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["images"]
        assert read["imageManifest"] == image.text


def test_a_full_disk_is_an_error_and_nothing_is_half_done(small_disk: Path) -> None:
    kept: dict[str, SampleImage] = {}
    (small_disk / "ballast").write_bytes(bytes(SIZE // 4))
    with EcrEmulator(small_disk) as ecr:
        client = ecr.client(config=ONCE)
        client.create_repository(repositoryName=REPOSITORY)
        with pytest.raises(client.exceptions.ServerException, match=r"No space left on device|disk is full"):
            push_without_end(client, kept)
        assert kept
        (small_disk / "ballast").unlink()  # reading writes too: the time of the last pull
        assert_there(client, kept)
    with EcrEmulator(small_disk) as ecr:
        assert_there(ecr.client(), kept)


def test_an_upload_goes_on_where_it_was_acknowledged(small_disk: Path) -> None:
    image = built(1)
    ((digest, blob),) = [item for item in image.blobs.items() if len(item[1]) == max(map(len, image.blobs.values()))]
    half = len(blob) // 2
    with EcrEmulator(small_disk) as ecr:
        client = ecr.client(config=ONCE)
        client.create_repository(repositoryName=REPOSITORY)
        upload = client.initiate_layer_upload(repositoryName=REPOSITORY)["uploadId"]

        def send(first: int, part: bytes) -> None:
            client.upload_layer_part(
                repositoryName=REPOSITORY,
                uploadId=upload,
                partFirstByte=first,
                partLastByte=first + len(part) - 1,
                layerPartBlob=part,
            )

        ecr.limits.smallest_layer_part = 1
        send(0, blob[:half])
        ballast = fill(small_disk)
        with pytest.raises(client.exceptions.ServerException):
            send(half, blob[half:])
        with pytest.raises(client.exceptions.ServerException):
            client.create_repository(repositoryName="shop/other")
        ballast.unlink()
        send(half, blob[half:])
        client.complete_layer_upload(repositoryName=REPOSITORY, uploadId=upload, layerDigests=[digest])
        push(client, REPOSITORY, image, "v1")
        assert_there(client, {"v1": image})
        assert len(client.describe_repositories()["repositories"]) == 1
