"""Who may do what to which repository, by the policies that are attached to it and to its registry."""

from __future__ import annotations

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules import policies
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.settings import SettingKind


def is_permitted(records: Records, account: str, action: str, repository: Repository) -> bool:
    """Tell whether the policies of a repository and of its registry let an account do something to it."""
    return registry_permits(
        records, account, action, repository.registry, repository.name, repository_policy=repository.policy
    )


def registry_permits(
    records: Records, account: str, action: str, registry: Registry, name: str, *, repository_policy: str | None = None
) -> bool:
    """Tell whether a registry's policy lets an account do something to a repository of this name, there or not.

    A registry's policy is "enforced in all ECR requests" about its repositories (registry policy scope V2, which
    is the default: user guide, "Private registry permissions").
    """
    setting = records.setting(registry, SettingKind.REGISTRY_POLICY)
    texts = (repository_policy, setting.value if setting else None)
    return policies.is_allowed(
        *texts, owner=registry.account, account=account, action=action, resource=registry.arn(name)
    )
