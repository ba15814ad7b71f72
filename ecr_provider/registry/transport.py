"""HTTP to one registry: connections that are kept, proxies, TLS, credentials, redirects, further tries.

urllib3 does the work. What is added is what registries need on top: a challenge is answered (``auth``), a redirect is
followed without the credentials, and a failure says whether another try may help.

Source: OCI distribution-spec 1.1, "API"; RFC 9110 for what a status means.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from ecr_provider import __version__
from ecr_provider.patience import Patience
from ecr_provider.registry.addresses import is_loopback, is_private_way, origin_of, origin_of_registry
from ecr_provider.registry.auth import Authorizer
from ecr_provider.registry.failures import failure_of, lost, refused_redirect
from ecr_provider.registry.request import Request

Answer = urllib3.BaseHTTPResponse

CONNECT_SECONDS: Final = 10
STALL_SECONDS: Final = 60
"""How long a connection may be silent before it counts as lost."""

_UNAUTHORIZED: Final = 401
_LARGEST_ANSWER: Final = 8 * 1024 * 1024  # bytes of what is read at once: twice the largest manifest
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_IDLE_CONNECTIONS: Final = 32


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
    ) -> None:
        self.registry = registry
        self._authorizer = authorizer
        self._patience = patience
        self._origin = origin_of_registry(registry)
        self._connect_to = connect_to
        self._tls = _tls_settings(verify)
        self._own_proxies = proxies
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
        answer = self._authorized(request)
        if answer.status in request.good:
            return answer
        raise failure_of(request, answer, _body_of(request, answer))

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for manager in self._managers.values():
            manager.clear()

    def _read(self, request: Request) -> tuple[Answer, bytes]:
        answer = self.open(request)
        return answer, _body_of(request, answer)

    def _authorized(self, request: Request) -> Answer:
        if not self._is_here(urljoin(self._origin, request.address)):
            return self._followed(request)  # an upload that the registry sent elsewhere: its address is its permission
        sent = self._authorizer.header(request.scope)
        answer = self._followed(replace(request, authorization=sent))
        if answer.status != _UNAUTHORIZED or not request.can_be_repeated:
            return answer
        challenges = answer.headers.getlist("WWW-Authenticate")
        better = self._authorizer.answer(challenges, request.scope, sent, self._fetch)
        if better in (None, sent):
            return answer
        _body_of(request, answer)
        return self._followed(replace(request, authorization=better))

    def _fetch(self, request: Request) -> bytes:
        """Ask a token service, wherever the registry says that it is."""
        answer = self._followed(request)
        body = _body_of(request, answer)
        if answer.status in request.good:
            return body
        raise failure_of(request, answer, body)

    def _followed(self, request: Request) -> Answer:
        """Send a request, and follow redirects: to another origin without what only the first may know."""
        address = first = urljoin(self._origin, request.address)
        for _ in range(_MOST_REDIRECTS):
            authorization = request.authorization if origin_of(address) == origin_of(first) else None
            answer = self._sent(replace(request, address=address, authorization=authorization))
            if answer.status not in _REDIRECTS or request.method not in ("GET", "HEAD"):
                return answer
            _body_of(request, answer)
            address = urljoin(address, answer.headers.get("Location", ""))
            if not is_private_way(address):
                raise refused_redirect(request, f"to {origin_of(address)}, which is no https")
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

    def _is_here(self, address: str) -> bool:
        return urlsplit(address).netloc == urlsplit(self._origin).netloc

    def _manager_for(self, address: str) -> urllib3.PoolManager:
        proxy = self._proxy_for(address)
        if proxy not in self._managers:
            settings: dict[str, Any] = {
                "maxsize": _IDLE_CONNECTIONS,
                "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=STALL_SECONDS),
                **self._tls,
            }
            made = urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
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


def _tls_settings(verify: bool | str | None) -> dict[str, Any]:
    if verify is False:
        return {"cert_reqs": "CERT_NONE"}
    named = verify if isinstance(verify, str) else None
    bundle = named or os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return {"cert_reqs": "CERT_REQUIRED", "ca_certs": bundle} if bundle else {"cert_reqs": "CERT_REQUIRED"}


def _body_of(request: Request, answer: Answer) -> bytes:
    """Read a body that is no layer, so that its connection can be used again."""
    try:
        body = answer.read(_LARGEST_ANSWER)
        answer.drain_conn()
    except (HTTPError, OSError) as error:
        raise lost(request, error) from error
    finally:
        answer.release_conn()
    return body
