"""Kill -9: what was acknowledged is there afterwards, and what was begun can go on."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError
from emulator.replications import WEST, configure, statuses, tags_of
from emulator_calls import assert_whole, version
from emulator_process import EmulatorProcess, emulator_process
from http_connection import fetched
from registry_client import RegistryClient, authorization_of, digest_of
from waiting import until

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MIB = 1024 * 1024


# --- A storm ---


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
                until(lambda: len(self.images) >= goal or all(worker.done() for worker in workers), seconds=60)
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
        assert digest == digest_of(image["imageManifest"].encode())
        for layer in manifest.get("layers", []):
            url = client.get_download_url_for_layer(repositoryName="shop/web", layerDigest=layer["digest"])
            assert digest_of(fetched(url["downloadUrl"])) == layer["digest"]
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
            # The parts are small, which is what is wrong with them, and all that is.
            with pytest.raises(client.exceptions.LayerPartTooSmallException):
                client.complete_layer_upload(
                    repositoryName="shop/web", uploadId=upload, layerDigests=[digest_of(whole)]
                )
            return
        pytest.fail(f"upload {upload} lost some of its {parts} parts")


# --- An upload by the registry's API ---


def test_kill_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    """What was acknowledged of an upload is there, no byte of what was not is, and the upload goes on."""
    first, rest = os.urandom(6 * MIB), os.urandom(20 * MIB)
    with emulator_process("--data-dir", str(tmp_path)) as server:
        address = begun_upload(server, first)
        client = server.client()
        registry = RegistryClient(server.url, authorization_of(client))
        with pytest.raises((ConnectionError, HTTPException)):
            registry.ask("PATCH", address, killing(server, rest, tmp_path / "uploads", len(first)))
        registry.close()
        client.close()
    with EcrEmulator(tmp_path) as ecr:
        registry = RegistryClient.of(ecr)
        status = registry.ask("GET", address)
        assert (status.status, status.headers["Range"]) == (204, f"0-{len(first) - 1}")
        goes_on = f"{len(first)}-{len(first) + len(rest) - 1}"
        assert registry.ask("PATCH", address, rest, Content_Range=goes_on).status == 201
        digest = digest_of(first + rest)
        assert registry.ask("PUT", f"{address}?digest={digest}").headers["Docker-Content-Digest"] == digest
        held = registry.ask("HEAD", f"/v2/shop/web/blobs/{digest}")
        assert (held.status, held.headers["Content-Length"]) == (200, str(len(first + rest)))
        registry.close()


def begun_upload(server: EmulatorProcess, acknowledged: bytes) -> str:
    """Begin an upload, of which this much is acknowledged; return its address."""
    client = server.client()
    client.create_repository(repositoryName="shop/web")
    registry = RegistryClient(server.url, authorization_of(client))
    address = registry.begin("shop/web")
    assert registry.ask("PATCH", address, iter([acknowledged])).status == 201
    registry.close()
    client.close()
    return address


def killing(server: EmulatorProcess, data: bytes, uploads: Path, acknowledged: int) -> Iterator[bytes]:
    """Send data, and kill the server once some of it is on the disk and before all of it is sent."""
    for start in range(0, len(data) // 2, MIB):
        yield data[start : start + MIB]
    until(lambda: sum(file.stat().st_size for file in uploads.iterdir()) > acknowledged)
    server.kill()
    server.process.wait()
    for start in range(len(data) // 2, len(data), MIB):
        yield data[start : start + MIB]


# --- A job ---


def test_kill_while_a_replication_is_due(tmp_path: Path) -> None:
    with emulator_process("--data-dir", str(tmp_path)) as server:
        client = server.client()
        client.create_repository(repositoryName="shop/web")
        configure(client)
        push(client, "shop/web", version(1), "v1")
        assert statuses(client, "shop/web", imageTag="v1")[0]["status"] == "IN_PROGRESS"
        server.kill()
        client.close()
    with EcrEmulator(tmp_path) as ecr:
        west = ecr.client(WEST)
        assert statuses(ecr.client(), "shop/web", imageTag="v1")[0]["status"] == "IN_PROGRESS"
        ecr.advance(30)
        assert statuses(ecr.client(), "shop/web", imageTag="v1")[0]["status"] == "COMPLETE"
        assert_whole(west, "shop/web", version(1), "v1")
        assert [event.region for event in replicated(ecr)] == [WEST]
        west.batch_delete_image(repositoryName="shop/web", imageIds=[{"imageTag": "v1"}])
        ecr.advance(3600)
        assert (len(replicated(ecr)), tags_of(west, "shop/web")) == (1, {})
    with EcrEmulator(tmp_path) as ecr:
        ecr.advance(2 * 3600)
        assert (len(replicated(ecr)), tags_of(ecr.client(WEST), "shop/web")) == (0, {})


def replicated(ecr: EcrEmulator) -> list[Any]:
    return [event for event in ecr.events if event.detail_type == "ECR Replication Action"]
