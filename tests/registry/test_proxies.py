"""Proxies: those of the connection, else those of the environment; none on the way to this machine."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pipes import join
from typing import Any

import pytest
from certificates import Certificate, self_signed
from http_server import Reply, Server

from ecr_provider.exceptions import RegistryUnavailableError
from ecr_provider.registry.request import Request, Scope
from ecr_provider.registry.transport import Transport

Connect = Callable[..., Transport]

GET = Request("GET", "/v2/a", Scope("shop/web"), "shop/web", frozenset({200}))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("certificates"), "registry.test")


@pytest.fixture
def secure(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The registry "registry.test", which only the proxy can find."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate.path))
    with Server(certificate.tls) as running:
        running.on("GET", "/v2/a", Reply(body=b"good"))
        yield running


class Proxy:
    """A proxy that leads whatever it is asked for to one server."""

    def __init__(self, to: Server) -> None:
        self.asked: list[tuple[str, str | None]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                owner.asked.append((self.path, self.headers["Proxy-Authorization"]))
                self.send_response(200)
                self.end_headers()
                join(self.connection, to.port)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its base's name
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.block_on_close = False
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self.address = f"http://{self.host}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def proxy(secure: Server) -> Iterator[Proxy]:
    with closing(Proxy(secure)) as running:
        yield running


def test_a_proxy_that_is_named(proxy: Proxy, connect: Connect) -> None:
    assert connect("registry.test", proxies={"https": proxy.address}).request(GET)[1] == b"good"
    assert proxy.asked == [("registry.test:443", None)]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_of_the_environment(
    proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.address)
    assert connect("registry.test").request(GET)[1] == b"good"
    assert proxy.asked == [("registry.test:443", None)]


@pytest.mark.parametrize("exception", ["registry.test", ".test", "*", "other.test,registry.test"])
def test_what_the_environment_excepts(
    proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch, exception: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)
    monkeypatch.setenv("NO_PROXY", exception)
    assert connect()._proxy_for("https://registry.test/v2/a") is None
    assert connect()._proxy_for("https://elsewhere.example/") == (None if exception == "*" else proxy.address)


def test_a_mapping_without_the_scheme_means_none(
    proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)
    assert connect(proxies={})._proxy_for("https://registry.test/v2/a") is None


def test_the_environments_proxy_for_the_other_scheme_is_not_used(
    proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.address)
    assert connect()._proxy_for("https://registry.test/v2/a") is None


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_no_proxy_on_the_way_to_this_machine(
    server: Server, proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.address)
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)
    server.on("GET", "/v2/a", Reply(body=b"good"))
    registry = f"{name}:{server.port}"
    assert connect(registry).request(GET)[1] == b"good"
    assert connect(registry, proxies={"http": proxy.address}).request(GET)[1] == b"good"
    assert connect("registry.test", connect_to=server.origin).request(GET)[1] == b"good"
    assert proxy.asked == []


@pytest.mark.parametrize("from_environment", [True, False])
def test_a_proxy_that_wants_a_name_and_a_password(
    proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch, from_environment: bool
) -> None:
    address = f"http://me:p%40ss@{proxy.host}"
    monkeypatch.setenv("HTTPS_PROXY", address)
    settings = {} if from_environment else {"proxies": {"https": address}}
    assert connect("registry.test", **settings).request(GET)[1] == b"good"
    assert proxy.asked == [("registry.test:443", f"Basic {base64.b64encode(b'me:p@ss').decode()}")]


def test_a_proxy_that_is_not_there(connect: Connect) -> None:
    with Server() as gone:
        address = f"http://me:proxy-secret@{gone.host}"
    with pytest.raises(RegistryUnavailableError) as caught:
        connect("registry.test", proxies={"https": address}).request(GET)
    assert "proxy-secret" not in f"{caught.value} {caught.value.__cause__!r}"
