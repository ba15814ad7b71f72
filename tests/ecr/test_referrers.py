"""What refers to what in a repository, as the local ECR answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from copies import SignedImage, signed_image
from emulator_calls import ONCE
from local_ecr import REPOSITORY, needs, needs_archives, needs_member

from ecr_provider.ecr.referrers import all_referrers, can_list_referrers, describe_referrers, list_referrers
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image
from ecr_provider.exceptions import AccessDeniedError, RepositoryNotFoundError, ServiceFaultError, ThrottledError
from ecr_provider.oci import Descriptor, Digest, Referrer
from ecr_provider.oci.media_types import OCI_IMAGE_MANIFEST

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OTHER = "999999999999"
EVERYTHING = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'

needs_subjects = needs_member("ImageDetail", "subjectManifestDigest")
needs_lists = needs("ListImageReferrers")


def referrer(digest: str) -> Referrer:
    return Referrer(Digest.parse(digest), OCI_IMAGE_MANIFEST)


def expected_of(signed: SignedImage) -> dict[Digest, tuple[Referrer, ...]]:
    return {Digest.parse(subject): (referrer(digest),) for digest, subject in signed.subjects.items()}


def archive(client: ECRClient, digest: str) -> None:
    client.update_image_storage_class(
        repositoryName=REPOSITORY, imageId={"imageDigest": digest}, targetStorageClass="ARCHIVE"
    )


@pytest.fixture
def signed(ecr: EcrEmulator, client: ECRClient) -> SignedImage:
    """An image with three referrers."""
    image = signed_image()
    image.push(client, REPOSITORY, "build-42")
    ecr.clear_requests()
    return image


@pytest.fixture
def foreign(ecr: EcrEmulator) -> EcrRepository:
    """A repository of another account, which allows everything, with the signed image."""
    owner = ecr.client(account_id=OTHER)
    owner.create_repository(repositoryName=REPOSITORY)
    signed_image().push(owner, REPOSITORY)
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=EVERYTHING)
    ecr.clear_requests()
    return EcrRepository(ecr.client(), REPOSITORY, OTHER)


# --- All of them, by one call ----------------------------------------------------------------------------------------


@needs_subjects
def test_one_call_tells_what_refers_to_what(ecr: EcrEmulator, repository: EcrRepository, signed: SignedImage) -> None:
    assert all_referrers(repository) == expected_of(signed)
    assert ecr.calls == ["DescribeImages"]
    assert ecr.requests[-1].parameters == {"repositoryName": REPOSITORY, "maxResults": 1000}


@needs_subjects
def test_an_image_with_many_tags_is_no_second_referrer(
    client: ECRClient, repository: EcrRepository, signed: SignedImage
) -> None:
    push(client, REPOSITORY, signed.referrers[0], "signature")
    push(client, REPOSITORY, signed.referrers[0], "signature-again")
    assert all_referrers(repository) == expected_of(signed)


@needs_subjects
def test_several_referrers_of_one_subject_are_together(client: ECRClient, repository: EcrRepository) -> None:
    subject = sample_image()
    pushed = {push(client, REPOSITORY, sample_artifact("text/plain", b"%d" % at, subject)) for at in range(3)}
    found = all_referrers(repository)
    assert found is not None
    assert set(found) == {Digest.parse(subject.digest)}
    assert len(found[Digest.parse(subject.digest)]) == 3
    assert set(found[Digest.parse(subject.digest)]) == set(map(referrer, pushed))


@needs_subjects
def test_a_repository_without_referrers_is_no_riddle(repository: EcrRepository) -> None:
    assert all_referrers(repository) == {}


@needs_subjects
@pytest.mark.parametrize(("page", "tells"), [(5, False), (6, True), (7, True)])
@pytest.mark.usefixtures("signed")
def test_more_images_than_one_answer_holds_do_not_tell(
    ecr: EcrEmulator, repository: EcrRepository, monkeypatch: pytest.MonkeyPatch, page: int, tells: bool
) -> None:
    monkeypatch.setattr("ecr_provider.ecr.referrers.MAX_IMAGES_A_PAGE", page)  # the repository has six images
    assert (all_referrers(repository) is not None) is tells
    assert ecr.calls == ["DescribeImages"]


@needs_subjects
@needs_archives
def test_an_archived_referrer_is_left_out(client: ECRClient, repository: EcrRepository, signed: SignedImage) -> None:
    gone = signed.referrers[-1].digest
    archive(client, gone)
    expected = expected_of(signed)
    del expected[Digest.parse(signed.subjects[gone])]
    assert all_referrers(repository) == expected


@needs_subjects
@pytest.mark.usefixtures("signed")
def test_who_may_not_describe_images_is_not_told(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.faults.fail("DescribeImages", "AccessDeniedException")
    assert all_referrers(repository) is None


@needs_subjects
def test_all_referrers_of_another_account_are_asked_for_by_its_registry_id(
    ecr: EcrEmulator, foreign: EcrRepository
) -> None:
    assert all_referrers(foreign) == expected_of(signed_image())
    assert ecr.requests[-1].parameters["registryId"] == OTHER


@needs_subjects
def test_other_failures_of_the_one_call_are_errors(ecr: EcrEmulator) -> None:
    client = ecr.client(config=ONCE)
    with pytest.raises(RepositoryNotFoundError, match=r"DescribeImages of shop/none failed"):
        all_referrers(EcrRepository(client, "shop/none"))
    ecr.faults.fail("DescribeImages")
    with pytest.raises(ThrottledError):
        all_referrers(EcrRepository(client, REPOSITORY))


@needs_subjects
@pytest.mark.parametrize("image", [{"subjectManifestDigest": "none"}, {"imageDigest": None}])
@pytest.mark.usefixtures("signed")
def test_an_image_without_a_digest_is_a_fault(
    ecr: EcrEmulator, repository: EcrRepository, image: dict[str, str | None]
) -> None:
    whole = {"subjectManifestDigest": str(Digest.of(b"")), "imageDigest": str(Digest.of(b""))}
    ecr.faults.corrupt("DescribeImages", lambda answer: answer | {"imageDetails": [whole | image]})
    with pytest.raises(ServiceFaultError):
        all_referrers(repository)


# --- Those of one manifest -------------------------------------------------------------------------------------------


def test_the_installed_botocore_is_asked_whether_it_can_list(repository: EcrRepository) -> None:
    assert can_list_referrers(repository) is hasattr(repository.client, "list_image_referrers")


@needs_lists
def test_the_referrers_of_each_manifest_are_listed(
    ecr: EcrEmulator, repository: EcrRepository, signed: SignedImage
) -> None:
    listed = {
        Digest.parse(each.digest): list_referrers(repository, Digest.parse(each.digest)) for each in signed.manifests
    }
    assert {subject: found for subject, found in listed.items() if found} == expected_of(signed)
    assert ecr.calls == ["ListImageReferrers"] * 6
    assert ecr.requests[0].parameters["maxResults"] == 50


@needs_lists
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_pages_are_put_together(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("ecr_provider.ecr.referrers.MAX_REFERRERS_A_PAGE", 2)
    subject = sample_image()
    pushed = [push(client, REPOSITORY, sample_artifact("text/plain", b"%d" % at, subject)) for at in range(count)]
    ecr.clear_requests()
    assert list_referrers(repository, Digest.parse(subject.digest)) == tuple(map(referrer, pushed))
    assert ecr.calls == ["ListImageReferrers"] * ((count + 1) // 2)
    assert {request.parameters["maxResults"] for request in ecr.requests} == {2}


@needs_lists
@needs_archives
def test_an_archived_referrer_is_not_listed(client: ECRClient, repository: EcrRepository, signed: SignedImage) -> None:
    gone = signed.referrers[-1].digest
    archive(client, gone)
    assert list_referrers(repository, Digest.parse(signed.subjects[gone])) == ()


@needs_lists
def test_referrers_are_listed_of_another_account_by_its_registry_id(ecr: EcrEmulator, foreign: EcrRepository) -> None:
    ((subject, expected), *_) = expected_of(signed_image()).items()
    assert list_referrers(foreign, subject) == expected
    assert ecr.requests[-1].parameters["registryId"] == OTHER


@needs_lists
def test_failures_of_a_list_are_errors(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    digest = Digest.of(b"")
    with pytest.raises(RepositoryNotFoundError, match=rf"ListImageReferrers of shop/none@{digest} failed"):
        list_referrers(EcrRepository(client, "shop/none"), digest)
    ecr.faults.fail("ListImageReferrers", "AccessDeniedException")
    with pytest.raises(AccessDeniedError):
        list_referrers(repository, digest)


@needs_lists
@pytest.mark.parametrize("referrers", [None, [{"mediaType": "x"}], [{"digest": "none", "mediaType": "x"}]])
def test_a_list_of_another_shape_is_a_fault(ecr: EcrEmulator, repository: EcrRepository, referrers: object) -> None:
    ecr.faults.corrupt("ListImageReferrers", lambda answer: answer | {"referrers": referrers})
    with pytest.raises(ServiceFaultError):
        list_referrers(repository, Digest.of(b""))


# --- What they are ---------------------------------------------------------------------------------------------------


@needs_lists
def test_a_referrer_is_told_with_its_type_and_annotations(client: ECRClient, repository: EcrRepository) -> None:
    subject = sample_image()
    bare = sample_artifact("application/spdx+json", b"1", subject)
    annotated = sample_artifact("application/x.sig", b"2", subject, {"made.by": "a build"})
    push(client, REPOSITORY, subject, "v1")
    pushed = [Digest.parse(push(client, REPOSITORY, each)) for each in (bare, annotated)]
    assert describe_referrers(repository, Digest.parse(subject.digest)) == (
        Descriptor(OCI_IMAGE_MANIFEST, pushed[0], len(bare.text), artifact_type="application/spdx+json"),
        Descriptor(
            OCI_IMAGE_MANIFEST,
            pushed[1],
            len(annotated.text),
            annotations={"made.by": "a build"},
            artifact_type="application/x.sig",
        ),
    )


@needs_lists
def test_a_referrer_that_does_not_say_what_it_is_is_told_all_the_same(
    ecr: EcrEmulator, repository: EcrRepository
) -> None:
    bare = {"digest": str(Digest.of(b"")), "mediaType": OCI_IMAGE_MANIFEST, "size": 7}
    ecr.faults.corrupt("ListImageReferrers", lambda answer: answer | {"referrers": [bare]})
    (told,) = describe_referrers(repository, Digest.of(b"subject"))
    assert told == Descriptor(OCI_IMAGE_MANIFEST, Digest.of(b""), 7)
    assert told.artifact_type is None


@needs_lists
@pytest.mark.parametrize("member", ["digest", "mediaType", "size"])
def test_a_referrer_that_lacks_a_part_is_a_fault(ecr: EcrEmulator, repository: EcrRepository, member: str) -> None:
    whole = {"digest": str(Digest.of(b"")), "mediaType": OCI_IMAGE_MANIFEST, "size": 7}
    ecr.faults.corrupt("ListImageReferrers", lambda answer: answer | {"referrers": [whole | {member: None}]})
    with pytest.raises(ServiceFaultError):
        describe_referrers(repository, Digest.of(b"subject"))
