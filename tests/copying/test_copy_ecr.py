"""Copies from one ECR repository to another: across accounts and Regions, within an account, within a repository."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from copies import Side, SignedImage, assert_complete, assert_there, copy, signed_image
from local_ecr import needs, needs_archives, needs_member

from ecr_provider.copying import Way
from ecr_provider.copying.progress import Lines
from ecr_provider.ecr.put_plan import Guard
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_artifact, sample_image
from ecr_provider.exceptions import (
    AccessDeniedError,
    PartialPutError,
    PreconditionFailedError,
    RepositoryNotFoundError,
    TagImmutableError,
)
from ecr_provider.oci import Digest
from ecr_provider.patience import Patience

knows_subjects = needs_member("ImageDetail", "subjectManifestDigest")


def puts(ecr: EcrEmulator, side: Side) -> list[str]:
    """Return what was put, in this order: tags, and digests where there was none."""
    return [
        request.parameters.get("imageTag", request.parameters["imageDigest"])
        for request in ecr.requests
        if (request.operation, request.parameters.get("repositoryName")) == ("PutImage", side.name)
    ]


# --- All of an image -----------------------------------------------------------------------------------------


def test_a_signed_image_arrives_with_every_byte_and_referrer(source: Side, target: Side, signed: SignedImage) -> None:
    result = copy(source, target, "build-42", "prod")
    assert_complete(target, signed, "prod")
    report = result.report()
    # The old image has the empty config, which each referrer has, too.
    assert (report["manifests"], report["referrers"], report["leftBehind"]) == (6, 3, 0)
    assert report["skipped"] == {"blobs": 1, "bytes": 2}
    assert report["streamed"] == {"blobs": len(signed.blobs) - 1, "bytes": signed.size - 2}
    assert (report["blobs"], report["bytes"]) == (len(signed.blobs), signed.size)


def test_parts_are_put_before_what_needs_them_and_the_tag_last(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage
) -> None:
    copy(source, target, "build-42", "prod")
    order = puts(ecr, target)
    at = {digest: position for position, digest in enumerate(order)}
    assert len(order) == len(signed.manifests) + 1
    assert order[-1] == "prod"
    assert max(at[child.digest] for child in signed.image.children) < at[signed.digest]
    assert all(at[subject] < at[referrer] for referrer, subject in signed.subjects.items())
    layers = [at for at, operation in enumerate(ecr.calls) if operation == "CompleteLayerUpload"]
    assert max(layers) < ecr.calls.index("PutImage")


@knows_subjects
def test_a_second_run_makes_three_calls_and_moves_nothing(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage
) -> None:
    copy(source, target, "build-42", "prod")
    ecr.clear_requests()
    report = copy(source, target, "build-42", "prod").report()
    assert ecr.calls == ["BatchGetImage", "DescribeImages", "BatchGetImage"]
    assert (report["blobs"], report["bytes"], report["manifests"], report["referrers"]) == (0, 0, 0, 3)
    assert_complete(target, signed, "prod")


def test_several_tags_are_put_last_and_only_where_they_have_to_move(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage
) -> None:
    copy(source, target, "build-42", "prod-2")
    ecr.clear_requests()
    copy(source, target, "build-42", "prod", "prod-2", "prod-3")
    assert puts(ecr, target) == ["prod", "prod-3"]
    assert "InitiateLayerUpload" not in ecr.calls
    assert_complete(target, signed, "prod", "prod-2", "prod-3")


def test_an_image_is_copied_by_digest_without_a_tag(source: Side, target: Side, signed: SignedImage, old: str) -> None:
    copy(source, target, signed.digest)
    assert_complete(target, signed)
    assert target.pointee("prod") == old
    listed = target.client.list_images(repositoryName=target.name, filter={"tagStatus": "TAGGED"})["imageIds"]
    assert [image.get("imageTag") for image in listed] == ["prod"]


@knows_subjects
def test_without_referrers_it_says_how_many_were_left_behind(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage
) -> None:
    told: list[str] = []
    report = copy(source, target, "build-42", "prod", include_referrers=False, watcher=Lines(told.append)).report()
    assert (report["referrers"], report["leftBehind"]) == (0, 2)  # the SBOM's signature is not looked for
    assert "2 referrers left behind" in told[0]
    assert_there(target, [signed.image.manifest, *signed.image.children], signed.image.blobs)
    assert target.subjects() == {}
    assert puts(ecr, target)[-1] == "prod"
    assert copy(source, target, "build-42", "prod").report()["manifests"] == 3
    assert_complete(target, signed, "prod")


def test_a_referrer_that_came_later_is_copied_though_the_tag_is_there(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage
) -> None:
    copy(source, target, "build-42", "prod")
    later = sample_artifact("application/vnd.in-toto+json", b"provenance", signed.image.children[1])
    push(source.client, source.name, later)
    ecr.clear_requests()
    report = copy(source, target, "build-42", "prod").report()
    assert puts(ecr, target) == [later.digest]
    assert report["streamed"] == {"blobs": 1, "bytes": len(b"provenance")}
    assert target.referrers(signed.image.children[1].digest) == [later.digest]


@knows_subjects
def test_a_caller_who_may_not_describe_images_lists_referrers_one_by_one(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage
) -> None:
    ecr.faults.fail("DescribeImages", "AccessDeniedException", times=9)
    copy(source, target, "build-42", "prod")
    assert_complete(target, signed, "prod")
    # At the source of all six manifests, at the target of the three that something refers to.
    calls = Counter((each.operation, each.parameters.get("repositoryName")) for each in ecr.requests)
    assert calls["DescribeImages", source.name] == 1
    assert calls["ListImageReferrers", source.name] == 6


# --- Guard ---------------------------------------------------------------------------------------------------


def test_a_guard_refuses_before_any_byte_moves(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage, old: str
) -> None:
    guard = Guard(Digest.parse(signed.image.children[0].digest))
    with pytest.raises(PreconditionFailedError) as caught:
        copy(source, target, "build-42", "prod", into={"guard": guard})
    assert caught.value.actual == old
    assert not {"InitiateLayerUpload", "PutImage"} & set(ecr.calls)
    assert target.pointee("prod") == old


def test_a_guard_refuses_in_the_end_if_another_writer_came_in_between(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage, old: str
) -> None:
    other = sample_artifact("text/plain", b"hotfix")

    def move() -> None:
        push(target.client, target.name, other, "prod")

    ecr.faults.after("PutImage", move, repository_name=target.name)
    with pytest.raises(PreconditionFailedError) as caught:
        copy(source, target, "build-42", "prod", into={"guard": Guard(Digest.parse(old))})
    assert caught.value.actual == other.digest
    assert target.pointee("prod") == other.digest
    assert_there(target, signed.manifests, signed.blobs)  # a second run would have little to do


# --- Within an account ---------------------------------------------------------------------------------------


@pytest.fixture
def neighbour(ecr: EcrEmulator, target: Side, old: str) -> Side:  # noqa: ARG001 - it is there before
    """Another repository of the target's account and Region, with the image."""
    target.client.create_repository(repositoryName="team/web")
    signed_image().push(target.client, "team/web", "build-42")
    ecr.clear_requests()
    return replace(target, name="team/web")


@needs("PutAccountSetting")
def test_a_neighbours_blobs_are_mounted(ecr: EcrEmulator, neighbour: Side, target: Side, old: str) -> None:
    target.client.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    report = copy(neighbour, target, "build-42", "prod").report()
    image = signed_image()
    assert report["mounted"]["blobs"] == len(image.blobs) - 1
    assert not {"GetObject", "UploadLayerPart", "InitiateLayerUpload", "GetDownloadUrlForLayer"} & set(ecr.calls)
    assert_complete(target, image, "prod")
    assert old in target.texts([old])


def test_a_mount_that_is_declined_becomes_a_stream(ecr: EcrEmulator, neighbour: Side, target: Side, old: str) -> None:
    report = copy(neighbour, target, "build-42", "prod").report()
    image = signed_image()
    calls = Counter(ecr.calls)
    assert report["streamed"] == {"blobs": len(image.blobs) - 1, "bytes": image.size - 2}
    assert calls["MountLayer"] == calls["InitiateLayerUpload"] == calls["GetObject"] == len(image.blobs) - 1
    assert_complete(target, image, "prod")
    assert old in target.texts([old])


def test_within_a_repository_only_the_tag_is_put(ecr: EcrEmulator, source: Side, signed: SignedImage) -> None:
    result = copy(source, source, "build-42", "prod")
    assert puts(ecr, source) == ["prod"]
    assert set(ecr.calls) <= {"BatchGetImage", "DescribeImages", "PutImage"}
    assert result.report()["blobs"] == 0
    assert_complete(source, signed, "prod", "build-42")


# --- Another account's registry ------------------------------------------------------------------------------


def allow(account_id: str) -> str:
    """Return a policy that lets an account do everything in a repository."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": "ecr:*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_into_another_accounts_repository_by_its_policy_and_with_a_guard_that_holds(
    ecr: EcrEmulator, target: Side, old: str
) -> None:
    other = Side.create(ecr, "team/web")
    signed = signed_image()
    signed.push(other.client, other.name, "build-42")
    target.client.set_repository_policy(repositoryName=target.name, policyText=allow(other.account_id))
    across = replace(other, name=target.name, registry_id=target.account_id)
    copy(other, across, "build-42", "prod", into={"guard": Guard(Digest.parse(old))})
    assert_complete(target, signed, "prod")


def test_another_account_without_a_policy_is_refused(ecr: EcrEmulator, target: Side, old: str) -> None:
    other = Side.create(ecr, "team/web")
    signed_image().push(other.client, other.name, "build-42")
    with pytest.raises(AccessDeniedError, match="not authorized to perform: ecr:BatchGetImage"):
        copy(other, replace(other, name=target.name, registry_id=target.account_id), "build-42", "prod")
    assert target.pointee("prod") == old


# --- Other kinds of images -----------------------------------------------------------------------------------


def test_dockers_media_types(source: Side, target: Side, signed: SignedImage) -> None:
    docker = signed_image("docker", media_types="docker")
    docker.push(source.client, source.name, "v1")
    copy(source, target, "v1", "prod")
    assert_complete(target, docker, "prod")
    assert docker.digest != signed.digest


CHART = sample_artifact("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")


@pytest.mark.parametrize("image", [sample_image(("linux/amd64",)), CHART], ids=["for one platform", "a chart"])
def test_a_single_manifest_comes_with_its_tag(source: Side, target: Side, image: SampleImage) -> None:
    push(source.client, source.name, image, "1.2.3")
    assert copy(source, target, "1.2.3", "1.2.3").report()["manifests"] == 0
    assert target.pointee("1.2.3") == image.digest
    assert_there(target, [image.manifest], image.blobs)


def with_layer(image: SampleImage, layer: dict[str, Any], blob: bytes | None = None) -> SampleImage:
    """Add a layer to an image for one platform."""
    manifest = json.loads(image.text)
    manifest["layers"].append(layer)
    changed = SampleManifest(json.dumps(manifest), image.media_type)
    blobs = dict(image.blobs) | ({} if blob is None else {layer["digest"]: blob})
    return replace(image, manifest=changed, blobs=blobs)


FOREIGN = {
    "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "digest": f"sha256:{'f' * 64}",
    "size": 123_456_789,
    "urls": ["https://go.microsoft.com/layer"],
}


def test_foreign_layers_are_left_where_they_are(ecr: EcrEmulator, source: Side, target: Side) -> None:
    windows = with_layer(sample_image(("windows/amd64",), media_types="docker"), FOREIGN)
    push(source.client, source.name, windows, "v1")
    ecr.clear_requests()
    result = copy(source, target, "v1", "prod")
    assert result.by(Way.FOREIGN) == {"blobs": 1, "bytes": 123_456_789}
    assert ecr.calls.count("GetObject") == len(windows.blobs)
    assert target.pointee("prod") == windows.digest
    assert_there(target, [windows.manifest], windows.blobs)


def test_an_image_of_more_blobs_than_one_call_may_ask_for(source: Side, target: Side) -> None:
    image = sample_image(("linux/amd64",))
    for number in range(101):
        blob = f"layer {number}".encode()
        artifact = sample_artifact("application/octet-stream", blob)
        image = with_layer(image, json.loads(artifact.text)["layers"][0], blob)
    push(source.client, source.name, image, "v1")
    copy(source, target, "v1", "prod", max_workers=8)
    assert_there(target, [image.manifest], image.blobs)


# --- What is wrong -------------------------------------------------------------------------------------------


def test_a_missing_repository(source: Side, target: Side, signed: SignedImage) -> None:
    with pytest.raises(RepositoryNotFoundError, match="shop/none"):
        copy(source, replace(target, name="shop/none"), "build-42", "prod")
    with pytest.raises(RepositoryNotFoundError, match="team/none"):
        copy(replace(source, name="team/none"), target, signed.digest, "prod")


def test_an_immutable_tag_of_another_image_stays(source: Side, target: Side, signed: SignedImage, old: str) -> None:
    target.client.put_image_tag_mutability(repositoryName=target.name, imageTagMutability="IMMUTABLE")
    with pytest.raises(TagImmutableError, match=old):
        copy(source, target, "build-42", "prod")
    assert target.pointee("prod") == old
    with pytest.raises(PartialPutError, match="immutable") as caught:
        copy(source, target, "build-42", "v1", "prod", "v2")
    assert (caught.value.put, caught.value.failed, caught.value.not_tried) == (("v1",), "prod", ("v2",))
    assert_complete(target, signed, "v1")
    copy(source, target, "build-42", "v1")  # the very image is no obstacle


@needs_archives
def test_an_archived_image_is_restored(source: Side, target: Side, signed: SignedImage) -> None:
    copy(source, target, "build-42", "prod")
    for manifest in (signed.image.manifest, *signed.image.children):
        target.client.update_image_storage_class(
            repositoryName=target.name, imageId={"imageDigest": manifest.digest}, targetStorageClass="ARCHIVE"
        )
    assert target.pointee("prod") is None
    copy(source, target, "build-42", "prod")
    assert_complete(target, signed, "prod")


def test_throttling_is_waited_out(ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage) -> None:
    ecr.switches.throttling = True
    ecr.limits.calls_per_second |= {"InitiateLayerUpload": 5, "UploadLayerPart": 4}
    copy(source, target, "build-42", "prod", patience=Patience(first_wait=0.1))
    assert throttled(ecr)["InitiateLayerUpload"]
    ecr.switches.throttling = False
    assert_complete(target, signed, "prod")


def test_many_manifests_are_put_no_faster_than_ecr_takes_them(ecr: EcrEmulator, source: Side, target: Side) -> None:
    image = sample_image([f"linux/arm/v{number}" for number in range(17)])
    push(source.client, source.name, image, "v1")
    ecr.clear_requests()
    ecr.switches.throttling = True
    copy(source, target, "v1", "prod")
    assert throttled(ecr)["PutImage"] <= 3  # of 18: they do not arrive as evenly as they leave
    ecr.switches.throttling = False
    assert_there(target, [image.manifest, *image.children], image.blobs)


def throttled(ecr: EcrEmulator) -> Counter[str]:
    return Counter(request.operation for request in ecr.requests if request.error_code == "ThrottlingException")


# --- What expires --------------------------------------------------------------------------------------------


def test_a_token_that_expires_on_the_way_is_replaced(
    ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage
) -> None:
    ecr.faults.before("InitiateLayerUpload", lambda: ecr.advance(13 * 3600), skip=3)
    copy(source, target, "build-42", "prod")
    assert ecr.calls.count("GetAuthorizationToken") == 4
    assert_complete(target, signed, "prod")


def test_a_token_that_is_about_to_expire_is_not_used() -> None:
    almost_half_a_day = 12 * 3600 - 60
    with EcrEmulator(clock=lambda: time.time() - almost_half_a_day) as ecr:
        source, target = Side.create(ecr, "team/web"), Side.create(ecr, "shop/web", "eu-west-1")
        image = sample_image(("linux/amd64",))
        push(source.client, source.name, image, "v1")
        copy(source, target, "v1", "prod")
        assert ecr.calls.count("GetAuthorizationToken") > 2 * len(image.blobs)
        assert target.pointee("prod") == image.digest


def test_an_address_of_a_layer_that_expired_is_asked_for_anew(ecr: EcrEmulator, source: Side, target: Side) -> None:
    image = signed_image(size=3_000_000)
    image.push(source.client, source.name, "v1")
    layer = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    ecr.clear_requests()
    ecr.faults.cut("GetObject", after_bytes=2_000_000)
    ecr.faults.before("GetDownloadUrlForLayer", lambda: ecr.advance(2 * 3600), skip=1)
    copy(source, target, "v1", "prod", max_workers=1)
    got = [each.parameters for each in ecr.requests if each.operation == "GetObject"]
    ranges = [each.get("Range") for each in got if each["layerDigest"] == layer]
    assert len(ranges) == 2
    assert ranges[1] != ranges[0] is None
    assert_complete(target, image, "prod")
