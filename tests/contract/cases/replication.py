"""Replication into other Regions and accounts, and backfills."""

from __future__ import annotations

from typing import Any

from contract.case import ABSENT, SOME, Case, Like, Step, any_order, call, wait
from contract.phrases import both, by_digest, by_tag, describe, get, put

ELSEWHERE = "eu-west-1"
HALF_AN_HOUR = 30 * 60  # "the majority in less than 30 minutes" (user guide, Private image replication)
GUIDE = "D: user guide, Private image replication"
NO_HANDLER = "has no handler"


def rule(region: str = ELSEWHERE, *prefixes: str, account: str = "{account}") -> dict[str, Any]:
    destination = {"destinations": [{"region": region, "registryId": account}]}
    filters = [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in prefixes]
    return destination | ({"repositoryFilters": filters} if filters else {})


def replicate(*rules: dict[str, Any]) -> Step:
    return call("PutReplicationConfiguration", replicationConfiguration={"rules": list(rules)})


def status(image: str) -> Step:
    return call("DescribeImageReplicationStatus", imageId=by_digest(image))


BACKFILL_ID = Like("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BACKFILL = {"destination": {"region": ELSEWHERE, "registryId": "{account}"}}

CASES = [
    # --- The configuration ---
    Case(
        "a registry replicates nothing at first",
        "D: AWS CLI, describe-registry",
        "no repository",
        call("DescribeRegistry").answers(registryId="{account}", replicationConfiguration={"rules": []}),
    ),
    Case(
        "a configuration is answered and described",
        "D: AWS CLI, put-replication-configuration",
        "no repository",
        replicate(rule(ELSEWHERE, "contract")).answers(
            replicationConfiguration={"rules": [rule(ELSEWHERE, "contract")]}
        ),
        call("DescribeRegistry").answers(replicationConfiguration={"rules": [rule(ELSEWHERE, "contract")]}),
        replicate(),
        call("DescribeRegistry").answers(replicationConfiguration={"rules": []}),
    ),
    Case(
        "a configuration of two rules",
        "M: ReplicationRuleList, max 25",
        "no repository",
        replicate(rule(ELSEWHERE, "shop"), rule("eu-west-2", "tools")).answers(
            replicationConfiguration={"rules": [rule(ELSEWHERE, "shop"), rule("eu-west-2", "tools")]}
        ),
        row=40,
        moto_fails="takes one rule only",
    ),
    Case(
        "twenty-six rules are too many",
        "M: ReplicationRuleList, max 25",
        "no repository",
        replicate(*(rule(ELSEWHERE, f"prefix-{n}") for n in range(26))).refused(
            "InvalidParameterException|ValidationException", "(?i)rules"
        ),
        row=40,
        moto_fails="other words",
    ),
    # --- Images ---
    Case(
        "what is pushed under a rule appears in the other Region, tag and bytes",
        GUIDE,
        "the layers of one",
        replicate(rule(ELSEWHERE)),
        put("one", "v1"),
        wait(HALF_AN_HOUR),
        get(by_tag("v1"))
        .at(region=ELSEWHERE)
        .answers(images=[{"imageId": both("one", "v1"), "imageManifest": "{one.text}"}], failures=[]),
        status("one").answers(
            repositoryName="{repository}",
            imageId=by_digest("one"),
            replicationStatuses=[{"region": ELSEWHERE, "registryId": "{account}", "status": "COMPLETE"}],
        ),
        row=(39, 41),
    ),
    Case(
        "the layers are replicated",
        GUIDE,
        "the layers of one",
        replicate(rule(ELSEWHERE)),
        put("one", "v1"),
        wait(HALF_AN_HOUR),
        call("GetDownloadUrlForLayer", layerDigest="{one.layer1}").at(region=ELSEWHERE).answers(downloadUrl=SOME),
        row=41,
    ),
    Case(
        "replication takes a while",
        "M: ReplicationStatus",
        "the layers of one",
        replicate(rule(ELSEWHERE)),
        put("one", "v1"),
        status("one").answers(replicationStatuses=[{"region": ELSEWHERE, "status": "IN_PROGRESS"}]),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "only what is pushed after the rule is replicated",
        GUIDE,
        "one at v1",
        replicate(rule(ELSEWHERE)),
        wait(HALF_AN_HOUR),
        describe(by_tag("v1")).at(region=ELSEWHERE).refused("RepositoryNotFoundException"),
        status("one").answers(replicationStatuses=[]),
        row=39,
    ),
    Case(
        "only what the rule's prefixes name is replicated",
        GUIDE,
        "the layers of one",
        replicate(rule(ELSEWHERE, "another-prefix")),
        put("one", "v1"),
        wait(HALF_AN_HOUR),
        describe().at(region=ELSEWHERE).refused("RepositoryNotFoundException"),
    ),
    Case(
        "an image is replicated without its tag where that is immutable",
        GUIDE,
        "the layers of one",
        call("CreateRepository", repositoryName="{repository}", imageTagMutability="IMMUTABLE").at(region=ELSEWHERE),
        replicate(rule(ELSEWHERE)),
        put("one", "v1"),
        wait(HALF_AN_HOUR),
        put("two", "v1"),
        wait(HALF_AN_HOUR),
        get(by_tag("v1")).at(region=ELSEWHERE).answers(images=[{"imageId": both("one", "v1")}]),
        describe(by_digest("two")).at(region=ELSEWHERE).answers(imageDetails=[{"imageTags": ABSENT}]),
    ),
    Case(
        "replication does not chain",
        GUIDE,
        "the layers of one",
        replicate(rule("eu-west-2")).at(region=ELSEWHERE),
        replicate(rule(ELSEWHERE)),
        put("one", "v1"),
        wait(2 * HALF_AN_HOUR),
        describe().at(region="eu-west-2").refused("RepositoryNotFoundException"),
    ),
    Case(
        "the status of an image that is not there",
        "M: ImageNotFoundException",
        "one at v1",
        call("DescribeImageReplicationStatus", imageId=by_tag("none")).refused("ImageNotFoundException"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    # --- Backfills ---
    Case(
        "a backfill replicates what was there before the rule",
        "M: StartReplicationBackfill",
        "one at v1",
        replicate(rule(ELSEWHERE)),
        call("StartReplicationBackfill", **BACKFILL)
        .answers(replicationBackfillId=BACKFILL_ID, status=Like("PREPARING|IN_PROGRESS"), startedAt=SOME)
        .keeps(backfill="replicationBackfillId"),
        wait(2 * HALF_AN_HOUR),
        get(by_tag("v1")).at(region=ELSEWHERE).answers(images=[{"imageManifest": "{one.text}"}]),
        call("DescribeReplicationBackfillResults", replicationBackfillId="{backfill}").answers(
            status="COMPLETE", results=any_order({"repositoryName": "{repository}", "status": "COMPLETE"})
        ),
        call("ListReplicationBackfills").answers(
            backfills=[{"replicationBackfillId": "{backfill}", "status": "COMPLETE"}]
        ),
        row=39,
    ),
    Case(
        "a second backfill into the same Region",
        "M: ReplicationBackfillInProgressException",
        "one at v1",
        replicate(rule(ELSEWHERE)),
        call("StartReplicationBackfill", **BACKFILL),
        call("StartReplicationBackfill", **BACKFILL).refused("ReplicationBackfillInProgressException"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    *(
        Case(
            f"{operation} of an unknown backfill",
            "M: ReplicationBackfillNotFoundException",
            "no repository",
            call(operation, replicationBackfillId="{uuid}").refused("ReplicationBackfillNotFoundException"),
            row=39,
            moto_fails=NO_HANDLER,
        )
        for operation in ("DescribeReplicationBackfillResults", "StopReplicationBackfill")
    ),
]
