"""What is set for a whole registry: account settings, policies, caches, templates, signing, exclusions."""

from __future__ import annotations

import json

from contract.case import SOME, Case, Like, call
from contract.phrases import uploaded

NO_HANDLER = "has no handler"
ANY_VIOLATION = "InvalidParameterException|ValidationException"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "replicate",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"],
                "Resource": "*",
            }
        ],
    }
)
CACHE = {"ecrRepositoryPrefix": "contract-public", "upstreamRegistryUrl": "public.ecr.aws"}
TEMPLATE = {"prefix": "contract-made", "appliedFor": ["CREATE_ON_PUSH"]}
IMMUTABLE = {"imageTagMutability": "IMMUTABLE"}
PROFILE = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/contract"
SIGNING = {"rules": [{"signingProfileArn": PROFILE}]}
PULLER = "arn:aws:iam::123456789012:role/scanner"

CASES = [
    # --- Account settings ---
    *(
        Case(
            f"{name} can be {value}",
            "D: API reference, PutAccountSetting",
            "no repository",
            call("PutAccountSetting", name=name, value=value).answers(name=name, value=value),
            call("GetAccountSetting", name=name).answers(name=name, value=value),
            row=39,
            moto_fails=NO_HANDLER,
        )
        for name, value in (
            ("BLOB_MOUNTING", "ENABLED"),
            ("BLOB_MOUNTING", "DISABLED"),
            ("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE"),
            ("REGISTRY_POLICY_SCOPE", "V2"),
        )
    ),
    Case(
        "a setting that there is not",
        "D: API reference, PutAccountSetting: names and values are listed",
        "no repository",
        call("PutAccountSetting", name="NO_SUCH_SETTING", value="ENABLED").refused(ANY_VIOLATION),
        call("PutAccountSetting", name="BLOB_MOUNTING", value="PERHAPS").refused(ANY_VIOLATION),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    # --- The registry's policy ---
    Case(
        "a registry's policy is put, read and deleted",
        "D: AWS CLI, put-registry-policy",
        "no repository",
        call("PutRegistryPolicy", policyText=POLICY).answers(registryId="{account}", policyText=SOME),
        call("GetRegistryPolicy").answers(registryId="{account}", policyText=Like(r".*ecr:ReplicateImage.*")),
        call("DeleteRegistryPolicy").answers(policyText=Like(r".*ecr:ReplicateImage.*")),
        call("GetRegistryPolicy").refused("RegistryPolicyNotFoundException"),
        call("DeleteRegistryPolicy").refused("RegistryPolicyNotFoundException"),
    ),
    # --- Pull-through caches ---
    Case(
        "a pull-through cache rule is made, described and deleted",
        "D: AWS CLI, create-pull-through-cache-rule",
        "no repository",
        call("CreatePullThroughCacheRule", **CACHE).answers(registryId="{account}", createdAt=SOME, **CACHE),
        call("CreatePullThroughCacheRule", **CACHE).refused("PullThroughCacheRuleAlreadyExistsException"),
        call("DescribePullThroughCacheRules").answers(pullThroughCacheRules=[CACHE]),
        call("DeletePullThroughCacheRule", ecrRepositoryPrefix="contract-public").answers(**CACHE),
        call("DescribePullThroughCacheRules").answers(pullThroughCacheRules=[]),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    *(
        Case(
            f"{operation} of an unknown rule",
            "M: PullThroughCacheRuleNotFoundException",
            "no repository",
            call(operation, **more).refused("PullThroughCacheRuleNotFoundException"),
            row=39,
            moto_fails=NO_HANDLER,
        )
        for operation, more in (
            ("DeletePullThroughCacheRule", {"ecrRepositoryPrefix": "nothing"}),
            ("DescribePullThroughCacheRules", {"ecrRepositoryPrefixes": ["nothing"]}),
            ("ValidatePullThroughCacheRule", {"ecrRepositoryPrefix": "nothing"}),
        )
    ),
    Case(
        "a cache of a registry that cannot be cached",
        "M: UnsupportedUpstreamRegistryException",
        "no repository",
        call("CreatePullThroughCacheRule", ecrRepositoryPrefix="contract", upstreamRegistryUrl="example.com").refused(
            "UnsupportedUpstreamRegistryException"
        ),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    # --- Creation templates ---
    Case(
        "a creation template is made, described, updated and deleted",
        "D: AWS CLI, create-repository-creation-template",
        "no repository",
        call("CreateRepositoryCreationTemplate", **TEMPLATE).answers(
            registryId="{account}", repositoryCreationTemplate={**TEMPLATE, "createdAt": SOME}
        ),
        call("CreateRepositoryCreationTemplate", **TEMPLATE).refused("TemplateAlreadyExistsException"),
        call("UpdateRepositoryCreationTemplate", prefix="contract-made", description="Made on push").answers(
            repositoryCreationTemplate={"description": "Made on push", "appliedFor": ["CREATE_ON_PUSH"]}
        ),
        call("DescribeRepositoryCreationTemplates", prefixes=["contract-made"]).answers(
            repositoryCreationTemplates=[{"prefix": "contract-made", "description": "Made on push"}]
        ),
        call("DeleteRepositoryCreationTemplate", prefix="contract-made").answers(
            repositoryCreationTemplate={"prefix": "contract-made"}
        ),
        call("DescribeRepositoryCreationTemplates").answers(repositoryCreationTemplates=[]),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    *(
        Case(
            f"{operation} of an unknown template",
            "M: TemplateNotFoundException",
            "no repository",
            call(operation, prefix="nothing").refused("TemplateNotFoundException"),
            row=39,
            moto_fails=NO_HANDLER,
        )
        for operation in ("DeleteRepositoryCreationTemplate", "UpdateRepositoryCreationTemplate")
    ),
    Case(
        "a template with resource tags needs a role",
        "D: user guide, Repository creation templates: customRoleArn",
        "no repository",
        call(
            "CreateRepositoryCreationTemplate",
            prefix="contract",
            appliedFor=["REPLICATION"],
            resourceTags=[{"Key": "made", "Value": "by template"}],
        ).refused(ANY_VIOLATION, "(?i)role"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "a repository is made by a push, where a template says so",
        "D: user guide, Repository creation templates: create on push",
        "no repository",
        call("CreateRepositoryCreationTemplate", prefix="contract", appliedFor=["CREATE_ON_PUSH"], **IMMUTABLE),
        *uploaded("hello", 4),
        call("DescribeRepositories", repositoryNames=["{repository}"]).answers(repositories=[IMMUTABLE]),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "a repository is not made by a push, where no template says so",
        "D: user guide, Repository creation templates: create on push",
        "no repository",
        call("CreateRepositoryCreationTemplate", prefix="contract", appliedFor=["PULL_THROUGH_CACHE"]),
        call("InitiateLayerUpload").refused("RepositoryNotFoundException"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    # --- Signing ---
    Case(
        "a signing configuration is put, read and deleted",
        "M: PutSigningConfiguration",
        "no repository",
        call("GetSigningConfiguration").refused("SigningConfigurationNotFoundException"),
        call("PutSigningConfiguration", signingConfiguration=SIGNING).answers(signingConfiguration=SIGNING),
        call("GetSigningConfiguration").answers(registryId="{account}", signingConfiguration=SIGNING),
        call("DeleteSigningConfiguration").answers(registryId="{account}", signingConfiguration=SIGNING),
        call("DeleteSigningConfiguration").refused("SigningConfigurationNotFoundException"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "an image that no profile signs",
        "M: DescribeImageSigningStatus",
        "one at v1",
        call("DescribeImageSigningStatus", imageId={"imageTag": "v1"}).answers(
            repositoryName="{repository}", registryId="{account}", signingStatuses=[]
        ),
        call("DescribeImageSigningStatus", imageId={"imageTag": "none"}).refused("ImageNotFoundException"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    # --- Pull times ---
    Case(
        "an exclusion from pull times is registered, listed and deregistered",
        "M: RegisterPullTimeUpdateExclusion",
        "no repository",
        call("RegisterPullTimeUpdateExclusion", principalArn=PULLER).answers(principalArn=PULLER, createdAt=SOME),
        call("RegisterPullTimeUpdateExclusion", principalArn=PULLER).refused("ExclusionAlreadyExistsException"),
        call("ListPullTimeUpdateExclusions").answers(pullTimeUpdateExclusions=[PULLER]),
        call("DeregisterPullTimeUpdateExclusion", principalArn=PULLER).answers(principalArn=PULLER),
        call("DeregisterPullTimeUpdateExclusion", principalArn=PULLER).refused("ExclusionNotFoundException"),
        moto_fails=NO_HANDLER,
    ),
]
