"""What a task tells the next one about an image: plain JSON, in ECR's own names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository, ImageDetail


class TagReport(TypedDict):
    """What became of one tag.

    :param outcome: ``created``, ``moved``, ``unchanged``, or ``restored`` for an archived image that the tag pointed at
        already; ``found`` from a sensor.
    :param previousImageDigest: what the tag pointed at before; ``None`` if it did not exist or was not looked at.
    """

    imageTag: str
    outcome: str
    previousImageDigest: str | None


class ImageReport(TypedDict):
    """The ``return_value`` of the operators and sensors; each key is an XCom of its own, too.

    :param imageTag: the first tag that was asked for, or ``None``.
    :param imageUri: the image pinned by digest; what a deploy task has to run.
    :param outcome: for several tags the one that changes most: ``moved``, ``created``, ``restored``, ``unchanged``.
    :param previousImageDigest: that of ``imageTag``.
    :param tags: what became of each tag.
    """

    imageDigest: str
    imageTag: str | None
    imageTags: list[str]
    registryId: str
    repositoryName: str
    imageUri: str
    imageManifestMediaType: str | None
    outcome: str
    previousImageDigest: str | None
    tags: list[TagReport]


def found_report(
    repository: EcrRepository, detail: ImageDetail, tag: str | None, tags: Sequence[str], previous: Digest | None
) -> ImageReport:
    """Return the report of an image that was found.

    :param tag: by which tag it was found, if by one.
    :param tags: the tags to name.
    :param previous: what ``tag`` pointed at before, or what the image is newer than.
    """
    before = None if previous is None else str(previous)
    return {
        "imageDigest": str(detail.digest),
        "imageTag": tag,
        "imageTags": list(tags),
        "registryId": detail.registry_id,
        "repositoryName": repository.repository_name,
        "imageUri": repository.image_uri(detail.registry_id, detail.digest),
        "imageManifestMediaType": detail.media_type,
        "outcome": "found",
        "previousImageDigest": before,
        "tags": [{"imageTag": each, "outcome": "found", "previousImageDigest": before} for each in tags],
    }
