"""Who one is to a registry: Basic credentials, or the tokens that a token service gives for them.

Sources: RFC 7617 (Basic); distribution's "Token Authentication Specification" (Bearer), which every registry with a
token service follows; RFC 9110, section 11, for the challenge.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from ecr_provider.exceptions import RegistryAccessDeniedError
from ecr_provider.oci.quoting import quote
from ecr_provider.registry.addresses import is_private_way
from ecr_provider.registry.failures import malformed
from ecr_provider.registry.request import Request, Scope

_PARAMETER: Final = re.compile(r'([a-zA-Z_]+)=(?:"([^"]*)"|([^\s",]+))')
_TOKEN: Final = re.compile(r"[!-~]+")
_SHORTEST_LIFE: Final = 60  # seconds of a token that does not say: Token Authentication Specification, "expires_in"
_MARGIN: Final = 10  # seconds before its end from which on a token is not used

Fetch = Callable[[Request], bytes]
"""Ask a token service; return the body of its answer."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, which is never shown."""

    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The ``Authorization`` header of RFC 7617."""
        return f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


class Authorizer(Protocol):
    """Whoever knows what to say to a registry."""

    def header(self, scope: Scope) -> str | None:
        """Return the ``Authorization`` header to send, as far as it is known."""
        ...

    def answer(self, challenges: Sequence[str], scope: Scope, sent: str | None, fetch: Fetch) -> str | None:
        """Answer a registry that asks who one is; ``None`` where there is nothing else to say.

        :param challenges: its ``WWW-Authenticate`` headers.
        :param scope: what the request needs.
        :param sent: the header that was sent and not enough.
        :param fetch: how to ask a token service.
        :raises RegistryCallError: the token service refuses.
        """
        ...


class ChallengedAuthorizer:
    """Say nothing until the registry asks; then what it asks for, with credentials or as anybody.

    :param credentials: a name and a password, if there are.
    """

    def __init__(self, credentials: Credentials | None = None) -> None:
        self._credentials = credentials
        self._lock = Lock()
        self._basic: str | None = None
        self._tokens: dict[Scope, tuple[str, float]] = {}

    def header(self, scope: Scope) -> str | None:
        """Return what an earlier challenge was answered with."""
        token, ends = self._tokens.get(scope, ("", 0.0))
        return token if time.monotonic() < ends - _MARGIN else self._basic

    def answer(self, challenges: Sequence[str], scope: Scope, sent: str | None, fetch: Fetch) -> str | None:
        """Answer with the credentials, or with a token for the scope."""
        for challenge in challenges:
            scheme, _, rest = challenge.partition(" ")
            match scheme.lower():
                case "bearer":
                    return self._bearer(_parameters(rest), scope, sent, fetch)
                case "basic" if self._credentials and sent is None:
                    self._basic = self._credentials.basic
                    return self._basic
        return None

    def _bearer(self, challenge: dict[str, str], scope: Scope, sent: str | None, fetch: Fetch) -> str:
        with self._lock:
            known = self.header(scope)
            if known not in (None, sent):  # another thread was faster
                return str(known)
            request = self._token_request(challenge, scope)
            header, life = _token_of(request, fetch(request))
            self._tokens[scope] = (header, time.monotonic() + life)
            return header

    def _token_request(self, challenge: dict[str, str], scope: Scope) -> Request:
        realm = challenge.get("realm", "")
        if not is_private_way(realm):
            where = quote(realm.partition("?")[0])
            raise RegistryAccessDeniedError(
                f"The registry of {scope.repository} sends clients for a token to {where}, which is no https; "
                "no password is sent there. Ask the registry's owner.",
                operation="GET token",
            )
        query = urlencode([("service", challenge.get("service", "")), *(("scope", text) for text in scope.texts)])
        joint = "&" if urlsplit(realm).query else "?"
        basic = self._credentials.basic if self._credentials else None
        good = frozenset({200})
        return Request("GET", f"{realm}{joint}{query}", scope, scope.repository, good, authorization=basic)


def _parameters(challenge: str) -> dict[str, str]:
    """Read a challenge's parameters, which are quoted or not: RFC 9110, section 11.2."""
    return {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(challenge)}


def _token_of(request: Request, body: bytes) -> tuple[str, float]:
    """Read a token service's answer: the header to send, and how many seconds it is good for."""
    try:
        answer = json.loads(body)
        token = _TOKEN.fullmatch(answer.get("token") or answer["access_token"])
        life = float(answer.get("expires_in") or 0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise malformed(request, "it has no token") from error
    if token is None:
        raise malformed(request, "its token is none")
    return f"Bearer {token[0]}", max(_SHORTEST_LIFE, life)
