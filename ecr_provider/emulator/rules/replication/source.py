"""Replication, as the registry sees it that is replicated: rules, what they set off, and how that stands.

Each push makes a job of every destination (see ``replicas``). They are done in the order of the pushes, so that an
index comes after the images it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.images.image_ids import find_or_raise
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

_CONFIGURATION = "replication configuration"  # the kind of setting
_MOST_DESTINATIONS = 25  # different ones, over all rules (user guide)


class Destination(NamedTuple):
    """A registry that images are replicated to."""

    account: str
    region: str


# --- The configuration ---------------------------------------------------------------------------------------


def put_replication_configuration(call: Call) -> Answer:
    """PutReplicationConfiguration: replaces all rules. What was pushed before is not replicated by it."""
    configuration: dict[str, Any] = call.parameters["replicationConfiguration"]
    unique = set(_destinations(configuration["rules"]))
    if len(unique) > _MOST_DESTINATIONS:
        raise _invalid(f"There can be {_MOST_DESTINATIONS} unique destinations at most")
    if (call.account, call.region) in unique:
        raise _invalid("Replication destination cannot be the same as the source registry")
    with call.transaction() as records:
        records.set_setting(call.account, call.region, _CONFIGURATION, "", configuration["rules"], now=call.now)
    return {"replicationConfiguration": configuration}


def configured_rules(records: Records, account: str, region: str) -> list[dict[str, Any]]:
    """Return a registry's rules."""
    setting = records.setting(account, region, _CONFIGURATION)
    return setting.value if setting else []


def destinations(records: Records, repository: Repository, *, of_deletions: bool = False) -> list[Destination]:
    """List where a repository's images go, or their deletions."""
    rules = configured_rules(records, repository.account, repository.region)
    matching = [rule for rule in rules if _matches(rule, repository.name)]
    if of_deletions:
        matching = [rule for rule in matching if rule.get("deleteReplication", {}).get("enabled")]
    return _destinations(matching)


def all_destinations(records: Records, account: str, region: str) -> list[Destination]:
    """List where any of a registry's images go."""
    return _destinations(configured_rules(records, account, region))


def _destinations(rules: Iterable[dict[str, Any]]) -> list[Destination]:
    """List the destinations of rules, each once."""
    listed = (item for rule in rules for item in rule["destinations"])
    return list(dict.fromkeys(Destination(item["registryId"], item["region"]) for item in listed))


def _matches(rule: dict[str, Any], name: str) -> bool:
    """Tell whether a repository matches any of a rule's filters; without filters, all do."""
    filters = rule.get("repositoryFilters")
    return filters is None or any(name.startswith(item["filter"]) for item in filters)


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
        "replicationStatuses": [
            {
                "registryId": replication.account,
                "region": replication.region,
                "status": replication.status,
                "failureCode": replication.failure_code if replication.status == "FAILED" else None,
            }
            for replication in replications
        ],
    }


# --- Pushes --------------------------------------------------------------------------------------------------


def replicate(call: Call, records: Records, repository: Repository, image: Image, tag: str | None) -> None:
    """Have an image replicated that was pushed, or restored, just now."""
    for account, region in destinations(records, repository):
        records.begin_replication(image, account, region)
        parameters = _job(repository, image.digest, tag) | {"image": image.id}
        seconds = call.state.switches.replication_seconds
        call.later(seconds, "ReplicateImage", parameters, account=account, region=region)


def replicate_when_restored(call: Call, repository: Repository, image: Image, seconds: float) -> None:
    """Have an image replicated that will be out of the archive after so many seconds."""
    parameters = {"repositoryName": repository.name, "imageDigest": image.digest}
    call.later(seconds, "ReplicateRestoredImage", parameters, account=repository.account)


def replicate_restored_image(call: Call) -> Answer:
    """Do the job of having a restored image replicated, with each of its tags, if it was restored just now."""
    with call.transaction() as records:
        repository = records.repository(call.account, call.region, call.parameters["repositoryName"])
        image = records.image(repository, call.parameters["imageDigest"]) if repository else None
        if repository and image and not image.archived and image.activated_at == call.now:
            tags: list[str | None] = [*records.tags(image)]
            for tag in tags or [None]:
                replicate(call, records, repository, image, tag)
    return {}


# --- Deletions -----------------------------------------------------------------------------------------------


def replicate_deletion(call: Call, records: Records, repository: Repository, digest: str, tag: str | None) -> None:
    """Have the removal of a tag replicated or, without a tag, the deletion of an image, where a rule wants that."""
    for account, region in destinations(records, repository, of_deletions=True):
        seconds = call.state.switches.replication_seconds
        parameters = _job(repository, digest, tag)
        call.later(seconds, "ReplicateImageDeletion", parameters, account=account, region=region)


def _job(source: Repository, digest: str, tag: str | None) -> dict[str, Any]:
    return {
        "sourceRegistryId": source.account,
        "sourceRegion": source.region,
        "repositoryName": source.name,
        "imageDigest": digest,
        "imageTag": tag,
    }
