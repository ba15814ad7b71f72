"""PutImage: what is kept, what is refused, and with which words."""

from __future__ import annotations

from contract.case import ABSENT, SOME, Case, Like, call
from contract.phrases import both, by_digest, by_tag, describe, get, listing, put, put_text
from contract.world import INDEX, MANIFEST

NO_REPOSITORY = r"^The repository with name '{repository}' does not exist in the registry with id '{account}'$"
NO_JSON = r"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"

CASES = [
    # --- The answer, the bytes, the digest ---
    Case(
        "the answer has the image, its digest and its tag",
        "M: PutImageResponse",
        "the layers of one",
        put("one", "v1").answers(
            image={
                "registryId": "{account}",
                "repositoryName": "{repository}",
                "imageId": both("one", "v1"),
                "imageManifest": "{one.text}",
                "imageManifestMediaType": MANIFEST,
            }
        ),
        moto_fails="hashes the layers instead of the bytes",
    ),
    Case(
        "a put without a tag answers without one",
        "D: API reference, PutImage: imageTag is optional",
        "the layers of one",
        put("one").answers(image={"imageId": {"imageDigest": "{one.digest}", "imageTag": ABSENT}}),
        describe().answers(imageDetails=[{"imageDigest": "{one.digest}", "imageTags": ABSENT}]),
        row=4,
        moto_fails="hashes the layers instead of the bytes",
    ),
    Case(
        "the digest is that of the bytes as they were sent",
        "D: awsdocs commit 7768469, a newline changes the digest",
        "exotic's layers",
        put("exotic", "v1").answers(image={"imageId": {"imageDigest": "{exotic.digest}"}}),
        get(by_tag("v1")).answers(images=[{"imageManifest": "{exotic.text}", "imageId": both("exotic", "v1")}]),
        row=(4, 26),
        moto_fails="hashes the layers instead of the bytes",
    ),
    Case(
        "the digest that was sent along is the one that is answered",
        "C: amazon-ecr-containerd-resolver, manifest_writer.go",
        "the layers of one",
        put("one", imageDigest="{one.digest}").answers(image={"imageId": by_digest("one")}),
    ),
    Case(
        "manifests of the same layers are different images",
        "D: AWS CLI, put-image: the digest is that of the manifest",
        "the layers of one",
        put("one").answers(image={"imageId": by_digest("one")}),
        put("two").answers(image={"imageId": by_digest("two")}),
        row=5,
        moto_fails="hashes the layers instead of the bytes",
    ),
    Case(
        "the digest of an index is that of its bytes",
        "D: awsdocs commit 7768469",
        "index at v1",
        call("BatchDeleteImage", imageIds=[by_digest("index")]),
        put("index", "v2").answers(image={"imageId": both("index", "v2"), "imageManifestMediaType": INDEX}),
        describe(by_tag("v2")).answers(imageDetails=[by_digest("index")]),
        row=6,
        moto_fails="makes up a digest for an index",
    ),
    # --- What has to be there ---
    Case(
        "an unknown repository",
        "I: the message in many reports",
        "no repository",
        put("one", "v1").refused("RepositoryNotFoundException", NO_REPOSITORY, status=400),
        row=14,
        moto_fails="HTTP 500",
    ),
    Case(
        "layers that were never uploaded",
        "M: LayersNotFoundException",
        "an empty repository",
        put("one", "v1").refused("LayersNotFoundException"),
        listing().answers(imageIds=[]),
        row=1,
        moto_fails="stores it",
    ),
    Case(
        "layers that are in another repository only",
        "D: CompleteLayerUpload and blob mounting: layers belong to a repository",
        "one at v1",
        call("CreateRepository", repositoryName="{repository}-other"),
        put("two", repositoryName="{repository}-other").refused("LayersNotFoundException"),
        call("DeleteRepository", repositoryName="{repository}-other", force=True),
        moto_fails="stores it",
        not_on_aws="a failure would leave its second repository behind",
    ),
    Case(
        "an index whose children are not there",
        "I: int128/docker-manifest-create-action#63",
        "an empty repository",
        put("index", "v1").refused(
            "ReferencedImagesNotFoundException",
            r"^Images with digests '\[{index.child1}, {index.child2}\]' required for pushing image into repository "
            "with name '{repository}' in the registry with id '{account}' do not exist$",
        ),
        row=7,
        moto_fails="stores it",
    ),
    # --- The digest that is sent along ---
    Case(
        "another digest than that of the bytes",
        "I: google/go-containerregistry#1568",
        "the layers of one",
        put("one", "v1", imageDigest="{zeros}").refused(
            "ImageDigestDoesNotMatchException",
            r"^The image with digest '{zeros}' in repository '{repository}' and registry ID '{account}' does not match "
            r"the image digest that Amazon ECR has calculated\.$",
        ),
        listing().answers(imageIds=[]),
        row=2,
        moto_fails="stores the wrong digest",
    ),
    # --- The same again ---
    Case(
        "the same manifest under the same tag",
        "I: buildkite-plugins/ecr#111",
        "one at v1",
        put("one", "v1").refused(
            "ImageAlreadyExistsException",
            r"^Image with digest '{one.digest}' and tag 'v1' already exists in the repository with name "
            r"'{repository}' in registry with id '{account}'$",
        ),
    ),
    Case(
        "a new tag for an image that is there",
        "D: user guide, Retagging an image",
        "one at v1",
        put("one", "v2").answers(image={"imageId": both("one", "v2")}),
        describe().answers(imageDetails=[by_digest("one")]),
        describe(by_tag("v2")).answers(imageDetails=[by_digest("one")]),
        describe(by_tag("v1")).answers(imageDetails=[by_digest("one")]),
    ),
    Case(
        "a tag for an image that has none",
        "D: user guide, Retagging an image",
        "one",
        put("one", "v1"),
        describe().answers(imageDetails=[{"imageDigest": "{one.digest}", "imageTags": ["v1"]}]),
    ),
    # --- Moving a tag ---
    Case(
        "a tag that moves leaves its old image untagged",
        "D: ListImages, tagStatus; user guide, lifecycle policies of untagged images",
        "one at v1",
        put("two", "v1", imageDigest="{two.digest}"),
        describe(by_digest("one")).answers(imageDetails=[{"imageTags": ABSENT}]),
        describe(by_digest("two")).answers(imageDetails=[{"imageTags": ["v1"]}]),
        get(by_tag("v1")).answers(images=[{"imageManifest": "{two.text}"}]),
        row=8,
        moto_fails="deletes the old image",
    ),
    Case(
        "a tag that moves leaves the other tags of its image",
        "D: user guide, Retagging an image",
        "one at v1, v2 and v3",
        put("two", "v2", imageDigest="{two.digest}"),
        get(by_tag("v1"), by_tag("v2"), by_tag("v3")).answers(
            images=[{"imageId": both("one", "v1")}, {"imageId": both("two", "v2")}, {"imageId": both("one", "v3")}]
        ),
        moto_fails="answers another tag than the asked one",
    ),
    # --- What is no manifest ---
    *(
        Case(
            f"no manifest: {what}",
            source,
            "one at v1",
            put_text(text, **more).refused("InvalidParameterException", NO_JSON),
            row=row,
            moto_fails=moto,
        )
        for what, source, text, more, row, moto in (
            ("no JSON", "I: aws/aws-sdk#193", "{", {}, 15, "HTTP 500"),
            ("no JSON object", "I: aws/aws-sdk#193", "[]", {}, 15, "HTTP 500"),
            (
                "no mediaType, nor the parameter",
                "I: aws/containers-roadmap#1873, containers/image docker_image_dest.go",
                "{one.untyped}",
                {},
                16,
                "other words",
            ),
            (
                "a media type that is none of an image's",
                "I: aws/aws-sdk#193",
                '{"hello":1}',
                {"imageManifestMediaType": "application/json"},
                17,
                "stores it",
            ),
        )
    ),
    Case(
        "the parameter makes up for the missing mediaType",
        "D: API reference, PutImage: imageManifestMediaType",
        "the layers of one",
        put_text("{one.untyped}", imageManifestMediaType=MANIFEST).answers(
            image={"imageManifest": "{one.untyped}", "imageManifestMediaType": MANIFEST}
        ),
        get({"imageDigest": "{one.untyped_digest}"}).answers(
            images=[{"imageManifest": "{one.untyped}", "imageManifestMediaType": MANIFEST}]
        ),
        row=16,
        moto_fails="hashes the layers instead of the bytes",
    ),
    # --- Values that break the model ---
    *(
        Case(
            f"a value that is not allowed: {what}",
            f"M: {constraint}",
            "one at v1",
            put_text("{two.text}", **parameters).refused("InvalidParameterException", member),
            row=18,
            moto_fails="takes it",
        )
        for what, constraint, parameters, member in (
            ("a tag of 301 characters", "ImageTag, max 300", {"imageTag": "t" * 301}, "(?i)imageTag"),
            ("an empty tag", "ImageTag, min 1", {"imageTag": ""}, "(?i)imageTag"),
            ("a registry that is no number", "RegistryId, pattern", {"registryId": "abc"}, "(?i)registryId"),
        )
    ),
    Case(
        "a tag with a space",
        "I: bazel-contrib/rules_oci#720, invalid tags are refused",
        "one at v1",
        put("two", "-bad tag!").refused("InvalidParameterException"),
        row=18,
        moto_fails="takes it",
    ),
    Case(
        "a manifest that is too long",
        "M: ImageManifest, max 4194304",
        "one at v1",
        put_text(" " * 4_194_305).refused("InvalidParameterException", "(?i)imageManifest"),
        row=18,
        moto_fails="takes it",
        not_on_aws="it is large",
    ),
    Case(
        "an empty manifest",
        "M: ImageManifest, min 1",
        "one at v1",
        put_text("").refused("InvalidParameterException"),
        moto_fails="HTTP 500",
    ),
    Case(
        "a repository's name in capitals",
        "M: RepositoryName, pattern",
        "an empty repository",
        put("one", repositoryName="R!").refused("InvalidParameterException", "(?i)repositoryName"),
        row=18,
        moto_fails="HTTP 500",
    ),
    Case(
        "without a manifest",
        "M: imageManifest is required",
        "one at v1",
        call("PutImage", imageTag="v2").refused("InvalidParameterException", "(?i)imageManifest"),
        row=47,
        moto_fails="HTTP 500",
    ),
    Case(
        "a registry of somebody else's",
        "M: RepositoryNotFoundException: check that you are in the correct registry",
        "one at v1",
        put("two", registryId="999999999999").refused("RepositoryNotFoundException", "999999999999"),
        row=19,
        moto_fails="ignores the registry",
        not_on_aws="other accounts are left alone",
    ),
    # --- What is recorded of an image ---
    Case(
        "what DescribeImages says of an image",
        "M: ImageDetail",
        "one at v1",
        describe(by_tag("v1")).answers(
            imageDetails=[
                {
                    "registryId": "{account}",
                    "repositoryName": "{repository}",
                    "imageDigest": "{one.digest}",
                    "imageTags": ["v1"],
                    "imagePushedAt": SOME,
                    "imageManifestMediaType": Like(MANIFEST.replace("+", r"\+").replace(".", r"\.")),
                    "artifactMediaType": "application/vnd.oci.image.config.v1+json",
                    "subjectManifestDigest": ABSENT,
                }
            ]
        ),
        moto_fails="does not know the type of an artifact",
    ),
]
