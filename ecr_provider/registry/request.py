"""One request to a registry, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request needs permission for.

    :param repository: the repository.
    :param actions: ``pull``, or ``pull,push``.
    :param source: another repository to read from, for a mount.
    """

    repository: str
    actions: str = "pull"
    source: str | None = None

    @property
    def texts(self) -> list[str]:
        """The scopes in a token service's words: distribution's "Token Scope Documentation"."""
        source = [f"repository:{self.source}:pull"] if self.source else []
        return [f"repository:{self.repository}:{self.actions}", *source]


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask a registry.

    :param method: such as ``GET``.
    :param address: a path in the registry, or a whole address that it gave.
    :param scope: what it needs permission for.
    :param about: what it is about, for messages, such as ``shop/web:prod``.
    :param good: the statuses that are an answer, and no failure.
    :param body: what to send; what is iterated can be sent once only.
    :param authorization: the header of this name.
    """

    method: str
    address: str
    scope: Scope
    about: str
    good: frozenset[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] | None = None
    authorization: str | None = field(default=None, repr=False)

    @property
    def operation(self) -> str:
        """The method and the path, without the query, in which signatures are."""
        return f"{self.method} {urlsplit(self.address).path}"

    @property
    def can_be_repeated(self) -> bool:
        """Whether the body is still there once it was sent."""
        return self.body is None or isinstance(self.body, bytes)
