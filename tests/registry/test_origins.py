"""Credentials stay with the registry: where it sends its clients, they go without."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from http_server import Received, Reply, Server

from ecr_provider.exceptions import RegistryCallError
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.request import Request, Scope
from ecr_provider.registry.transport import Transport

Connect = Callable[..., Transport]

SCOPE = Scope("shop/web")
BASIC = f"Basic {base64.b64encode(b'me:the-password').decode()}"
ASKED = Reply(401, headers={"WWW-Authenticate": 'Basic realm="registry"'})
CONTENT = b"content"
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
UPLOADS = "/v2/shop/web/blobs/uploads/"


def get(path: str, *good: int) -> Request:
    return Request("GET", path, SCOPE, "shop/web", frozenset(good or {200}))


def to(address: str, status: int = 307) -> Reply:
    return Reply(status, b"go there", {"Location": address, "Set-Cookie": "session=1"})


def behind_basic(reply: Reply) -> Callable[[Received], Reply]:
    """Answer whoever has credentials."""
    return lambda received: reply if received.authorization == BASIC else ASKED


# --- Redirects ---


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_goes_without_credentials(
    server: Server, elsewhere: Server, connect: Connect, status: int
) -> None:
    server.on("GET", "/v2/a", behind_basic(to(f"{elsewhere.origin}/a?signature=x", status)))
    elsewhere.on("GET", "/a", Reply(body=CONTENT))
    _, body = connect().request(get("/v2/a"))
    assert body == CONTENT
    (seen,) = elsewhere.requests
    assert seen.query == [("signature", "x")]
    assert seen.headers["Authorization"] is seen.headers["Cookie"] is None
    assert seen.headers["Host"] == elsewhere.host


def test_a_redirect_within_the_registry_keeps_them(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", behind_basic(to("/v2/b")))
    server.on("GET", "/v2/b", behind_basic(to(f"{server.origin}/v2/c")))
    server.on("GET", "/v2/c", behind_basic(Reply(body=CONTENT)))
    assert connect().request(get("/v2/a"))[1] == CONTENT
    assert server.requests[-1].path == "/v2/c"


def test_credentials_do_not_follow_from_elsewhere(server: Server, elsewhere: Server, connect: Connect) -> None:
    """To the registry and back again they go, as a browser would send them; but never in between."""
    server.on("GET", "/v2/a", behind_basic(to(f"{elsewhere.origin}/a")))
    elsewhere.on("GET", "/a", to(f"{elsewhere.origin}/b"))
    elsewhere.on("GET", "/b", Reply(body=CONTENT))
    connect().request(get("/v2/a"))
    assert [each.authorization for each in elsewhere.requests] == [None, None]


def test_another_name_of_the_same_server_is_another_origin(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", behind_basic(to(f"http://localhost:{server.port}/v2/b")))
    server.on("GET", "/v2/b", Reply(body=CONTENT))
    connect().request(get("/v2/a"))
    assert server.requests[-1].authorization is None


def test_headers_other_than_credentials_are_kept(server: Server, elsewhere: Server, connect: Connect) -> None:
    server.on("GET", f"/v2/shop/web/blobs/{BLOB.digest}", to(f"{elsewhere.origin}/a"))
    elsewhere.on("GET", "/a", Reply(206, CONTENT[2:]))
    download = RegistryRepository(connect(), "shop/web").download(BLOB, 2)
    assert download.read(100) == CONTENT[2:]
    assert elsewhere.requests[0].headers["Range"] == "bytes=2-"
    download.close()


@pytest.mark.parametrize("address", ["http://registry.test/a?token=secret", "ftp://127.0.0.1/a", "file:///etc/passwd"])
def test_a_redirect_that_others_can_listen_to_is_not_followed(
    server: Server, elsewhere: Server, connect: Connect, address: str
) -> None:
    server.on("GET", "/v2/a", to(address))
    with pytest.raises(RegistryCallError, match="not followed") as caught:
        connect(proxies={"http": elsewhere.origin}).request(get("/v2/a"))
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)
    assert elsewhere.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("address", ["http://[::1", "http://127.0.0.1:port/", "http://[x]/", "http://127.0.0.1:99999/"])
def test_a_redirect_to_nonsense_is_a_registrys_failure(server: Server, connect: Connect, address: str) -> None:
    server.on("GET", "/v2/a", to(address))
    with pytest.raises(RegistryCallError):
        connect().request(get("/v2/a"))


def test_a_loop_ends(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", to("/v2/b"))
    server.on("GET", "/v2/b", to("/v2/a"))
    with pytest.raises(RegistryCallError, match="more than 5 times") as caught:
        connect().request(get("/v2/a"))
    assert not caught.value.retryable
    assert len(server.requests) == 5


def test_a_redirect_without_an_address_ends(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", Reply(307))
    with pytest.raises(RegistryCallError, match="not followed"):
        connect().request(get("/v2/a"))


def test_what_changes_something_is_not_sent_elsewhere(server: Server, elsewhere: Server, connect: Connect) -> None:
    server.on("PUT", "/v2/a", to(f"{elsewhere.origin}/a"))
    with pytest.raises(RegistryCallError, match="HTTP 307"):
        connect().request(Request("PUT", "/v2/a", SCOPE, "shop/web", frozenset({201}), body=CONTENT))
    assert elsewhere.requests == []


# --- Uploads ---


def test_an_upload_at_another_origin_gets_no_credentials(
    server: Server, elsewhere: Server, repository: RegistryRepository
) -> None:
    server.on("POST", UPLOADS, behind_basic(Reply(202, headers={"Location": f"{elsewhere.origin}/up?signature=x"})))
    elsewhere.on("PUT", "/up", Reply(201))
    elsewhere.on("DELETE", "/up", Reply(204))
    upload = repository.begin_upload(BLOB)
    assert upload
    upload.send(BLOB, [CONTENT])
    upload.cancel()
    put, delete = elsewhere.requests
    assert put.query == [("signature", "x"), ("digest", str(BLOB.digest))]
    assert put.body == CONTENT
    assert put.authorization is delete.authorization is None


def test_another_origin_that_asks_for_credentials_gets_none(
    server: Server, elsewhere: Server, repository: RegistryRepository
) -> None:
    server.on("POST", UPLOADS, behind_basic(Reply(202, headers={"Location": f"{elsewhere.origin}/up"})))
    elsewhere.on("PUT", "/up", ASKED)
    upload = repository.begin_upload(BLOB)
    assert upload
    with pytest.raises(RegistryCallError, match="HTTP 401"):
        upload.send(BLOB, [CONTENT])
    assert [each.authorization for each in elsewhere.requests] == [None]


def test_an_upload_that_others_could_listen_to_is_not_sent(server: Server, elsewhere: Server, connect: Connect) -> None:
    server.on("POST", UPLOADS, Reply(202, headers={"Location": "http://registry.test/up?signature=x"}))
    repository = RegistryRepository(connect(proxies={"http": elsewhere.origin}), "shop/web")
    with pytest.raises(RegistryCallError) as caught:  # noqa: PT012 - which of the two is not said
        upload = repository.begin_upload(BLOB)
        assert upload
        upload.send(BLOB, [CONTENT])
    assert not caught.value.retryable
    assert elsewhere.requests == []


@pytest.mark.parametrize("location", ["up/1?state=x", "/v2/shop/web/blobs/uploads/up/1?state=x"])
def test_an_upload_in_the_registry_itself(server: Server, repository: RegistryRepository, location: str) -> None:
    server.on("POST", UPLOADS, behind_basic(Reply(202, headers={"Location": location})))
    server.on("PUT", f"{UPLOADS}up/1", behind_basic(Reply(201)))
    upload = repository.begin_upload(BLOB)
    assert upload
    upload.send(BLOB, [CONTENT])
    assert server.requests[-1].query == [("state", "x"), ("digest", str(BLOB.digest))]


# --- The registry's own origin ---


def test_connect_to_leads_to_another_origin_that_is_taken_for_the_registry(server: Server, connect: Connect) -> None:
    transport = connect("registry.test", connect_to=server.origin)
    server.on("GET", "/v2/a", behind_basic(to("https://registry.test/v2/b?c=d")))
    server.on("GET", "/v2/b", behind_basic(Reply(body=CONTENT)))
    assert transport.request(get("/v2/a"))[1] == CONTENT
    assert [each.headers["Host"] for each in server.requests] == ["registry.test"] * 3
    assert server.requests[-1].query == [("c", "d")]


def test_a_registry_that_takes_itself_for_one_without_tls_is_asked_by_tls_all_the_same(
    server: Server, connect: Connect
) -> None:
    """Many a proxy ends TLS, and the registry behind it writes http into the addresses of its uploads."""
    repository = RegistryRepository(connect("registry.test", connect_to=server.origin), "shop/web")
    server.on("POST", UPLOADS, behind_basic(Reply(202, headers={"Location": "http://registry.test/up?state=x"})))
    server.on("PUT", "/up", behind_basic(Reply(201)))
    upload = repository.begin_upload(BLOB)
    assert upload
    upload.send(BLOB, [CONTENT])
    assert server.requests[-1].path == "/up"
    assert server.requests[-1].authorization == BASIC


def test_every_request_says_who_asks(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", Reply(body=CONTENT))
    connect().request(get("/v2/a"))
    assert server.requests[0].headers["User-Agent"].startswith("airflow-provider-ecr/")
    assert server.requests[0].headers["Accept-Encoding"] in (None, "identity")
