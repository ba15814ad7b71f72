"""Debian's registry, which nobody here wrote: whole images in and out, by Basic, by token, by TLS."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Certificate, self_signed
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from docker_registry import PASSWORD, USER, docker_registry
from http_server import Received, Reply, Server
from real_clients import needs_client

from ecr_provider.emulator.samples import SampleImage, sample_artifact, sample_image
from ecr_provider.exceptions import (
    RangeIgnoredError,
    RegistryAccessDeniedError,
    RegistryCallError,
    RegistryNotFoundError,
)
from ecr_provider.oci import Descriptor, Digest, parse_manifest
from ecr_provider.patience import Patience
from ecr_provider.registry.auth import ChallengedAuthorizer, Credentials
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.transport import Transport

pytestmark = needs_client("docker-registry")

Connect = Callable[..., Transport]

IMAGE = sample_image()


def as_user(password: str = PASSWORD) -> ChallengedAuthorizer:
    return ChallengedAuthorizer(Credentials(USER, password))


def upload(repository: RegistryRepository, content: bytes) -> Descriptor:
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    begun = repository.begin_upload(blob)
    assert begun
    begun.send(blob, iter([content[:10], content[10:]]))
    return blob


def push(repository: RegistryRepository, image: SampleImage, tag: str | None = None) -> None:
    for content in image.blobs.values():
        upload(repository, content)
    for child in image.children:
        repository.put_manifest(parse_manifest(child.text))
    repository.put_manifest(parse_manifest(image.text), tag)


def all_of(repository: RegistryRepository, blob: Descriptor, start: int = 0, stop: int | None = None) -> bytes:
    download = repository.download(blob, start, stop)
    content = b"".join(iter(lambda: download.read(1000), b""))
    download.close()
    return content


# --- For anybody ---


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def anybody(host: str, connect: Connect, request: pytest.FixtureRequest) -> RegistryRepository:
    """A repository of this test's own."""
    return RegistryRepository(connect(host), f"shop/{request.node.name.lower()[:60]}")


def test_an_image_goes_in_and_out(anybody: RegistryRepository) -> None:
    push(anybody, IMAGE, "v1")
    assert anybody.manifest("v1").text == IMAGE.text
    assert anybody.digest_of("v1") == Digest.parse(IMAGE.digest)
    for child in IMAGE.children:
        assert anybody.manifest(Digest.parse(child.digest)).text == child.text
    for digest, content in IMAGE.blobs.items():
        blob = Descriptor("application/octet-stream", Digest.parse(digest), len(content))
        assert anybody.has_blob(blob)
        assert all_of(anybody, blob) == content


def test_what_is_not_there(anybody: RegistryRepository) -> None:
    blob = Descriptor("application/octet-stream", Digest.of(b"none"), 4)
    assert not anybody.has_blob(blob)
    assert anybody.digest_of("v1") is None
    assert anybody.referrers(blob.digest) == ()
    with pytest.raises(RegistryNotFoundError):
        anybody.manifest("v1")
    with pytest.raises(RegistryNotFoundError):
        anybody.download(blob)


def test_a_part_of_a_blob(anybody: RegistryRepository) -> None:
    content = bytes(range(256)) * 100
    blob = upload(anybody, content)
    assert all_of(anybody, blob, 1000) == content[1000:]
    assert all_of(anybody, blob, 1000, 2000) == content[1000:2000]
    with pytest.raises(RegistryCallError) as caught:
        anybody.download(blob, len(content))
    assert not isinstance(caught.value, RangeIgnoredError)
    assert caught.value.status == 416


def test_other_bytes_than_the_digest_are_refused(anybody: RegistryRepository) -> None:
    blob = Descriptor("application/octet-stream", Digest.of(b"content"), 7)
    begun = anybody.begin_upload(blob)
    assert begun
    with pytest.raises(RegistryCallError, match="DIGEST_INVALID"):
        begun.send(blob, [b"CONTENT"])
    assert not anybody.has_blob(blob)


def test_an_upload_that_breaks_off_leaves_nothing(anybody: RegistryRepository) -> None:
    blob = Descriptor("application/octet-stream", Digest.of(b"content"), 7)

    def broken() -> Iterator[bytes]:
        yield b"cont"
        raise RegistryNotFoundError("the source is gone", operation="GET")

    begun = anybody.begin_upload(blob)
    assert begun
    with pytest.raises(RegistryNotFoundError, match="the source is gone"):
        begun.send(blob, broken())
    begun.cancel()
    assert not anybody.has_blob(blob)
    assert upload(anybody, b"content") == blob


def test_a_blob_of_no_bytes(anybody: RegistryRepository) -> None:
    assert anybody.has_blob(upload(anybody, b""))


def test_a_mount(anybody: RegistryRepository, connect: Connect, host: str) -> None:
    blob = upload(anybody, b"layer")
    other = RegistryRepository(connect(host), f"{anybody.name}/other")
    assert not other.has_blob(blob)
    assert other.begin_upload(blob, anybody.name) is None
    assert other.has_blob(blob)
    missing = Descriptor("application/octet-stream", Digest.of(b"missing"), 7)
    begun = other.begin_upload(missing, anybody.name)
    assert begun
    begun.send(missing, [b"missing"])
    assert other.has_blob(missing)


def test_a_manifest_that_lacks_its_blobs_is_refused(anybody: RegistryRepository) -> None:
    with pytest.raises(RegistryCallError, match="BLOB_UNKNOWN"):
        anybody.put_manifest(parse_manifest(IMAGE.children[0].text))


def test_referrers_are_kept_in_a_tag(anybody: RegistryRepository) -> None:
    push(anybody, IMAGE, "v1")
    subject = Digest.parse(IMAGE.digest)
    for number in range(3):
        artifact = sample_artifact("application/spdx+json", b"%d" % number, IMAGE)
        push(anybody, artifact)
        anybody.add_referrer(subject, parse_manifest(artifact.text))
    assert len(anybody.referrers(subject)) == 3
    assert {each.artifact_type for each in anybody.referrers(subject)} == {"application/spdx+json"}


# --- For one user ---


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry"), with_password=True) as running:
        yield running


def test_a_name_and_a_password(guarded: str, connect: Connect) -> None:
    repository = RegistryRepository(connect(guarded, authorizer=as_user()), "shop/web")
    push(repository, IMAGE, "v1")
    assert repository.manifest("v1").text == IMAGE.text


@pytest.mark.parametrize("authorizer", [ChallengedAuthorizer(), as_user("wrong")], ids=["nobody", "wrong"])
def test_nobody_else(guarded: str, connect: Connect, authorizer: ChallengedAuthorizer) -> None:
    repository = RegistryRepository(connect(guarded, authorizer=authorizer), "shop/web")
    with pytest.raises(RegistryAccessDeniedError, match="Check the credentials"):
        repository.manifest("v1")
    with pytest.raises(RegistryAccessDeniedError):
        upload(repository, b"layer")


# --- By TLS ---


def test_tls(tmp_path: Path, connect: Connect) -> None:
    certificate = self_signed(tmp_path)
    with docker_registry(tmp_path, certificate=certificate, with_password=True) as running:
        here = f"https://{running}"
        transport = connect("registry.test", connect_to=here, verify=str(certificate.path), authorizer=as_user())
        repository = RegistryRepository(transport, "shop/web")
        push(repository, IMAGE, "v1")
        assert repository.manifest("v1").text == IMAGE.text
        with pytest.raises(RegistryCallError, match="certificate"):
            RegistryRepository(connect("registry.test", connect_to=here), "shop/web").manifest("v1")


# --- By token ---


class TokenService:
    """A token service that the registry trusts: distribution's "Token Authentication Implementation"."""

    def __init__(self, certificate: Certificate) -> None:
        key = load_pem_private_key(certificate.key_path.read_bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        self._key = key
        self._certificate = load_pem_x509_certificate(certificate.path.read_bytes())
        self.asked: list[tuple[list[str], str | None]] = []

    def give(self, received: Received) -> Reply:
        scopes = [value for name, value in received.query if name == "scope"]
        self.asked.append((scopes, received.authorization))
        return Reply(body=json.dumps({"token": self._signed(scopes), "expires_in": 60}).encode())

    def _signed(self, scopes: list[str]) -> str:
        now = int(time.time())
        chain = base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()
        claims = {
            "iss": "tests",
            "sub": USER,
            "aud": "registry",
            "exp": now + 60,
            "nbf": now - 10,
            "iat": now - 10,
            "jti": str(len(self.asked)),
            "access": [
                {"type": kind, "name": name, "actions": actions.split(",")}
                for kind, name, actions in (scope.split(":") for scope in scopes)
            ],
        }
        signed = b".".join(map(_encoded_json, ({"typ": "JWT", "alg": "ES256", "x5c": [chain]}, claims)))
        r, s = decode_dss_signature(self._key.sign(signed, ECDSA(SHA256())))
        return b".".join((signed, _encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big")))).decode()


def _encoded_json(value: object) -> bytes:
    return _encoded(json.dumps(value).encode())


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def test_tokens(tmp_path: Path, connect: Connect, elsewhere: Server) -> None:
    certificate = self_signed(tmp_path)
    service = TokenService(certificate)
    elsewhere.on("GET", "/token", service.give)
    realm = {"realm": f"{elsewhere.origin}/token", "service": "registry", "issuer": "tests"}
    auth = {"token": {**realm, "rootcertbundle": str(certificate.path)}}
    with docker_registry(tmp_path, auth=auth) as running:
        transport = connect(running, authorizer=as_user(), patience=Patience(tries=2, first_wait=0.01))
        repository = RegistryRepository(transport, "shop/web")
        push(repository, IMAGE, "v1")
        assert repository.manifest("v1").text == IMAGE.text
        blob = upload(repository, b"layer")
        assert RegistryRepository(transport, "shop/other").begin_upload(blob, "shop/web") is None
    assert [scopes for scopes, _ in service.asked] == [
        ["repository:shop/web:pull,push"],
        ["repository:shop/web:pull"],
        ["repository:shop/other:pull,push", "repository:shop/web:pull"],
    ]
    assert {authorization for _, authorization in service.asked} == {as_user()._credentials.basic}  # type: ignore[union-attr]
