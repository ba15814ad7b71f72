"""DescribeImages, ListImages and DescribeRepositories: what is shown, filters, pages."""

from __future__ import annotations

from contract.case import ABSENT, SOME, Case, any_order, call
from contract.cases.put_image import NO_REPOSITORY
from contract.phrases import both, by_digest, by_tag, describe, listing, put

THREE = "one at v1, two at v2, three untagged"
NO_PAGES = "answers all at once"

CASES = [
    Case(
        "an image with three tags is described once",
        "M: ImageDetail.imageTags",
        "one at v1, v2 and v3",
        describe().answers(imageDetails=[{"imageDigest": "{one.digest}", "imageTags": any_order("v1", "v2", "v3")}]),
    ),
    Case(
        "an image with three tags is listed three times",
        "D: API reference, ListImages",
        "one at v1, v2 and v3",
        listing().answers(imageIds=any_order(both("one", "v1"), both("one", "v2"), both("one", "v3"))),
    ),
    Case(
        "an image without a tag is listed by its digest",
        "D: API reference, ListImages",
        "one",
        listing().answers(imageIds=[{"imageDigest": "{one.digest}", "imageTag": ABSENT}]),
    ),
    Case(
        "an index and its children are listed",
        "D: user guide, Pushing a multi-architecture image",
        "index at v1",
        listing().answers(
            imageIds=any_order(
                both("index", "v1"),
                {"imageDigest": "{index.child1}", "imageTag": ABSENT},
                {"imageDigest": "{index.child2}", "imageTag": ABSENT},
            )
        ),
    ),
    *(
        Case(
            f"{operation} honours the filter {status}",
            "M: TagStatus",
            "one at v1, two untagged",
            call(operation, filter={"tagStatus": status}).answers(**{member: any_order(*map(by_digest, expected))}),
            row=36,
            moto_fails=moto if operation == "DescribeImages" else None,
        )
        for operation, member in (("DescribeImages", "imageDetails"), ("ListImages", "imageIds"))
        for status, expected, moto in (
            ("UNTAGGED", ["two"], "ignores the filter"),
            ("TAGGED", ["one"], "ignores the filter"),
            ("ANY", ["one", "two"], None),
        )
    ),
    # --- Asking for some images ---
    *(
        Case(
            f"one image that is missing fails the whole call: {what}",
            "M: ImageNotFoundException",
            "one at v1",
            describe(by_tag("v1"), image_id).refused("ImageNotFoundException", status=400),
        )
        for what, image_id in (("a tag", by_tag("none")), ("a digest", {"imageDigest": "{zeros}"}))
    ),
    *(
        Case(
            f"naming images excludes {member}",
            "D: API reference, DescribeImages: cannot be used with imageIds",
            "one at v1",
            describe(by_tag("v1"), **{member: value}).refused("InvalidParameterException"),
            moto_fails="ignores it",
        )
        for member, value in (("maxResults", 10), ("nextToken", "abc"))
    ),
    Case(
        "a hundred and one images",
        "M: ImageIdentifierList, max 100",
        "one at v1",
        describe(*(by_tag(f"t{number}") for number in range(101))).refused("InvalidParameterException", "(?i)imageIds"),
        moto_fails="ImageNotFoundException",
    ),
    # --- Sizes ---
    Case(
        "the size of an image is that of its layers",
        "M: ImageDetail.imageSizeInBytes",
        "one at v1",
        describe().answers(imageDetails=[{"imageSizeInBytes": "{one.size}"}]),
        row=37,
        moto_fails="takes the config's",
    ),
    Case(
        "the size of an index is that of its largest image",
        "M: ImageDetail.imageSizeInBytes",
        "uneven at v1",
        describe(by_tag("v1")).answers(imageDetails=[{"imageSizeInBytes": "{uneven.size2}"}]),
        row=37,
        moto_fails="knows no size of an index",
    ),
    # --- Pages ---
    *(
        Case(
            f"{operation} answers in pages",
            "M: maxResults and nextToken",
            THREE,
            call(operation, maxResults=2).answers(**{member: [SOME, SOME], "nextToken": SOME}).keeps(token="nextToken"),
            call(operation, maxResults=2, nextToken="{token}").answers(**{member: [SOME], "nextToken": ABSENT}),
            row=35,
            moto_fails=NO_PAGES,
        )
        for operation, member in (("DescribeImages", "imageDetails"), ("ListImages", "imageIds"))
    ),
    Case(
        "a page is of a hundred if nothing else is said",
        "D: API reference, ListImages: maxResults",
        "one",
        *(put("one", f"t{number}", imageDigest="{one.digest}") for number in range(101)),
        listing().answers(imageIds=[SOME] * 100, nextToken=SOME).keeps(token="nextToken"),
        listing(nextToken="{token}").answers(imageIds=[SOME], nextToken=ABSENT),
        row=35,
        moto_fails=NO_PAGES,
        not_on_aws="it takes a hundred pushes",
    ),
    *(
        Case(
            f"{operation}: {what}",
            "M: MaxResults, 1 to 1000",
            "one at v1",
            call(operation, maxResults=size).refused("InvalidParameterException", "(?i)maxResults"),
            moto_fails="takes it",
        )
        for operation in ("DescribeImages", "ListImages")
        for what, size in (("a page of none", 0), ("a page of 1001", 1001))
    ),
    *(
        Case(
            f"{operation} refuses a token that it did not make",
            "I: a hand-made 'last' of a tag list is refused with these words",
            "one at v1",
            call(operation, nextToken="made up").refused("InvalidParameterException", "(?i)nextToken"),
            moto_fails="ignores it",
        )
        for operation in ("DescribeImages", "ListImages")
    ),
    Case(
        "DescribeRepositories answers in pages",
        "M: maxResults and nextToken",
        "an empty repository",
        call("CreateRepository", repositoryName="{repository}-2"),
        call("CreateRepository", repositoryName="{repository}-3"),
        call("DescribeRepositories", maxResults=2)
        .answers(repositories=[SOME, SOME], nextToken=SOME)
        .keeps(token="nextToken"),
        call("DescribeRepositories", maxResults=2, nextToken="{token}").answers(repositories=[SOME], nextToken=ABSENT),
        row=35,
        moto_fails=NO_PAGES,
        not_on_aws="a failure would leave its other repositories behind",
    ),
    *(
        Case(
            f"naming repositories excludes {member}",
            "D: API reference, DescribeRepositories: cannot be used with repositoryNames",
            "an empty repository",
            call("DescribeRepositories", repositoryNames=["{repository}"], **{member: value}).refused(
                "InvalidParameterException"
            ),
            moto_fails="ignores it",
        )
        for member, value in (("maxResults", 10), ("nextToken", "abc"))
    ),
    *(
        Case(
            f"an unknown repository: {operation}",
            "I: the message in many reports",
            "no repository",
            call(operation).refused("RepositoryNotFoundException", NO_REPOSITORY),
        )
        for operation in ("DescribeImages", "ListImages")
    ),
    Case(
        "images are described once, however often they are named",
        "U: not documented",
        "one at v1, v2 and v3",
        describe(by_tag("v1"), by_tag("v2")).answers(imageDetails=[by_digest("one")]),
    ),
    Case(
        "what was put is there at once",
        "D: AWS CLI, describe-images after put-image",
        "one at v1",
        put("two", "v2", imageDigest="{two.digest}"),
        describe().answers(imageDetails=any_order(by_digest("one"), by_digest("two"))),
    ),
]
