"""Replication, as the registry sees it that is replicated: rules, what they set off, and how that stands.

Each push makes a job of every destination (see ``destination``). They are done in the order of the pushes, so that an
index comes after the images it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.filters import is_for_repository
from ecr_provider.emulator.rules.images.image_ids import find_or_raise
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.replications import Replication
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.settings import SettingKind

_MOST_DESTINATIONS = 25  # different ones, over all rules (user guide)


# --- The configuration ---------------------------------------------------------------------------------------


def put_replication_configuration(call: Call) -> Answer:
    """PutReplicationConfiguration: replaces all rules. What was pushed before is not replicated by it."""
    configuration: dict[str, Any] = call.parameters["replicationConfiguration"]
    unique = set(_destinations(configuration["rules"]))
    if len(unique) > _MOST_DESTINATIONS:
        raise _invalid(f"There can be {_MOST_DESTINATIONS} unique destinations at most")
    if call.registry in unique:
        raise _invalid("Replication destination cannot be the same as the source registry")
    with call.transaction() as records:
        rules = configuration["rules"]
        records.set_setting(call.registry, SettingKind.REPLICATION_CONFIGURATION, "", rules, now=call.now)
    return {"replicationConfiguration": configuration}


def configured_rules(records: Records, registry: Registry) -> list[dict[str, Any]]:
    """Return a registry's rules."""
    setting = records.setting(registry, SettingKind.REPLICATION_CONFIGURATION)
    return setting.value if setting else []


def destinations(records: Records, repository: Repository, *, of_deletions: bool = False) -> list[Registry]:
    """List where a repository's images go, or their deletions."""
    rules = configured_rules(records, repository.registry)
    matching = [rule for rule in rules if is_for_repository(rule, repository.name)]
    if of_deletions:
        matching = [rule for rule in matching if rule.get("deleteReplication", {}).get("enabled")]
    return _destinations(matching)


def all_destinations(records: Records, registry: Registry) -> list[Registry]:
    """List where any of a registry's images go."""
    return _destinations(configured_rules(records, registry))


def _destinations(rules: Iterable[dict[str, Any]]) -> list[Registry]:
    """List the destinations of rules, each once."""
    listed = (item for rule in rules for item in rule["destinations"])
    return list(dict.fromkeys(Registry(item["registryId"], item["region"]) for item in listed))


def _invalid(constraint: str) -> EcrError:
    return invalid_parameter("replicationConfiguration", constraint)


# --- Status --------------------------------------------------------------------------------------------------


def describe_image_replication_status(call: Call) -> Answer:
    """DescribeImageReplicationStatus: of an image that no rule was for when it was pushed, an empty list."""
    image_id = call.parameters["imageId"]
    with call.transaction() as records:
        repository = call.repository(records)
        image = find_or_raise(records, repository, image_id)
        replications = records.replications(image)
    return {
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.digest, "imageTag": image_id.get("imageTag")},
        "replicationStatuses": [_status(replication) for replication in replications],
    }


def _status(replication: Replication) -> Answer:
    failure = None if replication.under_way else replication.failure_code
    return {
        "registryId": replication.destination.account,
        "region": replication.destination.region,
        "status": "IN_PROGRESS" if replication.under_way else "FAILED" if failure else "COMPLETE",
        "failureCode": failure,
    }


# --- Pushes --------------------------------------------------------------------------------------------------


def replicate(call: Call, records: Records, repository: Repository, image: Image, tag: str | None) -> None:
    """Have an image replicated that was pushed, or restored, just now."""
    for destination in destinations(records, repository):
        records.begin_replication(image, destination)
        parameters = _job(repository, image.digest, tag) | {"image": image.id}
        call.later(call.state.switches.replication_seconds, "ReplicateImage", parameters, at=destination)


# --- Deletions -----------------------------------------------------------------------------------------------


def replicate_deletion(call: Call, records: Records, repository: Repository, digest: str, tag: str | None) -> None:
    """Have the removal of a tag replicated or, without a tag, the deletion of an image, where a rule wants that."""
    parameters, seconds = _job(repository, digest, tag), call.state.switches.replication_seconds
    for destination in destinations(records, repository, of_deletions=True):
        call.later(seconds, "ReplicateImageDeletion", parameters, at=destination)


def _job(source: Repository, digest: str, tag: str | None) -> dict[str, Any]:
    return {
        "sourceRegistryId": source.account,
        "sourceRegion": source.registry.region,
        "repositoryName": source.name,
        "imageDigest": digest,
        "imageTag": tag,
    }
