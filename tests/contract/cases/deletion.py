"""BatchDeleteImage and DeleteRepository."""

from __future__ import annotations

from contract.case import ABSENT, Case, any_order, call
from contract.cases.put_image import NO_REPOSITORY
from contract.phrases import both, by_digest, by_tag, delete, describe, listing, put

LAST_TAG = "D: API reference, BatchDeleteImage: the last tag takes the image with it"
REFERENCED = "D: CloudTrail example, ImageReferencedByManifestList"
REFERENCED_REASON = "Requested image referenced by manifest list: [{index.digest}]"

CASES = [
    Case(
        "by a tag of several, only the tag is deleted",
        LAST_TAG,
        "one at v1, v2 and v3",
        delete(by_tag("v2")).answers(imageIds=[both("one", "v2")], failures=[]),
        describe().answers(imageDetails=[{"imageDigest": "{one.digest}", "imageTags": any_order("v1", "v3")}]),
    ),
    Case(
        "by its last tag, the image is deleted",
        LAST_TAG,
        "one at v1",
        delete(by_tag("v1")).answers(imageIds=[both("one", "v1")], failures=[]),
        describe(by_digest("one")).refused("ImageNotFoundException"),
        listing().answers(imageIds=[]),
    ),
    Case(
        "by its digest, an image is deleted with all its tags",
        "D: API reference, BatchDeleteImage",
        "one at v1, v2 and v3",
        delete(by_digest("one")).answers(
            imageIds=any_order(both("one", "v1"), both("one", "v2"), both("one", "v3")), failures=[]
        ),
        listing().answers(imageIds=[]),
    ),
    Case(
        "an image without a tag is deleted by its digest",
        "D: API reference, BatchDeleteImage",
        "one",
        delete(by_digest("one")).answers(imageIds=[{"imageDigest": "{one.digest}", "imageTag": ABSENT}], failures=[]),
        listing().answers(imageIds=[]),
        moto_fails="deletes it, and does not say so",
    ),
    Case(
        "an image that an index names is not deleted",
        REFERENCED,
        "index at v1",
        delete({"imageDigest": "{index.child1}"}).answers(
            imageIds=[],
            failures=[
                {
                    "imageId": {"imageDigest": "{index.child1}"},
                    "failureCode": "ImageReferencedByManifestList",
                    "failureReason": REFERENCED_REASON,
                }
            ],
        ),
        describe({"imageDigest": "{index.child1}"}).answers(imageDetails=[{"imageDigest": "{index.child1}"}]),
        row=38,
        moto_fails="deletes it",
    ),
    Case(
        "an image that an index names is not deleted by its only tag either",
        "I: clean-up scripts that fail on it",
        "index at v1",
        call("PutImage", imageManifest="{index.child1_text}", imageDigest="{index.child1}", imageTag="amd64"),
        delete(by_tag("amd64")).answers(
            imageIds=[], failures=[{"failureCode": "ImageReferencedByManifestList", "failureReason": REFERENCED_REASON}]
        ),
        row=38,
        moto_fails="deletes it",
    ),
    Case(
        "an index can be deleted, and then its images",
        "D: user guide, Deleting an image",
        "index at v1",
        delete(by_digest("index")).answers(imageIds=[both("index", "v1")], failures=[]),
        delete({"imageDigest": "{index.child1}"}, {"imageDigest": "{index.child2}"}).answers(failures=[]),
        listing().answers(imageIds=[]),
    ),
    Case(
        "a tag that was put on an index's image can be moved off it",
        "I: clean-up scripts put the index under the tag",
        "index at v1",
        call("PutImage", imageManifest="{index.child1_text}", imageDigest="{index.child1}", imageTag="amd64"),
        put("index", "amd64", imageDigest="{index.digest}"),
        describe({"imageDigest": "{index.child1}"}).answers(imageDetails=[{"imageTags": ABSENT}]),
        moto_fails="deletes the image that the tag moved off",
    ),
    *(
        Case(
            f"a failure, not an error: {what}",
            "M: ImageFailureCode",
            "one at v1",
            delete(image_id).answers(imageIds=[], failures=[{"imageId": image_id, "failureCode": code}]),
            moto_fails=moto,
        )
        for what, image_id, code, moto in (
            ("no such tag", by_tag("none"), "ImageNotFound", None),
            ("no such digest", {"imageDigest": "{zeros}"}, "ImageNotFound", None),
            ("what is no digest", {"imageDigest": "zzz"}, "InvalidImageDigest", None),
            ("neither digest nor tag", {}, "MissingDigestAndTag", None),
        )
    ),
    Case(
        "a tag and another digest than it has are not deleted",
        "M: ImageFailureCode",
        "one at v1, two at v2",
        delete(both("two", "v1")).answers(
            imageIds=[], failures=[{"imageId": both("two", "v1"), "failureCode": "ImageTagDoesNotMatchDigest"}]
        ),
        describe().answers(imageDetails=any_order(by_digest("one"), by_digest("two"))),
        moto_fails="ImageNotFound",
    ),
    Case(
        "what can be deleted is, whatever fails beside it",
        "D: API reference, BatchDeleteImage",
        "one at v1, two at v2",
        delete(by_tag("none"), by_tag("v1")).answers(
            imageIds=[both("one", "v1")], failures=[{"imageId": by_tag("none")}]
        ),
        describe().answers(imageDetails=[by_digest("two")]),
    ),
    Case(
        "a hundred and one images",
        "M: ImageIdentifierList, max 100",
        "one at v1",
        delete(*(by_tag(f"t{number}") for number in range(101))).refused("InvalidParameterException", "(?i)imageIds"),
        moto_fails="takes them",
    ),
    Case(
        "an unknown repository",
        "I: the message in many reports",
        "no repository",
        delete(by_tag("v1")).refused("RepositoryNotFoundException", NO_REPOSITORY),
    ),
    # --- Repositories ---
    Case(
        "a repository with images is not deleted",
        "M: RepositoryNotEmptyException",
        "one at v1",
        call("DeleteRepository").refused("RepositoryNotEmptyException"),
        describe(by_tag("v1")).answers(imageDetails=[by_digest("one")]),
    ),
    Case(
        "a repository with images is deleted by force",
        "D: API reference, DeleteRepository",
        "one at v1",
        call("DeleteRepository", force=True).answers(repository={"repositoryName": "{repository}"}),
        describe().refused("RepositoryNotFoundException"),
    ),
    Case(
        "an empty repository is deleted",
        "D: API reference, DeleteRepository",
        "an empty repository",
        call("DeleteRepository").answers(repository={"repositoryName": "{repository}"}),
        call("DeleteRepository").refused("RepositoryNotFoundException", NO_REPOSITORY),
    ),
]
