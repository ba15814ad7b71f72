"""Steps that many cases take."""

from __future__ import annotations

from typing import Any

from contract.case import Step, call


def put(image: str, tag: str | None = None, **more: Any) -> Step:
    """Put an image of the world's, under a tag if one is given."""
    if tag is not None:
        more = {"imageTag": tag, **more}
    return call("PutImage", imageManifest=f"{{{image}.text}}", **more)


def put_text(text: str, **more: Any) -> Step:
    """Put this text as a manifest."""
    return call("PutImage", imageManifest=text, **more)


def get(*image_ids: dict[str, str], **more: Any) -> Step:
    return call("BatchGetImage", imageIds=list(image_ids), **more)


def describe(*image_ids: dict[str, str], **more: Any) -> Step:
    """Describe these images, or all if none is named."""
    return call("DescribeImages", **({"imageIds": list(image_ids)} if image_ids else {}), **more)


def delete(*image_ids: dict[str, str]) -> Step:
    return call("BatchDeleteImage", imageIds=list(image_ids))


def listing(**more: Any) -> Step:
    return call("ListImages", **more)


def check_layers(*digests: str) -> Step:
    return call("BatchCheckLayerAvailability", layerDigests=list(digests))


def archive(tag: str) -> Step:
    return call("UpdateImageStorageClass", imageId={"imageTag": tag}, targetStorageClass="ARCHIVE")


def restore(tag: str) -> Step:
    return call("UpdateImageStorageClass", imageId={"imageTag": tag}, targetStorageClass="STANDARD")


def by_tag(tag: str) -> dict[str, str]:
    return {"imageTag": tag}


def by_digest(image: str) -> dict[str, str]:
    """Name an image of the world's by its digest."""
    return {"imageDigest": f"{{{image}.digest}}"}


def both(image: str, tag: str) -> dict[str, str]:
    return by_digest(image) | by_tag(tag)


# --- Uploads -------------------------------------------------------------------------------------------------


def begin_upload() -> Step:
    """Begin an upload, and keep its id as ``{upload}``."""
    return call("InitiateLayerUpload").keeps(upload="uploadId")


def part(first: int, last: int, data: Any, upload: str = "{upload}") -> Step:
    return call("UploadLayerPart", uploadId=upload, partFirstByte=first, partLastByte=last, layerPartBlob=data)


def complete(*digests: str, upload: str = "{upload}") -> Step:
    return call("CompleteLayerUpload", uploadId=upload, layerDigests=list(digests))


def uploaded(blob: str, last: int) -> tuple[Step, ...]:
    """Upload a blob of the world's in one part."""
    return begin_upload(), part(0, last, f"{{{blob}.data}}"), complete(f"{{{blob}.digest}}")
