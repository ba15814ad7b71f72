"""Hold an image back that the repository's lifecycle policy is about to delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.oci import Digest
from ecr_provider.sensors.base import EcrImageGateSensor


class EcrImageLifecycleSensor(EcrImageGateSensor):
    """Make sure that no lifecycle policy will soon delete or archive an image, nor the one to go back to.

    A retag makes an image no younger: what was released today may be deleted tonight. This asks ECR for the preview of
    the repository's policy, moved ahead by some days and pushes; nothing is deleted by it. An image that would not
    stay fails the task at once.

    .. seealso::
        For how to use this sensor, take a look at the guide: :ref:`howto/sensor:EcrImageLifecycleSensor`

    What else it takes is documented with :class:`~ecr_provider.sensors.base.EcrImageGateSensor`.

    :param rollback_image_digest: another image that has to stay, such as what the tag pointed at before; nothing, as in
        a first release, is fine. (templated)
    :param days_ahead: how many days to look ahead. (templated)
    :param pushes_ahead: how many pushes to look ahead, for rules that keep a number of images. (templated)

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartLifecyclePolicyPreview.html
    """

    template_fields: Sequence[str] = (
        *EcrImageGateSensor.template_fields,
        "rollback_image_digest",
        "days_ahead",
        "pushes_ahead",
    )
    gate_kind: ClassVar[str] = "image_lifecycle"

    def __init__(
        self,
        *,
        rollback_image_digest: str | None = None,
        days_ahead: int = 7,
        pushes_ahead: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rollback_image_digest = rollback_image_digest
        self.days_ahead = days_ahead
        self.pushes_ahead = pushes_ahead
        self.remember_given()

    def may_be_blank(self, name: str, value: object) -> bool:
        """Tell whether a blank argument has a meaning of its own: a first release has nothing to go back to."""
        return name == "rollback_image_digest"

    def gate_arguments(self) -> dict[str, Any]:
        """Return how far to look ahead."""
        return {"days_ahead": self.days_ahead, "pushes_ahead": self.pushes_ahead}

    def image_arguments(self) -> dict[str, Any]:
        """Return the images, their tags resolved."""
        digest = None if _is_none(self.rollback_image_digest) else self.parsed("rollback_image_digest", Digest.parse)
        others = [] if digest is None else [self.resolve(ImageIdentifier(digest)).to_json()]
        return super().image_arguments() | {"others": others}


def _is_none(digest: object) -> bool:
    return digest is None or (isinstance(digest, str) and digest.strip() in ("", "None"))
