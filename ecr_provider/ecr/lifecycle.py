"""What a repository's lifecycle policy would do, by its preview."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecr_provider.ecr.faults import translated
from ecr_provider.exceptions import EcrCallError
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import LifecyclePolicyPreviewResultTypeDef

    from ecr_provider.ecr.repository import EcrRepository


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """What a policy would do with one image.

    :param action: ``EXPIRE`` or ``TRANSITION``.
    :param rule_priority: by which of its rules.
    """

    digest: Digest
    action: str
    rule_priority: int


@dataclass(frozen=True, slots=True)
class Preview:
    """The last preview of a repository, whoever started it.

    :param policy: the text of the policy that it is of.
    :param status: ``IN_PROGRESS``, ``COMPLETE``, ``EXPIRED`` or ``FAILED``.
    :param results: those of the images that were asked for.
    """

    policy: str
    status: str
    results: tuple[PreviewResult, ...] = ()


def lifecycle_policy(repository: EcrRepository) -> str | None:
    """Return the text of the repository's policy, by GetLifecyclePolicy; ``None``: it has none.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetLifecyclePolicy.html

    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of the call.
    """
    try:
        with translated("GetLifecyclePolicy", str(repository)):
            return repository.client.get_lifecycle_policy(**repository.address)["lifecyclePolicyText"]
    except EcrCallError as error:
        if error.code == "LifecyclePolicyNotFoundException":
            return None
        raise


def start_preview(repository: EcrRepository, policy: str) -> bool:
    """Start the preview of a policy, by StartLifecyclePolicyPreview; nothing is deleted by it.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartLifecyclePolicyPreview.html

    :param policy: the policy's text.
    :return: whether it started; not, while another preview of the repository is in progress.
    :raises EcrCallError: another failure of the call.
    """
    try:
        with translated("StartLifecyclePolicyPreview", str(repository)):
            repository.client.start_lifecycle_policy_preview(lifecyclePolicyText=policy, **repository.address)
    except EcrCallError as error:
        if error.code == "LifecyclePolicyPreviewInProgressException":
            return False
        raise
    return True


def describe_preview(repository: EcrRepository, digests: Iterable[Digest]) -> Preview | None:
    """Return the last preview, with its results for some images, by GetLifecyclePolicyPreview; ``None``: none.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetLifecyclePolicyPreview.html

    :param digests: the images, 100 at most.
    :raises EcrCallError: a failure of the call.
    """
    try:
        with translated("GetLifecyclePolicyPreview", str(repository)):
            answer = repository.client.get_lifecycle_policy_preview(
                imageIds=[{"imageDigest": str(digest)} for digest in digests], **repository.address
            )
            results = tuple(map(_result, answer.get("previewResults", ())))
            return Preview(answer["lifecyclePolicyText"], answer["status"], results)
    except EcrCallError as error:
        if error.code == "LifecyclePolicyPreviewNotFoundException":
            return None
        raise


def _result(result: LifecyclePolicyPreviewResultTypeDef) -> PreviewResult:
    return PreviewResult(Digest.parse(result["imageDigest"]), result["action"]["type"], result["appliedRulePriority"])
