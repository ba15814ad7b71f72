"""Manifests by tag and by digest, byte for byte, and verified."""

from __future__ import annotations

import pytest
from http_server import Reply, Server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registry_client import RegistryClient, credentials_of
from strategies import manifests

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image
from ecr_provider.exceptions import (
    DigestMismatchError,
    InvalidManifestError,
    RegistryCallError,
    RegistryNotFoundError,
)
from ecr_provider.oci import Digest, parse_manifest
from ecr_provider.oci.media_types import MANIFEST_TYPES
from ecr_provider.patience import Patience
from ecr_provider.registry.auth import ChallengedAuthorizer, Credentials
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.transport import Transport

IMAGE = sample_image(platforms=["linux/amd64"])
MANIFEST = parse_manifest(IMAGE.text)
OTHER = parse_manifest(IMAGE.text + "\n")
PATH = "/v2/shop/web/manifests"


def shown(manifest_text: str = IMAGE.text, digest: str | None = IMAGE.digest, media_type: str | None = None) -> Reply:
    headers = {"Content-Type": media_type or IMAGE.media_type}
    return Reply(body=manifest_text.encode(), headers=headers | ({"Docker-Content-Digest": digest} if digest else {}))


# --- Reading ---


def test_a_manifest_by_tag(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", f"{PATH}/v1", shown())
    assert repository.manifest("v1") == MANIFEST
    assert server.requests[0].headers["Accept"].split(", ") == list(MANIFEST_TYPES)


def test_a_manifest_by_digest(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", f"{PATH}/{MANIFEST.digest}", shown(digest=None))
    assert repository.manifest(MANIFEST.digest).raw == IMAGE.text.encode()


@given(text=manifests(), says_type=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_a_manifest_keeps_its_bytes(server: Server, repository: RegistryRepository, text: str, says_type: bool) -> None:
    manifest = parse_manifest(text)
    media_type = f"{manifest.media_type}; charset=utf-8" if says_type else "text/plain"
    server.on("GET", f"{PATH}/v1", shown(text, str(manifest.digest), media_type))
    assert repository.manifest("v1").raw == text.encode()


def test_other_bytes_than_the_digest_that_was_asked_for(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", f"{PATH}/{MANIFEST.digest}", shown(OTHER.text, IMAGE.digest))
    with pytest.raises(DigestMismatchError, match="Do not deploy") as caught:
        repository.manifest(MANIFEST.digest)
    assert (caught.value.expected, caught.value.actual) == (IMAGE.digest, str(OTHER.digest))
    assert not caught.value.retryable


def test_other_bytes_than_the_digest_that_is_told(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", f"{PATH}/v1", shown(OTHER.text, IMAGE.digest))
    with pytest.raises(DigestMismatchError):
        repository.manifest("v1")


def test_a_digest_that_is_told_does_not_stand_in_for_the_one_that_was_asked_for(
    server: Server, repository: RegistryRepository
) -> None:
    server.on("GET", f"{PATH}/{MANIFEST.digest}", shown(OTHER.text, str(OTHER.digest)))
    with pytest.raises(DigestMismatchError):
        repository.manifest(MANIFEST.digest)


def test_a_type_that_the_manifest_contradicts(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", f"{PATH}/v1", shown(media_type="application/vnd.oci.image.index.v1+json"))
    with pytest.raises(InvalidManifestError):
        repository.manifest("v1")


@pytest.mark.parametrize("body", ["", "<html>", "{}", '{"schemaVersion":1}', "x" * (4 * 1024 * 1024 + 1)])
def test_what_is_no_manifest(server: Server, repository: RegistryRepository, body: str) -> None:
    server.on("GET", f"{PATH}/v1", shown(body, None, "text/html"))
    with pytest.raises(InvalidManifestError):
        repository.manifest("v1")


def test_a_tag_that_is_not_there(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", f"{PATH}/v1", Reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"none"}]}'))
    with pytest.raises(RegistryNotFoundError, match=r"shop/web:v1 failed: MANIFEST_UNKNOWN"):
        repository.manifest("v1")


# --- Asking for the digest alone ---


def test_the_digest_of_a_tag_takes_no_body(server: Server, repository: RegistryRepository) -> None:
    server.on("HEAD", f"{PATH}/v1", shown())
    assert repository.digest_of("v1") == MANIFEST.digest
    assert [each.method for each in server.requests] == ["HEAD"]


def test_a_registry_that_does_not_tell_the_digest_is_asked_for_the_manifest(
    server: Server, repository: RegistryRepository
) -> None:
    server.on("HEAD", f"{PATH}/v1", shown(digest=None))
    server.on("GET", f"{PATH}/v1", shown(digest=None))
    assert repository.digest_of("v1") == MANIFEST.digest


@pytest.mark.parametrize("reference", ["v1", MANIFEST.digest])
def test_what_is_not_there_has_no_digest(repository: RegistryRepository, reference: str | Digest) -> None:
    assert repository.digest_of(reference) is None


def test_a_digest_that_is_none(server: Server, repository: RegistryRepository) -> None:
    server.on("HEAD", f"{PATH}/v1", shown(digest="sha256:short"))
    with pytest.raises((RegistryCallError, InvalidManifestError, ValueError)):
        repository.digest_of("v1")


# --- Putting ---


def test_a_manifest_is_put_byte_for_byte(server: Server, repository: RegistryRepository) -> None:
    server.on("PUT", f"{PATH}/v1", Reply(201, headers={"Docker-Content-Digest": str(OTHER.digest)}))
    assert repository.put_manifest(OTHER, "v1") is False
    (seen,) = server.requests
    assert seen.body == OTHER.raw
    assert seen.headers["Content-Type"] == OTHER.media_type


def test_a_manifest_without_a_tag_is_put_by_its_digest(server: Server, repository: RegistryRepository) -> None:
    server.on("PUT", f"{PATH}/{OTHER.digest}", Reply(201, headers={"OCI-Subject": IMAGE.digest}))
    assert repository.put_manifest(OTHER) is True


def test_a_put_that_is_lost_is_tried_again(server: Server, repository: RegistryRepository) -> None:
    server.on("PUT", f"{PATH}/v1", Reply(cut=0), Reply(503), Reply(201))
    repository.put_manifest(OTHER, "v1")
    assert [each.body for each in server.requests] == [OTHER.raw] * 3


def test_a_registry_that_stored_something_else(server: Server, repository: RegistryRepository) -> None:
    server.on("PUT", f"{PATH}/v1", Reply(201, headers={"Docker-Content-Digest": IMAGE.digest}))
    with pytest.raises(DigestMismatchError):
        repository.put_manifest(OTHER, "v1")


# --- ECR's dialect ---


@pytest.fixture
def at_ecr(ecr: EcrEmulator) -> RegistryRepository:
    """``shop/web`` of the emulator."""
    username, _, password = credentials_of(ecr.client()).partition(":")
    authorizer = ChallengedAuthorizer(Credentials(username, password))
    host = ecr.endpoint_url.removeprefix("http://")
    return RegistryRepository(Transport(host, authorizer, Patience(tries=4, first_wait=0.001)), "shop/web")


def test_a_manifest_goes_to_ecr_and_back(ecr: EcrEmulator, at_ecr: RegistryRepository) -> None:
    push(ecr.client(), "shop/web", IMAGE, "v1")
    manifest = at_ecr.manifest("v1")
    assert manifest.raw == IMAGE.text.encode()
    at_ecr.put_manifest(manifest, "v2")
    assert at_ecr.digest_of("v2") == at_ecr.digest_of("v1") == manifest.digest
    assert at_ecr.digest_of(Digest.of(b"other")) is None
    assert at_ecr.digest_of("v3") is None


def test_a_repository_that_ecr_does_not_have(ecr: EcrEmulator) -> None:
    transport = Transport(
        ecr.endpoint_url.removeprefix("http://"),
        ChallengedAuthorizer(Credentials(*credentials_of(ecr.client()).split(":", 1))),
        Patience(tries=2, first_wait=0.001),
    )
    with pytest.raises(RegistryNotFoundError, match="NAME_UNKNOWN"):
        RegistryRepository(transport, "other").manifest("v1")


def test_what_ecr_harms_is_noticed(ecr: EcrEmulator, at_ecr: RegistryRepository) -> None:
    push(ecr.client(), "shop/web", IMAGE, "v1")
    ecr.faults.cut("BatchGetImage", after_bytes=20)
    assert at_ecr.manifest("v1") == MANIFEST
    ecr.faults.corrupt("BatchGetImage")
    with pytest.raises(DigestMismatchError):
        at_ecr.manifest("v1")
    ecr.faults.lose("PutImage")
    at_ecr.put_manifest(OTHER, "v2")
    assert at_ecr.digest_of("v2") == OTHER.digest


def test_ecr_lists_referrers(ecr: EcrEmulator, at_ecr: RegistryRepository) -> None:
    push(ecr.client(), "shop/web", IMAGE, "v1")
    made = [sample_artifact("application/spdx+json", f"{number}".encode(), IMAGE) for number in range(3)]
    client = RegistryClient.of(ecr)
    for each in made:
        for blob in each.blobs.values():
            client.upload("shop/web", blob)
        assert at_ecr.put_manifest(parse_manifest(each.text)) is True
    client.close()
    listed = at_ecr.referrers(MANIFEST.digest)
    assert {str(each.digest) for each in listed} == {each.digest for each in made}
    assert {each.artifact_type for each in listed} == {"application/spdx+json"}
