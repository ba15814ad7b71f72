"""The credentials that ``docker login`` left on this machine, for those who call from a shell.

Source: Docker CLI reference, "docker login", "Credential stores" and "Credential helper protocol".
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.registry.auth import Credentials

_DOCKER_HUB: Final = "https://index.docker.io/v1/"  # as Docker files it
_PATIENCE: Final = 30  # seconds for a helper to answer


def stored_credentials(registry: str) -> Credentials | None:
    """Return what Docker's configuration has for a registry, from its file or by its helper; ``None``: nothing.

    :param registry: ``host`` or ``host:port``.
    :raises InvalidInputError: the file cannot be read.
    """
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        configuration: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}. Mend it, or set DOCKER_CONFIG.") from error
    name = _DOCKER_HUB if registry in ("docker.io", "index.docker.io") else registry
    helper = configuration.get("credHelpers", {}).get(name) or configuration.get("credsStore")
    return (_from_helper(helper, name) if helper else None) or _from_file(configuration, name)


def _from_file(configuration: dict[str, Any], name: str) -> Credentials | None:
    entries = configuration.get("auths", {})
    entry = entries.get(name) or entries.get(f"https://{name}") or {}
    try:
        username, colon, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(username, password) if colon else None


def _from_helper(helper: str, name: str) -> Credentials | None:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own configuration names it
            [f"docker-credential-{helper}", "get"],
            input=name.encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        answer = json.loads(done.stdout)
        return Credentials(answer["Username"], answer["Secret"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None  # it has none, or is not there: the registry will say what that means
