"""Which manifests Amazon ECR takes, and which it does not (user guide, "Container image manifest format support")."""

from __future__ import annotations

from contract.case import Case
from contract.cases.put_image import NO_JSON
from contract.phrases import by_tag, describe, get, put
from contract.world import HELM_CONFIG, INDEX, MANIFEST, MANIFEST_LIST, SCHEMA1, SCHEMA2, SIGNED_SCHEMA1

CASES = [
    *(
        Case(
            f"{what} is taken",
            "D: user guide, Container image manifest format support",
            world,
            get(by_tag("v1"), acceptedMediaTypes=[media_type]).answers(
                images=[{"imageManifest": f"{{{image}.text}}", "imageManifestMediaType": media_type}], failures=[]
            ),
        )
        for what, world, image, media_type in (
            ("an OCI image", "one at v1", "one", MANIFEST),
            ("an OCI index", "index at v1", "index", INDEX),
            ("a Docker image, schema 2,", "docker at v1", "docker", SCHEMA2),
            ("a Docker manifest list", "docker_list at v1", "docker_list", MANIFEST_LIST),
        )
    ),
    *(
        Case(
            f"Docker's schema 1 is taken as {media_type.rpartition('.')[2]}",
            "D: user guide, Container image manifest format support",
            "artifacts' layers",
            put("schema1", "v1", imageManifestMediaType=media_type).answers(
                image={"imageManifest": "{schema1.text}", "imageManifestMediaType": media_type}
            ),
        )
        for media_type in (SCHEMA1, SIGNED_SCHEMA1)
    ),
    Case(
        "a Helm chart is taken, and described as one",
        "D: AWS CLI, describe-images: artifactMediaType",
        "artifacts' layers",
        put("helm", "v1").answers(image={"imageManifest": "{helm.text}"}),
        describe().answers(imageDetails=[{"artifactMediaType": HELM_CONFIG, "imageManifestMediaType": MANIFEST}]),
        moto_fails="does not know the type of an artifact",
    ),
    Case(
        "an artifact with OCI's empty config is taken",
        "D: OCI 1.1 is supported",
        "artifacts' layers",
        put("artifact", "v1").answers(image={"imageManifest": "{artifact.text}"}),
        describe().answers(imageDetails=[{"artifactMediaType": "application/vnd.example"}]),
        moto_fails="does not know the type of an artifact",
    ),
    Case(
        "an artifact that refers to an image is taken, and says so",
        "M: ImageDetail.subjectManifestDigest",
        "one at v1 and the artifacts' layers",
        put("referrer", imageDigest="{referrer.digest}"),
        describe({"imageDigest": "{referrer.digest}"}).answers(
            imageDetails=[{"subjectManifestDigest": "{one.digest}", "artifactMediaType": "application/vnd.example"}]
        ),
        moto_fails="does not know subjects",
    ),
    *(
        Case(
            f"{what} is not taken",
            source,
            world,
            put(image, "v2").refused("InvalidParameterException", NO_JSON),
            moto_fails="takes it",
        )
        for what, source, world, image in (
            (
                "an artifact type with a parameter",
                "I: aws/containers-roadmap#2306",
                "artifacts' layers",
                "typed_with_parameter",
            ),
            (
                "a layer's media type with a parameter",
                "I: sigstore/sigstore-js#1058",
                "artifacts' layers",
                "layer_with_parameter",
            ),
            ("a platform with os.features", "I: dragonflyoss/nydus#1692", "index at v1", "os_features"),
        )
    ),
    Case(
        "OCI's empty config is named as it is",
        "D: user guide, OCI artifacts: custom config types are taken",
        "artifacts' layers",
        put("artifact", "v1").answers(image={"imageManifestMediaType": MANIFEST}),
        get(by_tag("v1"), acceptedMediaTypes=[MANIFEST]).answers(images=[{"imageManifest": "{artifact.text}"}]),
    ),
]
