"""The data directory and the command: restarts, and refusals."""

from __future__ import annotations

import hashlib
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from emulator_calls import assert_whole, version
from emulator_process import emulator_process, refused_command
from local_ecr import needs

from ecr_provider.emulator import EcrEmulator, StoreError
from ecr_provider.emulator.samples import push, sample_image

# --- Persistence ---


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


@needs("UpdateImageStorageClass")
def test_a_restart_does_not_turn_the_clock_back(tmp_path: Path) -> None:
    asked: Any = {"repositoryName": "shop/web", "imageId": {"imageTag": "v1"}}

    def status(ecr: EcrEmulator) -> str:
        (image,) = ecr.client().describe_images(repositoryName="shop/web", filter={"imageStatus": "ANY"})[
            "imageDetails"
        ]
        return image["imageStatus"]

    with EcrEmulator(tmp_path) as ecr:
        client = ecr.client()
        client.create_repository(repositoryName="shop/web")
        push(client, "shop/web", version(0), "v1")
        client.update_image_storage_class(**asked, targetStorageClass="ARCHIVE")
        client.update_image_storage_class(**asked, targetStorageClass="STANDARD")
        ecr.advance(3600)
        assert status(ecr) == "ACTIVE"
    with EcrEmulator(tmp_path) as ecr:
        assert status(ecr) == "ACTIVE"


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
    with pytest.raises(StoreError, match=r"another version \(format 99, not 4\)"):
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
