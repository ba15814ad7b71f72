"""What a real account should settle: asked of it, and answered by the emulator as its documentation says.

The emulator's choices are in ``docs/emulator.md``, "Where AWS is silent".
"""

from __future__ import annotations

import re

from contract.case import ABSENT, SOME, Case, Like, call
from contract.cases.put_image import NO_JSON
from contract.phrases import (
    archive,
    begin_upload,
    both,
    by_digest,
    by_tag,
    check_layers,
    complete,
    describe,
    get,
    part,
    put,
    put_text,
)
from contract.world import INDEX, MANIFEST, SCHEMA1, SCHEMA2

TYPE = re.escape(MANIFEST)

CASES = [
    Case(
        "1. the words of LayersNotFoundException",
        "U: by analogy to ReferencedImagesNotFoundException",
        "an empty repository",
        put("one", "v1").refused(
            "LayersNotFoundException",
            r"^Layers with digests '\[{one.config}, {one.layer1}, {one.layer2}\]' required for pushing image into "
            "repository with name '{repository}' in the registry with id '{account}' do not exist$",
        ),
    ),
    Case(
        "2. the image that an immutable tag points at is put again",
        "U: field reports contradict each other (moto#8717, aws/containers-roadmap#2179)",
        "immutable, one at v1",
        put("one", "v1").refused("ImageAlreadyExistsException"),
    ),
    Case(
        "3. an image that is there is put again, without a tag",
        "U: implied by the words of ImageAlreadyExistsException",
        "one",
        put("one").refused("ImageAlreadyExistsException"),
        row=13,
    ),
    Case(
        "3. an image that has a tag is put again, without one",
        "U: implied by the words of ImageAlreadyExistsException",
        "one at v1",
        put("one").refused("ImageAlreadyExistsException"),
        row=13,
    ),
    Case(
        "4. a wrong digest, or missing layers: which comes first",
        "U: the order is not documented",
        "an empty repository",
        put("one", "v1", imageDigest="{zeros}").refused("ImageDigestDoesNotMatchException"),
    ),
    Case(
        "4. missing layers, or an immutable tag: which comes first",
        "U: the order is not documented",
        "immutable, one at v1",
        put("helm", "v1").refused("LayersNotFoundException"),
    ),
    Case(
        "4. a wrong digest, or an immutable tag: which comes first",
        "U: the order is not documented",
        "immutable, one at v1",
        put("two", "v1", imageDigest="{zeros}").refused("ImageDigestDoesNotMatchException"),
    ),
    Case(
        "4. no manifest, or no repository: which comes first",
        "U: the order is not documented",
        "no repository",
        put_text("{").refused("RepositoryNotFoundException"),
    ),
    Case(
        "5. an index by tag, without acceptedMediaTypes",
        "U: not documented",
        "index at v1",
        get(by_tag("v1")).answers(images=[{"imageManifest": "{index.text}", "imageManifestMediaType": INDEX}]),
    ),
    *(
        Case(
            f"5. an index by tag, for who accepts only {media_type}",
            "U: not documented",
            "index at v1",
            get(by_tag("v1"), acceptedMediaTypes=[media_type]).answers(
                images=[{"imageManifest": "{index.text}", "imageManifestMediaType": INDEX}]
            ),
        )
        for media_type in (MANIFEST, SCHEMA2)
    ),
    Case(
        "5. an OCI image by tag, for who accepts only indexes",
        "U: not documented",
        "one at v1",
        get(by_tag("v1"), acceptedMediaTypes=[INDEX]).answers(images=[{"imageManifest": "{one.text}"}]),
    ),
    Case(
        "5. schema 2 by tag, for who accepts only schema 1",
        "U: documented as converted, which the emulator does not do",
        "docker at v1",
        get(by_tag("v1"), acceptedMediaTypes=[SCHEMA1]).answers(images=[], failures=[{"imageId": by_tag("v1")}]),
    ),
    Case(
        "6. a layer that is not there",
        "U: UNAVAILABLE by the source of amazon-ecr-containerd-resolver",
        "an empty repository",
        check_layers("{zeros}").answers(
            layers=[{"layerDigest": "{zeros}", "layerAvailability": "UNAVAILABLE", "layerSize": ABSENT}], failures=[]
        ),
    ),
    *(
        Case(
            f"8. the tag {tag!r}: is it valid, and in which words is it refused",
            "U: the model has no pattern",
            "one at v1",
            put("two", tag).refused("InvalidParameterException", "imageTag"),
            row=18,
        )
        for tag in ("-dash", ".dot", "a+b", "a/b", "ü")
    ),
    Case(
        "8. a tag of 129 characters",
        "U: the model admits 300, OCI's specification 128",
        "one at v1",
        put("two", "t" * 129).refused("InvalidParameterException", "imageTag"),
        row=18,
    ),
    Case(
        "8. the words of InvalidImageTag",
        "U: not seen",
        "one at v1",
        get(by_tag("-bad tag!")).answers(failures=[{"failureCode": "InvalidImageTag", "failureReason": SOME}]),
    ),
    Case(
        "8. the words of InvalidImageDigest and of MissingDigestAndTag",
        "U: moto has words, and nobody else",
        "one at v1",
        get({"imageDigest": "zzz"}, {}).answers(
            failures=[
                {
                    "failureReason": "Invalid request parameters: image digest should satisfy the regex "
                    "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
                },
                {"failureReason": "Invalid request parameters: both tag and digest cannot be null"},
            ]
        ),
    ),
    Case(
        "9. the replication status of what no rule is for",
        "U: an empty list, by the model",
        "one at v1",
        call("DescribeImageReplicationStatus", imageId=by_tag("v1")).answers(replicationStatuses=[]),
    ),
    Case(
        "10. an archived image is read",
        "U: ImageInaccessible, by its name",
        "one at v1, two at v2",
        archive("v1"),
        get(by_tag("v1")).answers(failures=[{"failureCode": "ImageInaccessible", "imageId": by_tag("v1")}]),
        describe(by_tag("v1")).answers(imageDetails=[]),
    ),
    *(
        Case(
            f"11. an image of {count} layers",
            "U: there is a limit (cirruslabs/tart#890), and its number is not published",
            "the layers of one",
            put(f"of_{count}_layers").answers(image={"imageId": by_digest(f"of_{count}_layers")}),
        )
        for count in (128, 1000)
    ),
    Case(
        "12. a part that was accepted is sent again",
        "U: out of sequence, by the words of InvalidLayerPartException",
        "an empty repository",
        begin_upload(),
        part(0, 4, "{hello.data}"),
        part(0, 4, "{hello.data}").refused("InvalidLayerPartException", lastValidByteReceived=4),
    ),
    # --- Asked by the emulator's documentation, or by table G ---
    Case(
        "a digest that is none is sent along",
        "U: the class of the error is not known",
        "the layers of one",
        put("one", imageDigest="nonsense").refused("InvalidParameterException", "imageDigest"),
        row=3,
    ),
    Case(
        "imageManifestMediaType says something else than the manifest",
        "U: not documented",
        "the layers of one",
        put("one", imageManifestMediaType=INDEX).refused("InvalidParameterException"),
        row=17,
    ),
    *(
        Case(
            f"what is no manifest: {what}",
            "U: refused by the specifications; whether ECR looks so far, and in which words it says so, is not known",
            world,
            put_text(text, **more).refused("InvalidParameterException", NO_JSON),
        )
        for what, world, text, more in (
            ("JSON that is too deep", "one at v1", "[" * 100_000, {}),
            (
                "numbers that only Python takes for JSON",
                "one at v1",
                '{"schemaVersion": NaN}',
                {"imageManifestMediaType": MANIFEST},
            ),
            ("a mediaType that is no text", "one at v1", '{"schemaVersion": 2, "mediaType": []}', {}),
            ("nothing of an image in it", "one at v1", '{"hello":1}', {"imageManifestMediaType": MANIFEST}),
            ("a size below zero", "one at v1", "{of_a_negative_size.text}", {}),
            ("an image and an index at once", "one at v1", "{image_and_index.text}", {}),
            ("OCI's former artifact manifest", "index at v1", "{oci_artifact.text}", {}),
        )
    ),
    Case(
        "failures of several kinds: are they in the order in which was asked",
        "U: not documented",
        "one at v1, two at v2",
        get(
            both("two", "v1"),
            {"imageDigest": "{zeros}"},
            by_tag("none"),
            {"imageDigest": "zzz"},
            by_tag("-bad tag!"),
            {},
            both("one", "v1"),
        ).answers(
            images=[{"imageId": both("one", "v1")}],
            failures=[
                {"imageId": both("two", "v1"), "failureCode": "ImageTagDoesNotMatchDigest"},
                {"imageId": {"imageDigest": "{zeros}"}, "failureCode": "ImageNotFound"},
                {"imageId": by_tag("none"), "failureCode": "ImageNotFound"},
                {"imageId": {"imageDigest": "zzz"}, "failureCode": "InvalidImageDigest"},
                {"imageId": by_tag("-bad tag!"), "failureCode": "InvalidImageTag"},
                {"imageId": {}, "failureCode": "MissingDigestAndTag"},
            ],
        ),
        row=(22, 23),
    ),
    Case(
        "an image that was converted: is its digest that of the stored one",
        "U: not documented",
        "docker at v1",
        get(by_tag("v1"), acceptedMediaTypes=[MANIFEST]).answers(
            images=[{"imageId": both("docker", "v1"), "imageManifest": Like(rf'.*"mediaType":"{TYPE}".*')}]
        ),
        row=25,
    ),
    *(
        Case(
            f"{operation}: are images in the order of their pushes, page by page",
            "U: not documented",
            "one at v1, two at v2, three untagged",
            *(
                call(operation, maxResults=1, **({"nextToken": "{token}"} if number else {}))
                .answers(**{member: [by_digest(image)]})
                .keeps(token="nextToken")
                for number, image in enumerate(("one", "two", "three"))
            ),
            call(operation).answers(**{member: [by_digest("one"), by_digest("two"), by_digest("three")]}),
            row=(35, 36),
        )
        for operation, member in (("DescribeImages", "imageDetails"), ("ListImages", "imageIds"))
    ),
    Case(
        "layers that are there: are they in the order in which was asked",
        "U: not documented",
        "one at v1",
        check_layers("{one.layer1}", "{one.config}").answers(
            layers=[{"layerDigest": "{one.layer1}"}, {"layerDigest": "{one.config}"}], failures=[]
        ),
        row=33,
    ),
    *(
        Case(
            f"the first part of an upload is refused: is there a last valid byte; it is from {first} to {last}",
            "U: not seen",
            "an empty repository",
            begin_upload(),
            part(first, last, "{hello.data}").refused("InvalidLayerPartException", lastValidByteReceived=ABSENT),
            row=(27, 29),
        )
        for first, last in ((0, 3), (0, 5), (1, 5), (4, 0))
    ),
    Case(
        "the words of a wrong digest of a layer",
        "U: not seen",
        "an empty repository",
        begin_upload(),
        part(0, 4, "{hello.data}"),
        complete("{zeros}").refused("InvalidLayerException"),
    ),
    Case(
        "a layer that no image has: is its media type known",
        "U: the media type comes from the manifest",
        "the layers of one",
        check_layers("{one.layer1}").answers(layers=[{"layerAvailability": "AVAILABLE", "mediaType": ABSENT}]),
    ),
    Case(
        "a filter, when images are named",
        "U: not documented",
        "one at v1",
        describe(by_tag("v1"), filter={"tagStatus": "UNTAGGED"}).answers(imageDetails=[]),
    ),
    Case(
        "an index is read by a tag and its digest, for who accepts only images",
        "U: conversion is said to be by tag",
        "index at v1",
        get(both("index", "v1"), acceptedMediaTypes=[MANIFEST]).answers(images=[{"imageId": by_digest("index")}]),
    ),
]
