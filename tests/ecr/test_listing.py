"""All images of a repository, as the local ECR lists them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from emulator_calls import ONCE, put, version
from local_ecr import ACCOUNT, REPOSITORY, needs_archives, needs_member
from old_botocore import client_without

from ecr_provider.ecr.listing import list_images
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact
from ecr_provider.exceptions import (
    AccessDeniedError,
    EcrCallError,
    InvalidRequestError,
    RepositoryNotFoundError,
    ServiceFaultError,
    ThrottledError,
)
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OTHER = "999999999999"
EVERYTHING = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'


needs_subjects = needs_member("ImageDetail", "subjectManifestDigest")


@pytest.fixture
def once(ecr: EcrEmulator) -> EcrRepository:
    """The repository, as a client sees it that tries once."""
    return EcrRepository(ecr.client(config=ONCE), REPOSITORY)


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_provider.ecr.listing.MAX_IMAGES_A_PAGE", 2)


@pytest.fixture
def five(ecr: EcrEmulator, client: ECRClient) -> list[Digest]:
    """Five images, tagged 0 to 4."""
    return push_numbered(ecr, client, 5)


def push_numbered(ecr: EcrEmulator, client: ECRClient, count: int) -> list[Digest]:
    pushed = [push(client, REPOSITORY, version(number), str(number)) for number in range(count)]
    ecr.clear_requests()
    return [Digest.parse(digest) for digest in pushed]


def listed(repository: EcrRepository, status: Literal["TAGGED", "UNTAGGED", "ANY"] = "ANY") -> list[Digest]:
    return [image.digest for image in list_images(repository, status)]


# --- What is listed --------------------------------------------------------------------------------------------------


def test_an_image_is_listed_with_all_that_is_known_of_it(client: ECRClient, repository: EcrRepository) -> None:
    before = datetime.now(UTC)
    digest = push(client, REPOSITORY, version(1), "one")
    put(client, REPOSITORY, version(1), imageTag="uno")
    (image,) = list_images(repository)
    assert (str(image.digest), image.tags, image.registry_id) == (digest, ("one", "uno"), ACCOUNT)
    assert (image.media_type, image.is_active, image.subject) == (version(1).media_type, True, None)
    assert image.image_pushed_at is not None
    assert (image.image_pushed_at - before).total_seconds() < 60
    assert image.image_size_in_bytes is not None
    assert 0 < image.image_size_in_bytes <= sum(len(blob) for blob in version(1).blobs.values())


@needs_subjects
def test_a_referrer_is_listed_with_what_it_refers_to(client: ECRClient, repository: EcrRepository) -> None:
    subject = push(client, REPOSITORY, version(1))
    push(client, REPOSITORY, sample_artifact("text/plain", b"signature", version(1)), "signature")
    assert [str(image.subject) for image in list_images(repository)] == ["None", subject]


@pytest.mark.parametrize(("status", "numbers"), [("TAGGED", [0, 2]), ("UNTAGGED", [1, 3]), ("ANY", [0, 1, 2, 3])])
def test_images_are_listed_by_whether_they_have_tags(
    client: ECRClient, repository: EcrRepository, status: Literal["TAGGED", "UNTAGGED", "ANY"], numbers: list[int]
) -> None:
    for number in range(4):
        push(client, REPOSITORY, version(number), str(number) if number % 2 == 0 else None)
    assert [str(digest) for digest in listed(repository, status)] == [version(number).digest for number in numbers]


@needs_archives
def test_what_cannot_be_pulled_is_left_out(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, five: list[Digest]
) -> None:
    image: Any = {"repositoryName": REPOSITORY, "imageId": {"imageDigest": str(five[1])}}
    for storage_class in ("ARCHIVE", "STANDARD"):
        client.update_image_storage_class(**image, targetStorageClass=storage_class)
        assert listed(repository) == [five[0], *five[2:]]
    ecr.advance(20 * 60)
    assert sorted(map(str, listed(repository))) == sorted(map(str, five))


def test_an_empty_repository_lists_nothing_in_one_call(ecr: EcrEmulator, repository: EcrRepository) -> None:
    assert listed(repository) == []
    assert ecr.calls == ["DescribeImages"]


@pytest.mark.usefixtures("five")
def test_a_list_is_no_pull(client: ECRClient, repository: EcrRepository) -> None:
    assert len(listed(repository)) == 5
    details = client.describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert not any("lastRecordedPullTime" in detail for detail in details)


def test_another_account_is_asked_by_its_registry_id(ecr: EcrEmulator) -> None:
    owner = ecr.client(account_id=OTHER)
    owner.create_repository(repositoryName=REPOSITORY)
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=EVERYTHING)
    digest = push(owner, REPOSITORY, version(1), "one")
    (image,) = list_images(EcrRepository(ecr.client(), REPOSITORY, OTHER))
    assert (str(image.digest), image.registry_id) == (digest, OTHER)


def test_a_botocore_that_knows_less_lists_the_same(ecr: EcrEmulator, five: list[Digest], tmp_path: Path) -> None:
    unknown = [("ImageDetail", each) for each in ("imageStatus", "subjectManifestDigest", "artifactMediaType")]
    old = client_without(ecr, tmp_path, members=(*unknown, ("DescribeImagesFilter", "imageStatus")))
    assert listed(EcrRepository(old, REPOSITORY), "TAGGED") == five


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_a_page_is_as_large_as_it_may_be(ecr: EcrEmulator, repository: EcrRepository, five: list[Digest]) -> None:
    assert listed(repository, "TAGGED") == five
    (request,) = ecr.requests
    assert request.parameters == {
        "repositoryName": REPOSITORY,
        "filter": {"tagStatus": "TAGGED"},
        "maxResults": 1000,
    }


@pytest.mark.usefixtures("pages_of_two")
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_pages_are_put_together(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, count: int) -> None:
    pushed = push_numbered(ecr, client, count)
    assert listed(repository, "TAGGED") == pushed
    assert ecr.calls == ["DescribeImages"] * ((count + 1) // 2)
    assert {request.parameters["filter"]["tagStatus"] for request in ecr.requests} == {"TAGGED"}
    assert ["nextToken" in request.parameters for request in ecr.requests] == [False, True, True][: (count + 1) // 2]


@pytest.mark.usefixtures("pages_of_two", "five")
def test_a_page_is_asked_for_when_it_is_wanted(ecr: EcrEmulator, repository: EcrRepository) -> None:
    images = list_images(repository)
    assert ecr.calls == []
    for calls in (1, 1, 2, 2, 3):
        next(images)
        assert len(ecr.calls) == calls


@pytest.mark.usefixtures("pages_of_two")
def test_two_lists_at_a_time_do_not_mix(repository: EcrRepository, five: list[Digest]) -> None:
    pairs = list(zip(list_images(repository, "TAGGED"), list_images(repository, "TAGGED"), strict=True))
    assert [one.digest for one, _ in pairs] == [other.digest for _, other in pairs] == five


@pytest.mark.usefixtures("pages_of_two")
def test_an_empty_page_is_not_the_last(ecr: EcrEmulator, repository: EcrRepository, five: list[Digest]) -> None:
    ecr.faults.corrupt("DescribeImages", lambda answer: answer | {"imageDetails": []}, skip=1)
    assert listed(repository) == [*five[:2], *five[4:]]
    assert len(ecr.calls) == 3


@pytest.mark.usefixtures("pages_of_two", "five")
def test_an_image_that_is_pushed_meanwhile_does_no_harm(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    ecr.faults.before("DescribeImages", lambda: push(client, REPOSITORY, version("new"), "new"), skip=1)
    found = listed(repository)
    assert len(set(found)) == len(found) == 6


# --- Failures --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pages_of_two")
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError),
        ("ServerException", ServiceFaultError),
        ("AccessDeniedException", AccessDeniedError),
        ("InvalidParameterException", InvalidRequestError),
    ],
)
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_page_that_fails_is_an_error_behind_those_before(
    ecr: EcrEmulator, once: EcrRepository, five: list[Digest], code: str, error: type[EcrCallError], page: int
) -> None:
    ecr.faults.fail("DescribeImages", code, skip=page)
    images = list_images(once, "TAGGED")
    assert [next(images).digest for _ in range(2 * page)] == five[: 2 * page]
    with pytest.raises(error, match=rf"DescribeImages of {REPOSITORY} failed: .*{code}"):
        next(images)
    assert listed(once, "TAGGED") == five


@pytest.mark.usefixtures("pages_of_two", "five")
def test_throttling_is_tried_again_where_it_happened(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.faults.fail("DescribeImages", "ThrottlingException", skip=2)
    assert len(listed(repository)) == 5
    assert len(ecr.calls) == 4


@pytest.mark.usefixtures("pages_of_two", "five")
def test_a_repository_that_is_deleted_meanwhile_is_an_error(
    ecr: EcrEmulator, client: ECRClient, once: EcrRepository
) -> None:
    delete: Any = {"repositoryName": REPOSITORY, "force": True}
    ecr.faults.before("DescribeImages", lambda: client.delete_repository(**delete), skip=1)
    with pytest.raises(RepositoryNotFoundError, match="Create the repository"):
        listed(once)


def test_a_missing_repository_is_an_error(client: ECRClient) -> None:
    with pytest.raises(RepositoryNotFoundError, match=r"DescribeImages of shop/none failed"):
        listed(EcrRepository(client, "shop/none"))


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize(
    "image",
    [
        {"imageDigest": None},
        {"imageDigest": "none"},
        {"registryId": None},
        pytest.param({"subjectManifestDigest": "none"}, marks=needs_subjects),
    ],
)
def test_an_answer_of_another_shape_is_a_fault(
    ecr: EcrEmulator, once: EcrRepository, image: dict[str, str | None]
) -> None:
    ecr.faults.corrupt("DescribeImages", lambda answer: answer | {"imageDetails": [answer["imageDetails"][0] | image]})
    with pytest.raises(ServiceFaultError):
        listed(once)


@pytest.mark.usefixtures("five")
def test_an_answer_without_images_is_a_fault_and_no_empty_repository(ecr: EcrEmulator, once: EcrRepository) -> None:
    ecr.faults.corrupt("DescribeImages", lambda _: {})
    with pytest.raises(ServiceFaultError):
        listed(once)
