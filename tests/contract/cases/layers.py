"""Layers by the API: asking for them, uploading and downloading them."""

from __future__ import annotations

from contract.case import SOME, Blank, Case, Like, any_order, call, download, wait
from contract.cases.put_image import NO_REPOSITORY
from contract.phrases import begin_upload, by_digest, check_layers, complete, part, put, uploaded

MIB = 1024 * 1024
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
INCLUSIVE = "D: AWS CLI, upload-layer-part: both ends are inclusive"
SEQUENCE = "M: InvalidLayerPartException: not consecutive to the last byte of a previous layer part"

CASES = [
    # --- Uploading ---
    Case(
        "an upload has an id and says how large its parts are",
        "D: AWS CLI, initiate-layer-upload",
        "an empty repository",
        call("InitiateLayerUpload").answers(uploadId=Like(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), partSize=SOME),
    ),
    Case(
        "the size of the parts is ten mebibytes",
        "D: AWS CLI, initiate-layer-upload",
        "an empty repository",
        call("InitiateLayerUpload").answers(partSize=10485760),
    ),
    Case(
        "a layer in one part",
        INCLUSIVE,
        "an empty repository",
        begin_upload(),
        part(0, 4, "{hello.data}").answers(
            registryId="{account}", repositoryName="{repository}", uploadId="{upload}", lastByteReceived=4
        ),
        complete("{hello.digest}").answers(
            registryId="{account}", repositoryName="{repository}", uploadId="{upload}", layerDigest="{hello.digest}"
        ),
        check_layers("{hello.digest}").answers(
            layers=[{"layerDigest": "{hello.digest}", "layerAvailability": "AVAILABLE", "layerSize": 5}], failures=[]
        ),
    ),
    Case(
        "a layer in two parts",
        INCLUSIVE,
        "an empty repository",
        begin_upload(),
        part(0, 5 * MIB - 1, Blank(5 * MIB)).answers(lastByteReceived=5 * MIB - 1),
        part(5 * MIB, 5 * MIB + 4, "{hello.data}").answers(lastByteReceived=5 * MIB + 4),
        complete("{long.digest}").answers(layerDigest="{long.digest}"),
        not_on_aws="it is large",
    ),
    *(
        Case(
            f"a part that announces other bytes than it has: {what}",
            "M: InvalidLayerPartException: the layer part size is not valid",
            "an empty repository",
            begin_upload(),
            part(first, last, "{hello.data}").refused(
                "InvalidLayerPartException", uploadId="{upload}", repositoryName="{repository}", registryId="{account}"
            ),
            row=27,
            moto_fails=moto,
        )
        for what, first, last, moto in (
            ("fewer", 0, 3, "takes it"),
            ("more", 0, 5, "takes it"),
            ("the last before the first", 4, 0, None),
        )
    ),
    Case(
        "a gap between parts",
        SEQUENCE,
        "an empty repository",
        begin_upload(),
        part(0, 4, "{hello.data}"),
        part(6, 10, "{hello.data}").refused("InvalidLayerPartException", lastValidByteReceived=4, uploadId="{upload}"),
        row=29,
    ),
    Case(
        "an upload that does not begin at the beginning",
        SEQUENCE,
        "an empty repository",
        begin_upload(),
        part(1, 5, "{hello.data}").refused("InvalidLayerPartException", uploadId="{upload}"),
    ),
    Case(
        "an upload goes on after a part was refused",
        SEQUENCE,
        "an empty repository",
        begin_upload(),
        part(3, 7, "{hello.data}").refused("InvalidLayerPartException"),
        part(0, 4, "{hello.data}").answers(lastByteReceived=4),
        complete("{hello.digest}").answers(layerDigest="{hello.digest}"),
    ),
    Case(
        "a part of more than 20 MiB",
        "M: LayerPartBlob, max 20971520",
        "an empty repository",
        begin_upload(),
        part(0, 20_971_520, Blank(20_971_521)).refused("InvalidParameterException", "(?i)layerPartBlob"),
        row=28,
        moto_fails="takes it",
        not_on_aws="it is large",
    ),
    Case(
        "a part that is too small, and not the last",
        "I: dotnet/sdk-container-builds#424",
        "an empty repository",
        begin_upload(),
        part(0, 4, "{hello.data}").answers(lastByteReceived=4),
        part(5, 9, "{hello.data}").answers(lastByteReceived=9),
        complete("{twice.digest}").refused(
            "LayerPartTooSmallException", "All layer parts except the last part should be at least 5MB"
        ),
        row=28,
        moto_fails="takes it",
    ),
    Case(
        "a layer of another digest",
        "M: InvalidLayerException",
        "an empty repository",
        begin_upload(),
        part(0, 4, "{hello.data}"),
        complete("{zeros}").refused("InvalidLayerException"),
        check_layers("{zeros}", "{hello.digest}").answers(
            layers=any_order({"layerAvailability": "UNAVAILABLE"}, {"layerAvailability": "UNAVAILABLE"})
        ),
        row=30,
        moto_fails="answers another digest",
    ),
    Case(
        "an upload without parts",
        "M: EmptyUploadException",
        "an empty repository",
        begin_upload(),
        complete("{zeros}").refused("EmptyUploadException"),
        row=31,
        moto_fails="takes it",
    ),
    Case(
        "a layer that is there already",
        "C: amazon-ecr-containerd-resolver, layer_writer.go",
        "an empty repository",
        *uploaded("hello", 4),
        begin_upload(),
        part(0, 4, "{hello.data}"),
        complete("{hello.digest}").refused("LayerAlreadyExistsException"),
        row=31,
        moto_fails="takes it",
    ),
    Case(
        "a layer of another repository has to be uploaded again",
        "D: Migrate to ECR: layers belong to a repository",
        "one at v1",
        call("CreateRepository", repositoryName="{repository}-other"),
        call("BatchCheckLayerAvailability", repositoryName="{repository}-other", layerDigests=["{one.layer1}"]).answers(
            layers=[{"layerAvailability": "UNAVAILABLE"}]
        ),
        moto_fails="MissingLayerDigest",
        not_on_aws="a failure would leave its second repository behind",
    ),
    *(
        Case(
            f"an upload that is unknown: {step.operation}",
            "M: UploadNotFoundException",
            "an empty repository",
            step.refused("UploadNotFoundException"),
            moto_fails=moto,
        )
        for step, moto in (
            (part(0, 4, "{hello.data}", upload="{uuid}"), None),
            (complete("{hello.digest}", upload="{uuid}"), None),
        )
    ),
    Case(
        "an upload that is complete",
        "M: UploadNotFoundException",
        "an empty repository",
        *uploaded("hello", 4),
        part(5, 9, "{hello.data}").refused("UploadNotFoundException"),
        complete("{hello.digest}").refused("UploadNotFoundException"),
    ),
    *(
        Case(
            f"an unknown repository: {step.operation}",
            "I: the message in many reports",
            "no repository",
            step.refused("RepositoryNotFoundException", NO_REPOSITORY),
        )
        for step in (
            call("InitiateLayerUpload"),
            part(0, 4, "{hello.data}", upload="{uuid}"),
            complete("{zeros}", upload="{uuid}"),
            check_layers("{zeros}"),
        )
    ),
    # --- Asking ---
    Case(
        "a layer's media type is what its image calls it",
        "D: AWS CLI, batch-check-layer-availability shows a config's",
        "one at v1",
        check_layers("{one.config}", "{one.layer1}").answers(
            layers=any_order(
                {
                    "layerDigest": "{one.config}",
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "layerSize": "{one.config_size}",
                },
                {"layerDigest": "{one.layer1}", "mediaType": GZIP, "layerSize": "{one.layer1_size}"},
            ),
            failures=[],
        ),
        row=33,
        moto_fails="calls every layer Docker's",
    ),
    *(
        Case(
            f"a layer that cannot be asked for: {what}",
            "M: LayerFailureCode",
            "one at v1",
            check_layers(digest, "{one.layer1}").answers(
                layers=[{"layerDigest": "{one.layer1}", "layerAvailability": "AVAILABLE"}],
                failures=[{"layerDigest": digest, "failureCode": code}],
            ),
            moto_fails=moto,
        )
        for what, digest, code, moto in (
            ("no digest", "nonsense", "InvalidLayerDigest", None),
            ("an empty digest", "", "MissingLayerDigest", "InvalidLayerDigest"),
        )
    ),
    Case(
        "a hundred and one layers",
        "M: BatchedOperationLayerDigestList, max 100",
        "one at v1",
        check_layers(*["{zeros}"] * 101).refused("InvalidParameterException", "(?i)layerDigests"),
        moto_fails="takes them",
    ),
    # --- Downloading ---
    Case(
        "a layer comes back, byte for byte",
        "D: API reference, GetDownloadUrlForLayer",
        "one at v1",
        call("GetDownloadUrlForLayer", layerDigest="{one.layer1}")
        .answers(layerDigest="{one.layer1}", downloadUrl=SOME)
        .keeps(url="downloadUrl"),
        download("{url}").answers(status=200, body="{one.layer1_data}"),
        row=(32, 34),
        moto_fails="has no handler",
    ),
    Case(
        "a part of a layer comes back",
        "C: amazon-ecr-containerd-resolver, README: layers are downloaded in ranges",
        "one at v1",
        call("GetDownloadUrlForLayer", layerDigest="{one.layer1}").keeps(url="downloadUrl"),
        download("{url}", Range="bytes=10-19").answers(status=206, body="{one.layer1_from_10_to_19}"),
        row=34,
        moto_fails="has no handler",
    ),
    Case(
        "a layer's address is on another host than the registry's, which must not be sent the registry's token",
        "D: AWS CLI, get-download-url-for-layer: it is on S3",
        "one at v1",
        call("GetDownloadUrlForLayer", layerDigest="{one.layer1}").answers(downloadUrl=Like(r"(?!{registry}/)http.+")),
        row=34,
        moto_fails="has no handler",
    ),
    Case(
        "an address for an hour",
        "D: AWS CLI, get-download-url-for-layer: X-Amz-Expires=3600",
        "one at v1",
        call("GetDownloadUrlForLayer", layerDigest="{one.layer1}").answers(
            downloadUrl=Like(r".*[?&]X-Amz-Expires=3600(&.*)?")
        ),
        row=34,
        moto_fails="has no handler",
    ),
    Case(
        "a layer that is not there cannot be downloaded",
        "I: the message in a report, with its quote missing",
        "one at v1",
        call("GetDownloadUrlForLayer", layerDigest="{zeros}").refused(
            "LayersNotFoundException", "The layer with digest '?{zeros}'? does not exist within the repository"
        ),
        row=34,
        moto_fails="has no handler",
    ),
    Case(
        "a layer of no image cannot be downloaded",
        "M: LayerInaccessibleException: not associated with an image",
        "an empty repository",
        *uploaded("hello", 4),
        call("GetDownloadUrlForLayer", layerDigest="{hello.digest}").refused("LayerInaccessibleException"),
        moto_fails="has no handler",
    ),
    Case(
        "a download needs a digest",
        "M: LayerDigest, pattern",
        "one at v1",
        call("GetDownloadUrlForLayer", layerDigest="nonsense").refused("InvalidParameterException", "(?i)layerDigest"),
        moto_fails="has no handler",
    ),
    Case(
        "an address ends after its hour",
        "D: API reference, GetDownloadUrlForLayer",
        "one at v1",
        call("GetDownloadUrlForLayer", layerDigest="{one.layer1}").keeps(url="downloadUrl"),
        wait(3601),
        download("{url}").refused("HTTP 403"),
        row=34,
    ),
    # --- Layers and images ---
    Case(
        "layers of a deleted image are not kept for download",
        "D: GetDownloadUrlForLayer: only layers that are referenced in an image",
        "one at v1",
        call("BatchDeleteImage", imageIds=[by_digest("one")]),
        call("GetDownloadUrlForLayer", layerDigest="{one.layer1}").refused(
            "LayerInaccessibleException|LayersNotFoundException"
        ),
        moto_fails="has no handler",
    ),
    Case(
        "layers that are there need no upload for another image",
        "D: API reference, BatchCheckLayerAvailability",
        "one at v1",
        check_layers("{two.config}", "{two.layer1}", "{two.layer2}").answers(
            layers=any_order(*[{"layerAvailability": "AVAILABLE"}] * 3)
        ),
        put("two", "v2", imageDigest="{two.digest}"),
        call("DescribeImages").answers(imageDetails=any_order(by_digest("one"), by_digest("two"))),
    ),
]
