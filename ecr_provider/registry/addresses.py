"""Where registries are: TLS everywhere but on loopback, as with every tool of the field."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

#: Registries whose images go by another name: distribution/reference, "defaultDomain" and "legacyDefaultDomain".
_HOSTS: Final = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


def origin_of_registry(registry: str) -> str:
    """Return where a registry answers: in plain HTTP on loopback, else by TLS.

    :param registry: ``host`` or ``host:port``, as in an image reference.
    """
    host = urlsplit(f"//{registry}").hostname or ""
    return f"{'http' if is_loopback(host) else 'https'}://{_HOSTS.get(registry, registry)}"


def repository_of(registry: str, repository: str) -> str:
    """Return the repository's name in its registry, which is not always the one in an image reference.

    :param registry: as in an image reference.
    :param repository: likewise. ``docker.io/busybox`` is ``library/busybox`` there: distribution/reference,
        "officialRepoPrefix".
    """
    return f"library/{repository}" if registry in _HOSTS and "/" not in repository else repository


def origin_of(address: str) -> str:
    """Return the scheme, host and port of an address: RFC 6454."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def is_private_way(address: str) -> bool:
    """Tell whether nobody can listen on the way to an address: it is https, or http on this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine.

    :param host: a name or an address, without a port.
    """
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
