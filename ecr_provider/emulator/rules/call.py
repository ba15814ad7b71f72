"""One call to ECR: what every rule is given."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from ecr_provider.emulator.caller import Caller
from ecr_provider.emulator.clock import Clock
from ecr_provider.emulator.events.events import Event, Events
from ecr_provider.emulator.rules import policies
from ecr_provider.emulator.rules.errors import access_denied, kms_key_unusable, repository_not_found
from ecr_provider.emulator.scripts import Scans, Signings
from ecr_provider.emulator.sealing import Sealer
from ecr_provider.emulator.settings import Limits, Switches
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.store import Store

Answer = dict[str, Any]


@dataclass(slots=True)
class State:
    """What outlasts a call: the store and the settings."""

    store: Store
    sealer: Sealer
    clock: Clock
    limits: Limits
    switches: Switches
    events: Events
    origin: str = ""
    """Where the API and the registry are, such as ``http://127.0.0.1:5555``."""
    download_origin: str = ""
    """Where layers are downloaded from."""
    scans: Scans = field(default_factory=Scans)
    signings: Signings = field(default_factory=Signings)


@dataclass(frozen=True, slots=True)
class Call:
    """An operation, who calls it, with which (valid) parameters, on which state."""

    operation: str
    caller: Caller
    parameters: dict[str, Any]
    state: State
    now: float
    """When it is carried out, in epoch seconds: one moment for the whole call."""
    events: list[Event] = field(default_factory=list)
    """What to tell the world about it, once it is done."""

    @property
    def account(self) -> str:
        """The registry that is called: ``registryId``, or the caller's own."""
        account: str = self.parameters.get("registryId", self.caller.account)
        return account

    @property
    def region(self) -> str:
        """The Region that is called."""
        return self.caller.region

    def transaction(self) -> AbstractContextManager[Records]:
        """Begin a transaction on the store."""
        return self.state.store.transaction()

    def emit(
        self, detail_type: str, detail: dict[str, Any], resources: tuple[str, ...] = (), *, source: str = "aws.ecr"
    ) -> None:
        """Announce an event in the registry that is called. It is lost if the call fails after all."""
        self.events.append(Event(detail_type, self.account, self.region, self.now, detail, resources, source))

    def later(
        self,
        seconds: float,
        operation: str,
        parameters: dict[str, Any],
        *,
        account: str | None = None,
        region: str | None = None,
    ) -> None:
        """Have the registry, or another one, make a call of ``rules.JOBS`` to itself after so many seconds.

        It is kept like everything else: a restart does not forget it. It belongs to the transaction under way.
        """
        with self.transaction() as records:
            records.add_job(self.now + seconds, operation, account or self.account, region or self.region, parameters)

    def repository(
        self, records: Records, name: str | None = None, *, if_absent: Callable[[str], object] | None = None
    ) -> Repository:
        """Find the repository that is called, if the caller may do this to it.

        AWS does not say which comes first, so this is a choice: a repository that does not exist is a
        ``RepositoryNotFoundException`` for every account, and one that exists an ``AccessDeniedException``
        for another account unless the policy of the repository or the registry allows the operation, and for
        every account, the owner's too, if one of them denies it.

        :param if_absent: is told the name of a repository that does not exist, and may create it, or raise.
        """
        name = name or self.parameters["repositoryName"]
        repository = records.repository(self.account, self.region, name)
        if repository is None and if_absent is not None:
            if_absent(name)
            repository = records.repository(self.account, self.region, name)
        if repository is None:
            raise repository_not_found(name, self.account)
        self.authorise(repository)
        return repository

    def authorise(self, repository: Repository) -> None:
        """Raise ``AccessDeniedException`` unless the caller may do this to a repository."""
        action, account, owner = f"ecr:{self.operation}", self.caller.account, repository.account
        with self.transaction() as records:
            if is_permitted(records, account, action, repository):
                return
        reason = (
            "with an explicit deny in a resource-based policy"
            if account == owner
            else f"because no resource-based policy allows the {action} action"
        )
        raise access_denied(account, action, arn_of(repository.account, repository.region, repository.name), reason)

    def require_own_registry(self) -> None:
        """Raise ``AccessDeniedException`` for another registry: no repository policy can allow this call."""
        if self.account != self.caller.account:
            arn = arn_of(self.account, self.region, self.parameters.get("repositoryName", "*"))
            action = f"ecr:{self.operation}"
            reason = f"because no resource-based policy allows the {action} action"
            raise access_denied(self.caller.account, action, arn, reason)

    def require_key(self, repository: Repository) -> None:
        """Raise ``KmsException`` if the repository's key is switched off."""
        key = repository.encryption.get("kmsKey")
        if key in self.state.switches.unusable_kms_keys:
            raise kms_key_unusable(str(key))


REGISTRY_POLICY = "registry policy"
"""The kind of setting that a registry's policy is."""


def is_permitted(records: Records, account: str, action: str, repository: Repository) -> bool:
    """Tell whether the policies of a repository and of its registry let an account do something to it."""
    return registry_permits(records, account, action, repository, repository.name, policy=repository.policy)


def registry_permits(
    records: Records, account: str, action: str, registry: Call | Repository, name: str, *, policy: str | None = None
) -> bool:
    """Tell whether a registry's policy, and another one, let an account do something to a repository of this name.

    A registry's policy is "enforced in all ECR requests" about its repositories (registry policy scope V2, which
    is the default: user guide, "Private registry permissions").

    :param registry: what is called, or is, in the registry.
    """
    owner, region = registry.account, registry.region
    setting = records.setting(owner, region, REGISTRY_POLICY)
    texts = (policy, setting.value if setting else None)
    resource = arn_of(owner, region, name)
    return policies.is_allowed(*texts, owner=owner, account=account, action=action, resource=resource)


def partition_of(region: str) -> str:
    """Return the AWS partition of a Region."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def arn_of(account: str, region: str, name: str) -> str:
    """Return a repository's ARN."""
    return f"arn:{partition_of(region)}:ecr:{region}:{account}:repository/{name}"


def registry_host(account: str, region: str) -> str:
    """Return a registry's host name."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{account}.dkr.ecr.{region}.{suffix}"
