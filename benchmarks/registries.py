"""Registries to measure with, each in a process of its own: Debian's ``docker-registry``, and the local ECR."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import sysconf
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final
from urllib.request import urlopen

import boto3

from benchmarks.certificate import Certificate

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

REPOSITORY: Final = "shop/web"

_SETTLED: Final = 0.05  # seconds: a server writes of a request in its log once it has answered


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that runs.

    :param host: where it listens, ``127.0.0.1:5000``.
    :param count_requests: says how many requests there were so far.
    :param credentials: what to log in with, as ``user:password``.
    :param certificate: that which it shows, if it speaks TLS.
    """

    process: subprocess.Popen[str]
    host: str
    count_requests: Callable[[], int]
    credentials: str = ""
    certificate: Certificate | None = None

    @property
    def is_ecr(self) -> bool:
        """Whether it is the local ECR."""
        return bool(self.credentials)

    def memory(self, which: str) -> float:
        """Return the process's memory in MB: ``VmRSS`` is that of now, ``VmHWM`` the most so far."""
        found = re.search(rf"{which}:\s+(\d+) kB", self._of_process("status"))
        return int(found[1]) / 1000 if found else 0.0

    def cpu(self) -> float:
        """Return the processor time so far, in seconds: ``utime`` and ``stime`` of proc(5)."""
        fields = self._of_process("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / sysconf("SC_CLK_TCK")

    def traffic(self) -> tuple[int, int]:
        """Return the bytes that were read and written so far, from and to sockets and files: ``io`` of proc(5).

        Only of ``docker-registry``: what Python receives and sends is not in it.
        """
        read, written = re.findall(r"[rw]char: (\d+)", self._of_process("io"))
        return int(read), int(written)

    def requests(self) -> int:
        """Return the number of requests so far."""
        time.sleep(_SETTLED)
        return self.count_requests()

    def _of_process(self, what: str) -> str:
        return Path(f"/proc/{self.process.pid}/{what}").read_text()


@contextmanager
def local_ecr(data_dir: Path, *repositories: str) -> Iterator[Registry]:
    """Run a local ECR, and remove its data in the end.

    :param data_dir: where to keep the data.
    :param repositories: what to create in it; by default one.
    """
    command = [sys.executable, "-m", "ecr_provider.emulator", "--port", "0", "--data-dir", str(data_dir)]
    with _running(command, data_dir, subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        host = process.stdout.readline().split("http://")[1].split()[0]
        client = ecr_client(host)
        for name in repositories or (REPOSITORY,):
            client.create_repository(repositoryName=name)
        (token,) = client.get_authorization_token()["authorizationData"]
        credentials = b64decode(token["authorizationToken"]).decode()
        yield Registry(process, host, lambda: _journaled(host), credentials)


@contextmanager
def docker_registry(
    data_dir: Path, certificate: Certificate | None = None, storage: Path | None = None
) -> Iterator[Registry]:
    """Run Debian's ``docker-registry``, and remove its data in the end.

    :param data_dir: where to keep the data.
    :param certificate: what to show; by default there is no TLS.
    :param storage: where the images are, if they are another registry's, too.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    tls = {"tls": {"certificate": certificate.path, "key": certificate.key}} if certificate else {}
    settings = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(storage or data_dir)}},
        "http": {"addr": host, **tls},
    }
    data_dir.mkdir()
    (data_dir / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    log = data_dir / "access.log"
    command = ["docker-registry", "serve", str(data_dir / "config.yml")]
    with log.open("w") as output, _running(command, data_dir, output) as process:
        wait_for(host)
        yield Registry(process, host, lambda: log.read_bytes().count(b"\n"), certificate=certificate)


def ecr_client(host: str) -> ECRClient:
    """Return a client of a local ECR."""
    client: ECRClient = boto3.client(
        "ecr",
        "us-east-1",
        endpoint_url=f"http://{host}",
        aws_access_key_id="123456789012",
        aws_secret_access_key="emulator",  # noqa: S106 - no secret
    )
    return client


def wait_for(host: str) -> None:
    """Wait until something listens."""
    address, _, port = host.partition(":")
    for _ in range(200):
        with suppress(OSError), socket.create_connection((address, int(port))):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing answers at {host}")


@contextmanager
def _running(command: list[str], data_dir: Path, output: int | IO[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a server, and remove its data in the end."""
    with subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
    shutil.rmtree(data_dir)


def _journaled(host: str) -> int:
    """Count the requests in the local ECR's journal, page by page."""
    last, before = 0, -1
    while last != before:
        with urlopen(f"http://{host}/_emulator/requests?after={last}") as answer:
            last, before = json.load(answer)["last"], last
    return last
