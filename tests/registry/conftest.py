"""Scripted servers, and what talks to them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from http_server import Server
from urllib3.exceptions import InsecureRequestWarning

from ecr_provider.patience import Patience
from ecr_provider.registry.auth import ChallengedAuthorizer, Credentials
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.transport import Transport

PASSWORD = "the-password"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no proxy and no CA bundle that a test does not set."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    """The registry."""
    with Server() as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    """Another origin: a token service, or where a registry keeps its blobs."""
    with Server() as running:
        yield running


Connect = Callable[..., Transport]


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    """Connect to a registry, by default the server, with a name and a password."""
    with ExitStack() as stack:

        def made(registry: str | None = None, *, patience: Patience | None = None, **settings: Any) -> Transport:
            authorizer = settings.pop("authorizer", None) or ChallengedAuthorizer(Credentials("me", PASSWORD))
            patience = patience or Patience(tries=4, first_wait=0.001)
            transport = Transport(registry or server.host, authorizer, patience, **settings)
            stack.callback(transport.close)
            return transport

        yield made


@pytest.fixture
def repository(connect: Connect) -> RegistryRepository:
    """``shop/web`` of the server."""
    return RegistryRepository(connect(), "shop/web")


@pytest.fixture
def insecure() -> Iterator[None]:
    """Let urllib3 not warn of what a test does on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureRequestWarning)
        yield
