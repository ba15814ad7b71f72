"""Repositories: their life, tags, policies, accounts and Regions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from emulator_calls import ONCE, OTHER, refused

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


# --- Life ---


def test_what_is_asked_is_shown(client: ECRClient) -> None:
    asked: Any = {
        "repositoryName": "shop/web",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/mine"},
    }
    made = client.create_repository(tags=[{"Key": "team", "Value": "shop"}], **asked)["repository"]
    (shown,) = client.describe_repositories(repositoryNames=["shop/web"])["repositories"]
    assert shown == made
    assert {name: shown[name] for name in asked} == asked  # type: ignore[literal-required]  # names of the model
    assert shown["repositoryArn"] == "arn:aws:ecr:us-east-1:123456789012:repository/shop/web"
    assert shown["repositoryUri"] == "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web"
    assert client.list_tags_for_resource(resourceArn=shown["repositoryArn"])["tags"] == [
        {"Key": "team", "Value": "shop"}
    ]


def test_what_is_not_asked(client: ECRClient) -> None:
    made = client.create_repository(repositoryName="shop/web")["repository"]
    assert made["imageTagMutability"] == "MUTABLE"
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert made["imageScanningConfiguration"] == {"scanOnPush": False}


def test_a_name_that_is_taken(client: ECRClient, web: str) -> None:
    with pytest.raises(client.exceptions.RepositoryAlreadyExistsException, match="'shop/web' already exists"):
        client.create_repository(repositoryName=web)


def test_a_key_needs_kms(client: ECRClient) -> None:
    with refused("InvalidParameterException"):
        client.create_repository(
            repositoryName="shop/web", encryptionConfiguration={"encryptionType": "AES256", "kmsKey": "alias/mine"}
        )


def test_a_key_that_cannot_be_used(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.switches.unusable_kms_keys.add("alias/mine")
    with refused("KmsException"):
        client.create_repository(
            repositoryName="shop/web", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": "alias/mine"}
        )


@pytest.mark.usefixtures("web")
def test_the_quota_of_repositories(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.limits.repositories = 1
    with refused("LimitExceededException"):
        client.create_repository(repositoryName="shop/other")


def test_deletion_needs_force(client: ECRClient, web: str) -> None:
    push(client, web, sample_image(), "v1")
    with pytest.raises(client.exceptions.RepositoryNotEmptyException, match="still contains images"):
        client.delete_repository(repositoryName=web)
    assert client.delete_repository(repositoryName=web, force=True)["repository"]["repositoryName"] == web
    with refused("RepositoryNotFoundException"):
        client.describe_images(repositoryName=web)
    client.create_repository(repositoryName=web)
    assert client.describe_images(repositoryName=web)["imageDetails"] == []
    client.delete_repository(repositoryName=web)


def test_one_missing_name_fails_describe_repositories(client: ECRClient, web: str) -> None:
    with refused("RepositoryNotFoundException"):
        client.describe_repositories(repositoryNames=[web, "no/where"])
    with refused("InvalidParameterException"):
        client.describe_repositories(repositoryNames=[web], maxResults=1)


def test_mutability_is_replaced(client: ECRClient, web: str) -> None:
    wildcard: Any = [{"filterType": "WILDCARD", "filter": "v*"}]
    changed = client.put_image_tag_mutability(
        repositoryName=web,
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=wildcard,
    )
    assert changed["imageTagMutabilityExclusionFilters"] == wildcard
    client.put_image_tag_mutability(repositoryName=web, imageTagMutability="IMMUTABLE")
    (shown,) = client.describe_repositories()["repositories"]
    assert shown["imageTagMutability"] == "IMMUTABLE"
    assert "imageTagMutabilityExclusionFilters" not in shown


# --- Resource tags ---


@pytest.mark.usefixtures("web")
def test_resource_tags(client: ECRClient) -> None:
    arn = client.describe_repositories()["repositories"][0]["repositoryArn"]
    client.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    client.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "2"}])
    client.untag_resource(resourceArn=arn, tagKeys=["b", "c"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "a", "Value": "2"}]
    with refused("TooManyTagsException"):
        client.tag_resource(resourceArn=arn, tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    for key in ("aws:mine", "k" * 129):
        with refused("InvalidTagParameterException"):
            client.tag_resource(resourceArn=arn, tags=[{"Key": key, "Value": ""}])


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:ecr:us-east-1:123456789012:repository/no/where", "RepositoryNotFoundException"),
        ("arn:aws:ecr:eu-west-1:123456789012:repository/shop/web", "InvalidParameterException"),
        ("shop/web", "InvalidParameterException"),
    ],
)
@pytest.mark.usefixtures("web")
def test_resources_that_are_none(client: ECRClient, arn: str, code: str) -> None:
    with refused(code):
        client.list_tags_for_resource(resourceArn=arn)


# --- Accounts and Regions ---


def test_accounts_and_regions_are_apart(ecr: EcrEmulator, web: str) -> None:
    clients = [
        ecr.client(config=ONCE, region_name=region, account_id=account)
        for region, account in (("eu-west-1", "123456789012"), ("us-east-1", OTHER), ("cn-north-1", OTHER))
    ]
    for other in clients:
        assert other.describe_repositories()["repositories"] == []
        other.create_repository(repositoryName=web)
    uris = [other.describe_repositories()["repositories"][0]["repositoryUri"] for other in clients]
    assert uris == [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web",
        "210987654321.dkr.ecr.us-east-1.amazonaws.com/shop/web",
        "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/web",
    ]
    assert clients[2].describe_repositories()["repositories"][0]["repositoryArn"].startswith("arn:aws-cn:ecr:")


@pytest.mark.usefixtures("web")
def test_any_other_key_is_the_default_account(ecr: EcrEmulator) -> None:
    client = ecr.client(aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    assert client.describe_repositories()["repositories"][0]["registryId"] == "123456789012"


def statement(effect: str, principal: Any, action: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action} | more


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


READ = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        pytest.param(None, False, id="no policy"),
        pytest.param(policy(statement("Allow", {"AWS": f"arn:aws:iam::{OTHER}:root"}, READ)), True, id="root"),
        pytest.param(policy(statement("Allow", {"AWS": OTHER}, "ecr:BatchGetImage")), True, id="account"),
        pytest.param(policy(statement("Allow", {"AWS": ["123456789012", OTHER]}, "ecr:*")), True, id="list"),
        pytest.param(policy(statement("Allow", "*", "ecr:Batch*")), True, id="wildcards"),
        pytest.param(policy(statement("Allow", {"AWS": "*"}, "ecr:batchgetimag?")), True, id="case"),
        pytest.param(policy(statement("Allow", {"AWS": "111111111111"}, "ecr:*")), False, id="someone else"),
        pytest.param(policy(statement("Allow", {"Service": "lambda.amazonaws.com"}, READ)), False, id="service"),
        pytest.param(policy(statement("Allow", "*", "ecr:PutImage")), False, id="another action"),
        pytest.param(policy(statement("Allow", "*", "ecr:*"), statement("Deny", OTHER, READ)), None, id="not a policy"),
        pytest.param(
            policy(statement("Allow", "*", "ecr:*"), statement("Deny", {"AWS": OTHER}, READ)), False, id="denied"
        ),
    ],
)
def test_another_account_needs_the_repositorys_policy(
    ecr: EcrEmulator, client: ECRClient, web: str, text: str | None, *, allowed: bool | None
) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    if allowed is None:
        with refused("InvalidParameterException"):
            client.set_repository_policy(repositoryName=web, policyText=text or "")
        return
    if text:
        client.set_repository_policy(repositoryName=web, policyText=text)
    other = ecr.client(config=ONCE, account_id=OTHER)
    asked: Any = {"registryId": "123456789012", "repositoryName": web, "imageIds": [{"imageTag": "v1"}]}
    if allowed:
        (read,) = other.batch_get_image(**asked)["images"]
        assert (read["registryId"], read["imageManifest"]) == ("123456789012", image.text)
    else:
        with pytest.raises(ClientError, match=r"\(AccessDeniedException\).*ecr:BatchGetImage on resource: arn:aws:ecr"):
            other.batch_get_image(**asked)


def test_a_denial_holds_for_the_owner_too(client: ECRClient, web: str) -> None:
    client.set_repository_policy(repositoryName=web, policyText=policy(statement("Deny", "*", "ecr:PutImage")))
    with pytest.raises(ClientError, match="explicit deny"):
        client.put_image(repositoryName=web, imageManifest=sample_image().text)


def test_policies_are_kept_as_they_are(client: ECRClient, web: str) -> None:
    text = policy(statement("Allow", "*", "ecr:BatchGetImage", Sid="read")).replace(" ", "\n ")
    with refused("RepositoryPolicyNotFoundException"):
        client.get_repository_policy(repositoryName=web)
    client.set_repository_policy(repositoryName=web, policyText=text)
    assert client.get_repository_policy(repositoryName=web)["policyText"] == text
    assert client.delete_repository_policy(repositoryName=web)["policyText"] == text
    with refused("RepositoryPolicyNotFoundException"):
        client.delete_repository_policy(repositoryName=web)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 9000,
        '{"Statement": 1}',
        '{"Statement": [{}]}',
        policy(statement("Maybe", "*", "ecr:*")),
        policy(statement("Allow", "*", 1)),
        policy(statement("Allow", {"AWS": 1}, "ecr:*")),
        policy(statement("Allow", "*", "ecr:*", Condition={"Bool": {"aws:SecureTransport": "true"}})),
        policy({"Effect": "Allow", "Principal": "*", "NotAction": "ecr:*"}),
    ],
)
def test_policies_that_cannot_be_read(client: ECRClient, web: str, text: str) -> None:
    with refused("InvalidParameterException"):
        client.set_repository_policy(repositoryName=web, policyText=text)


def test_locking_oneself_out_needs_force(client: ECRClient, web: str) -> None:
    text = policy(statement("Deny", "*", "ecr:SetRepositoryPolicy"))
    with refused("InvalidParameterException"):
        client.set_repository_policy(repositoryName=web, policyText=text)
    client.set_repository_policy(repositoryName=web, policyText=text, force=True)
    with refused("AccessDeniedException"):
        client.set_repository_policy(repositoryName=web, policyText=text, force=True)


def test_what_no_policy_can_allow(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    client.set_repository_policy(repositoryName=web, policyText=policy(statement("Allow", "*", "ecr:*")))
    other = ecr.client(config=ONCE, account_id=OTHER)
    with refused("AccessDeniedException"):
        other.describe_repositories(registryId="123456789012")
    with refused("AccessDeniedException"):
        other.create_repository(registryId="123456789012", repositoryName="a/b")
    named = other.describe_repositories(registryId="123456789012", repositoryNames=[web])
    assert named["repositories"][0]["registryId"] == "123456789012"


def test_tokens_for_several_registries(ecr: EcrEmulator, client: ECRClient) -> None:
    granted = client.get_authorization_token(registryIds=[OTHER, "123456789012"])["authorizationData"]
    assert [one["proxyEndpoint"] for one in granted] == [ecr.endpoint_url] * 2
