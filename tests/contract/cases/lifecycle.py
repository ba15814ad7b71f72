"""Lifecycle policies and their previews."""

from __future__ import annotations

import json
from typing import Any

from contract.case import ABSENT, Case, Like, call, wait

NO_HANDLER = "has no handler"


def policy(**selection: Any) -> str:
    """Write a policy that expires what is selected."""
    rule = {
        "rulePriority": 1,
        "description": "A rule of the contract cases, in words that make it long enough",
        "selection": selection,
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]})


UNTAGGED = policy(tagStatus="untagged", countType="imageCountMoreThan", countNumber=1)
OLDEST = policy(tagStatus="any", countType="imageCountMoreThan", countNumber=1)

CASES = [
    Case(
        "a lifecycle policy is put, read and deleted",
        "D: AWS CLI, put-lifecycle-policy",
        "an empty repository",
        call("PutLifecyclePolicy", lifecyclePolicyText=UNTAGGED).answers(
            registryId="{account}", repositoryName="{repository}", lifecyclePolicyText=UNTAGGED
        ),
        call("GetLifecyclePolicy").answers(lifecyclePolicyText=UNTAGGED),
        call("DeleteLifecyclePolicy").answers(lifecyclePolicyText=UNTAGGED),
        call("GetLifecyclePolicy").refused("LifecyclePolicyNotFoundException"),
    ),
    *(
        Case(
            f"{operation} where there is none",
            "M: LifecyclePolicyNotFoundException",
            "an empty repository",
            call(operation).refused("LifecyclePolicyNotFoundException"),
            moto_fails=moto,
        )
        for operation, moto in (
            ("GetLifecyclePolicy", None),
            ("DeleteLifecyclePolicy", None),
            ("StartLifecyclePolicyPreview", NO_HANDLER),
        )
    ),
    Case(
        "a preview that was not started",
        "M: LifecyclePolicyPreviewNotFoundException",
        "an empty repository",
        call("GetLifecyclePolicyPreview").refused("LifecyclePolicyPreviewNotFoundException"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "a policy that is none",
        "D: user guide, Lifecycle policies: a JSON document with rules",
        "an empty repository",
        call("PutLifecyclePolicy", lifecyclePolicyText="x" * 100).refused("InvalidParameterException"),
    ),
    Case(
        "a preview names what would expire, and expires nothing",
        "D: AWS CLI, get-lifecycle-policy-preview",
        "one at v1, two untagged",
        call(
            "StartLifecyclePolicyPreview",
            lifecyclePolicyText=policy(tagStatus="untagged", countType="imageCountMoreThan", countNumber=1),
        ).answers(status=Like("IN_PROGRESS|COMPLETE")),
        wait(3600),
        call("GetLifecyclePolicyPreview").answers(
            status="COMPLETE", previewResults=[], summary={"expiringImageTotalCount": 0}
        ),
        row=39,
    ),
    Case(
        "a preview of a policy that keeps one image",
        "D: AWS CLI, get-lifecycle-policy-preview",
        "one at v1, two at v2",
        call("StartLifecyclePolicyPreview", lifecyclePolicyText=OLDEST),
        wait(3600),
        call("GetLifecyclePolicyPreview").answers(
            status="COMPLETE",
            previewResults=[
                {
                    "imageDigest": "{one.digest}",
                    "imageTags": ["v1"],
                    "action": {"type": "EXPIRE"},
                    "appliedRulePriority": 1,
                }
            ],
            summary={"expiringImageTotalCount": 1},
            nextToken=ABSENT,
        ),
        call("DescribeImages", imageIds=[{"imageTag": "v1"}]),
        row=39,
    ),
]
