"""Tags, repositories and referrers at the registry's HTTP API, page by page; ListImageReferrers, too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from local_ecr import needs, needs_archives
from registry_client import RegistryClient, digest_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ABSENT = f"sha256:{'0' * 64}"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"


# --- Tags ---


@pytest.fixture
def tagged(client: ECRClient, web: str) -> str:
    """The name of a repository with 105 tags, and an image without one."""
    image = sample_image(("linux/amd64",))
    push(client, web, image, "tag-000")
    push(client, web, sample_image(("linux/amd64",), annotations={"version": "1"}))
    for number in range(1, 105):
        client.put_image(repositoryName=web, imageManifest=image.text, imageTag=f"tag-{number:03}")
    return web


def test_tags_come_in_pages_of_a_hundred(ecr: EcrEmulator, registry: RegistryClient, tagged: str) -> None:
    first = registry.ask("GET", f"/v2/{tagged}/tags/list")
    assert (first.status, first.headers["Content-Type"]) == (200, "text/plain")
    assert first.json == {"name": tagged, "tags": [f"tag-{number:03}" for number in range(100)]}
    assert first.next.startswith(f"http://{registry.host}/v2/{tagged}/tags/list?last=")
    second = registry.ask("GET", first.next)
    assert second.json["tags"] == [f"tag-{number:03}" for number in range(100, 105)]
    assert "Link" not in second.headers
    assert ecr.calls[-2:] == ["ListImages", "ListImages"]


def test_pages_of_another_size(registry: RegistryClient, tagged: str) -> None:
    """A link asks for the same size again."""
    answer, seen = registry.ask("GET", f"/v2/{tagged}/tags/list?n=50"), []
    while "Link" in answer.headers:
        seen.append(len(answer.json["tags"]))
        answer = registry.ask("GET", answer.next)
    assert [*seen, len(answer.json["tags"])] == [50, 50, 5]
    assert len(registry.ask("GET", f"/v2/{tagged}/tags/list?n=1000").json["tags"]) == 105


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("path", ["shop/web/tags/list", "_catalog"])
def test_pages_that_are_not_there(registry: RegistryClient, path: str) -> None:
    too_many = "'Member must have value less than or equal to 1000'"
    assert registry.ask("GET", f"/v2/{path}?n=1001").error == (
        405,
        "UNSUPPORTED",
        f"Invalid parameter at 'maxResults' failed to satisfy constraint: {too_many}",
    )
    assert registry.ask("GET", f"/v2/{path}?last=made-by-hand").error == (
        405,
        "UNSUPPORTED",
        "Invalid parameter at 'NextToken' failed to satisfy constraint: 'Invalid next token provided'",
    )
    assert registry.ask("GET", f"/v2/{path}?n=0").error[:2] == (405, "UNSUPPORTED")
    for size in ("x", "-1", "9" * 5000):
        assert registry.ask("GET", f"/v2/{path}?n={size}").error[:2] == (400, "UNSUPPORTED")


def test_a_repository_without_tags(registry: RegistryClient, web: str) -> None:
    assert registry.ask("GET", f"/v2/{web}/tags/list").json == {"name": web, "tags": []}
    assert registry.ask("GET", "/v2/shop/none/tags/list").error[:2] == (404, "NAME_UNKNOWN")


# --- Repositories ---


def test_repositories_come_in_pages(ecr: EcrEmulator, client: ECRClient, registry: RegistryClient) -> None:
    names = [f"shop/{number}" for number in range(5)]
    for name in names:
        client.create_repository(repositoryName=name)
    ecr.client(account_id="210987654321").create_repository(repositoryName="theirs")
    first = registry.ask("GET", "/v2/_catalog?n=3")
    assert first.json == {"repositories": names[:3]}
    assert first.headers["Content-Type"] == "text/plain"
    second = registry.ask("GET", first.next)
    assert second.json == {"repositories": names[3:]}
    assert "Link" not in second.headers
    assert ecr.calls[-1] == "DescribeRepositories"


# --- Referrers ---


def artifact(subject: str, number: int, **members: Any) -> SampleManifest:
    """Make an artifact that names its subject."""
    empty = {"mediaType": EMPTY, "digest": digest_of(b"{}"), "size": 2}
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.signature",
        "config": empty,
        "layers": [empty],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 2},
        "annotations": {"number": str(number)},
    }
    made = {name: value for name, value in (manifest | members).items() if value is not None}
    return SampleManifest(json.dumps(made), OCI_MANIFEST)


@pytest.fixture
def signed(registry: RegistryClient, web: str, image: SampleImage) -> list[SampleManifest]:
    """Three artifacts about the image: two signatures, and one whose type is its config's."""
    registry.upload(web, b"{}")
    made = [artifact(image.digest, number) for number in range(2)]
    made.append(artifact(image.digest, 2, artifactType=None, annotations=None))
    for manifest in made:
        assert registry.put(web, manifest, manifest.digest).headers["OCI-Subject"] == image.digest
    return made


def test_referrers(
    ecr: EcrEmulator, registry: RegistryClient, web: str, image: SampleImage, signed: list[SampleManifest]
) -> None:
    answer = registry.ask("GET", f"/v2/{web}/referrers/{image.digest}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, OCI_INDEX)
    assert "OCI-Filters-Applied" not in answer.headers
    assert (answer.json["schemaVersion"], answer.json["mediaType"]) == (2, OCI_INDEX)
    assert answer.json["manifests"][1:] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": signed[1].digest,
            "size": len(signed[1].text),
            "artifactType": "application/vnd.example.signature",
            "annotations": {"number": "1"},
        },
        {"mediaType": OCI_MANIFEST, "digest": signed[2].digest, "size": len(signed[2].text), "artifactType": EMPTY},
    ]
    assert ecr.calls[-1] == "ListImageReferrers"


def test_referrers_of_a_type(
    registry: RegistryClient, web: str, image: SampleImage, signed: list[SampleManifest]
) -> None:
    answer = registry.ask("GET", f"/v2/{web}/referrers/{image.digest}?artifactType=application/vnd.oci.empty.v1%2Bjson")
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"
    assert [one["digest"] for one in answer.json["manifests"]] == [signed[2].digest]


def test_referrers_come_in_pages_of_fifty(
    client: ECRClient, registry: RegistryClient, web: str, image: SampleImage, signed: list[SampleManifest]
) -> None:
    """A filter goes on from page to page."""
    for number in range(2, 53):
        client.put_image(repositoryName=web, imageManifest=artifact(image.digest, number).text)
    path = f"/v2/{web}/referrers/{image.digest}?artifactType=application/vnd.example.signature"
    first = registry.ask("GET", path)
    second = registry.ask("GET", first.next)
    assert [len(page.json["manifests"]) for page in (first, second)] == [50, 3]
    assert signed[2].digest not in {one["digest"] for one in first.json["manifests"] + second.json["manifests"]}
    assert "Link" not in second.headers
    assert registry.ask("GET", f"/v2/{web}/referrers/{image.digest}?last=x").error[:2] == (405, "UNSUPPORTED")


def test_referrers_of_what_has_none(registry: RegistryClient, web: str, image: SampleImage) -> None:
    for digest in (image.digest, ABSENT):
        assert registry.ask("GET", f"/v2/{web}/referrers/{digest}").json["manifests"] == []
    assert registry.ask("GET", f"/v2/{web}/referrers/nonsense").error[:2] == (405, "UNSUPPORTED")
    assert registry.ask("GET", f"/v2/shop/none/referrers/{ABSENT}").error[:2] == (404, "NAME_UNKNOWN")


def test_a_referrer_may_come_before_its_subject(registry: RegistryClient, layers: str) -> None:
    registry.upload(layers, b"{}")
    manifest = artifact(ABSENT, 1)
    assert registry.put(layers, manifest, manifest.digest).status == 201
    assert len(registry.ask("GET", f"/v2/{layers}/referrers/{ABSENT}").json["manifests"]) == 1


# --- ListImageReferrers ---


@needs("ListImageReferrers")
def test_list_image_referrers(client: ECRClient, web: str, image: SampleImage, signed: list[SampleManifest]) -> None:
    subject: Any = {"repositoryName": web, "subjectId": {"imageDigest": image.digest}}
    answer = client.list_image_referrers(**subject, filter={"artifactTypes": ["application/vnd.example.signature"]})
    assert answer["referrers"] == [
        {
            "digest": one.digest,
            "mediaType": OCI_MANIFEST,
            "size": len(one.text),
            "artifactType": "application/vnd.example.signature",
            "annotations": {"number": str(number)},
            "artifactStatus": "ACTIVE",
        }
        for number, one in enumerate(signed[:2])
    ]
    first = client.list_image_referrers(**subject, maxResults=2)
    assert [one["digest"] for one in first["referrers"]] == [one.digest for one in signed[:2]]
    second = client.list_image_referrers(**subject, maxResults=2, nextToken=first["nextToken"])
    assert [one["digest"] for one in second["referrers"]] == [signed[2].digest]
    assert "nextToken" not in second


@needs("ListImageReferrers")
def test_list_image_referrers_has_twenty_on_a_page(
    client: ECRClient, registry: RegistryClient, web: str, image: SampleImage
) -> None:
    registry.upload(web, b"{}")
    for number in range(21):
        client.put_image(repositoryName=web, imageManifest=artifact(image.digest, number).text)
    subject: Any = {"repositoryName": web, "subjectId": {"imageDigest": image.digest}}
    first = client.list_image_referrers(**subject)
    assert (len(first["referrers"]), "nextToken" in first) == (20, True)
    assert len(client.list_image_referrers(**subject, maxResults=50)["referrers"]) == 21


@needs("ListImageReferrers")
@needs_archives
def test_list_image_referrers_by_status(
    client: ECRClient, web: str, image: SampleImage, signed: list[SampleManifest]
) -> None:
    client.update_image_storage_class(
        repositoryName=web, imageId={"imageDigest": signed[0].digest}, targetStorageClass="ARCHIVE"
    )

    def digests(**wanted: Any) -> list[str]:
        answer = client.list_image_referrers(repositoryName=web, subjectId={"imageDigest": image.digest}, **wanted)
        return [one["digest"] for one in answer["referrers"]]

    assert digests() == [one.digest for one in signed[1:]]
    assert digests(filter={"artifactStatus": "ARCHIVED"}) == [signed[0].digest]
    assert digests(filter={"artifactStatus": "ANY"}) == [one.digest for one in signed]


@needs("ListImageReferrers")
def test_list_image_referrers_takes_the_permission_to_get_images(
    ecr: EcrEmulator, client: ECRClient, web: str, image: SampleImage
) -> None:
    other = ecr.client(account_id="210987654321")
    subject: Any = {"registryId": "123456789012", "repositoryName": web, "subjectId": {"imageDigest": image.digest}}
    with pytest.raises(ClientError, match=r"\(AccessDeniedException\).*ecr:BatchGetImage"):
        other.list_image_referrers(**subject)
    text = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}}'
    client.set_repository_policy(repositoryName=web, policyText=text)
    assert other.list_image_referrers(**subject)["referrers"] == []


@needs("ListImageReferrers")
def test_what_list_image_referrers_refuses(client: ECRClient, web: str) -> None:
    for parameters in (
        {"subjectId": {"imageDigest": "nonsense"}},
        {"subjectId": {"imageDigest": ABSENT}, "maxResults": 51},
        {"subjectId": {"imageDigest": ABSENT}, "nextToken": "nonsense"},
    ):
        with pytest.raises(client.exceptions.InvalidParameterException):
            client.list_image_referrers(repositoryName=web, **parameters)
