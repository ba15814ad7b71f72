"""Bodies as clients really send them: in chunks, after a question, without an end, and too large for the memory."""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import struct
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from emulator_process import emulator_process
from hypothesis import given
from hypothesis import strategies as st
from registry_client import RegistryClient, authorization_of, digest_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.errors import ConnectionCutError, EcrError
from ecr_provider.emulator.serving.body import Body

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MIB = 1024 * 1024


# --- The encoding ---


def chunked(chunks: list[bytes]) -> bytes:
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 70), st.booleans())
def test_a_body_is_read_to_its_end_and_not_beyond(chunks: list[bytes], size: int, in_chunks: bool) -> None:
    whole = b"".join(chunks)
    file = io.BytesIO((chunked(chunks) if in_chunks else whole) + b"NEXT")
    body, buffer, read = Body(file, None if in_chunks else len(whole), None), memoryview(bytearray(size)), b""
    while count := body.readinto(buffer):
        read += buffer[:count]
    assert (read, body.taken, body.at_end, file.read()) == (whole, len(whole), True, b"NEXT")


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=8), st.data())
def test_a_body_that_breaks_off(chunks: list[bytes], data: st.DataObject) -> None:
    sent = chunked(chunks)
    file = io.BytesIO(sent[: data.draw(st.integers(0, len(sent) - 3))])
    with pytest.raises((ConnectionCutError, EcrError)):
        Body(file, None, None).read(1000)


@pytest.mark.parametrize("sent", [b"x\r\n", b"\r\n", b"-1\r\n", b"1\r\nab\r\n", b"f" * 30 + b"\r\n", b"1" * 5000])
def test_chunks_that_are_none(sent: bytes) -> None:
    body = Body(io.BytesIO(sent + b"0\r\n\r\n"), None, None)
    with pytest.raises(EcrError, match="SerializationException"):
        body.read(10)
    assert not Body(io.BytesIO(sent + b"0\r\n\r\n"), None, None).drain()


def test_trailers_are_skipped() -> None:
    file = io.BytesIO(b"1\r\na\r\n0\r\nName: value\r\n\r\nNEXT")
    assert Body(file, None, None).read(10) == b"a"
    assert file.read() == b"NEXT"


# --- Uploads ---


def test_an_upload_in_chunks(registry: RegistryClient, web: str) -> None:
    parts = [os.urandom(100_000) for _ in range(20)]
    address, digest = registry.begin(web), digest_of(b"".join(parts))
    assert registry.ask("PATCH", address, iter(parts)).headers["Range"] == "0-1999999"
    assert registry.ask("PUT", f"{address}?digest={digest}", iter([])).status == 201
    address = registry.begin(web)
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'last')}", iter([b"la", b"st"])).status == 201


def test_what_is_refused_is_read_all_the_same(registry: RegistryClient, web: str) -> None:
    """So that the client, which reads the answer once it has sent everything, is not cut off."""
    body = bytes(8 * MIB)
    assert registry.ask("PATCH", f"/v2/{web}/blobs/uploads/none", body).error[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.ask("PATCH", f"/v2/{web}/blobs/uploads/none", iter([body]), Authorization=None).status == 401
    assert registry.ask("GET", "/v2/").status == 200


class Socket:
    """A connection on which a request's bytes are sent one by one."""

    def __init__(self, registry: RegistryClient, address: str, *headers: str) -> None:
        host, port = registry.host.split(":")
        self.connection = socket.create_connection((host, int(port)), timeout=10)
        lines = (f"PATCH {address} HTTP/1.1", f"Authorization: {registry.authorization}", *headers)
        self.send("\r\n".join((*lines, "", "")).encode())

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self) -> str:
        return self.connection.recv(65536).decode()

    def reset(self) -> None:
        """Close the connection as a process does that is killed with bytes unread."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def test_a_client_that_asks_first(registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    with Socket(registry, address, "Content-Length: 5", "Expect: 100-continue") as client:
        assert client.receive() == "HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"layer")
        assert client.receive().startswith("HTTP/1.1 201 ")


def test_a_client_that_asks_first_is_refused_before_it_sends(registry: RegistryClient, web: str) -> None:
    """Whether it sends its body now is not known, so the connection ends."""
    with Socket(registry, f"/v2/{web}/blobs/uploads/none", "Content-Length: 5", "Expect: 100-continue") as client:
        answer = client.receive()
        assert answer.startswith("HTTP/1.1 404 ")
        assert "Connection: close\r\n" in answer


def received(registry: RegistryClient, address: str) -> str:
    """Tell how far an upload is."""
    return str(registry.ask("GET", address).headers["Range"])


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("head", ["Content-Length: 2000000", "Transfer-Encoding: chunked"])
def test_a_client_that_breaks_off(
    ecr: EcrEmulator, registry: RegistryClient, web: str, head: str, reset: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of its part counts, as with S3; what was acknowledged before does."""
    ecr.limits.smallest_layer_part = 1
    address = registry.begin(web)
    registry.ask("PATCH", address, b"before ")
    with Socket(registry, address, head) as client:
        client.send(b"f4240\r\n" + bytes(MIB))
        if reset:
            client.reset()
    assert received(registry, address) == "0-6"
    assert registry.ask("PATCH", address, b"after").status == 201
    assert registry.ask("PUT", f"{address}?digest={digest_of(b'before after')}").status == 201
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("after_bytes", [None, 0, MIB, 3 * MIB])
def test_a_fault_cuts_a_part(ecr: EcrEmulator, registry: RegistryClient, web: str, after_bytes: int | None) -> None:
    """While it comes in; then it does not count."""
    address = registry.begin(web)
    ecr.faults.cut("UploadLayerPart", after_bytes=after_bytes)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        registry.ask("PATCH", address, bytes(8 * MIB))
    registry.close()
    assert ecr.requests[-1].error_code == "ConnectionCut"
    assert received(registry, address) == "0-0"
    assert registry.ask("PATCH", address, b"layer").status == 201


def test_a_fault_harms_a_manifest(ecr: EcrEmulator, registry: RegistryClient, layers: str) -> None:
    path = f"/v2/{layers}/manifests/zero"
    whole = registry.ask("GET", path).body
    ecr.faults.truncate("BatchGetImage", 10)
    assert registry.ask("GET", path).body == whole[:10]
    ecr.faults.cut("BatchGetImage", after_bytes=10)
    with pytest.raises(http.client.IncompleteRead):
        registry.ask("GET", path)


def test_broken_chunks(ecr: EcrEmulator, registry: RegistryClient, web: str) -> None:
    address = registry.begin(web)
    with Socket(registry, address, "Transfer-Encoding: chunked") as client:
        client.send(b"nonsense\r\n")
        answer = client.receive()
        assert answer.startswith("HTTP/1.1 400 ")
        assert "Connection: close\r\n" in answer
    assert ecr.requests[-1].error_code == "SerializationException"


@pytest.mark.parametrize("head", ["Transfer-Encoding: gzip", "Content-Length: x", f"Content-Length: {'9' * 30}"])
def test_bodies_that_cannot_be_read(registry: RegistryClient, web: str, head: str) -> None:
    with Socket(registry, registry.begin(web), head) as client:
        assert re.match("HTTP/1.1 41[13] ", client.receive())


def test_a_slow_part_holds_nobody_up(client: ECRClient, registry: RegistryClient, web: str) -> None:
    addresses = [registry.begin(web) for _ in range(100)]
    with Socket(registry, addresses[0], "Content-Length: 5") as slow:
        slow.send(b"la")
        for address in addresses[1:]:
            assert registry.ask("PATCH", address, b"layer").status == 201
        assert client.describe_images(repositoryName=web)["imageDetails"] == []
        slow.send(b"yer")
        assert slow.receive().startswith("HTTP/1.1 201 ")


def test_an_upload_whose_repository_goes_away(client: ECRClient, registry: RegistryClient, web: str) -> None:
    with Socket(registry, registry.begin(web), "Content-Length: 5") as upload:
        upload.send(b"la")
        client.delete_repository(repositoryName=web)
        upload.send(b"yer")
        assert upload.receive().startswith("HTTP/1.1 404 ")


def test_memory_stays_flat(tmp_path: Path) -> None:
    """A layer that is much larger than what the server may grow by comes in, in one request."""
    size, piece = 256, os.urandom(MIB)
    hashed = sha256()
    for _ in range(size):
        hashed.update(piece)
    with emulator_process("--data-dir", str(tmp_path)) as server:
        client = server.client()
        client.create_repository(repositoryName="shop/web")
        registry = RegistryClient(server.url, authorization_of(client))
        registry.upload("shop/web", piece)
        before = most_resident(server.process.pid)
        address = registry.begin("shop/web")
        assert registry.ask("PATCH", address, (piece for _ in range(size))).status == 201
        assert registry.ask("PUT", f"{address}?digest=sha256:{hashed.hexdigest()}").status == 201
        assert most_resident(server.process.pid) - before < 8 * MIB
        registry.close()
        client.close()


def most_resident(pid: int) -> int:
    """Return the most bytes that a process had in memory so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024
