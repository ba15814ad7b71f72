"""PostgreSQL and Redis, Debian's, on loopback, with all that they write in a folder that is gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from full_airflow import free_port

_PATIENCE = 30  # seconds until a service answers
_USER = "airflow"


@contextmanager
def postgresql() -> Iterator[str]:
    """Serve an empty database; yield its URL, for SQLAlchemy."""
    program = _newest_postgresql()
    port = free_port()
    with _folder() as folder, (folder / "log").open("wb") as log:
        how: dict[str, Any] = {"cwd": folder, "stdout": log, "stderr": log} | _unprivileged(folder)
        data = folder / "data"
        subprocess.run(
            [program / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync", "--encoding=UTF8"],
            check=True,
            **how,
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            # What is lost with the machine is lost with the test.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with _running([program / "postgres", "-D", data, *options], **how):
            _wait([program / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], folder / "log")
            yield f"postgresql+psycopg2://{_USER}@127.0.0.1:{port}/postgres"


@contextmanager
def redis() -> Iterator[str]:
    """Serve an empty Redis; yield its URL, without the number of a database."""
    port = free_port()
    with _folder() as folder, (folder / "log").open("wb") as log:
        settings = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
        with _running(["redis-server", *settings], stdout=log, stderr=log):
            _wait(["redis-cli", "-p", str(port), "ping"], folder / "log")
            yield f"redis://127.0.0.1:{port}"


@contextmanager
def _running(command: list[Any], **how: Any) -> Iterator[None]:
    with subprocess.Popen(command, **how) as process:
        try:
            yield
        finally:
            process.kill()


def _wait(command: list[Any], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while subprocess.run(command, capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)


def _newest_postgresql() -> Path:
    """Find the programs that Debian keeps off the path, since it can have several versions of them."""
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return max(found, key=lambda each: int(each.parent.name))


def _unprivileged(folder: Path) -> dict[str, Any]:
    """Return how to run as somebody who is not root, which PostgreSQL refuses to be; make the folder theirs."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def _folder() -> Iterator[Path]:
    # pytest's own folders are closed to other users.
    folder = tempfile.mkdtemp(prefix="service-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
