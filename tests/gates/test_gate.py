"""What all gates share: looks, and the image that is gated, as they travel between a worker and a triggerer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import strategies
from emulator_calls import ONCE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REPOSITORY

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage
from ecr_provider.exceptions import (
    AccessDeniedError,
    ImageNotFoundError,
    InvalidDigestError,
    InvalidInputError,
    RepositoryNotFoundError,
)
from ecr_provider.gates.gate import GatedImage, Look, Verdict, look_at, look_line
from ecr_provider.gates.kinds import gate_of
from ecr_provider.oci import Digest
from ecr_provider.oci.media_types import OCI_IMAGE_MANIFEST

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
DIGEST = Digest.of(b"image")
IMAGE = GatedImage(DIGEST, "build-42", ACCOUNT, OCI_IMAGE_MANIFEST)

# What a report is made of: JSON that is equal to itself.
_reports = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_looks = st.builds(
    Look,
    st.sampled_from(Verdict),
    st.text(max_size=50),
    st.none() | st.dictionaries(st.text(max_size=8), _reports, max_size=4),
    st.lists(st.text(max_size=50), max_size=3).map(tuple),
)
_images = st.builds(
    GatedImage,
    strategies.digests(),
    st.none() | strategies.tags(),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    st.none() | st.just(OCI_IMAGE_MANIFEST),
)


class Answers:
    """A gate that answers what it is told to."""

    target = ":prod"

    def __init__(self, answer: Look | Exception) -> None:
        self._answer = answer

    def look(self, repository: EcrRepository) -> Look:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


# --- As JSON ---------------------------------------------------------------------------------------------------------


@given(_looks)
def test_a_look_comes_back_from_json_as_it_was(look: Look) -> None:
    assert Look.from_json(json.loads(json.dumps(look.to_json()))) == look


@given(_images)
def test_an_image_comes_back_from_json_as_it_was(image: GatedImage) -> None:
    assert GatedImage.from_json(json.loads(json.dumps(image.to_json()))) == image


@pytest.mark.parametrize("damage", [{"digest": "sha256:short"}, {"digest": "build-42"}])
def test_an_image_whose_digest_is_none_is_refused(damage: dict[str, str]) -> None:
    with pytest.raises(InvalidDigestError):
        GatedImage.from_json(IMAGE.to_json() | damage)


@pytest.mark.parametrize("kind", ["image_lifecycle", "image_referrers", "image_replication"])
def test_gates_of_images_are_made_by_their_names(kind: str) -> None:
    assert gate_of(kind, {"image": IMAGE.to_json()}).target == f":build-42@{DIGEST}"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("image_replication", "destinations"),
        ("image_referrers", "artifact_types"),
        ("image_referrers", "signing_profile_arns"),
    ],
)
@pytest.mark.parametrize("listed", [[], (), "text", "", 7, {"a": "b"}, {"a"}, [None], [7], [" "], [["a"]]], ids=str)
def test_what_has_to_be_a_list_of_text_is_refused_if_it_is_none(kind: str, name: str, listed: object) -> None:
    with pytest.raises(InvalidInputError, match=f"^{name} (is|has) ") as caught:
        gate_of(kind, {"image": IMAGE.to_json(), name: listed})
    assert "is a list; it has to be a list" not in str(caught.value)


@pytest.mark.parametrize("number", ["", "7 days", "7.5", 7.5, True, -1, "-1", [7]], ids=str)
@pytest.mark.parametrize("name", ["days_ahead", "pushes_ahead"])
def test_what_has_to_be_a_number_is_refused_if_it_is_none(name: str, number: object) -> None:
    with pytest.raises(InvalidInputError, match=f"^{name} "):
        gate_of("image_lifecycle", {"image": IMAGE.to_json(), name: number})


# --- Looks -----------------------------------------------------------------------------------------------------------


def test_a_look_that_waits_has_nothing_to_report() -> None:
    assert Look.waiting("waiting for rain") == Look(Verdict.WAITING, "waiting for rain", None, ())


def test_what_a_look_leaves_in_the_log(repository: EcrRepository) -> None:
    look = Look.waiting("waiting for rain")
    assert look_line(repository, Answers(look), look, 12, 59.6) == (
        f"Look 12 after 60 s: {REPOSITORY}:prod waiting for rain"
    )


@pytest.mark.parametrize("code", ["ThrottlingException", "ServerException"])
def test_a_call_that_may_succeed_next_time_is_a_look_that_saw_nothing(ecr: EcrEmulator, code: str) -> None:
    ecr.faults.fail("DescribeRegistry", code)
    repository = EcrRepository(ecr.client(config=ONCE), REPOSITORY)
    look = look_at(gate_of("image_replication", {"image": IMAGE.to_json()}), repository)
    assert (look.verdict, look.report, look.details) == (Verdict.WAITING, None, ())
    assert look.says.startswith(f"no answer: DescribeRegistry of {REPOSITORY} failed: ")


def test_what_no_look_can_mend_is_an_error(ecr: EcrEmulator, repository: EcrRepository) -> None:
    with pytest.raises(InvalidInputError, match="in vain"):
        look_at(Answers(InvalidInputError("in vain")), repository)
    ecr.faults.fail("DescribeRegistry", "AccessDeniedException")
    with pytest.raises(AccessDeniedError):
        look_at(gate_of("image_replication", {"image": IMAGE.to_json()}), repository)


# --- The image that is gated -----------------------------------------------------------------------------------------


def test_a_tag_is_resolved_by_one_call_that_is_no_pull(
    ecr: EcrEmulator, repository: EcrRepository, build: Build
) -> None:
    image = build("new", "build-42", "prod")
    found = GatedImage.resolve(repository, ImageIdentifier(tag="prod"))
    assert found == GatedImage(Digest.parse(image.digest), "prod", ACCOUNT, image.media_type)
    assert ecr.calls == ["DescribeImages"]


def test_a_digest_is_resolved_without_its_tags(repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42")
    digest = Digest.parse(image.digest)
    assert GatedImage.resolve(repository, ImageIdentifier(digest)).tag is None
    assert GatedImage.resolve(repository, ImageIdentifier(digest, "build-42")).tag == "build-42"


def test_a_tag_that_points_elsewhere_is_not_there(repository: EcrRepository, build: Build) -> None:
    image = build("new", "build-42")
    build("old", "prod")
    with pytest.raises(ImageNotFoundError, match=f"{REPOSITORY}:prod@{image.digest}"):
        GatedImage.resolve(repository, ImageIdentifier(Digest.parse(image.digest), "prod"))


@pytest.mark.parametrize("identifier", [ImageIdentifier(DIGEST), ImageIdentifier(tag="prod")], ids=str)
def test_what_is_not_there_is_an_error(
    client: ECRClient, repository: EcrRepository, identifier: ImageIdentifier
) -> None:
    with pytest.raises(ImageNotFoundError):
        GatedImage.resolve(repository, identifier)
    with pytest.raises(RepositoryNotFoundError):
        GatedImage.resolve(EcrRepository(client, "shop/nowhere"), identifier)


def test_the_report_names_the_image_as_ecr_does(repository: EcrRepository) -> None:
    assert IMAGE.report(repository, Verdict.FAILED, findings=[1]) == {
        "imageDigest": str(DIGEST),
        "imageTag": "build-42",
        "imageTags": ["build-42"],
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{DIGEST}",
        "imageManifestMediaType": OCI_IMAGE_MANIFEST,
        "outcome": "failed",
        "findings": [1],
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_images, st.sampled_from(Verdict))
def test_a_report_is_json_of_one_digest(repository: EcrRepository, image: GatedImage, verdict: Verdict) -> None:
    report = image.report(repository, verdict)
    assert json.loads(json.dumps(report)) == report
    assert report["imageUri"].endswith(f"@{report['imageDigest']}")
    assert report["imageTags"] == [tag for tag in [image.tag] if tag is not None]
