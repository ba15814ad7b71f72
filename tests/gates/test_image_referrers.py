"""The gate of what refers to an image, and of ECR's own signing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import OTHER, put, version
from local_ecr import ACCOUNT, REPOSITORY, needs, needs_archives
from old_botocore import client_without
from sample_indexes import LINUX, NOBODY, entry, index_of

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator, SigningStep
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_artifact, sample_image
from ecr_provider.exceptions import AccessDeniedError, ImageNotFoundError, InvalidInputError
from ecr_provider.gates.gate import GatedImage, Look, Verdict, look_at
from ecr_provider.gates.image_referrers import ReferrersGate
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    Subject = SampleManifest | SampleImage

SBOM, BUNDLE = "application/spdx+json", "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
RELEASE, CENTRAL = (f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/{name}" for name in ("release", "central"))
IMAGE = version(1)
INDEX = sample_image()
AMD64, ARM64 = INDEX.children

pytestmark = [needs("ListImageReferrers"), needs("PutSigningConfiguration")]


def gate(repository: EcrRepository, image: Subject = IMAGE, **arguments: Any) -> ReferrersGate:
    gated = GatedImage.resolve(repository, ImageIdentifier(Digest.parse(image.digest)))
    return ReferrersGate.from_json(image=gated.to_json(), **arguments)


def look(repository: EcrRepository, image: Subject = IMAGE, **arguments: Any) -> Look:
    return look_at(gate(repository, image, **arguments), repository)


def says(repository: EcrRepository, image: Subject = IMAGE, **arguments: Any) -> str:
    seen = look(repository, image, **arguments)
    assert (seen.verdict, seen.report) == (Verdict.WAITING, None)
    return seen.says.removeprefix("waiting for what refers to it; ")


def report(repository: EcrRepository, image: Subject = IMAGE, **arguments: Any) -> Any:
    seen = look(repository, image, **arguments)
    assert seen.verdict is Verdict.PASSED
    return seen.report


@pytest.fixture
def refer(client: ECRClient) -> Callable[..., str]:
    """Push something that refers to an image, and return its digest."""

    def push_referrer(artifact_type: str, subject: Subject = IMAGE, content: bytes = b"1") -> str:
        return push(client, REPOSITORY, sample_artifact(artifact_type, content, subject))

    return push_referrer


@pytest.fixture(autouse=True)
def _pushed(client: ECRClient) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    push(client, REPOSITORY, INDEX, "index")


# --- Referrers -------------------------------------------------------------------------------------------------------


def test_a_referrer_that_comes_late_is_waited_for(
    ecr: EcrEmulator, repository: EcrRepository, refer: Callable[..., str]
) -> None:
    one = gate(repository, artifact_types=[SBOM])
    ecr.clear_requests()
    assert look_at(one, repository) == Look.waiting(f"waiting for what refers to it; lacks {SBOM}")
    assert ecr.calls == ["ListImageReferrers"]
    sbom = refer(SBOM)
    seen = look_at(one, repository)
    assert (seen.verdict, seen.says) == (Verdict.PASSED, "has 1 referrer")
    assert seen.report is not None
    assert seen.report["outcome"] == "passed"
    assert seen.report["referrers"] == [{"subjectDigest": IMAGE.digest, "imageDigest": sbom, "artifactType": SBOM}]
    assert seen.report["signingStatuses"] == []


def test_every_type_has_to_be_there(repository: EcrRepository, refer: Callable[..., str]) -> None:
    wanted = [SBOM, BUNDLE, "text/x"]
    refer(BUNDLE)
    assert says(repository, artifact_types=wanted) == f"lacks {SBOM}, text/x"
    refer("text/x")
    assert says(repository, artifact_types=wanted) == f"lacks {SBOM}"
    refer(SBOM)
    assert len(report(repository, artifact_types=wanted)["referrers"]) == 3


@pytest.mark.parametrize(
    ("wanted", "is_there"),
    [
        (BUNDLE, True),
        ("application/vnd.dev.sigstore.bundle.*", True),
        ("application/vnd.dev.sigstore.*+json", True),
        ("*", True),
        ("*sigstore*", True),
        (BUNDLE.upper(), False),
        (BUNDLE.removesuffix("+json"), False),
        (f" {BUNDLE}", False),
        ("application/vnd.dev.sigstore.bundle.v?.3+json", False),
        ("application/vnd.dev.sigstore.bundle.v0.3[+]json", False),
        ("sigstore", False),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_does(
    repository: EcrRepository, refer: Callable[..., str], wanted: str, is_there: bool
) -> None:
    refer(BUNDLE)
    assert look(repository, artifact_types=[wanted]).verdict is (Verdict.PASSED if is_there else Verdict.WAITING)


def test_what_refers_to_a_referrer_or_to_another_image_does_not_count(
    client: ECRClient, repository: EcrRepository, refer: Callable[..., str]
) -> None:
    sbom = sample_artifact(SBOM, b"1", IMAGE)
    push(client, REPOSITORY, sbom)
    refer(BUNDLE, sbom)
    refer(BUNDLE, INDEX)
    refer(BUNDLE, AMD64)
    assert says(repository, artifact_types=[BUNDLE]) == f"lacks {BUNDLE}"


@needs_archives
def test_a_referrer_that_is_archived_is_not_there(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, refer: Callable[..., str]
) -> None:
    identifier: Any = {"repositoryName": REPOSITORY, "imageId": {"imageDigest": refer(SBOM)}}
    client.update_image_storage_class(**identifier, targetStorageClass="ARCHIVE")
    assert says(repository, artifact_types=[SBOM]) == f"lacks {SBOM}"
    client.update_image_storage_class(**identifier, targetStorageClass="STANDARD")
    assert says(repository, artifact_types=[SBOM]) == f"lacks {SBOM}"
    ecr.advance(20 * 60)
    assert report(repository, artifact_types=[SBOM])


def test_a_referrer_on_the_last_page_is_found(
    ecr: EcrEmulator, repository: EcrRepository, refer: Callable[..., str]
) -> None:
    for number in range(50):
        refer("text/x", content=b"%d" % number)
    assert says(repository, artifact_types=[SBOM]) == f"lacks {SBOM}"
    refer(SBOM)
    ecr.clear_requests()
    assert len(report(repository, artifact_types=[SBOM])["referrers"]) == 51
    assert ecr.calls.count("ListImageReferrers") == 2


# --- Of an index -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subjects", "lacking"),
    [
        ("image", f"lacks {SBOM}"),
        ("children", f"linux/amd64 lacks {SBOM}; linux/arm64 lacks {SBOM}"),
        ("all", f"lacks {SBOM}; linux/amd64 lacks {SBOM}; linux/arm64 lacks {SBOM}"),
    ],
)
def test_the_subjects_of_an_index_are_itself_its_images_or_all(
    repository: EcrRepository, refer: Callable[..., str], subjects: str, lacking: str
) -> None:
    one = gate(repository, INDEX, artifact_types=[SBOM], subjects=subjects)
    assert look_at(one, repository) == Look.waiting(f"waiting for what refers to it; {lacking}")
    every: dict[str, list[Subject]] = {"image": [INDEX], "children": [AMD64, ARM64], "all": [INDEX, AMD64, ARM64]}
    wanted = every[subjects]
    referring = {each.digest: refer(SBOM, each) for each in wanted[:-1]}
    last = f"{'' if subjects == 'image' else 'linux/arm64 '}lacks {SBOM}"
    assert look_at(one, repository).says.endswith(f"; {last}")
    referring[wanted[-1].digest] = refer(SBOM, wanted[-1])
    found = look_at(one, repository).report
    assert found is not None
    assert {each["subjectDigest"]: each["imageDigest"] for each in found["referrers"]} == referring


def test_an_index_is_read_once(ecr: EcrEmulator, repository: EcrRepository) -> None:
    one = gate(repository, INDEX, artifact_types=[SBOM], subjects="all")
    ecr.clear_requests()
    for _ in range(2):
        look_at(one, repository)
    assert ecr.calls == ["BatchGetImage", *["ListImageReferrers"] * 6]


@pytest.mark.parametrize("subjects", ["image", "children", "all"])
def test_a_single_image_is_all_that_there_is(
    ecr: EcrEmulator, repository: EcrRepository, refer: Callable[..., str], subjects: str
) -> None:
    assert says(repository, artifact_types=[SBOM], subjects=subjects) == f"lacks {SBOM}"
    refer(SBOM)
    ecr.clear_requests()
    assert len(report(repository, artifact_types=[SBOM], subjects=subjects)["referrers"]) == 1
    assert "BatchGetImage" not in ecr.calls


ATTESTATION = sample_artifact("application/vnd.in-toto+json", b"provenance")
ATTESTING = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": AMD64.digest}
BUILT = index_of(
    entry(AMD64, LINUX),
    entry(ATTESTATION.manifest, NOBODY, **ATTESTING),
    children=(AMD64, ATTESTATION.manifest),
    blobs={**INDEX.blobs, **ATTESTATION.blobs},
)


def test_attestations_within_an_index_are_neither_referrers_nor_subjects(
    client: ECRClient, repository: EcrRepository, refer: Callable[..., str]
) -> None:
    push(client, REPOSITORY, BUILT, "built")
    lacking = "lacks *; linux/amd64 lacks *"
    assert says(repository, BUILT, artifact_types=["*"], subjects="all") == lacking
    refer(SBOM, BUILT)
    refer(SBOM, AMD64)
    assert report(repository, BUILT, artifact_types=[SBOM], subjects="all")


@pytest.mark.parametrize(("platform", "annotations"), [(LINUX, ATTESTING), (NOBODY, {}), (None, {})])
def test_what_may_be_run_is_a_subject_whatever_it_says(
    client: ECRClient, repository: EcrRepository, platform: dict[str, str] | None, annotations: dict[str, str]
) -> None:
    entries = entry(AMD64, platform, **annotations), entry(ARM64, {**LINUX, "architecture": "arm64"})
    index = index_of(*entries, children=(AMD64, ARM64), blobs=INDEX.blobs)
    push(client, REPOSITORY, index, "odd")
    lacking = says(repository, index, artifact_types=[SBOM], subjects="children")
    assert lacking.count(f"lacks {SBOM}") == 2


def test_the_images_of_an_index_within_an_index_are_subjects(client: ECRClient, repository: EcrRepository) -> None:
    entries = entry(INDEX.manifest), entry(AMD64, LINUX)
    outer = index_of(*entries, children=(INDEX.manifest, AMD64), blobs=INDEX.blobs)
    push(client, REPOSITORY, outer, "outer")
    lacking = says(repository, outer, artifact_types=[SBOM], subjects="children")
    assert lacking == f"linux/amd64 lacks {SBOM}; linux/arm64 lacks {SBOM}"


# --- ECR's own signing -----------------------------------------------------------------------------------------------


def sign(client: ECRClient, *rules: tuple[str, list[str]], image: SampleImage = IMAGE) -> None:
    """Have the repository signed, and an image pushed again."""
    configured: list[Any] = [
        {"signingProfileArn": profile}
        | ({"repositoryFilters": [{"filter": f, "filterType": "WILDCARD_MATCH"} for f in filters]} if filters else {})
        for profile, filters in rules
    ]
    client.put_signing_configuration(signingConfiguration={"rules": configured})
    put(client, REPOSITORY, image, imageTag="again")


def states(*told: tuple[str, str], failure: tuple[str | None, str | None] = (None, None)) -> list[dict[str, Any]]:
    """What XCom says of each profile; the failure is that of the last."""
    found: list[dict[str, Any]] = [
        {"signingProfileArn": profile, "status": status, "failureCode": None, "failureReason": None}
        for profile, status in told
    ]
    found[-1] |= {"failureCode": failure[0], "failureReason": failure[1]}
    return found


def test_signing_is_waited_for(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    sign(client, (RELEASE, []), (CENTRAL, ["shop/*"]), (f"{RELEASE}2", ["bank/*"]))
    one = gate(repository, managed_signing=True)
    in_progress = f"signing with {RELEASE} IN_PROGRESS; signing with {CENTRAL} IN_PROGRESS"
    assert look_at(one, repository) == Look.waiting(f"waiting for what refers to it; {in_progress}")
    ecr.advance(ecr.switches.signing_seconds)
    ecr.clear_requests()
    seen = look_at(one, repository)
    complete = f"has signing with {RELEASE} COMPLETE; signing with {CENTRAL} COMPLETE"
    assert (seen.verdict, seen.says) == (Verdict.PASSED, complete)
    assert seen.report is not None
    assert seen.report["signingStatuses"] == states((RELEASE, "COMPLETE"), (CENTRAL, "COMPLETE"))
    assert "GetSigningConfiguration" not in ecr.calls  # but at the first look


def test_one_profile_that_failed_fails_it(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    failed = SigningStep("FAILED", after=3, failure_code="AccessDenied", failure_reason="No signer:SignPayload")
    ecr.signings.script(SigningStep("IN_PROGRESS"), failed, signing_profile_arn=CENTRAL)
    ecr.signings.script(SigningStep("IN_PROGRESS"), SigningStep("COMPLETE", after=99), signing_profile_arn=RELEASE)
    sign(client, (RELEASE, []), (CENTRAL, []))
    assert look(repository, managed_signing=True).verdict is Verdict.WAITING
    ecr.advance(3)
    seen = look(repository, managed_signing=True, artifact_types=[SBOM])
    assert seen.says == (
        f"signing failed: lacks {SBOM}; signing with {RELEASE} IN_PROGRESS; "
        f"signing with {CENTRAL} FAILED (AccessDenied: No signer:SignPayload)"
    )
    assert seen.report is not None
    assert (seen.verdict, seen.report["outcome"]) == (Verdict.FAILED, "failed")
    assert seen.report["signingStatuses"] == states(
        (RELEASE, "IN_PROGRESS"), (CENTRAL, "FAILED"), failure=("AccessDenied", "No signer:SignPayload")
    )


def test_only_the_profiles_that_are_named_count(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    ecr.signings.script(SigningStep("FAILED"), signing_profile_arn=CENTRAL)
    sign(client, (RELEASE, []), (CENTRAL, []))
    ecr.advance(60)
    assert report(repository, signing_profile_arns=[RELEASE])["signingStatuses"] == states((RELEASE, "COMPLETE"))
    assert look(repository, signing_profile_arns=[RELEASE, CENTRAL]).verdict is Verdict.FAILED
    assert "GetSigningConfiguration" not in ecr.calls


def test_an_image_that_is_older_than_the_rule_is_waited_for(client: ECRClient, repository: EcrRepository) -> None:
    sign(client, (RELEASE, []), image=version(2))
    assert says(repository, managed_signing=True) == f"signing with {RELEASE} no status yet"
    assert says(repository, signing_profile_arns=[CENTRAL]) == f"signing with {CENTRAL} no status yet"


def test_the_signature_itself_can_be_waited_for_too(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    sign(client, (RELEASE, []))
    wanted: dict[str, Any] = {"managed_signing": True, "artifact_types": [NOTATION]}
    assert says(repository, **wanted) == f"lacks {NOTATION}; signing with {RELEASE} IN_PROGRESS"
    ecr.advance(60)
    assert len(report(repository, **wanted)["referrers"]) == 1


@pytest.mark.parametrize("rules", [None, [], [(RELEASE, ["bank/*"])]])
def test_signing_that_no_rule_brings_is_an_error(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, rules: Any
) -> None:
    if rules is not None:
        sign(client, *rules)
    with pytest.raises(InvalidInputError, match=f"No rule of the registry signs the images of {REPOSITORY}"):
        look(repository, managed_signing=True)
    assert "DescribeImageSigningStatus" not in ecr.calls


def test_another_account_s_rules_cannot_be_seen_but_its_signatures_can(ecr: EcrEmulator, client: ECRClient) -> None:
    owner = ecr.client(account_id=OTHER)
    owner.create_repository(repositoryName=REPOSITORY)
    everything = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=everything)
    push(owner, REPOSITORY, IMAGE)
    sign(owner, (RELEASE, []))
    sign(client, (CENTRAL, []))  # a rule of one's own is none of theirs
    ecr.advance(60)
    foreign = EcrRepository(client, REPOSITORY, OTHER)
    with pytest.raises(InvalidInputError, match=f"registry_id '{OTHER}' is another account"):
        look(foreign, managed_signing=True)
    assert report(foreign, signing_profile_arns=[RELEASE])["signingStatuses"] == states((RELEASE, "COMPLETE"))


# --- In vain ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["ListImageReferrers", "DescribeImageSigningStatus"])
def test_an_older_botocore_is_told_of(ecr: EcrEmulator, tmp_path: Path, operation: str) -> None:
    old = client_without(ecr, tmp_path, operation)
    with pytest.raises(InvalidInputError, match=f"botocore does not know {operation}; install"):
        look(EcrRepository(old, REPOSITORY), artifact_types=["*"], signing_profile_arns=[RELEASE])
    old.close()


@pytest.mark.parametrize("subjects", ["", "images", "IMAGE", None, ["image"], 1])
def test_subjects_are_of_three_kinds(subjects: Any) -> None:
    image = GatedImage(Digest.of(b""), None, ACCOUNT, None).to_json()
    with pytest.raises(InvalidInputError, match="image, children, all"):
        ReferrersGate.from_json(image=image, artifact_types=["*"], subjects=subjects)


@pytest.mark.parametrize("operation", ["ListImageReferrers", "GetSigningConfiguration", "DescribeImageSigningStatus"])
def test_a_refusal_is_an_error(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, operation: str) -> None:
    sign(client, (RELEASE, []))
    ecr.faults.fail(operation, "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=f"{operation} of {REPOSITORY}"):
        look(repository, artifact_types=["*"], managed_signing=True)


@pytest.mark.parametrize("arguments", [{"artifact_types": ["*"]}, {"signing_profile_arns": [RELEASE]}], ids=str)
def test_an_image_that_is_deleted_meanwhile_is_an_error(
    client: ECRClient, repository: EcrRepository, refer: Callable[..., str], arguments: dict[str, Any]
) -> None:
    one = gate(repository, **arguments)
    assert look_at(one, repository).verdict is Verdict.WAITING
    client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": IMAGE.digest}])
    refer(SBOM)  # what refers to an image may be there without it
    with pytest.raises(ImageNotFoundError):
        look_at(one, repository)
