"""Copies between registries that know nothing of ECR, and between them and ECR; read back by skopeo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from copies import SIGNATURE, Side, SignedImage, assert_complete, assert_there, quick, signed_image
from docker_registry import PASSWORD, USER, docker_registry
from http_connection import Answer, Connection
from local_ecr import needs_member
from real_clients import contents_of, needs_client, run, write_directory
from registry_client import credentials_of, digest_of

from ecr_provider.copying import CopyResult, Way, copy_image
from ecr_provider.copying.ecr import EcrImages
from ecr_provider.copying.registries import RegistryImages
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, SampleManifest, sample_artifact, sample_image
from ecr_provider.exceptions import RegistryAccessDeniedError, RegistryCallError, RegistryNotFoundError
from ecr_provider.oci import Digest
from ecr_provider.registry.auth import Credentials

pytestmark = [needs_client("docker-registry"), needs_client("skopeo")]

INDEX = "application/vnd.oci.image.index.v1+json"
NAME = "team/web"


@dataclass(frozen=True)
class Registry:
    """A registry, without the end point for referrers: they are listed in a tag."""

    host: str
    folder: Path

    def images(self, name: str = NAME, credentials: Credentials | None = None) -> RegistryImages:
        return RegistryImages.at(self.host, name, quick(), credentials)

    def push(self, image: SampleImage, tag: str | None = None) -> None:
        """Push an image."""
        for digest, blob in image.blobs.items():
            begun = self.ask("POST", f"/v2/{NAME}/blobs/uploads/").headers["Location"]
            assert self.ask("PUT", f"{begun}&digest={digest}", blob).status == 201
        for child in image.children:
            self.put(child)
        self.put(image.manifest, tag)

    def push_signed(self, signed: SignedImage, tag: str) -> None:
        """Push a signed image, with a tag for each subject that lists what refers to it."""
        self.push(signed.image, tag)
        for referrer in signed.referrers:
            self.push(referrer)
            size = len(referrer.text)
            described = {"mediaType": referrer.media_type, "digest": referrer.digest, "size": size}
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}
            self.put(SampleManifest(json.dumps(index), INDEX), referrers_tag(signed.subjects[referrer.digest]))

    def put(self, manifest: SampleManifest, tag: str | None = None) -> None:
        headers = {"Content-Type": manifest.media_type}
        path = f"/v2/{NAME}/manifests/{tag or manifest.digest}"
        assert self.ask("PUT", path, manifest.text.encode(), headers).status == 201

    def listed(self, subject: str) -> list[str]:
        """Return what the referrers tag of a manifest lists."""
        answer = self.ask("GET", f"/v2/{NAME}/manifests/{referrers_tag(subject)}", headers={"Accept": INDEX})
        return [each["digest"] for each in answer.json["manifests"]] if answer.status == 200 else []

    def read(self, digest: str) -> bytes:
        """Read a manifest by skopeo."""
        return run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.host}/{NAME}@{digest}").encode()

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        with closing(Connection(f"http://{self.host}")) as connection:
            return connection.send(method, path, body, headers)

    def assert_complete(self, signed: SignedImage, tag: str) -> None:
        """Have skopeo read everything back."""
        self.assert_there(signed.image, tag)
        for referrer in signed.referrers:
            assert digest_of(self.read(referrer.digest)) == referrer.digest
            for digest, blob in referrer.blobs.items():
                assert self.ask("GET", f"/v2/{NAME}/blobs/{digest}").body == blob
        listed = {referrer: subject for subject in signed.subjects.values() for referrer in self.listed(subject)}
        assert listed == signed.subjects

    def assert_there(self, image: SampleImage, tag: str) -> None:
        """Have skopeo copy an image to a folder, and compare."""
        back, expected = self.folder / "back", self.folder / "expected"
        there = f"docker://{self.host}/{NAME}:{tag}"
        run("skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false", there, f"dir:{back}")
        write_directory(expected, image)
        assert contents_of(back) == contents_of(expected)


def referrers_tag(subject: str) -> str:
    return subject.replace(":", "-")


def copy(source: RegistryImages | EcrImages, target: RegistryImages | EcrImages, *tags: str, **more: Any) -> CopyResult:
    return copy_image(source, target, source.manifest("v1"), tags, patience=quick(), **more)


@pytest.fixture
def signed() -> SignedImage:
    return signed_image()


@pytest.fixture
def registry(tmp_path: Path, signed: SignedImage) -> Iterator[Registry]:
    """A registry with a signed image, ``v1``."""
    (folder := tmp_path / "registry").mkdir()
    with docker_registry(folder) as host:
        made = Registry(host, folder)
        made.push_signed(signed, "v1")
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Registry]:
    """Another one, with nothing in it."""
    (folder := tmp_path / "other").mkdir()
    with docker_registry(folder) as host:
        yield Registry(host, folder)


# --- From one registry to another ----------------------------------------------------------------------------


def test_a_signed_image_arrives_with_every_byte_and_referrer(
    registry: Registry, other: Registry, signed: SignedImage
) -> None:
    report = copy(registry.images(), other.images(), "v1", "latest").report()
    other.assert_complete(signed, "v1")
    tags = {"v1", "latest", *map(referrers_tag, signed.subjects.values())}
    assert set(other.ask("GET", f"/v2/{NAME}/tags/list").json["tags"]) == tags
    assert report["streamed"] == {"blobs": len(signed.blobs), "bytes": signed.size}
    again = copy(registry.images(), other.images(), "v1", "latest").report()
    assert (again["blobs"], again["manifests"], again["referrers"]) == (0, 0, 3)


def test_dockers_media_types(registry: Registry, other: Registry) -> None:
    docker = sample_image(media_types="docker", files={"name": b"docker"})
    registry.push(docker, "v1")
    copy(registry.images(), other.images(), "v1")
    other.assert_there(docker, "v1")


def test_a_referrer_that_the_target_has_already_stays_listed(
    registry: Registry, other: Registry, signed: SignedImage
) -> None:
    copy(registry.images(), other.images(), "v1", include_referrers=False)
    theirs = sample_artifact(SIGNATURE, b"their own", signed.image)
    other.push_signed(SignedImage(signed.image, (theirs,), {theirs.digest: signed.digest}), "v1")
    copy(registry.images(), other.images(), "v1")
    assert sorted(other.listed(signed.digest)) == sorted([theirs.digest, signed.referrers[0].digest])


def test_a_referrer_that_is_copied_by_a_tag_is_listed_too(
    registry: Registry, other: Registry, signed: SignedImage
) -> None:
    digest, subject = next(iter(signed.subjects.items()))
    source = registry.images()
    signature = source.manifest(Digest.parse(digest))
    copy_image(source, other.images(), signature, ["signature"], include_referrers=False, patience=quick())
    assert other.listed(subject) == [digest]


def test_within_a_registry_blobs_are_mounted(registry: Registry, signed: SignedImage) -> None:
    result = copy(registry.images(), registry.images("shop/web"), "prod")
    assert result.by(Way.MOUNTED) == {"blobs": len(signed.blobs), "bytes": signed.size}
    assert result.by(Way.STREAMED)["blobs"] == 0
    path = f"docker://{registry.host}/shop/web:prod"
    assert run("skopeo", "inspect", "--raw", "--tls-verify=false", path) == signed.image.text


def test_a_registry_with_a_password(registry: Registry, tmp_path: Path, signed: SignedImage) -> None:
    (folder := tmp_path / "locked").mkdir()
    with docker_registry(folder, with_password=True) as host:
        locked = Registry(host, folder)
        copy(registry.images(), locked.images(credentials=Credentials(USER, PASSWORD)), "v1")
        options = ("--tls-verify=false", "--creds", f"{USER}:{PASSWORD}")
        assert run("skopeo", "inspect", "--raw", *options, f"docker://{host}/{NAME}:v1") == signed.image.text
        with pytest.raises(RegistryAccessDeniedError, match="HTTP 401"):
            locked.images().manifest("v1")


def test_what_is_not_there(registry: Registry) -> None:
    with pytest.raises(RegistryNotFoundError, match=f"{NAME}:v2"):
        registry.images().manifest("v2")
    with pytest.raises(RegistryNotFoundError, match="team/none:v1"):
        registry.images("team/none").manifest("v1")


# --- Into ECR, and out of it ---------------------------------------------------------------------------------


def place(side: Side) -> EcrImages:
    return side.images(quick())


def test_from_a_registry_into_ecr(registry: Registry, target: Side, signed: SignedImage) -> None:
    copy(registry.images(), place(target), "prod")
    assert_complete(target, signed, "prod")


def test_from_ecr_into_a_registry(source: Side, other: Registry, signed: SignedImage) -> None:
    signed.push(source.client, source.name, "v1")
    copy(place(source), other.images(), "v1")
    other.assert_complete(signed, "v1")


def test_ecr_as_any_other_registry(ecr: EcrEmulator, source: Side, target: Side, signed: SignedImage) -> None:
    """By the registry's HTTP API alone, with its list of referrers, and layers that are elsewhere."""
    signed.push(source.client, source.name, "v1")
    host = ecr.endpoint_url.removeprefix("http://")
    theirs, ours = (
        RegistryImages.at(host, side.name, quick(), Credentials(*credentials_of(side.client).split(":")))
        for side in (source, target)
    )
    ecr.clear_requests()
    assert copy(theirs, ours, "prod").report()["referrers"] == 3
    assert {request.endpoint for request in ecr.requests} == {"registry", "downloads"}
    assert_complete(target, signed, "prod")
    assert copy(theirs, ours, "prod").report()["manifests"] == 0


def test_a_layer_without_bytes_is_refused_by_ecr_and_that_is_said(registry: Registry, target: Side, old: str) -> None:
    empty = sample_artifact("text/plain", b"")
    registry.push(empty, "v1")
    with pytest.raises(RegistryCallError, match=r"contains no layer parts|EmptyUpload") as caught:
        copy(registry.images(), place(target), "prod")
    assert not caught.value.retryable
    assert target.pointee("prod") == old


def test_a_layer_without_bytes_goes_from_registry_to_registry(registry: Registry, other: Registry) -> None:
    empty = sample_artifact("text/plain", b"")
    registry.push(empty, "v1")
    copy(registry.images(), other.images(), "v1")
    assert digest_of(other.read(empty.digest)) == empty.digest
    assert other.ask("GET", f"/v2/{NAME}/blobs/{digest_of(b'')}").status == 200


# --- Against skopeo, request by request ----------------------------------------------------------------------


def skopeo_copy(source: str, target: str, home: Path, *options: str) -> None:
    """Copy as skopeo does that knows nothing of the blobs yet."""
    plain = ("--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false")
    home.mkdir()
    environment = {"HOME": str(home), "XDG_DATA_HOME": str(home)}
    run("skopeo", "--insecure-policy", "copy", *plain, *options, source, target, env=environment)


@needs_member("ImageDetail", "subjectManifestDigest")
def test_into_ecr_it_takes_no_more_requests_than_skopeo(
    ecr: EcrEmulator, registry: Registry, target: Side, signed: SignedImage, tmp_path: Path
) -> None:
    by_skopeo = Side.create(ecr, "shop/by-skopeo")
    ecr.clear_requests()
    to = f"docker://{ecr.endpoint_url.removeprefix('http://')}/{by_skopeo.name}:v1"
    login = ("--dest-creds", credentials_of(by_skopeo.client))
    skopeo_copy(f"docker://{registry.host}/{NAME}:v1", to, tmp_path / "home", *login)
    theirs = len(ecr.requests)
    ecr.clear_requests()
    copy(registry.images(), place(target), "v1", include_referrers=False)
    assert len(ecr.requests) <= theirs
    for side in (target, by_skopeo):
        assert side.pointee("v1") == signed.digest
        assert_there(side, [signed.image.manifest, *signed.image.children], signed.image.blobs)


@needs_member("ImageDetail", "subjectManifestDigest")
def test_out_of_ecr_it_takes_no_more_requests_than_skopeo(
    ecr: EcrEmulator, source: Side, other: Registry, signed: SignedImage, tmp_path: Path
) -> None:
    signed.push(source.client, source.name, "v1")
    ecr.clear_requests()
    of = f"docker://{ecr.endpoint_url.removeprefix('http://')}/{source.name}:v1"
    login = ("--src-creds", credentials_of(source.client))
    skopeo_copy(of, f"docker://{other.host}/by/skopeo:v1", tmp_path / "home", *login)
    theirs = len(ecr.requests)
    ecr.clear_requests()
    copy(place(source), other.images(), "v1", include_referrers=False)
    assert len(ecr.requests) <= theirs
    other.assert_there(signed.image, "v1")
