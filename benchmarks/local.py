"""What the benchmarks run against: a local ECR in another process, and an Airflow that uses it in this one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from benchmarks.settings import airflow_settings
from ecr_provider.emulator import EcrEmulator

REPOSITORY: Final = "shop/web"

_T = TypeVar("_T")


class LocalEcr:
    """A local ECR whose work, and whose interpreter lock, is another process's."""

    def __enter__(self) -> Self:
        spawn = get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,))
        self._process.start()
        theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join()

    def ask(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run a module's function, or a method, on the ``EcrEmulator`` in the other process; return its answer."""
        self._pipe.send((function, arguments))
        answer: _T = self._pipe.recv()
        return answer


def _serve(pipe: Connection[Any, Any]) -> None:
    with EcrEmulator() as ecr:
        ecr.client().create_repository(repositoryName=REPOSITORY)
        while True:
            try:
                function, arguments = pipe.recv()
            except EOFError:  # nobody asks any more
                return
            pipe.send(function(ecr, *arguments))


def endpoint_url(ecr: EcrEmulator) -> str:
    """Return where the API answers."""
    return ecr.endpoint_url


def take_calls(ecr: EcrEmulator) -> list[str]:
    """Return the operations that were called since this was asked last."""
    calls = ecr.calls
    ecr.clear_requests()
    return calls


@contextmanager
def airflow_on(ecr: LocalEcr) -> Iterator[None]:
    """Set up an Airflow, not imported yet, whose connection ``aws_default`` is the local ECR.

    Its log is written as a task's is, and then thrown away.
    """
    connection = {"AIRFLOW_CONN_AWS_DEFAULT": ecr.ask(EcrEmulator.airflow_connection_uri)}
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as home, Path(os.devnull).open("wb") as nowhere:
        os.environ |= airflow_settings(Path(home)) | connection
        from airflow.sdk.log import configure_logging

        configure_logging(json_output=True, output=nowhere, sending_to_supervisor=True)
        yield
