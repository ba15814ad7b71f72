"""The registry as a whole: its settings, and its policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import ONCE, OTHER, OWN, refused

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

EVERYTHING = f"arn:aws:ecr:us-east-1:{OWN}:repository/*"


def policy(actions: Any, *, effect: str = "Allow", principal: str = OTHER, resource: Any = EVERYTHING) -> str:
    statement = {"Effect": effect, "Principal": {"AWS": principal}, "Action": actions, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_registry_without_settings(client: ECRClient) -> None:
    answer = client.describe_registry()
    assert answer["registryId"] == OWN
    assert answer["replicationConfiguration"] == {"rules": []}


def test_the_policy_comes_and_goes(client: ECRClient) -> None:
    text = policy("ecr:ReplicateImage")
    assert client.put_registry_policy(policyText=text)["policyText"] == text
    assert client.get_registry_policy()["policyText"] == text
    assert client.delete_registry_policy()["policyText"] == text
    with pytest.raises(client.exceptions.RegistryPolicyNotFoundException, match=OWN):
        client.get_registry_policy()
    with pytest.raises(client.exceptions.RegistryPolicyNotFoundException):
        client.delete_registry_policy()


def test_each_region_has_its_own_policy(ecr: EcrEmulator, client: ECRClient) -> None:
    client.put_registry_policy(policyText=policy("ecr:*"))
    elsewhere = ecr.client("eu-west-1", config=ONCE)
    with pytest.raises(elsewhere.exceptions.RegistryPolicyNotFoundException):
        elsewhere.get_registry_policy()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}]}),  # no Resource
        policy("ecr:*", effect="Maybe"),
    ],
)
def test_a_policy_that_is_none(client: ECRClient, text: str) -> None:
    with pytest.raises(client.exceptions.InvalidParameterException, match="Invalid registry policy provided"):
        client.put_registry_policy(policyText=text)


def test_a_condition_is_refused_rather_than_ignored(client: ECRClient) -> None:
    document = json.loads(policy("ecr:ReplicateImage"))
    document["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceAccount": OTHER}}
    with pytest.raises(client.exceptions.InvalidParameterException, match="does not evaluate Condition in registry"):
        client.put_registry_policy(policyText=json.dumps(document))


# --- "Enforced in all ECR requests": registry policy scope V2, the default ---


@pytest.fixture
def other(ecr: EcrEmulator) -> ECRClient:
    return ecr.client(account_id=OTHER, config=ONCE)


def test_another_account_may_read_by_it(client: ECRClient, other: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    wanted: Any = {"registryId": OWN, "repositoryName": web, "imageIds": [{"imageTag": "v1"}]}
    with refused("AccessDeniedException"):
        other.batch_get_image(**wanted)
    client.put_registry_policy(policyText=policy(["ecr:BatchGetImage"]))
    assert other.batch_get_image(**wanted)["images"][0]["imageId"]["imageDigest"] == image.digest
    with refused("AccessDeniedException"):
        other.list_images(registryId=OWN, repositoryName=web)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (f"arn:aws:ecr:us-east-1:{OWN}:repository/shop/*", True),
        ([f"arn:aws:ecr:us-east-1:{OWN}:repository/none", f"arn:aws:ecr:us-east-1:{OWN}:repository/sho?/web"], True),
        (f"arn:aws:ecr:us-east-1:{OWN}:repository/SHOP/*", False),
        (f"arn:aws:ecr:eu-west-1:{OWN}:repository/*", False),
        (f"arn:aws:us-east-1:{OWN}:repository/*", False),  # accepted, and of no effect (containers-roadmap#2675)
    ],
)
def test_it_is_for_resources(client: ECRClient, other: ECRClient, web: str, resource: Any, allowed: bool) -> None:
    client.put_registry_policy(policyText=policy("ecr:ListImages", resource=resource))
    if allowed:
        assert other.list_images(registryId=OWN, repositoryName=web)["imageIds"] == []
    else:
        with refused("AccessDeniedException"):
            other.list_images(registryId=OWN, repositoryName=web)


def test_its_denial_wins_over_the_repositorys_policy(client: ECRClient, other: ECRClient, web: str) -> None:
    client.set_repository_policy(repositoryName=web, policyText=policy("ecr:ListImages"))
    assert other.list_images(registryId=OWN, repositoryName=web)["imageIds"] == []
    client.put_registry_policy(policyText=policy("ecr:ListImages", effect="Deny", principal="*"))
    with refused("AccessDeniedException"):
        other.list_images(registryId=OWN, repositoryName=web)
    with refused("AccessDeniedException"):
        client.list_images(repositoryName=web)
