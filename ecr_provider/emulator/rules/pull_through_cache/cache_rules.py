"""Pull through cache rules: which repositories are caches of which upstream registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry, parse_host
from ecr_provider.emulator.rules import errors, paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.prefixes import ROOT, canonical, settings_for
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.settings import Setting, SettingKind

_RULE = SettingKind.PULL_THROUGH_CACHE_RULE

UNREACHABLE = "The ECR emulator reaches no registry but those of its own accounts and Regions"

# "The syntax to use for each supported upstream registry" (CreatePullThroughCacheRule).
_HOSTS: Mapping[str, Callable[[str], object]] = {
    "ecr": parse_host,
    "ecr-public": re.compile(r"public\.ecr\.aws").fullmatch,
    "quay": re.compile(r"quay\.io").fullmatch,
    "k8s": re.compile(r"registry\.k8s\.io").fullmatch,
    "docker-hub": re.compile(r"registry-1\.docker\.io").fullmatch,
    "github-container-registry": re.compile(r"ghcr\.io").fullmatch,
    "azure-container-registry": re.compile(r"[a-zA-Z0-9-]+\.azurecr\.io").fullmatch,
    "gitlab-container-registry": re.compile(r"registry\.gitlab\.com").fullmatch,
    "chainguard": re.compile(r"cgr\.dev").fullmatch,
}

# "Requires authentication with AWS Secrets Manager secret" (user guide, "Sync an upstream registry").
_WITH_SECRET = frozenset(
    {
        "docker-hub",
        "github-container-registry",
        "azure-container-registry",
        "gitlab-container-registry",
        "chainguard",
    }
)


# --- The operations ------------------------------------------------------------------------------------------


def create_pull_through_cache_rule(call: Call) -> Answer:
    """CreatePullThroughCacheRule. There is no Secrets Manager here: a secret that is named is taken to be there."""
    call.require_own_registry()
    rule = {"upstreamRepositoryPrefix": ROOT, **call.parameters, "upstreamRegistry": _upstream_registry(call)}
    _check(call, rule)
    with call.transaction() as records:
        name = canonical(rule["ecrRepositoryPrefix"])
        if records.setting(call.registry, _RULE, name):
            raise EcrError(
                "PullThroughCacheRuleAlreadyExistsException",
                f"A pull through cache rule with repository prefix '{name}' already exists in the registry with id "
                f"'{call.account}'",
            )
        limit = call.state.limits.pull_through_cache_rules
        if len(records.settings(call.registry, _RULE)) >= limit:
            raise errors.limit_exceeded("pull through cache rules per registry", limit)
        setting = records.set_setting(call.registry, _RULE, name, rule, now=call.now)
    return _answer(call, setting, "upstreamRegistryUrl", "upstreamRegistry") | {"createdAt": setting.created_at}


def update_pull_through_cache_rule(call: Call) -> Answer:
    """UpdatePullThroughCacheRule: its secret and its role, not where it leads to."""
    call.require_own_registry()
    with call.transaction() as records:
        setting = _found(call, records, call.parameters["ecrRepositoryPrefix"])
        new = {name: call.parameters[name] for name in ("credentialArn", "customRoleArn") if name in call.parameters}
        rule = setting.value | new
        _check(call, rule)
        setting = records.set_setting(call.registry, _RULE, setting.name, rule, now=call.now)
    return _answer(call, setting) | {"updatedAt": setting.updated_at}


def delete_pull_through_cache_rule(call: Call) -> Answer:
    """DeletePullThroughCacheRule: what is in the cache already stays."""
    call.require_own_registry()
    with call.transaction() as records:
        setting = _found(call, records, call.parameters["ecrRepositoryPrefix"])
        records.delete_setting(call.registry, _RULE, setting.name)
    return _answer(call, setting, "upstreamRegistryUrl") | {"createdAt": setting.created_at}


def describe_pull_through_cache_rules(call: Call) -> Answer:
    """DescribePullThroughCacheRules: by prefix (one missing rule fails the call), or all in pages."""
    call.require_own_registry()
    with call.transaction() as records:
        if paging.refuse_paging_with(call, "ecrRepositoryPrefixes"):
            prefixes = dict.fromkeys(map(canonical, call.parameters["ecrRepositoryPrefixes"]))
            found, more = [_found(call, records, prefix) for prefix in prefixes], None
        else:
            found, more = paging.settings_page(call, records, _RULE)
    rules = [
        _answer(call, setting, "upstreamRegistryUrl", "upstreamRegistry")
        | {"createdAt": setting.created_at, "updatedAt": setting.updated_at}
        for setting in found
    ]
    return {"pullThroughCacheRules": rules, "nextToken": more}


def validate_pull_through_cache_rule(call: Call) -> Answer:
    """ValidatePullThroughCacheRule: a rule is valid if its upstream can be reached from here."""
    call.require_own_registry()
    with call.transaction() as records:
        setting = _found(call, records, call.parameters["ecrRepositoryPrefix"])
    reachable = setting.value["upstreamRegistry"] == "ecr"
    return _answer(call, setting, "upstreamRegistryUrl") | {
        "isValid": reachable,
        "failure": None if reachable else UNREACHABLE,
    }


def rule_for(records: Records, registry: Registry, name: str) -> Setting | None:
    """Find the rule that makes a repository a cache: the one with the longest prefix."""
    return next(settings_for(records, registry, _RULE, name), None)


# --- What a rule is ------------------------------------------------------------------------------------------


def _upstream_registry(call: Call) -> str:
    """Tell which kind of registry the address is of; the kind that is given must be the same (our choice)."""
    url, asked = call.parameters["upstreamRegistryUrl"], call.parameters.get("upstreamRegistry")
    kind = next((kind for kind, is_host in _HOSTS.items() if is_host(url)), None)
    if kind is None or asked not in (None, kind):
        raise EcrError(
            "UnsupportedUpstreamRegistryException",
            f"The upstream registry '{asked or 'null'}' with URL '{url}' is not supported",
        )
    return kind


def _check(call: Call, rule: dict[str, Any]) -> None:
    kind = rule["upstreamRegistry"]
    if kind in _WITH_SECRET and "credentialArn" not in rule:
        raise invalid_parameter("credentialArn", f"is required for the upstream registry {kind}")
    if "credentialArn" in rule:
        _check_secret(call, rule["credentialArn"])
    if upstream := parse_host(rule["upstreamRegistryUrl"]):
        if upstream == call.registry:
            raise invalid_parameter("upstreamRegistryUrl", "The upstream cannot be the registry itself")
        if upstream.account != call.account and not rule.get("customRoleArn"):
            raise invalid_parameter("customRoleArn", "is required for an upstream in another account")
    _check_upstream_prefix(rule)


def _check_secret(call: Call, arn: str) -> None:
    """Require a secret of the rule's own account and Region ("Storing your upstream repository credentials")."""
    region, account = arn.split(":")[3:5]
    if Registry(account, region) != call.registry:
        raise EcrError("UnableToAccessSecretException", f"The secret '{arn}' is of another account or Region")


def _check_upstream_prefix(rule: dict[str, Any]) -> None:
    """Keep to "Customizing repository prefixes for ECR to ECR pull through cache", user guide."""
    if rule["upstreamRepositoryPrefix"] == ROOT:
        return
    if rule["ecrRepositoryPrefix"] == ROOT or rule["upstreamRegistry"] != "ecr":
        raise invalid_parameter(
            "upstreamRepositoryPrefix", "can be set only of an Amazon ECR upstream, with an ecrRepositoryPrefix"
        )


def _found(call: Call, records: Records, prefix: str) -> Setting:
    setting = records.setting(call.registry, _RULE, canonical(prefix))
    if setting is None:
        raise EcrError(
            "PullThroughCacheRuleNotFoundException",
            f"The pull through cache rule with repository prefix '{prefix}' does not exist in the registry with id "
            f"'{call.account}'",
        )
    return setting


def _answer(call: Call, setting: Setting, *more: str) -> Answer:
    names = ("ecrRepositoryPrefix", "credentialArn", "customRoleArn", "upstreamRepositoryPrefix", *more)
    return {"registryId": call.account, **{name: setting.value.get(name) for name in names}}
