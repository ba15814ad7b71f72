"""Deleting and archiving: what the operations and lifecycle policies have in common, and what it sets off."""

from __future__ import annotations

from collections.abc import Sequence

from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.images import image_events
from ecr_provider.emulator.rules.replication.source import replicate_deletion
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository


def delete_tag(call: Call, records: Records, repository: Repository, image: Image, tag: str) -> None:
    """Remove a tag from an image."""
    records.delete_tag(repository, tag)
    image_events.deleted(call, repository, image, tag)
    replicate_deletion(call, records, repository, image.digest, tag)


def delete_image(call: Call, records: Records, repository: Repository, image: Image) -> Sequence[str | None]:
    """Delete an image; return the tags that it had, or None in their place."""
    tags: Sequence[str | None] = records.tags(image) or (None,)
    records.delete_image(image)
    for tag in tags:
        image_events.deleted(call, repository, image, tag)
    replicate_deletion(call, records, repository, image.digest, None)
    return tags


def archive_image(call: Call, records: Records, repository: Repository, image: Image) -> Image:
    """Move an image into the archive; return it as it is there."""
    image_events.archived(call, repository, image)
    return records.archive(image, call.now)
