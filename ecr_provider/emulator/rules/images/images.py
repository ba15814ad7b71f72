"""The rules of images that are there: reading, listing and deleting them."""

from __future__ import annotations

from ecr_provider.emulator.clock import DAY
from ecr_provider.emulator.rules import manifests, paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.images.deletion import delete_image, delete_tag
from ecr_provider.emulator.rules.images.image_ids import FailureError, ImageId, batch, find, find_or_raise, image_answer
from ecr_provider.emulator.rules.pull_through_cache.cache import refresh, repository_for_pull
from ecr_provider.emulator.store.images import Image, ImageFilter
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

# --- Reading -------------------------------------------------------------------------------------------------


def batch_get_image(call: Call) -> Answer:
    """BatchGetImage: the manifests, byte for byte; missing images are failures, not errors.

    Asked by tag, the answer carries the tag that was asked. By tag only, a manifest is converted for a client
    that does not accept it as it is: see ``manifests.offered``.
    """
    with call.transaction() as records:
        repository = repository_for_pull(call, records)

        def read(image_id: ImageId) -> Answer:
            return _read(call, records, repository, image_id)

        images, failures = batch(call.parameters["imageIds"], read)
    return {"images": images, "failures": failures}


def _read(call: Call, records: Records, repository: Repository, image_id: ImageId) -> Answer:
    refresh(call, records, repository, image_id)
    image = find(records, repository, image_id)
    if image.status(call.now) != "ACTIVE":
        # The failure code exists and its meaning fits; no real answer for an archived image was seen.
        raise FailureError("ImageInaccessible", f"Requested image is {image.status(call.now).lower()}")
    if repository.encryption.get("kmsKey") in call.state.switches.unusable_kms_keys:
        raise FailureError("KmsError", "The KMS key of the repository cannot be used")
    by_tag_only = "imageDigest" not in image_id
    accepted = call.parameters.get("acceptedMediaTypes") if by_tag_only else None
    media_type = manifests.offered(image.media_type, accepted)
    if media_type is None:
        raise FailureError("ImageNotFound", manifests.refusal(image.media_type))
    manifest = records.manifest(image)
    if media_type != image.media_type:
        manifest = manifests.converted(manifest, media_type)
    _record_pull(call, records, image)
    return image_answer(repository, image.digest, image_id.get("imageTag")) | {
        "imageManifest": manifest.decode(),
        "imageManifestMediaType": media_type,
    }


def _record_pull(call: Call, records: Records, image: Image) -> None:
    """Keep the time of a pull, at most once in 24 hours (``ImageDetail.lastRecordedPullTime``)."""
    if image.pulled_at is None or call.now - image.pulled_at >= DAY:
        records.set_pulled_at(image, call.now)


# --- Listing -------------------------------------------------------------------------------------------------


def describe_images(call: Call) -> Answer:
    """DescribeImages: some images (one that is missing fails the call), or all in pages.

    The filter goes over either, and lets only ACTIVE images pass unless it says otherwise.
    """
    with call.transaction() as records:
        repository = call.repository(records)
        if paging.refuse_paging_with(call, "imageIds"):
            asked = [find_or_raise(records, repository, image_id) for image_id in call.parameters["imageIds"]]
            images = [image for image in dict.fromkeys(asked) if _passes(call, records, image)]
            return {"imageDetails": [_describe(call, records, repository, image) for image in images]}
        size = paging.page_size(call)
        found = records.images(repository, _filter(call), paging.number(call), size + 1)
        images, more = paging.page(call, found, size, lambda image: image.id)
        details = [_describe(call, records, repository, image) for image in images]
    return {"imageDetails": details, "nextToken": more}


def list_images(call: Call) -> Answer:
    """ListImages: one imageId for every tag, and one for every image without a tag."""
    number, _, tag = paging.position(call).partition(":")
    size = paging.page_size(call)
    with call.transaction() as records:
        repository = call.repository(records)
        found = records.image_ids(repository, _filter(call), (int(number or 0), tag), size + 1)
    rows, more = paging.page(call, found, size, lambda row: f"{row[0]}:{row[1]}")
    image_ids = [{"imageDigest": digest, "imageTag": tag or None} for _, tag, digest in rows]
    return {"imageIds": image_ids, "nextToken": more}


def _filter(call: Call) -> ImageFilter:
    wanted = call.parameters.get("filter", {})
    return ImageFilter(wanted.get("tagStatus", "ANY"), wanted.get("imageStatus", "ACTIVE"), call.now)


def _passes(call: Call, records: Records, image: Image) -> bool:
    wanted, tagged = _filter(call), "TAGGED" if records.tag_count(image) else "UNTAGGED"
    return wanted.tag_status in ("ANY", tagged) and wanted.image_status in ("ANY", image.status(call.now))


def _describe(call: Call, records: Records, repository: Repository, image: Image) -> Answer:
    activated = image.activated_at is not None and image.activated_at <= call.now
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageTags": records.tags(image) or None,
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_media_type,
        "lastRecordedPullTime": image.pulled_at,
        "subjectManifestDigest": image.subject,
        "imageStatus": image.status(call.now),
        "lastArchivedAt": image.archived_at,
        "lastActivatedAt": image.activated_at if activated else None,
    }


# --- Deleting ------------------------------------------------------------------------------------------------


def batch_delete_image(call: Call) -> Answer:
    """BatchDeleteImage, in the order given: by tag, or by digest with all tags.

    "When you remove the last tag from an image, the image is deleted" (API reference). An image that an index
    names is protected, also from losing its last tag. An immutable tag is not.
    """
    with call.transaction() as records:
        repository = call.repository(records)
        deleted, failures = batch(
            call.parameters["imageIds"], lambda image_id: _delete(call, records, repository, image_id)
        )
    return {"imageIds": [image_id for ids in deleted for image_id in ids], "failures": failures}


def _delete(call: Call, records: Records, repository: Repository, image_id: ImageId) -> list[ImageId | Answer]:
    image = find(records, repository, image_id)
    tag = image_id.get("imageTag")
    if tag is not None and records.tags(image) != [tag]:
        delete_tag(call, records, repository, image, tag)
        return [{"imageDigest": image.digest, "imageTag": tag}]
    if parents := records.parents(image):
        listed = ", ".join(parent.digest for parent in parents)
        raise FailureError("ImageReferencedByManifestList", f"Requested image referenced by manifest list: [{listed}]")
    tags = delete_image(call, records, repository, image)
    return [{"imageDigest": image.digest, "imageTag": tag} for tag in tags]
