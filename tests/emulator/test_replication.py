"""Replication: rules, what a push under them sets off, and how that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from emulator.replications import WEST, configure, statuses, tags_of, to
from emulator_calls import OWN, refused, version
from local_ecr import needs_archives

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


MOST_RULES = botocore.session.get_session().get_service_model("ecr").shape_for("ReplicationRuleList").metadata["max"]


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


@needs_archives
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


@needs_archives
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
