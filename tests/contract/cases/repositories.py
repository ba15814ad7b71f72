"""Repositories: their life, their tags, their policies, and the registry's tokens."""

from __future__ import annotations

import json
import re

from contract.case import ABSENT, SOME, Case, Like, any_order, call, wait

ARN = "arn:aws:ecr:{region}:{account}:repository/{repository}"
UNKNOWN_ARN = "arn:aws:ecr:{region}:{account}:repository/{repository}-not-there"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
    }
)
NOT_FOUND = "RepositoryNotFoundException"

CASES = [
    Case(
        "a new repository",
        "D: AWS CLI, create-repository",
        "no repository",
        call("CreateRepository", repositoryName="{repository}").answers(
            repository={
                "repositoryArn": ARN,
                "registryId": "{account}",
                "repositoryName": "{repository}",
                "repositoryUri": "{account}.dkr.ecr.{region}.amazonaws.com/{repository}",
                "createdAt": SOME,
                "imageTagMutability": "MUTABLE",
                "imageScanningConfiguration": {"scanOnPush": False},
                "encryptionConfiguration": {"encryptionType": "AES256"},
                "imageTagMutabilityExclusionFilters": ABSENT,
            }
        ),
        call("DescribeRepositories", repositoryNames=["{repository}"]).answers(
            repositories=[{"repositoryArn": ARN, "imageTagMutability": "MUTABLE"}]
        ),
    ),
    Case(
        "the settings of a repository are shown",
        "M: Repository",
        "scanned on push, one at v1",
        call("DescribeRepositories", repositoryNames=["{repository}"]).answers(
            repositories=[{"imageScanningConfiguration": {"scanOnPush": True}}]
        ),
    ),
    Case(
        "a name that is taken",
        "M: RepositoryAlreadyExistsException",
        "an empty repository",
        call("CreateRepository", repositoryName="{repository}").refused(
            "RepositoryAlreadyExistsException",
            "The repository with name '{repository}' already exists in the registry with id '{account}'",
        ),
    ),
    *(
        Case(
            f"the name {name} is taken",
            "M: RepositoryName, pattern",
            "no repository",
            call("CreateRepository", repositoryName="{repository}-" + name).answers(
                repository={"repositoryName": "{repository}-" + name}
            ),
            call("DeleteRepository", repositoryName="{repository}-" + name),
            row=48,
            moto_fails=moto,
        )
        for name, moto in (
            ("a__b", "has an older pattern"),
            ("a--b", "has an older pattern"),
            ("a.b/c-d_e", None),
            ("x/0ad", None),
        )
    ),
    *(
        Case(
            f"the name {name[:20]} is refused",
            "M: RepositoryName, pattern and length",
            "no repository",
            call("CreateRepository", repositoryName=name).refused("InvalidParameterException", "(?i)repositoryName"),
            moto_fails=None if re.search(r"\W", name) else "does not look at the length",
        )
        for name in ("UPPER!!", "r", "a/", "-a", "a..b", "x" * 257)
    ),
    Case(
        "a repository in somebody else's registry",
        "D: CreateRepository: in your private registry",
        "no repository",
        call("CreateRepository", repositoryName="{repository}", registryId="999999999999").refused(
            "AccessDeniedException"
        ),
        row=20,
        moto_fails="makes it",
        not_on_aws="other accounts are left alone",
    ),
    Case(
        "one name that is unknown fails the whole call",
        "M: RepositoryNotFoundException",
        "an empty repository",
        call("DescribeRepositories", repositoryNames=["{repository}", "{repository}-not-there"]).refused(
            NOT_FOUND, "'{repository}-not-there' does not exist in the registry with id '{account}'"
        ),
    ),
    # --- Resource tags ---
    Case(
        "resource tags are added, given new values, and removed",
        "D: API reference, TagResource",
        "an empty repository",
        call("TagResource", resourceArn=ARN, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]),
        call("TagResource", resourceArn=ARN, tags=[{"Key": "a", "Value": "3"}]),
        call("ListTagsForResource", resourceArn=ARN).answers(
            tags=any_order({"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"})
        ),
        call("UntagResource", resourceArn=ARN, tagKeys=["a", "unknown"]),
        call("ListTagsForResource", resourceArn=ARN).answers(tags=[{"Key": "b", "Value": "2"}]),
    ),
    *(
        Case(
            f"{operation} of an unknown repository",
            "M: RepositoryNotFoundException",
            "no repository",
            call(operation, resourceArn=UNKNOWN_ARN, **more).refused(NOT_FOUND),
        )
        for operation, more in (
            ("ListTagsForResource", {}),
            ("TagResource", {"tags": [{"Key": "a", "Value": "1"}]}),
            ("UntagResource", {"tagKeys": ["a"]}),
        )
    ),
    Case(
        "a repository has fifty tags at most",
        "D: user guide, Tagging a private repository",
        "an empty repository",
        call("TagResource", resourceArn=ARN, tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)]),
        call("TagResource", resourceArn=ARN, tags=[{"Key": "k50", "Value": ""}]).refused("TooManyTagsException"),
        moto_fails="takes more",
    ),
    # --- Policies ---
    Case(
        "a policy is set, read and deleted",
        "D: AWS CLI, set-repository-policy",
        "an empty repository",
        call("SetRepositoryPolicy", policyText=POLICY).answers(
            registryId="{account}", repositoryName="{repository}", policyText=Like(r".*ecr:BatchGetImage.*")
        ),
        call("GetRepositoryPolicy").answers(policyText=Like(r".*ecr:BatchGetImage.*")),
        call("DeleteRepositoryPolicy").answers(policyText=Like(r".*ecr:BatchGetImage.*")),
        call("GetRepositoryPolicy").refused("RepositoryPolicyNotFoundException"),
    ),
    *(
        Case(
            f"{operation} where there is none",
            "M: RepositoryPolicyNotFoundException",
            "an empty repository",
            call(operation).refused("RepositoryPolicyNotFoundException"),
        )
        for operation in ("GetRepositoryPolicy", "DeleteRepositoryPolicy")
    ),
    Case(
        "a policy that is none",
        "D: API reference, SetRepositoryPolicy: a JSON policy",
        "an empty repository",
        call("SetRepositoryPolicy", policyText="nonsense").refused("InvalidParameterException"),
    ),
    # --- Tokens ---
    Case(
        "a token and where it is good",
        "D: API reference, GetAuthorizationToken",
        "no repository",
        call("GetAuthorizationToken").answers(
            authorizationData=[
                {
                    "authorizationToken": Like("QVdTO.*"),  # "AWS:"
                    "proxyEndpoint": "{registry}",
                    "expiresAt": "{in_12_hours}",
                }
            ]
        ),
        row=45,
        moto_fails="it ended in 2015",
    ),
    Case(
        "a token is good for twelve hours from when it was asked for",
        "D: API reference, GetAuthorizationToken",
        "no repository",
        wait(3600),
        call("GetAuthorizationToken").answers(authorizationData=[{"expiresAt": "{in_13_hours}"}]),
        row=45,
    ),
    Case(
        "eleven registries are too many",
        "M: GetAuthorizationTokenRegistryIdList, max 10",
        "no repository",
        call("GetAuthorizationToken", registryIds=["123456789012"] * 11).refused(
            "InvalidParameterException", "(?i)registryIds"
        ),
        moto_fails="takes them",
    ),
]
