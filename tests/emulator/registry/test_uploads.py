"""Blobs at the registry's HTTP API: asking, uploading in ECR's own way, mounting."""

from __future__ import annotations

import http.client
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from emulator_calls import OTHER
from http_connection import Answer
from local_ecr import needs
from registry_client import RegistryClient, digest_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ABSENT = f"sha256:{'0' * 64}"
LAYER = b"a layer"


# --- Asking ---


def test_a_blob_that_is_there(registry: RegistryClient, web: str) -> None:
    """An image need not be made of it yet."""
    digest = registry.upload(web, LAYER)
    answer = registry.ask("HEAD", f"/v2/{web}/blobs/{digest}")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(LAYER)))
    assert answer.headers["Docker-Content-Digest"] == digest


@pytest.mark.parametrize("absent", ["UNAVAILABLE", "MissingLayerDigest"])
def test_a_blob_that_is_not_there(ecr: EcrEmulator, registry: RegistryClient, web: str, absent: Any) -> None:
    ecr.switches.absent_layer = absent
    assert registry.ask("HEAD", f"/v2/{web}/blobs/{ABSENT}").status == 404
    assert registry.ask("HEAD", f"/v2/shop/none/blobs/{ABSENT}").status == 404
    assert registry.ask("HEAD", f"/v2/{web}/blobs/nonsense").status == 400
    status, code, message = registry.ask("GET", f"/v2/{web}/blobs/{ABSENT}").error
    assert (status, code) == (404, "BLOB_UNKNOWN")
    assert message.startswith(f"The layer with digest {ABSENT} does not exist")


def test_layers_belong_to_one_repository(client: ECRClient, registry: RegistryClient, web: str) -> None:
    client.create_repository(repositoryName="shop/other")
    assert registry.ask("HEAD", f"/v2/shop/other/blobs/{registry.upload(web, LAYER)}").status == 404


def test_a_blob_is_downloaded_from_another_origin(
    ecr: EcrEmulator, registry: RegistryClient, web: str, image: SampleImage
) -> None:
    digest, blob = next(iter(image.blobs.items()))
    answer = registry.ask("GET", f"/v2/{web}/blobs/{digest}")
    assert (answer.status, answer.body) == (307, b"")
    address = urlsplit(answer.headers["Location"])
    assert address.netloc != registry.host
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    connection.request("GET", f"{address.path}?{address.query}")
    assert connection.getresponse().read() == blob
    connection.close()
    assert ecr.calls[0] == "GetDownloadUrlForLayer"


def test_only_layers_of_images_are_downloaded(registry: RegistryClient, web: str) -> None:
    digest = registry.upload(web, LAYER)
    assert registry.ask("GET", f"/v2/{web}/blobs/{digest}").error[:2] == (404, "BLOB_UNKNOWN")


# --- Uploading ---


def test_an_upload_in_one_part(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    begun = registry.ask("POST", f"/v2/{web}/blobs/uploads/")
    upload_id, location = begun.headers["Docker-Upload-UUID"], begun.headers["Location"]
    assert (begun.status, begun.headers["Range"]) == (202, "0-0")
    assert location == f"http://{registry.host}/v2/{web}/blobs/uploads/{upload_id}"
    part = registry.ask("PATCH", location, LAYER)
    assert (part.status, part.headers["Range"], part.headers["Location"]) == (201, "0-6", location)
    digest = digest_of(LAYER)
    done = registry.ask("PUT", f"{location}?digest={digest}")
    assert (done.status, done.headers["Docker-Content-Digest"]) == (201, digest)
    assert done.headers["Location"] == f"http://{registry.host}/v2/{web}/blobs/{digest}"
    assert ecr.calls[-3:] == ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"]
    assert ecr.requests[-2].parameters == {
        "registryId": "123456789012",
        "repositoryName": web,
        "uploadId": upload_id,
        "partFirstByte": 0,
        "partLastByte": 6,
    }


def test_range_stays_at_the_first_part(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    """ECR's own way; the upload knows better if it is asked."""
    ecr.limits.smallest_layer_part = 4
    address = registry.begin(web)
    for first, part in ((0, b"01234"), (5, b"56789"), (10, b"abc")):
        content_range = f"{first}-{first + len(part) - 1}"
        answer = registry.ask("PATCH", address, part, Content_Range=content_range)
        assert (answer.status, answer.headers["Range"]) == (201, "0-4")
    status = registry.ask("GET", address)
    assert (status.status, status.headers["Range"], status.headers["Location"]) == (204, "0-12", address)
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'0123456789abc')}").status == 201


@pytest.mark.parametrize("content_range", ["0-2", "4-6", "3-4", "3-6", "2-3"])
def test_a_part_out_of_sequence(registry: RegistryClient, web: str, content_range: str) -> None:
    address = registry.begin(web)
    assert registry.ask("PATCH", address, b"012", Content_Range="0-2").status == 201
    assert registry.ask("PATCH", address, b"345", Content_Range=content_range).error[:2] == (416, "BLOB_UPLOAD_INVALID")
    assert registry.ask("PATCH", address, b"345", Content_Range="3-5").status == 201
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'012345')}").error[:2] == (400, "BLOB_UPLOAD_INVALID")


def test_a_range_that_is_none(registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    assert registry.ask("PATCH", address, b"012", Content_Range="nonsense").error[:2] == (405, "UNSUPPORTED")
    assert registry.ask("PATCH", address, b"012", Content_Range="nonsense", Authorization=None).status == 401


def test_parts_that_are_too_small(registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    for part in (b"small", b"last"):
        assert registry.ask("PATCH", address, part).status == 201
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'smalllast')}").error == (
        400,
        "BLOB_UPLOAD_INVALID",
        "All layer parts except the last part should be at least 5MB",
    )


def test_the_last_part_comes_with_the_end(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    ecr.limits.smallest_layer_part = 4
    address = registry.begin(web)
    assert registry.ask("PATCH", address, b"first").status == 201
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'firstlast')}", b"last").status == 201
    address = registry.begin(web)
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'all')}", b"all").status == 201


def test_all_in_one_request(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    answer = registry.ask("POST", f"/v2/{web}/blobs/uploads/?digest={digest_of(LAYER)}", LAYER)
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, digest_of(LAYER))
    assert ecr.calls[-3:] == ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"]
    assert registry.ask("POST", f"/v2/{web}/blobs/uploads/?digest={ABSENT}").status == 202


def test_a_blob_that_is_there_already(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    assert registry.upload(web, LAYER) == registry.upload(web, LAYER)
    assert ecr.requests[-1].error_code == "LayerAlreadyExistsException"


def test_the_digest_must_be_right(registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    assert registry.ask("PUT", f"{address}?digest={ABSENT}").error[:2] == (400, "BLOB_UPLOAD_INVALID")
    assert registry.ask("PATCH", address, LAYER).status == 201
    assert registry.ask("PUT", f"{address}?digest={ABSENT}").error[:2] == (400, "DIGEST_INVALID")
    assert registry.ask("PUT", address).error[:2] == (405, "UNSUPPORTED")
    assert registry.ask("PUT", f"{address}?digest={digest_of(LAYER)}").status == 201


def test_an_upload_is_cancelled(registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    assert registry.ask("PATCH", address, LAYER).status == 201
    assert registry.ask("DELETE", address).status == 204
    for method, query in (("PATCH", ""), ("PUT", f"?digest={digest_of(LAYER)}"), ("GET", ""), ("DELETE", "")):
        assert registry.ask(method, address + query, LAYER).error[:2] == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_to_a_repository_that_is_missing(ecr: EcrEmulator, registry: RegistryClient) -> None:
    assert registry.ask("POST", "/v2/shop/none/blobs/uploads/").error[:2] == (404, "NAME_UNKNOWN")
    ecr.switches.upload_to_missing_repository = "cut"
    with pytest.raises(http.client.RemoteDisconnected):
        registry.ask("POST", "/v2/shop/none/blobs/uploads/")


def test_quotas(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    ecr.limits.layer_size = 8
    address = registry.begin(web)
    assert registry.ask("PATCH", address, b"123456789").error[:2] == (403, "DENIED")
    assert registry.ask("PATCH", address, b"12345678").status == 201
    ecr.limits.layer_parts = 1
    assert registry.ask("PATCH", address, b"9").error[:2] == (403, "DENIED")


def test_a_part_without_bytes_is_none(registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    for part in (b"", LAYER, b""):
        assert registry.ask("PATCH", address, part).status == 201
    assert registry.ask("PUT", f"{address}?digest={digest_of(LAYER)}").status == 201


def test_uploads_survive_a_restart(tmp_path: Path) -> None:
    with EcrEmulator(tmp_path) as ecr:
        ecr.limits.smallest_layer_part = 1
        ecr.client().create_repository(repositoryName="shop/web")
        registry = RegistryClient.of(ecr)
        address = registry.begin("shop/web")
        registry.ask("PATCH", address, b"before ")
        registry.close()
    with EcrEmulator(tmp_path) as ecr:
        ecr.limits.smallest_layer_part = 1
        registry = RegistryClient(ecr.endpoint_url, registry.authorization)
        answer = registry.ask("PATCH", address, b"after")
        assert (answer.status, answer.headers["Range"]) == (201, "0-6")
        assert registry.ask("PUT", f"{address}?digest={digest_of(b'before after')}").status == 201
        registry.close()


# --- Mounting ---


@pytest.fixture
def other(client: ECRClient) -> str:
    """The name of an empty repository beside "shop/web"."""
    client.create_repository(repositoryName="shop/other")
    return "shop/other"


def enable_mounts(client: ECRClient) -> None:
    client.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")


def mount(registry: RegistryClient, to: str, digest: str, source: str = "shop/web", host: str | None = None) -> Answer:
    address = f"/v2/{to}/blobs/uploads/?mount={digest}&from={source}"
    return registry.ask("POST", address, Host=host or registry.host)


needs_mounts = needs("PutAccountSetting")


@needs_mounts
def test_a_mount(ecr: EcrEmulator, client: ECRClient, registry: RegistryClient, other: str, image: SampleImage) -> None:
    enable_mounts(client)
    digest, blob = next(iter(image.blobs.items()))
    answer = mount(registry, other, digest)
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, digest)
    assert answer.headers["Location"] == f"http://{registry.host}/v2/{other}/blobs/{digest}"
    assert registry.ask("HEAD", f"/v2/{other}/blobs/{digest}").headers["Content-Length"] == str(len(blob))
    (request,) = [request for request in ecr.requests if request.operation == "MountLayer"]
    assert request.error_code is None
    assert mount(registry, other, digest).status == 201


def test_no_mount_unless_it_is_enabled(
    ecr: EcrEmulator, registry: RegistryClient, other: str, image: SampleImage
) -> None:
    answer = mount(registry, other, next(iter(image.blobs)))
    assert (answer.status, answer.headers["Range"]) == (202, "0-0")
    assert ecr.calls[-2:] == ["MountLayer", "InitiateLayerUpload"]
    assert ecr.requests[-2].error_code == "LayerInaccessibleException"


@needs_mounts
def test_no_mount_without_a_source(client: ECRClient, registry: RegistryClient, other: str, image: SampleImage) -> None:
    enable_mounts(client)
    digest = next(iter(image.blobs))
    assert registry.ask("POST", f"/v2/{other}/blobs/uploads/?mount={digest}").status == 202
    assert mount(registry, other, digest, "shop/none").status == 202
    assert mount(registry, other, ABSENT).status == 202
    assert mount(registry, "shop/none", digest).error[:2] == (404, "NAME_UNKNOWN")


@needs_mounts
def test_no_mount_of_a_layer_that_no_image_is_made_of(
    client: ECRClient, registry: RegistryClient, web: str, other: str
) -> None:
    enable_mounts(client)
    assert mount(registry, other, registry.upload(web, LAYER)).status == 202


@needs_mounts
def test_no_mount_where_the_encryption_differs(client: ECRClient, registry: RegistryClient, image: SampleImage) -> None:
    enable_mounts(client)
    client.create_repository(repositoryName="shop/kms", encryptionConfiguration={"encryptionType": "KMS"})
    assert mount(registry, "shop/kms", next(iter(image.blobs))).status == 202


@needs_mounts
def test_no_mount_by_whoever_may_not_download(
    ecr: EcrEmulator, client: ECRClient, other: str, image: SampleImage
) -> None:
    enable_mounts(client)
    text = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:%s"}}'
    client.set_repository_policy(repositoryName=other, policyText=text % "InitiateLayerUpload")
    host, digest = "123456789012.dkr.ecr.us-east-1.amazonaws.com", next(iter(image.blobs))
    stranger = RegistryClient.of(ecr, OTHER)
    assert mount(stranger, other, digest, host=host).status == 202
    client.set_repository_policy(repositoryName="shop/web", policyText=text % "GetDownloadUrlForLayer")
    assert mount(stranger, other, digest, host=host).status == 201
    client.delete_repository_policy(repositoryName=other)
    assert mount(stranger, other, digest, host=host).error[:2] == (403, "DENIED")
    stranger.close()


@needs_mounts
def test_no_mount_from_another_region(ecr: EcrEmulator, registry: RegistryClient, image: SampleImage) -> None:
    client = ecr.client(region_name="eu-west-1")
    enable_mounts(client)
    client.create_repository(repositoryName="shop/other")
    answer = mount(registry, "shop/other", next(iter(image.blobs)), host="123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    assert answer.status == 202


@needs_mounts
def test_no_mount_from_a_pull_through_cache(ecr: EcrEmulator, client: ECRClient, registry: RegistryClient) -> None:
    enable_mounts(client)
    upstream = ecr.client(region_name="eu-west-1")
    upstream.create_repository(repositoryName="web")
    push(upstream, "web", sample_image(), "v1")
    client.create_pull_through_cache_rule(
        ecrRepositoryPrefix="cache", upstreamRegistryUrl="123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    )
    client.create_repository(repositoryName="shop/other")
    assert registry.ask("GET", "/v2/cache/web/manifests/v1").status == 200
    assert mount(registry, "shop/other", next(iter(sample_image().blobs)), "cache/web").status == 202


# --- Refused at the end ---


def test_a_layer_that_is_refused_can_be_sent_again(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    """A refused PUT has not eaten the body that came with it."""
    address, layer = registry.begin(web), b"x" * 6_000_000
    complete = f"{address}?digest={digest_of(layer)}"
    assert registry.ask("PUT", f"{address}?digest={ABSENT}", layer).error[:2] == (400, "DIGEST_INVALID")
    ecr.faults.fail("CompleteLayerUpload")
    assert registry.ask("PUT", complete, layer).status == 429
    ecr.faults.cut("CompleteLayerUpload")
    with pytest.raises(http.client.RemoteDisconnected):
        registry.ask("PUT", complete, layer)
    assert registry.ask("PUT", complete, layer).status == 201
    assert registry.ask("HEAD", f"/v2/{web}/blobs/{digest_of(layer)}").headers["Content-Length"] == "6000000"


def test_what_came_before_a_refused_end_counts(registry: RegistryClient, web: str) -> None:
    address, first, last = registry.begin(web), b"x" * 5 * 1024 * 1024, b"last"
    registry.ask("PATCH", address, first)
    assert registry.ask("PUT", f"{address}?digest={ABSENT}", last).status == 400
    assert registry.ask("GET", address).headers["Range"] == f"0-{len(first) - 1}"
    assert registry.ask("PUT", f"{address}?digest={digest_of(first + last)}", last).status == 201


def test_a_layer_that_could_not_be_recorded_can_be_completed_later(tmp_path: Path) -> None:
    with EcrEmulator(tmp_path) as ecr, closing(sqlite3.connect(tmp_path / "ecr.sqlite3")) as database:
        ecr.client().create_repository(repositoryName="shop/web")
        registry = RegistryClient.of(ecr)
        address = registry.begin("shop/web")
        registry.ask("PATCH", address, LAYER)
        database.execute("CREATE TRIGGER full BEFORE INSERT ON layers BEGIN SELECT RAISE(ABORT, 'no room'); END")
        assert registry.ask("PUT", f"{address}?digest={digest_of(LAYER)}").status == 500
        database.execute("DROP TRIGGER full")
        assert registry.ask("PUT", f"{address}?digest={digest_of(LAYER)}").status == 201
        assert registry.ask("HEAD", f"/v2/shop/web/blobs/{digest_of(LAYER)}").status == 200
        registry.close()
