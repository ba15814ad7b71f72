"""What each operation of Amazon ECR does. Whichever way a call comes, these are the rules of it."""

from __future__ import annotations

from collections.abc import Callable

from ecr_provider.emulator.rules import (
    account_settings,
    backfill,
    creation_templates,
    image_events,
    images,
    layers,
    lifecycle,
    pull_through_rules,
    pull_time_exclusions,
    put_image,
    referrers,
    registry,
    replicas,
    replication,
    repositories,
    scanning,
    scanning_configuration,
    scans,
    signing,
    signing_configuration,
)
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import EcrError

Rule = Callable[[Call], Answer]

RULES: dict[str, Rule] = {
    "BatchCheckLayerAvailability": layers.batch_check_layer_availability,
    "BatchDeleteImage": images.batch_delete_image,
    "BatchGetImage": images.batch_get_image,
    "BatchGetRepositoryScanningConfiguration": scanning_configuration.batch_get_repository_scanning_configuration,
    "CompleteLayerUpload": layers.complete_layer_upload,
    "CreatePullThroughCacheRule": pull_through_rules.create_pull_through_cache_rule,
    "CreateRepository": repositories.create_repository,
    "CreateRepositoryCreationTemplate": creation_templates.create_repository_creation_template,
    "DeleteLifecyclePolicy": lifecycle.delete_lifecycle_policy,
    "DeletePullThroughCacheRule": pull_through_rules.delete_pull_through_cache_rule,
    "DeleteRegistryPolicy": registry.delete_registry_policy,
    "DeleteRepository": repositories.delete_repository,
    "DeleteRepositoryCreationTemplate": creation_templates.delete_repository_creation_template,
    "DeleteRepositoryPolicy": repositories.delete_repository_policy,
    "DeleteSigningConfiguration": signing_configuration.delete_signing_configuration,
    "DeregisterPullTimeUpdateExclusion": pull_time_exclusions.deregister_pull_time_update_exclusion,
    "DescribeImageReplicationStatus": replication.describe_image_replication_status,
    "DescribeImageScanFindings": scans.describe_image_scan_findings,
    "DescribeImageSigningStatus": signing_configuration.describe_image_signing_status,
    "DescribeImages": images.describe_images,
    "DescribePullThroughCacheRules": pull_through_rules.describe_pull_through_cache_rules,
    "DescribeRegistry": registry.describe_registry,
    "DescribeReplicationBackfillResults": backfill.describe_replication_backfill_results,
    "DescribeRepositories": repositories.describe_repositories,
    "DescribeRepositoryCreationTemplates": creation_templates.describe_repository_creation_templates,
    "GetAccountSetting": account_settings.get_account_setting,
    "GetAuthorizationToken": repositories.get_authorization_token,
    "GetDownloadUrlForLayer": layers.get_download_url_for_layer,
    "GetLifecyclePolicy": lifecycle.get_lifecycle_policy,
    "GetLifecyclePolicyPreview": lifecycle.get_lifecycle_policy_preview,
    "GetRegistryPolicy": registry.get_registry_policy,
    "GetRegistryScanningConfiguration": scanning_configuration.get_registry_scanning_configuration,
    "GetRepositoryPolicy": repositories.get_repository_policy,
    "GetSigningConfiguration": signing_configuration.get_signing_configuration,
    "InitiateLayerUpload": layers.initiate_layer_upload,
    "ListImageReferrers": referrers.list_image_referrers,
    "ListImages": images.list_images,
    "ListPullTimeUpdateExclusions": pull_time_exclusions.list_pull_time_update_exclusions,
    "ListReplicationBackfills": backfill.list_replication_backfills,
    "ListTagsForResource": repositories.list_tags_for_resource,
    "PutAccountSetting": account_settings.put_account_setting,
    "PutImage": put_image.put_image,
    "PutImageScanningConfiguration": scanning_configuration.put_image_scanning_configuration,
    "PutImageTagMutability": repositories.put_image_tag_mutability,
    "PutLifecyclePolicy": lifecycle.put_lifecycle_policy,
    "PutRegistryPolicy": registry.put_registry_policy,
    "PutRegistryScanningConfiguration": scanning_configuration.put_registry_scanning_configuration,
    "PutReplicationConfiguration": replication.put_replication_configuration,
    "PutSigningConfiguration": signing_configuration.put_signing_configuration,
    "RegisterPullTimeUpdateExclusion": pull_time_exclusions.register_pull_time_update_exclusion,
    "SetRepositoryPolicy": repositories.set_repository_policy,
    "StartImageScan": scans.start_image_scan,
    "StartLifecyclePolicyPreview": lifecycle.start_lifecycle_policy_preview,
    "StartReplicationBackfill": backfill.start_replication_backfill,
    "StopReplicationBackfill": backfill.stop_replication_backfill,
    "TagResource": repositories.tag_resource,
    "UntagResource": repositories.untag_resource,
    "UpdateImageStorageClass": images.update_image_storage_class,
    "UpdatePullThroughCacheRule": pull_through_rules.update_pull_through_cache_rule,
    "UpdateRepositoryCreationTemplate": creation_templates.update_repository_creation_template,
    "UploadLayerPart": layers.upload_layer_part,
    "ValidatePullThroughCacheRule": pull_through_rules.validate_pull_through_cache_rule,
}
"""The operations of the API that are implemented. The others of ECR's are refused by name."""

JOBS: dict[str, Rule] = {
    "AnnounceRestoredImage": image_events.announce_restored_image,
    "ApplyLifecyclePolicy": lifecycle.apply_lifecycle_policy,
    "CompleteImageScan": scanning.complete_image_scan,
    "CompleteImageSigning": signing.complete_image_signing,
    "PrepareReplicationBackfill": backfill.prepare_replication_backfill,
    "ReplicateBackfillImages": backfill.replicate_backfill_images,
    "ReplicateImage": replicas.replicate_image,
    "ReplicateImageDeletion": replicas.replicate_image_deletion,
    "ReplicateRestoredImage": replication.replicate_restored_image,
}
"""What the registry does by itself, some time after a call: see ``Call.later``."""


def rule_of(operation: str) -> Rule:
    """Return the rule of an operation, or raise ``NotImplementedException``: a newer botocore may know more."""
    if operation not in RULES:
        raise EcrError("NotImplementedException", f"The ECR emulator does not implement {operation}")
    return RULES[operation]
