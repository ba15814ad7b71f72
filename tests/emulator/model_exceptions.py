"""How each exception that ECR's model lists is provoked, or why not. What the installed botocore lacks is ignored."""

from __future__ import annotations

from collections.abc import Iterable

from contract.case import call, wait
from contract.cases.lifecycle import OLDEST
from contract.cases.registry import CACHE, PULLER, TEMPLATE
from contract.cases.replication import BACKFILL, replicate, rule
from contract.phrases import archive, begin_upload, by_tag, complete, describe, part, put, uploaded
from contract.world import KEY
from emulator.model_scenes import Scene, scene, setting

UPSTREAM = "no upstream registry is ever called"
UNPUBLISHED = "AWS does not say which limit it means"
ARN = "arn:aws:ecr:{region}:{account}:repository/{repository}"
FIFTY_ONE = [{"Key": f"key-{number}", "Value": ""} for number in range(51)]
SECRET = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:ecr-pullthroughcache/x"
HUB = {"ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io", "credentialArn": SECRET}
BACKFILLING = (replicate(rule()), call("StartReplicationBackfill", **BACKFILL).keeps(backfill="replicationBackfillId"))


def each(operations: Iterable[str], code: str, reason: str) -> dict[tuple[str, str], str]:
    return {(operation, code): reason for operation in operations}


LOCKED = "encrypted, one at v1"
lock = setting(unusable_kms_keys={KEY})

PROVOKED: dict[tuple[str, str], Scene] = {
    # Repositories
    ("CreateRepository", "RepositoryAlreadyExistsException"): scene(
        "an empty repository", call("CreateRepository", repositoryName="{repository}")
    ),
    ("CreateRepository", "InvalidTagParameterException"): scene(
        "no repository",
        call("CreateRepository", repositoryName="{repository}", tags=[{"Key": "aws:reserved", "Value": ""}]),
    ),
    ("CreateRepository", "TooManyTagsException"): scene(
        "no repository", call("CreateRepository", repositoryName="{repository}", tags=FIFTY_ONE)
    ),
    ("CreateRepository", "LimitExceededException"): scene(
        "an empty repository", setting(repositories=1), call("CreateRepository", repositoryName="{repository}-2")
    ),
    ("CreateRepository", "KmsException"): scene(
        "no repository",
        lock,
        call(
            "CreateRepository",
            repositoryName="{repository}",
            encryptionConfiguration={"encryptionType": "KMS", "kmsKey": KEY},
        ),
    ),
    ("DeleteRepository", "RepositoryNotEmptyException"): scene("one at v1", call("DeleteRepository")),
    ("SetRepositoryPolicy", "RepositoryNotFoundException"): scene(
        "no repository", call("SetRepositoryPolicy", policyText='{"Version": "2012-10-17", "Statement": []}')
    ),
    **{
        (operation, "RepositoryPolicyNotFoundException"): scene("an empty repository", call(operation))
        for operation in ("GetRepositoryPolicy", "DeleteRepositoryPolicy")
    },
    ("DescribeRepositories", "RepositoryNotFoundException"): scene(
        "no repository", call("DescribeRepositories", repositoryNames=["{repository}"])
    ),
    **{
        (operation, "RepositoryNotFoundException"): scene("no repository", call(operation, resourceArn=ARN, **more))
        for operation, more in (
            ("ListTagsForResource", {}),
            ("TagResource", {"tags": FIFTY_ONE[:1]}),
            ("UntagResource", {"tagKeys": ["a"]}),
        )
    },
    ("TagResource", "InvalidTagParameterException"): scene(
        "an empty repository", call("TagResource", resourceArn=ARN, tags=[{"Key": "aws:reserved", "Value": ""}])
    ),
    ("TagResource", "TooManyTagsException"): scene(
        "an empty repository", call("TagResource", resourceArn=ARN, tags=FIFTY_ONE)
    ),
    # Images
    ("PutImage", "ImageAlreadyExistsException"): scene("one at v1", put("one", "v1")),
    ("PutImage", "ImageTagAlreadyExistsException"): scene("immutable, one at v1", put("two", "v1")),
    ("PutImage", "ImageDigestDoesNotMatchException"): scene("one at v1", put("two", imageDigest="{zeros}")),
    ("PutImage", "LayersNotFoundException"): scene("an empty repository", put("one")),
    ("PutImage", "ReferencedImagesNotFoundException"): scene("an empty repository", put("index")),
    ("PutImage", "LimitExceededException"): scene("one at v1", setting(images_per_repository=1), put("two")),
    ("PutImage", "KmsException"): scene(LOCKED, lock, put("two")),
    ("DescribeImages", "ImageNotFoundException"): scene("one at v1", describe(by_tag("none"))),
    ("UpdateImageStorageClass", "ImageNotFoundException"): scene("one at v1", archive("none")),
    ("UpdateImageStorageClass", "ImageStorageClassUpdateNotSupportedException"): scene(
        "index at v1",
        call("UpdateImageStorageClass", imageId={"imageDigest": "{index.child1}"}, targetStorageClass="ARCHIVE"),
    ),
    # Layers
    ("InitiateLayerUpload", "KmsException"): scene(LOCKED, lock, begin_upload()),
    ("UploadLayerPart", "KmsException"): scene(LOCKED, begin_upload(), lock, part(0, 4, "{hello.data}")),
    ("UploadLayerPart", "UploadNotFoundException"): scene(
        "an empty repository", part(0, 4, "{hello.data}", upload="{uuid}")
    ),
    ("UploadLayerPart", "InvalidLayerPartException"): scene(
        "an empty repository", begin_upload(), part(1, 5, "{hello.data}")
    ),
    ("UploadLayerPart", "LimitExceededException"): scene(
        "an empty repository", setting(layer_size=4), begin_upload(), part(0, 4, "{hello.data}")
    ),
    ("CompleteLayerUpload", "KmsException"): scene(
        LOCKED, begin_upload(), part(0, 4, "{hello.data}"), lock, complete("{hello.digest}")
    ),
    ("CompleteLayerUpload", "UploadNotFoundException"): scene(
        "an empty repository", complete("{zeros}", upload="{uuid}")
    ),
    ("CompleteLayerUpload", "InvalidLayerException"): scene(
        "an empty repository", begin_upload(), part(0, 4, "{hello.data}"), complete("{zeros}")
    ),
    ("CompleteLayerUpload", "LayerPartTooSmallException"): scene(
        "an empty repository",
        begin_upload(),
        part(0, 4, "{hello.data}"),
        part(5, 9, "{hello.data}"),
        complete("{twice.digest}"),
    ),
    ("CompleteLayerUpload", "LayerAlreadyExistsException"): scene(
        "an empty repository",
        *uploaded("hello", 4),
        begin_upload(),
        part(0, 4, "{hello.data}"),
        complete("{hello.digest}"),
    ),
    ("CompleteLayerUpload", "EmptyUploadException"): scene("an empty repository", begin_upload(), complete("{zeros}")),
    ("GetDownloadUrlForLayer", "LayersNotFoundException"): scene(
        "one at v1", call("GetDownloadUrlForLayer", layerDigest="{zeros}")
    ),
    ("GetDownloadUrlForLayer", "LayerInaccessibleException"): scene(
        "the layers of one", call("GetDownloadUrlForLayer", layerDigest="{one.layer1}")
    ),
    # Scans, replication, signing
    ("DescribeImageScanFindings", "ImageNotFoundException"): scene(
        "one at v1", call("DescribeImageScanFindings", imageId=by_tag("none"))
    ),
    ("DescribeImageScanFindings", "ScanNotFoundException"): scene(
        "one at v1", call("DescribeImageScanFindings", imageId=by_tag("v1"))
    ),
    ("StartImageScan", "ImageNotFoundException"): scene("one at v1", call("StartImageScan", imageId=by_tag("none"))),
    ("StartImageScan", "ImageArchivedException"): scene(
        "one at v1", archive("v1"), call("StartImageScan", imageId=by_tag("v1"))
    ),
    ("StartImageScan", "UnsupportedImageTypeException"): scene(
        "index at v1", call("StartImageScan", imageId=by_tag("v1"))
    ),
    ("StartImageScan", "LimitExceededException"): scene(
        "one at v1", setting(basic_scans=0), call("StartImageScan", imageId=by_tag("v1"))
    ),
    **{
        (operation, "ImageNotFoundException"): scene("one at v1", call(operation, imageId=by_tag("none")))
        for operation in ("DescribeImageReplicationStatus", "DescribeImageSigningStatus")
    },
    ("StartReplicationBackfill", "ReplicationBackfillInProgressException"): scene(
        "one at v1", *BACKFILLING, call("StartReplicationBackfill", **BACKFILL)
    ),
    ("StartReplicationBackfill", "LimitExceededException"): scene(
        "one at v1", setting(replication_backfills=0), replicate(rule()), call("StartReplicationBackfill", **BACKFILL)
    ),
    ("StopReplicationBackfill", "ReplicationBackfillInvalidStatusException"): scene(
        "one at v1", *BACKFILLING, wait(3600), call("StopReplicationBackfill", replicationBackfillId="{backfill}")
    ),
    **{
        (operation, "ReplicationBackfillNotFoundException"): scene(
            "no repository", call(operation, replicationBackfillId="{uuid}")
        )
        for operation in ("DescribeReplicationBackfillResults", "StopReplicationBackfill")
    },
    **{
        (operation, "SigningConfigurationNotFoundException"): scene("no repository", call(operation))
        for operation in ("GetSigningConfiguration", "DeleteSigningConfiguration")
    },
    # Lifecycle policies
    **{
        (operation, "LifecyclePolicyNotFoundException"): scene("an empty repository", call(operation))
        for operation in ("GetLifecyclePolicy", "DeleteLifecyclePolicy", "StartLifecyclePolicyPreview")
    },
    ("GetLifecyclePolicyPreview", "LifecyclePolicyPreviewNotFoundException"): scene(
        "an empty repository", call("GetLifecyclePolicyPreview")
    ),
    ("StartLifecyclePolicyPreview", "LifecyclePolicyPreviewInProgressException"): scene(
        "an empty repository", *[call("StartLifecyclePolicyPreview", lifecyclePolicyText=OLDEST)] * 2
    ),
    # The registry
    **{
        (operation, "RegistryPolicyNotFoundException"): scene("no repository", call(operation))
        for operation in ("GetRegistryPolicy", "DeleteRegistryPolicy")
    },
    ("CreatePullThroughCacheRule", "PullThroughCacheRuleAlreadyExistsException"): scene(
        "no repository", *[call("CreatePullThroughCacheRule", **CACHE)] * 2
    ),
    ("CreatePullThroughCacheRule", "UnsupportedUpstreamRegistryException"): scene(
        "no repository",
        call("CreatePullThroughCacheRule", ecrRepositoryPrefix="shop", upstreamRegistryUrl="example.com"),
    ),
    ("CreatePullThroughCacheRule", "LimitExceededException"): scene(
        "no repository", setting(pull_through_cache_rules=0), call("CreatePullThroughCacheRule", **CACHE)
    ),
    ("CreatePullThroughCacheRule", "UnableToAccessSecretException"): scene(
        "no repository", call("CreatePullThroughCacheRule", **HUB)
    ),
    ("UpdatePullThroughCacheRule", "UnableToAccessSecretException"): scene(
        "no repository",
        call("CreatePullThroughCacheRule", **CACHE),
        call("UpdatePullThroughCacheRule", ecrRepositoryPrefix=CACHE["ecrRepositoryPrefix"], credentialArn=SECRET),
    ),
    ("DescribePullThroughCacheRules", "PullThroughCacheRuleNotFoundException"): scene(
        "no repository", call("DescribePullThroughCacheRules", ecrRepositoryPrefixes=["none"])
    ),
    **{
        (operation, "PullThroughCacheRuleNotFoundException"): scene(
            "no repository", call(operation, ecrRepositoryPrefix="none", **more)
        )
        for operation, more in (
            ("DeletePullThroughCacheRule", {}),
            ("UpdatePullThroughCacheRule", {"credentialArn": SECRET}),
            ("ValidatePullThroughCacheRule", {}),
        )
    },
    ("CreateRepositoryCreationTemplate", "TemplateAlreadyExistsException"): scene(
        "no repository", *[call("CreateRepositoryCreationTemplate", **TEMPLATE)] * 2
    ),
    **{
        (operation, "TemplateNotFoundException"): scene("no repository", call(operation, prefix="none"))
        for operation in ("DeleteRepositoryCreationTemplate", "UpdateRepositoryCreationTemplate")
    },
    ("RegisterPullTimeUpdateExclusion", "ExclusionAlreadyExistsException"): scene(
        "no repository", *[call("RegisterPullTimeUpdateExclusion", principalArn=PULLER)] * 2
    ),
    ("RegisterPullTimeUpdateExclusion", "LimitExceededException"): scene(
        "no repository",
        setting(pull_time_update_exclusions=0),
        call("RegisterPullTimeUpdateExclusion", principalArn=PULLER),
    ),
    ("DeregisterPullTimeUpdateExclusion", "ExclusionNotFoundException"): scene(
        "no repository", call("DeregisterPullTimeUpdateExclusion", principalArn=PULLER)
    ),
}

NOT_PROVOKED: dict[tuple[str, str], str] = {
    ("BatchGetImage", "UnableToGetUpstreamImageException"): UPSTREAM,
    ("GetDownloadUrlForLayer", "UnableToGetUpstreamLayerException"): UPSTREAM,
    ("ListImageReferrers", "UnableToListUpstreamImageReferrersException"): UPSTREAM,
    ("DeleteRepository", "KmsException"): "a repository can be deleted here, whatever became of its key",
    **each(
        ("UntagResource",),
        "InvalidTagParameterException",
        "a key that cannot be has no tag, and removing none is no error",
    ),
    **each(("UntagResource",), "TooManyTagsException", "fewer tags are never too many"),
    **each(
        (
            "BatchGetImage",
            "CreateRepositoryCreationTemplate",
            "PutAccountSetting",
            "DeregisterPullTimeUpdateExclusion",
            "ListPullTimeUpdateExclusions",
        ),
        "LimitExceededException",
        UNPUBLISHED,
    ),
    **each(
        (
            "DeleteRegistryPolicy",
            "DescribeRegistry",
            "GetRegistryPolicy",
            "GetRegistryScanningConfiguration",
            "GetSigningConfiguration",
        ),
        "InvalidParameterException",
        "where there are no parameters, none is invalid",
    ),
    ("DeleteSigningConfiguration", "ValidationException"): "where there are no parameters, none is invalid",
    ("BatchGetRepositoryScanningConfiguration", "RepositoryNotFoundException"): "a missing repository is a failure",
    ("PutRegistryScanningConfiguration", "BlockedByOrganizationPolicyException"): "there are no organizations here",
    **{
        (operation, code): "there are no secrets here: of one, only its ARN is looked at"
        for operation in ("CreatePullThroughCacheRule", "UpdatePullThroughCacheRule")
        for code in ("SecretNotFoundException", "UnableToDecryptSecretValueException")
    },
}
