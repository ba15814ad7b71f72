"""Debian's ``docker-registry``: a registry that nobody here wrote."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from certificates import Certificate

USER, PASSWORD = "me", "registry-password"
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuux7DVfxfgfXTmp/9Tsk6HzX2QQGjxePG\n"


@contextmanager
def docker_registry(
    folder: Path, *, with_password: bool = False, certificate: Certificate | None = None, **settings: Any
) -> Iterator[str]:
    """Run a registry with its data in a folder; yield its ``host:port``.

    :param with_password: let nobody in but ``USER``.
    :param certificate: speak TLS, with this.
    :param settings: more of its configuration, such as ``auth``.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    if with_password:
        (folder / "htpasswd").write_text(_HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "registry", "path": str(folder / "htpasswd")}}
    tls = {"tls": {"certificate": str(certificate.path), "key": str(certificate.key_path)}} if certificate else {}
    configuration = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": host, **tls},
        **settings,
    }
    (folder / "config.yml").write_text(json.dumps(configuration))  # JSON is YAML
    command = ["docker-registry", "serve", str(folder / "config.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(host)
            yield host
        finally:
            process.terminate()


def _wait_for(host: str) -> None:
    address, _, port = host.partition(":")
    for _ in range(400):
        with suppress(OSError), socket.create_connection((address, int(port))):
            return
        time.sleep(0.025)
    raise TimeoutError(f"nothing answers at {host}")
