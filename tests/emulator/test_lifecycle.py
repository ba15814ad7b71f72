"""Lifecycle policies: kept, previewed, and applied once a day."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import refused
from local_ecr import needs, needs_archives

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

DAY = 24 * 60 * 60
ONE_UNTAGGED = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Keep one image that nothing points at",
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
            "action": {"type": "expire"},
        }
    ]
}
POLICY = json.dumps(ONE_UNTAGGED, indent=1)


def older(days: int, action: str = "expire", count_type: str = "sinceImagePushed", **selection: str) -> str:
    counted = {"tagStatus": "any", "countType": count_type, "countUnit": "days", "countNumber": days}
    acted = {"type": action} | ({"targetStorageClass": "archive"} if action == "transition" else {})
    return json.dumps({"rules": [{"rulePriority": 1, "selection": counted | selection, "action": acted}]})


def put_policy(client: ECRClient, text: str) -> None:
    client.put_lifecycle_policy(repositoryName="shop/web", lifecyclePolicyText=text)


def push_versions(client: ECRClient, *tags: str | None) -> list[str]:
    """Push an image for each tag; return their digests."""
    images = [sample_image(("linux/amd64",), annotations={"number": str(number)}) for number in range(len(tags))]
    return [push(client, "shop/web", image, tag) for image, tag in zip(images, tags, strict=True)]


def digests(client: ECRClient) -> set[str]:
    details = client.describe_images(repositoryName="shop/web")["imageDetails"]
    return {detail["imageDigest"] for detail in details}


# --- The policy ---


def test_a_policy_comes_and_goes(client: ECRClient, web: str) -> None:
    with refused("LifecyclePolicyNotFoundException"):
        client.get_lifecycle_policy(repositoryName=web)
    answer = client.put_lifecycle_policy(repositoryName=web, lifecyclePolicyText=POLICY)
    assert (answer["repositoryName"], answer["lifecyclePolicyText"]) == (web, POLICY)
    shown = client.get_lifecycle_policy(repositoryName=web)
    assert (shown["lifecyclePolicyText"], "lastEvaluatedAt" in shown) == (POLICY, False)
    assert client.delete_lifecycle_policy(repositoryName=web)["lifecyclePolicyText"] == POLICY
    with refused("LifecyclePolicyNotFoundException"):
        client.delete_lifecycle_policy(repositoryName=web)


def test_a_bad_policy_leaves_the_good_one(client: ECRClient, web: str) -> None:
    put_policy(client, POLICY)
    with refused("InvalidParameterException", "Lifecycle policy validation failure: countNumber must be 1"):
        put_policy(client, older(0))
    with refused("InvalidParameterException", "Member must have length less than or equal to 30720"):
        put_policy(client, POLICY + " " * 30720)
    assert client.get_lifecycle_policy(repositoryName=web)["lifecyclePolicyText"] == POLICY


def test_a_repository_takes_its_policy_with_it(client: ECRClient, web: str) -> None:
    put_policy(client, POLICY)
    client.start_lifecycle_policy_preview(repositoryName=web)
    client.delete_repository(repositoryName=web)
    client.create_repository(repositoryName=web)
    with refused("LifecyclePolicyNotFoundException"):
        client.get_lifecycle_policy(repositoryName=web)
    with refused("LifecyclePolicyPreviewNotFoundException"):
        client.get_lifecycle_policy_preview(repositoryName=web)


# --- Previews ---


def test_a_preview_takes_its_time(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    first, second, _ = push_versions(client, None, None, "v1")
    started = client.start_lifecycle_policy_preview(repositoryName=web, lifecyclePolicyText=POLICY)
    assert (started["lifecyclePolicyText"], started["status"]) == (POLICY, "IN_PROGRESS")
    with refused("LifecyclePolicyPreviewInProgressException"):
        client.start_lifecycle_policy_preview(repositoryName=web, lifecyclePolicyText=POLICY)
    assert "previewResults" not in client.get_lifecycle_policy_preview(repositoryName=web)
    ecr.advance(ecr.switches.lifecycle_preview_seconds)
    answer = client.get_lifecycle_policy_preview(repositoryName=web)
    (result,) = answer["previewResults"]
    assert (answer["status"], answer["lifecyclePolicyText"]) == ("COMPLETE", POLICY)
    assert (result["imageDigest"], result["appliedRulePriority"]) == (first, 1)
    assert result["action"] == {"type": "EXPIRE"}
    assert answer["summary"] == {"expiringImageTotalCount": 1}
    assert {first, second} < digests(client)  # nothing was done


def test_a_preview_of_the_repositorys_own_policy(client: ECRClient, web: str) -> None:
    with refused("LifecyclePolicyNotFoundException"):
        client.start_lifecycle_policy_preview(repositoryName=web)
    with refused("LifecyclePolicyPreviewNotFoundException"):
        client.get_lifecycle_policy_preview(repositoryName=web)
    put_policy(client, POLICY)
    assert client.start_lifecycle_policy_preview(repositoryName=web)["lifecyclePolicyText"] == POLICY


def test_the_waiter_sees_the_preview_complete(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    client.start_lifecycle_policy_preview(repositoryName=web, lifecyclePolicyText=POLICY)
    ecr.faults.after("GetLifecyclePolicyPreview", lambda: ecr.advance(3), times=9)
    waiter = client.get_waiter("lifecycle_policy_preview_complete")
    waiter.wait(repositoryName=web, WaiterConfig={"Delay": 0, "MaxAttempts": 9})
    assert ecr.calls.count("GetLifecyclePolicyPreview") == 3


def test_results_in_pages_and_filtered(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.switches.lifecycle_preview_seconds = 0
    old = push_versions(client, "v1", None, "v2")
    ecr.advance(2 * DAY)
    client.start_lifecycle_policy_preview(repositoryName=web, lifecyclePolicyText=older(1))
    paginator = client.get_paginator("get_lifecycle_policy_preview")
    pages = list(paginator.paginate(repositoryName=web, PaginationConfig={"PageSize": 2}))
    assert [[result["imageDigest"] for result in page["previewResults"]] for page in pages] == [old[:2], old[2:]]

    def found(**wanted: Any) -> list[list[str] | None]:
        answer = client.get_lifecycle_policy_preview(repositoryName=web, **wanted)
        assert answer["summary"]["expiringImageTotalCount"] == 3
        return [result.get("imageTags") for result in answer["previewResults"]]

    assert found(filter={"tagStatus": "TAGGED"}) == [["v1"], ["v2"]]
    assert found(filter={"tagStatus": "UNTAGGED"}) == [None]
    assert found(imageIds=[{"imageTag": "v2"}, {"imageDigest": old[1]}, {"imageTag": "none"}]) == [None, ["v2"]]
    with refused("InvalidParameterException"):
        found(imageIds=[{"imageTag": "v2"}], maxResults=1)


@needs_archives
def test_a_preview_of_the_archive(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    ecr.switches.lifecycle_preview_seconds = 0
    push_versions(client, "v1")
    ecr.advance(2 * DAY)
    client.start_lifecycle_policy_preview(repositoryName=web, lifecyclePolicyText=older(1, "transition"))
    answer = client.get_lifecycle_policy_preview(repositoryName=web)
    (result,) = answer["previewResults"]
    assert result["action"] == {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}
    assert result["storageClass"] == "STANDARD"
    assert answer["summary"] == {
        "expiringImageTotalCount": 0,
        "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 1}],
    }


# --- Applying it ---


def test_a_policy_is_applied_a_day_later_and_daily(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    first, second, tagged = push_versions(client, None, None, "v1")
    put_policy(client, POLICY)
    ecr.advance(DAY - 1)
    assert digests(client) == {first, second, tagged}
    ecr.clear_events()
    ecr.advance(1)
    assert digests(client) == {second, tagged}
    assert [(event.detail["action-type"], event.detail["image-digest"]) for event in ecr.events] == [("DELETE", first)]
    evaluated = client.get_lifecycle_policy(repositoryName=web)["lastEvaluatedAt"]
    third = push(client, web, sample_image(("linux/arm64",)))
    ecr.advance(DAY)
    assert digests(client) == {third, tagged}
    assert client.get_lifecycle_policy(repositoryName=web)["lastEvaluatedAt"] > evaluated


@pytest.mark.timeout(30)  # seconds, for 180,000 days
def test_centuries_pass_at_once(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    """Each image goes on its day, though nobody looks in between; days on which there is nothing to do cost nothing."""
    (first,) = push_versions(client, "first")
    put_policy(client, older(90))
    began = ecr.events[-1].time
    ecr.advance(30 * DAY)
    second = push(client, web, sample_image(("linux/amd64",), files={"name": b"second"}), "second")
    ecr.advance(500 * 365 * DAY)
    deleted = {e.detail["image-digest"]: e.time for e in ecr.events if e.detail.get("action-type") == "DELETE"}
    assert {digest: round((when - began) / DAY) for digest, when in deleted.items()} == {first: 90, second: 121}
    evaluated = client.get_lifecycle_policy(repositoryName=web)["lastEvaluatedAt"].timestamp()
    assert evaluated > began + (500 * 365 + 28) * DAY


def test_a_policy_that_is_gone_does_nothing(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    found = set(push_versions(client, None, None))
    put_policy(client, POLICY)
    client.delete_lifecycle_policy(repositoryName=web)
    ecr.advance(DAY)
    assert digests(client) == found
    put_policy(client, older(100))
    ecr.advance(DAY - 1)
    put_policy(client, POLICY)  # takes the place of the other, whose time would be now
    ecr.advance(1)
    assert digests(client) == found


def test_an_index_goes_before_its_images(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    put_policy(client, older(1))
    ecr.advance(DAY)
    assert digests(client) == {child.digest for child in image.children}
    ecr.advance(DAY)
    assert digests(client) == set()


@needs_archives
def test_images_are_archived_and_then_expire(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    (digest,) = push_versions(client, "v1")
    rules = [json.loads(older(1, "transition")), json.loads(older(90, "expire", "sinceImageTransitioned"))]
    rules[1]["rules"][0] |= {"rulePriority": 2}
    rules[1]["rules"][0]["selection"]["storageClass"] = "archive"
    put_policy(client, json.dumps({"rules": rules[0]["rules"] + rules[1]["rules"]}))
    ecr.advance(2 * DAY)
    (detail,) = client.describe_images(repositoryName=web, filter={"imageStatus": "ARCHIVED"})["imageDetails"]
    assert detail["imageDigest"] == digest
    assert ecr.events[-1].detail["target-storage-class"] == "ARCHIVE"
    ecr.advance(91 * DAY)
    assert client.describe_images(repositoryName=web, filter={"imageStatus": "ANY"})["imageDetails"] == []


@needs_archives
def test_what_an_archived_index_names_is_not_deleted(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    client.update_image_storage_class(repositoryName=web, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    put_policy(client, older(1))
    ecr.advance(2 * DAY)
    assert digests(client) == {child.digest for child in image.children}
    assert "lastEvaluatedAt" in client.get_lifecycle_policy(repositoryName=web)


@needs_archives
def test_what_an_archived_index_names_follows_it(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, sample_image(), "v1")
    put_policy(client, older(1, "transition"))
    ecr.advance(DAY)
    assert len(digests(client)) == 2
    ecr.advance(DAY)
    assert digests(client) == set()


@needs_archives
def test_an_artifact_in_an_index_stays_with_it(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image(("linux/amd64",))
    push(client, web, image, "v1")
    artifact = sample_artifact("application/vnd.example.sbom", subject=image)
    push(client, web, artifact)
    descriptor = {"mediaType": artifact.media_type, "digest": artifact.digest, "size": len(artifact.text)}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [descriptor]}
    client.put_image(repositoryName=web, imageManifest=json.dumps(index), imageTag="bundle")
    client.update_image_storage_class(repositoryName=web, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    put_policy(client, older(1000))
    ecr.advance(DAY)
    assert artifact.digest in digests(client)


@needs("PutSigningConfiguration")
def test_signatures_follow_their_subject(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    profile = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/release"
    client.put_signing_configuration(signingConfiguration={"rules": [{"signingProfileArn": profile}]})
    archived, deleted = push_versions(client, "v1", "v2")
    ecr.advance(60)
    put_policy(client, older(1000))  # does nothing by itself
    client.update_image_storage_class(
        repositoryName=web, imageId={"imageDigest": archived}, targetStorageClass="ARCHIVE"
    )
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageDigest": deleted}])
    assert len(digests(client)) == 2
    ecr.advance(DAY)
    details = client.describe_images(repositoryName=web, filter={"imageStatus": "ANY"})["imageDetails"]
    assert {(detail["imageStatus"], detail.get("subjectManifestDigest")) for detail in details} == {
        ("ARCHIVED", None),
        ("ARCHIVED", archived),
    }


def test_an_artifact_may_come_before_its_subject(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    put_policy(client, older(1000))
    ecr.advance(DAY - 1)
    artifact = push(client, web, sample_artifact("application/vnd.example.sbom", subject=sample_image()))
    ecr.advance(1)
    assert digests(client) == {artifact}
    ecr.advance(DAY)
    assert digests(client) == set()
