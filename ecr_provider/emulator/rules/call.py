"""One call to ECR: what every rule is given."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from ecr_provider.emulator.events.events import Event
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules.errors import access_denied, kms_key_unusable, repository_not_found
from ecr_provider.emulator.rules.permissions import is_permitted
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """An operation, who calls it, with which (valid) parameters, on which state."""

    operation: str
    caller: Registry
    """The caller's own registry: its account, in the Region that it calls."""
    parameters: dict[str, Any]
    state: State
    now: float
    """When it is carried out, in epoch seconds: one moment for the whole call."""
    events: list[Event] = field(default_factory=list)
    """What to tell the world about it, once it is done."""

    @property
    def registry(self) -> Registry:
        """The registry that is called: in the caller's Region, that of ``registryId`` or the caller's own."""
        return Registry(self.account, self.caller.region)

    @property
    def account(self) -> str:
        """The account of the registry that is called."""
        account: str = self.parameters.get("registryId", self.caller.account)
        return account

    def transaction(self) -> AbstractContextManager[Records]:
        """Begin a transaction on the store."""
        return self.state.store.transaction()

    def emit(
        self, detail_type: str, detail: dict[str, Any], resources: tuple[str, ...] = (), *, source: str = "aws.ecr"
    ) -> None:
        """Announce an event in the registry that is called. It is lost if the call fails after all."""
        self.events.append(Event(detail_type, *self.registry, self.now, detail, resources, source))

    def later(self, seconds: float, operation: str, parameters: dict[str, Any], *, at: Registry | None = None) -> None:
        """Have the registry, or another one, make a call of ``operations.JOBS`` to itself after so many seconds.

        It is kept like everything else: a restart does not forget it. It belongs to the transaction under way.
        """
        with self.transaction() as records:
            records.add_job(self.now + seconds, operation, at or self.registry, parameters)

    # --- What is called ---

    def find_repository(self, records: Records, name: str | None = None) -> Repository | None:
        """Find the repository that is called, if the caller may do this to it; None if there is none.

        AWS does not say which comes first, so this is a choice: a repository that does not exist is a
        ``RepositoryNotFoundException`` for every account, and one that exists an ``AccessDeniedException``
        for another account unless the policy of the repository or the registry allows the operation, and for
        every account, the owner's too, if one of them denies it.
        """
        repository = records.repository(self.registry, name or self.parameters["repositoryName"])
        if repository:
            self.authorise(repository)
        return repository

    def repository(self, records: Records, name: str | None = None) -> Repository:
        """Find the repository that is called, or raise ``RepositoryNotFoundException``."""
        repository = self.find_repository(records, name)
        if repository is None:
            raise repository_not_found(name or self.parameters["repositoryName"], self.account)
        return repository

    def job_image(self, records: Records, registry: Registry | None = None) -> tuple[Repository, Image] | None:
        """Find the image that a job is about, in its repository; None if either was deleted since.

        :param registry: where they are: in the registry that is called, unless it is another one.
        """
        repository = records.repository(registry or self.registry, self.parameters["repositoryName"])
        image = records.image(repository, self.parameters["imageDigest"]) if repository else None
        return (repository, image) if repository and image else None

    # --- Whether it may ---

    def authorise(self, repository: Repository) -> None:
        """Raise ``AccessDeniedException`` unless the caller may do this to a repository."""
        action, account = f"ecr:{self.operation}", self.caller.account
        with self.transaction() as records:
            if is_permitted(records, account, action, repository):
                return
        reason = (
            "with an explicit deny in a resource-based policy"
            if account == repository.account
            else f"because no resource-based policy allows the {action} action"
        )
        raise access_denied(account, action, repository.arn, reason)

    def require_own_registry(self) -> None:
        """Raise ``AccessDeniedException`` for another registry: no repository policy can allow this call."""
        if self.account != self.caller.account:
            arn = self.registry.arn(self.parameters.get("repositoryName", "*"))
            action = f"ecr:{self.operation}"
            reason = f"because no resource-based policy allows the {action} action"
            raise access_denied(self.caller.account, action, arn, reason)

    def require_key(self, repository: Repository) -> None:
        """Raise ``KmsException`` if the repository's key is switched off."""
        key = repository.encryption.get("kmsKey")
        if key in self.state.switches.unusable_kms_keys:
            raise kms_key_unusable(str(key))
