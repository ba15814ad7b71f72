"""What a task tells the next one about an image: plain JSON, in ECR's own names."""

from __future__ import annotations

from typing import TypedDict


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
