"""The rules of a registry as a whole: its settings and its policy."""

from __future__ import annotations

from typing import Any

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules import policies
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.replication.source import configured_rules
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.settings import SettingKind


def describe_registry(call: Call) -> Answer:
    """DescribeRegistry: a registry without a replication configuration has one without rules."""
    with call.transaction() as records:
        rules = configured_rules(records, call.registry)
    return {"registryId": call.account, "replicationConfiguration": {"rules": rules}}


def get_registry_policy(call: Call) -> Answer:
    """GetRegistryPolicy."""
    with call.transaction() as records:
        return _answer(call, _policy(call, records))


def put_registry_policy(call: Call) -> Answer:
    """PutRegistryPolicy: replaces the policy. Its resources are not looked at, as ECR does not (roadmap#2675)."""
    text: str = call.parameters["policyText"]
    policies.parse(text, "registry")
    with call.transaction() as records:
        records.set_setting(call.registry, SettingKind.REGISTRY_POLICY, "", text, now=call.now)
    return _answer(call, text)


def delete_registry_policy(call: Call) -> Answer:
    """DeleteRegistryPolicy: answers with the policy that was."""
    with call.transaction() as records:
        policy = _policy(call, records)
        records.delete_setting(call.registry, SettingKind.REGISTRY_POLICY)
    return _answer(call, policy)


def _policy(call: Call, records: Records) -> str:
    setting = records.setting(call.registry, SettingKind.REGISTRY_POLICY)
    if setting is None:
        raise EcrError(
            "RegistryPolicyNotFoundException",
            f"Registry policy does not exist in the registry with id '{call.account}'",
        )
    policy: str = setting.value
    return policy


def _answer(call: Call, policy: str) -> dict[str, Any]:
    return {"registryId": call.account, "policyText": policy}
