"""The emulator as an object: its life, and many clients at once."""

from __future__ import annotations

import math
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import ONCE, version
from http_connection import fetched

from ecr_provider.emulator import EcrEmulator, Limits, Switches
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


# --- The object ---


def test_start_and_stop_are_idempotent() -> None:
    ecr = EcrEmulator()
    ecr.stop()
    assert ecr.start() is ecr
    url = ecr.endpoint_url
    assert ecr.start().endpoint_url == url
    ecr.client().create_repository(repositoryName="shop/web")
    ecr.stop()
    ecr.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = ecr.endpoint_url
    with ecr:
        assert ecr.client().describe_repositories()["repositories"] == []


def test_nothing_stays_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    others = set(threading.enumerate())
    with EcrEmulator() as ecr:
        client = ecr.client()
        client.create_repository(repositoryName="shop/web")
        push(client, "shop/web", sample_image(), "v1")
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) <= others


def test_stop_waits_for_the_answers_under_way() -> None:
    ecr = EcrEmulator().start()
    client = ecr.client(config=ONCE)
    arrived, released = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        assert released.wait(10)

    ecr.faults.before("CreateRepository", hold)
    with ThreadPoolExecutor() as pool:
        made = pool.submit(client.create_repository, repositoryName="shop/web")
        assert arrived.wait(10)
        stopped = pool.submit(ecr.stop)
        assert wait([stopped], timeout=0.2).not_done
        released.set()
        stopped.result(timeout=10)
        assert made.result()["repository"]["repositoryName"] == "shop/web"


def test_loopback_only() -> None:
    for host in ("0.0.0.0", "example.invalid", "192.168.1.1"):  # noqa: S104 - refused
        with pytest.raises(ValueError, match="loopback only"):
            EcrEmulator(host=host).start()


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_loopback_of_ipv6() -> None:
    with EcrEmulator(host="::1") as ecr:
        assert ecr.endpoint_url.startswith("http://[::1]:")
        client = ecr.client()
        client.create_repository(repositoryName="shop/web")
        image = sample_image()
        push(client, "shop/web", image, "v1")
        digest = next(iter(image.blobs))
        url = client.get_download_url_for_layer(repositoryName="shop/web", layerDigest=digest)["downloadUrl"]
        assert fetched(url) == image.blobs[digest]
        assert b"ECR emulator" in fetched(ecr.endpoint_url)


def test_an_account_is_no_region(ecr: EcrEmulator) -> None:
    for make in (ecr.client, ecr.airflow_connection_uri):
        with pytest.raises(ValueError, match=r"account_id 'eu-west-1' .* 12 digits: give one"):
            make("us-east-1", "eu-west-1")
        for swapped in (("210987654321", "eu-west-1"), ("210987654321",)):
            with pytest.raises(ValueError, match="region_name '210987654321' is the id of an AWS account: give"):
                make(*swapped)
        with pytest.raises(ValueError, match="account_id '1234'"):
            make(account_id="1234")


def test_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch, ecr: EcrEmulator) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert ecr.client().describe_repositories()["repositories"] == []


def test_the_clock_may_be_given() -> None:
    with EcrEmulator(clock=lambda: 1_000_000_000.25) as ecr:
        client = ecr.client()
        made = client.create_repository(repositoryName="shop/web")["repository"]
        assert made["createdAt"].timestamp() == 1_000_000_000.25
        ecr.advance(0.5)
        assert client.create_repository(repositoryName="b/c")["repository"]["createdAt"].timestamp() == 1e9 + 0.75
        for seconds, message in ((-1, "forward only"), (math.nan, "forward only"), (1e12, "year 9999")):
            with pytest.raises(ValueError, match=message):
                ecr.advance(seconds)


def test_settings_may_be_given() -> None:
    with EcrEmulator(limits=Limits(repositories=0), switches=Switches(restore_seconds=1), keep_requests=1) as ecr:
        client = ecr.client(config=ONCE)
        with pytest.raises(client.exceptions.LimitExceededException):
            client.create_repository(repositoryName="shop/web")
        client.describe_repositories()
        assert ecr.calls == ["DescribeRepositories"]


# --- Many clients ---


def test_sixty_four_clients_at_once(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, version("base"), "base")
    clients = [ecr.client() for _ in range(64)]

    def work(number: int) -> None:
        mine = clients[number]
        for turn in range(5):
            image = version(f"{number}-{turn}")
            mine.put_image(repositoryName=web, imageManifest=image.text, imageTag=f"t{number}")
            read = mine.batch_get_image(repositoryName=web, imageIds=[{"imageTag": f"t{number}"}])["images"]
            assert read[0]["imageManifest"] == image.text

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(work, range(64)))
    pages = client.get_paginator("describe_images").paginate(repositoryName=web)
    images = [image for page in pages for image in page["imageDetails"]]
    assert len(images) == 64 * 5 + 1
    tags = {tag: image["imageDigest"] for image in images for tag in image.get("imageTags", [])}
    assert tags == {f"t{number}": version(f"{number}-4").digest for number in range(64)} | {
        "base": version("base").digest
    }


def test_writers_of_one_tag_lose_no_image(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, version("base"), "base")
    clients = [ecr.client() for _ in range(8)]

    def work(number: int) -> None:
        for turn in range(10):
            image = version(f"{number}-{turn}")
            clients[number].put_image(repositoryName=web, imageManifest=image.text, imageTag="prod")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    digests: list[Any] = [{"imageDigest": version(f"{n}-{t}").digest} for n in range(8) for t in range(10)]
    shown = client.describe_images(repositoryName=web, imageIds=digests)["imageDetails"]
    assert len(shown) == 80
    assert sum("prod" in image.get("imageTags", []) for image in shown) == 1


def test_one_of_many_wins_an_immutable_tag(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, version("base"), "base")
    client.put_image_tag_mutability(repositoryName=web, imageTagMutability="IMMUTABLE")
    clients = [ecr.client(config=ONCE) for _ in range(16)]

    def wins(number: int) -> bool:
        try:
            clients[number].put_image(repositoryName=web, imageManifest=version(number).text, imageTag="v1")
        except client.exceptions.ImageTagAlreadyExistsException:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(wins, range(16)))
    assert won.count(True) == 1
    (image,) = client.batch_get_image(repositoryName=web, imageIds=[{"imageTag": "v1"}])["images"]
    assert image["imageManifest"] == version(won.index(True)).text


def test_the_same_layer_uploaded_at_once(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image(files={"data": random.Random(1).randbytes(3_000_000)})  # noqa: S311 - any bytes
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: push(one, web, image, "v1"), [ecr.client() for _ in range(8)]))
    for digest, blob in image.blobs.items():
        url = client.get_download_url_for_layer(repositoryName=web, layerDigest=digest)["downloadUrl"]
        assert fetched(url) == blob
