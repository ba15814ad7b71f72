"""The layer operations and the download origin: what the contract's cases do not cover."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from emulator_calls import refused
from hypothesis import given
from hypothesis import strategies as st

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.downloads.door import byte_range
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ABSENT = f"sha256:{'0' * 64}"


# --- Uploading ---


def test_parts_as_large_as_they_should_be(
    ecr: EcrEmulator, client: ECRClient, web: str, upload: Callable[..., str]
) -> None:
    assert client.initiate_layer_upload(repositoryName=web)["partSize"] == 10 * 1024 * 1024
    ecr.limits.smallest_layer_part = 4
    digest = upload(client, web, b"1234", b"5678", b"9")
    (layer,) = client.batch_check_layer_availability(repositoryName=web, layerDigests=[digest])["layers"]
    assert layer == {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": 9}


def test_an_error_leaves_the_upload_as_it_was(client: ECRClient, web: str) -> None:
    upload: Any = {"repositoryName": web, "uploadId": client.initiate_layer_upload(repositoryName=web)["uploadId"]}
    with refused("EmptyUploadException"):
        client.complete_layer_upload(layerDigests=[ABSENT], **upload)
    client.upload_layer_part(partFirstByte=0, partLastByte=4, layerPartBlob=b"layer", **upload)
    with refused("InvalidLayerException"):
        client.complete_layer_upload(layerDigests=[ABSENT], **upload)
    digest = f"sha256:{hashlib.sha256(b'layer').hexdigest()}"
    assert client.complete_layer_upload(layerDigests=[digest], **upload)["layerDigest"] == digest
    with refused("UploadNotFoundException"):
        client.complete_layer_upload(layerDigests=[digest], **upload)


def test_uploads_belong_to_one_repository(client: ECRClient, web: str) -> None:
    client.create_repository(repositoryName="shop/other")
    upload = client.initiate_layer_upload(repositoryName=web)["uploadId"]
    with refused("UploadNotFoundException"):
        client.upload_layer_part(
            repositoryName="shop/other", uploadId=upload, partFirstByte=0, partLastByte=0, layerPartBlob=b"x"
        )


def test_every_digest_asked_for_must_be_right(client: ECRClient, web: str) -> None:
    upload: Any = {"repositoryName": web, "uploadId": client.initiate_layer_upload(repositoryName=web)["uploadId"]}
    client.upload_layer_part(partFirstByte=0, partLastByte=4, layerPartBlob=b"layer", **upload)
    digest = f"sha256:{hashlib.sha256(b'layer').hexdigest()}"
    with refused("InvalidLayerException"):
        client.complete_layer_upload(layerDigests=[digest, ABSENT], **upload)


def test_upload_quotas(ecr: EcrEmulator, client: ECRClient, web: str, upload: Callable[..., str]) -> None:
    ecr.limits.layer_parts = 1
    with refused("LimitExceededException"):
        upload(client, web, b"1", b"2")
    ecr.limits.layer_size = 4
    with refused("LimitExceededException"):
        upload(client, web, b"12345")


def test_the_same_layer_in_two_repositories(client: ECRClient, web: str, upload: Callable[..., str]) -> None:
    client.create_repository(repositoryName="shop/other")
    digest = upload(client, web, b"layer")
    assert upload(client, "shop/other", b"layer") == digest
    client.delete_repository(repositoryName=web)
    (layer,) = client.batch_check_layer_availability(repositoryName="shop/other", layerDigests=[digest])["layers"]
    assert layer["layerAvailability"] == "AVAILABLE"


# --- Asking ---


def test_layers_that_are_not_there(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    def check() -> Any:
        return client.batch_check_layer_availability(repositoryName=web, layerDigests=[ABSENT, "", "zzz"])

    answer = check()
    assert answer["layers"] == [{"layerDigest": ABSENT, "layerAvailability": "UNAVAILABLE"}]
    assert [(failure["layerDigest"], failure["failureCode"]) for failure in answer["failures"]] == [
        ("", "MissingLayerDigest"),
        ("zzz", "InvalidLayerDigest"),
    ]
    ecr.switches.absent_layer = "MissingLayerDigest"
    answer = check()
    assert answer["layers"] == []
    assert answer["failures"][0] == {
        "layerDigest": ABSENT,
        "failureCode": "MissingLayerDigest",
        "failureReason": "The layer does not exist",
    }


def test_addresses_are_for_layers_of_images_only(client: ECRClient, web: str, upload: Callable[..., str]) -> None:
    digest = upload(client, web, b"layer")
    with pytest.raises(client.exceptions.LayerInaccessibleException, match="not associated with an image"):
        client.get_download_url_for_layer(repositoryName=web, layerDigest=digest)
    with pytest.raises(client.exceptions.LayersNotFoundException, match="'shop/web in the registry"):
        client.get_download_url_for_layer(repositoryName=web, layerDigest=ABSENT)


# --- Downloading ---


class Download:
    """One layer of an image, its address, and a way to ask for it."""

    def __init__(self, client: ECRClient, repository: str) -> None:
        image = sample_image(files={"data": bytes(range(256)) * 256})
        push(client, repository, image, "v1")
        self.digest, self.blob = max(image.blobs.items(), key=lambda blob: len(blob[1]))
        answer = client.get_download_url_for_layer(repositoryName=repository, layerDigest=self.digest)
        assert answer["layerDigest"] == self.digest
        self.url = answer["downloadUrl"]

    def ask(self, method: str = "GET", url: str | None = None, **headers: str) -> tuple[int, Any, bytes]:
        parts = urlsplit(url or self.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.request(method, f"{parts.path}?{parts.query}", headers=headers)
        response = connection.getresponse()
        answer = response.status, response.headers, response.read()
        connection.close()
        return answer


@pytest.fixture
def download(client: ECRClient, web: str) -> Download:
    return Download(client, web)


def test_the_address(ecr: EcrEmulator, download: Download) -> None:
    parts = urlsplit(download.url)
    assert parts.hostname == "127.0.0.1"
    assert f"http://{parts.netloc}" != ecr.endpoint_url
    for name in ("Algorithm=AWS4-HMAC-SHA256", "Credential=", "Date=", "Expires=3600", "SignedHeaders=host"):
        assert f"X-Amz-{name}" in parts.query
    status, headers, body = download.ask()
    assert (status, body, headers["Accept-Ranges"]) == (200, download.blob, "bytes")
    assert not {"Server", "Date"} & set(headers)


@pytest.mark.parametrize(
    ("header", "first", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=60000-", 60000, None), ("bytes=-7", -7, None)],
)
def test_ranges(download: Download, header: str, first: int, stop: int | None) -> None:
    status, headers, body = download.ask(Range=header)
    assert (status, body) == (206, download.blob[first:stop])
    start = first % len(download.blob)
    assert headers["Content-Range"] == f"bytes {start}-{start + len(body) - 1}/{len(download.blob)}"


@pytest.mark.parametrize("header", ["bytes=999999-", "bytes=-0"])
def test_ranges_that_are_not_there(download: Download, header: str) -> None:
    status, headers, body = download.ask(Range=header)
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(download.blob)}")
    assert b"InvalidRange" in body


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "bytes=-", "bytes=9-1", "lines=0-1", f"bytes=0-{'9' * 5000}"])
def test_ranges_that_are_ignored(download: Download, header: str) -> None:
    assert download.ask(Range=header)[::2] == (200, download.blob)


@given(st.binary(max_size=40), st.integers(0, 50), st.integers(0, 50))
def test_byte_range_is_slicing(data: bytes, first: int, length: int) -> None:
    wanted = byte_range(f"bytes={first}-{first + length}", len(data))
    assert wanted is not None
    assert data[wanted.start : wanted.stop] == data[first : first + length + 1]
    assert bool(wanted) == (first < len(data))


def test_an_address_is_good_for_an_hour(ecr: EcrEmulator, download: Download) -> None:
    ecr.advance(3590)
    assert download.ask()[0] == 200
    ecr.advance(20)
    status, _, body = download.ask()
    assert status == 403
    assert b"<Message>Request has expired</Message>" in body


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("X-Amz-Expires=3600", "X-Amz-Expires=36000"),
        ("/123456789012/", "/123456789013/"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("X-Amz-Algorithm", "x&X-Amz-Algorithm"),
        ("us-east-1", "us-east-2"),
    ],
)
def test_an_address_cannot_be_altered(download: Download, part: str, other: str) -> None:
    status, _, body = download.ask(url=download.url.replace(part, other))
    assert status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in body


def test_an_address_is_for_get_only(download: Download) -> None:
    assert download.ask("HEAD")[::2] == (403, b"")
    assert download.ask("PUT")[0] == 403
    assert download.ask(url=download.url.partition("?")[0])[0] == 403


def test_a_body_is_not_taken_for_the_next_request(download: Download) -> None:
    parts = urlsplit(download.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}", b"hello")
    with connection.getresponse() as refused_body:
        assert (refused_body.status, refused_body.headers["Connection"]) == (413, "close")
    connection.close()


def test_the_registrys_credentials_do_not_belong_here(download: Download) -> None:
    status, _, body = download.ask(Authorization="Basic QVdTOnNlY3JldA==")
    assert status == 400
    assert b"Only one auth mechanism allowed" in body


def test_a_layer_that_is_gone(tmp_path: Path) -> None:
    with EcrEmulator(tmp_path) as ecr:
        client = ecr.client()
        client.create_repository(repositoryName="shop/web")
        download = Download(client, "shop/web")
        next((tmp_path / "blobs").rglob(download.digest.removeprefix("sha256:"))).unlink()
        status, _, body = download.ask()
    assert status == 404
    assert b"NoSuchKey" in body
