"""What an image is made of, read from the local ECR: all that can be read, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import strategies  # noqa: F401 - no deadlines
from emulator_calls import ONCE, ZEROS
from hypothesis import given
from local_ecr import REPOSITORY, needs, needs_archives
from old_botocore import client_without
from strategies import json_values

from ecr_provider.copying.ecr import EcrImages
from ecr_provider.copying.protocols import Download
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_artifact, sample_image
from ecr_provider.exceptions import EcrProviderError, ImageInaccessibleError, ImageNotFoundError
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.oci import media_types as types
from ecr_provider.patience import Patience
from ecr_provider.ui.anatomy import _LARGEST_CONFIG, Anatomist, Node, _facts_in
from ecr_provider.ui.json import plain

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Read = Callable[[str], Node]
SECRET = "canary-4f1a"
CONFIG: dict[str, Any] = {
    "os": "linux",
    "architecture": "arm64",
    "variant": "v8",
    "created": "2026-11-23T12:00:00Z",
    "author": SECRET,
    "config": {
        "Env": [f"TOKEN={SECRET}"],
        "Cmd": ["run", SECRET],
        "Entrypoint": [SECRET],
        "Labels": {"org.opencontainers.image.revision": "4f1a", "count": 3, "flag": True, "none": None},
    },
    "history": [{"created_by": f"RUN curl -H {SECRET}", "comment": SECRET}],
}


def described(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content), **more}


def image_with(config: bytes, media_type: str = types.OCI_IMAGE_CONFIG, **members: Any) -> SampleImage:
    """Make an image of one layer with this config."""
    layer = b"layer"
    text = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": types.OCI_IMAGE_MANIFEST,
            "config": described(media_type, config),
            "layers": [described(types.OCI_LAYER_GZIP, layer)],
            **members,
        }
    )
    blobs = {str(Digest.of(blob)): blob for blob in (config, layer)}
    return SampleImage(SampleManifest(text, types.OCI_IMAGE_MANIFEST), (), blobs)


def index_with(*children: SampleManifest | dict[str, Any]) -> SampleImage:
    """Make an index over manifests that are pushed already."""
    named = [
        described(each.media_type, each.text.encode()) if isinstance(each, SampleManifest) else each
        for each in children
    ]
    text = json.dumps({"schemaVersion": 2, "mediaType": types.OCI_IMAGE_INDEX, "manifests": named})
    return SampleImage(SampleManifest(text, types.OCI_IMAGE_INDEX), (), {})


@pytest.fixture
def images(ecr: EcrEmulator) -> Iterator[EcrImages]:
    """The repository as the Image tab opens it, by a client that tries once."""
    repository = EcrRepository(ecr.client(config=ONCE), REPOSITORY)
    with closing(EcrImages(repository, Patience(tries=1))) as found:
        yield found


@pytest.fixture
def read(images: EcrImages) -> Read:
    return lambda digest: Anatomist(images.repository, images.download).read(Digest.parse(digest))


# --- What there is ---------------------------------------------------------------------------------------------------


def test_an_index_is_its_platforms(ecr: EcrEmulator, client: ECRClient, read: Read) -> None:
    image = sample_image(annotations={"org.opencontainers.image.version": "1.2.3"})
    node = read(push(client, REPOSITORY, image))
    assert (str(node.digest), node.media_type, node.size) == (image.digest, image.media_type, len(image.text))
    assert (node.platform, node.layers, node.problem) == (None, (), None)
    assert node.annotations == {"org.opencontainers.image.version": "1.2.3"}
    assert [(each.platform, len(each.layers), each.problem) for each in node.manifests] == [
        ("linux/amd64", 2, None),
        ("linux/arm64", 2, None),
    ]
    assert {each.created for each in node.manifests} == {"1970-01-01T00:00:00Z"}
    assert ecr.calls.count("BatchGetImage") == 2


def test_a_single_image_says_by_its_config_what_it_is_for(client: ECRClient, read: Read) -> None:
    node = read(push(client, REPOSITORY, image_with(json.dumps(CONFIG).encode(), annotations={"a": "b"})))
    assert (node.platform, node.created, node.annotations) == ("linux/arm64/v8", "2026-11-23T12:00:00Z", {"a": "b"})
    assert [(each.media_type, each.size) for each in node.layers] == [(types.OCI_LAYER_GZIP, 5)]
    assert (node.manifests, node.problem) == ((), None)


def test_labels_are_text(client: ECRClient, read: Read) -> None:
    node = read(push(client, REPOSITORY, image_with(json.dumps(CONFIG).encode())))
    revision = {"org.opencontainers.image.revision": "4f1a"}
    assert node.labels == {**revision, "count": "3", "flag": "True", "none": "None"}


def test_neither_environment_nor_history_is_shown(client: ECRClient, read: Read) -> None:
    image = image_with(json.dumps(CONFIG).encode())
    push(client, REPOSITORY, image)
    whole = push(client, REPOSITORY, index_with(image.manifest))
    told = json.dumps(plain(read(whole)))
    assert "4f1a" in told
    assert SECRET not in told


def test_dockers_images_are_read_as_well(client: ECRClient, read: Read) -> None:
    node = read(push(client, REPOSITORY, sample_image(media_types="docker")))
    assert [each.platform for each in node.manifests] == ["linux/amd64", "linux/arm64"]
    assert all(each.created for each in node.manifests)


def test_an_artifact_has_no_config(ecr: EcrEmulator, client: ECRClient, read: Read) -> None:
    node = read(push(client, REPOSITORY, sample_artifact("application/spdx+json")))
    assert (node.artifact_type, node.platform, node.created) == ("application/spdx+json", None, None)
    assert [each.media_type for each in node.layers] == ["application/spdx+json"]
    assert "GetDownloadUrlForLayer" not in ecr.calls


def test_an_attestation_is_told_by_what_the_index_says_of_it(client: ECRClient, read: Read) -> None:
    attestation = image_with(b'{"os":"unknown","architecture":"unknown"}')
    push(client, REPOSITORY, attestation)
    about = {"vnd.docker.reference.type": "attestation-manifest"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    manifest = attestation.manifest
    child = described(manifest.media_type, manifest.text.encode(), annotations=about, platform=unknown)
    (node,) = read(push(client, REPOSITORY, index_with(child))).manifests
    assert (node.platform, node.annotations) == ("unknown/unknown", about)


def test_an_index_within_an_index_is_said_to_be_one(client: ECRClient, read: Read) -> None:
    inner = push(client, REPOSITORY, sample_image())
    outer = index_with(described(types.OCI_IMAGE_INDEX, b"") | {"digest": inner, "size": len(sample_image().text)})
    (node,) = read(push(client, REPOSITORY, outer)).manifests
    assert (node.manifests, node.problem) == ((), "an index of 2 manifests within the index")


@needs("ListImageReferrers")
def test_what_refers_to_it_is_listed(client: ECRClient, read: Read) -> None:
    image = sample_image()
    push(client, REPOSITORY, image)
    sbom = push(client, REPOSITORY, sample_artifact("application/spdx+json", subject=image.children[0]))
    node = read(image.digest)
    assert node.referrers == ()
    assert [[str(each.digest) for each in child.referrers or ()] for child in node.manifests] == [[sbom], []]


# --- What cannot be read ---------------------------------------------------------------------------------------------


def test_an_image_that_is_not_there_is_an_error(read: Read) -> None:
    with pytest.raises(ImageNotFoundError):
        read(ZEROS)


@needs_archives
def test_an_archived_image_is_an_error(client: ECRClient, read: Read) -> None:
    digest = push(client, REPOSITORY, sample_image(("linux/amd64",)))
    archive(client, digest)
    with pytest.raises(ImageInaccessibleError):
        read(digest)


def archive(client: ECRClient, digest: str) -> None:
    image_id: Any = {"imageDigest": digest}
    client.update_image_storage_class(repositoryName=REPOSITORY, imageId=image_id, targetStorageClass="ARCHIVE")


def test_a_platform_that_is_missing_does_not_hide_the_others(ecr: EcrEmulator, client: ECRClient, read: Read) -> None:
    digest = push(client, REPOSITORY, sample_image())

    def without_arm64(answer: Any) -> Any:
        gone = answer["images"].pop()
        failure = {"imageId": gone["imageId"], "failureCode": "ImageNotFound", "failureReason": "gone"}
        return answer | {"failures": [failure]}

    ecr.faults.corrupt("BatchGetImage", without_arm64, skip=1)
    there, missing = read(digest).manifests
    assert (there.platform, there.problem) == ("linux/amd64", None)
    assert (missing.platform, missing.layers) == ("linux/arm64", ())
    assert "does not exist" in (missing.problem or "") or "gone" in (missing.problem or "")


def test_of_a_long_index_a_hundred_manifests_are_read(ecr: EcrEmulator, images: EcrImages) -> None:
    children = [image_with(b"{}", "application/vnd.example+json", annotations={"n": str(n)}) for n in range(103)]
    for child in children:
        push(images.repository.client, REPOSITORY, child)
    digest = push(images.repository.client, REPOSITORY, index_with(*(each.manifest for each in children)))
    ecr.clear_requests()
    node = Anatomist(images.repository, images.download).read(Digest.parse(digest))
    assert [each.problem for each in node.manifests] == [None] * 100 + ["only 100 manifests are read"] * 3
    assert ecr.calls.count("BatchGetImage") == 2


BAD_CONFIGS = {
    "no JSON": b"no JSON",
    "no object": b"[]",
    "no text": b"\xff\xfe{}",
    "nested too deeply": b'{"config":' * 100_000,
    "a number of ten thousand digits": b'{"n":' + b"1" * 10_000 + b"}",
}


@pytest.mark.parametrize("config", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_config_that_is_none_is_said_to_be_so_and_the_rest_is_shown(
    client: ECRClient, read: Read, config: bytes
) -> None:
    node = read(push(client, REPOSITORY, image_with(config)))
    assert (node.problem or "").startswith("The config cannot be read: ")
    assert (len(node.layers), node.labels, node.platform) == (1, {}, None)


def test_a_config_that_is_too_large_is_not_read(ecr: EcrEmulator, client: ECRClient, read: Read) -> None:
    node = read(push(client, REPOSITORY, image_with(b" " * (_LARGEST_CONFIG + 1))))
    assert f"it has {_LARGEST_CONFIG + 1} bytes" in (node.problem or "")
    assert "GetDownloadUrlForLayer" not in ecr.calls


@pytest.mark.parametrize("operation", ["GetDownloadUrlForLayer", "GetObject"])
def test_a_config_that_is_refused_does_not_hide_the_rest(
    ecr: EcrEmulator, client: ECRClient, read: Read, operation: str
) -> None:
    digest = push(client, REPOSITORY, sample_image())
    ecr.faults.fail(operation, "AccessDeniedException", status=403)
    one, other = read(digest).manifests
    assert ("cannot be read" in (one.problem or ""), other.problem) == (True, None)
    assert (one.platform, other.platform) == ("linux/amd64", "linux/arm64")
    told = json.dumps(plain(read(digest))) + str(one.problem)
    assert not any(word in told for word in ("X-Amz", "Signature", "Authorization", "Bearer", "127.0.0.1/"))


@pytest.mark.parametrize("operation", ["ListImageReferrers"])
@needs("ListImageReferrers")
def test_who_may_not_list_referrers_sees_the_rest(
    ecr: EcrEmulator, client: ECRClient, read: Read, operation: str
) -> None:
    digest = push(client, REPOSITORY, sample_image(("linux/amd64",)))
    ecr.faults.fail(operation, "AccessDeniedException")
    node = read(digest)
    assert (node.referrers, node.platform, node.problem) == (None, "linux/amd64", None)


def test_a_botocore_that_knows_no_referrers_does(ecr: EcrEmulator, client: ECRClient, tmp_path: Path) -> None:
    digest = push(client, REPOSITORY, sample_image(("linux/amd64",)))
    repository = EcrRepository(client_without(ecr, tmp_path, "ListImageReferrers"), REPOSITORY)
    with closing(EcrImages(repository, Patience(tries=1))) as images:
        node = Anatomist(repository, images.download).read(Digest.parse(digest))
    assert (node.referrers, node.platform) == (None, "linux/amd64")


class Flood(Download):
    """A blob that does not end where it should."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, size: int) -> bytes:
        self.count += size
        assert self.count < 10_000, "it reads on and on"
        return b"x" * size

    def close(self) -> None:
        pass


class Other(Flood):
    """Another blob than was asked for."""

    def read(self, size: int) -> bytes:
        self.count += 1
        return b'{"os":"windows","architecture":"amd64"}' if self.count == 1 else b""


@pytest.mark.parametrize("kind", [Flood, Other])
def test_a_config_that_is_another_one_is_not_shown(
    repository: EcrRepository, client: ECRClient, kind: type[Flood]
) -> None:
    digest = push(client, REPOSITORY, sample_image(("linux/amd64",)))

    def download(_: Descriptor) -> Download:
        return kind()

    node = Anatomist(repository, download).read(Digest.parse(digest))
    assert (node.platform, node.problem) == (
        None,
        "The config cannot be read: its content does not have its digest.",
    )


@given(json_values())
def test_whatever_a_config_says_is_text(value: Any) -> None:
    members: Mapping[str, Any] = dict.fromkeys(("os", "architecture", "variant", "created"), value)
    for config in ({**members, "config": value}, {"config": {"Labels": value}}):
        facts = _facts_in(config)
        assert all(isinstance(facts[name], str | None) for name in ("platform", "created"))
        assert all(isinstance(each, str) for pair in facts["labels"].items() for each in pair)


def test_errors_of_a_read_are_ours(ecr: EcrEmulator, client: ECRClient, read: Read) -> None:
    digest = push(client, REPOSITORY, sample_image())
    ecr.faults.fail("BatchGetImage", "AccessDeniedException", skip=1)
    with pytest.raises(EcrProviderError):
        read(digest)
