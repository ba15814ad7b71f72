"""What a sensor sees in one look."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from local_ecr import ACCOUNT, REPOSITORY, needs_archives

from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import AccessDeniedError, InvalidInputError, RepositoryNotFoundError
from ecr_provider.gates.gate import Verdict, look_at, look_line
from ecr_provider.gates.image import ImageGate
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
NOWHERE = str(Digest.of(b"nowhere"))


def says(repository: EcrRepository, **condition: Any) -> str:
    look = look_at(ImageGate.from_json(**condition), repository)
    assert (look.verdict, look.report) == (Verdict.WAITING, None)
    return look.says.split("; ", 1)[-1]


def found(repository: EcrRepository, **condition: Any) -> Any:
    look = look_at(ImageGate.from_json(**condition), repository)
    assert look.verdict is Verdict.PASSED
    return look.report


def test_a_tag_that_exists_is_found_in_one_call(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42")
    report = found(repository, image_tag="build-42")
    assert ecr.calls == ["DescribeImages"]
    assert report == {
        "imageDigest": image.digest,
        "imageTag": "build-42",
        "imageTags": ["build-42"],
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{image.digest}",
        "imageManifestMediaType": image.media_type,
        "outcome": "found",
        "previousImageDigest": None,
        "tags": [{"imageTag": "build-42", "outcome": "found", "previousImageDigest": None}],
    }


def test_a_digest_is_found_with_all_its_tags(repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42", "prod")
    report = found(repository, image_digest=image.digest)
    assert (report["imageTag"], set(report["imageTags"])) == (None, {"build-42", "prod"})


def test_a_missing_image_is_waited_for(repository: EcrRepository) -> None:
    assert says(repository, image_tag="build-42") == "no such image"
    assert says(repository, image_digest=NOWHERE) == "no such image"


def test_a_tag_has_to_point_at_the_digest(repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42")
    assert says(repository, image_tag="build-42", image_digest=NOWHERE) == f"the tag points at {image.digest}"
    assert found(repository, image_tag="build-42", image_digest=image.digest)


def test_a_tag_has_to_point_away_from_the_digest(repository: EcrRepository, build: Build) -> None:
    image = build("new", "prod")
    assert (
        says(repository, image_tag="prod", other_than_image_digest=image.digest) == f"the tag points at {image.digest}"
    )
    assert found(repository, image_tag="prod", other_than_image_digest=NOWHERE)["previousImageDigest"] == NOWHERE


def test_an_index_has_to_have_the_platforms(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42", platforms=["linux/amd64", "linux/arm64"])
    assert found(repository, image_tag="build-42", platforms=["linux/arm64", "linux/amd64"])
    assert ecr.calls == ["DescribeImages", "BatchGetImage"]
    wanted = ["linux/amd64", "linux/s390x", "windows/amd64"]
    assert (
        says(repository, image_tag="build-42", platforms=wanted) == f"{image.digest} lacks linux/s390x, windows/amd64"
    )


def test_a_single_manifest_is_no_index(repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42", platforms=["linux/amd64"])
    line = says(repository, image_tag="build-42", platforms=["linux/amd64"])
    assert line == f"{image.digest} is not an index, and lists no platforms"


@needs_archives
def test_an_archived_image_is_not_there_until_it_is_restored(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build
) -> None:
    image = build("new", "build-42", platforms=["linux/amd64"])
    identifier = {"repositoryName": REPOSITORY, "imageId": {"imageDigest": image.digest}}
    client.update_image_storage_class(**identifier, targetStorageClass="ARCHIVE")  # type: ignore[arg-type]  # a dict
    assert "cannot be pulled: its status is ARCHIVED" in says(repository, image_tag="build-42")
    client.update_image_storage_class(**identifier, targetStorageClass="STANDARD")  # type: ignore[arg-type]  # a dict
    assert "cannot be pulled: its status is ACTIVATING" in says(repository, image_tag="build-42")
    ecr.advance(20 * 60)
    assert found(repository, image_tag="build-42")


def test_a_missing_repository_is_an_error_unless_it_is_waited_for(client: ECRClient) -> None:
    nowhere = EcrRepository(client, "shop/nowhere")
    with pytest.raises(RepositoryNotFoundError):
        ImageGate(tag="prod").look(nowhere)
    assert says(nowhere, image_tag="prod", wait_for_repository=True) == "no such repository"


def test_a_throttled_look_saw_nothing(ecr: EcrEmulator, repository: EcrRepository, build: Build) -> None:
    build("new", "build-42")
    ecr.faults.fail("DescribeImages", "ThrottlingException", times=3)
    assert "Rate exceeded" in says(repository, image_tag="build-42")
    assert found(repository, image_tag="build-42")


def test_a_refusal_is_not_waited_out(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.faults.fail("DescribeImages", "AccessDeniedException")
    with pytest.raises(AccessDeniedError):
        ImageGate(tag="prod").look(repository)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"other_than_image_digest": NOWHERE},
        {"image_digest": NOWHERE, "other_than_image_digest": NOWHERE, "image_tag": "prod"},
        {"image_tag": "no good"},
        {"image_tag": 1.1},
        {"image_digest": "sha256:short"},
        {"image_tag": "prod", "platforms": "linux/amd64"},
        {"image_tag": "prod", "platforms": ["linux"]},
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        ImageGate.from_json(**arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"image_tag": "prod"}, "to exist"),
        ({"image_digest": NOWHERE}, "to exist"),
        ({"image_tag": "prod", "image_digest": NOWHERE}, f"to point at {NOWHERE}"),
        ({"image_tag": "prod", "other_than_image_digest": NOWHERE}, f"to point away from {NOWHERE}"),
        ({"image_tag": "prod", "platforms": ["linux/arm64"]}, "to exist with linux/arm64"),
    ],
)
def test_the_log_says_what_is_waited_for(repository: EcrRepository, arguments: dict[str, Any], text: str) -> None:
    gate = ImageGate.from_json(**arguments)
    line = look_line(repository, gate, gate.look(repository), 3, 125.4)
    assert line == f"Look 3 after 125 s: {REPOSITORY}{gate.target} waiting {text}; no such image"


def test_an_image_deleted_between_two_calls_is_not_there(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, build: Build
) -> None:
    build("new", "build-42")
    gone = [{"imageTag": "build-42"}]
    ecr.faults.before("BatchGetImage", lambda: client.batch_delete_image(repositoryName=REPOSITORY, imageIds=gone))  # type: ignore[arg-type]  # a dict
    assert says(repository, image_tag="build-42", platforms=["linux/amd64"]) == "no such image"
