"""What refers to a manifest: by the end point and its pages, else by the tag that stands in for it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from http_server import Received, Reply, Server

from ecr_provider.emulator.samples import sample_artifact, sample_image
from ecr_provider.exceptions import EcrProviderError, RegistryCallError, RegistryUnavailableError
from ecr_provider.oci import Digest, Manifest, parse_manifest
from ecr_provider.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from ecr_provider.registry.repository import RegistryRepository
from ecr_provider.registry.transport import Transport

Connect = Callable[..., Transport]

IMAGE = sample_image(platforms=["linux/amd64"])
SUBJECT = Digest.parse(IMAGE.digest)
PATH = f"/v2/shop/web/referrers/{SUBJECT}"
TAG = f"/v2/shop/web/manifests/sha256-{SUBJECT.encoded}"
SBOM = parse_manifest(sample_artifact("application/spdx+json", b"sbom", IMAGE).text)
SIGNATURE = parse_manifest(
    sample_artifact("application/vnd.example.signature", b"signature", IMAGE, annotations={"by": "me"}).text
)


def index_of(*manifests: Manifest) -> bytes:
    listed = [
        {
            "mediaType": each.media_type,
            "digest": str(each.digest),
            "size": len(each.raw),
            "artifactType": each.artifact_type,
        }
        for each in manifests
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": listed}).encode()


def page(*manifests: Manifest, following: str | None = None) -> Reply:
    link = {"Link": f'<{following}>; rel="next"'} if following else {}
    return Reply(body=index_of(*manifests), headers={"Content-Type": OCI_IMAGE_INDEX, **link})


def digests(repository: RegistryRepository) -> list[Digest]:
    return [each.digest for each in repository.referrers(SUBJECT)]


# --- The end point ---


def test_a_list_of_one_page(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", PATH, page(SBOM, SIGNATURE))
    first, second = repository.referrers(SUBJECT)
    assert (first.digest, first.media_type, first.artifact_type) == (
        SBOM.digest,
        OCI_IMAGE_MANIFEST,
        "application/spdx+json",
    )
    assert second.digest == SIGNATURE.digest
    assert server.requests[0].headers["Accept"] == OCI_IMAGE_INDEX


def test_nothing_refers_to_it(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", PATH, page())
    assert repository.referrers(SUBJECT) == ()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "following",
    [
        f"{PATH}?last=a",
        f"http://{{host}}{PATH}?last=a",
        "?last=a",
        f"./{SUBJECT}?last=a",
        f"../referrers/{SUBJECT}?last=a",
        f"//{{host}}{PATH}?last=a",
    ],
    ids=["path", "address", "query", "relative", "up and down", "without a scheme"],
)
def test_a_list_of_several_pages(server: Server, repository: RegistryRepository, following: str) -> None:
    following = following.format(host=server.host)
    server.on("GET", PATH, page(SBOM, following=following), page(SIGNATURE))
    assert digests(repository) == [SBOM.digest, SIGNATURE.digest]
    assert server.requests[1].path == PATH
    assert server.requests[1].query == [("last", "a")]


@pytest.mark.parametrize("relation", ["next", '"next"', '"next"; title="more"'])
def test_a_link_is_written_in_more_than_one_way(server: Server, repository: RegistryRepository, relation: str) -> None:
    first = page(SBOM)
    linked = Reply(body=first.body, headers={**first.headers, "Link": f"<{PATH}?last=a>; rel={relation}"})
    server.on("GET", PATH, linked, page(SIGNATURE))
    assert digests(repository) == [SBOM.digest, SIGNATURE.digest]


def test_a_link_to_elsewhere_goes_without_credentials(server: Server, elsewhere: Server, connect: Connect) -> None:
    asked = Reply(401, headers={"WWW-Authenticate": "Basic"})
    server.on("GET", PATH, asked, page(SBOM, following=f"{elsewhere.origin}/more"))
    elsewhere.on("GET", "/more", page(SIGNATURE))
    assert digests(RegistryRepository(connect(), "shop/web")) == [SBOM.digest, SIGNATURE.digest]
    assert server.requests[1].authorization
    assert elsewhere.requests[0].authorization is None


@pytest.mark.parametrize("missing", [Reply(404), Reply(200, b"<html>", {"Content-Type": "text/html"})])
def test_a_page_that_is_missing_is_no_end(server: Server, repository: RegistryRepository, missing: Reply) -> None:
    """A signature that is left out without a word would be one that the copy lacks."""
    server.on("GET", PATH, page(SBOM, following=f"{PATH}?last=a"), missing)
    with pytest.raises(EcrProviderError):
        repository.referrers(SUBJECT)


def test_pages_without_end(server: Server, repository: RegistryRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_provider.registry.repository._MOST_PAGES", 3)
    server.on("GET", PATH, page(SBOM, following=f"{PATH}?last=a"))
    with pytest.raises(RegistryCallError, match="more than 3 pages"):
        repository.referrers(SUBJECT)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"manifests":[{}]}', b'{"manifests":{}}', b"\xff"])
def test_a_list_that_is_none(server: Server, repository: RegistryRepository, body: bytes) -> None:
    server.on("GET", PATH, Reply(body=body, headers={"Content-Type": OCI_IMAGE_INDEX}))
    with pytest.raises(RegistryUnavailableError, match="no registry's"):
        repository.referrers(SUBJECT)


# --- The tag ---


def test_a_registry_without_the_end_point_has_a_tag(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", TAG, page(SBOM))
    assert digests(repository) == [SBOM.digest]
    assert [each.path for each in server.requests] == [PATH, TAG]


def test_the_end_point_is_asked_for_once(server: Server, repository: RegistryRepository) -> None:
    for _ in range(3):
        assert repository.referrers(SUBJECT) == ()
    assert [each.path for each in server.requests] == [PATH, TAG, TAG, TAG]


def test_a_page_of_html_is_no_end_point(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", PATH, Reply(200, b"<html>", {"Content-Type": "text/html"}))
    server.on("GET", TAG, page(SBOM))
    assert digests(repository) == [SBOM.digest]


def test_a_failure_of_the_end_point_is_none_of_the_tags_business(
    server: Server, repository: RegistryRepository
) -> None:
    server.on("GET", PATH, Reply(503))
    with pytest.raises(RegistryUnavailableError):
        repository.referrers(SUBJECT)
    server.on("GET", PATH, page(SBOM))
    assert digests(repository) == [SBOM.digest]


def test_a_refusal_of_the_end_point_is_none_of_the_tags_business(
    server: Server, repository: RegistryRepository
) -> None:
    server.on("GET", PATH, Reply(403))
    with pytest.raises(RegistryCallError, match="HTTP 403"):
        repository.referrers(SUBJECT)


def test_a_registry_that_answers_the_tag_with_the_image_itself(server: Server, repository: RegistryRepository) -> None:
    server.on("GET", TAG, Reply(body=IMAGE.text.encode(), headers={"Content-Type": IMAGE.media_type}))
    assert repository.referrers(SUBJECT) == ()


def test_a_registry_that_answers_the_tag_with_the_index_itself(server: Server, repository: RegistryRepository) -> None:
    index = sample_image()
    digest = Digest.parse(index.digest)
    path = f"/v2/shop/web/manifests/sha256-{digest.encoded}"
    server.on("GET", path, Reply(body=index.text.encode(), headers={"Content-Type": index.media_type}))
    assert repository.referrers(digest) == ()


def test_the_tag_of_another_algorithm(server: Server, repository: RegistryRepository) -> None:
    digest = Digest("sha512", "a" * 128)
    server.on("GET", f"/v2/shop/web/manifests/sha512-{'a' * 64}", page(SBOM))
    assert [each.digest for each in repository.referrers(digest)] == [SBOM.digest]


# --- Adding to the tag ---


class Tag:
    """A tag that a registry keeps."""

    def __init__(self, server: Server) -> None:
        self.text: bytes | None = None
        server.on("GET", TAG, self._get)
        server.on("PUT", TAG, self._put)

    def _get(self, _: Received) -> Reply:
        if self.text is None:
            return Reply(404)
        return Reply(body=self.text, headers={"Content-Type": OCI_IMAGE_INDEX})

    def _put(self, received: Received) -> Reply:
        self.text = received.body
        return Reply(201)


def test_the_first_referrer_makes_the_tag(server: Server, repository: RegistryRepository) -> None:
    tag = Tag(server)
    repository.add_referrer(SUBJECT, SIGNATURE)
    assert json.loads(tag.text or b"") == {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_INDEX,
        "manifests": [
            {
                "mediaType": OCI_IMAGE_MANIFEST,
                "digest": str(SIGNATURE.digest),
                "size": len(SIGNATURE.raw),
                "artifactType": "application/vnd.example.signature",
                "annotations": {"by": "me"},
            }
        ],
    }
    assert server.asked("PUT")[0].headers["Content-Type"] == OCI_IMAGE_INDEX


def test_further_referrers_are_added_and_none_twice(server: Server, repository: RegistryRepository) -> None:
    tag = Tag(server)
    for each in (SBOM, SIGNATURE, SBOM):
        repository.add_referrer(SUBJECT, each)
    assert digests(repository) == [SBOM.digest, SIGNATURE.digest]
    assert len(server.asked("PUT")) == 2
    assert tag.text


def test_what_another_client_added_is_kept(server: Server, repository: RegistryRepository) -> None:
    tag = Tag(server)
    repository.add_referrer(SUBJECT, SBOM)
    tag.text = index_of(SBOM, SIGNATURE)
    third = parse_manifest(sample_artifact("application/x", b"third", IMAGE).text)
    repository.add_referrer(SUBJECT, third)
    assert digests(repository) == [SBOM.digest, SIGNATURE.digest, third.digest]


def test_a_referrer_without_a_type_of_its_own_goes_by_its_configs(
    server: Server, repository: RegistryRepository
) -> None:
    Tag(server)
    image = json.loads(IMAGE.text)
    image["subject"] = {"mediaType": IMAGE.media_type, "digest": IMAGE.digest, "size": len(IMAGE.text)}
    repository.add_referrer(SUBJECT, parse_manifest(json.dumps(image)))
    (listed,) = repository.referrers(SUBJECT)
    assert listed.artifact_type == image["config"]["mediaType"]


@pytest.mark.parametrize(
    "there",
    [
        {
            "mediaType": OCI_IMAGE_MANIFEST,
            "digest": str(SBOM.digest),
            "size": 5,
            "platform": {"os": "a", "architecture": "b"},
        },
        {"mediaType": OCI_IMAGE_MANIFEST, "digest": str(SBOM.digest), "size": 5, "urls": ["https://example.com/"]},
        {"mediaType": OCI_IMAGE_MANIFEST, "digest": str(SBOM.digest), "size": 5},
    ],
)
def test_what_the_tag_lists_already_is_kept(
    server: Server, repository: RegistryRepository, there: dict[str, object]
) -> None:
    tag = Tag(server)
    tag.text = json.dumps({"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": [there]}).encode()
    repository.add_referrer(SUBJECT, SIGNATURE)
    assert json.loads(tag.text)["manifests"][0]["digest"] == str(SBOM.digest)
    assert len(json.loads(tag.text)["manifests"]) == 2
