"""Tags that may move, and tags that may not."""

from __future__ import annotations

from typing import Any

from contract.case import Case, call
from contract.phrases import by_digest, by_tag, delete, get, put

IMMUTABLE_TAG = (
    r"^The image tag '{tag}' already exists in the '{{repository}}' repository and cannot be overwritten because the "
    r"tag is immutable\.$"
)
D = "D: user guide, Preventing image tags from being overwritten"

WHOLE = "U: that filters are about the whole tag, and mind the case, is the natural reading"


def _taken(tag: str) -> str:
    return IMMUTABLE_TAG.format(tag=tag.replace(".", r"\."))


def _moves(world: str, tag: str, what: str, source: str = D, *, row: int = 0, moto_fails: str | None = None) -> Case:
    return Case(
        f"{world}: {tag} moves, {what}",
        source,
        world,
        put("two", tag, imageDigest="{two.digest}"),
        put("three", tag, imageDigest="{three.digest}"),
        get(by_tag(tag)).answers(images=[{"imageId": by_digest("three")}]),
        row=row or (),
        moto_fails=moto_fails,
    )


def _stays(world: str, tag: str, what: str, source: str = D, *, row: int = 0, moto_fails: str | None = None) -> Case:
    return Case(
        f"{world}: {tag} stays, {what}",
        source,
        world,
        put("two", tag, imageDigest="{two.digest}"),
        put("three", tag, imageDigest="{three.digest}").refused("ImageTagAlreadyExistsException", _taken(tag)),
        get(by_tag(tag)).answers(images=[{"imageId": by_digest("two")}]),
        row=row or (),
        moto_fails=moto_fails,
    )


def _filters(*wildcards: str) -> list[Any]:
    return [{"filterType": "WILDCARD", "filter": wildcard} for wildcard in wildcards]


V, DOT, DEV, BETA = (
    "mutable but v*, one at v1",
    "mutable but v.1, one at v1",
    "immutable but v* and *-dev, one at v1",
    "immutable but latest and v*.beta, one at v1",
)
CRASH = "HTTP 500: takes the filter for a regular expression"
OTHER = "ImageAlreadyExistsException, with other words"

CASES = [
    Case(
        "an immutable tag does not move to another image",
        "I: ten reports since 2025",
        "immutable, one at v1",
        put("two", "v1").refused("ImageTagAlreadyExistsException", _taken("v1"), status=400),
        get(by_tag("v1")).answers(images=[{"imageId": by_digest("one")}]),
        row=9,
        moto_fails=OTHER,
    ),
    Case(
        "an immutable repository takes new tags",
        D,
        "immutable, one at v1",
        put("one", "v2", imageDigest="{one.digest}"),
        put("two", "v3", imageDigest="{two.digest}"),
        get(by_tag("v2")).answers(images=[{"imageId": by_digest("one")}]),
    ),
    Case(
        "an immutable tag can be deleted, and is free then",
        "I: clean-up scripts; user guide, Deleting an image",
        "immutable, one at v1",
        delete(by_tag("v1")).answers(imageIds=[{"imageTag": "v1", "imageDigest": "{one.digest}"}], failures=[]),
        put("two", "v1", imageDigest="{two.digest}"),
    ),
    Case(
        "a repository can be made immutable, and mutable again",
        "D: API reference, PutImageTagMutability",
        "one at v1",
        call("PutImageTagMutability", imageTagMutability="IMMUTABLE").answers(
            registryId="{account}", repositoryName="{repository}", imageTagMutability="IMMUTABLE"
        ),
        put("two", "v1").refused("ImageTagAlreadyExistsException"),
        call("PutImageTagMutability", imageTagMutability="MUTABLE"),
        put("two", "v1", imageDigest="{two.digest}"),
        moto_fails=OTHER,
    ),
    _moves(V, "abc", "no filter names it", row=10, moto_fails="v* matches everything there"),
    _moves(V, "rev1", "a filter is about the whole tag", WHOLE),
    _moves(V, "V2", "a filter minds the case", WHOLE),
    _stays(V, "v2", "a filter names it", row=10, moto_fails=OTHER),
    _moves(DOT, "vx1", "a filter is no regular expression", moto_fails="takes the filter for a regular expression"),
    _moves(DEV, "web-dev", "a filter names it", row=11, moto_fails=CRASH),
    _stays(DEV, "web-dev-1", "a filter is about the whole tag", WHOLE, row=11),
    _stays(DEV, "web-rc", "no filter names it", row=11, moto_fails=CRASH),
    _moves(BETA, "latest", "a filter may be without a star"),
    _moves(BETA, "v1.2.beta", "a star may be within", moto_fails="takes the filter for a regular expression"),
    _stays(BETA, "v1.2.rc", "no filter names it", moto_fails=OTHER),
    *(
        Case(
            f"{operation}: {what}",
            source,
            world,
            call(operation, imageTagMutability=mutability, **more).refused("InvalidParameterException", message),
            row=12,
            moto_fails=moto if operation == "CreateRepository" else "takes it",
        )
        for operation, world in (
            ("CreateRepository", "no repository"),
            ("PutImageTagMutability", "an empty repository"),
        )
        for what, source, mutability, more, message, moto in (
            (
                "_WITH_EXCLUSION needs filters",
                "I: the message in a report",
                "IMMUTABLE_WITH_EXCLUSION",
                {},
                "ImageTagMutabilityExclusionFilters can't be null when .* is set as IMMUTABLE_WITH_EXCLUSION",
                None,
            ),
            (
                "filters need _WITH_EXCLUSION",
                "D: API reference: filters are for the _WITH_EXCLUSION values",
                "IMMUTABLE",
                {"imageTagMutabilityExclusionFilters": _filters("v*")},
                "ImageTagMutabilityExclusionFilters (must|can't) be null",
                None,
            ),
            (
                "six filters are too many",
                "M: ImageTagMutabilityExclusionFilters, max 5",
                "MUTABLE_WITH_EXCLUSION",
                {"imageTagMutabilityExclusionFilters": _filters(*"abcdef")},
                "(?i)ImageTagMutabilityExclusionFilters",
                "takes them",
            ),
            (
                "a filter is no regular expression",
                "M: ImageTagMutabilityExclusionFilterValue, pattern",
                "MUTABLE_WITH_EXCLUSION",
                {"imageTagMutabilityExclusionFilters": _filters("v[0-9]+")},
                "(?i)filter",
                "takes it",
            ),
        )
    ),
    Case(
        "the filters are shown",
        "M: Repository.imageTagMutabilityExclusionFilters",
        BETA,
        call("DescribeRepositories", repositoryNames=["{repository}"]).answers(
            repositories=[
                {
                    "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                    "imageTagMutabilityExclusionFilters": _filters("latest", "v*.beta"),
                }
            ]
        ),
    ),
]
