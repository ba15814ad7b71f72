"""What each operation of Amazon ECR does. Whichever way a call comes, these are the rules of it."""

from __future__ import annotations

from collections.abc import Callable

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.images.images import (
    batch_delete_image,
    batch_get_image,
    describe_images,
    list_images,
)
from ecr_provider.emulator.rules.images.put_image import put_image
from ecr_provider.emulator.rules.images.referrers import list_image_referrers
from ecr_provider.emulator.rules.images.storage_class import complete_image_restore, update_image_storage_class
from ecr_provider.emulator.rules.layers import (
    batch_check_layer_availability,
    complete_layer_upload,
    get_download_url_for_layer,
    initiate_layer_upload,
    upload_layer_part,
)
from ecr_provider.emulator.rules.lifecycle.operations import (
    apply_lifecycle_policy,
    delete_lifecycle_policy,
    get_lifecycle_policy,
    get_lifecycle_policy_preview,
    put_lifecycle_policy,
    start_lifecycle_policy_preview,
)
from ecr_provider.emulator.rules.pull_through_cache.cache_rules import (
    create_pull_through_cache_rule,
    delete_pull_through_cache_rule,
    describe_pull_through_cache_rules,
    update_pull_through_cache_rule,
    validate_pull_through_cache_rule,
)
from ecr_provider.emulator.rules.registry.account_settings import get_account_setting, put_account_setting
from ecr_provider.emulator.rules.registry.policy import (
    delete_registry_policy,
    describe_registry,
    get_registry_policy,
    put_registry_policy,
)
from ecr_provider.emulator.rules.registry.pull_time_exclusions import (
    deregister_pull_time_update_exclusion,
    list_pull_time_update_exclusions,
    register_pull_time_update_exclusion,
)
from ecr_provider.emulator.rules.replication.backfills import (
    describe_replication_backfill_results,
    list_replication_backfills,
    prepare_replication_backfill,
    replicate_backfill_images,
    start_replication_backfill,
    stop_replication_backfill,
)
from ecr_provider.emulator.rules.replication.destination import replicate_image, replicate_image_deletion
from ecr_provider.emulator.rules.replication.source import (
    describe_image_replication_status,
    put_replication_configuration,
)
from ecr_provider.emulator.rules.repositories.creation_templates import (
    create_repository_creation_template,
    delete_repository_creation_template,
    describe_repository_creation_templates,
    update_repository_creation_template,
)
from ecr_provider.emulator.rules.repositories.repositories import (
    create_repository,
    delete_repository,
    delete_repository_policy,
    describe_repositories,
    get_authorization_token,
    get_repository_policy,
    list_tags_for_resource,
    put_image_tag_mutability,
    set_repository_policy,
    tag_resource,
    untag_resource,
)
from ecr_provider.emulator.rules.scanning.configuration import (
    batch_get_repository_scanning_configuration,
    get_registry_scanning_configuration,
    put_image_scanning_configuration,
    put_registry_scanning_configuration,
)
from ecr_provider.emulator.rules.scanning.operations import describe_image_scan_findings, start_image_scan
from ecr_provider.emulator.rules.scanning.scans import complete_image_scan
from ecr_provider.emulator.rules.signing.notation import complete_image_signing
from ecr_provider.emulator.rules.signing.operations import (
    delete_signing_configuration,
    describe_image_signing_status,
    get_signing_configuration,
    put_signing_configuration,
)

Rule = Callable[[Call], Answer]

RULES: dict[str, Rule] = {
    "BatchCheckLayerAvailability": batch_check_layer_availability,
    "BatchDeleteImage": batch_delete_image,
    "BatchGetImage": batch_get_image,
    "BatchGetRepositoryScanningConfiguration": batch_get_repository_scanning_configuration,
    "CompleteLayerUpload": complete_layer_upload,
    "CreatePullThroughCacheRule": create_pull_through_cache_rule,
    "CreateRepository": create_repository,
    "CreateRepositoryCreationTemplate": create_repository_creation_template,
    "DeleteLifecyclePolicy": delete_lifecycle_policy,
    "DeletePullThroughCacheRule": delete_pull_through_cache_rule,
    "DeleteRegistryPolicy": delete_registry_policy,
    "DeleteRepository": delete_repository,
    "DeleteRepositoryCreationTemplate": delete_repository_creation_template,
    "DeleteRepositoryPolicy": delete_repository_policy,
    "DeleteSigningConfiguration": delete_signing_configuration,
    "DeregisterPullTimeUpdateExclusion": deregister_pull_time_update_exclusion,
    "DescribeImageReplicationStatus": describe_image_replication_status,
    "DescribeImageScanFindings": describe_image_scan_findings,
    "DescribeImageSigningStatus": describe_image_signing_status,
    "DescribeImages": describe_images,
    "DescribePullThroughCacheRules": describe_pull_through_cache_rules,
    "DescribeRegistry": describe_registry,
    "DescribeReplicationBackfillResults": describe_replication_backfill_results,
    "DescribeRepositories": describe_repositories,
    "DescribeRepositoryCreationTemplates": describe_repository_creation_templates,
    "GetAccountSetting": get_account_setting,
    "GetAuthorizationToken": get_authorization_token,
    "GetDownloadUrlForLayer": get_download_url_for_layer,
    "GetLifecyclePolicy": get_lifecycle_policy,
    "GetLifecyclePolicyPreview": get_lifecycle_policy_preview,
    "GetRegistryPolicy": get_registry_policy,
    "GetRegistryScanningConfiguration": get_registry_scanning_configuration,
    "GetRepositoryPolicy": get_repository_policy,
    "GetSigningConfiguration": get_signing_configuration,
    "InitiateLayerUpload": initiate_layer_upload,
    "ListImageReferrers": list_image_referrers,
    "ListImages": list_images,
    "ListPullTimeUpdateExclusions": list_pull_time_update_exclusions,
    "ListReplicationBackfills": list_replication_backfills,
    "ListTagsForResource": list_tags_for_resource,
    "PutAccountSetting": put_account_setting,
    "PutImage": put_image,
    "PutImageScanningConfiguration": put_image_scanning_configuration,
    "PutImageTagMutability": put_image_tag_mutability,
    "PutLifecyclePolicy": put_lifecycle_policy,
    "PutRegistryPolicy": put_registry_policy,
    "PutRegistryScanningConfiguration": put_registry_scanning_configuration,
    "PutReplicationConfiguration": put_replication_configuration,
    "PutSigningConfiguration": put_signing_configuration,
    "RegisterPullTimeUpdateExclusion": register_pull_time_update_exclusion,
    "SetRepositoryPolicy": set_repository_policy,
    "StartImageScan": start_image_scan,
    "StartLifecyclePolicyPreview": start_lifecycle_policy_preview,
    "StartReplicationBackfill": start_replication_backfill,
    "StopReplicationBackfill": stop_replication_backfill,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "UpdateImageStorageClass": update_image_storage_class,
    "UpdatePullThroughCacheRule": update_pull_through_cache_rule,
    "UpdateRepositoryCreationTemplate": update_repository_creation_template,
    "UploadLayerPart": upload_layer_part,
    "ValidatePullThroughCacheRule": validate_pull_through_cache_rule,
}
"""The operations of the API that are implemented. The others of ECR's are refused by name."""

JOBS: dict[str, Rule] = {
    "ApplyLifecyclePolicy": apply_lifecycle_policy,
    "CompleteImageRestore": complete_image_restore,
    "CompleteImageScan": complete_image_scan,
    "CompleteImageSigning": complete_image_signing,
    "PrepareReplicationBackfill": prepare_replication_backfill,
    "ReplicateBackfillImages": replicate_backfill_images,
    "ReplicateImage": replicate_image,
    "ReplicateImageDeletion": replicate_image_deletion,
}
"""What the registry does by itself, some time after a call: see ``Call.later``."""


def rule_of(operation: str) -> Rule:
    """Return the rule of an operation, or raise ``NotImplementedException``: a newer botocore may know more."""
    if operation not in RULES:
        raise EcrError("NotImplementedException", f"The ECR emulator does not implement {operation}")
    return RULES[operation]
