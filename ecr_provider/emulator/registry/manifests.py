"""Manifests: BatchGetImage, PutImage and BatchDeleteImage."""

from __future__ import annotations

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registry.request import RegistryRequest, Reply
from ecr_provider.emulator.rules import manifests
from ecr_provider.emulator.rules.call import Answer

_ENOUGH = 4 * 4 * 1024 * 1024 + 1  # bytes: no manifest that the model takes, of 4 Mi characters, has as many


def get(request: RegistryRequest, name: str, reference: str) -> Reply:
    """Answer with a manifest; by tag, in a form that the client accepts.

    ``Docker-Content-Digest`` is that of the bytes that are sent: of a manifest that was converted (see
    BatchGetImage), it is not the image's.
    """
    image_ids = [_image_id(reference)]
    answer = request.call("BatchGetImage", repositoryName=name, imageIds=image_ids, **_accepted(request))
    _raise_failure(answer)
    image = answer["images"][0]
    body = image["imageManifest"].encode()
    headers = {"Content-Type": image["imageManifestMediaType"], "Docker-Content-Digest": manifests.digest_of(body)}
    return Reply(200, body, headers)


def put(request: RegistryRequest, name: str, reference: str) -> Reply:
    """Put a manifest, under a tag or by its digest alone. The very same one a second time is no error."""
    # What is not UTF-8 becomes what is no text for the model, either.
    text = request.body.read(_ENOUGH).decode(errors="surrogateescape")
    media_type = _media_type(request.headers.get("Content-Type", "")) or None
    sent = {"repositoryName": name, "imageManifest": text, "imageManifestMediaType": media_type}
    try:
        request.call("PutImage", **sent, **_image_id(reference))
    except EcrError as error:
        if error.code != "ImageAlreadyExistsException":
            raise
    manifest = manifests.parse(text, media_type)
    headers = {
        "Location": request.url(f"{name}/manifests/{manifest.digest}"),
        "Docker-Content-Digest": manifest.digest,
    }
    return Reply(201, b"", headers | ({"OCI-Subject": manifest.subject} if manifest.subject else {}))


def delete(request: RegistryRequest, name: str, reference: str) -> Reply:
    """Delete an image, or a tag, by the rules of BatchDeleteImage."""
    answer = request.call("BatchDeleteImage", repositoryName=name, imageIds=[_image_id(reference)])
    _raise_failure(answer)
    return Reply(202)


def _image_id(reference: str) -> dict[str, str]:
    return {"imageDigest" if ":" in reference else "imageTag": reference}


def _raise_failure(answer: Answer) -> None:
    """Raise EcrError if the one image of a batch failed."""
    for failure in answer["failures"]:
        raise EcrError(failure["failureCode"], failure["failureReason"])


def _accepted(request: RegistryRequest) -> dict[str, list[str]]:
    """Read the ``Accept`` headers. A client that accepts everything, or says nothing, gets what is there."""
    listed = ",".join(request.headers.get_all("Accept", ())).split(",")
    accepted = list(filter(None, map(_media_type, listed)))
    return {"acceptedMediaTypes": accepted} if accepted and "*/*" not in accepted else {}


def _media_type(header: str) -> str:
    """Return a media type without its parameters."""
    return header.partition(";")[0].strip()
