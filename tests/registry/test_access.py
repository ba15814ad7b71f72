"""Who one is, said only when asked: Basic, and tokens of a token service."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from http_server import Received, Reply, Server

from ecr_provider.exceptions import (
    EcrProviderError,
    RegistryAccessDeniedError,
    RegistryCallError,
    RegistryUnavailableError,
)
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.patience import Patience
from ecr_provider.registry.auth import ChallengedAuthorizer, Credentials
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.request import Request, Scope
from ecr_provider.registry.transport import Transport

Connect = Callable[..., Transport]

BASIC = f"Basic {base64.b64encode(b'me:the-password').decode()}"
GOOD = Reply(body=b"good")


def get(path: str = "/v2/a", scope: Scope | None = None) -> Request:
    return Request("GET", path, scope or Scope("shop/web"), "shop/web", frozenset({200}))


def asking(challenge: str) -> Reply:
    return Reply(401, headers={"WWW-Authenticate": challenge})


class TokenService:
    """A registry whose answers take a token, and the service that gives them."""

    def __init__(self, registry: Server, service: Server, **answer: object) -> None:
        self.answer = answer
        self.refused: set[str] = set()
        self.given = 0
        self.challenge = f'Bearer realm="{service.origin}/token",service="registry.example"'
        service.on("GET", "/token", self._give)
        for path in ("/v2/a", "/v2/b"):
            registry.on("GET", path, self.guard(GOOD))

    def _give(self, _: Received) -> Reply:
        self.given += 1
        token = {"token": f"token-{self.given}", "expires_in": 300, **self.answer}
        return Reply(body=json.dumps({name: value for name, value in token.items() if value is not None}).encode())

    def guard(self, reply: Reply) -> Callable[[Received], Reply]:
        def answer(received: Received) -> Reply:
            token = (received.authorization or "").removeprefix("Bearer ")
            known = {f"token-{number}" for number in range(1, self.given + 1)} - self.refused
            return reply if token in known else asking(self.challenge)

        return answer


@pytest.fixture
def tokens(server: Server, elsewhere: Server) -> TokenService:
    return TokenService(server, elsewhere)


# --- Basic ---


def test_nothing_is_said_before_the_registry_asks(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", GOOD)
    connect().request(get())
    assert server.requests[0].authorization is None


def test_basic_is_said_when_asked_and_from_then_on(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", asking('Basic realm="registry"'), GOOD)
    transport = connect()
    for _ in range(2):
        assert transport.request(get())[1] == b"good"
    assert [each.authorization for each in server.requests] == [None, BASIC, BASIC]


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", 'Negotiate\nBasic realm="x"'])
def test_a_scheme_in_any_case_and_among_others(server: Server, connect: Connect, scheme: str) -> None:
    server.on("GET", "/v2/a", asking(scheme), GOOD)
    assert connect().request(get())[1] == b"good"


def test_a_password_that_is_refused_is_not_sent_again(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", asking('Basic realm="registry"'))
    with pytest.raises(RegistryAccessDeniedError, match="Check the credentials"):
        connect().request(get())
    assert [each.authorization for each in server.requests] == [None, BASIC]


@pytest.mark.parametrize("challenge", ["Negotiate", "Basic", ""])
def test_nobody_has_nothing_to_say(server: Server, connect: Connect, challenge: str) -> None:
    server.on("GET", "/v2/a", asking(challenge))
    with pytest.raises(RegistryAccessDeniedError):
        connect(authorizer=ChallengedAuthorizer()).request(get())
    assert [each.authorization for each in server.requests] == [None]


def test_a_password_is_never_shown() -> None:
    credentials = Credentials("me", "the-password")
    assert "the-password" not in repr(credentials)
    assert credentials.basic == BASIC


def test_a_password_of_any_characters() -> None:
    assert Credentials("me", "pä:ß").basic == f"Basic {base64.b64encode('me:pä:ß'.encode()).decode()}"


# --- Tokens ---


@pytest.mark.usefixtures("tokens")
def test_a_token_is_asked_for_by_service_and_scope(server: Server, elsewhere: Server, connect: Connect) -> None:
    assert connect().request(get())[1] == b"good"
    (asked,) = elsewhere.requests
    assert asked.query == [("service", "registry.example"), ("scope", "repository:shop/web:pull")]
    assert asked.authorization == BASIC
    assert [each.authorization for each in server.requests] == [None, "Bearer token-1"]


@pytest.mark.usefixtures("tokens")
def test_nobody_gets_a_token_too(elsewhere: Server, connect: Connect) -> None:
    assert connect(authorizer=ChallengedAuthorizer()).request(get())[1] == b"good"
    assert elsewhere.requests[0].authorization is None


@pytest.mark.usefixtures("tokens")
def test_a_mount_needs_both_repositories(elsewhere: Server, connect: Connect) -> None:
    connect().request(get(scope=Scope("shop/web", "pull,push", "shop/base")))
    assert elsewhere.requests[0].query[1:] == [
        ("scope", "repository:shop/web:pull,push"),
        ("scope", "repository:shop/base:pull"),
    ]


def test_a_realm_with_a_query_keeps_it(elsewhere: Server, connect: Connect, tokens: TokenService) -> None:
    tokens.challenge = f'Bearer realm="{elsewhere.origin}/token?tenant=1",service="registry.example"'
    connect().request(get())
    assert elsewhere.requests[0].query[:2] == [("tenant", "1"), ("service", "registry.example")]


@pytest.mark.parametrize("answer", [{"token": None, "access_token": "token-1"}, {"access_token": "token-0"}])
def test_a_token_under_either_name(
    server: Server, elsewhere: Server, connect: Connect, answer: dict[str, object]
) -> None:
    TokenService(server, elsewhere, **answer)
    connect().request(get())
    assert server.requests[-1].authorization == "Bearer token-1"


def test_a_token_is_kept_for_its_scope(server: Server, connect: Connect, tokens: TokenService) -> None:
    transport = connect()
    for path in ("/v2/a", "/v2/b", "/v2/a"):
        transport.request(get(path))
    transport.request(get("/v2/a", Scope("shop/web", "pull,push")))
    assert tokens.given == 2
    assert len(server.requests) == 6


def test_a_token_is_renewed_before_it_ends(
    connect: Connect, tokens: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, now = connect(), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    transport.request(get())
    for later, given in ((285, 1), (295, 2), (1000, 3)):
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        transport.request(get())
        assert tokens.given == given


@pytest.mark.parametrize("life", [None, 0, 5, "30"])
def test_a_token_is_good_for_a_minute_at_least(
    server: Server, elsewhere: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch, life: object
) -> None:
    tokens = TokenService(server, elsewhere, expires_in=life)
    transport, now = connect(), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    transport.request(get())
    monkeypatch.setattr(time, "monotonic", lambda: now + 45)
    transport.request(get())
    assert tokens.given == 1


def test_a_token_that_the_registry_refuses_is_replaced(server: Server, connect: Connect, tokens: TokenService) -> None:
    transport = connect()
    transport.request(get())
    tokens.refused.add("token-1")
    transport.request(get())
    assert [each.authorization for each in server.requests[1:]] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]


def test_a_token_that_is_refused_at_once_is_not_asked_for_without_end(
    server: Server, connect: Connect, tokens: TokenService
) -> None:
    server.on("GET", "/v2/a", lambda _: asking(tokens.challenge))
    with pytest.raises(RegistryAccessDeniedError):
        connect().request(get())
    assert tokens.given == 1
    assert len(server.requests) == 2


def test_many_threads_ask_for_one_token(
    server: Server, elsewhere: Server, connect: Connect, tokens: TokenService
) -> None:
    gate = threading.Barrier(8)

    def refused_together(received: Received) -> Reply:
        if received.authorization is None:
            gate.wait(10)
            return asking(tokens.challenge)
        return GOOD

    server.on("GET", "/v2/a", refused_together)
    transport = connect()
    with ThreadPoolExecutor(8) as threads:
        assert [answer[1] for answer in threads.map(lambda _: transport.request(get()), range(8))] == [b"good"] * 8
    assert tokens.given == len(elsewhere.requests) == 1


def test_an_upload_goes_on_when_its_token_ends_in_between(
    server: Server, connect: Connect, tokens: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes can be sent once only, so that it may take another attempt; but that has to be allowed."""
    content = b"content"
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    server.on("POST", "/v2/shop/web/blobs/uploads/", tokens.guard(Reply(202, headers={"Location": "/up"})))
    server.on("PUT", "/up", tokens.guard(Reply(201)))
    repository, later = RegistryRepository(connect(), "shop/web"), iter([295, 295])
    now = time.monotonic()

    def attempt() -> None:
        upload = repository.begin_upload(blob)
        assert upload
        offset = next(later, 600)
        monkeypatch.setattr(time, "monotonic", lambda: now + offset)
        upload.send(blob, iter([content]))

    Patience(tries=3, first_wait=0.001).call(attempt)
    assert server.requests[-1].authorization
    assert server.requests[-1].body == content


# --- Services that are none ---


@pytest.mark.parametrize(
    "realm", ["http://tokens.test/token?secret=1", "", "tokens", "ftp://tokens.test/", "http://[::1"]
)
def test_a_password_goes_nowhere_where_others_can_listen(
    server: Server, elsewhere: Server, connect: Connect, realm: str
) -> None:
    server.on("GET", "/v2/a", asking(f'Bearer realm="{realm}",service="registry.example"'))
    with pytest.raises(RegistryCallError) as caught:
        connect(proxies={"http": elsewhere.origin}).request(get())
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)
    assert elsewhere.requests == []
    assert len(server.requests) == 1


def test_a_challenge_without_a_realm(server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", asking("Bearer"))
    with pytest.raises(RegistryAccessDeniedError):
        connect().request(get())


def test_a_token_service_that_redirects_elsewhere_does_not_take_the_password_there(
    server: Server, elsewhere: Server, connect: Connect
) -> None:
    challenge = f'Bearer realm="http://localhost:{elsewhere.port}/token",service="x"'
    server.on("GET", "/v2/a", asking(challenge), GOOD)
    elsewhere.on("GET", "/token", Reply(307, headers={"Location": f"{elsewhere.origin}/other"}))
    elsewhere.on("GET", "/other", Reply(body=b'{"token":"t"}'))
    connect().request(get())
    assert [each.authorization for each in elsewhere.requests] == [BASIC, None]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"token",
        b'"token"',
        b'{"token":""}',
        b'{"token":null}',
        b'{"token":7}',
        b'{"token":"t","expires_in":"soon"}',
        b'{"token":"t","expires_in":[]}',
        b'{"token":"a\\r\\nX: y"}',
        b"\xff",
    ],
)
def test_an_answer_without_a_token_is_a_failure(
    server: Server, elsewhere: Server, connect: Connect, body: bytes
) -> None:
    server.on("GET", "/v2/a", asking(f'Bearer realm="{elsewhere.origin}/token",service="x"'))
    elsewhere.on("GET", "/token", Reply(body=body))
    with pytest.raises(EcrProviderError):
        connect().request(get())


def test_a_service_that_fails_is_asked_again(elsewhere: Server, connect: Connect, tokens: TokenService) -> None:
    elsewhere.on("GET", "/token", Reply(503), Reply(cut=0), tokens._give)
    assert connect().request(get())[1] == b"good"
    assert len(elsewhere.requests) == 3


@pytest.mark.usefixtures("tokens")
def test_a_service_that_refuses_is_not_asked_again(elsewhere: Server, connect: Connect) -> None:
    elsewhere.on("GET", "/token", Reply(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"no such user"}]}'))
    with pytest.raises(RegistryAccessDeniedError, match="no such user"):
        connect().request(get())
    assert len(elsewhere.requests) == 1


def test_a_life_that_is_no_number_of_seconds_is_told_as_such(
    server: Server, elsewhere: Server, connect: Connect
) -> None:
    server.on("GET", "/v2/a", asking(f'Bearer realm="{elsewhere.origin}/token",service="x"'))
    elsewhere.on("GET", "/token", Reply(body=b'{"token":"the-token","expires_in":"soon"}'))
    with pytest.raises(RegistryUnavailableError, match="no token") as caught:
        connect().request(get())
    assert "the-token" not in str(caught.value)
