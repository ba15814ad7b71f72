"""Whether a registry replicates an image by itself, and the wait for it, on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import strategies  # noqa: F401 - no deadlines
from emulator.replications import WEST, allow, configure, to
from emulator_calls import ONCE, OTHER, OWN, version
from hypothesis import given
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REPOSITORY, needs
from old_botocore import client_without

from ecr_provider.ecr import replication
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.replication import ReplicationWait, destinations_of
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push
from ecr_provider.exceptions import AccessDeniedError, CopyStoppedError, ImageNotFoundError, ServiceFaultError
from ecr_provider.oci import Digest
from ecr_provider.patience import Patience

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

IMAGE = version(1)
DIGEST = Digest.parse(IMAGE.digest)
THERE = EcrRegistry(ACCOUNT, WEST)
LOOK = 5  # seconds between two looks
WAITING = f"waiting for the registry to replicate {DIGEST} to {THERE.host}"
REPLICATED = f"the registry has replicated {DIGEST} to {THERE.host}"
TOO_OLD = f"{DIGEST} is older than the rule that replicates its repository"

needs_backfill = needs("StartReplicationBackfill")


class Watch:
    """Hears what is waited for, and lets the time pass meanwhile: the local ECR's, and that of the wait."""

    def __init__(self, ecr: EcrEmulator) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        self.next: list[Callable[[], object]] = []
        """What happens during the next waits."""
        self._ecr = ecr

    def say(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith("waiting"):
            self.now += LOOK
            self._ecr.advance(LOOK)
            if self.next:
                self.next.pop(0)()

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watch(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> Watch:
    made = Watch(ecr)
    monkeypatch.setattr(replication, "time", made)
    monkeypatch.setattr(replication, "_LOOK_EVERY", 0.0)
    return made


@pytest.fixture
def wait(ecr: EcrEmulator) -> ReplicationWait:
    """A wait of an hour for an image in the West; its client tries once: the patience is what tries again."""
    return wait_of(ecr.client(config=ONCE))


def wait_of(
    client: ECRClient,
    destination: EcrRegistry = THERE,
    registry_id: str | None = None,
    seconds: float = 3600,
    patience: Patience | None = None,
) -> ReplicationWait:
    repository = EcrRepository(client, REPOSITORY, registry_id)
    return ReplicationWait(repository, destination, DIGEST, patience or Patience(tries=3, first_wait=0.001), seconds)


def arrived(ecr: EcrEmulator) -> bool:
    """Tell whether the image is in the West, by the word of the registry there."""
    west = ecr.client(WEST)
    if not west.describe_repositories()["repositories"]:
        return False
    found = west.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": IMAGE.digest}])
    return bool(found["images"])


# --- Whether a rule covers it ----------------------------------------------------------------------------------------

_places = st.tuples(st.sampled_from([WEST, "eu-west-1"]), st.sampled_from([OWN, OTHER]))
_prefixes = st.sampled_from(["shop", "shop/", "shop/web", "shop/web2", "s", "hop", "web", "SHOP"])
_rules = st.lists(
    st.tuples(st.lists(_places, max_size=3), st.none() | st.lists(_prefixes, max_size=3)),
    max_size=3,
)


@given(_rules, st.sampled_from(["shop/web", "shop", "web", "shop/web2/x"]), _places)
def test_a_rule_covers_what_it_names(
    drawn: list[tuple[list[tuple[str, str]], list[str] | None]], name: str, place: tuple[str, str]
) -> None:
    rules: list[Any] = []
    expected = False
    for places, prefixes in drawn:
        rule: dict[str, Any] = {"destinations": [{"region": region, "registryId": own} for region, own in places]}
        if prefixes is not None:
            rule["repositoryFilters"] = [{"filter": each, "filterType": "PREFIX_MATCH"} for each in prefixes]
        rules.append(rule)
        is_named = not prefixes or any(name[: len(prefix)] == prefix for prefix in prefixes)
        expected = expected or (place in places and is_named)
    assert (EcrRegistry(place[1], place[0]) in destinations_of(rules, name, "aws")) is expected


@pytest.mark.parametrize(
    ("destinations", "filters", "expected"),
    [
        (to(WEST), [], True),
        (to("eu-west-1", WEST), ["other", "shop/"], True),
        (to(WEST), ["other"], False),
        (to("eu-west-1"), [], False),
        (to(WEST, account=OTHER), [], False),
    ],
)
def test_the_registry_is_asked_for_its_rules(
    ecr: EcrEmulator, client: ECRClient, destinations: Any, filters: list[str], expected: bool
) -> None:
    prefixes = [{"filter": each, "filterType": "PREFIX_MATCH"} for each in filters]
    configure(client, *destinations, **({"repositoryFilters": prefixes} if prefixes else {}))
    ecr.clear_requests()
    assert wait_of(client).is_expected() is expected
    assert wait_of(client, registry_id=ACCOUNT).is_expected() is expected
    assert ecr.calls == ["DescribeRegistry"] * 2


def test_a_registry_without_rules_replicates_nothing(wait: ReplicationWait) -> None:
    assert not wait.is_expected()


def test_another_account_s_rules_are_not_those_that_one_sees(client: ECRClient) -> None:
    configure(client)
    assert not wait_of(client, registry_id=OTHER).is_expected()


def test_a_registry_that_does_not_tell_its_rules_is_an_error(ecr: EcrEmulator, wait: ReplicationWait) -> None:
    ecr.faults.fail("DescribeRegistry", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=f"DescribeRegistry of {REPOSITORY} failed"):
        wait.is_expected()
    ecr.faults.corrupt("DescribeRegistry", lambda answer: answer | {"replicationConfiguration": None})
    with pytest.raises(ServiceFaultError):
        wait.is_expected()


# --- The wait --------------------------------------------------------------------------------------------------------


def test_an_image_that_has_arrived_is_not_waited_for(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    configure(client)
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.advance(30)
    ecr.clear_requests()
    assert wait.until_done(backfill=True, say=watch.say)
    assert watch.lines == [REPLICATED]
    assert ecr.calls == ["DescribeImageReplicationStatus"]


def test_an_image_on_its_way_is_waited_for(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    configure(client)
    push(client, REPOSITORY, IMAGE, "v1")
    assert wait.until_done(backfill=False, say=watch.say)
    assert watch.lines == [WAITING] * 6 + [REPLICATED]  # the 30 seconds that it takes
    assert arrived(ecr)


def test_a_failure_is_told_with_its_code(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    ecr.switches.replication_failures[WEST] = "DESTINATION_LIMIT_EXCEEDED"
    configure(client)
    push(client, REPOSITORY, IMAGE, "v1")
    assert not wait.until_done(backfill=True, say=watch.say)
    assert watch.lines[-1] == (
        f"the registry's replication of {DIGEST} to {THERE.host} failed (DESTINATION_LIMIT_EXCEEDED)"
    )


def test_a_failure_without_a_code_is_told_too(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    status = {"region": WEST, "registryId": OWN, "status": "FAILED"}
    ecr.faults.corrupt("DescribeImageReplicationStatus", lambda answer: answer | {"replicationStatuses": [status]})
    assert not wait.until_done(backfill=False, say=watch.say)
    assert watch.lines[-1].endswith("failed (no reason given)")


def test_only_the_own_destination_counts(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    ecr.switches.replication_failures["eu-west-1"] = "INTERNAL_ERROR"
    configure(client, *to("eu-west-1", WEST), *to(WEST, account=OTHER))  # that account has not allowed it
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.advance(30)
    assert wait.until_done(backfill=False, say=watch.say)
    assert not wait_of(client, EcrRegistry(ACCOUNT, "eu-west-1")).until_done(backfill=False, say=watch.say)
    assert watch.lines[-1].endswith("(INTERNAL_ERROR)")
    assert not wait_of(client, EcrRegistry(OTHER, WEST)).until_done(backfill=False, say=watch.say)
    assert watch.lines[-1].endswith("(DESTINATION_REGISTRY_ACCESS_DENIED)")


def test_another_account_s_registry_may_be_the_destination(ecr: EcrEmulator, client: ECRClient, watch: Watch) -> None:
    allow(ecr.client(WEST, OTHER), "ecr:ReplicateImage", "ecr:CreateRepository")
    configure(client, *to(WEST, account=OTHER))
    push(client, REPOSITORY, IMAGE, "v1")
    wait = wait_of(client, EcrRegistry(OTHER, WEST))
    assert wait.is_expected()
    assert wait.until_done(backfill=False, say=watch.say)


def test_what_takes_too_long_is_waited_for_no_more(ecr: EcrEmulator, client: ECRClient, watch: Watch) -> None:
    ecr.switches.replication_seconds = 1000
    configure(client)
    push(client, REPOSITORY, IMAGE, "v1")
    assert not wait_of(client, seconds=60).until_done(backfill=True, say=watch.say)
    too_long = f"the registry's replication of {DIGEST} to {THERE.host} took more than 60 s"
    assert watch.lines == [WAITING] * (60 // LOOK) + [too_long]


def test_an_image_older_than_the_rule_is_waited_for_until_the_registry_had_time_to_notice_it(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    configure(client)
    assert not wait.until_done(backfill=False, say=watch.say)
    assert set(watch.lines[:-1]) == {WAITING}
    assert watch.lines[-1] == TOO_OLD
    assert 15 <= watch.now <= 15 + LOOK
    assert "StartReplicationBackfill" not in ecr.calls


@pytest.mark.parametrize("backfill", [False, True])
def test_an_image_that_is_noticed_late_is_waited_for(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait, backfill: bool
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    configure(client)
    watch.next = [
        lambda: None,
        lambda: client.put_image(repositoryName=REPOSITORY, imageManifest=IMAGE.text, imageTag="v2"),
    ]
    assert wait.until_done(backfill=backfill, say=watch.say)
    assert "StartReplicationBackfill" not in ecr.calls


# --- Backfills -------------------------------------------------------------------------------------------------------


@pytest.fixture
def older(client: ECRClient) -> None:
    """An image that is older than its rule."""
    push(client, REPOSITORY, IMAGE, "v1")
    configure(client)


def backfill_of(client: ECRClient) -> Any:
    """Return the one backfill that there is."""
    (found,) = client.list_replication_backfills()["backfills"]
    return found


@needs_backfill
@pytest.mark.usefixtures("older")
def test_an_older_image_is_replicated_by_a_backfill(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    assert wait.until_done(backfill=True, say=watch.say)
    assert arrived(ecr)
    backfill = backfill_of(client)
    assert (backfill["destination"], backfill["status"]) == ({"region": WEST, "registryId": OWN}, "COMPLETE")
    told = f"the replication backfill {backfill['replicationBackfillId']} is COMPLETE"
    assert watch.lines[-2:] == [told, REPLICATED]
    assert watch.now >= 15  # not before the registry had time to notice it
    assert ecr.calls.count("StartReplicationBackfill") == 1


@needs_backfill
@pytest.mark.usefixtures("older")
def test_a_backfill_that_is_complete_may_have_failed_for_the_image(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    assert not wait.until_done(backfill=True, say=watch.say)
    assert backfill_of(client)["status"] == "COMPLETE"
    assert not arrived(ecr)
    assert watch.lines[-1] != REPLICATED


@needs_backfill
@pytest.mark.usefixtures("older")
def test_a_backfill_that_somebody_stops_brings_nothing(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    def stop() -> None:
        client.stop_replication_backfill(replicationBackfillId=backfill_of(client)["replicationBackfillId"])

    ecr.faults.after("StartReplicationBackfill", lambda: watch.next.append(stop))
    assert not wait.until_done(backfill=True, say=watch.say)
    told = f"the replication backfill {backfill_of(client)['replicationBackfillId']} is STOPPED"
    assert watch.lines[-2:] == [told, TOO_OLD]


@needs_backfill
@pytest.mark.usefixtures("older")
def test_a_backfill_that_runs_already_is_no_failure(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    ecr.switches.replication_seconds = 1000
    client.start_replication_backfill(destination={"region": WEST, "registryId": OWN})
    assert not wait.until_done(backfill=True, say=watch.say)
    assert "ReplicationBackfillInProgressException" in watch.lines[-2]
    assert watch.lines[-1] == TOO_OLD


@needs_backfill
@pytest.mark.usefixtures("older")
def test_a_backfill_that_takes_too_long_is_waited_for_no_more(
    ecr: EcrEmulator, client: ECRClient, watch: Watch
) -> None:
    ecr.switches.replication_seconds = 1000
    assert not wait_of(client, seconds=60).until_done(backfill=True, say=watch.say)
    assert 60 <= watch.now <= 60 + LOOK
    assert watch.lines[-1].endswith("took more than 60 s")


@needs_backfill
@pytest.mark.usefixtures("older")
def test_calls_about_a_backfill_are_tried_again(ecr: EcrEmulator, watch: Watch, wait: ReplicationWait) -> None:
    ecr.faults.fail("StartReplicationBackfill")
    ecr.faults.fail("DescribeReplicationBackfillResults", "ServerException")
    assert wait.until_done(backfill=True, say=watch.say)
    assert arrived(ecr)


@pytest.mark.usefixtures("older")
def test_an_older_botocore_starts_no_backfill(
    ecr: EcrEmulator, watch: Watch, wait: ReplicationWait, tmp_path: Path
) -> None:
    old = client_without(ecr, tmp_path, "StartReplicationBackfill")
    assert not replace(wait, source=EcrRepository(old, REPOSITORY)).until_done(backfill=True, say=watch.say)
    old.close()
    assert watch.lines[-2:] == ["no replication backfill: the installed botocore is older than that", TOO_OLD]


# --- Failures --------------------------------------------------------------------------------------------------------


def test_a_look_is_tried_again(ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait) -> None:
    configure(client)
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.advance(30)
    ecr.faults.fail("DescribeImageReplicationStatus", times=2)
    assert wait.until_done(backfill=False, say=watch.say)


def test_a_look_that_is_refused_is_an_error(
    ecr: EcrEmulator, client: ECRClient, watch: Watch, wait: ReplicationWait
) -> None:
    push(client, REPOSITORY, IMAGE, "v1")
    ecr.faults.fail("DescribeImageReplicationStatus", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=f"DescribeImageReplicationStatus of {REPOSITORY}@{DIGEST} failed"):
        wait.until_done(backfill=False, say=watch.say)


def test_an_image_that_is_not_there_is_an_error(watch: Watch, wait: ReplicationWait) -> None:
    with pytest.raises(ImageNotFoundError):
        wait.until_done(backfill=False, say=watch.say)


def test_the_wait_ends_when_the_job_does(client: ECRClient, watch: Watch) -> None:
    configure(client)
    push(client, REPOSITORY, IMAGE, "v1")
    patience = Patience()
    watch.next = [lambda: None, patience.stop]
    with pytest.raises(CopyStoppedError):
        wait_of(client, patience=patience).until_done(backfill=False, say=watch.say)
    assert watch.lines == [WAITING] * 2
