"""Replication: rules, what a push under them sets off, and how that ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OWN, OTHER = "123456789012", "210987654321"
WEST = "us-west-2"
ONCE = Config(retries={"total_max_attempts": 1})

MODEL = botocore.session.get_session().get_service_model("ecr")
MOST_RULES = MODEL.shape_for("ReplicationRuleList").metadata["max"]
deletions = pytest.mark.skipif(
    "deleteReplication" not in MODEL.shape_for("ReplicationRule").members,  # type: ignore[attr-defined]
    reason="this botocore does not know of deleteReplication",
)
archives = pytest.mark.skipif(
    "UpdateImageStorageClass" not in MODEL.operation_names, reason="this botocore does not know of the archive"
)


def to(*regions: str, account: str = OWN) -> Any:
    return [{"region": region, "registryId": account} for region in regions]


def configure(client: ECRClient, *destinations: Any, **rule: Any) -> None:
    rules: Any = [{"destinations": list(destinations or to(WEST)), **rule}]
    client.put_replication_configuration(replicationConfiguration={"rules": rules})


def version(number: int | str) -> SampleImage:
    return sample_image(("linux/amd64",), annotations={"version": str(number)})


def statuses(client: ECRClient, repository: str, **asked: Any) -> Any:
    image_id: Any = asked
    return client.describe_image_replication_status(repositoryName=repository, imageId=image_id)["replicationStatuses"]


def tags_of(client: ECRClient, repository: str) -> dict[str, str]:
    """Read which image each tag of a repository points at."""
    listed = client.list_images(repositoryName=repository, filter={"tagStatus": "TAGGED"})["imageIds"]
    return {image_id["imageTag"]: image_id["imageDigest"] for image_id in listed}


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


@pytest.fixture
def west(ecr: EcrEmulator) -> ECRClient:
    return ecr.client(WEST, config=ONCE)


# --- The configuration ---


def test_what_is_put_is_described(client: ECRClient) -> None:
    rule: Any = {
        "destinations": to(WEST, "eu-west-1"),
        "repositoryFilters": [{"filter": "shop", "filterType": "PREFIX_MATCH"}],
    }
    put = client.put_replication_configuration(replicationConfiguration={"rules": [rule]})
    assert put["replicationConfiguration"] == {"rules": [rule]}
    assert client.describe_registry()["replicationConfiguration"] == {"rules": [rule]}


def test_a_registry_cannot_be_its_own_destination(client: ECRClient) -> None:
    with pytest.raises(client.exceptions.InvalidParameterException, match="cannot be the same as the source registry"):
        configure(client, *to(WEST, "us-east-1"))


def test_the_most_destinations(client: ECRClient) -> None:
    many = [{"region": WEST, "registryId": f"{number:012}"} for number in range(26)]
    configure(client, *many[:25], *many[:1])
    with pytest.raises(client.exceptions.InvalidParameterException, match="25 unique destinations at most"):
        configure(client, *many)


def test_the_most_rules_and_filters(client: ECRClient) -> None:
    rules: Any = [{"destinations": to(WEST)}] * (MOST_RULES + 1)
    client.put_replication_configuration(replicationConfiguration={"rules": rules[:-1]})
    with refused("InvalidParameterException"):
        client.put_replication_configuration(replicationConfiguration={"rules": rules})
    filters = [{"filter": f"shop{number}", "filterType": "PREFIX_MATCH"} for number in range(101)]
    with refused("InvalidParameterException"):
        configure(client, repositoryFilters=filters)


# --- What a push sets off ---


def test_a_push_is_replicated(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    configure(client)
    image = sample_image()
    push(client, web, image, "v1")
    assert statuses(client, web, imageTag="v1") == [{"region": WEST, "registryId": OWN, "status": "IN_PROGRESS"}]
    with pytest.raises(west.exceptions.RepositoryNotFoundException):
        west.describe_images(repositoryName=web)
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1") == [{"region": WEST, "registryId": OWN, "status": "COMPLETE"}]
    (found,) = west.batch_get_image(repositoryName=web, imageIds=[{"imageTag": "v1"}])["images"]
    assert found["imageManifest"] == image.text
    for digest in image.blobs:
        assert west.get_download_url_for_layer(repositoryName=web, layerDigest=digest)
    for child in image.children:
        assert statuses(client, web, imageDigest=child.digest)[0]["status"] == "COMPLETE"


def test_what_was_pushed_before_the_rule_is_not(ecr: EcrEmulator, client: ECRClient, layers: str) -> None:
    configure(client)
    ecr.advance(60)
    assert statuses(client, layers, imageTag="zero") == []


def test_the_index_brings_what_was_pushed_before(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str
) -> None:
    image = sample_image()
    push(client, web, image)
    configure(client)
    client.put_image(repositoryName=web, imageManifest=image.text, imageTag="v1")
    ecr.advance(30)
    described = west.describe_images(repositoryName=web)["imageDetails"]
    assert {detail["imageDigest"] for detail in described} == {image.digest, *(c.digest for c in image.children)}


@pytest.mark.parametrize(("prefix", "replicated"), [("shop", True), ("sh", True), ("shop/web", True), ("web", False)])
def test_filters_are_prefixes(client: ECRClient, web: str, prefix: str, replicated: bool) -> None:
    configure(client, repositoryFilters=[{"filter": prefix, "filterType": "PREFIX_MATCH"}])
    push(client, web, version(1), "v1")
    assert bool(statuses(client, web, imageTag="v1")) is replicated


def test_a_destination_of_two_rules_is_one(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    rules: Any = [{"destinations": to(WEST)}, {"destinations": to("eu-west-1", WEST)}]
    client.put_replication_configuration(replicationConfiguration={"rules": rules})
    push(client, web, version(1), "v1")
    assert [status["region"] for status in statuses(client, web, imageTag="v1")] == ["eu-west-1", WEST]
    ecr.advance(30)
    told = [event.region for event in ecr.events if event.detail_type == "ECR Replication Action"]
    assert told == [WEST, "eu-west-1"]


def test_nothing_is_replicated_on(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    configure(client)
    configure(west, *to("eu-west-1"))
    push(client, web, version(1), "v1")
    ecr.advance(30)
    assert statuses(west, web, imageTag="v1") == []
    ecr.advance(30)
    assert ecr.client("eu-west-1").describe_repositories()["repositories"] == []


def test_an_image_is_replicated_once_a_push(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(30)
    west.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "v1"}])
    ecr.advance(3600)
    assert tags_of(west, web) == {}
    client.put_image(repositoryName=web, imageManifest=version(1).text, imageTag="v1-again")
    ecr.advance(30)
    assert tags_of(west, web) == {"v1-again": version(1).digest}


def test_two_pushes_of_an_image_are_under_way(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client)
    push(client, web, version(1), "a")
    ecr.advance(20)
    client.put_image(repositoryName=web, imageManifest=version(1).text, imageTag="b")
    ecr.advance(15)
    assert statuses(client, web, imageTag="a")[0]["status"] == "IN_PROGRESS"
    ecr.advance(15)
    assert statuses(client, web, imageTag="a")[0]["status"] == "COMPLETE"


def test_a_tag_moves_there_too(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    configure(client)
    push(client, web, version(1), "latest")
    push(client, web, version(2), "latest")
    ecr.advance(30)
    assert tags_of(west, web) == {"latest": version(2).digest}


def test_onto_an_immutable_tag_goes_the_image_alone(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str
) -> None:
    west.create_repository(repositoryName=web, imageTagMutability="IMMUTABLE")
    push(west, web, version(1), "v1")
    configure(client)
    push(client, web, version(2), "v1")
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1")[0]["status"] == "COMPLETE"
    assert tags_of(west, web) == {"v1": version(1).digest}
    assert west.describe_images(repositoryName=web, imageIds=[{"imageDigest": version(2).digest}])["imageDetails"]
    (event,) = [event for event in ecr.events if event.detail_type == "ECR Replication Action"]
    assert "image-tag" not in event.detail


def test_an_image_deleted_meanwhile_is_no_failure(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str
) -> None:
    configure(client)
    push(client, web, version(1), "v1")
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "v1"}])
    push(client, web, version(1), "v2")
    ecr.advance(30)
    assert tags_of(west, web) == {"v2": version(1).digest}
    assert len([event for event in ecr.events if event.detail_type == "ECR Replication Action"]) == 1


@archives
def test_a_restored_image_is_replicated(ecr: EcrEmulator, client: ECRClient, west: ECRClient, layers: str) -> None:
    def move(target: Any) -> None:
        client.update_image_storage_class(
            repositoryName=layers, imageId={"imageTag": "zero"}, targetStorageClass=target
        )

    configure(client)
    move("ARCHIVE")
    move("STANDARD")
    assert statuses(client, layers, imageTag="zero") == []
    ecr.advance(20 * 60)
    assert statuses(client, layers, imageTag="zero")[0]["status"] == "IN_PROGRESS"
    ecr.advance(30)
    assert list(tags_of(west, layers)) == ["zero"]


@archives
def test_a_push_restores_the_replica(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(30)
    west.update_image_storage_class(repositoryName=web, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    client.put_image(repositoryName=web, imageManifest=version(1).text, imageTag="v2")
    ecr.advance(30)
    assert set(tags_of(west, web)) == {"v1", "v2"}


def test_the_time_it_takes_is_a_switch(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.switches.replication_seconds = 1000
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(999)
    assert statuses(client, web, imageTag="v1")[0]["status"] == "IN_PROGRESS"
    ecr.advance(1)
    assert statuses(client, web, imageTag="v1")[0]["status"] == "COMPLETE"


@pytest.mark.parametrize("image_id", [{"imageTag": "none"}, {"imageDigest": "sha256:" + "0" * 64}])
def test_the_status_of_no_image(client: ECRClient, layers: str, image_id: Any) -> None:
    with pytest.raises(client.exceptions.ImageNotFoundException):
        statuses(client, layers, **image_id)


# --- Events ---


def test_the_destination_tells_about_it(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(30)
    (event,) = [event for event in ecr.events if event.detail_type == "ECR Replication Action"]
    assert (event.account, event.region) == (OWN, WEST)
    assert event.resources == (f"arn:aws:ecr:{WEST}:{OWN}:repository/{web}",)
    assert event.detail == {
        "result": "SUCCESS",
        "repository-name": web,
        "image-digest": version(1).digest,
        "source-account": OWN,
        "action-type": "REPLICATE",
        "source-region": "us-east-1",
        "image-tag": "v1",
    }


# --- Failures ---


def test_failures_can_be_told(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    configure(client, *to(WEST, "eu-west-1"))
    push(client, web, version(1), "v1")
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1") == [
        {"region": "eu-west-1", "registryId": OWN, "status": "COMPLETE"},
        {"region": WEST, "registryId": OWN, "status": "FAILED", "failureCode": "INTERNAL_ERROR"},
    ]
    failed = {event.region: event.detail for event in ecr.events if event.detail.get("result") == "FAILED"}
    assert failed[WEST]["image-tag"] == "v1"
    assert list(failed) == [WEST]


def test_the_next_push_may_succeed(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(30)
    ecr.switches.replication_failures.clear()
    client.put_image(repositoryName=web, imageManifest=version(1).text, imageTag="v2")
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1") == [{"region": WEST, "registryId": OWN, "status": "COMPLETE"}]


def test_a_key_that_cannot_be_used(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    west.create_repository(
        repositoryName=web, encryptionConfiguration={"encryptionType": "KMS", "kmsKey": "alias/mine"}
    )
    ecr.switches.unusable_kms_keys.add("alias/mine")
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1")[0]["failureCode"] == "KMS_KEY_UNUSABLE"
    assert west.list_images(repositoryName=web)["imageIds"] == []


def test_a_repository_that_is_full(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    west.create_repository(repositoryName=web)
    push(west, web, version(0))
    configure(client)
    push(client, web, version(1), "v1")
    ecr.limits.images_per_repository = 1
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1")[0]["failureCode"] == "DESTINATION_LIMIT_EXCEEDED"


# --- Other accounts ---


def allow(client: ECRClient, *actions: str, resource: str = f"arn:aws:ecr:{WEST}:{OTHER}:repository/*") -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"},
        "Action": list(actions),
        "Resource": resource,
    }
    client.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


@pytest.fixture
def abroad(ecr: EcrEmulator) -> ECRClient:
    """A client of another account, in another Region."""
    return ecr.client(WEST, account_id=OTHER, config=ONCE)


@pytest.mark.parametrize(
    ("actions", "has_repository", "status"),
    [
        ([], True, "FAILED"),
        (["ecr:CreateRepository"], True, "FAILED"),
        (["ecr:ReplicateImage"], True, "COMPLETE"),
        (["ecr:ReplicateImage"], False, "FAILED"),
        (["ecr:ReplicateImage", "ecr:CreateRepository"], False, "COMPLETE"),
    ],
)
def test_the_other_registry_has_to_allow_it(
    ecr: EcrEmulator,
    client: ECRClient,
    abroad: ECRClient,
    web: str,
    actions: list[str],
    has_repository: bool,
    status: str,
) -> None:
    if has_repository:
        abroad.create_repository(repositoryName=web)
    if actions:
        allow(abroad, *actions)
    configure(client, *to(WEST, account=OTHER))
    push(client, web, version(1), "v1")
    ecr.advance(30)
    (found,) = statuses(client, web, imageTag="v1")
    assert (found["registryId"], found["status"]) == (OTHER, status)
    assert found.get("failureCode") == ("DESTINATION_REGISTRY_ACCESS_DENIED" if status == "FAILED" else None)
    if status == "COMPLETE":
        assert tags_of(abroad, web) == {"v1": version(1).digest}
    (event,) = [event for event in ecr.events if event.detail_type == "ECR Replication Action"]
    assert (event.account, event.detail["source-account"]) == (OTHER, OWN)


def test_a_misspelled_resource_is_found_out(ecr: EcrEmulator, client: ECRClient, abroad: ECRClient, web: str) -> None:
    allow(abroad, "ecr:*", resource=f"arn:aws:{WEST}:{OTHER}:repository/*")  # as in containers-roadmap#2675
    configure(client, *to(WEST, account=OTHER))
    push(client, web, version(1), "v1")
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1")[0]["failureCode"] == "DESTINATION_REGISTRY_ACCESS_DENIED"


# --- Deletions ---


@pytest.fixture
def replica(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> str:
    """A repository whose images, with the tags "v1" and "stable", and whose deletions are replicated."""
    configure(client, deleteReplication={"enabled": True})
    push(client, web, version(1), "v1")
    client.put_image(repositoryName=web, imageManifest=version(1).text, imageTag="stable")
    ecr.advance(30)
    assert set(tags_of(west, web)) == {"v1", "stable"}
    return web


def delete(client: ECRClient, repository: str, **image_id: Any) -> None:
    answer = client.batch_delete_image(repositoryName=repository, imageIds=[image_id])  # type: ignore[list-item]
    assert answer["failures"] == []


def test_deletions_do_not_travel_unless_asked(ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str) -> None:
    configure(client)
    push(client, web, version(1), "v1")
    ecr.advance(30)
    delete(client, web, imageTag="v1")
    ecr.advance(60)
    assert tags_of(west, web) == {"v1": version(1).digest}


@deletions
def test_the_removal_of_a_tag_travels(ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str) -> None:
    delete(client, replica, imageTag="v1")
    assert set(tags_of(west, replica)) == {"v1", "stable"}
    ecr.advance(30)
    assert set(tags_of(west, replica)) == {"stable"}


@deletions
def test_the_deletion_of_an_image_travels(ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str) -> None:
    delete(client, replica, imageDigest=version(1).digest)
    ecr.advance(30)
    assert west.list_images(repositoryName=replica)["imageIds"] == []


@deletions
def test_a_tag_that_points_elsewhere_there_stays(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str
) -> None:
    push(west, replica, version(2), "v1")
    delete(client, replica, imageTag="v1")
    ecr.advance(30)
    assert tags_of(west, replica)["v1"] == version(2).digest


@deletions
def test_an_image_that_loses_its_last_tag_there_stays(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str
) -> None:
    delete(west, replica, imageTag="stable")
    delete(client, replica, imageTag="v1")
    ecr.advance(30)
    assert west.list_images(repositoryName=replica)["imageIds"] == [{"imageDigest": version(1).digest}]


@deletions
def test_an_image_that_an_index_names_there_stays(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, web: str, capfd: pytest.CaptureFixture[str]
) -> None:
    image = sample_image()
    configure(client, deleteReplication={"enabled": True})
    for child in image.children[:1]:
        push(client, web, SampleImage(child, (), image.blobs))
    ecr.advance(30)
    push(west, web, image, "theirs")
    delete(client, web, imageDigest=image.children[0].digest)
    ecr.advance(30)
    assert west.describe_images(repositoryName=web, imageIds=[{"imageDigest": image.children[0].digest}])
    assert capfd.readouterr().err == ""  # where a job that failed would be


@deletions
def test_another_account_has_to_allow_deletions(
    ecr: EcrEmulator, client: ECRClient, abroad: ECRClient, web: str
) -> None:
    configure(client, *to(WEST, account=OTHER), deleteReplication={"enabled": True})
    allow(abroad, "ecr:ReplicateImage", "ecr:CreateRepository")
    push(client, web, version(1), "v1")
    ecr.advance(30)
    abroad.delete_registry_policy()
    delete(client, web, imageTag="v1")
    ecr.advance(30)
    assert tags_of(abroad, web) == {"v1": version(1).digest}


@deletions
def test_what_a_lifecycle_policy_expires_is_deleted_there_too(
    ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str
) -> None:
    push(client, replica, version(2), "v2")
    ecr.advance(30)
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    client.put_lifecycle_policy(repositoryName=replica, lifecyclePolicyText=json.dumps({"rules": [rule]}))
    ecr.advance(24 * 60 * 60)
    assert set(tags_of(west, replica)) == {"v1", "stable", "v2"}
    ecr.advance(30)
    assert tags_of(west, replica) == tags_of(client, replica) == {"v2": version(2).digest}


@deletions
def test_a_deletion_where_there_is_nothing(ecr: EcrEmulator, client: ECRClient, west: ECRClient, replica: str) -> None:
    west.delete_repository(repositoryName=replica, force=True)
    delete(client, replica, imageTag="v1")
    ecr.advance(30)
    assert west.describe_repositories()["repositories"] == []


# --- Restarts ---


def test_a_restart_forgets_nothing(tmp_path: Any) -> None:
    with EcrEmulator(tmp_path) as ecr:
        client = ecr.client()
        client.create_repository(repositoryName="shop/web")
        configure(client)
        push(client, "shop/web", version(1), "v1")
    with EcrEmulator(tmp_path) as ecr:
        client = ecr.client()
        assert statuses(client, "shop/web", imageTag="v1")[0]["status"] == "IN_PROGRESS"
        ecr.advance(30)
        assert statuses(client, "shop/web", imageTag="v1")[0]["status"] == "COMPLETE"
