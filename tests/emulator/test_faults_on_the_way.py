"""Faults of the bytes: of downloads, and of answers; and faults for some calls only."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from emulator_calls import Wire

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

SAMPLE = sample_image(("linux/amd64",), annotations={"version": "0"})  # what ``layers`` has pushed
DIGEST, BLOB = max(SAMPLE.blobs.items(), key=lambda item: len(item[1]))


@pytest.fixture
def url(client: ECRClient, layers: str) -> str:
    """The address of a layer."""
    return client.get_download_url_for_layer(repositoryName=layers, layerDigest=DIGEST)["downloadUrl"]


def get(url: str, headers: dict[str, str] | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as response:  # noqa: S310 - http
        body: bytes = response.read()
        return body


def refusal_of(url: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(url)
    with caught.value:
        return caught.value.code, caught.value.read().decode()


# --- Downloads ---


def test_a_download_that_fails_does_so_in_s3s_words(ecr: EcrEmulator, url: str) -> None:
    ecr.faults.fail("GetObject")
    error = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    assert refusal_of(url) == (503, f'<?xml version="1.0" encoding="UTF-8"?>\n{error}')
    ecr.faults.fail("GetObject", "AccessDenied", message="no <no>")
    status, body = refusal_of(url)
    assert (status, "<Code>AccessDenied</Code><Message>no &lt;no&gt;</Message>" in body) == (403, True)
    ecr.faults.fail("GetObject", "RequestTimeout")
    assert refusal_of(url)[0] == 400
    ecr.faults.fail("GetObject", "NoSuchKey", status=410)
    assert refusal_of(url)[0] == 410
    ecr.faults.lose("GetObject")
    status, body = refusal_of(url)
    assert (status, "<Code>InternalError</Code>" in body) == (500, True)
    assert get(url) == BLOB
    codes = [request.error_code for request in ecr.requests if request.operation == "GetObject"]
    assert codes == ["SlowDown", "AccessDenied", "RequestTimeout", "NoSuchKey", "InternalError", None]


def test_a_download_that_waits(ecr: EcrEmulator, url: str) -> None:
    ecr.faults.delay("GetObject", 0.05)
    begun = time.monotonic()
    assert get(url) == BLOB
    assert time.monotonic() - begun >= 0.05


def test_a_download_that_is_cut(ecr: EcrEmulator, url: str) -> None:
    ecr.faults.cut("GetObject")
    with pytest.raises(http.client.RemoteDisconnected):
        get(url)
    ecr.faults.cut("GetObject", after_bytes=10)
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(url)
    assert caught.value.partial == BLOB[:10]
    assert [request.error_code for request in ecr.requests[-2:]] == ["ConnectionCut", "ConnectionCut"]


def test_a_download_that_is_cut_at_its_end_is_whole(ecr: EcrEmulator, url: str) -> None:
    ecr.faults.cut("GetObject", after_bytes=len(BLOB))
    assert get(url) == BLOB


def test_a_truncated_download_looks_whole(ecr: EcrEmulator, url: str) -> None:
    ecr.faults.truncate("GetObject", 10)
    assert get(url) == BLOB[:10]
    ecr.faults.truncate("GetObject", 0)
    assert get(url) == b""
    ecr.faults.truncate("GetObject", 10**9)
    assert get(url) == BLOB


def test_a_corrupt_download_differs_in_one_bit(ecr: EcrEmulator, url: str) -> None:
    ecr.faults.corrupt("GetObject")
    corrupt = get(url)
    (position,) = [number for number, (ours, theirs) in enumerate(zip(corrupt, BLOB, strict=True)) if ours != theirs]
    assert position == len(BLOB) // 2
    assert (corrupt[position] ^ BLOB[position]).bit_count() == 1


def test_faults_of_a_range_are_about_its_bytes(ecr: EcrEmulator, url: str) -> None:
    wanted = {"Range": "bytes=5-14"}
    ecr.faults.truncate("GetObject", 3)
    assert get(url, wanted) == BLOB[5:8]
    ecr.faults.corrupt("GetObject")
    assert get(url, wanted) == BLOB[5:10] + bytes([BLOB[10] ^ 1]) + BLOB[11:15]


def test_a_large_download_is_cut_where_it_was_told(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    large = sample_image(("linux/amd64",), {"data": bytes(range(256)) * 12_000})
    push(client, web, large)
    digest, blob = max(large.blobs.items(), key=lambda item: len(item[1]))
    url = client.get_download_url_for_layer(repositoryName=web, layerDigest=digest)["downloadUrl"]
    ecr.faults.cut("GetObject", after_bytes=1_500_000)
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(url)
    assert caught.value.partial == blob[:1_500_000]


def test_races_with_a_download(ecr: EcrEmulator, url: str) -> None:
    met: list[str] = []
    ecr.faults.before("GetObject", lambda: met.append("before"))
    ecr.faults.after("GetObject", lambda: met.append("after"))
    assert get(url) == get(url) == BLOB
    assert met == ["before", "after"]


def test_a_download_is_no_json(ecr: EcrEmulator) -> None:
    with pytest.raises(ValueError, match="leave the transform out"):
        ecr.faults.corrupt("GetObject", lambda answer: answer)


def test_downloads_are_recorded(ecr: EcrEmulator, url: str, layers: str) -> None:
    get(url)
    get(url, {"Range": "bytes=0-1"})
    refusal_of(url.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999"))
    whole, part, forged = ecr.requests[-3:]
    assert (whole.operation, whole.endpoint, whole.account_id, whole.region_name, whole.error_code) == (
        "GetObject",
        "downloads",
        "123456789012",
        "us-east-1",
        None,
    )
    assert whole.parameters == {"repositoryName": layers, "layerDigest": DIGEST}
    assert part.parameters == whole.parameters | {"Range": "bytes=0-1"}
    assert (forged.error_code, forged.account_id, forged.parameters) == ("SignatureDoesNotMatch", "", {})


# --- Answers of the API ---


def test_an_answer_that_is_cut(ecr: EcrEmulator, client: ECRClient, wire: Wire, layers: str) -> None:
    other = sample_image(("linux/amd64",), annotations={"version": "1"})
    ecr.faults.cut("PutImage", after_bytes=10)
    with pytest.raises(http.client.IncompleteRead) as caught:
        wire.call("PutImage", {"repositoryName": layers, "imageManifest": other.text, "imageTag": "one"})
    assert caught.value.partial == b'{"image":{'
    assert ecr.requests[-1].error_code == "ConnectionCut"
    images = client.batch_get_image(repositoryName=layers, imageIds=[{"imageTag": "one"}])["images"]
    assert images[0]["imageId"]["imageDigest"] == other.digest


def test_an_answer_that_is_truncated_or_has_a_flipped_bit(ecr: EcrEmulator, wire: Wire) -> None:
    whole = wire.call("DescribeRepositories", {}).body
    ecr.faults.truncate("DescribeRepositories", 3)
    assert wire.call("DescribeRepositories", {}).body == whole[:3]
    ecr.faults.corrupt("DescribeRepositories")
    assert sum(a != b for a, b in zip(wire.call("DescribeRepositories", {}).body, whole, strict=True)) == 1
    assert wire.call("DescribeRepositories", {}).body == whole  # the connection is still good


def test_an_error_can_be_cut_too(ecr: EcrEmulator, wire: Wire) -> None:
    ecr.faults.truncate("ListImages", 5)
    answer = wire.call("ListImages", {"repositoryName": "shop/none"})
    assert (answer.status, answer.body) == (400, b'{"__t')


# --- Which calls ---


def codes(ecr: EcrEmulator) -> list[str | None]:
    return [request.error_code for request in ecr.requests]


def test_some_calls_pass_first(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.faults.fail("DescribeRepositories", skip=2, times=2)
    for _ in range(6):
        try:
            client.describe_repositories()
        except ClientError:
            continue
    throttled = "ThrottlingException"
    assert codes(ecr) == [None, None, throttled, throttled, None, None]


def test_a_fault_that_lets_a_call_pass_leaves_it_to_the_next(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.faults.fail("DescribeRepositories", "ServerException", skip=1)
    ecr.faults.fail("DescribeRepositories", "AccessDeniedException", times=2)
    for _ in range(4):
        try:
            client.describe_repositories()
        except ClientError:
            continue
    assert codes(ecr) == ["AccessDeniedException", "ServerException", "AccessDeniedException", None]


def test_a_fault_of_one_repository(ecr: EcrEmulator, client: ECRClient, layers: str, url: str) -> None:
    client.create_repository(repositoryName="shop/other")
    ecr.faults.fail("ListImages", repository_name=layers)
    ecr.faults.fail("GetObject", repository_name="shop/other")
    client.list_images(repositoryName="shop/other")
    with pytest.raises(ClientError, match="Rate exceeded"):
        client.list_images(repositoryName=layers)
    assert get(url) == BLOB


def test_a_fault_of_one_end_point(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.faults.fail("DescribeRepositories", endpoint="registry")
    client.describe_repositories()
    ecr.faults.fail("DescribeRepositories", endpoint="api")
    with pytest.raises(ClientError, match="Rate exceeded"):
        client.describe_repositories()


def test_each_request_of_a_push_fails_in_turn(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.clear_requests()
    push(client, web, SAMPLE, "clean")
    count = len(ecr.requests)
    for number in range(count):
        client.delete_repository(repositoryName=web, force=True)
        client.create_repository(repositoryName=web)
        ecr.faults.fail("*", "ServerException", skip=number)
        with pytest.raises(client.exceptions.ServerException):
            push(client, web, SAMPLE, "v1")
        assert ecr.faults.pending == ()
    ecr.faults.fail("*", "ServerException", skip=count)
    push(ecr.client(), web, sample_image(files={"x": b"y"}), "v2")
    assert ecr.faults.pending == ()


def test_faults_that_were_not_met(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.faults.fail("PutImage", times=2, skip=1, repository_name="shop/web", endpoint="registry")
    ecr.faults.delay("DescribeRepositories", 0, times=3)
    client.describe_repositories()
    put, described = ecr.faults.pending
    assert repr(put) == (
        "Fault(fault='fail', operation='PutImage', "
        "arguments={'code': 'ThrottlingException', 'message': None, 'status': None}, "
        "times=2, skip=1, repository_name='shop/web', endpoint='registry')"
    )
    assert (described.fault, described.operation, described.times, described.skip) == (
        "delay",
        "DescribeRepositories",
        2,
        0,
    )
    ecr.faults.clear()
    assert ecr.faults.pending == ()


def test_faults_that_cannot_be(ecr: EcrEmulator) -> None:
    wrong: Any = "nowhere"
    add: Callable[[], None]
    for message, add in (
        ("0 calls pass or more", lambda: ecr.faults.fail("PutImage", skip=-1)),
        ("one of api, registry, downloads, not 'nowhere'", lambda: ecr.faults.fail("PutImage", endpoint=wrong)),
        ("'500' or 'cut', not by 'nowhere'", lambda: ecr.faults.lose("PutImage", how=wrong)),
        ("0 bytes or more", lambda: ecr.faults.truncate("PutImage", -1)),
        ("0 bytes or more", lambda: ecr.faults.cut("PutImage", after_bytes=-1)),
        ("no less than 0 seconds", lambda: ecr.faults.delay("PutImage", -1)),
        ("400 to 599, not 200", lambda: ecr.faults.fail("PutImage", status=200)),
    ):
        with pytest.raises(ValueError, match=message):
            add()
    with pytest.raises(TypeError, match="repository"):
        ecr.faults.fail("PutImage", repository="shop/web")  # type: ignore[call-arg]
    assert ecr.faults.pending == ()
