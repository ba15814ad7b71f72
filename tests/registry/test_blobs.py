"""Blobs: asked for, read in parts, uploaded, mounted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from http_server import Received, Reply, Server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecr_provider.exceptions import (
    DigestMismatchError,
    RangeIgnoredError,
    RegistryCallError,
    RegistryNotFoundError,
    RegistryUnavailableError,
)
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.registry.repository import Download, RegistryRepository
from ecr_provider.registry.transport import Transport

Connect = Callable[..., Transport]

CONTENT = os.urandom(200_000)
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
EMPTY = Descriptor("application/octet-stream", Digest.of(b""), 0)
PATH = f"/v2/shop/web/blobs/{BLOB.digest}"
UPLOADS = "/v2/shop/web/blobs/uploads/"
BEGUN = Reply(202, headers={"Location": f"{UPLOADS}1?state=x"})


def ranged(received: Received) -> Reply:
    """Answer as a registry that keeps to the ranges that it is asked for."""
    if (asked := received.headers["Range"]) is None:
        return Reply(body=CONTENT)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    if int(first) >= len(CONTENT):
        return Reply(416)
    stop = int(last) + 1 if last else len(CONTENT)
    return Reply(206, CONTENT[int(first) : stop])


def all_of(download: Download, size: int = 65536) -> bytes:
    chunks = iter(lambda: download.read(size), b"")
    content = b"".join(chunks)
    download.close()
    return content


# --- Asking ---


def test_whether_a_blob_is_there_takes_no_body(server: Server, repository: RegistryRepository) -> None:
    assert not repository.has_blob(BLOB)
    server.on("HEAD", PATH, Reply(length=len(CONTENT)))
    assert repository.has_blob(BLOB)
    assert {each.method for each in server.requests} == {"HEAD"}


def test_a_blob_of_another_size_is_another_blob(server: Server, repository: RegistryRepository) -> None:
    server.on("HEAD", PATH, Reply(length=len(CONTENT) - 1))
    assert not repository.has_blob(BLOB)


def test_a_failure_does_not_mean_that_a_blob_is_missing(server: Server, repository: RegistryRepository) -> None:
    server.on("HEAD", PATH, Reply(403))
    with pytest.raises(RegistryCallError):
        repository.has_blob(BLOB)


# --- Downloads ---


def test_a_whole_blob(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", PATH, ranged)
    assert all_of(repository.download(BLOB)) == CONTENT
    assert server.requests[0].headers["Range"] is None


@given(start=st.integers(0, len(CONTENT) - 1), length=st.none() | st.integers(1, len(CONTENT)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_a_part_of_a_blob(server: Server, repository: RegistryRepository, start: int, length: int | None) -> None:
    server.on("GET", PATH, ranged)
    stop = None if length is None else min(start + length, len(CONTENT))
    assert all_of(repository.download(BLOB, start, stop)) == CONTENT[start:stop]


def test_a_part_where_the_blob_is_at_another_place(
    server: Server, elsewhere: Server, repository: RegistryRepository
) -> None:
    server.on("GET", PATH, Reply(307, headers={"Location": f"{elsewhere.origin}/blob?signature=x"}))
    elsewhere.on("GET", "/blob", ranged)
    assert all_of(repository.download(BLOB, 5, 10)) == CONTENT[5:10]


def test_a_range_that_is_ignored_is_told(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", PATH, Reply(body=CONTENT))
    for part in ((1, None), (0, 10), (5, 10)):
        with pytest.raises(RangeIgnoredError, match="ignores the header Range") as caught:
            repository.download(BLOB, *part)
        assert not caught.value.retryable


def test_a_part_beyond_the_end(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", PATH, ranged)
    with pytest.raises(RegistryCallError) as caught:
        repository.download(BLOB, len(CONTENT))
    assert caught.value.status == 416
    assert not caught.value.retryable


def test_a_blob_that_is_not_there(repository: RegistryRepository) -> None:
    with pytest.raises(RegistryNotFoundError):
        repository.download(BLOB)


@pytest.mark.parametrize("cut", [1, 1000, len(CONTENT) - 1])
def test_a_download_that_is_cut(server: Server, repository: RegistryRepository, cut: int) -> None:
    server.on("GET", PATH, Reply(body=CONTENT, cut=cut))
    download, read = repository.download(BLOB), b""
    with pytest.raises(RegistryUnavailableError, match="broke"):  # noqa: PT012 - it breaks at some read
        while chunk := download.read(65536):
            read += chunk
    assert CONTENT.startswith(read)
    download.close()


def test_connections_are_used_again(server: Server, repository: RegistryRepository) -> None:
    ports = set()

    def noting(received: Received) -> Reply:
        ports.add(received.client_port)
        return Reply(body=CONTENT)

    server.on("GET", PATH, noting)
    for _ in range(3):
        assert all_of(repository.download(BLOB)) == CONTENT
    assert len(ports) == 1


def test_what_is_closed_early_is_not_used_again(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", PATH, Reply(body=CONTENT))
    download = repository.download(BLOB)
    assert download.read(10) == CONTENT[:10]
    download.close()
    assert all_of(repository.download(BLOB)) == CONTENT


def test_bytes_are_not_unpacked(server: Server, repository: RegistryRepository) -> None:
    """A layer is gzip as it is; whatever stands in between may say so in a header."""
    server.on("GET", PATH, Reply(body=CONTENT, headers={"Content-Encoding": "gzip"}))
    assert all_of(repository.download(BLOB)) == CONTENT


# --- Uploads ---


def test_an_upload_is_one_request_that_names_digest_and_length(server: Server, repository: RegistryRepository) -> None:
    server.on("POST", UPLOADS, BEGUN)
    server.on("PUT", f"{UPLOADS}1", Reply(201))
    upload = repository.begin_upload(BLOB)
    assert upload
    upload.send(BLOB, iter([CONTENT[:1000], CONTENT[1000:]]))
    post, put = server.requests
    assert (post.query, post.body) == ([], b"")
    assert put.query == [("state", "x"), ("digest", str(BLOB.digest))]
    assert put.body == CONTENT
    assert put.headers["Content-Length"] == str(len(CONTENT))
    assert put.headers["Transfer-Encoding"] is None
    assert put.headers["Content-Type"] == "application/octet-stream"


def test_an_upload_of_nothing(server: Server, repository: RegistryRepository) -> None:
    server.on("POST", UPLOADS, BEGUN)
    server.on("PUT", f"{UPLOADS}1", Reply(201))
    upload = repository.begin_upload(EMPTY)
    assert upload
    upload.send(EMPTY, iter([]))
    assert server.requests[-1].query[-1] == ("digest", str(EMPTY.digest))
    assert server.requests[-1].headers["Content-Length"] == "0"


def test_what_the_source_says_breaks_an_upload_off(server: Server, repository: RegistryRepository) -> None:
    server.on("POST", UPLOADS, BEGUN)
    server.on("PUT", f"{UPLOADS}1", Reply(201))

    def broken() -> Iterator[bytes]:
        yield CONTENT[:1000]
        raise DigestMismatchError("not the same", expected="a", actual="b")

    upload = repository.begin_upload(BLOB)
    assert upload
    with pytest.raises(DigestMismatchError):
        upload.send(BLOB, broken())
    assert not any(each.is_whole for each in server.asked("PUT"))
    assert repository.begin_upload(BLOB)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"other"}]}'), RegistryCallError),
        (Reply(404), RegistryNotFoundError),
        (Reply(202), RegistryCallError),
        (Reply(503), RegistryUnavailableError),
        (Reply(cut=0), RegistryUnavailableError),
    ],
)
def test_an_upload_is_sent_once(
    server: Server, repository: RegistryRepository, answer: Reply, error: type[RegistryCallError]
) -> None:
    server.on("POST", UPLOADS, BEGUN)
    server.on("PUT", f"{UPLOADS}1", answer, Reply(201))
    upload = repository.begin_upload(BLOB)
    assert upload
    with pytest.raises(error):
        upload.send(BLOB, [CONTENT])
    assert len(server.asked("PUT")) == 1


def test_beginning_an_upload_is_tried_again(server: Server, repository: RegistryRepository) -> None:
    server.on("POST", UPLOADS, Reply(503), Reply(cut=0), BEGUN)
    assert repository.begin_upload(BLOB)


def test_an_upload_without_an_address(server: Server, repository: RegistryRepository) -> None:
    server.on("POST", UPLOADS, Reply(202))
    with pytest.raises(RegistryUnavailableError, match="without a Location"):
        repository.begin_upload(BLOB)


@pytest.mark.parametrize("answer", [Reply(204), Reply(404), Reply(405), Reply(501), Reply(cut=0)])
def test_an_upload_is_cancelled_if_the_registry_can(
    server: Server, repository: RegistryRepository, answer: Reply
) -> None:
    server.on("POST", UPLOADS, BEGUN)
    server.on("DELETE", f"{UPLOADS}1", answer)
    upload = repository.begin_upload(BLOB)
    assert upload
    upload.cancel()
    assert len(server.asked("DELETE")) == 1


# --- Mounts ---


def test_a_mount(server: Server, repository: RegistryRepository) -> None:
    server.on("POST", UPLOADS, Reply(201, headers={"Location": PATH}))
    assert repository.begin_upload(BLOB, "shop/base & co") is None
    assert server.requests[0].query == [("mount", str(BLOB.digest)), ("from", "shop/base & co")]


def test_a_mount_that_is_declined_is_an_upload(server: Server, repository: RegistryRepository) -> None:
    server.on("POST", UPLOADS, BEGUN)
    server.on("PUT", f"{UPLOADS}1", Reply(201))
    upload = repository.begin_upload(BLOB, "shop/base")
    assert upload
    upload.send(BLOB, [CONTENT])
    assert server.requests[-1].body == CONTENT
