"""EcrImageReferrersSensor, run by Airflow against the local ECR."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow_runs import log
from local_ecr import ACCOUNT, REPOSITORY, needs
from sensor_runs import Sensors, both_modes

from ecr_provider.emulator import EcrEmulator, SigningStep
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_artifact
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.sensors.image_referrers import EcrImageReferrersSensor

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
SBOM, BUNDLE = "application/spdx+json", "application/vnd.dev.sigstore.bundle.v0.3+json"
RELEASE, CENTRAL = (f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/{name}" for name in ("release", "central"))
LIST, STATUS = "ListImageReferrers", "DescribeImageSigningStatus"

pytestmark = [pytest.mark.usefixtures("aws_default"), needs(LIST), needs("PutSigningConfiguration")]
sensors = Sensors(EcrImageReferrersSensor, image_tag="build-42")
sensor, run = sensors.make, sensors.run


@pytest.fixture
def refer(client: ECRClient) -> Callable[..., str]:
    """Push something that refers to an image, and return its digest."""

    def push_referrer(artifact_type: str, subject: SampleImage | SampleManifest) -> str:
        return push(client, REPOSITORY, sample_artifact(artifact_type, b"1", subject))

    return push_referrer


@pytest.fixture
def sign(client: ECRClient) -> Callable[..., None]:
    """Have the registry sign what is pushed from now on."""

    def configure(*profiles: str) -> None:
        rules: Any = [{"signingProfileArn": profile} for profile in profiles]
        client.put_signing_configuration(signingConfiguration={"rules": rules})

    return configure


# --- Referrers -------------------------------------------------------------------------------------------------------


@both_modes
def test_what_is_there_passes_at_once(
    ecr: EcrEmulator, build: Build, refer: Callable[..., str], *, deferrable: bool
) -> None:
    image = build("new", "build-42")
    sbom = refer(SBOM, image)
    ecr.clear_requests()
    result = run(deferrable=deferrable, artifact_types=["application/spdx*"])
    report = result.xcom("wait")
    assert (report["imageDigest"], report["imageTag"], report["outcome"]) == (image.digest, "build-42", "passed")
    told = {"subjectDigest": image.digest, "imageDigest": sbom, "artifactType": SBOM}
    assert result.xcom("wait", "referrers") == [told]
    assert set(ecr.calls) == {"DescribeImages", LIST}


@both_modes
def test_what_comes_late_is_waited_for(
    ecr: EcrEmulator, build: Build, refer: Any, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    image = build("new", "build-42")
    refer(SBOM, image)
    ecr.faults.after(LIST, lambda: refer(BUNDLE, image), skip=2)
    result = run(deferrable=deferrable, artifact_types=(SBOM, BUNDLE))
    assert result.state("wait") == "success"
    lines = log(capfd)
    where = f"{REPOSITORY}:build-42@{image.digest}"
    waiting = f"waiting for what refers to it; lacks {BUNDLE}"
    assert re.search(rf"Look 1 after \d+ s: {where} {re.escape(waiting)}", lines)
    assert f"{where} has 2 referrers" in lines


@both_modes
def test_the_images_of_an_index_are_waited_for(
    ecr: EcrEmulator, build: Build, refer: Any, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    image = build("new", "build-42")
    refer(SBOM, image.children[0])
    ecr.faults.after(LIST, lambda: refer(SBOM, image.children[1]), skip=3)
    result = run(deferrable=deferrable, artifact_types=[SBOM], subjects="children")
    found = {each["subjectDigest"] for each in result.xcom("wait", "referrers")}
    assert found == {child.digest for child in image.children}
    assert f"linux/arm64 lacks {SBOM}" in log(capfd)


def test_what_never_comes_times_out(build: Build, capfd: pytest.CaptureFixture[str]) -> None:
    build("new", "build-42")
    assert run(artifact_types=[SBOM], timeout=0.3).state("wait") == "failed"
    assert f"lacks {SBOM}" in log(capfd)


@both_modes
def test_a_tag_that_moves_while_it_waits_does_not_change_the_image(
    ecr: EcrEmulator, build: Build, refer: Any, *, deferrable: bool
) -> None:
    image = build("old", "build-42")

    def move() -> None:
        refer(SBOM, build("newer", "build-42"))

    ecr.faults.after(LIST, move, skip=1)
    ecr.faults.after(LIST, lambda: refer(SBOM, image), skip=2)
    result = run(deferrable=deferrable, artifact_types=[SBOM])
    assert result.xcom("wait", "imageDigest") == image.digest
    asked = [each.parameters["subjectId"]["imageDigest"] for each in ecr.requests if each.operation == LIST]
    assert asked == [image.digest] * len(asked)
    assert len(asked) > 3


@both_modes
def test_an_image_that_is_deleted_while_it_waits_fails_the_task(
    ecr: EcrEmulator, client: ECRClient, build: Build, refer: Any, *, deferrable: bool
) -> None:
    image = build("new", "build-42")

    def replace() -> None:
        refer(SBOM, image)
        client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": image.digest}])

    ecr.faults.after(LIST, replace, skip=1)
    result = run(deferrable=deferrable, artifact_types=[SBOM], retries=3)
    assert (result.state("wait"), result.xcom("wait")) == ("failed", None)


# --- ECR's own signing -----------------------------------------------------------------------------------------------


@both_modes
def test_signing_is_waited_for(
    ecr: EcrEmulator, build: Build, sign: Any, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    sign(RELEASE, CENTRAL)
    image = build("new", "build-42")
    ecr.faults.after(STATUS, lambda: ecr.advance(5), skip=2)
    result = run(deferrable=deferrable, managed_signing=True)
    assert result.xcom("wait", "imageDigest") == image.digest
    assert [each["status"] for each in result.xcom("wait", "signingStatuses")] == ["COMPLETE", "COMPLETE"]
    lines = log(capfd)
    assert f"signing with {RELEASE} IN_PROGRESS; signing with {CENTRAL} IN_PROGRESS" in lines
    assert f"has signing with {RELEASE} COMPLETE; signing with {CENTRAL} COMPLETE" in lines


@both_modes
@pytest.mark.parametrize("looks", [0, 2])
def test_a_profile_that_fails_fails_the_task_without_retries(
    ecr: EcrEmulator,
    build: Build,
    sign: Any,
    capfd: pytest.CaptureFixture[str],
    looks: int,
    *,
    deferrable: bool,
) -> None:
    failed = SigningStep("FAILED", after=60, failure_code="AccessDenied", failure_reason="No signer:SignPayload")
    ecr.signings.script(SigningStep("IN_PROGRESS"), failed, signing_profile_arn=CENTRAL)
    sign(RELEASE, CENTRAL)
    image = build("new", "build-42")
    if looks:
        ecr.faults.after(STATUS, lambda: ecr.advance(60), skip=looks - 1)
    else:
        ecr.advance(60)
    result = run(deferrable=deferrable, managed_signing=True, artifact_types=[SBOM], retries=3)
    assert result.state("wait") == "failed"
    told = f"signing failed: lacks {SBOM}; signing with {RELEASE} COMPLETE; signing with {CENTRAL} FAILED"
    assert f"{REPOSITORY}@{image.digest} {told} (AccessDenied: No signer:SignPayload)" in log(capfd)
    assert (result.xcom("wait", "imageDigest"), result.xcom("wait", "outcome")) == (image.digest, "failed")
    assert [each["status"] for each in result.xcom("wait", "signingStatuses")] == ["COMPLETE", "FAILED"]
    assert ecr.calls.count(STATUS) == looks + 1


@both_modes
def test_only_the_profile_that_is_named_counts(ecr: EcrEmulator, build: Build, sign: Any, *, deferrable: bool) -> None:
    ecr.signings.script(SigningStep("FAILED"), signing_profile_arn=CENTRAL)
    sign(RELEASE, CENTRAL)
    build("new", "build-42")
    ecr.advance(60)
    result = run(deferrable=deferrable, signing_profile_arns=[RELEASE])
    (status,) = result.xcom("wait", "signingStatuses")
    assert (status["signingProfileArn"], status["status"]) == (RELEASE, "COMPLETE")


# --- In vain ---------------------------------------------------------------------------------------------------------


@both_modes
def test_signing_that_no_rule_brings_fails_at_once(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], *, deferrable: bool
) -> None:
    build("new", "build-42")
    assert run(deferrable=deferrable, managed_signing=True, retries=3).state("wait") == "failed"
    assert f"No rule of the registry signs the images of {REPOSITORY}" in log(capfd)
    assert STATUS not in ecr.calls


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"artifact_types": []}, "artifact_types is empty"),
        ({"artifact_types": SBOM}, f"artifact_types is '{SBOM}'"),
        ({"artifact_types": "{{ none }}"}, "artifact_types was given, but rendered to"),
        ({"artifact_types": [SBOM, "{{ '' }}"]}, "artifact_types was given, but rendered to"),
        ({"signing_profile_arns": "{{ [] }}"}, "signing_profile_arns is empty"),
        ({"artifact_types": [SBOM], "subjects": "{{ 'parts' }}"}, "subjects is 'parts'"),
    ],
    ids=str,
)
def test_what_cannot_be_fails_at_once(
    ecr: EcrEmulator, build: Build, capfd: pytest.CaptureFixture[str], arguments: dict[str, Any], words: str
) -> None:
    build("new", "build-42")
    result = run({"render_template_as_native_obj": True}, retries=3, **arguments)
    assert result.state("wait") == "failed"
    assert words in log(capfd)
    assert ecr.calls == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "nothing to wait for"),
        ({"managed_signing": True, "signing_profile_arns": [RELEASE]}, "not both"),
        ({"artifact_types": [SBOM], "image_tag": None}, "nothing to check"),
        ({"artifact_types": [SBOM], "mode": "reschedule"}, "forgets between two looks"),
    ],
    ids=str,
)
def test_arguments_that_contradict_each_other_are_refused_when_the_dag_is_read(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        sensor(**arguments)


@pytest.mark.parametrize(
    ("operation", "deferrable"), [(LIST, False), (LIST, True), ("GetSigningConfiguration", False), (STATUS, True)]
)
def test_throttling_is_waited_out_and_a_refusal_is_not(
    ecr: EcrEmulator, build: Build, sign: Any, refer: Any, operation: str, deferrable: bool
) -> None:
    sign(RELEASE)
    refer(SBOM, build("new", "build-42"))
    ecr.advance(60)
    wanted: dict[str, Any] = {"artifact_types": [SBOM], "managed_signing": True, "deferrable": deferrable}
    ecr.faults.fail(operation, times=3)
    assert run(**wanted).state("wait") == "success"
    ecr.faults.fail(operation, "AccessDeniedException")
    before = len(ecr.calls)
    assert run(retries=3, **wanted).state("wait") == "failed"
    assert ecr.calls[before:].count(operation) == 1
