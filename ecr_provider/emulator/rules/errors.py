"""The errors that several operations share, and the words ECR uses for them.

A text marked *reported* was seen in a real answer of Amazon ECR; the others are ours, since no record of the
real words was found. Programs should look at the code, never at the text.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecr_provider.emulator.errors import EcrError


def throttled() -> EcrError:
    """Say that calls come too fast (*reported*)."""
    return EcrError("ThrottlingException", "Rate exceeded")


# --- Parameters ----------------------------------------------------------------------------------------------


def invalid_parameter(member: str, constraint: str, code: str = "InvalidParameterException") -> EcrError:
    """Say that one parameter breaks one constraint (*reported*, in this form, for many members)."""
    return EcrError(code, f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'")


def pattern_mismatch(member: str, pattern: str) -> EcrError:
    """Say that a parameter has not the form that it should."""
    return invalid_parameter(member, f"must satisfy regular expression '{pattern}'")


def invalid_manifest() -> EcrError:
    """Say what ECR says of every manifest that it does not take (*reported*)."""
    return invalid_parameter("ImageManifest", "Invalid JSON syntax")


# --- Repositories --------------------------------------------------------------------------------------------


def repository_not_found(name: str, registry_id: str) -> EcrError:
    """Say that the registry has no such repository (*reported*)."""
    return EcrError(
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '{registry_id}'",
    )


def repository_already_exists(name: str, registry_id: str) -> EcrError:
    """Say that the name is taken (*reported*)."""
    return EcrError(
        "RepositoryAlreadyExistsException",
        f"The repository with name '{name}' already exists in the registry with id '{registry_id}'",
    )


def repository_not_empty(name: str, registry_id: str) -> EcrError:
    """Say that a repository with images needs ``force`` to be deleted (*reported*)."""
    return EcrError(
        "RepositoryNotEmptyException",
        f"The repository with name '{name}' in registry with id '{registry_id}' cannot be deleted because it "
        "still contains images",
    )


def policy_not_found(name: str, registry_id: str) -> EcrError:
    """Say that the repository has no policy (*reported*)."""
    return EcrError(
        "RepositoryPolicyNotFoundException",
        f"Repository policy does not exist for the repository with name '{name}' in the registry with id "
        f"'{registry_id}'",
    )


def access_denied(account: str, action: str, resource: str, reason: str) -> EcrError:
    """Say what IAM says of a call that no policy allows, or one denies (*reported*, the user's name is ours)."""
    return EcrError(
        "AccessDeniedException",
        f"User: arn:aws:iam::{account}:user/emulator is not authorized to perform: {action} on resource: "
        f"{resource} {reason}",
    )


def kms_key_unusable(key: str) -> EcrError:
    """Say that the repository's key cannot be used."""
    return EcrError(
        "KmsException",
        f"The operation failed because the KMS key '{key}' cannot be used",
        kmsError="KMS.DisabledException",
    )


def limit_exceeded(what: str, limit: int) -> EcrError:
    """Say that a quota is used up."""
    return EcrError("LimitExceededException", f"The limit of {limit} {what} has been reached")


# --- Images --------------------------------------------------------------------------------------------------


def image_not_found(image_id: dict[str, str], name: str, registry_id: str) -> EcrError:
    """Say that one asked image is not there (*reported*; Java's ``null`` is theirs)."""
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    return EcrError(
        "ImageNotFoundException",
        f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the "
        f"repository with name '{name}' in the registry with id '{registry_id}'",
    )


def image_already_exists(digest: str, tag: str | None, name: str, registry_id: str) -> EcrError:
    """Say that nothing changed since the last push (*reported*)."""
    return EcrError(
        "ImageAlreadyExistsException",
        f"Image with digest '{digest}' and tag '{tag or 'null'}' already exists in the repository with name "
        f"'{name}' in registry with id '{registry_id}'",
    )


def image_tag_already_exists(tag: str, name: str) -> EcrError:
    """Say that an immutable tag is taken (*reported* since 2025)."""
    return EcrError(
        "ImageTagAlreadyExistsException",
        f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because "
        "the tag is immutable.",
    )


def image_digest_does_not_match(digest: str, name: str, registry_id: str) -> EcrError:
    """Say that the manifest has another digest than the one sent with it (*reported*)."""
    return EcrError(
        "ImageDigestDoesNotMatchException",
        f"The image with digest '{digest}' in repository '{name}' and registry ID '{registry_id}' does not "
        "match the image digest that Amazon ECR has calculated.",
    )


def layers_not_found(digests: Iterable[str], name: str, registry_id: str) -> EcrError:
    """Say that a manifest names blobs that the repository lacks (in the words of the next one)."""
    return EcrError(
        "LayersNotFoundException",
        f"Layers with digests '[{', '.join(digests)}]' required for pushing image into repository with name "
        f"'{name}' in the registry with id '{registry_id}' do not exist",
    )


def referenced_images_not_found(digests: Iterable[str], name: str, registry_id: str) -> EcrError:
    """Say that an index names manifests that the repository lacks (*reported*)."""
    return EcrError(
        "ReferencedImagesNotFoundException",
        f"Images with digests '[{', '.join(digests)}]' required for pushing image into repository with name "
        f"'{name}' in the registry with id '{registry_id}' do not exist",
    )


# --- Layers --------------------------------------------------------------------------------------------------


def layer_not_found(digest: str, name: str, registry_id: str) -> EcrError:
    """Say that the repository lacks a layer (*reported*, with its quote missing)."""
    return EcrError(
        "LayersNotFoundException",
        f"The layer with digest {digest} does not exist within the repository with name '{name} in the "
        f"registry with id '{registry_id}'",
    )


def layer_inaccessible(digest: str, why: str) -> EcrError:
    """Say that a layer is there and cannot be had."""
    return EcrError("LayerInaccessibleException", f"The layer with digest '{digest}' is not available: {why}")


def upload_not_found(upload_id: str, name: str, registry_id: str) -> EcrError:
    """Say that the upload is unknown, or complete already."""
    return EcrError(
        "UploadNotFoundException",
        f"The upload with id '{upload_id}' could not be found in the repository with name '{name}' in the "
        f"registry with id '{registry_id}'",
    )


# --- Scans and signatures ------------------------------------------------------------------------------------


def unsupported_image_type(media_type: str) -> EcrError:
    """Say that only images for one platform are scanned (*reported*, alexjurkiewicz/ecr-scan-image#43)."""
    return EcrError(
        "UnsupportedImageTypeException",
        f"An artifact with media type '{media_type}' cannot be scanned. For more information, see the Amazon ECR "
        "documentation.",
    )


def image_archived(digest: str, name: str, registry_id: str) -> EcrError:
    """Say that what is in the archive cannot be scanned."""
    return EcrError(
        "ImageArchivedException",
        f"The image with digest '{digest}' in the repository with name '{name}' in the registry with id "
        f"'{registry_id}' is archived and cannot be scanned",
    )


def scan_quota_exceeded() -> EcrError:
    """Say that the image was scanned in the last 24 hours (*reported*)."""
    return EcrError("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")


def feature_disabled() -> EcrError:
    """Say that there are no scans by hand under enhanced scanning (*reported*, ecr-scan-image#44)."""
    return EcrError("ValidationException", "This feature is disabled")


def scan_not_found(image_id: dict[str, str], name: str, registry_id: str) -> EcrError:
    """Say that the image was not scanned, or that its scan is not known yet (*reported*)."""
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    return EcrError(
        "ScanNotFoundException",
        f"Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{tag}'}}' in the "
        f"repository with name '{name}' in the registry with id '{registry_id}'",
    )


def signing_configuration_not_found(registry_id: str) -> EcrError:
    """Say that the registry has no signing configuration."""
    return EcrError(
        "SigningConfigurationNotFoundException",
        f"Signing configuration does not exist in the registry with id '{registry_id}'",
    )


# --- Lifecycle -----------------------------------------------------------------------------------------------


def invalid_lifecycle_policy(reason: str) -> EcrError:
    """Say what is wrong with a lifecycle policy (*reported*, in this form)."""
    return invalid_parameter("LifecyclePolicyText", f"Lifecycle policy validation failure: {reason}")


def lifecycle_policy_not_found(name: str, registry_id: str) -> EcrError:
    """Say that the repository has no lifecycle policy (in the words of ``policy_not_found``)."""
    return EcrError(
        "LifecyclePolicyNotFoundException",
        f"Lifecycle policy does not exist for the repository with name '{name}' in the registry with id "
        f"'{registry_id}'",
    )


def lifecycle_preview_not_found(name: str, registry_id: str) -> EcrError:
    """Say that no preview was started."""
    return EcrError(
        "LifecyclePolicyPreviewNotFoundException",
        f"Lifecycle policy preview does not exist for the repository with name '{name}' in the registry with id "
        f"'{registry_id}'",
    )


def lifecycle_preview_in_progress(name: str, registry_id: str) -> EcrError:
    """Say that the last preview is not complete."""
    return EcrError(
        "LifecyclePolicyPreviewInProgressException",
        f"A lifecycle policy preview is in progress for the repository with name '{name}' in the registry with id "
        f"'{registry_id}'",
    )


# --- Pull-time update exclusions -----------------------------------------------------------------------------


def exclusion_already_exists(principal: str) -> EcrError:
    """Say that the principal is excluded already."""
    return EcrError("ExclusionAlreadyExistsException", f"A pull time update exclusion for '{principal}' already exists")


def exclusion_not_found(principal: str) -> EcrError:
    """Say that the principal is not excluded."""
    return EcrError("ExclusionNotFoundException", f"There is no pull time update exclusion for '{principal}'")
