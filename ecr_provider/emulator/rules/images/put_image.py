"""The rule of PutImage, the operation all others are there for."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_provider.emulator.rules import errors, manifests
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter, pattern_mismatch
from ecr_provider.emulator.rules.images import image_events
from ecr_provider.emulator.rules.images.copies import keep, require_room
from ecr_provider.emulator.rules.images.image_ids import image_answer
from ecr_provider.emulator.rules.manifests import DIGEST_PATTERN, Manifest, is_digest
from ecr_provider.emulator.rules.replication.source import replicate
from ecr_provider.emulator.rules.repositories.creation_templates import repository_for_push
from ecr_provider.emulator.rules.repositories.mutability import TAG_PATTERN, is_immutable, is_tag
from ecr_provider.emulator.rules.scanning.scans import scan_on_push
from ecr_provider.emulator.rules.signing.sign_on_push import sign_on_push
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class _Put:
    """A put under way: what is to be put, and where."""

    call: Call
    records: Records
    repository: Repository
    manifest: Manifest
    tag: str | None
    image: Image | None
    """The image of this digest, if it is there already."""


def put_image(call: Call) -> Answer:
    """PutImage: keep a manifest, byte for byte, and point a tag at it.

    AWS does not document in which order it looks for errors. Here: parameters, repository, key, manifest,
    digest, what the manifest names, the tag, whether there is anything to do, quotas; then all is written at
    once. An error changes nothing.
    """
    text, tag = call.parameters["imageManifest"], _tag(call)
    with call.transaction() as records:
        repository = repository_for_push(call, records)
        call.require_key(repository)
        manifest = manifests.parse(text, call.parameters.get("imageManifestMediaType"))
        _require_digest(call, repository, manifest)
        put = _Put(call, records, repository, manifest, tag, records.image(repository, manifest.digest))
        size = _require_parts(put)
        _require_change(put)
        _require_quota(put)
        image = _write(put, size)
    return {
        "image": image_answer(repository, image.digest, tag)
        | {"imageManifest": text, "imageManifestMediaType": image.media_type}
    }


def _tag(call: Call) -> str | None:
    """Check what the model leaves unchecked: the forms of ``imageTag`` and (our choice) ``imageDigest``."""
    tag: str | None = call.parameters.get("imageTag")
    if tag is not None and not is_tag(tag):
        raise pattern_mismatch("imageTag", TAG_PATTERN)
    if not is_digest(call.parameters.get("imageDigest", "sha256:0")):
        raise pattern_mismatch("imageDigest", DIGEST_PATTERN)
    return tag


def _require_digest(call: Call, repository: Repository, manifest: Manifest) -> None:
    """Compare the digest that was sent along with that of the bytes that came."""
    sent = call.parameters.get("imageDigest", manifest.digest)
    if sent != manifest.digest:
        raise errors.image_digest_does_not_match(sent, repository.name, repository.account)


def _require_parts(put: _Put) -> int:
    """Require that all a manifest names is in the same repository; return the image's size in bytes.

    The size is the sum of the layers' (compressed) and, of an index, that of its largest image.
    """
    records, repository, manifest = put.records, put.repository, put.manifest
    limit = put.call.state.limits.layers_per_image
    if limit is not None and len(manifest.layers) > limit:
        raise invalid_parameter("ImageManifest", "Limit on number of layers per image exceeded")
    children = {digest: records.image(repository, digest) for digest in manifest.children}
    if missing := [digest for digest, child in children.items() if child is None]:
        raise errors.referenced_images_not_found(missing, repository.name, repository.account)
    sizes = {digest: records.layer_size(repository, digest) for digest, _ in manifest.blobs}
    if missing := [digest for digest, size in sizes.items() if size is None]:
        raise errors.layers_not_found(missing, repository.name, repository.account)
    largest = max((child.size for child in children.values() if child), default=0)
    return sum((sizes[digest] or 0 for digest in manifest.layers), start=largest)


def _require_change(put: _Put) -> None:
    """Refuse to move an immutable tag, and to put what is there already.

    Without a tag, an image that is there is there already: the wording of ``ImageAlreadyExistsException``
    ("no changes to the manifest or image tag after the last push") implies it, and nothing confirms it.
    """
    tag, repository, digest = put.tag, put.repository, put.manifest.digest
    current = put.records.tagged_image(repository, tag) if tag else put.image
    if current is None:
        return
    immutable = tag is not None and is_immutable(repository, tag)
    if current.digest != digest:
        if tag and immutable:
            raise errors.image_tag_already_exists(tag, repository.name)
        return
    if current.status(put.call.now) != "ACTIVE":
        return  # it is about to be restored: that is a change
    if tag and immutable and put.call.state.switches.immutable_and_identical == "ImageTagAlreadyExistsException":
        raise errors.image_tag_already_exists(tag, repository.name)
    raise errors.image_already_exists(digest, tag, repository.name, repository.account)


def _require_quota(put: _Put) -> None:
    """Keep to the quotas of images per repository and tags per image."""
    limit = put.call.state.limits.tags_per_image
    if put.image is None:
        require_room(put.call, put.records, put.repository)
    elif put.tag and put.records.tag_count(put.image) >= limit:
        raise errors.limit_exceeded("tags per image", limit)


def _write(put: _Put, size: int) -> Image:
    """Add the image, or restore it from the archive, point the tag at it, and set off what a push does.

    The image the tag pointed at before stays, untagged if that was its last tag.
    """
    image = put.image or keep(put.records, put.repository, put.manifest, size, put.call.now)
    if image.status(put.call.now) != "ACTIVE":
        # At once (user guide, "Restoring an archived image").
        image = put.records.restore(image, put.call.now)
    if put.tag:
        put.records.set_tag(put.repository, put.tag, image.id)
    _set_off(put, image)
    return image


def _set_off(put: _Put, image: Image) -> None:
    """Announce the push, and begin the scan, the signatures and the replications that it is to have."""
    call, records, repository = put.call, put.records, put.repository
    image_events.pushed(call, repository, image, put.tag)
    scan_on_push(call, records, repository, image)
    sign_on_push(call, records, repository, image)
    replicate(call, records, repository, image, put.tag)
