"""The emulator as a process of its own: ``python -m ecr_provider.emulator``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from emulator_calls import ONCE, OWN

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

COMMAND = (sys.executable, "-m", "ecr_provider.emulator", "--port", "0")


@dataclass(frozen=True)
class EmulatorProcess:
    """An emulator that runs.

    :param said: the lines that it began with.
    """

    process: subprocess.Popen[str]
    said: list[str]

    @property
    def url(self) -> str:
        return address_in(self.said[0])

    def client(self) -> ECRClient:
        """Return a client of the default account."""
        client: ECRClient = boto3.client(
            "ecr",
            "us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=OWN,
            aws_secret_access_key="any",
            config=ONCE,
        )
        return client

    def stop(self) -> None:
        """Tell it to stop, and wait until it has."""
        self.process.terminate()
        self.process.wait(timeout=20)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.kill()


@contextmanager
def emulator_process(*arguments: str) -> Iterator[EmulatorProcess]:
    """Run the command, on a free port; wait until it is ready, and kill it in the end."""
    pipe, environment = subprocess.PIPE, os.environ | {"PYTHONWARNINGS": "error"}
    with subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        assert process.stdout
        assert process.stderr
        try:
            said = [process.stdout.readline().rstrip("\n") for _ in range(3)]
            assert said[-1], process.stderr.read()
            yield EmulatorProcess(process, said)
        finally:
            process.kill()


def refused_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself; return what it said."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=20, check=False)


def address_in(line: str) -> str:
    """Find the address in what it says."""
    return next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
