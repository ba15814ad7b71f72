"""Replication backfills: replicating what was in a registry before a rule was for it.

A backfill first prepares the list of images, which takes as long as a replication (``Switches``), and then
replicates some of them at a time, with the same rules as if they were pushed then.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ecr_provider.emulator.clock import DAY
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules import errors, manifests, paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.media_types import INDEXES
from ecr_provider.emulator.rules.replication.destination import call_at, copy_here
from ecr_provider.emulator.rules.replication.source import all_destinations, destinations
from ecr_provider.emulator.store.backfills import Backfill, BackfillReplication
from ecr_provider.emulator.store.images import Image, ImageFilter
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

_KEPT = 90 * DAY  # after the end (ListReplicationBackfills)
_AT_A_TIME = 10  # images replicated at a time (our choice)
_PAGE = 25  # backfills (ListReplicationBackfills)

_ACTIVE = ("PREPARING", "IN_PROGRESS", "STOPPING")


# --- The operations ------------------------------------------------------------------------------------------


def start_replication_backfill(call: Call) -> Answer:
    """StartReplicationBackfill: to a destination of the replication configuration."""
    call.require_own_registry()
    asked = call.parameters["destination"]
    destination, backfill_id = Registry(asked["registryId"], asked["region"]), str(uuid.uuid4())
    with call.transaction() as records:
        if destination not in all_destinations(records, call.registry):
            raise invalid_parameter("destination", "must be a destination of the replication configuration")
        _require_room(call, records, destination)
        records.add_backfill(call.registry, destination, backfill_id, "PREPARING", call.now)
        call.later(
            call.state.switches.replication_seconds,
            "PrepareReplicationBackfill",
            {"replicationBackfillId": backfill_id},
        )
        return {"registryId": call.account, **_describe(_find(call, records, backfill_id))}


def stop_replication_backfill(call: Call) -> Answer:
    """StopReplicationBackfill: at once, or when the replications that are under way have ended."""
    call.require_own_registry()
    backfill_id: str = call.parameters["replicationBackfillId"]
    with call.transaction() as records:
        backfill = _find(call, records, backfill_id)
        if backfill.status == "PREPARING":
            records.end_backfill(backfill, "STOPPED", call.now)
        elif backfill.status == "IN_PROGRESS":
            records.set_backfill_status(backfill, "STOPPING")
        else:
            raise EcrError(
                "ReplicationBackfillInvalidStatusException",
                f"The replication backfill with id '{backfill_id}' cannot be stopped: it is {backfill.status}",
            )
        return {"registryId": call.account, **_describe(_find(call, records, backfill_id))}


def list_replication_backfills(call: Call) -> Answer:
    """ListReplicationBackfills, in the order in which they were started."""
    call.require_own_registry()
    size, after = paging.page_size(call, _PAGE), paging.number(call)
    with call.transaction() as records:
        found = records.backfills(call.registry, call.now - _KEPT, after, size + 1)
        page, more = paging.page(call, found, size, lambda backfill: backfill.number)
        backfills = [_describe(backfill) | _course(records, backfill) for backfill in page]
    return {"registryId": call.account, "backfills": backfills, "nextToken": more}


def describe_replication_backfill_results(call: Call) -> Answer:
    """DescribeReplicationBackfillResults: the results of single images only once the backfill has ended."""
    call.require_own_registry()
    size, after = paging.page_size(call), paging.number(call)
    wanted = call.parameters.get("resultStatusFilter")
    outcomes = (False, True) if wanted is None else (wanted == "FAILED",)
    with call.transaction() as records:
        backfill = _find(call, records, call.parameters["replicationBackfillId"])
        has_ended = backfill.status not in _ACTIVE
        found = records.backfill_results(backfill, outcomes, after, size + 1) if has_ended else []
        course = _course(records, backfill)
    results, more = paging.page(call, found, size, lambda done: done.number)
    return {
        "registryId": call.account,
        **_describe(backfill),
        **course,
        "results": [_result(done) for done in results],
        "nextToken": more,
    }


def _require_room(call: Call, records: Records, destination: Registry) -> None:
    """Keep to one backfill for a destination Region, and to the quota of the registry."""
    all_ = records.backfills(call.registry, call.now - _KEPT)
    active = [backfill for backfill in all_ if backfill.status in _ACTIVE]
    if any(backfill.destination.region == destination.region for backfill in active):
        raise EcrError(
            "ReplicationBackfillInProgressException",
            f"A replication backfill is already in progress for the destination Region {destination.region}",
        )
    limit = call.state.limits.replication_backfills
    if len(active) >= limit:
        raise errors.limit_exceeded("replication backfills in progress per registry", limit)


def _find(call: Call, records: Records, backfill_id: str) -> Backfill:
    backfill = records.backfill(call.registry, backfill_id, call.now - _KEPT)
    if backfill is None:
        raise EcrError(
            "ReplicationBackfillNotFoundException",
            f"The replication backfill with id '{backfill_id}' does not exist in the registry with id '{call.account}'",
        )
    return backfill


def _describe(backfill: Backfill) -> dict[str, Any]:
    return {
        "replicationBackfillId": backfill.id,
        "destination": {"region": backfill.destination.region, "registryId": backfill.destination.account},
        "status": backfill.status,
        "startedAt": backfill.started_at,
    }


def _course(records: Records, backfill: Backfill) -> dict[str, Any]:
    """Describe how a backfill goes; "progress" is null until it has found what to replicate."""
    progress = records.backfill_progress(backfill)
    counts = {
        "totalReplicationCount": progress.total,
        "completedReplicationCount": progress.complete,
        "failedReplicationCount": progress.failed,
        "failureCodes": progress.failure_codes,
    }
    return {
        "failureCode": backfill.failure_code,
        "progress": counts if backfill.is_prepared else None,
        "endedAt": backfill.ended_at,
    }


def _result(done: BackfillReplication) -> Answer:
    return {
        "repositoryName": done.repository,
        "imageId": {"imageDigest": done.digest, "imageTag": done.tag},
        "status": "FAILED" if done.failure_code else "COMPLETE",
        "failureCode": done.failure_code,
        "subImageFailureCodes": done.sub_image_failure_codes,
    }


# --- The jobs ------------------------------------------------------------------------------------------------


def prepare_replication_backfill(call: Call) -> Answer:
    """Do the job of listing what a backfill is to replicate: the active images, in the order of their pushes.

    It fails if the destination is not in the replication configuration any more (the code is ours).
    """
    with call.transaction() as records:
        backfill = _find(call, records, call.parameters["replicationBackfillId"])
        if backfill.status != "PREPARING":
            return {}
        if backfill.destination not in all_destinations(records, call.registry):
            records.end_backfill(backfill, "FAILED", call.now, "DESTINATION_NOT_CONFIGURED")
            return {}
        records.prepare_backfill(backfill, _images(call, records, backfill.destination))
        records.set_backfill_status(backfill, "IN_PROGRESS")
        _go_on(call, records, backfill)
    return {}


def replicate_backfill_images(call: Call) -> Answer:
    """Do the job of replicating the next images of a backfill."""
    with call.transaction() as records:
        backfill = _find(call, records, call.parameters["replicationBackfillId"])
        for next_ in records.next_backfill_replications(backfill, _AT_A_TIME):
            records.set_backfill_replication(_replicate(call, records, backfill, next_))
        if backfill.status == "STOPPING":
            records.end_backfill(backfill, "STOPPED", call.now)
        else:
            _go_on(call, records, backfill)
    return {}


def _go_on(call: Call, records: Records, backfill: Backfill) -> None:
    """Have the next images replicated, or end the backfill if there are none."""
    if records.next_backfill_replications(backfill, 1):
        parameters = {"replicationBackfillId": backfill.id}
        call.later(call.state.switches.replication_seconds, "ReplicateBackfillImages", parameters)
    else:
        records.end_backfill(backfill, "COMPLETE", call.now)


def _images(call: Call, records: Records, destination: Registry) -> Iterator[tuple[str, str, str | None]]:
    """List what the rules replicate to a destination; an image is listed once for each of its tags."""
    active = ImageFilter("ANY", "ACTIVE", call.now)
    for repository in records.repositories(call.registry):
        if destination in destinations(records, repository):
            for image in records.images(repository, active):
                tags: list[str | None] = [*records.tags(image)]
                yield from ((repository.name, image.digest, tag) for tag in tags or [None])


def _replicate(call: Call, records: Records, backfill: Backfill, next_: BackfillReplication) -> BackfillReplication:
    """Replicate an image now; return what came of it."""
    source = records.repository(backfill.registry, next_.repository)
    image = records.image(source, next_.digest) if source else None
    if source is None or image is None:
        return replace(next_, failure_code="IMAGE_NOT_FOUND")  # deleted meanwhile; the code is ours
    records.begin_replication(image, backfill.destination)
    there = call_at(call, backfill.destination)
    failure = copy_here(there, records, source, image, next_.tag)
    codes = _sub_image_failure_codes(records, source, image, backfill.destination)
    return replace(next_, failure_code=failure, sub_image_failure_codes=codes)


def _sub_image_failure_codes(
    records: Records, source: Repository, image: Image, destination: Registry
) -> list[str] | None:
    """List why images that an index names failed to replicate; of another image, return None."""
    if image.media_type not in INDEXES:
        return None
    digests = manifests.parse(records.manifest(image).decode(), image.media_type).children
    children = [child for child in (records.image(source, digest) for digest in digests) if child]
    found = [row for child in children for row in records.replications(child)]
    return sorted({row.failure_code for row in found if row.destination == destination and row.failure_code})
