"""Keeping an image: one that was pushed, or a copy of one from another repository."""

from __future__ import annotations

from ecr_provider.emulator.rules import errors, manifests
from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.manifests import Manifest
from ecr_provider.emulator.rules.repositories.mutability import is_immutable
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository


def require_room(call: Call, records: Records, repository: Repository) -> None:
    """Raise LimitExceededException unless a repository may have one more image."""
    limit = call.state.limits.images_per_repository
    if records.image_count(repository) >= limit:
        raise errors.limit_exceeded("images per repository", limit)


def keep(records: Records, repository: Repository, manifest: Manifest, size: int, now: float) -> Image:
    """Add an image, and what it is made of, to a repository that has all of that."""
    image_id = records.add_image(
        repository,
        manifest.raw,
        digest=manifest.digest,
        media_type=manifest.media_type,
        artifact_media_type=manifest.artifact_media_type,
        subject=manifest.subject,
        size=size,
        pushed_at=now,
    )
    records.add_layer_uses(repository, image_id, manifest.blobs)
    records.add_children(repository, image_id, manifest.children)
    image = records.image(repository, manifest.digest)
    assert image is not None  # noqa: S101 - it was written just now
    return image


def copy(call: Call, records: Records, source: Repository, image: Image, destination: Repository) -> Image:
    """Copy an image, and all that it names, into a repository; return it as it is there.

    An image that is there already stays, and is restored if it was archived, as by a push.

    Raises LimitExceededException if the repository is full.
    """
    if there := records.image(destination, image.digest):
        return there if there.status(call.now) == "ACTIVE" else records.restore(there, call.now)
    manifest = manifests.parse(records.manifest(image).decode(), image.media_type)
    for child in filter(None, (records.image(source, digest) for digest in manifest.children)):
        copy(call, records, source, child, destination)
    require_room(call, records, destination)
    for digest, _ in manifest.blobs:
        records.add_layer(destination, digest, records.layer_size(source, digest) or 0)
    return keep(records, destination, manifest, image.size, call.now)


def place_tag(records: Records, repository: Repository, tag: str, image: Image) -> bool:
    """Point a tag at a copied image; tell whether it does now.

    It does not if it is immutable and points at another image: then the image goes without it (user guide,
    "Private image replication", and likewise of pull through caches).
    """
    current = records.tagged_image(repository, tag)
    if current is not None and current.digest != image.digest and is_immutable(repository, tag):
        return False
    records.set_tag(repository, tag, image.id)
    return True
