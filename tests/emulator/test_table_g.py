"""What a popular emulator gets wrong, row by row of table G of the ECR contract, asserted of this one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from ecr_provider.emulator.samples import SampleImage, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ZEROS = f"sha256:{'0' * 64}"


def version(number: int | str) -> SampleImage:
    """Make one of many images that are made of the same layers."""
    return sample_image(("linux/amd64",), annotations={"version": str(number)})


def put(client: ECRClient, repository: str, image: SampleImage, **more: Any) -> str:
    answer = client.put_image(repositoryName=repository, imageManifest=image.text, **more)
    return answer["image"]["imageId"]["imageDigest"]


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def test_row_01_layers_that_were_never_uploaded(client: ECRClient, web: str) -> None:
    with refused("LayersNotFoundException"):
        put(client, web, version(1))
    with pytest.raises(client.exceptions.ImageNotFoundException):
        client.describe_images(repositoryName=web, imageIds=[{"imageDigest": version(1).digest}])


def test_row_02_another_digest(client: ECRClient, layers: str) -> None:
    with pytest.raises(client.exceptions.ImageDigestDoesNotMatchException, match=ZEROS):
        put(client, layers, version(1), imageDigest=ZEROS)


def test_row_03_a_digest_that_is_none(client: ECRClient, layers: str) -> None:
    with refused("InvalidParameterException"):
        put(client, layers, version(1), imageDigest="nonsense")


def test_rows_04_and_05_the_digest_is_that_of_the_bytes(client: ECRClient, layers: str) -> None:
    one, other = put(client, layers, version(1)), put(client, layers, version(2))
    assert one == f"sha256:{hashlib.sha256(version(1).text.encode()).hexdigest()}"
    assert one != other


def test_row_06_the_digest_of_an_index_too(client: ECRClient, web: str) -> None:
    image = sample_image()
    assert push(client, web, image, "v1") == f"sha256:{hashlib.sha256(image.text.encode()).hexdigest()}"
    shown = client.describe_images(repositoryName=web, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    assert shown["imageDigest"] == image.digest


def test_row_07_an_index_without_its_children(client: ECRClient, web: str) -> None:
    image = sample_image()
    missing = ", ".join(child.digest for child in image.children)
    with pytest.raises(client.exceptions.ReferencedImagesNotFoundException, match=f"'\\[{missing}\\]'"):
        put(client, web, image, imageTag="v1")


def test_row_08_the_image_a_tag_moved_off_stays(client: ECRClient, layers: str) -> None:
    old = put(client, layers, version(1), imageTag="prod")
    new = put(client, layers, version(2), imageTag="prod")
    shown = client.describe_images(repositoryName=layers, imageIds=[{"imageDigest": old}, {"imageTag": "prod"}])
    assert [(image["imageDigest"], image.get("imageTags")) for image in shown["imageDetails"]] == [
        (old, None),
        (new, ["prod"]),
    ]


def test_row_09_an_immutable_tag(client: ECRClient, layers: str) -> None:
    client.put_image_tag_mutability(repositoryName=layers, imageTagMutability="IMMUTABLE")
    expected = "'zero' already exists in the 'shop/web' repository .* because the tag is immutable"
    with pytest.raises(client.exceptions.ImageTagAlreadyExistsException, match=expected):
        put(client, layers, version(1), imageTag="zero")


@pytest.mark.parametrize(
    ("mutability", "wildcard", "tag", "moves"),
    [
        pytest.param("MUTABLE_WITH_EXCLUSION", "v*", "abc", True, id="row 10"),
        pytest.param("MUTABLE_WITH_EXCLUSION", "v*", "v1", False, id="row 10, excluded"),
        pytest.param("MUTABLE_WITH_EXCLUSION", "v*", "rev1", True, id="the whole tag"),
        pytest.param("MUTABLE_WITH_EXCLUSION", "v*", "V1", True, id="case-sensitively"),
        pytest.param("MUTABLE_WITH_EXCLUSION", "v.1", "vx1", True, id="no regular expression"),
        pytest.param("IMMUTABLE_WITH_EXCLUSION", "*-dev", "web-dev", True, id="row 11"),
        pytest.param("IMMUTABLE_WITH_EXCLUSION", "*-dev", "web-dev-1", False, id="row 11, not excluded"),
        pytest.param("IMMUTABLE_WITH_EXCLUSION", "latest", "latest", True, id="without a star"),
        pytest.param("IMMUTABLE_WITH_EXCLUSION", "v*.beta", "v1.2.beta", True, id="a star within"),
    ],
)
def test_rows_10_and_11_exclusions(
    client: ECRClient, layers: str, mutability: Any, wildcard: str, tag: str, *, moves: bool
) -> None:
    client.put_image_tag_mutability(
        repositoryName=layers,
        imageTagMutability=mutability,
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": wildcard}],
    )
    put(client, layers, version(1), imageTag=tag)
    if moves:
        assert put(client, layers, version(2), imageTag=tag) == version(2).digest
    else:
        with refused("ImageTagAlreadyExistsException"):
            put(client, layers, version(2), imageTag=tag)


@pytest.mark.parametrize(("mutability", "filters"), [("IMMUTABLE", ["v*"]), ("IMMUTABLE_WITH_EXCLUSION", [])])
def test_row_12_filters_exactly_where_they_belong(client: ECRClient, mutability: Any, filters: list[str]) -> None:
    more: Any = {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": f} for f in filters]}
    with pytest.raises(client.exceptions.InvalidParameterException, match=r"must be null|can't be null"):
        client.create_repository(repositoryName="shop/web", imageTagMutability=mutability, **(more if filters else {}))


def test_row_13_the_same_again_without_a_tag(client: ECRClient, layers: str) -> None:
    put(client, layers, version(1))
    with refused("ImageAlreadyExistsException"):
        put(client, layers, version(1))


def test_row_14_an_unknown_repository(client: ECRClient) -> None:
    expected = "'no/where' does not exist in the registry with id '123456789012'"
    with pytest.raises(client.exceptions.RepositoryNotFoundException, match=expected):
        put(client, "no/where", version(1))


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        pytest.param("{", None, id="row 15"),
        pytest.param("[]", None, id="row 15, an array"),
        pytest.param("[" * 100_000, None, id="too deep"),
        pytest.param('{"schemaVersion": NaN}', MANIFEST, id="Python's JSON"),
        pytest.param('{"schemaVersion": 2, "mediaType": []}', None, id="a media type that is none"),
        pytest.param(version(1).text.replace(f'"mediaType":"{MANIFEST}",', ""), None, id="row 16"),
        pytest.param('{"hello":1}', "application/json", id="row 17"),
        pytest.param('{"hello":1}', MANIFEST, id="no manifest"),
        pytest.param(version(1).text.replace("+gzip", "+gzip;version=1"), None, id="a media type with parameters"),
        pytest.param(version(1).text.replace('"size":', '"size":-'), None, id="a negative size"),
        pytest.param(version(1).text[:-1] + ',"manifests":[]}', None, id="both an image and an index"),
        pytest.param(sample_image().text.replace('"os":', '"os.features":["x"],"os":'), None, id="os.features"),
        pytest.param(sample_image().text.replace("image.index", "artifact.manifest"), None, id="OCI artifact"),
    ],
)
def test_rows_15_to_17_what_is_no_manifest(client: ECRClient, layers: str, text: str, media_type: str | None) -> None:
    more: Any = {"imageManifestMediaType": media_type} if media_type else {}
    with pytest.raises(client.exceptions.InvalidParameterException, match=r"'ImageManifest' .* 'Invalid JSON syntax'"):
        client.put_image(repositoryName=layers, imageManifest=text, **more)


def test_row_16_the_parameter_makes_up_for_the_field(client: ECRClient, layers: str) -> None:
    text = version(1).text.replace(f'"mediaType":"{MANIFEST}",', "")
    answer = client.put_image(repositoryName=layers, imageManifest=text, imageManifestMediaType=MANIFEST)
    assert answer["image"]["imageManifestMediaType"] == MANIFEST
    assert answer["image"]["imageManifest"] == text


def test_row_17_the_parameter_contradicts_the_field(client: ECRClient, layers: str) -> None:
    with refused("InvalidParameterException"):
        put(client, layers, version(1), imageManifestMediaType=INDEX)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"imageTag": "-bad tag!"}, id="tag"),
        pytest.param({"imageTag": "t" * 129}, id="long tag"),
        pytest.param({"imageTag": "t" * 301}, id="tag longer than the model has it"),
        pytest.param({"imageManifest": " " * 4_194_305}, id="manifest"),
        pytest.param({"repositoryName": "R!"}, id="repository"),
    ],
)
def test_row_18_bad_values(client: ECRClient, layers: str, parameters: Any) -> None:
    with refused("InvalidParameterException"):
        client.put_image(**({"repositoryName": layers, "imageManifest": version(1).text} | parameters))


def test_row_19_a_foreign_registry(client: ECRClient, layers: str) -> None:
    with pytest.raises(client.exceptions.RepositoryNotFoundException, match="999999999999"):
        put(client, layers, version(1), registryId="999999999999")


def test_row_20_no_repository_in_a_foreign_registry(client: ECRClient) -> None:
    with refused("AccessDeniedException"):
        client.create_repository(repositoryName="shop/web", registryId="999999999999")
