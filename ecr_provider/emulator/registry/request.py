"""One request to the registry's HTTP API: what every route is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from ecr_provider.emulator.dispatch import Dispatcher, Exchange
from ecr_provider.emulator.errors import ConnectionCutError
from ecr_provider.emulator.registries import parse_host
from ecr_provider.emulator.registry import credentials
from ecr_provider.emulator.rules.call import Answer
from ecr_provider.emulator.rules.operations import Rule
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.serving.body import Body
from ecr_provider.emulator.serving.damage import Damage
from ecr_provider.emulator.serving.server import Handler


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the registry. A HEAD's has the headers of the GET, and no body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class RegistryRequest:
    """A request, and the calls of ECR's API that it is made of.

    Each call is checked, met by faults, and recorded like one that came in by the API.
    """

    def __init__(self, http: Handler, body: Body, dispatcher: Dispatcher) -> None:
        self.method = http.command
        self.headers = http.headers
        self.body = body
        self._target = urlsplit(http.path)
        self._dispatcher = dispatcher
        self._exchange = Exchange("registry", "")

    @property
    def state(self) -> State:
        """What the calls are made on."""
        return self._dispatcher.state

    # --- What is asked ---

    @property
    def path(self) -> str:
        """The path, as it was sent."""
        return self._target.path

    @property
    def line(self) -> str:
        """The method and the path: how a request is known that is no call of the API."""
        return f"{self.method} {self.path}"

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's parameters; the last one of a name."""
        return dict(parse_qsl(self._target.query, keep_blank_values=True))

    @property
    def origin(self) -> str:
        """Where the client thinks it is: registries' host names work, too."""
        return f"http://{self.host}"

    @property
    def host(self) -> str:
        """The host that the client named, with the port."""
        host: str = self.headers.get("Host", self.state.origin.removeprefix("http://"))
        return host

    def url(self, path: str, **query: str) -> str:
        """Write the absolute address of something in this registry."""
        parameters = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"{self.origin}/v2/{path}" + (f"?{parameters}" if parameters else "")

    # --- What is done ---

    @property
    def damage(self) -> Damage:
        """What a fault of the last call wants to become of the body."""
        return self._exchange.damage

    def read(self, buffer: memoryview) -> int:
        """Fill a buffer with the body's next bytes, as far as a fault lets them through."""
        limit = self.damage.cuts_request_after
        if limit is not None and self.body.taken >= limit:
            raise ConnectionCutError
        return self.body.readinto(buffer if limit is None else buffer[: limit - self.body.taken])

    def call(self, operation: str, **parameters: Any) -> Answer:
        """Make a call of the API."""
        exchange = self._exchange = Exchange("registry", operation)
        with self._dispatcher.recorded(exchange):
            registry_id = self._identify(exchange)
            return self._dispatcher.call(exchange, {"registryId": registry_id} | parameters)

    def perform(self, operation: str, rule: Rule, **parameters: Any) -> Answer:
        """Carry out what the API has no operation for, or not in this form."""
        exchange = self._exchange = Exchange("registry", operation)
        with self._dispatcher.recorded(exchange):
            registry_id = self._identify(exchange)
            exchange.parameters = {"registryId": registry_id} | parameters
            return self._dispatcher.perform(exchange, rule)

    def _identify(self, exchange: Exchange) -> str:
        """Find out who calls, and return the account that is called: that of the host name, or else their own."""
        now, sealer = self.state.clock.now(), self.state.sealer
        caller = credentials.authenticate(self.headers.get("Authorization"), now, sealer)
        called = parse_host(self.host.partition(":")[0].lower()) or caller
        exchange.caller = caller._replace(region=called.region)
        return called.account
