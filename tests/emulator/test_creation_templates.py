"""Repository creation templates, and the repositories they make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator.replications import WEST
from emulator_calls import ONCE, OTHER, OWN, refused
from local_ecr import needs_member
from registry_client import RegistryClient

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ROLE = f"arn:aws:iam::{OWN}:role/creator"
KEY = f"arn:aws:kms:us-east-1:{OWN}:key/1"
POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "ecr:BatchGetImage"}]})
LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)
EXCLUSIONS = [{"filterType": "WILDCARD", "filter": "dev-*"}]

needs_on_push = needs_member("RCTAppliedFor", "CREATE_ON_PUSH")


def create(client: ECRClient, prefix: str, applied_for: str = "REPLICATION", **more: Any) -> Any:
    answer = client.create_repository_creation_template(prefix=prefix, appliedFor=[applied_for], **more)  # type: ignore[list-item]
    return answer["repositoryCreationTemplate"]


def described(client: ECRClient, name: str) -> Any:
    (repository,) = client.describe_repositories(repositoryNames=[name])["repositories"]
    return repository


# --- Templates ---


def test_what_is_created_is_described(client: ECRClient) -> None:
    asked: Any = {
        "description": "The shop's",
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": KEY},
        "resourceTags": [{"Key": "team", "Value": "shop"}],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": EXCLUSIONS,
        "repositoryPolicy": POLICY,
        "lifecyclePolicy": LIFECYCLE,
        "customRoleArn": ROLE,
    }
    made = create(client, "shop", **asked)
    answer = client.describe_repository_creation_templates()
    assert answer["registryId"] == OWN
    assert answer["repositoryCreationTemplates"] == [made]
    assert {name: made[name] for name in asked} == asked
    assert (made["prefix"], made["appliedFor"]) == ("shop", ["REPLICATION"])
    assert made["createdAt"] == made["updatedAt"]


def test_what_is_not_asked(client: ECRClient) -> None:
    made = create(client, "ROOT")
    assert made["imageTagMutability"] == "MUTABLE"
    assert not {"description", "encryptionConfiguration", "resourceTags", "customRoleArn"} & made.keys()


def test_a_prefix_that_is_taken(client: ECRClient) -> None:
    create(client, "shop")
    for prefix in ("shop", "shop/"):  # "there is always an assumed / applied to the end of the prefix"
        with pytest.raises(client.exceptions.TemplateAlreadyExistsException):
            create(client, prefix)


def test_an_update_changes_what_is_given(ecr: EcrEmulator, client: ECRClient) -> None:
    made = create(client, "shop", imageTagMutability="IMMUTABLE", description="old")
    ecr.advance(60)
    changed = client.update_repository_creation_template(prefix="shop", description="new")["repositoryCreationTemplate"]
    assert changed["description"] == "new"
    assert changed["imageTagMutability"] == "IMMUTABLE"
    assert changed["createdAt"] == made["createdAt"] < changed["updatedAt"]


def test_an_update_of_the_mutability_takes_the_filters_along(client: ECRClient) -> None:
    create(client, "shop", imageTagMutability="MUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=EXCLUSIONS)
    answer = client.update_repository_creation_template(prefix="shop", imageTagMutability="IMMUTABLE")
    assert "imageTagMutabilityExclusionFilters" not in answer["repositoryCreationTemplate"]


def test_deleting(client: ECRClient) -> None:
    made = create(client, "shop")
    assert client.delete_repository_creation_template(prefix="shop")["repositoryCreationTemplate"] == made
    with pytest.raises(client.exceptions.TemplateNotFoundException, match="'shop' does not exist"):
        client.delete_repository_creation_template(prefix="shop")
    with pytest.raises(client.exceptions.TemplateNotFoundException):
        client.update_repository_creation_template(prefix="shop")


def test_some_templates(client: ECRClient) -> None:
    for prefix in ("a", "b", "c"):
        create(client, prefix)
    answer = client.describe_repository_creation_templates(prefixes=["c", "none", "a"])
    assert [template["prefix"] for template in answer["repositoryCreationTemplates"]] == ["c", "a"]
    with refused("InvalidParameterException"):
        client.describe_repository_creation_templates(prefixes=["a"], maxResults=1)


def test_all_templates_in_pages(client: ECRClient) -> None:
    for prefix in ("a", "b", "c"):
        create(client, prefix)
    pages = client.get_paginator("describe_repository_creation_templates").paginate(PaginationConfig={"PageSize": 2})
    found = [[template["prefix"] for template in page["repositoryCreationTemplates"]] for page in pages]
    assert found == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    "asked",
    [
        {"resourceTags": [{"Key": "team", "Value": "shop"}]},
        {"encryptionConfiguration": {"encryptionType": "KMS"}},
        {"resourceTags": [{"Key": "aws:team", "Value": "shop"}], "customRoleArn": ROLE},
        {"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": KEY}, "customRoleArn": ROLE},
        {"imageTagMutability": "IMMUTABLE", "imageTagMutabilityExclusionFilters": EXCLUSIONS},
        {"repositoryPolicy": "no JSON"},
        {"lifecyclePolicy": "no JSON"},
    ],
)
def test_what_could_make_no_repository_is_refused(client: ECRClient, asked: Any) -> None:
    with refused("InvalidParameterException"):
        create(client, "shop", **asked)
    assert client.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


def test_a_key_that_cannot_be_used_is_refused(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.switches.unusable_kms_keys.add(KEY)
    with refused("InvalidParameterException"):
        create(client, "shop", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": KEY}, customRoleArn=ROLE)


# --- Replication ---


@pytest.fixture
def west(ecr: EcrEmulator, client: ECRClient) -> ECRClient:
    """A client of the Region that all is replicated to."""
    client.put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": [{"region": WEST, "registryId": OWN}]}]}
    )
    return ecr.client(WEST, config=ONCE)


def replicated(ecr: EcrEmulator, client: ECRClient, west: ECRClient, name: str) -> Any:
    """Replicate an image; return the repository that was made for it."""
    push(client, name, sample_image(("linux/amd64",)), "v1")
    ecr.advance(30)
    return described(west, name)


def test_a_replica_without_a_template(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    client.put_image_tag_mutability(repositoryName=web, imageTagMutability="IMMUTABLE")
    made = replicated(ecr, client, west, web)
    assert made["imageTagMutability"] == "MUTABLE"  # settings are not replicated
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}


def test_a_replica_by_a_template(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    create(
        west,
        "shop",
        imageTagMutability="IMMUTABLE",
        encryptionConfiguration={"encryptionType": "KMS", "kmsKey": KEY},
        resourceTags=[{"Key": "team", "Value": "shop"}],
        repositoryPolicy=POLICY,
        lifecyclePolicy=LIFECYCLE,
        customRoleArn=ROLE,
    )
    made = replicated(ecr, client, west, web)
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": KEY}
    tags = west.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "shop"}]
    assert west.get_repository_policy(repositoryName=web)["policyText"] == POLICY
    assert west.get_lifecycle_policy(repositoryName=web)["lifecyclePolicyText"] == LIFECYCLE


def test_the_longest_prefix_wins(ecr: EcrEmulator, client: ECRClient, west: ECRClient) -> None:
    create(west, "ROOT", imageTagMutability="IMMUTABLE")
    create(west, "shop", imageTagMutability="MUTABLE")
    create(
        west,
        "shop/prod/",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=EXCLUSIONS,
    )
    create(west, "shop/prod/db", "PULL_THROUGH_CACHE", imageTagMutability="MUTABLE")
    expected = {
        "shop/prod/db/main": "IMMUTABLE_WITH_EXCLUSION",  # a template for something else does not count
        "shop/prod/web": "IMMUTABLE_WITH_EXCLUSION",
        "shop/production/web": "MUTABLE",
        "shop/prod": "MUTABLE",
        "shop": "IMMUTABLE",
        "shopping/web": "IMMUTABLE",
    }
    for name in expected:
        client.create_repository(repositoryName=name)
    made = {name: replicated(ecr, client, west, name)["imageTagMutability"] for name in expected}
    assert made == expected


# --- Pushes ---


@needs_on_push
def test_a_push_creates_what_a_template_is_for(client: ECRClient) -> None:
    create(client, "shop", "CREATE_ON_PUSH", imageTagMutability="IMMUTABLE")
    image = sample_image()
    with refused("RepositoryNotFoundException"):
        client.batch_check_layer_availability(repositoryName="shop/web", layerDigests=list(image.blobs))
    client.initiate_layer_upload(repositoryName="shop/web")
    push(client, "shop/web", image, "v1")
    assert described(client, "shop/web")["imageTagMutability"] == "IMMUTABLE"


@needs_on_push
def test_a_push_by_the_registrys_http_api_creates_it(ecr: EcrEmulator, client: ECRClient) -> None:
    create(client, "shop", "CREATE_ON_PUSH", imageTagMutability="IMMUTABLE")
    registry = RegistryClient.of(ecr)
    registry.push("shop/web", sample_image(), "v1")
    registry.close()
    assert described(client, "shop/web")["imageTagMutability"] == "IMMUTABLE"


@needs_on_push
def test_put_image_creates_it_too_and_leaves_none_behind(client: ECRClient) -> None:
    create(client, "shop", "CREATE_ON_PUSH")
    with pytest.raises(client.exceptions.LayersNotFoundException):
        client.put_image(repositoryName="shop/web", imageManifest=sample_image(("linux/amd64",)).text)
    assert client.describe_repositories()["repositories"] == []
    empty = json.dumps({"schemaVersion": 2, "manifests": []})
    client.put_image(
        repositoryName="shop/web",
        imageManifest=empty,
        imageManifestMediaType="application/vnd.oci.image.index.v1+json",
        imageTag="v1",
    )
    assert described(client, "shop/web")


def test_a_push_creates_nothing_without_a_template_for_it(client: ECRClient) -> None:
    create(client, "shop")
    with pytest.raises(client.exceptions.RepositoryNotFoundException):
        client.initiate_layer_upload(repositoryName="shop/web")
    with pytest.raises(client.exceptions.RepositoryNotFoundException):
        client.put_image(repositoryName="shop/web", imageManifest=sample_image().text)


@needs_on_push
def test_another_account_needs_the_registrys_permission(ecr: EcrEmulator, client: ECRClient) -> None:
    create(client, "shop", "CREATE_ON_PUSH")
    other = ecr.client(account_id=OTHER, config=ONCE)
    with refused("RepositoryNotFoundException"):
        other.initiate_layer_upload(registryId=OWN, repositoryName="shop/web")
    actions = ["ecr:CreateRepository", "ecr:InitiateLayerUpload"]
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": actions, "Resource": "*"}
    client.put_registry_policy(policyText=json.dumps({"Statement": [statement]}))
    assert other.initiate_layer_upload(registryId=OWN, repositoryName="shop/web")["uploadId"]
