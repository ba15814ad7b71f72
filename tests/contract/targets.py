"""What cases are run against: the emulator, moto, and a real account that was named on purpose."""

from __future__ import annotations

import logging
import os
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from contract.case import Case

from ecr_provider.emulator import EcrEmulator

# Every answer is seen as it is: no retries, and nothing refused before it is sent.
_PLAIN = Config(retries={"total_max_attempts": 1}, parameter_validation=False, proxies={}, connect_timeout=5)
_REGION = "us-east-1"
_ACCOUNT = "123456789012"


class Target(Protocol):
    """An ECR."""

    name: str
    is_aws: bool
    account: str
    region: str

    @property
    def registry(self) -> str:
        """The origin of the registry's own HTTP API."""

    def client(self, region: str | None = None, account: str | None = None) -> Any:
        """Return a client: of the target's own account and Region, unless others are given."""

    @contextmanager
    def repository(self) -> Iterator[str]:
        """Reserve a name for a repository, and clean up afterwards."""

    def wait(self, seconds: float) -> dict[str, Any]:
        """Let time pass."""

    def unfit(self, case: Case) -> str | None:
        """Say why a case cannot be run here, if it cannot."""


def _needs_time(case: Case) -> bool:
    return any(step.operation == "(wait)" for step in case.steps)


def can_be_asked(target: str, case: Case) -> bool:
    """Tell whether a case is one for a target at all. moto's time cannot be moved, and its choices prove nothing."""
    return target != "moto" or not (case.is_question or _needs_time(case))


class EmulatorTarget:
    """The emulator, with an account of its own for each case: what is set for a registry does not meet."""

    name = "emulator"
    is_aws = False
    region = _REGION

    def __init__(self) -> None:
        self.account = f"{0:012}"
        self.ecr = EcrEmulator()
        self._is_late = False
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def registry(self) -> str:
        return self.ecr.endpoint_url  # one origin serves both APIs

    def __enter__(self) -> Self:
        self.ecr.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ecr.stop()

    def client(self, region: str | None = None, account: str | None = None) -> Any:
        key = (region or self.region, account or self.account)
        if key not in self._clients:
            self._clients[key] = self.ecr.client(*key, config=_PLAIN)
        return self._clients[key]

    @contextmanager
    def repository(self) -> Iterator[str]:
        self.account = f"{int(self.account) + 1:012}"
        try:
            yield "contract/web"
        finally:
            while self._clients:
                self._clients.popitem()[1].close()
            if self._is_late:
                self.ecr.stop()
                self.ecr, self._is_late = EcrEmulator().start(), False

    def wait(self, seconds: float) -> dict[str, Any]:
        self.ecr.advance(seconds)
        self._is_late = True
        return {}

    def unfit(self, case: Case) -> str | None:
        return None


class MotoTarget:
    """moto's server, reset before each case."""

    name = "moto"
    is_aws = False
    region = _REGION
    account = _ACCOUNT

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Self:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.registry = self._endpoint = f"http://{host}:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        while self._clients:
            self._clients.popitem()[1].close()
        self._server.stop()

    def client(self, region: str | None = None, account: str | None = None) -> Any:
        key = (region or self.region, account or self.account)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                "ecr",
                region_name=key[0],
                endpoint_url=self._endpoint,
                aws_access_key_id=key[1],
                aws_secret_access_key="any",
                config=_PLAIN,
            )
        return self._clients[key]

    @contextmanager
    def repository(self) -> Iterator[str]:
        reset = urllib.request.Request(f"{self._endpoint}/moto-api/reset", b"")  # noqa: S310 - moto's own
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(reset):
            yield "contract/web"

    def wait(self, seconds: float) -> dict[str, Any]:
        raise NotImplementedError

    def unfit(self, case: Case) -> str | None:
        return None


# --- A real account ------------------------------------------------------------------------------------------

_PAUSE, _PAUSE_OF_LAYERS = 0.15, 0.02  # seconds: of images, ten may be put a second; of uploads, a hundred begun
_READS = ("BatchCheck", "BatchGet", "Describe", "Get", "List")


class ForeignRepositoryError(Exception):
    """A call would have touched what these tests did not make. It was not sent."""


class AwsTarget:
    """A real account, with boto3's own credentials and Region: ``ECR_CONTRACT_AWS=1``.

    Each case has a repository of its own, with a name that nobody else has, and it is deleted at the end.
    A guard in the client stops any other call that writes before it is sent; none changes the registry's
    settings. Writes are paced.
    """

    name = "aws"
    is_aws = True

    def __init__(self, endpoint_url: str | None = None, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._prefix = f"ecr-contract-{uuid.uuid4().hex[:12]}/"
        self._endpoint_url = endpoint_url
        self._sleep = sleep
        self._names: list[str] = []

    def __enter__(self) -> Self:
        config = Config(retries={"mode": "standard", "total_max_attempts": 5}, parameter_validation=False)
        if self._endpoint_url:
            config = config.merge(Config(proxies={}))  # it is on loopback
        session = boto3.Session()
        if session.get_credentials() is None or session.region_name is None:
            raise RuntimeError(
                "ECR_CONTRACT_AWS is set, and boto3 finds no credentials or no Region. tests/conftest.py hides those "
                "of the environment: run pytest with --confcutdir=tests/contract"
            )
        self._client = session.client("ecr", endpoint_url=self._endpoint_url, config=config)
        self._client.meta.events.register("provide-client-params.ecr", self._guard)
        self.region = self._client.meta.region_name
        registry = self._client.describe_registry()
        self._require_no_replication(registry["replicationConfiguration"]["rules"])
        self.account = registry["registryId"]
        self.registry = self._client.get_authorization_token()["authorizationData"][0]["proxyEndpoint"]
        return self

    def __exit__(self, *_: object) -> None:
        """Delete what a case could not: a second chance. What then is left is named."""
        for name in self._names.copy():
            with suppress(ClientError):
                self._delete(name)
        self._client.close()
        if self._names:
            raise RuntimeError(f"these repositories of account {self.account} were not deleted: {self._names}")

    def _require_no_replication(self, rules: list[Any]) -> None:
        """Refuse to push where that would leave copies in other Regions, which nobody would delete."""
        for rule in rules:
            prefixes = [wanted["filter"] for wanted in rule.get("repositoryFilters", [])]
            if not prefixes or any(self._prefix.startswith(prefix) for prefix in prefixes):
                raise RuntimeError("this registry replicates what the cases would push: choose another Region")

    def client(self, region: str | None = None, account: str | None = None) -> Any:
        if (region or self.region, account or self.account) != (self.region, self.account):
            raise ForeignRepositoryError(f"{account}/{region}")
        return self._client

    @contextmanager
    def repository(self) -> Iterator[str]:
        name = f"{self._prefix}{uuid.uuid4().hex[:8]}"
        self._names.append(name)
        try:
            yield name
        finally:
            self._delete(name)

    def wait(self, seconds: float) -> dict[str, Any]:
        raise NotImplementedError

    def unfit(self, case: Case) -> str | None:
        if case.not_on_aws:
            return case.not_on_aws
        if _needs_time(case):
            return "it takes too long"
        if any(step.region or step.account for step in case.steps):
            return "other Regions and accounts are left alone"
        for step in case.steps:
            if step.operation.startswith("("):
                continue
            if step.operation not in self._client.meta.service_model.operation_names:
                continue  # the runner says so
            if not self._is_own(step.operation, step.parameters, own=lambda name: name == "{repository}"):
                return f"{step.operation} is about more than the case's own repository"
        return None

    def _delete(self, name: str) -> None:
        with suppress(self._client.exceptions.RepositoryNotFoundException):
            self._client.delete_repository(repositoryName=name, force=True)
        self._names.remove(name)

    def _guard(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Refuse to send what is about anything but an own repository, unless it only reads; pace the rest."""
        if not self._is_own(model.name, params, own=lambda name: name.startswith(self._prefix)):
            raise ForeignRepositoryError(f"{model.name} {params.get('repositoryName', '')}")
        if not model.name.startswith(_READS):
            self._sleep(_PAUSE_OF_LAYERS if "Layer" in model.name else _PAUSE)

    def _is_own(self, operation: str, parameters: dict[str, Any], own: Callable[[str], bool]) -> bool:
        if operation.startswith(_READS):
            return True
        shape = self._client.meta.service_model.operation_model(operation).input_shape
        if parameters.get("registryId", self.account) != self.account:
            return False
        if "repositoryName" in shape.members:
            return own(parameters.get("repositoryName", "{repository}"))
        return own(parameters.get("resourceArn", "").partition(":repository/")[2])


@contextmanager
def opened(name: str) -> Iterator[Target]:
    """Open a target by its name."""
    made: dict[str, Callable[[], EmulatorTarget | MotoTarget | AwsTarget]] = {
        "emulator": EmulatorTarget,
        "moto": MotoTarget,
        "aws": lambda: AwsTarget(os.environ.get("ECR_CONTRACT_ENDPOINT")),
    }
    with made[name]() as target:
        yield target


def available() -> list[str]:
    """Name the targets of this run: a real account only if it was asked for."""
    return ["emulator", "moto", *(["aws"] if os.environ.get("ECR_CONTRACT_AWS") == "1" else [])]
