"""What is tried again and what is not; and that nothing that is secret is told."""

from __future__ import annotations

import itertools
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from http_server import Reply, Server

from ecr_provider.exceptions import (
    CopyStoppedError,
    RegistryAccessDeniedError,
    RegistryCallError,
    RegistryNotFoundError,
    RegistryUnavailableError,
)
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.patience import Patience
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.request import Request, Scope
from ecr_provider.registry.transport import Transport

Connect = Callable[..., Transport]

SCOPE = Scope("shop/web")
GOOD = Reply(body=b"good")
MIB = 1024 * 1024


def get(path: str = "/v2/a") -> Request:
    return Request("GET", path, SCOPE, "shop/web:v1", frozenset({200}))


# --- Tried again ---


@pytest.mark.parametrize(
    "failure",
    [
        Reply(408),
        Reply(429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'),
        Reply(500, b"<html>oops"),
        Reply(502),
        Reply(503, headers={"Retry-After": "0"}),
        Reply(504),
        Reply(cut=0),
        Reply(body=b"good", cut=2),
    ],
    ids=["408", "429", "500", "502", "503", "504", "no answer", "half an answer"],
)
def test_what_may_pass_is_tried_again(server: Server, connect: Connect, failure: Reply) -> None:
    server.on("GET", "/v2/a", failure, failure, GOOD)
    assert connect().request(get())[1] == b"good"
    assert len(server.requests) == 3


def test_the_last_failure_is_told(server: Server, connect: Connect) -> None:
    said = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'
    server.on("GET", "/v2/a", Reply(429, said, {"Retry-After": "0"}))
    with pytest.raises(RegistryUnavailableError, match=r"GET /v2/a of shop/web:v1 failed: TOOMANYREQUESTS: slow down"):
        connect().request(get())
    assert len(server.requests) == 4


def test_how_long_to_wait_is_the_registrys_to_say(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", Reply(429, headers={"Retry-After": "1"}), GOOD)
    waits: list[float] = []

    class Impatient(Patience):
        def sleep(self, seconds: float) -> None:
            waits.append(seconds)

    connect(patience=Impatient(first_wait=0.001)).request(get())
    assert waits == [1.0]


@pytest.mark.parametrize("told", ["soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "1.5", ""])
def test_a_time_to_wait_that_is_no_number_of_seconds(server: Server, connect: Connect, told: str) -> None:
    server.on("GET", "/v2/a", Reply(503, headers={"Retry-After": told}), GOOD)
    assert connect().request(get())[1] == b"good"


def test_a_port_where_nobody_listens() -> None:
    with Server() as gone:
        host = gone.host
    transport = Transport(host, _Nobody(), Patience(tries=2, first_wait=0.001))
    with pytest.raises(RegistryUnavailableError, match="could not be made") as caught:
        transport.request(get())
    assert caught.value.retryable


class _Nobody:
    """Say nothing."""

    def header(self, scope: Scope) -> None:
        return None

    def answer(self, *_: object) -> None:
        return None


# --- Not tried again ---


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RegistryCallError),
        (401, RegistryAccessDeniedError),
        (403, RegistryAccessDeniedError),
        (404, RegistryNotFoundError),
        (405, RegistryCallError),
        (413, RegistryCallError),
        (204, RegistryCallError),
    ],
)
def test_a_refusal_is_taken_at_once(
    server: Server, connect: Connect, status: int, error: type[RegistryCallError]
) -> None:
    server.on("GET", "/v2/a", Reply(status, b'{"errors":[{"code":"X","message":"no"}]}' if status != 204 else b""))
    with pytest.raises(error, match=f"HTTP {status}") as caught:
        connect().request(get())
    assert (caught.value.status, caught.value.operation, caught.value.retryable) == (status, "GET /v2/a", False)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"errors":[]}', b'{"errors":["x"]}', b'{"errors":[{}]}', b"null", b"\xff\xfe", b"<html>"],
)
def test_a_refusal_in_any_words(server: Server, connect: Connect, body: bytes) -> None:
    server.on("GET", "/v2/a", Reply(400, body))
    with pytest.raises(RegistryCallError, match="HTTP 400"):
        connect().request(get())


def test_a_long_refusal_is_cut(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", Reply(400, b'{"errors":[{"code":"X","message":"%s"}]}' % (b"no" * 5000)))
    with pytest.raises(RegistryCallError) as caught:
        connect().request(get())
    assert len(str(caught.value)) < 1000


def test_what_is_opened_is_tried_once(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", Reply(503), GOOD)
    with pytest.raises(RegistryUnavailableError):
        connect().open(get())
    assert len(server.requests) == 1


# --- Silence, and no end ---


def test_a_registry_that_falls_silent(server: Server, connect: Connect) -> None:
    over = threading.Event()
    server.on("GET", "/v2/a", Reply(body=b"good", wait=lambda: over.wait(5)), GOOD)
    assert connect(timeout=(5, 0.3)).request(get())[1] == b"good"
    over.set()
    assert len(server.requests) == 2


def test_a_download_that_falls_silent(server: Server, connect: Connect) -> None:
    over = threading.Event()

    def halting() -> Iterator[bytes]:
        yield b"go"
        over.wait(5)
        yield b"od"

    blob = Descriptor("application/octet-stream", Digest.of(b"good"), 4)
    server.on("GET", f"/v2/shop/web/blobs/{blob.digest}", Reply(body=halting(), length=4))
    download = RegistryRepository(connect(timeout=(5, 0.3)), "shop/web").download(blob)
    with pytest.raises(RegistryUnavailableError, match="silent"):  # noqa: PT012 - it breaks at some read
        while download.read(2):
            pass
    over.set()
    download.close()


def test_a_narrow_line_is_no_silence(server: Server, connect: Connect) -> None:
    """All of it takes longer than the limit, but no buffer does."""
    server.slowness = 0.008
    content = bytes(12 * MIB)
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    server.on("POST", "/v2/shop/web/blobs/uploads/", Reply(202, headers={"Location": "/up"}))
    server.on("PUT", "/up", Reply(201))
    upload = RegistryRepository(connect(timeout=(0.7, 10)), "shop/web").begin_upload(blob)
    assert upload
    upload.send(blob, (content[at : at + MIB] for at in range(0, len(content), MIB)))
    assert len(server.requests[-1].body) == len(content)


def test_time_that_is_over_ends_the_tries(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", Reply(503))
    with pytest.raises(CopyStoppedError):
        connect(patience=Patience(0.05, tries=1000, first_wait=0.01)).request(get())


@pytest.mark.parametrize("status", [200, 404, 307])
@pytest.mark.timeout(20)
def test_an_answer_without_an_end_is_not_read_to_its_end(server: Server, connect: Connect, status: int) -> None:
    endless = itertools.repeat(bytes(MIB), 400)
    server.on("GET", "/v2/a", Reply(status, endless, {"Location": "/v2/b"}, length=400 * MIB))
    server.on("GET", "/v2/b", GOOD)
    with suppress(RegistryCallError):
        connect(patience=Patience(tries=1)).request(get())
    assert server.sent < 100 * MIB


# --- Secrets ---


def test_nothing_secret_is_told(
    server: Server, elsewhere: Server, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """No password, no token, and no query, in which signatures and tokens of uploads are."""
    caplog.set_level(logging.DEBUG)
    challenge = f'Bearer realm="{elsewhere.origin}/token?realm-secret=1",service="registry"'
    elsewhere.on("GET", "/token", Reply(body=b'{"token":"the-token"}'))
    server.on("GET", "/v2/a", Reply(401, headers={"WWW-Authenticate": challenge}), Reply(503), Reply(404))
    elsewhere.on("GET", "/b", Reply(403, b"no"))
    server.on("GET", "/v2/b", Reply(307, headers={"Location": f"{elsewhere.origin}/b?signature=query-secret"}))
    server.on("GET", "/v2/c", Reply(307, headers={"Location": "http://registry.test/?signature=query-secret"}))
    server.on("GET", "/v2/d", Reply(cut=0))
    transport = connect()
    seen = [repr(transport)]
    for path in ("/v2/a", "/v2/b", "/v2/c", "/v2/d?state=query-secret"):
        with pytest.raises(RegistryCallError) as caught:
            transport.request(get(path))
        error = caught.value
        seen += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    told = "\n".join([*seen, caplog.text])
    assert server.requests[1].authorization == "Bearer the-token"
    for secret in ("the-password", "the-token", "query-secret", "realm-secret", "bWU6dGhlLXBhc3N3b3Jk"):
        assert secret not in told


def test_a_request_hides_its_credentials() -> None:
    request = Request("GET", "/v2/a", SCOPE, "shop/web", frozenset({200}), authorization="Basic secret")
    assert "secret" not in repr(request)
