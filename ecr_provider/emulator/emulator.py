"""The emulator as an object: start it, get clients, look at what they did, make it fail, stop it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

from ecr_provider.emulator.agenda import Agenda
from ecr_provider.emulator.airflow_connection import connection_uri
from ecr_provider.emulator.api.door import Api
from ecr_provider.emulator.clock import Clock
from ecr_provider.emulator.control.door import PREFIX, Control
from ecr_provider.emulator.control.resources import resources
from ecr_provider.emulator.dispatch import Dispatcher
from ecr_provider.emulator.downloads.door import Downloads
from ecr_provider.emulator.events.delivery import Delivery
from ecr_provider.emulator.events.events import Event, Events
from ecr_provider.emulator.events.sinks import sink_at
from ecr_provider.emulator.faults import Faults
from ecr_provider.emulator.journal import Journal, Request
from ecr_provider.emulator.page.door import Page, is_page
from ecr_provider.emulator.registries import DEFAULT_ACCOUNT, DEFAULT_REGION, require_region_and_account
from ecr_provider.emulator.registry.door import RegistryApi
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.scripts import Scans, Signings
from ecr_provider.emulator.sealing import Sealer
from ecr_provider.emulator.serving.server import Door, Server
from ecr_provider.emulator.settings import Limits, Switches
from ecr_provider.emulator.store.store import Store

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_CLIENT_LOCK = Lock()  # a boto3 session makes one client at a time


@dataclass(frozen=True, slots=True)
class _Running:
    """What there is while the emulator runs."""

    endpoint_url: str
    agenda: Agenda
    stack: ExitStack
    """Ends all of it."""


class EcrEmulator:
    """A local Amazon ECR: the JSON API, the registry, the origin that layers are downloaded from, and a page.

    ::

        with EcrEmulator() as ecr:
            client = ecr.client()
            client.create_repository(repositoryName="shop/web")

    Accounts and Regions need no set-up: an access key id of 12 digits is the account, any other means
    123456789012, and the Region is the one the request is signed for. Signatures are not verified.

    All but the downloads is at ``endpoint_url``: the API for boto3; the registry, below ``/v2/``, for skopeo and its
    like; and in a browser, the page, which shows what is inside. Other processes can look at the requests and the
    events, add faults, script scans, move the clock and change settings: ``GET /_emulator`` says how.

    :param data_dir: where to keep everything across restarts; by default it is gone at ``stop``.
    :param port: the port to listen on; 0 picks a free one.
    :param clock: returns the time in epoch seconds, instead of ``time.time``.
    :param host: the address to listen on; loopback only.
    :param limits: quotas; may be changed while the emulator runs.
    :param switches: how ECR behaves; may be changed while the emulator runs.
    :param events_to: where EventBridge's events go, as they happen: the URL of an SQS queue, of AWS's or of a
        stand-in; an ``http://`` URL on loopback, which gets a POST of each; or a file, which gets a line of each.
    :param keep_requests: how many of the last requests and events to remember.

    Raises ValueError if events cannot go where they should.
    """

    def __init__(
        self,
        data_dir: str | Path | None = None,
        port: int = 0,
        *,
        clock: Callable[[], float] | None = None,
        host: str = "127.0.0.1",
        limits: Limits | None = None,
        switches: Switches | None = None,
        events_to: Iterable[str | os.PathLike[str]] = (),
        keep_requests: int = 100_000,
    ) -> None:
        self.faults = Faults()
        """What is to go wrong."""
        self.scans = Scans()
        """What scans find."""
        self.signings = Signings()
        """What becomes of signing."""
        self.limits = limits or Limits()
        """ECR's quotas."""
        self.switches = switches or Switches()
        """How ECR behaves."""
        self._data_dir = Path(data_dir) if data_dir is not None else None
        self._address = (host, port)
        self._clock = Clock(clock)
        self._journal = Journal(keep_requests)
        self._events = Events(keep_requests)
        self._sinks = {os.fspath(address): sink_at(address) for address in events_to}
        self._clients: list[ECRClient] = []
        self._running: _Running | None = None

    # --- Life ---

    def start(self) -> Self:
        """Start to serve, if it does not yet.

        Raises OSError if the port is taken, and StoreError if the data directory cannot be used.
        """
        if self._running is None:
            with ExitStack() as stack:
                endpoint_url, agenda = self._serve(stack)
                self._running = _Running(endpoint_url, agenda, stack.pop_all())
        return self

    def stop(self) -> None:
        """Finish the answers under way and stop, if it serves. Clients made by ``client`` are closed."""
        if self._running is not None:
            running, self._running = self._running, None
            running.stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, stack: ExitStack) -> tuple[str, Agenda]:
        """Open the store and both origins; return the API's, and what is done by itself."""
        host, port = self._address
        store = stack.enter_context(closing(Store(self._data_dir)))
        sealer = Sealer(store.secret)
        state = State(
            store,
            sealer,
            self._clock,
            self.limits,
            self.switches,
            self._events,
            scans=self.scans,
            signings=self.signings,
        )
        agenda = Agenda(state)
        dispatcher = Dispatcher(state, agenda, self.faults, self._journal)
        downloads = Server(host, 0, {"": Downloads(dispatcher).answer})
        front = Server(host, port, self._doors(dispatcher, agenda))
        state.origin, state.download_origin = front.origin, downloads.origin
        self._deliver_events(stack)
        stack.enter_context(agenda)
        stack.enter_context(downloads)
        stack.enter_context(front)
        stack.callback(self._close_clients)
        return front.origin, agenda

    def _doors(self, dispatcher: Dispatcher, agenda: Agenda) -> Mapping[str, Door]:
        """Make all that answers at the API's origin."""
        api, page = Api(dispatcher), Page(dispatcher.state, self._journal)
        return {
            "": lambda http: page.answer(http) if is_page(http) else api.answer(http),
            "/v2/": RegistryApi(dispatcher).answer,
            PREFIX: Control(resources(dispatcher.state, agenda, self.faults, self._journal)).answer,
        }

    def _deliver_events(self, stack: ExitStack) -> None:
        """Take events where they are wanted, until the stack closes; what is announced by then is delivered."""
        for address, place in self._sinks.items():
            delivery = stack.enter_context(Delivery(address, place))
            self._events.listeners.append(delivery.deliver)
        stack.callback(self._events.listeners.clear)

    # --- Clients ---

    @property
    def endpoint_url(self) -> str:
        """The address of the API, such as ``http://127.0.0.1:5555``."""
        if self._running is None:
            raise RuntimeError("the emulator is not running: start() it, or use it in a with statement")
        return self._running.endpoint_url

    def client(self, region_name: str = DEFAULT_REGION, account_id: str = DEFAULT_ACCOUNT, **kwargs: Any) -> ECRClient:
        """Make a boto3 client in a Region and of an account; ``kwargs`` are boto3's own.

        Raises ValueError for an account id that is none, or that stands where the Region should.
        """
        require_region_and_account(region_name, account_id)
        kwargs["config"] = Config(proxies={}).merge(kwargs.get("config", Config()))  # loopback needs no proxy
        kwargs.setdefault("aws_access_key_id", account_id)
        kwargs.setdefault("aws_secret_access_key", "emulator")
        with _CLIENT_LOCK:
            client: ECRClient = _session().client("ecr", region_name, endpoint_url=self.endpoint_url, **kwargs)
        self._clients.append(client)
        return client

    def airflow_connection_uri(self, region_name: str = DEFAULT_REGION, account_id: str = DEFAULT_ACCOUNT) -> str:
        """Return an Airflow connection to here, as the URI that ``AIRFLOW_CONN_AWS_DEFAULT`` takes.

        Raises ValueError for an account id that is none, or that stands where the Region should.
        """
        require_region_and_account(region_name, account_id)
        return connection_uri(self.endpoint_url, region_name, account_id)

    def _close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()

    # --- What happened, and what is to happen ---

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests so far, oldest first."""
        return self._journal.all()

    @property
    def calls(self) -> list[str]:
        """The operations that were called so far."""
        return [request.operation for request in self.requests]

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._journal.clear()

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that EventBridge would have been sent so far, oldest first."""
        return self._events.all()

    def clear_events(self) -> None:
        """Forget the events so far."""
        self._events.clear()

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock forward: addresses expire, images are restored, tokens end."""
        (self._running.agenda if self._running else self._clock).advance(seconds)


@cache
def _session() -> boto3.session.Session:
    """Return the session that all clients are made of: it reads botocore's model once."""
    return boto3.session.Session()
