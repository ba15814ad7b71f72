"""BatchGetImage: bytes, failures, and conversion."""

from __future__ import annotations

from contract.case import SOME, Case, Like, call, wait
from contract.cases.put_image import NO_REPOSITORY
from contract.phrases import both, by_digest, by_tag, describe, get
from contract.world import MANIFEST, SCHEMA1, SCHEMA2

NOT_FOUND = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
CONVERSION = "D: user guide, Container image manifest format support"

CASES = [
    Case(
        "an image by its digest",
        "D: AWS CLI, batch-get-image",
        "one at v1",
        get(by_digest("one")).answers(
            images=[
                {
                    "registryId": "{account}",
                    "repositoryName": "{repository}",
                    "imageId": by_digest("one"),
                    "imageManifest": "{one.text}",
                    "imageManifestMediaType": MANIFEST,
                }
            ],
            failures=[],
        ),
    ),
    Case(
        "the tag that was asked is the one that is answered",
        "D: AWS CLI, batch-get-image",
        "one at v1, v2 and v3",
        get(by_tag("v1")).answers(images=[{"imageId": both("one", "v1")}], failures=[]),
        row=21,
        moto_fails="answers the last tag",
    ),
    Case(
        "a tag and the digest it has",
        "C: amazon-ecr-containerd-resolver, base.go",
        "one at v1",
        get(both("one", "v1")).answers(images=[{"imageId": both("one", "v1")}], failures=[]),
    ),
    Case(
        "a tag and another digest than it has",
        "C: amazon-ecr-containerd-resolver, base.go",
        "one at v1, two at v2",
        get(both("two", "v1")).answers(
            images=[], failures=[{"imageId": both("two", "v1"), "failureCode": "ImageTagDoesNotMatchDigest"}]
        ),
        row=22,
        moto_fails="answers both images",
    ),
    *(
        Case(
            f"a failure, not an error: {what}",
            source,
            "one at v1",
            get(image_id, by_tag("v1")).answers(
                images=[{"imageManifest": "{one.text}"}], failures=[{"imageId": image_id, **failure}]
            ),
            row=23,
            moto_fails=moto,
        )
        for what, source, image_id, failure, moto in (
            ("no such tag", "D: AWS CLI, batch-get-image", by_tag("none"), NOT_FOUND, None),
            (
                "no such digest",
                "D: AWS CLI, batch-get-image",
                {"imageDigest": "{zeros}"},
                NOT_FOUND,
                "answers the tag 'null' instead of the digest",
            ),
            (
                "what is no digest",
                "M: ImageFailureCode",
                {"imageDigest": "zzz"},
                {"failureCode": "InvalidImageDigest"},
                "ImageNotFound",
            ),
            (
                "neither digest nor tag",
                "M: ImageFailureCode",
                {},
                {"failureCode": "MissingDigestAndTag"},
                "ImageNotFound",
            ),
            (
                "what is no tag",
                "M: ImageFailureCode",
                by_tag("-bad tag!"),
                {"failureCode": "InvalidImageTag"},
                "ImageNotFound",
            ),
        )
    ),
    Case(
        "a hundred images",
        "M: ImageIdentifierList, max 100",
        "one at v1",
        get(*(by_tag(f"t{number}") for number in range(100))).answers(images=[], failures=[SOME] * 100),
    ),
    Case(
        "a hundred and one images",
        "M: ImageIdentifierList, max 100",
        "one at v1",
        get(*(by_tag(f"t{number}") for number in range(101))).refused("InvalidParameterException", "(?i)imageIds"),
        row=24,
        moto_fails="takes them",
    ),
    Case(
        "no images",
        "M: ImageIdentifierList, min 1",
        "one at v1",
        get().refused("InvalidParameterException", "(?i)imageIds"),
        moto_fails="takes it",
    ),
    Case(
        "an unknown repository",
        "I: the message in many reports",
        "no repository",
        get(by_tag("v1")).refused("RepositoryNotFoundException", NO_REPOSITORY),
    ),
    # --- Conversion ---
    Case(
        "Docker's schema 2 becomes an OCI image for who takes only that",
        CONVERSION,
        "docker at v1",
        get(by_tag("v1"), acceptedMediaTypes=[MANIFEST]).answers(
            images=[{"imageManifestMediaType": MANIFEST, "imageManifest": Like(r'.*"{docker.config}".*')}], failures=[]
        ),
        row=25,
        moto_fails="ignores acceptedMediaTypes",
    ),
    Case(
        "an OCI image becomes Docker's schema 2 for who takes only that",
        CONVERSION,
        "one at v1",
        get(by_tag("v1"), acceptedMediaTypes=[SCHEMA2]).answers(
            images=[{"imageManifestMediaType": SCHEMA2, "imageManifest": Like(r'.*"{one.config}".*')}], failures=[]
        ),
        row=25,
        moto_fails="ignores acceptedMediaTypes",
    ),
    Case(
        "an OCI image is not converted to schema 1",
        CONVERSION,
        "one at v1",
        get(by_tag("v1"), acceptedMediaTypes=[SCHEMA1]).answers(images=[], failures=[{"imageId": by_tag("v1")}]),
        row=25,
        moto_fails="ignores acceptedMediaTypes",
    ),
    *(
        Case(
            f"what is accepted is not converted: {world}",
            CONVERSION,
            world,
            get(by_tag("v1"), acceptedMediaTypes=[SCHEMA2, MANIFEST, SCHEMA1]).answers(
                images=[{"imageManifest": f"{{{image}.text}}"}]
            ),
        )
        for world, image in (("one at v1", "one"), ("docker at v1", "docker"))
    ),
    Case(
        "nothing is converted by digest",
        CONVERSION,
        "docker at v1",
        get(by_digest("docker"), acceptedMediaTypes=[MANIFEST]).answers(
            images=[{"imageManifest": "{docker.text}", "imageManifestMediaType": SCHEMA2}]
        ),
        row=25,
    ),
    Case(
        "a hundred and one media types",
        "M: MediaTypeList, max 100",
        "one at v1",
        get(by_tag("v1"), acceptedMediaTypes=[f"a/{n}" for n in range(101)]).refused("InvalidParameterException"),
        moto_fails="takes them",
    ),
    # --- What reading leaves behind ---
    Case(
        "a pull is recorded",
        "M: ImageDetail.lastRecordedPullTime",
        "one at v1",
        describe(by_tag("v1")).answers(imageDetails=[by_digest("one")]),
        get(by_tag("v1")),
        describe(by_tag("v1")).answers(imageDetails=[{"lastRecordedPullTime": SOME}]),
        moto_fails="records no pulls",
        not_on_aws="it may take a while to show",
    ),
    Case(
        "a pull is recorded at most once a day",
        "M: ImageDetail.lastRecordedPullTime: at least once every 24 hours",
        "one at v1",
        get(by_tag("v1")),
        describe(by_tag("v1")).keeps(first="imageDetails.0.lastRecordedPullTime"),
        wait(3600),
        get(by_tag("v1")),
        describe(by_tag("v1")).answers(imageDetails=[{"lastRecordedPullTime": "{first}"}]),
    ),
    Case(
        "a read in somebody else's registry",
        "M: RepositoryNotFoundException: check that you are in the correct registry",
        "one at v1",
        call("BatchGetImage", imageIds=[by_tag("v1")], registryId="999999999999").refused(
            "RepositoryNotFoundException|AccessDeniedException"
        ),
        not_on_aws="other accounts are left alone",
        moto_fails="ignores the registry",
    ),
]
