"""What many tags name, and in how many calls one knows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import put, version
from local_ecr import REPOSITORY, needs_archives
from old_botocore import client_without

from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.ecr.tags import describe_tags
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push
from ecr_provider.exceptions import AccessDeniedError, RepositoryNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MANY = [f"v{number}" for number in range(250)]


@pytest.fixture
def tagged(ecr: EcrEmulator, client: ECRClient) -> dict[str, str]:
    """Three images under a few tags: the digest of each tag."""
    digests = {}
    push(client, REPOSITORY, version(0))
    for number, tags in enumerate((["v0", "v1"], ["v2"], ["v3"])):
        for tag in tags:
            digests[tag] = put(client, REPOSITORY, version(number), imageTag=tag)
    ecr.clear_requests()
    return digests


def told(repository: EcrRepository, *tags: str) -> dict[str, str | None]:
    return {tag: str(detail.digest) if detail else None for tag, detail in describe_tags(repository, tags).items()}


def overfill(ecr: EcrEmulator) -> None:
    """Have the repository be larger than one answer, as far as the one that lists it goes."""

    def with_more(answer: Any) -> Any:
        return answer | {"nextToken": "more"}

    ecr.faults.corrupt("DescribeImages", with_more, skip=1)


def test_nothing_is_asked_about_no_tags(ecr: EcrEmulator, repository: EcrRepository) -> None:
    assert (describe_tags(repository, []), ecr.calls) == ({}, [])


def test_tags_that_are_there_take_one_call(ecr: EcrEmulator, repository: EcrRepository, tagged: dict[str, str]) -> None:
    assert told(repository, "v3", "v0", "v1", "v3") == {tag: tagged[tag] for tag in ("v3", "v0", "v1")}
    assert ecr.calls == ["DescribeImages"]
    assert ecr.requests[0].parameters["imageIds"] == [{"imageTag": tag} for tag in ("v3", "v0", "v1")]


def test_250_tags_take_three_calls(ecr: EcrEmulator, repository: EcrRepository, client: ECRClient) -> None:
    push(client, REPOSITORY, version(0))
    images = [put(client, REPOSITORY, version(number // 100), imageTag=tag) for number, tag in enumerate(MANY)]
    ecr.clear_requests()
    assert told(repository, *MANY) == dict(zip(MANY, images, strict=True))
    assert [len(each.parameters["imageIds"]) for each in ecr.requests] == [100, 100, 50]


def test_of_250_tags_that_are_gone_two_calls_tell(
    ecr: EcrEmulator, repository: EcrRepository, tagged: dict[str, str]
) -> None:
    assert told(repository, *MANY) == dict.fromkeys(MANY) | tagged
    assert ecr.calls == ["DescribeImages"] * 2


def test_in_a_repository_that_one_answer_does_not_hold_calls_are_halved(
    ecr: EcrEmulator, repository: EcrRepository, tagged: dict[str, str]
) -> None:
    overfill(ecr)
    assert told(repository, "v0", "v1", "gone", "v2", "v3") == tagged | {"gone": None}
    asked = [[each["imageTag"] for each in one.parameters.get("imageIds", ())] for one in ecr.requests]
    assert asked == [["v0", "v1", "gone", "v2", "v3"], [], ["v0", "v1"], ["gone", "v2", "v3"], ["gone"], ["v2", "v3"]]


def test_a_large_repository_is_listed_once(ecr: EcrEmulator, repository: EcrRepository, tagged: dict[str, str]) -> None:
    overfill(ecr)
    assert told(repository, *MANY) == dict.fromkeys(MANY) | tagged
    assert sum("imageIds" not in each.parameters for each in ecr.requests) == 1


@pytest.mark.usefixtures("tagged")
def test_one_tag_that_is_gone_in_a_large_repository(ecr: EcrEmulator, repository: EcrRepository) -> None:
    overfill(ecr)
    assert told(repository, "gone") == {"gone": None}
    assert ecr.calls == ["DescribeImages"] * 2


@needs_archives
@pytest.mark.parametrize("others", [[], ["gone"]])
def test_an_archived_image_is_told_of(
    repository: EcrRepository, client: ECRClient, tagged: dict[str, str], others: list[str]
) -> None:
    image_id: Any = {"imageDigest": tagged["v2"]}
    client.update_image_storage_class(repositoryName=REPOSITORY, imageId=image_id, targetStorageClass="ARCHIVE")
    found = describe_tags(repository, ["v0", "v2", *others])
    assert {tag: detail and detail.image_status for tag, detail in found.items()} == {
        "v0": "ACTIVE",
        "v2": "ARCHIVED",
    } | dict.fromkeys(others)


def test_a_botocore_from_before_archived_images_does(ecr: EcrEmulator, tagged: dict[str, str], tmp_path: Path) -> None:
    client = client_without(ecr, tmp_path, members=(("DescribeImagesFilter", "imageStatus"),))
    assert told(EcrRepository(client, REPOSITORY), "v2", "gone") == {"v2": tagged["v2"], "gone": None}


def test_a_repository_that_is_gone_is_an_error(client: ECRClient) -> None:
    with pytest.raises(RepositoryNotFoundError):
        describe_tags(EcrRepository(client, "shop/gone"), ["v0"])


def test_who_may_not_ask_is_told(ecr: EcrEmulator, repository: EcrRepository, tagged: dict[str, str]) -> None:
    ecr.faults.fail("DescribeImages", "AccessDeniedException", skip=1)
    with pytest.raises(AccessDeniedError):
        describe_tags(repository, [*tagged, "gone"])
