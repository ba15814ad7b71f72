"""What refers to what in a repository: signatures, SBOMs, attestations, and the images that they are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.limits import MAX_IMAGES_A_PAGE, MAX_REFERRERS_A_PAGE
from ecr_provider.ecr.repository import Page
from ecr_provider.exceptions import AccessDeniedError
from ecr_provider.oci import Descriptor, Digest, Referrer

if TYPE_CHECKING:
    from botocore.model import StructureShape
    from mypy_boto3_ecr.type_defs import ImageReferrerTypeDef

    from ecr_provider.ecr.repository import EcrRepository


def can_list_referrers(repository: EcrRepository) -> bool:
    """Tell whether the installed botocore knows ListImageReferrers, which is of late 2025."""
    return "ListImageReferrers" in repository.client.meta.service_model.operation_names


def list_referrers(repository: EcrRepository, subject: Digest) -> tuple[Referrer, ...]:
    """List what refers to a manifest: :func:`describe_referrers`, without what it is."""
    return tuple(Referrer(each.digest, each.media_type) for each in describe_referrers(repository, subject))


def describe_referrers(repository: EcrRepository, subject: Digest) -> tuple[Descriptor, ...]:
    """Describe what refers to a manifest and can be pulled, by ListImageReferrers.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html

    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of the call.
    """
    found: list[Descriptor] = []
    page: Page = {"maxResults": MAX_REFERRERS_A_PAGE}
    while True:
        with translated("ListImageReferrers", f"{repository}@{subject}"):
            answer = repository.client.list_image_referrers(
                subjectId={"imageDigest": str(subject)}, **page, **repository.address
            )
            found += map(_descriptor, answer["referrers"])
        if not (token := answer.get("nextToken")):
            return tuple(found)
        page["nextToken"] = token


def _descriptor(referrer: ImageReferrerTypeDef) -> Descriptor:
    return Descriptor(
        media_type=referrer["mediaType"],
        digest=Digest.parse(referrer["digest"]),
        size=referrer["size"],
        annotations=referrer.get("annotations", {}),
        artifact_type=referrer.get("artifactType"),
    )


def all_referrers(repository: EcrRepository) -> Mapping[Digest, tuple[Referrer, ...]] | None:
    """List what refers to each manifest of a repository, by one DescribeImages.

    :return: ``None`` where that does not tell: the repository has more images than one answer holds, the caller may
        not make the call, or the installed botocore is older than ``subjectManifestDigest``.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html

    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of the call.
    """
    if "subjectManifestDigest" not in _image_detail(repository).members:
        return None
    found: dict[Digest, list[Referrer]] = defaultdict(list)
    try:
        with translated("DescribeImages", str(repository)):
            answer = repository.client.describe_images(maxResults=MAX_IMAGES_A_PAGE, **repository.address)
            for image in answer["imageDetails"]:
                if subject := image.get("subjectManifestDigest"):
                    referrer = Referrer(Digest.parse(image["imageDigest"]), image.get("imageManifestMediaType", ""))
                    found[Digest.parse(subject)].append(referrer)
    except AccessDeniedError:
        return None
    return None if answer.get("nextToken") else {subject: tuple(group) for subject, group in found.items()}


def _image_detail(repository: EcrRepository) -> StructureShape:
    return cast("StructureShape", repository.client.meta.service_model.shape_for("ImageDetail"))
