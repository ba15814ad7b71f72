"""How far Amazon ECR's managed signing of an image is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.wildcards import matches
from ecr_provider.exceptions import EcrCallError
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


@dataclass(frozen=True, slots=True)
class Signing:
    """The signing of one image with one profile.

    :param profile_arn: the signing profile, of AWS Signer.
    :param status: ``IN_PROGRESS``, ``COMPLETE`` or ``FAILED``.
    :param failure_code: ECR's code of a failure.
    :param failure_reason: ECR's words for it.
    """

    profile_arn: str
    status: str
    failure_code: str = ""
    failure_reason: str = ""


def describe_signings(repository: EcrRepository, digest: Digest) -> tuple[Signing, ...]:
    """Describe how far each signing profile is with an image, by DescribeImageSigningStatus.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageSigningStatus.html

    :raises ImageNotFoundError: there is no such image.
    :raises EcrCallError: another failure of the call.
    """
    with translated("DescribeImageSigningStatus", f"{repository}@{digest}"):
        answer = repository.client.describe_image_signing_status(
            imageId={"imageDigest": str(digest)}, **repository.address
        )
        return tuple(
            Signing(
                profile_arn=each["signingProfileArn"],
                status=each["status"],
                failure_code=each.get("failureCode", ""),
                failure_reason=each.get("failureReason", ""),
            )
            for each in answer.get("signingStatuses", ())
        )


def signing_profiles(repository: EcrRepository) -> tuple[str, ...] | None:
    """Return the profiles that the registry signs the repository's images with, by GetSigningConfiguration.

    :return: ``None``: the registry is another account's, whose configuration it cannot tell.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetSigningConfiguration.html

    :raises EcrCallError: the call failed.
    """
    try:
        with translated("GetSigningConfiguration", str(repository)):
            answer = repository.client.get_signing_configuration()
            if repository.registry_id not in (None, answer["registryId"]):
                return None
            profiles = (
                rule["signingProfileArn"]
                for rule in answer["signingConfiguration"]["rules"]
                if not (filters := rule.get("repositoryFilters"))
                or any(matches(each["filter"], repository.repository_name) for each in filters)
            )
            return tuple(dict.fromkeys(profiles))
    except EcrCallError as error:
        if error.code != "SigningConfigurationNotFoundException":
            raise
        return () if repository.registry_id in (None, _own_registry_id(repository)) else None


def _own_registry_id(repository: EcrRepository) -> str:
    with translated("DescribeRegistry", str(repository)):
        return repository.client.describe_registry()["registryId"]
