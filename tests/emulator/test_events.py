"""What EventBridge hears: the shapes of the user guide, "Amazon ECR events and EventBridge"."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from local_ecr import needs_archives

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ecr import ECRClient

NOON = 1_573_869_274.25  # 2019-11-16T01:54:34Z, as in the guide
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


@pytest.fixture
def ecr() -> Iterator[EcrEmulator]:
    """An emulator whose clock stands at the guide's time, unless it is moved."""
    with EcrEmulator(clock=lambda: NOON) as emulator:
        yield emulator


def details(ecr: EcrEmulator) -> list[dict[str, Any]]:
    """Return the details of the events so far, and forget them."""
    events = ecr.events
    ecr.clear_events()
    return [event.detail for event in events]


def one(version: str = "1") -> SampleImage:
    return sample_image(("linux/amd64",), annotations={"version": version})


def test_a_push(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, one(), "latest")
    (event,) = ecr.events
    envelope = event.envelope()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", envelope.pop("id"))
    assert json.dumps(envelope) == json.dumps(
        {
            "version": "0",
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": "123456789012",
            "time": "2019-11-16T01:54:34Z",
            "region": "us-east-1",
            "resources": [],
            "detail": {
                "result": "SUCCESS",
                "repository-name": "shop/web",
                "image-digest": one().digest,
                "action-type": "PUSH",
                "image-tag": "latest",
            },
        }
    )


def test_an_event_is_where_the_registry_is(ecr: EcrEmulator) -> None:
    client = ecr.client("eu-west-1", "210987654321")
    client.create_repository(repositoryName="shop/web")
    push(client, "shop/web", one(), "v1")
    (event,) = ecr.events
    assert (event.account, event.region) == ("210987654321", "eu-west-1")


def test_a_push_without_a_tag_names_none(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    assert [detail.get("image-tag") for detail in details(ecr)] == [None, None, "v1"]
    client.put_image(repositoryName=web, imageManifest=image.text, imageTag="v2")
    assert details(ecr) == [
        {
            "result": "SUCCESS",
            "repository-name": web,
            "image-digest": image.digest,
            "action-type": "PUSH",
            "image-tag": "v2",
        }
    ]


def test_what_fails_is_no_event(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, one(), "v1")
    details(ecr)
    with pytest.raises(client.exceptions.ImageAlreadyExistsException):
        client.put_image(repositoryName=web, imageManifest=one().text, imageTag="v1")
    ecr.faults.fail("BatchDeleteImage")
    with pytest.raises(ClientError, match="Rate exceeded"):
        client.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "v1"}])
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "none"}])
    assert ecr.events == ()


def test_a_lost_answer_is_an_event_all_the_same(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, one(), "v1")
    details(ecr)
    ecr.faults.lose("PutImage")
    with pytest.raises(client.exceptions.ImageAlreadyExistsException):
        ecr.client().put_image(repositoryName=web, imageManifest=one().text, imageTag="v2")
    assert [detail["image-tag"] for detail in details(ecr)] == ["v2"]


def test_each_tag_that_is_deleted_is_an_event(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = one()
    for tag in ("a", "b", "c"):
        push(client, web, image, tag)
    details(ecr)
    deleted = {
        "result": "SUCCESS",
        "repository-name": web,
        "image-digest": image.digest,
        "action-type": "DELETE",
    }
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "b"}])
    assert details(ecr) == [deleted | {"image-tag": "b"}]
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageDigest": image.digest}])
    assert details(ecr) == [deleted | {"image-tag": "a"}, deleted | {"image-tag": "c"}]
    client.put_image(repositoryName=web, imageManifest=image.text)
    details(ecr)
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageDigest": image.digest}])
    assert details(ecr) == [deleted]


def test_an_image_with_a_subject_is_a_referrer(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    subject = one()
    push(client, web, subject, "v1")
    manifest = json.loads(subject.text)
    descriptor = {"mediaType": MANIFEST, "digest": subject.digest, "size": len(subject.text)}
    referrer = json.dumps(manifest | {"subject": descriptor, "artifactType": "application/spdx+json"})
    ecr.clear_events()
    digest = client.put_image(repositoryName=web, imageManifest=referrer)["image"]["imageId"]["imageDigest"]
    client.batch_delete_image(repositoryName=web, imageIds=[{"imageDigest": digest}])
    pushed, deleted = ecr.events
    assert (pushed.detail_type, pushed.detail["action-type"]) == ("ECR Referrer Action", "PUSH")
    assert pushed.detail["image-digest"] == digest
    assert (deleted.detail_type, deleted.detail["action-type"]) == ("ECR Referrer Action", "DELETE")


# --- The archive ---


def move(client: ECRClient, web: str, target: Any, **image_id: str) -> None:
    ids: Any = image_id
    client.update_image_storage_class(repositoryName=web, imageId=ids, targetStorageClass=target)


def moved(web: str, image: SampleImage, target: str, **more: str) -> dict[str, Any]:
    return {
        "result": "SUCCESS",
        "repository-name": web,
        "image-digest": image.digest,
        "action-type": "UPDATE_STORAGE_CLASS",
        "target-storage-class": target,
        "manifest-media-type": image.media_type,
        **more,
    }


@needs_archives
def test_into_the_archive_and_out_of_it(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = one()
    push(client, web, image, "v1")
    details(ecr)
    move(client, web, "ARCHIVE", imageTag="v1")
    move(client, web, "ARCHIVE", imageTag="v1")  # changes nothing
    assert details(ecr) == [moved(web, image, "ARCHIVE", **{"artifact-media-type": CONFIG})]
    move(client, web, "STANDARD", imageTag="v1")
    assert details(ecr) == []
    ecr.advance(20 * 60)
    (event,) = ecr.events
    assert event.detail == moved(
        web, image, "STANDARD", **{"artifact-media-type": CONFIG, "last-activated-at": "2019-11-16T02:14:34.250Z"}
    )
    assert event.envelope()["time"] == "2019-11-16T02:14:34Z"
    (shown,) = client.describe_images(repositoryName=web, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert shown["lastActivatedAt"].timestamp() == event.time


@needs_archives
def test_an_index_has_no_artifact_media_type(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    details(ecr)
    move(client, web, "ARCHIVE", imageTag="v1")
    assert details(ecr) == [moved(web, image, "ARCHIVE")]


@needs_archives
def test_a_restore_that_comes_to_nothing_is_no_event(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = one()
    for after in (
        lambda: move(client, web, "ARCHIVE", imageTag="v1"),
        lambda: client.batch_delete_image(repositoryName=web, imageIds=[{"imageTag": "v1"}]),
        lambda: client.put_image(repositoryName=web, imageManifest=image.text, imageTag="v1"),
        lambda: client.delete_repository(repositoryName=web, force=True),
    ):
        push(client, web, image, "v1")
        move(client, web, "ARCHIVE", imageTag="v1")
        move(client, web, "STANDARD", imageTag="v1")
        after()
        details(ecr)
        ecr.advance(20 * 60)
        assert ecr.events == ()


@needs_archives
def test_a_restored_image_is_announced_where_it_is(ecr: EcrEmulator) -> None:
    owner = ecr.client("eu-west-1", "210987654321")
    owner.create_repository(repositoryName="shop/web")
    push(owner, "shop/web", one(), "v1")
    move(owner, "shop/web", "ARCHIVE", imageTag="v1")
    move(owner, "shop/web", "STANDARD", imageTag="v1")
    ecr.advance(20 * 60)
    assert (ecr.events[-1].account, ecr.events[-1].region) == ("210987654321", "eu-west-1")
    assert ecr.events[-1].detail["target-storage-class"] == "STANDARD"


# --- The memory of them ---


def test_events_are_forgotten(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, one(), "v1")
    ecr.clear_events()
    assert ecr.events == ()


def test_no_two_events_have_an_id_in_common(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, sample_image(), "v1")
    assert len({event.id for event in ecr.events}) == 3
