"""Replication, as its destination sees it: jobs that copy images, or repeat deletions, from another registry.

What arrives by replication is not replicated on (user guide, "Private image replication").
"""

from __future__ import annotations

from dataclasses import replace

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import access_denied
from ecr_provider.emulator.rules.images.copies import copy, place_tag
from ecr_provider.emulator.rules.permissions import registry_permits
from ecr_provider.emulator.rules.repositories import creation_templates
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

# ECR does not list its failure codes. The first was reported (containers-roadmap#2675), the others are ours.
_FAILURE_CODES = {
    "AccessDeniedException": "DESTINATION_REGISTRY_ACCESS_DENIED",
    "KmsException": "KMS_KEY_UNUSABLE",
    "LimitExceededException": "DESTINATION_LIMIT_EXCEEDED",
}


# --- Images --------------------------------------------------------------------------------------------------


def replicate_image(call: Call) -> Answer:
    """Do the job of replicating an image to the registry that is called. One deleted meanwhile is no failure."""
    with call.transaction() as records:
        found = call.job_image(records, Registry(call.parameters["sourceRegistryId"], call.parameters["sourceRegion"]))
        if found and found[1].id == call.parameters["image"]:
            copy_here(call, records, *found, call.parameters["imageTag"])
    return {}


def copy_here(call: Call, records: Records, source: Repository, image: Image, tag: str | None) -> str | None:
    """Copy an image, whose replication has begun, to the registry that is called; return the failure code, if any."""
    tagged = None
    try:
        _require_success(call)
        destination = _repository(call, records, source)
        call.require_key(source)
        call.require_key(destination)
        there = copy(call, records, source, image, destination)
        tagged = tag if tag and place_tag(records, destination, tag, there) else None
        failure = None
    except EcrError as error:
        failure = _FAILURE_CODES.get(error.code, error.code)
    records.end_replication(image, call.registry, failure)
    _announce(call, source, image.digest, tag if failure else tagged, failure)
    return failure


def _require_success(call: Call) -> None:
    """Raise the failure that was asked for, as an error of that code."""
    if code := call.state.switches.replication_failures.get(call.registry.region):
        raise EcrError(code, "As asked of the emulator")


def _repository(call: Call, records: Records, source: Repository) -> Repository:
    """Find the destination's repository of the same name, or create it, if its registry's policy allows that."""
    _require_permission(call, records, source.account, "ecr:ReplicateImage", source.name)
    found = records.repository(call.registry, source.name)
    if found is None:
        _require_permission(call, records, source.account, "ecr:CreateRepository", source.name)
        found = creation_templates.create_repository(call, records, source.name, "REPLICATION")
    return found


def _require_permission(call: Call, records: Records, account: str, action: str, name: str) -> None:
    if not registry_permits(records, account, action, call.registry, name):
        raise access_denied(account, action, call.registry.arn(name), "because no registry policy allows it")


def _announce(call: Call, source: Repository, digest: str, tag: str | None, failure: str | None) -> None:
    """Tell about a replication, where it went to (user guide, "Event for a completed image replication")."""
    detail = {
        "result": "FAILED" if failure else "SUCCESS",
        "repository-name": source.name,
        "image-digest": digest,
        "source-account": source.account,
        "action-type": "REPLICATE",
        "source-region": source.registry.region,
    }
    if tag:
        detail["image-tag"] = tag
    call.emit("ECR Replication Action", detail, (call.registry.arn(source.name),))


def call_at(call: Call, destination: Registry) -> Call:
    """Continue a call in another registry, in that registry's name."""
    return replace(call, caller=destination, parameters={})


# --- Deletions -----------------------------------------------------------------------------------------------


def replicate_image_deletion(call: Call) -> Answer:
    """Do the job of replicating a deletion to the registry that is called.

    A tag that points at another image there stays, and so does an image that an index names there. An image
    that loses its last tag stays too: the source has it still.
    """
    with call.transaction() as records:
        found = call.job_image(records)
        if found and _permits_deletion(call, records, found[0]):
            _delete(records, *found, call.parameters["imageTag"])
    return {}


def _permits_deletion(call: Call, records: Records, repository: Repository) -> bool:
    """Tell whether the source may delete here: whoever may replicate images may (AWS names no other action)."""
    account = call.parameters["sourceRegistryId"]
    return registry_permits(records, account, "ecr:ReplicateImage", repository.registry, repository.name)


def _delete(records: Records, repository: Repository, image: Image, tag: str | None) -> None:
    if tag:
        if records.tagged_image(repository, tag) == image:
            records.delete_tag(repository, tag)
    elif not records.parents(image):
        records.delete_image(image)
