"""Images in the archive (user guide, "Archiving an image")."""

from __future__ import annotations

from contract.case import ABSENT, SOME, Case, any_order, call
from contract.phrases import archive, by_digest, by_tag, check_layers, describe, get, listing, put, restore

NO_ARCHIVE = "has no handler"
WORLD = "one at v1, two at v2"
FEE = "an archived image is paid for ninety days"

CASES = [
    Case(
        "an image is archived at once",
        "M: UpdateImageStorageClassResponse",
        WORLD,
        archive("v1").answers(
            registryId="{account}", repositoryName="{repository}", imageId=by_tag("v1"), imageStatus="ARCHIVED"
        ),
        moto_fails=NO_ARCHIVE,
        not_on_aws=FEE,
    ),
    *(
        Case(
            f"{operation} shows active images unless asked for others",
            "D: API reference: the filter's imageStatus is ACTIVE by default",
            WORLD,
            archive("v1"),
            call(operation).answers(**{member: [by_digest("two")]}),
            call(operation, filter={"imageStatus": "ARCHIVED"}).answers(**{member: [by_digest("one")]}),
            call(operation, filter={"imageStatus": "ANY"}).answers(
                **{member: any_order(by_digest("one"), by_digest("two"))}
            ),
            moto_fails=NO_ARCHIVE,
            not_on_aws=FEE,
        )
        for operation, member in (("DescribeImages", "imageDetails"), ("ListImages", "imageIds"))
    ),
    Case(
        "an archived image says since when",
        "M: ImageDetail.lastArchivedAt",
        WORLD,
        archive("v1"),
        describe(filter={"imageStatus": "ARCHIVED"}).answers(
            imageDetails=[{"imageStatus": "ARCHIVED", "lastArchivedAt": SOME, "lastActivatedAt": ABSENT}]
        ),
        moto_fails=NO_ARCHIVE,
        not_on_aws=FEE,
    ),
    Case(
        "an archived image cannot be read",
        "D: user guide, an archived image cannot be pulled",
        WORLD,
        archive("v1"),
        get(by_tag("v1")).answers(images=[], failures=[{"imageId": by_tag("v1")}]),
        moto_fails=NO_ARCHIVE,
        not_on_aws=FEE,
    ),
    Case(
        "the layers of an archived image are archived",
        "M: LayerAvailability",
        "docker at v1",
        archive("v1"),
        check_layers("{docker.layer1}").answers(layers=[{"layerAvailability": "ARCHIVED"}]),
        call("GetDownloadUrlForLayer", layerDigest="{docker.layer1}").refused("LayerInaccessibleException"),
        moto_fails=NO_ARCHIVE,
        not_on_aws=FEE,
    ),
    Case(
        "an image is restored after a while",
        "D: user guide, Restoring an archived image: within 20 minutes",
        WORLD,
        archive("v1"),
        restore("v1").answers(imageStatus="ACTIVATING"),
        listing(filter={"imageStatus": "ACTIVATING"}).answers(imageIds=[by_digest("one")]),
        get(by_tag("v1")).answers(images=[]),
        call("(wait)", seconds=20 * 60),
        get(by_tag("v1")).answers(images=[{"imageManifest": "{one.text}"}]),
        describe(by_tag("v1")).answers(imageDetails=[{"imageStatus": "ACTIVE", "lastActivatedAt": SOME}]),
    ),
    Case(
        "an archived image that is pushed again is restored at once",
        "D: user guide, Restoring an archived image",
        WORLD,
        archive("v1"),
        put("one", "v1").answers(image={"imageId": by_digest("one")}),
        get(by_tag("v1")).answers(images=[{"imageManifest": "{one.text}"}]),
        moto_fails=NO_ARCHIVE,
        not_on_aws=FEE,
    ),
    *(
        Case(
            f"{what} cannot be archived",
            f"M: {code}",
            world,
            archive("none").refused(code),
            moto_fails=NO_ARCHIVE,
        )
        for what, code, world in (
            ("an image that is not there", "ImageNotFoundException", "one at v1"),
            ("an image of an unknown repository", "RepositoryNotFoundException", "no repository"),
        )
    ),
    Case(
        "a storage class that is none",
        "M: TargetStorageClass",
        "one at v1",
        call("UpdateImageStorageClass", imageId=by_tag("v1"), targetStorageClass="GLACIER").refused(
            "InvalidParameterException|ValidationException", "(?i)targetStorageClass"
        ),
        moto_fails=NO_ARCHIVE,
    ),
]
