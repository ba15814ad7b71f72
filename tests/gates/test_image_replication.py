"""The gate of replication: in every registry, in those that are named, or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import strategies  # noqa: F401 - no deadlines
from emulator.replications import WEST, allow, configure, to
from emulator_calls import OTHER, OWN, put, version
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import REPOSITORY, needs_archives

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.replication import Replication, describe_replications
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import SampleImage, push, sample_image
from ecr_provider.exceptions import (
    AccessDeniedError,
    ImageNotFoundError,
    InvalidInputError,
    RepositoryNotFoundError,
    ServiceFaultError,
)
from ecr_provider.gates.gate import GatedImage, Look, Verdict, look_at
from ecr_provider.gates.image_replication import ReplicationGate, _overall
from ecr_provider.oci import Digest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

IRELAND = "eu-west-1"
IMAGE = version(1)
DIGEST = Digest.parse(IMAGE.digest)


def gate(repository: EcrRepository, image: str = IMAGE.digest, **arguments: Any) -> ReplicationGate:
    gated = GatedImage.resolve(repository, ImageIdentifier(Digest.parse(image)))
    return ReplicationGate.from_json(image=gated.to_json(), **arguments)


def look(repository: EcrRepository, image: str = IMAGE.digest, **arguments: Any) -> Look:
    return look_at(gate(repository, image, **arguments), repository)


def says(repository: EcrRepository, **arguments: Any) -> str:
    seen = look(repository, **arguments)
    assert (seen.verdict, seen.report) == (Verdict.WAITING, None)
    return seen.says


def status(region: str, state: str, account: str = OWN, code: str | None = None) -> dict[str, str | None]:
    return {"registryId": account, "region": region, "status": state, "failureCode": code}


def answer(ecr: EcrEmulator, *statuses: dict[str, str | None]) -> None:
    """Have ECR answer these states, whatever it does."""
    told = [{name: value for name, value in each.items() if value is not None} for each in statuses]
    ecr.faults.corrupt("DescribeImageReplicationStatus", lambda answer: answer | {"replicationStatuses": told})


@pytest.fixture
def everywhere(ecr: EcrEmulator, client: ECRClient) -> SampleImage:
    """An image that was just pushed, with a rule for two Regions and another account's in one of them."""
    allow(ecr.client(WEST, OTHER), "ecr:ReplicateImage", "ecr:CreateRepository")
    configure(client, *to(WEST, IRELAND), *to(WEST, account=OTHER))
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.clear_requests()
    return IMAGE


# --- Wherever the rules say ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("everywhere")
def test_an_image_on_its_way_is_waited_for(repository: EcrRepository) -> None:
    assert says(repository) == (
        f"waiting to be replicated; {OWN}/{WEST} IN_PROGRESS, {OWN}/{IRELAND} IN_PROGRESS, {OTHER}/{WEST} IN_PROGRESS"
    )


@pytest.mark.usefixtures("everywhere")
def test_an_image_that_is_everywhere_passes(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.advance(30)
    seen = look(repository)
    assert (seen.verdict, seen.says) == (
        Verdict.PASSED,
        f"replication passed: {OWN}/{WEST} COMPLETE, {OWN}/{IRELAND} COMPLETE, {OTHER}/{WEST} COMPLETE",
    )
    assert seen.report is not None
    assert (seen.report["imageDigest"], seen.report["outcome"]) == (IMAGE.digest, "passed")
    assert seen.report["replicationStatuses"] == [
        status(WEST, "COMPLETE"),
        status(IRELAND, "COMPLETE"),
        status(WEST, "COMPLETE", OTHER),
    ]
    for registry in (ecr.client(WEST), ecr.client(IRELAND), ecr.client(WEST, OTHER)):
        assert registry.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageDigest": IMAGE.digest}])


@pytest.mark.usefixtures("everywhere")
def test_the_rules_are_read_once(ecr: EcrEmulator, repository: EcrRepository) -> None:
    one = gate(repository)
    for _ in range(3):
        assert look_at(one, repository).verdict is Verdict.WAITING
    assert ecr.calls == ["DescribeImages", "DescribeRegistry", *["DescribeImageReplicationStatus"] * 3]


@pytest.mark.usefixtures("everywhere")
def test_one_failure_fails_it_while_others_are_on_their_way(ecr: EcrEmulator, repository: EcrRepository) -> None:
    failed = status(WEST, "FAILED", OTHER, "DESTINATION_REGISTRY_ACCESS_DENIED")
    answer(ecr, status(WEST, "COMPLETE"), status(IRELAND, "IN_PROGRESS"), failed)
    seen = look(repository)
    assert seen.verdict is Verdict.FAILED
    assert seen.says == (
        f"replication failed: {OWN}/{WEST} COMPLETE, {OWN}/{IRELAND} IN_PROGRESS, "
        f"{OTHER}/{WEST} FAILED (DESTINATION_REGISTRY_ACCESS_DENIED)"
    )
    assert seen.report is not None
    assert seen.report["outcome"] == "failed"
    assert seen.report["replicationStatuses"][-1] == failed


@pytest.mark.usefixtures("everywhere")
def test_a_failure_without_a_code_fails_it_too(ecr: EcrEmulator, repository: EcrRepository) -> None:
    answer(ecr, status(WEST, "FAILED"))
    assert look(repository).says == (
        f"replication failed: {OWN}/{WEST} FAILED (no reason given), {OWN}/{IRELAND} no status yet, "
        f"{OTHER}/{WEST} no status yet"
    )


def test_a_registry_that_does_not_let_it_in_fails_it(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    configure(client, *to(WEST), *to(WEST, account=OTHER))
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.advance(30)
    seen = look(repository)
    assert seen.verdict is Verdict.FAILED
    assert f"{OTHER}/{WEST} FAILED (DESTINATION_REGISTRY_ACCESS_DENIED)" in seen.says


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("state", ["", "PAUSED"])
def test_a_state_that_is_no_end_is_waited_for(ecr: EcrEmulator, repository: EcrRepository, state: str) -> None:
    answer(ecr, status(WEST, "COMPLETE"), status(IRELAND, "COMPLETE"), status(WEST, state, OTHER))
    assert f"{OTHER}/{WEST} {state}" in says(repository)


@pytest.mark.usefixtures("everywhere")
def test_what_is_not_told_of_every_place_is_waited_for(ecr: EcrEmulator, repository: EcrRepository) -> None:
    answer(ecr, status(WEST, "COMPLETE"), status(IRELAND, "COMPLETE"))
    assert says(repository).endswith(f"{OTHER}/{WEST} no status yet")


@pytest.mark.usefixtures("everywhere")
def test_places_that_no_rule_names_any_more_do_not_count(ecr: EcrEmulator, repository: EcrRepository) -> None:
    elsewhere = status("ap-south-1", "FAILED", code="INTERNAL_ERROR")
    complete = [status(WEST, "COMPLETE"), status(IRELAND, "COMPLETE"), status(WEST, "COMPLETE", OTHER)]
    answer(ecr, elsewhere, *complete)
    assert look(repository).verdict is Verdict.PASSED


def test_an_image_that_is_older_than_the_rule_is_waited_for(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    configure(client)
    one = gate(repository)
    for _ in range(3):
        ecr.advance(3600)
        assert look_at(one, repository).says == f"waiting to be replicated; {OWN}/{WEST} no status yet"
    put(client, REPOSITORY, IMAGE, imageTag="v2")  # as a release does
    ecr.advance(30)
    assert look_at(one, repository).verdict is Verdict.PASSED


def test_another_push_mends_a_failure(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    configure(client)
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.advance(30)
    assert look(repository).verdict is Verdict.FAILED
    ecr.switches.replication_failures.clear()
    put(client, REPOSITORY, IMAGE, imageTag="v2")
    assert look(repository).verdict is Verdict.WAITING
    ecr.advance(30)
    assert look(repository).verdict is Verdict.PASSED


def test_an_index_brings_its_images(ecr: EcrEmulator, client: ECRClient, repository: EcrRepository) -> None:
    configure(client)
    image = sample_image()
    push(client, REPOSITORY, image, "v1")
    assert look(repository, image.digest).verdict is Verdict.WAITING
    ecr.advance(30)
    assert look(repository, image.digest).verdict is Verdict.PASSED
    there = ecr.client(WEST).describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert {each["imageDigest"] for each in there} == {image.digest, *(child.digest for child in image.children)}


@needs_archives
def test_an_image_that_is_restored_is_replicated_again(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    identifier: Any = {"repositoryName": REPOSITORY, "imageId": {"imageDigest": IMAGE.digest}}
    client.update_image_storage_class(**identifier, targetStorageClass="ARCHIVE")
    configure(client)
    assert look(repository).verdict is Verdict.WAITING
    client.update_image_storage_class(**identifier, targetStorageClass="STANDARD")
    ecr.advance(3600)
    assert look(repository).verdict is Verdict.PASSED


# --- Where it is named -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    ("destinations", "places"),
    [
        ([IRELAND], [f"{OWN}/{IRELAND}"]),
        ((IRELAND,), [f"{OWN}/{IRELAND}"]),
        ([WEST], [f"{OWN}/{WEST}", f"{OTHER}/{WEST}"]),
        ([f"{OTHER}/{WEST}"], [f"{OTHER}/{WEST}"]),
        ([f"{OTHER}/{WEST}", IRELAND, WEST], [f"{OTHER}/{WEST}", f"{OWN}/{IRELAND}", f"{OWN}/{WEST}"]),
        ([IRELAND, f"{OWN}/{IRELAND}", IRELAND], [f"{OWN}/{IRELAND}"]),
    ],
)
def test_only_the_places_that_are_named_count(
    ecr: EcrEmulator, repository: EcrRepository, destinations: Any, places: list[str]
) -> None:
    states = [(WEST, OWN), (IRELAND, OWN), (WEST, OTHER)]
    answer(ecr, *(status(r, "COMPLETE" if f"{a}/{r}" in places else "FAILED", a) for r, a in states))
    seen = look(repository, destinations=destinations)
    assert seen.verdict is Verdict.PASSED
    assert seen.says == "replication passed: " + ", ".join(f"{place} COMPLETE" for place in places)
    answer(ecr, *(status(r, "FAILED" if f"{a}/{r}" in places else "COMPLETE", a) for r, a in states))
    assert look(repository, destinations=destinations).verdict is Verdict.FAILED


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    "place", ["us-east-1", "us-west", f"{OTHER}/{IRELAND}", OTHER, "US-WEST-2", f"{WEST}/{OTHER}", f" {WEST}"]
)
def test_a_place_that_no_rule_covers_is_refused(ecr: EcrEmulator, repository: EcrRepository, place: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        look(repository, destinations=[WEST, place])
    assert f"No rule replicates {REPOSITORY} to {place!r}" in str(caught.value)
    assert f"replicate it to {OWN}/{WEST}, {OWN}/{IRELAND}, {OTHER}/{WEST}." in str(caught.value)
    assert "DescribeImageReplicationStatus" not in ecr.calls


_places = st.tuples(st.sampled_from([OWN, OTHER]), st.sampled_from([WEST, IRELAND, "eu-north-1"]))
_states = st.sampled_from(["COMPLETE", "IN_PROGRESS", "FAILED", ""])


@given(st.dictionaries(_places, _states, min_size=1))
def test_it_passes_when_all_are_complete_and_fails_when_one_failed(told: dict[tuple[str, str], str]) -> None:
    states = list(told.values())
    expected = Verdict.FAILED if "FAILED" in states else Verdict.WAITING
    assert _overall(states) is (Verdict.PASSED if set(states) == {"COMPLETE"} else expected)


# --- In vain ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("destinations", [None, [WEST]])
@pytest.mark.parametrize("filters", [None, ["bank/", "web"]])
def test_a_repository_that_no_rule_replicates_is_an_error(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, destinations: Any, filters: list[str] | None
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    if filters:
        configure(client, repositoryFilters=[{"filter": each, "filterType": "PREFIX_MATCH"} for each in filters])
    with pytest.raises(InvalidInputError, match=rf"No rule replicates {REPOSITORY}.*nowhere\."):
        look(repository, destinations=destinations)
    assert "DescribeImageReplicationStatus" not in ecr.calls


@pytest.mark.usefixtures("everywhere")
def test_the_registry_may_be_named_if_it_is_the_connection_s_own(ecr: EcrEmulator, client: ECRClient) -> None:
    ecr.advance(30)
    assert look(EcrRepository(client, REPOSITORY, OWN)).verdict is Verdict.PASSED


def test_another_account_s_rules_cannot_be_seen(ecr: EcrEmulator) -> None:
    owner = ecr.client(account_id=OTHER)
    owner.create_repository(repositoryName=REPOSITORY)
    everything = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ecr:*"}]}'
    owner.set_repository_policy(repositoryName=REPOSITORY, policyText=everything)
    push(owner, REPOSITORY, IMAGE)
    configure(ecr.client())  # a rule of one's own is none of theirs
    for destinations in (None, [WEST]):
        with pytest.raises(InvalidInputError, match=f"registry_id '{OTHER}' is another account"):
            look(EcrRepository(ecr.client(), REPOSITORY, OTHER), destinations=destinations)


@pytest.mark.usefixtures("everywhere")
def test_an_image_that_is_deleted_meanwhile_is_an_error(client: ECRClient, repository: EcrRepository) -> None:
    one = gate(repository)
    assert look_at(one, repository).verdict is Verdict.WAITING
    client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": IMAGE.digest}])
    with pytest.raises(ImageNotFoundError, match=f"DescribeImageReplicationStatus of {REPOSITORY}@{DIGEST} failed"):
        look_at(one, repository)
    client.delete_repository(repositoryName=REPOSITORY, force=True)
    with pytest.raises(RepositoryNotFoundError):
        look_at(one, repository)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("operation", ["DescribeRegistry", "DescribeImageReplicationStatus"])
def test_a_refusal_is_an_error(ecr: EcrEmulator, repository: EcrRepository, operation: str) -> None:
    ecr.faults.fail(operation, "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=f"{operation} of {REPOSITORY}"):
        look(repository)


@pytest.mark.usefixtures("everywhere")
def test_a_tag_that_moves_does_not_change_what_is_checked(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository
) -> None:
    gated = GatedImage.resolve(repository, ImageIdentifier(tag="v1"))
    one = ReplicationGate(gated)
    assert one.target == f":v1@{DIGEST}"
    put(client, REPOSITORY, version(2), imageTag="v1")
    ecr.advance(30)
    report = look_at(one, repository).report
    assert report is not None
    assert (report["imageDigest"], report["imageTag"]) == (IMAGE.digest, "v1")
    (asked,) = [request.parameters for request in ecr.requests if request.operation == "DescribeImageReplicationStatus"]
    assert asked["imageId"] == {"imageDigest": IMAGE.digest}


# --- The states themselves -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("everywhere")
def test_each_state_is_told_with_its_place(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.switches.replication_failures[IRELAND] = "INTERNAL_ERROR"
    ecr.advance(30)
    assert set(describe_replications(repository, DIGEST)) == {
        Replication(OWN, WEST, "COMPLETE"),
        Replication(OTHER, WEST, "COMPLETE"),
        Replication(OWN, IRELAND, "FAILED", "INTERNAL_ERROR"),
    }


@pytest.mark.usefixtures("everywhere")
def test_states_of_another_shape_are_a_fault(ecr: EcrEmulator, repository: EcrRepository) -> None:
    ecr.faults.corrupt("DescribeImageReplicationStatus", lambda answer: answer | {"replicationStatuses": None})
    with pytest.raises(ServiceFaultError):
        describe_replications(repository, DIGEST)
