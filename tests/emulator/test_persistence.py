"""The data directory and the command: restarts, refusals, and kill -9."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import sqlite3
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError
from emulator_calls import version
from emulator_process import EmulatorProcess, emulator_process, refused_command
from waiting import until

from ecr_provider.emulator import EcrEmulator, StoreError
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


# --- Persistence ---


def assert_whole(client: ECRClient, repository: str, image: SampleImage, tag: str) -> None:
    """Check an image down to its layers' bytes."""
    (read,) = client.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    assert read["imageManifest"] == image.text
    for child in image.children:
        ids: Any = [{"imageDigest": child.digest}]
        (found,) = client.batch_get_image(repositoryName=repository, imageIds=ids)["images"]
        assert found["imageManifest"] == child.text
    for digest, blob in image.blobs.items():
        url = client.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
        with urllib.request.urlopen(url) as response:  # noqa: S310 - an http address of the emulator's
            assert response.read() == blob


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    image = sample_image()
    with EcrEmulator(tmp_path / "new" / "data") as ecr:
        client = ecr.client()
        client.create_repository(
            repositoryName="shop/web", imageTagMutability="IMMUTABLE", tags=[{"Key": "a", "Value": "b"}]
        )
        push(client, "shop/web", image, "v1")
        begun = client.initiate_layer_upload(repositoryName="shop/web")["uploadId"]
        client.upload_layer_part(
            repositoryName="shop/web", uploadId=begun, partFirstByte=0, partLastByte=4, layerPartBlob=b"layer"
        )
        token = client.list_images(repositoryName="shop/web", maxResults=1)["nextToken"]
        (before,) = client.describe_repositories()["repositories"]
    with EcrEmulator(tmp_path / "new" / "data") as ecr:
        client = ecr.client()
        assert_whole(client, "shop/web", image, "v1")
        assert client.describe_repositories()["repositories"] == [before]
        assert len(client.list_images(repositoryName="shop/web", nextToken=token)["imageIds"]) == 2
        digest = f"sha256:{hashlib.sha256(b'layer').hexdigest()}"
        client.complete_layer_upload(repositoryName="shop/web", uploadId=begun, layerDigests=[digest])


def test_files_without_rows_are_swept(tmp_path: Path) -> None:
    with EcrEmulator(tmp_path) as ecr:
        client = ecr.client()
        client.create_repository(repositoryName="shop/web")
        push(client, "shop/web", sample_image(), "v1")
        client.create_repository(repositoryName="shop/other")
        push(client, "shop/other", version(1), "v1")
        client.initiate_layer_upload(repositoryName="shop/web")
        client.delete_repository(repositoryName="shop/web", force=True)
    (tmp_path / "uploads" / "left-behind").write_bytes(b"x")
    with EcrEmulator(tmp_path) as ecr:
        assert_whole(ecr.client(), "shop/other", version(1), "v1")
    assert list((tmp_path / "uploads").iterdir()) == []
    left = {f"sha256:{path.name}" for path in (tmp_path / "blobs").rglob("*") if path.is_file()}
    assert left == set(version(1).blobs)


def test_a_data_directory_has_one_user(tmp_path: Path) -> None:
    with EcrEmulator(tmp_path), pytest.raises(StoreError, match="another emulator is using it"):
        EcrEmulator(tmp_path).start()
    with EcrEmulator(tmp_path):
        pass


def test_a_data_directory_of_another_version(tmp_path: Path) -> None:
    with EcrEmulator(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "ecr.sqlite3")) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"another version \(format 99, not 3\)"):
        EcrEmulator(tmp_path).start()


def test_a_data_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot use data directory"):
        EcrEmulator(tmp_path / "file").start()
    (tmp_path / "ecr.sqlite3").write_text("no database " * 100)
    with pytest.raises(StoreError, match="not a database"):
        EcrEmulator(tmp_path).start()


# --- The command ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(number: int) -> None:
    with emulator_process() as server:
        client = server.client()
        client.create_repository(repositoryName="shop/web")
        push(client, "shop/web", sample_image(), "v1")
        server.process.send_signal(number)
        output, errors = server.process.communicate(timeout=10)
        client.close()
    assert (server.process.returncode, output, errors) == (0, "", "")


def test_what_the_command_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (
            ["--port", port],
            ["--data-dir", str(tmp_path / "file")],
            ["--data-dir", "/proc/nowhere"],
        ):
            done = refused_command(*arguments)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done


def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Kill -9 in the middle of a storm, twice on the same data, and look for all that was promised."""
    promised = Promises()
    for storm in range(2):
        with emulator_process("--data-dir", str(tmp_path)) as server:
            promised.storm(server, storm)
    with EcrEmulator(tmp_path) as ecr:
        promised.check(ecr.client())


class Promises:
    """What an emulator acknowledged before it was killed."""

    def __init__(self) -> None:
        self.images: list[tuple[SampleImage, str]] = []
        self.moving: dict[int, set[str]] = {}
        self.parts: dict[str, int] = {}

    def storm(self, server: EmulatorProcess, storm: int) -> None:
        """Write from several threads until some of it is acknowledged, then kill the server."""
        client = server.client()
        if not storm:
            client.create_repository(repositoryName="shop/web")
        goal = len(self.images) + 30
        with ThreadPoolExecutor(4) as pool:
            ready = threading.Barrier(5)
            workers = [pool.submit(self._push, server, f"{storm}-{number}", ready) for number in range(3)]
            workers.append(pool.submit(self._upload, server, ready))
            try:
                ready.wait(timeout=30)
                until(lambda: len(self.images) >= goal or any(worker.done() for worker in workers), seconds=60)
            finally:
                server.kill()
        for worker in workers:
            worker.result()
        client.close()

    def _push(self, server: EmulatorProcess, worker: str, ready: threading.Barrier) -> None:
        """Push images, each with a layer of its own."""
        client = server.client()
        ready.wait(timeout=30)
        try:
            for turn in range(1000):
                name = f"{worker}-{turn}"
                image = sample_image(files={"name": name.encode() * 2000})
                push(client, "shop/web", image, name)
                self.images.append((image, name))
        except BotoCoreError:
            pass
        client.close()

    def _upload(self, server: EmulatorProcess, ready: threading.Barrier) -> None:
        """Upload a layer without end."""
        client = server.client()
        ready.wait(timeout=30)
        try:
            upload = client.initiate_layer_upload(repositoryName="shop/web")["uploadId"]
            for turn in range(1000):
                first = turn * 100_000
                client.upload_layer_part(
                    repositoryName="shop/web",
                    uploadId=upload,
                    partFirstByte=first,
                    partLastByte=first + 99_999,
                    layerPartBlob=bytes([turn % 256]) * 100_000,
                )
                self.parts[upload] = turn + 1
        except BotoCoreError:
            pass
        client.close()

    def check(self, client: ECRClient) -> None:
        """Look for everything."""
        assert len(self.images) >= 60
        for pushed, tag in self.images:
            assert_whole(client, "shop/web", pushed, tag)
        for page in client.get_paginator("describe_images").paginate(repositoryName="shop/web"):
            for image in page["imageDetails"]:  # what was not acknowledged is there as a whole, or not at all
                self._check_parts(client, image["imageDigest"])
        for upload, parts in self.parts.items():
            self._continue(client, upload, parts)

    def _check_parts(self, client: ECRClient, digest: str) -> None:
        ids: Any = [{"imageDigest": digest}]
        (image,) = client.batch_get_image(repositoryName="shop/web", imageIds=ids)["images"]
        manifest = json.loads(image["imageManifest"])
        assert digest == f"sha256:{hashlib.sha256(image['imageManifest'].encode()).hexdigest()}"
        for layer in manifest.get("layers", []):
            url = client.get_download_url_for_layer(repositoryName="shop/web", layerDigest=layer["digest"])
            with urllib.request.urlopen(url["downloadUrl"]) as response:  # noqa: S310 - http, the emulator's
                assert f"sha256:{hashlib.sha256(response.read()).hexdigest()}" == layer["digest"]
        for child in manifest.get("manifests", []):
            client.describe_images(repositoryName="shop/web", imageIds=[{"imageDigest": child["digest"]}])

    def _continue(self, client: ECRClient, upload: str, parts: int) -> None:
        """Go on with an upload where it was acknowledged, or one part later."""
        for received in (parts, parts + 1):
            part: Any = {"partFirstByte": received * 100_000, "partLastByte": received * 100_000}
            try:
                client.upload_layer_part(repositoryName="shop/web", uploadId=upload, layerPartBlob=b"!", **part)
            except client.exceptions.InvalidLayerPartException:
                continue
            whole = b"".join(bytes([turn % 256]) * 100_000 for turn in range(received)) + b"!"
            digest = f"sha256:{hashlib.sha256(whole).hexdigest()}"
            # The parts are small, which is what is wrong with them, and all that is.
            with pytest.raises(client.exceptions.LayerPartTooSmallException):
                client.complete_layer_upload(repositoryName="shop/web", uploadId=upload, layerDigests=[digest])
            return
        pytest.fail(f"upload {upload} lost some of its {parts} parts")
