"""ListImageReferrers: what refers to an image (OCI 1.1)."""

from __future__ import annotations

from typing import Any

from contract.case import SOME, Case, Step, call
from contract.phrases import delete, put
from contract.world import MANIFEST

NO_HANDLER = "has no handler"
WORLD = "one at v1 and the artifacts' layers"


def referrers(image: str = "one", **more: Any) -> Step:
    return call("ListImageReferrers", subjectId={"imageDigest": f"{{{image}.digest}}"}, **more)


CASES = [
    Case(
        "what refers to an image is listed",
        "M: ListImageReferrers",
        WORLD,
        put("referrer"),
        referrers().answers(
            referrers=[
                {
                    "digest": "{referrer.digest}",
                    "mediaType": MANIFEST,
                    "artifactType": "application/vnd.example",
                    "size": SOME,
                    "artifactStatus": "ACTIVE",
                }
            ]
        ),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "an image that nothing refers to",
        "M: ListImageReferrers",
        WORLD,
        referrers().answers(referrers=[]),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    *(
        Case(
            f"referrers of the type {artifact_type}",
            "M: ListImageReferrersFilter",
            WORLD,
            put("referrer"),
            referrers(filter={"artifactTypes": [artifact_type]}).answers(referrers=found),
            row=39,
            moto_fails=NO_HANDLER,
        )
        for artifact_type, found in (
            ("application/vnd.example", [{"digest": "{referrer.digest}"}]),
            ("application/vnd.other", []),
        )
    ),
    Case(
        "a referrer that is deleted",
        "M: ListImageReferrers",
        WORLD,
        put("referrer"),
        delete({"imageDigest": "{referrer.digest}"}),
        referrers().answers(referrers=[]),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "a page of 51",
        "M: maxResults, 1 to 50",
        WORLD,
        referrers(maxResults=51).refused("InvalidParameterException|ValidationException", "(?i)maxResults"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
    Case(
        "referrers in an unknown repository",
        "M: RepositoryNotFoundException",
        "no repository",
        referrers().refused("RepositoryNotFoundException"),
        row=39,
        moto_fails=NO_HANDLER,
    ),
]
