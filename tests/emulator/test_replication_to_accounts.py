"""Replication to another account, which has to allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from emulator.replications import WEST, allow, configure, delete, needs_deletions, statuses, tags_of, to
from emulator_calls import OTHER, OWN, version

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


@pytest.mark.parametrize(
    ("actions", "has_repository", "status"),
    [
        ([], True, "FAILED"),
        (["ecr:CreateRepository"], True, "FAILED"),
        (["ecr:ReplicateImage"], True, "COMPLETE"),
        (["ecr:ReplicateImage"], False, "FAILED"),
        (["ecr:ReplicateImage", "ecr:CreateRepository"], False, "COMPLETE"),
    ],
)
def test_the_other_registry_has_to_allow_it(
    ecr: EcrEmulator,
    client: ECRClient,
    abroad: ECRClient,
    web: str,
    actions: list[str],
    has_repository: bool,
    status: str,
) -> None:
    if has_repository:
        abroad.create_repository(repositoryName=web)
    if actions:
        allow(abroad, *actions)
    configure(client, *to(WEST, account=OTHER))
    push(client, web, version(1), "v1")
    ecr.advance(30)
    (found,) = statuses(client, web, imageTag="v1")
    assert (found["registryId"], found["status"]) == (OTHER, status)
    assert found.get("failureCode") == ("DESTINATION_REGISTRY_ACCESS_DENIED" if status == "FAILED" else None)
    if status == "COMPLETE":
        assert tags_of(abroad, web) == {"v1": version(1).digest}
    (event,) = [event for event in ecr.events if event.detail_type == "ECR Replication Action"]
    assert (event.account, event.detail["source-account"]) == (OTHER, OWN)


def test_a_misspelled_resource_is_found_out(ecr: EcrEmulator, client: ECRClient, abroad: ECRClient, web: str) -> None:
    allow(abroad, "ecr:*", resource=f"arn:aws:{WEST}:{OTHER}:repository/*")  # as in containers-roadmap#2675
    configure(client, *to(WEST, account=OTHER))
    push(client, web, version(1), "v1")
    ecr.advance(30)
    assert statuses(client, web, imageTag="v1")[0]["failureCode"] == "DESTINATION_REGISTRY_ACCESS_DENIED"


@needs_deletions
def test_another_account_has_to_allow_deletions(
    ecr: EcrEmulator, client: ECRClient, abroad: ECRClient, web: str
) -> None:
    configure(client, *to(WEST, account=OTHER), deleteReplication={"enabled": True})
    allow(abroad, "ecr:ReplicateImage", "ecr:CreateRepository")
    push(client, web, version(1), "v1")
    ecr.advance(30)
    abroad.delete_registry_policy()
    delete(client, web, imageTag="v1")
    ecr.advance(30)
    assert tags_of(abroad, web) == {"v1": version(1).digest}
