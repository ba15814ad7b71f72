"""TLS is verified, by the system's authorities or by one that is named."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from pipes import join

import pytest
from certificates import Certificate, self_signed
from http_server import Reply, Server

from ecr_provider.exceptions import RegistryCallError, RegistryUnavailableError
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.request import Request, Scope
from ecr_provider.registry.transport import Transport

Connect = Callable[..., Transport]

GET = Request("GET", "/v2/a", Scope("shop/web"), "shop/web", frozenset({200}))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(certificate: Certificate) -> Iterator[Server]:
    """A registry by TLS, with a certificate that no authority of the system signed."""
    with Server(certificate.tls) as running:
        running.on("GET", "/v2/a", Reply(body=b"good"))
        yield running


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Server, connect: Connect) -> None:
    with pytest.raises(RegistryCallError, match=r"(?i)certificate.*name its CA by verify") as caught:
        connect("registry.test", connect_to=secure.origin).request(GET)
    assert not caught.value.retryable
    assert secure.requests == []


def test_the_authority_that_is_named_is_trusted(secure: Server, connect: Connect, certificate: Certificate) -> None:
    transport = connect("registry.test", connect_to=secure.origin, verify=str(certificate.path))
    assert transport.request(GET)[1] == b"good"
    assert secure.requests[0].headers["Host"] == "registry.test"


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_the_authority_of_the_environment_is_trusted(
    secure: Server, connect: Connect, certificate: Certificate, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate.path))
    for verify in (None, True):
        assert connect("registry.test", connect_to=secure.origin, verify=verify).request(GET)[1] == b"good"


def test_the_authority_that_is_named_comes_before_the_environments(
    secure: Server, connect: Connect, certificate: Certificate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(self_signed(tmp_path, "other.test").path))
    with pytest.raises(RegistryCallError, match="certificate"):
        connect("registry.test", connect_to=secure.origin).request(GET)
    transport = connect("registry.test", connect_to=secure.origin, verify=str(certificate.path))
    assert transport.request(GET)[1] == b"good"


def test_a_certificate_of_another_name_is_refused(secure: Server, connect: Connect, certificate: Certificate) -> None:
    here = f"https://localhost:{secure.port}"
    with pytest.raises(RegistryCallError, match="certificate"):
        connect("registry.test", connect_to=here, verify=str(certificate.path)).request(GET)


@pytest.mark.usefixtures("insecure")
def test_verification_can_be_turned_off(secure: Server, connect: Connect) -> None:
    assert connect("registry.test", connect_to=secure.origin, verify=False).request(GET)[1] == b"good"


def test_blobs_elsewhere_are_verified_too(secure: Server, server: Server, connect: Connect) -> None:
    server.on("GET", "/v2/a", Reply(307, headers={"Location": f"{secure.origin}/v2/a"}))
    with pytest.raises(RegistryCallError, match="certificate"):
        connect().request(GET)


def test_a_bundle_that_is_not_there(secure: Server, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(RegistryCallError):
        connect("registry.test", connect_to=secure.origin, verify=str(tmp_path / "missing.pem")).request(GET)


# --- Broken, and mended ---


class Breaking:
    """A door before a server by TLS, which cuts the first connections.

    :param times: how many.
    :param after: how many bytes of the client to take before.
    """

    def __init__(self, to: Server, times: int, after: int) -> None:
        self._to, self._left, self._after = to, times, after
        self._door = socket.create_server(("127.0.0.1", 0))
        self.origin = f"https://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        self._left -= 1
        limit = self._after if self._left >= 0 else None
        if limit == 0:
            client.close()
        else:
            join(client, self._to.port, limit)

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


@pytest.fixture
def breaking(secure: Server) -> Iterator[Callable[..., str]]:
    doors: list[Breaking] = []

    def made(times: int, after: int) -> str:
        doors.append(Breaking(secure, times, after))
        return doors[-1].origin

    yield made
    for door in doors:
        door.close()


def test_a_handshake_that_is_cut_is_tried_again(
    secure: Server, connect: Connect, certificate: Certificate, breaking: Callable[..., str]
) -> None:
    origin = breaking(2, 0)
    assert connect("registry.test", connect_to=origin, verify=str(certificate.path)).request(GET)[1] == b"good"
    assert len(secure.requests) == 1


def test_an_upload_that_is_cut_may_be_tried_again(
    secure: Server, connect: Connect, certificate: Certificate, breaking: Callable[..., str]
) -> None:
    content = bytes(16 * 1024 * 1024)
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    secure.on("POST", "/v2/shop/web/blobs/uploads/", Reply(202, headers={"Location": "/up"}))
    secure.on("PUT", "/up", Reply(201))
    origin = breaking(1, 1024 * 1024)
    repository = RegistryRepository(
        connect("registry.test", connect_to=origin, verify=str(certificate.path)), "shop/web"
    )
    upload = repository.begin_upload(blob)
    assert upload
    with pytest.raises(RegistryUnavailableError) as caught:
        upload.send(blob, (content[at : at + 65536] for at in range(0, len(content), 65536)))
    assert caught.value.retryable
    upload.send(blob, [content])
    assert secure.requests[-1].is_whole


def test_a_peer_that_ends_the_encryption_in_between_may_be_tried_again(connect: Connect) -> None:
    """OpenSSL says ``SSLEOFError`` or the like, which says nothing of the certificate."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        origin = f"https://127.0.0.1:{door.getsockname()[1]}"

        def half_a_handshake() -> None:
            for _ in range(2):
                client, _ = door.accept()
                client.recv(10)
                client.sendall(b"\x16\x03\x03\x40\x00")  # a record's head, of a body that never comes
                client.shutdown(socket.SHUT_WR)
                client.recv(65536)
                client.close()

        thread = threading.Thread(target=half_a_handshake, daemon=True)
        thread.start()
        transport = connect("registry.test", connect_to=origin)
        with pytest.raises(RegistryCallError) as caught:
            transport.open(GET)
        assert caught.value.retryable, ssl.OPENSSL_VERSION
        with pytest.raises(RegistryUnavailableError):
            transport.open(GET)
        thread.join()
