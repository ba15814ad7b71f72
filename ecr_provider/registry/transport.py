"""HTTP to one registry: connections that are kept, proxies, TLS, credentials, redirects, further tries.

urllib3 does the work. What is added is what registries need on top: a challenge is answered (``auth``), a redirect is
followed without the credentials, and a failure says whether another try may help.

Source: OCI distribution-spec 1.1, "API"; RFC 9110 for what a status means.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from ecr_provider import __version__
from ecr_provider.exceptions import RegistryCallError
from ecr_provider.oci.quoting import quote
from ecr_provider.patience import Patience
from ecr_provider.registry.addresses import is_loopback, is_private_way, origin_of, origin_of_registry
from ecr_provider.registry.auth import Authorizer
from ecr_provider.registry.failures import (
    failure_of,
    is_expiry,
    lost,
    malformed,
    refused_elsewhere,
    refused_redirect,
    replaced_credentials,
)
from ecr_provider.registry.request import Request

Answer = urllib3.BaseHTTPResponse

CONNECT_SECONDS: Final = 30
"""How long it may take to connect, or to send one buffer: urllib3 has one limit for both."""

STALL_SECONDS: Final = 60
"""How long a connection may be silent before it counts as lost."""

_UNAUTHORIZED: Final = 401
_CHUNK: Final = 64 * 1024  # bytes
_LARGEST_ANSWER: Final = 8 * 1024 * 1024  # bytes of what is read at once: twice the largest manifest
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_IDLE_CONNECTIONS: Final = 32


def _hide_signatures(record: logging.LogRecord) -> bool:
    """Keep queries out of urllib3's log, which writes every address at DEBUG: in S3's, the query is the permission."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


logging.getLogger("urllib3.connectionpool").addFilter(_hide_signatures)


class Transport:
    """Connections to one registry, for any number of threads.

    :param registry: ``host`` or ``host:port``. On loopback it speaks plain HTTP, elsewhere TLS.
    :param authorizer: who knows the credentials.
    :param patience: how to wait between tries.
    :param connect_to: the origin to connect to instead of the registry's own, such as ``http://127.0.0.1:5555``; the
        registry is still the one that is named there.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. By default the bundle that
        ``AWS_CA_BUNDLE`` or ``REQUESTS_CA_BUNDLE`` names, else the system's.
    :param proxies: the proxy for each scheme; by default those of the environment, with its exceptions.
    :param timeout: how long it may take to connect, and how long a connection may be silent, in seconds.
    """

    def __init__(
        self,
        registry: str,
        authorizer: Authorizer,
        patience: Patience,
        *,
        connect_to: str | None = None,
        verify: bool | str | None = None,
        proxies: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = (CONNECT_SECONDS, STALL_SECONDS),
    ) -> None:
        self.registry = registry
        self._authorizer = authorizer
        self._patience = patience
        self._origin = origin_of_registry(registry)
        self._connect_to = connect_to
        self._tls = _tls_settings(verify)
        self._own_proxies = proxies
        self._timeout = urllib3.Timeout(connect=timeout[0], read=timeout[1])
        self._managers: dict[str | None, urllib3.PoolManager] = {}

    def request(self, request: Request) -> tuple[Answer, bytes]:
        """Make a request that may be repeated, and read the answer.

        :return: the answer, and its body.
        :raises RegistryCallError: the registry's refusal, or its last failure.
        """
        return self._patience.call(lambda: self._read(request))

    def open(self, request: Request) -> Answer:
        """Make a request once, and leave the answer's body to be read.

        :raises RegistryCallError: the registry's refusal or failure.
        """
        # An upload that the registry sent elsewhere has its permission in its address.
        sent = self._authorizer.header(request.scope) if self._is_ours(request) else None
        answer, is_here = self._followed(replace(request, authorization=sent))
        if answer.status in request.good:
            return answer
        failure = failure_of(request, answer, _reason_of(request, answer))
        if not is_here:
            raise refused_elsewhere(request, failure)
        better = self._better(request, answer, failure, sent)
        if better is None:
            raise failure
        if not request.can_be_repeated:
            raise replaced_credentials(request) from failure
        answer, _ = self._followed(replace(request, authorization=better))
        if answer.status in request.good:
            return answer
        raise failure_of(request, answer, _reason_of(request, answer))

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for manager in self._managers.values():
            manager.clear()

    def _read(self, request: Request) -> tuple[Answer, bytes]:
        answer = self.open(request)
        return answer, _body_of(request, answer)

    def _better(self, request: Request, answer: Answer, failure: RegistryCallError, sent: str | None) -> str | None:
        """Return what else to say to a registry that did not take what was said, if there is anything."""
        if not (answer.status == _UNAUTHORIZED or is_expiry(failure)) or not self._is_ours(request):
            return None
        challenges = answer.headers.getlist("WWW-Authenticate")
        better = self._authorizer.answer(challenges, request.scope, sent, self._fetch)
        return None if better == sent else better

    def _fetch(self, request: Request) -> bytes:
        """Ask a token service, wherever the registry says that it is."""
        answer, _ = self._followed(request)
        if answer.status in request.good:
            return _body_of(request, answer)
        raise failure_of(request, answer, _reason_of(request, answer))

    def _followed(self, request: Request) -> tuple[Answer, bool]:
        """Send a request, and follow redirects: to another origin without what only the first may know.

        :return: the answer, and whether it is of the origin that was asked.
        """
        address = first = resolved(request, self._origin, request.address)
        for _ in range(_MOST_REDIRECTS):
            is_first = origin_of(address) == origin_of(first)
            authorization = request.authorization if is_first else None
            answer = self._sent(replace(request, address=address, authorization=authorization))
            if answer.status not in _REDIRECTS or request.method not in ("GET", "HEAD"):
                return answer, is_first
            _body_of(request, answer)
            address = resolved(request, address, answer.headers.get("Location", ""))
        raise refused_redirect(request, f"more than {_MOST_REDIRECTS} times")

    def _sent(self, request: Request) -> Answer:
        headers = {"User-Agent": f"airflow-provider-ecr/{__version__}", **request.headers}
        if request.authorization is not None:
            headers["Authorization"] = request.authorization
        address = request.address
        if self._is_here(address):
            # A registry behind a proxy may take itself for one without TLS in the addresses that it gives.
            address = (self._connect_to or self._origin) + address.removeprefix(origin_of(address))
            headers["Host"] = urlsplit(self._origin).netloc
        if not is_private_way(address):
            raise refused_redirect(request, f"to {quote(origin_of(address))}, which is no https")
        try:
            return self._manager_for(address).urlopen(
                request.method,
                address,
                body=request.body,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            raise lost(request, error) from error

    def _is_ours(self, request: Request) -> bool:
        """Tell whether a request goes to the registry itself, which alone may know the credentials."""
        return self._is_here(resolved(request, self._origin, request.address))

    def _is_here(self, address: str) -> bool:
        return urlsplit(address).netloc == urlsplit(self._origin).netloc

    def _manager_for(self, address: str) -> urllib3.PoolManager:
        proxy = self._proxy_for(address)
        if proxy not in self._managers:
            settings: dict[str, Any] = {
                "maxsize": _IDLE_CONNECTIONS,
                "timeout": self._timeout,
                **self._tls,
            }
            made = _proxied(proxy, settings) if proxy else urllib3.PoolManager(**settings)
            self._managers.setdefault(proxy, made)
        return self._managers[proxy]

    def _proxy_for(self, address: str) -> str | None:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if is_loopback(host):
            return None
        if self._own_proxies is not None:
            return self._own_proxies.get(parts.scheme)
        return None if proxy_bypass(host) else getproxies().get(parts.scheme)


def resolved(request: Request, base: str, address: str) -> str:
    """Return the whole of an address that a registry gave.

    :param request: what was asked, for messages.
    :param base: what the address may be relative to.
    :param address: the address.
    :raises RegistryUnavailableError: it is none.
    """
    try:
        whole = urljoin(base, address)
        _ = urlsplit(whole).port
    except ValueError as error:
        raise malformed(request, f"{quote(address)} is no address") from error
    return whole


def _proxied(proxy: str, settings: dict[str, Any]) -> urllib3.ProxyManager:
    user, at, _ = urlsplit(proxy).netloc.rpartition("@")
    headers = urllib3.make_headers(proxy_basic_auth=unquote(user)) if at else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)


def _tls_settings(verify: bool | str | None) -> dict[str, Any]:
    if verify is False:
        return {"cert_reqs": "CERT_NONE"}
    named = verify if isinstance(verify, str) else None
    bundle = named or os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return {"cert_reqs": "CERT_REQUIRED", "ca_certs": bundle} if bundle else {"cert_reqs": "CERT_REQUIRED"}


def _reason_of(request: Request, answer: Answer) -> bytes:
    """Read what a registry says of a failure; its status says enough if that cannot be read."""
    try:
        return _body_of(request, answer)
    except RegistryCallError:
        return b""


def _body_of(request: Request, answer: Answer) -> bytes:
    """Read a body that is no layer, to its end, so that its connection can be used again."""
    body = bytearray()
    try:
        while chunk := answer.read(_CHUNK):
            body += chunk
            if len(body) > _LARGEST_ANSWER:
                answer.close()
                raise malformed(request, f"it has more than {_LARGEST_ANSWER} bytes")
    except (HTTPError, OSError) as error:
        raise lost(request, error) from error
    finally:
        answer.release_conn()
    return bytes(body)
