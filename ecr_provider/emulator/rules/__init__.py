"""What each operation of Amazon ECR does. Whichever way a call comes, these are the rules of it."""

from __future__ import annotations

from collections.abc import Callable

from ecr_provider.emulator.rules import images, layers, put_image, repositories
from ecr_provider.emulator.rules.call import Answer, Call

Rule = Callable[[Call], Answer]

RULES: dict[str, Rule] = {
    "BatchCheckLayerAvailability": layers.batch_check_layer_availability,
    "BatchDeleteImage": images.batch_delete_image,
    "BatchGetImage": images.batch_get_image,
    "CompleteLayerUpload": layers.complete_layer_upload,
    "CreateRepository": repositories.create_repository,
    "DeleteRepository": repositories.delete_repository,
    "DeleteRepositoryPolicy": repositories.delete_repository_policy,
    "DescribeImages": images.describe_images,
    "DescribeRepositories": repositories.describe_repositories,
    "GetAuthorizationToken": repositories.get_authorization_token,
    "GetDownloadUrlForLayer": layers.get_download_url_for_layer,
    "GetRepositoryPolicy": repositories.get_repository_policy,
    "InitiateLayerUpload": layers.initiate_layer_upload,
    "ListImages": images.list_images,
    "ListTagsForResource": repositories.list_tags_for_resource,
    "PutImage": put_image.put_image,
    "PutImageTagMutability": repositories.put_image_tag_mutability,
    "SetRepositoryPolicy": repositories.set_repository_policy,
    "TagResource": repositories.tag_resource,
    "UntagResource": repositories.untag_resource,
    "UpdateImageStorageClass": images.update_image_storage_class,
    "UploadLayerPart": layers.upload_layer_part,
}
"""The operations of the API that are implemented. The others of ECR's are refused by name."""

JOBS: dict[str, Rule] = {}
"""What the registry does by itself, some time after a call: see ``Call.later``."""
