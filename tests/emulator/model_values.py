"""How each enumerated value of ECR's model is sent and answered, or why not. What botocore lacks is ignored."""

from __future__ import annotations

from typing import Any

from contract.case import Step, call, wait
from contract.cases.lifecycle import OLDEST
from contract.cases.registry import CACHE, SIGNING
from contract.cases.replication import BACKFILL, ELSEWHERE, replicate, rule, status
from contract.cases.scans import findings, scan
from contract.phrases import (
    archive,
    both,
    by_digest,
    by_tag,
    check_layers,
    delete,
    describe,
    get,
    put,
    restore,
    uploaded,
)
from contract.world import KEY
from emulator.model_exceptions import UPSTREAM
from emulator.model_scenes import Scene, do, scene, setting

from ecr_provider.emulator import ScanStep, SigningStep

FILTERS = {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}]}
ROLE = {"customRoleArn": "arn:aws:iam::123456789012:role/templates"}
SECRET = {"credentialArn": "arn:aws:secretsmanager:{region}:{account}:secret:ecr-pullthroughcache/x"}

COMPANIONS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("*", "ImageTagMutability", "IMMUTABLE_WITH_EXCLUSION"): FILTERS,
    ("*", "ImageTagMutability", "MUTABLE_WITH_EXCLUSION"): FILTERS,
    ("*", "ImageTagMutabilityExclusionFilterType", "WILDCARD"): {"imageTagMutability": "MUTABLE_WITH_EXCLUSION"},
    ("CreateRepositoryCreationTemplate", "EncryptionType", "KMS"): ROLE,
    ("CreateRepositoryCreationTemplate", "EncryptionType", "KMS_DSSE"): ROLE,
    ("PutRegistryScanningConfiguration", "ScanFrequency", "CONTINUOUS_SCAN"): {"scanType": "ENHANCED"},
}
"""What else has to be in a request of an operation (or any, ``*``) that has this value of this shape."""

NOT_ACCEPTED: dict[tuple[str, str], str] = {}
"""Values of requests that are refused for what they mean, in an empty registry and with nothing else."""


def _repository(**settings: Any) -> Step:
    return call("CreateRepository", repositoryName="{repository}", **settings)


# --- Scans ---


def _scripted(*steps: ScanStep, found: dict[Any, int] | None = None) -> Step:
    """Have all scans go so."""
    return do(lambda ecr: ecr.scans.script(*steps, findings=found))


def _enhanced(frequency: str = "CONTINUOUS_SCAN") -> Step:
    filters = [{"filter": "*", "filterType": "WILDCARD"}]
    rules = [{"scanFrequency": frequency, "repositoryFilters": filters}]
    return call("PutRegistryScanningConfiguration", scanType="ENHANCED", rules=rules)


def _frequencies() -> Step:
    return call("BatchGetRepositoryScanningConfiguration", repositoryNames=["{repository}", "{repository}-none"])


FIFTEEN_DAYS = 15 * 24 * 3600
SCANS = [
    scene("one at v1", scan(), findings(), wait(3600), findings(), describe(by_tag("v1"))),
    scene("one at v1", scan(), archive("v1"), findings()),
    scene("one at v1", _enhanced(), findings(), wait(3600), findings(), _frequencies()),
    scene("one at v1", wait(FIFTEEN_DAYS), _enhanced(), findings()),
    scene("scanned on push, one at v1", _frequencies(), call("GetRegistryScanningConfiguration")),
    scene("one at v1", _frequencies()),
    scene(
        "one at v1",
        _scripted(found={"INFORMATIONAL": 1, "LOW": 1, "MEDIUM": 1, "HIGH": 1, "CRITICAL": 1, "UNDEFINED": 1}),
        scan(),
        wait(3600),
        findings(),
    ),
    *(
        scene("one at v1", _scripted(ScanStep(said)), scan(), findings())
        for said in ("FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "IMAGE_SIZE_EXCEEDED")
    ),
]

# --- Replication ---

_START = call("StartReplicationBackfill", **BACKFILL).keeps(backfill="replicationBackfillId")
_BACKFILLED = call("DescribeReplicationBackfillResults", replicationBackfillId="{backfill}")
_STOP = call("StopReplicationBackfill", replicationBackfillId="{backfill}")
_FAILING = setting(replication_failures={ELSEWHERE: "EXPECTED"})
REPLICATION = [
    scene(
        "the layers of one",
        replicate(rule(ELSEWHERE, "contract")),
        put("one"),
        status("one"),
        wait(3600),
        status("one"),
    ),
    scene("the layers of one", replicate(rule()), _FAILING, put("one"), wait(3600), status("one")),
    scene("one at v1", replicate(rule()), _START, wait(31), _BACKFILLED, wait(3600), _BACKFILLED),
    scene("one at v1", replicate(rule()), _FAILING, _START, wait(3600), _BACKFILLED),
    scene("one at v1", replicate(rule()), _START, wait(31), _STOP, wait(3600), _BACKFILLED),
    scene("one at v1", replicate(rule()), _START, replicate(), wait(3600), _BACKFILLED),
]

# --- Signing, lifecycle policies, artifacts ---

_SIGNED = {"rules": [SIGNING["rules"][0] | {"repositoryFilters": [{"filter": "*", "filterType": "WILDCARD_MATCH"}]}]}
_SIGN = call("PutSigningConfiguration", signingConfiguration=_SIGNED)
_SIGNATURE = call("DescribeImageSigningStatus", imageId=by_digest("one"))
_TRANSITION = """{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "sinceImagePulled",
"countUnit": "days", "countNumber": 1}, "action": {"type": "transition", "targetStorageClass": "archive"}}]}"""
_PURGE = """{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "storageClass": "archive",
"countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 100}, "action": {"type": "expire"}}]}"""


def _preview(policy: str) -> Step:
    return call("StartLifecyclePolicyPreview", lifecyclePolicyText=policy)


_PREVIEWED = call("GetLifecyclePolicyPreview")
_REFERRERS = call("ListImageReferrers", subjectId={"imageDigest": "{one.digest}"}, filter={"artifactStatus": "ANY"})
OTHERS = [
    scene("the layers of one", _SIGN, put("one"), _SIGNATURE, wait(3600), _SIGNATURE),
    scene(
        "the layers of one",
        do(lambda ecr: ecr.signings.script(SigningStep("FAILED"))),
        _SIGN,
        put("one"),
        _SIGNATURE,
    ),
    scene("one at v1, two at v2", _preview(OLDEST), wait(3600), _PREVIEWED),
    scene("one at v1", wait(2 * 24 * 3600), _preview(_TRANSITION), wait(3600), _PREVIEWED),
    scene("one at v1", archive("v1"), wait(101 * 24 * 3600), _preview(_PURGE), wait(3600), _PREVIEWED),
    scene(
        "one at v1 and the artifacts' layers",
        put("referrer", "r"),
        _REFERRERS,
        archive("r"),
        _REFERRERS,
        restore("r"),
        _REFERRERS,
    ),
    *(
        scene("no repository", call("CreateRepositoryCreationTemplate", prefix="shop", appliedFor=[scenario]))
        for scenario in ("REPLICATION", "PULL_THROUGH_CACHE", "CREATE_ON_PUSH")
    ),
    *(
        scene(
            "no repository",
            call("CreatePullThroughCacheRule", ecrRepositoryPrefix="shop", upstreamRegistryUrl=url, **secret),
        )
        for url, secret in (
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", ROLE),
            (CACHE["upstreamRegistryUrl"], {}),
            ("quay.io", {}),
            ("registry.k8s.io", {}),
            ("registry-1.docker.io", SECRET),
            ("ghcr.io", SECRET),
            ("shop.azurecr.io", SECRET),
            ("registry.gitlab.com", SECRET),
            ("cgr.dev", SECRET),
        )
    ),
]

# --- Repositories, images and layers ---

PRODUCED: list[Scene] = [
    scene("an empty repository", *uploaded("hello", 4), check_layers("{hello.digest}", "{zeros}", "", "nonsense")),
    scene("one at v1", archive("v1"), check_layers("{one.layer1}"), get(by_tag("v1")), restore("v1")),
    scene("one at v1", archive("v1"), restore("v1"), wait(3600), describe()),
    scene("one at v1, two at v2", get({"imageDigest": "zzz"}, by_tag("-bad tag!"), {}, by_tag("none"))),
    scene("one at v1, two at v2", get(both("two", "v1"))),
    scene("index at v1", delete({"imageDigest": "{index.child1}"})),
    scene("encrypted, one at v1", setting(unusable_kms_keys={KEY}), get(by_digest("one"))),
    *(
        scene("no repository", _repository(imageTagMutability=mutability, **filters))
        for mutability, filters in (
            ("MUTABLE", {}),
            ("IMMUTABLE", {}),
            ("MUTABLE_WITH_EXCLUSION", FILTERS),
            ("IMMUTABLE_WITH_EXCLUSION", FILTERS),
        )
    ),
    *(
        scene("no repository", _repository(encryptionConfiguration={"encryptionType": kind}))
        for kind in ("AES256", "KMS", "KMS_DSSE")
    ),
    *SCANS,
    *REPLICATION,
    *OTHERS,
]
"""Scenes, all of whose steps succeed: what their answers have is produced."""

NOT_PRODUCED: dict[tuple[str, str], str] = {
    ("ImageFailureCode", "UpstreamAccessDenied"): UPSTREAM,
    ("ImageFailureCode", "UpstreamTooManyRequests"): UPSTREAM,
    ("ImageFailureCode", "UpstreamUnavailable"): UPSTREAM,
    ("LifecyclePolicyPreviewStatus", "EXPIRED"): "AWS does not say when a preview expires",
    ("LifecyclePolicyPreviewStatus", "FAILED"): "a policy that was found valid can be evaluated",
}
