"""Hold an image back until its signatures, SBOMs and attestations are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.sensors.base import EcrImageGateSensor


class EcrImageReferrersSensor(EcrImageGateSensor):
    """Wait until an image has what refers to it: signatures, SBOMs, attestations; and until ECR has signed it.

    It sees that they are there, and that ECR's managed signing is complete. Whether a signature is good, only its
    verification tells, with the tool that made it.

    .. seealso::
        For how to use this sensor, take a look at the guide: :ref:`howto/sensor:EcrImageReferrersSensor`

    What else it takes is documented with :class:`~ecr_provider.sensors.base.EcrImageGateSensor`.

    :param artifact_types: wait until there is a referrer of each of these, such as
        ``["application/vnd.dev.sigstore.bundle.v0.3+json"]``; ``*`` stands for any text. (templated)
    :param subjects: to what they have to refer: to the ``"image"`` that is named, to the ``"children"`` of an index, or
        to ``"all"``. (templated)
    :param managed_signing: wait until ECR has signed the image with every profile that the registry's signing
        configuration names for the repository; one that failed fails the task at once.
    :param signing_profile_arns: with these profiles only, instead of ``managed_signing``. (templated)
    :raises InvalidInputError: there is nothing to wait for.

    Sources: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html and
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageSigningStatus.html
    """

    template_fields: Sequence[str] = (
        *EcrImageGateSensor.template_fields,
        "artifact_types",
        "subjects",
        "signing_profile_arns",
    )
    gate_kind: ClassVar[str] = "image_referrers"

    def __init__(
        self,
        *,
        artifact_types: Sequence[str] | None = None,
        subjects: Literal["image", "children", "all"] = "image",
        managed_signing: bool = False,
        signing_profile_arns: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.artifact_types = artifact_types
        self.subjects = subjects
        self.managed_signing = managed_signing
        self.signing_profile_arns = signing_profile_arns
        if managed_signing and signing_profile_arns is not None:
            raise InvalidInputError("Give managed_signing, for all profiles, or signing_profile_arns, not both.")
        if artifact_types is None and signing_profile_arns is None and not managed_signing:
            raise InvalidInputError("Give artifact_types, managed_signing or both: there is nothing to wait for.")
        self.remember_given()

    def gate_arguments(self) -> dict[str, Any]:
        """Return what has to refer to the image."""
        return {
            "artifact_types": self.artifact_types,
            "subjects": self.subjects,
            "managed_signing": self.managed_signing,
            "signing_profile_arns": self.signing_profile_arns,
        }
