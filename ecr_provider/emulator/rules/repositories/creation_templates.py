"""Repository creation templates: what repositories are like that ECR creates by itself.

It does so for images that are replicated or pulled through a cache, with the defaults where no template
matches, and for pushes, only where one does (user guide, "Private repository creation templates").
"""

from __future__ import annotations

from typing import Any, Literal

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules import paging, policies
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.lifecycle.operations import attach_policy
from ecr_provider.emulator.rules.lifecycle.policy import parse_policy
from ecr_provider.emulator.rules.permissions import registry_permits
from ecr_provider.emulator.rules.prefixes import canonical, settings_for
from ecr_provider.emulator.rules.repositories import mutability, repositories
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.settings import Setting, SettingKind

Scenario = Literal["REPLICATION", "PULL_THROUGH_CACHE", "CREATE_ON_PUSH"]

_TEMPLATE = SettingKind.REPOSITORY_CREATION_TEMPLATE


# --- Templates -----------------------------------------------------------------------------------------------


def create_repository_creation_template(call: Call) -> Answer:
    """CreateRepositoryCreationTemplate. Repositories that exist are not changed."""
    with call.transaction() as records:
        if _find(call, records):
            raise EcrError(
                "TemplateAlreadyExistsException",
                f"A repository creation template with prefix '{call.parameters['prefix']}' already exists in the "
                f"registry with id '{call.account}'",
            )
        return _put(call, records, call.parameters)


def update_repository_creation_template(call: Call) -> Answer:
    """UpdateRepositoryCreationTemplate: the members that are given, and no others.

    Mutability and its exclusion filters are one setting, as they are of a repository (our choice).
    """
    with call.transaction() as records:
        template = _found(call, records).value
        if {"imageTagMutability", "imageTagMutabilityExclusionFilters"} & call.parameters.keys():
            template.pop("imageTagMutabilityExclusionFilters", None)
        return _put(call, records, template | call.parameters)


def delete_repository_creation_template(call: Call) -> Answer:
    """DeleteRepositoryCreationTemplate: answers with the template that was."""
    with call.transaction() as records:
        setting = _found(call, records)
        records.delete_setting(call.registry, _TEMPLATE, setting.name)
    return _answer(call, setting)


def describe_repository_creation_templates(call: Call) -> Answer:
    """DescribeRepositoryCreationTemplates: by prefix, or all in pages. A prefix without one is left out."""
    with call.transaction() as records:
        if paging.refuse_paging_with(call, "prefixes"):
            names = dict.fromkeys(map(canonical, call.parameters["prefixes"]))
            settings = [records.setting(call.registry, _TEMPLATE, name) for name in names]
            found, more = [setting for setting in settings if setting], None
        else:
            found, more = paging.settings_page(call, records, _TEMPLATE)
    return {
        "registryId": call.account,
        "repositoryCreationTemplates": [_describe(setting) for setting in found],
        "nextToken": more,
    }


def _put(call: Call, records: Records, template: dict[str, Any]) -> Answer:
    _check(call, template)
    name = canonical(template["prefix"])
    return _answer(call, records.set_setting(call.registry, _TEMPLATE, name, template, now=call.now))


def _check(call: Call, template: dict[str, Any]) -> None:
    """Refuse now what could make no repository later, with the one class of error that these operations have."""
    try:
        mutability.settings(template)
        encryption = repositories.encryption(call, template.get("encryptionConfiguration"))
        tags = repositories.merged_tags({}, template.get("resourceTags", []))
        if policy := template.get("repositoryPolicy"):
            policies.parse(policy)
        if policy := template.get("lifecyclePolicy"):
            parse_policy(policy)
    except EcrError as error:
        raise EcrError("InvalidParameterException", error.message) from None
    if (tags or encryption["encryptionType"] != "AES256") and not template.get("customRoleArn"):
        # "Creating an IAM role for repository creation templates", user guide.
        raise invalid_parameter("customRoleArn", "is required with resourceTags or KMS encryption")


def _find(call: Call, records: Records) -> Setting | None:
    return records.setting(call.registry, _TEMPLATE, canonical(call.parameters["prefix"]))


def _found(call: Call, records: Records) -> Setting:
    setting = _find(call, records)
    if setting is None:
        raise EcrError(
            "TemplateNotFoundException",
            f"The repository creation template with prefix '{call.parameters['prefix']}' does not exist in the "
            f"registry with id '{call.account}'",
        )
    return setting


def _answer(call: Call, setting: Setting) -> Answer:
    return {"registryId": call.account, "repositoryCreationTemplate": _describe(setting)}


def _describe(setting: Setting) -> Answer:
    mutable = setting.value.get("imageTagMutability", "MUTABLE")
    return {
        **setting.value,
        "imageTagMutability": mutable,
        "createdAt": setting.created_at,
        "updatedAt": setting.updated_at,
    }


# --- Creating ------------------------------------------------------------------------------------------------


def repository_for_push(call: Call, records: Records) -> Repository:
    """Find the repository that is pushed to, or create it if a template is there for that.

    Another account's caller needs ``ecr:CreateRepository`` of the registry's policy. Without a template, or
    that, ECR "will not create a repository" (user guide): it is a ``RepositoryNotFoundException``.
    """
    if found := call.find_repository(records):
        return found
    name: str = call.parameters["repositoryName"]
    is_permitted = registry_permits(records, call.caller.account, "ecr:CreateRepository", call.registry, name)
    if is_permitted and _matching(call, records, name, "CREATE_ON_PUSH"):
        create_repository(call, records, name, "CREATE_ON_PUSH")
    return call.repository(records)


def create_repository(call: Call, records: Records, name: str, scenario: Scenario) -> Repository:
    """Create a repository in the registry that is called, as the template says that matches, if one does.

    Raises LimitExceededException, and KmsException if the template's key cannot be used.
    """
    template = _matching(call, records, name, scenario) or {}
    mutable, exclusions = mutability.settings(template)
    repository = repositories.add_repository(
        call,
        records,
        name,
        mutability=mutable,
        exclusions=exclusions,
        scan_on_push=False,
        encryption=repositories.encryption(call, template.get("encryptionConfiguration")),
        tags=repositories.merged_tags({}, template.get("resourceTags", [])),
    )
    if policy := template.get("repositoryPolicy"):
        records.set_policy(repository, policy)
    if policy := template.get("lifecyclePolicy"):
        attach_policy(call, records, repository, policy)
    return repository


def _matching(call: Call, records: Records, name: str, scenario: Scenario) -> dict[str, Any] | None:
    """Find the template with the longest prefix, among those applied for the scenario."""
    settings = settings_for(records, call.registry, _TEMPLATE, name)
    return next((setting.value for setting in settings if scenario in setting.value["appliedFor"]), None)
