"""Wait for the newest image of a repository, by its tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from ecr_provider.hooks.mixin import AWS_TEMPLATE_FIELDS
from ecr_provider.sensors.base import EcrGateSensor


class EcrNewestImageSensor(EcrGateSensor):
    r"""Find the newest image of an Amazon ECR repository, and wait until it is newer than another one.

    Tags are read a thousand images in a call, which does not count as a pull. Of two tags of the same rank that name
    different images there is no newest, which fails the task at once.

    .. seealso::
        For how to use this sensor, take a look at the guide: :ref:`howto/sensor:EcrNewestImageSensor`

    It returns the image, ``imageTag`` being the tag that was found: see :class:`~ecr_provider.ecr.report.ImageReport`.
    What else it takes is documented with :class:`~ecr_provider.sensors.base.EcrGateSensor`.

    :param order: what makes a tag newer: ``"semver"``, ``"numeric"``, ``"alphabetical"``, or ``"pushed"``, which is the
        time of the image's push, whatever its tag. (templated)
    :param semver_range: with ``"semver"``: what the version has to be, such as ``">=1.2,<2"`` or ``"~1.4"``.
        (templated)
    :param include_prereleases: with ``"semver"``: whether ``1.3.0-rc.1`` counts, where the range lets it.
    :param tag_pattern: a regular expression that the whole tag has to match. Its group, if it has one, is what is
        ordered, such as ``"build-(\d+)"``; with ``"numeric"`` it may have several. (templated)
    :param only_if_newer_than: a tag, such as the one to be moved, or a digest: wait until the newest image is newer
        than that one. A tag that does not exist yet is older than anything. (templated)

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """

    template_fields: Sequence[str] = (
        *AWS_TEMPLATE_FIELDS,
        "order",
        "semver_range",
        "tag_pattern",
        "only_if_newer_than",
    )
    gate_kind: ClassVar[str] = "newest_image"

    def __init__(
        self,
        *,
        order: Literal["semver", "numeric", "alphabetical", "pushed"] = "semver",
        semver_range: str | None = None,
        include_prereleases: bool = False,
        tag_pattern: str | None = None,
        only_if_newer_than: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.order = order
        self.semver_range = semver_range
        self.include_prereleases = include_prereleases
        self.tag_pattern = tag_pattern
        self.only_if_newer_than = only_if_newer_than
        self.remember_given()

    def gate_arguments(self) -> dict[str, Any]:
        """Return the policy, and what to be newer than."""
        return {
            "order": self.order,
            "semver_range": self.semver_range,
            "include_prereleases": self.include_prereleases,
            "tag_pattern": self.tag_pattern,
            "only_if_newer_than": self.only_if_newer_than,
        }
