"""Image ids: an image by digest, by tag, or by both; and the failures of a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules import errors
from ecr_provider.emulator.rules.call import Answer
from ecr_provider.emulator.rules.manifests import DIGEST_PATTERN, is_digest
from ecr_provider.emulator.rules.repositories.mutability import TAG_PATTERN, is_tag
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

ImageId = dict[str, str]


def image_answer(repository: Repository, digest: str, tag: str | None) -> Answer:
    """Name an image as the answers of many operations do."""
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": digest, "imageTag": tag},
    }


class FailureError(Exception):
    """What is wrong with one of the images of a batch; the others are not affected."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def find(records: Records, repository: Repository, image_id: ImageId) -> Image:
    """Find the image an imageId names, by digest, by tag, or by both, which must then agree."""
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    _check_form(digest, tag)
    image = records.tagged_image(repository, tag) if tag else records.image(repository, digest or "")
    if image is None:
        raise FailureError("ImageNotFound", "Requested image not found")
    if digest not in (None, image.digest):
        raise FailureError("ImageTagDoesNotMatchDigest", "Requested image tag does not match the image digest")
    return image


def _check_form(digest: str | None, tag: str | None) -> None:
    if digest is None and tag is None:
        raise FailureError("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
    if digest is not None and not is_digest(digest):
        rule = f"image digest should satisfy the regex '{DIGEST_PATTERN}'"
        raise FailureError("InvalidImageDigest", f"Invalid request parameters: {rule}")
    if tag is not None and not is_tag(tag):
        rule = f"image tag should satisfy the regex '{TAG_PATTERN}'"
        raise FailureError("InvalidImageTag", f"Invalid request parameters: {rule}")


def find_or_raise(records: Records, repository: Repository, image_id: ImageId) -> Image:
    """Find an image for an operation that fails as a whole if it is not there."""
    try:
        return find(records, repository, image_id)
    except FailureError as failure:
        if failure.code in ("ImageNotFound", "ImageTagDoesNotMatchDigest"):
            raise errors.image_not_found(image_id, repository.name, repository.account) from None
        raise EcrError("InvalidParameterException", failure.reason) from None


def batch(image_ids: Iterable[ImageId], work: Callable[[ImageId], Any]) -> tuple[list[Any], list[Answer]]:
    """Work on each imageId; return what came out, and the failures as ECR shows them."""
    done, failures = [], []
    for image_id in image_ids:
        try:
            done.append(work(image_id))
        except FailureError as failure:
            failures.append({"imageId": image_id, "failureCode": failure.code, "failureReason": failure.reason})
    return done, failures
