"""Wait for container images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.hooks.mixin import AWS_TEMPLATE_FIELDS
from ecr_provider.sensors.base import EcrGateSensor


class EcrImageSensor(EcrGateSensor):
    """Wait until an image is in an Amazon ECR repository, ready to be pulled.

    An image that is archived, or being restored, is not ready. Each look is one ``DescribeImages``, which does not
    count as a pull, and leaves one line in the log.

    .. seealso::
        For how to use this sensor, take a look at the guide: :ref:`howto/sensor:EcrImageSensor`

    It returns the image: see :class:`~ecr_provider.ecr.report.ImageReport`. What else it takes is documented with
    :class:`~ecr_provider.sensors.base.EcrGateSensor`.

    :param image_tag: wait until this tag exists. (templated)
    :param image_digest: wait until this digest exists; with ``image_tag``, until the tag points at it. (templated)
    :param other_than_image_digest: with ``image_tag``, wait until it points at another image than this. (templated)
    :param platforms: wait until the image is an index that has these, such as ``["linux/arm64"]``. (templated)
    :param wait_for_repository: wait for a missing repository, too, instead of failing at once.
    :raises InvalidInputError: the arguments contradict each other.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """

    template_fields: Sequence[str] = (
        *AWS_TEMPLATE_FIELDS,
        "image_tag",
        "image_digest",
        "other_than_image_digest",
        "platforms",
    )
    gate_kind: ClassVar[str] = "image"

    def __init__(
        self,
        *,
        image_tag: str | None = None,
        image_digest: str | None = None,
        other_than_image_digest: str | None = None,
        platforms: Sequence[str] | None = None,
        wait_for_repository: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_tag = image_tag
        self.image_digest = image_digest
        self.other_than_image_digest = other_than_image_digest
        self.platforms = platforms
        self.wait_for_repository = wait_for_repository
        if image_tag is None and image_digest is None:
            raise InvalidInputError("Give image_tag, image_digest or both: there is nothing to wait for.")
        self.remember_given()

    def gate_arguments(self) -> dict[str, Any]:
        """Return the arguments of the gate."""
        return {
            "image_tag": self.image_tag,
            "image_digest": self.image_digest,
            "other_than_image_digest": self.other_than_image_digest,
            "platforms": self.platforms,
            "wait_for_repository": self.wait_for_repository,
        }
