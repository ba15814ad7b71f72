"""The rules of repositories: their life, settings, tags and policies."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules import errors, paging, policies
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.permissions import is_permitted
from ecr_provider.emulator.rules.repositories import mutability
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

# The limits that tags of all AWS resources have.
_MOST_TAGS = 50
_LONGEST_KEY = 128
_LONGEST_VALUE = 256

_TOKEN_LIFETIME = 12 * 60 * 60  # seconds (GetAuthorizationToken)


# --- Life ----------------------------------------------------------------------------------------------------


def create_repository(call: Call) -> Answer:
    """CreateRepository: always in the caller's own registry."""
    call.require_own_registry()
    name: str = call.parameters["repositoryName"]
    mutable, exclusions = mutability.settings(call.parameters)
    tags = merged_tags({}, call.parameters.get("tags", []))
    with call.transaction() as records:
        if records.repository(call.registry, name):
            raise errors.repository_already_exists(name, call.account)
        repository = add_repository(
            call,
            records,
            name,
            mutability=mutable,
            exclusions=exclusions,
            scan_on_push=call.parameters.get("imageScanningConfiguration", {}).get("scanOnPush", False),
            encryption=encryption(call, call.parameters.get("encryptionConfiguration")),
            tags=tags,
        )
        return {"repository": describe(repository)}


def add_repository(call: Call, records: Records, name: str, **settings: Any) -> Repository:
    """Add a repository to the registry that is called, if that may have one more."""
    limit = call.state.limits.repositories
    if records.repository_count(call.registry) >= limit:
        raise errors.limit_exceeded("repositories per registry", limit)
    return records.add_repository(call.registry, name, created_at=call.now, **settings)


def delete_repository(call: Call) -> Answer:
    """DeleteRepository: one that has images needs ``force``."""
    with call.transaction() as records:
        repository = call.repository(records)
        if repository.image_count and not call.parameters.get("force"):
            raise errors.repository_not_empty(repository.name, repository.account)
        records.delete_repository(repository)
        return {"repository": describe(repository)}


def describe_repositories(call: Call) -> Answer:
    """DescribeRepositories: by name (one missing name fails the call), or all of them in pages."""
    with call.transaction() as records:
        if paging.refuse_paging_with(call, "repositoryNames"):
            names = dict.fromkeys(call.parameters["repositoryNames"])
            return {"repositories": [describe(call.repository(records, name)) for name in names]}
        call.require_own_registry()
        size = paging.page_size(call)
        found = records.repositories(call.registry, paging.position(call), size + 1)
        repositories, more = paging.page(call, found, size, lambda repository: repository.name)
        return {"repositories": list(map(describe, repositories)), "nextToken": more}


def describe(repository: Repository) -> Answer:
    """Write a repository as ECR shows it."""
    return {
        "repositoryArn": repository.arn,
        "registryId": repository.account,
        "repositoryName": repository.name,
        "repositoryUri": f"{repository.registry.host}/{repository.name}",
        "createdAt": repository.created_at,
        "imageTagMutability": repository.mutability,
        "imageTagMutabilityExclusionFilters": repository.exclusions or None,
        "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        "encryptionConfiguration": repository.encryption,
    }


def encryption(call: Call, asked: dict[str, str] | None) -> dict[str, str]:
    """Choose the encryption: AES256 unless asked; KMS without a key takes the one AWS manages for ECR."""
    kind, key = (asked["encryptionType"], asked.get("kmsKey")) if asked else ("AES256", None)
    if kind == "AES256":
        if key:
            raise invalid_parameter("encryptionConfiguration", "kmsKey can only be given with encryptionType KMS")
        return {"encryptionType": kind}
    registry = call.registry
    key = key or f"arn:{registry.partition}:kms:{registry.region}:{registry.account}:alias/aws/ecr"
    if key in call.state.switches.unusable_kms_keys:
        raise errors.kms_key_unusable(key)
    return {"encryptionType": kind, "kmsKey": key}


# --- Settings ------------------------------------------------------------------------------------------------


def put_image_tag_mutability(call: Call) -> Answer:
    """PutImageTagMutability: replaces the setting and its filters; tags that exist stay as they are."""
    mutable, exclusions = mutability.settings(call.parameters)
    with call.transaction() as records:
        repository = call.repository(records)
        records.set_mutability(repository, mutable, exclusions)
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageTagMutability": mutable,
        "imageTagMutabilityExclusionFilters": exclusions or None,
    }


# --- Resource tags -------------------------------------------------------------------------------------------


def list_tags_for_resource(call: Call) -> Answer:
    """ListTagsForResource."""
    with call.transaction() as records:
        tags = _resource(call, records).tags
    return {"tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


def tag_resource(call: Call) -> Answer:
    """TagResource: adds tags, and gives existing keys their new value."""
    return _change_tags(call, lambda tags: merged_tags(tags, call.parameters["tags"]))


def untag_resource(call: Call) -> Answer:
    """UntagResource: a key that is not there is no error."""
    removed = set(call.parameters["tagKeys"])
    return _change_tags(call, lambda tags: {k: v for k, v in tags.items() if k not in removed})


def _change_tags(call: Call, change: Callable[[dict[str, str]], dict[str, str]]) -> Answer:
    with call.transaction() as records:
        repository = _resource(call, records)
        records.set_resource_tags(repository, change(repository.tags))
    return {}


def _resource(call: Call, records: Records) -> Repository:
    """Find the repository an ARN names: one of the caller's Region."""
    arn: str = call.parameters["resourceArn"]
    found = re.fullmatch(r"arn:[a-z-]+:ecr:([a-z0-9-]+):([0-9]{12}):repository/(.+)", arn)
    region = call.registry.region
    if not found or found[1] != region:
        raise invalid_parameter("resourceArn", f"must be the ARN of a repository in {region}")
    repository = records.repository(Registry(found[2], region), found[3])
    if repository is None:
        raise errors.repository_not_found(found[3], found[2])
    call.authorise(repository)
    return repository


def merged_tags(tags: dict[str, str], added: list[dict[str, str]]) -> dict[str, str]:
    """Add resource tags, by the rules all AWS resources share."""
    for tag in added:
        key, value = tag["Key"], tag["Value"]
        fits = 1 <= len(key) <= _LONGEST_KEY and len(value) <= _LONGEST_VALUE
        if not fits or key.lower().startswith("aws:"):
            raise EcrError("InvalidTagParameterException", f"Invalid tag '{key}': '{value}'")
    merged = tags | {tag["Key"]: tag["Value"] for tag in added}
    if len(merged) > _MOST_TAGS:
        raise EcrError("TooManyTagsException", f"A repository can have {_MOST_TAGS} tags at most")
    return merged


# --- Policies ------------------------------------------------------------------------------------------------


def get_repository_policy(call: Call) -> Answer:
    """GetRepositoryPolicy."""
    with call.transaction() as records:
        return _policy_answer(*_policy(call, records))


def set_repository_policy(call: Call) -> Answer:
    """SetRepositoryPolicy: one that locks its own author out needs ``force``."""
    text: str = call.parameters["policyText"]
    policies.parse(text)
    with call.transaction() as records:
        repository = call.repository(records)
        settable = is_permitted(
            records, call.caller.account, "ecr:SetRepositoryPolicy", replace(repository, policy=text)
        )
        if not settable and not call.parameters.get("force"):
            raise invalid_parameter("PolicyText", "The policy would prevent setting another: use force")
        records.set_policy(repository, text)
        return _policy_answer(repository, text)


def delete_repository_policy(call: Call) -> Answer:
    """DeleteRepositoryPolicy: answers with the policy that was."""
    with call.transaction() as records:
        repository, policy = _policy(call, records)
        records.set_policy(repository, None)
    return _policy_answer(repository, policy)


def _policy(call: Call, records: Records) -> tuple[Repository, str]:
    repository = call.repository(records)
    if repository.policy is None:
        raise errors.policy_not_found(repository.name, repository.account)
    return repository, repository.policy


def _policy_answer(repository: Repository, text: str) -> Answer:
    return {"registryId": repository.account, "repositoryName": repository.name, "policyText": text}


# --- The registry --------------------------------------------------------------------------------------------


def get_authorization_token(call: Call) -> Answer:
    """GetAuthorizationToken: good for 12 hours, in every registry the caller may use.

    ``registryIds`` only chooses the end points that are listed. The password carries its own proof: the
    caller's account, the Region and the end of its life, sealed. It has no colon, which clients split at.

    ``proxyEndpoint`` is where this emulator's registry is, so that a client which follows it, as ``docker login``
    does, arrives here; AWS answers ``https://<account>.dkr.ecr.<region>.amazonaws.com``.
    """
    expires = call.now + _TOKEN_LIFETIME
    grant = json.dumps({"account": call.caller.account, "region": call.caller.region, "expires": expires})
    password = call.state.sealer.seal("registry password", grant)
    authorization = base64.b64encode(f"AWS:{password}".encode()).decode("ascii")
    registries = call.parameters.get("registryIds", [call.caller.account])
    granted = {"authorizationToken": authorization, "expiresAt": expires, "proxyEndpoint": call.state.origin}
    return {"authorizationData": [granted for _ in dict.fromkeys(registries)]}
