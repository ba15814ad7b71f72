"""Replication backfills: what was there before the rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator.replications import WEST
from emulator_calls import ONCE, OWN, refused, version
from local_ecr import needs

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

UNKNOWN = "00000000-0000-0000-0000-000000000000"
DAY = 24 * 60 * 60

pytestmark = needs("StartReplicationBackfill")


def configure(client: ECRClient, *regions: str, account: str = OWN, **rule: Any) -> None:
    destinations: Any = [{"region": region, "registryId": account} for region in regions]
    rules: Any = [{"destinations": destinations, **rule}] if regions else []
    client.put_replication_configuration(replicationConfiguration={"rules": rules})


def start(client: ECRClient, region: str = WEST, account: str = OWN) -> str:
    answer = client.start_replication_backfill(destination={"region": region, "registryId": account})
    return answer["replicationBackfillId"]


def results(client: ECRClient, backfill_id: str, **more: Any) -> Any:
    return client.describe_replication_backfill_results(replicationBackfillId=backfill_id, **more)


def status(client: ECRClient, backfill_id: str) -> str:
    found: str = results(client, backfill_id)["status"]
    return found


@pytest.fixture
def many(client: ECRClient, web: str) -> str:
    """The name of a repository with 12 images, each with a tag, and a rule that came later."""
    for number in range(12):
        push(client, web, version(number), f"v{number}")
    configure(client, WEST)
    return web


def test_it_replicates_what_was_there(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    client.put_image(repositoryName=web, imageManifest=image.text, imageTag="v2")
    configure(client, WEST)
    backfill_id = start(client)
    begun = results(client, backfill_id)
    assert begun["status"] == "PREPARING"
    assert begun["destination"] == {"region": WEST, "registryId": OWN}
    assert begun["results"] == []
    assert not {"progress", "endedAt"} & begun.keys()
    ecr.advance(30)
    prepared = results(client, backfill_id)
    assert prepared["status"] == "IN_PROGRESS"
    assert prepared["results"] == []
    assert prepared["progress"]["totalReplicationCount"] == 4  # the two children, and the index with each tag
    ecr.advance(30)
    done = results(client, backfill_id)
    assert done["status"] == "COMPLETE"
    assert done["endedAt"] > done["startedAt"]
    assert done["progress"] == {
        "totalReplicationCount": 4,
        "completedReplicationCount": 4,
        "failedReplicationCount": 0,
        "failureCodes": [],
    }
    index = {"repositoryName": web, "status": "COMPLETE", "subImageFailureCodes": []}
    assert done["results"][2:] == [
        index | {"imageId": {"imageDigest": image.digest, "imageTag": tag}} for tag in ("v1", "v2")
    ]
    assert done["results"][0] == {
        "repositoryName": web,
        "imageId": {"imageDigest": image.children[0].digest},
        "status": "COMPLETE",
    }
    found = ecr.client(WEST).describe_images(repositoryName=web, imageIds=[{"imageTag": "v2"}])["imageDetails"]
    assert found[0]["imageTags"] == ["v1", "v2"]


@pytest.mark.usefixtures("many")
def test_some_images_at_a_time(ecr: EcrEmulator, client: ECRClient) -> None:
    backfill_id = start(client)
    ecr.advance(60)
    progress = results(client, backfill_id)["progress"]
    assert (progress["completedReplicationCount"], progress["totalReplicationCount"]) == (10, 12)
    ecr.advance(30)
    assert status(client, backfill_id) == "COMPLETE"


def test_only_what_the_rules_are_for(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    push(client, web, version(1), "v1")
    configure(client, WEST, repositoryFilters=[{"filter": "other", "filterType": "PREFIX_MATCH"}])
    backfill_id = start(client)
    ecr.advance(30)
    done = results(client, backfill_id)
    assert (done["status"], done["progress"]["totalReplicationCount"]) == ("COMPLETE", 0)


def test_failures_are_listed(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    image = sample_image()
    push(client, web, image, "v1")
    configure(client, WEST)
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    backfill_id = start(client)
    ecr.advance(60)
    done = results(client, backfill_id)
    assert done["status"] == "COMPLETE"
    assert done["progress"]["failedReplicationCount"] == 3
    assert done["progress"]["failureCodes"] == ["INTERNAL_ERROR"]
    assert done["results"][-1] == {
        "repositoryName": web,
        "imageId": {"imageDigest": image.digest, "imageTag": "v1"},
        "status": "FAILED",
        "failureCode": "INTERNAL_ERROR",
        "subImageFailureCodes": ["INTERNAL_ERROR"],
    }
    assert results(client, backfill_id, resultStatusFilter="COMPLETE")["results"] == []
    assert len(results(client, backfill_id, resultStatusFilter="FAILED")["results"]) == 3


def test_an_image_deleted_meanwhile(ecr: EcrEmulator, client: ECRClient, many: str) -> None:
    backfill_id = start(client)
    ecr.advance(30)
    client.batch_delete_image(repositoryName=many, imageIds=[{"imageTag": "v0"}])
    ecr.advance(60)
    (failed,) = results(client, backfill_id, resultStatusFilter="FAILED")["results"]
    assert failed["failureCode"] == "IMAGE_NOT_FOUND"


@pytest.mark.usefixtures("many")
def test_results_in_pages(ecr: EcrEmulator, client: ECRClient) -> None:
    backfill_id = start(client)
    ecr.advance(90)
    tags: list[str] = []
    page = results(client, backfill_id, maxResults=5)
    tags += [result["imageId"]["imageTag"] for result in page["results"]]
    while "nextToken" in page:
        page = results(client, backfill_id, maxResults=5, nextToken=page["nextToken"])
        tags += [result["imageId"]["imageTag"] for result in page["results"]]
    assert tags == [f"v{number}" for number in range(12)]


# --- Stopping ---


@pytest.mark.usefixtures("many")
def test_stopping_before_anything_is_replicated(ecr: EcrEmulator, client: ECRClient) -> None:
    backfill_id = start(client)
    assert client.stop_replication_backfill(replicationBackfillId=backfill_id)["status"] == "STOPPED"
    ecr.advance(90)
    stopped = results(client, backfill_id)
    assert stopped["status"] == "STOPPED"
    assert "progress" not in stopped
    assert ecr.client(WEST).describe_repositories()["repositories"] == []


@pytest.mark.usefixtures("many")
def test_stopping_lets_what_is_under_way_end(ecr: EcrEmulator, client: ECRClient) -> None:
    backfill_id = start(client)
    ecr.advance(30)
    assert client.stop_replication_backfill(replicationBackfillId=backfill_id)["status"] == "STOPPING"
    with refused("ReplicationBackfillInvalidStatusException"):
        client.stop_replication_backfill(replicationBackfillId=backfill_id)
    assert results(client, backfill_id)["results"] == []
    ecr.advance(90)
    stopped = results(client, backfill_id)
    assert stopped["status"] == "STOPPED"
    assert (len(stopped["results"]), stopped["progress"]["totalReplicationCount"]) == (10, 12)


@pytest.mark.usefixtures("many")
def test_what_has_ended_cannot_be_stopped(ecr: EcrEmulator, client: ECRClient) -> None:
    backfill_id = start(client)
    ecr.advance(90)
    with refused("ReplicationBackfillInvalidStatusException"):
        client.stop_replication_backfill(replicationBackfillId=backfill_id)


# --- Refusals ---


@pytest.mark.usefixtures("many")
def test_the_destination_must_be_configured(client: ECRClient) -> None:
    with refused("InvalidParameterException"):
        start(client, "eu-west-1")
    with refused("InvalidParameterException"):
        start(client, WEST, "210987654321")


@pytest.mark.usefixtures("many")
def test_a_destination_that_is_configured_no_more(ecr: EcrEmulator, client: ECRClient) -> None:
    backfill_id = start(client)
    configure(client)
    ecr.advance(30)
    failed = results(client, backfill_id)
    assert (failed["status"], failed["failureCode"]) == ("FAILED", "DESTINATION_NOT_CONFIGURED")
    assert "progress" not in failed


@pytest.mark.usefixtures("many")
def test_one_at_a_time_for_a_region(ecr: EcrEmulator, client: ECRClient) -> None:
    start(client)
    with refused("ReplicationBackfillInProgressException"):
        start(client)
    ecr.advance(90)
    assert start(client)


def test_so_many_at_a_time_for_a_registry(client: ECRClient) -> None:
    regions = [f"us-east-{number}" for number in range(2, 13)]
    configure(client, *regions)
    for region in regions[:10]:
        start(client, region)
    with refused("LimitExceededException"):
        start(client, regions[10])


@pytest.mark.parametrize("operation", ["describe_replication_backfill_results", "stop_replication_backfill"])
def test_an_unknown_backfill(client: ECRClient, operation: str) -> None:
    with refused("ReplicationBackfillNotFoundException"):
        getattr(client, operation)(replicationBackfillId=UNKNOWN)


@pytest.mark.usefixtures("many")
def test_another_accounts_backfills(ecr: EcrEmulator, client: ECRClient) -> None:
    start(client)
    other = ecr.client(account_id="210987654321", config=ONCE)
    with refused("AccessDeniedException"):
        other.list_replication_backfills(registryId=OWN)
    assert other.list_replication_backfills()["backfills"] == []


# --- Listing ---


def test_listing_in_pages(ecr: EcrEmulator, client: ECRClient) -> None:
    configure(client, WEST, "eu-west-1", "eu-west-2")
    started = [start(client, region) for region in (WEST, "eu-west-1", "eu-west-2")]
    ecr.advance(30)
    page = client.list_replication_backfills(maxResults=2)
    rest = client.list_replication_backfills(maxResults=2, nextToken=page["nextToken"])
    assert [one["replicationBackfillId"] for one in (*page["backfills"], *rest["backfills"])] == started
    assert "nextToken" not in rest
    assert page["backfills"][0]["status"] == "COMPLETE"
    assert page["backfills"][0]["destination"] == {"region": WEST, "registryId": OWN}


@pytest.mark.usefixtures("many")
def test_they_are_kept_for_90_days_after_the_end(ecr: EcrEmulator, client: ECRClient) -> None:
    backfill_id = start(client)
    ecr.advance(90 * DAY)
    assert status(client, backfill_id) == "COMPLETE"
    ecr.advance(120)
    assert client.list_replication_backfills()["backfills"] == []
    with refused("ReplicationBackfillNotFoundException"):
        status(client, backfill_id)
