"""What keeps other people's web pages out: a browser on this machine reaches loopback, too."""

from __future__ import annotations

from urllib.parse import urlsplit

from ecr_provider.emulator.serving.server import Handler, is_loopback


def objection(http: Handler) -> str | None:
    """Say why a request is not answered, or return None.

    A page whose name was made to mean 127.0.0.1 (DNS rebinding) is known by the ``Host`` that it asks for, and a
    page of another site by its ``Origin``.
    """
    hosts, origin = http.headers.get_all("Host", []), http.headers.get("Origin")
    host = ", ".join(hosts)
    if len(hosts) != 1 or not _is_local(host):
        return f"the host {host!r} is no name of this machine: ask 127.0.0.1 or localhost"
    if origin not in (None, f"http://{host}"):
        return f"pages of {origin!r} may not ask this: use a program, or the page of the emulator itself"
    return None


def objection_to_origin(http: Handler) -> str | None:
    """Say why a call is not answered, or return None: it was made by a page of another site.

    Browsers say whose page it is with every POST, and programs never do. The host is not looked at: an API has
    names of its own.
    """
    origin = http.headers.get("Origin")
    if origin is None or _is_local(origin.partition("://")[2]):
        return None
    return f"pages of {origin!r} may not ask this: use a program"


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name.endswith(".localhost")  # RFC 6761, 6.3
