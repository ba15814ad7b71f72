"""The rules of layers: uploading them in parts, asking for them, downloading them.

A layer, here as in the API, is any blob: an image's config too. Layers belong to one repository.
"""

from __future__ import annotations

import uuid
from typing import Any

from ecr_provider.emulator.downloads.addresses import signed_path
from ecr_provider.emulator.rules import errors
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import EcrError
from ecr_provider.emulator.rules.manifests import DIGEST_PATTERN, is_digest
from ecr_provider.emulator.store.layers import Upload
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository

# --- Asking --------------------------------------------------------------------------------------------------


def batch_check_layer_availability(call: Call) -> Answer:
    """BatchCheckLayerAvailability: which layers a push need not upload."""
    layers: list[Answer] = []
    failures: list[Answer] = []
    with call.transaction() as records:
        repository = call.repository(records)
        for digest in call.parameters["layerDigests"]:
            answer = _availability(call, records, repository, digest)
            (failures if "failureCode" in answer else layers).append(answer)
    return {"layers": layers, "failures": failures}


def _availability(call: Call, records: Records, repository: Repository, digest: str) -> Answer:
    """Describe one layer.

    Of a well-formed digest that is not there AWS's own resolver expects ``UNAVAILABLE``; that
    ``MissingLayerDigest`` is for an empty digest only is an inference (``Switches.absent_layer``).
    """
    if not digest:
        return _failure(digest, "MissingLayerDigest", "Invalid request parameters: layer digest cannot be empty")
    if not is_digest(digest):
        rule = f"layer digest should satisfy the regex '{DIGEST_PATTERN}'"
        return _failure(digest, "InvalidLayerDigest", f"Invalid request parameters: {rule}")
    size = records.layer_size(repository, digest)
    if size is None:
        if call.state.switches.absent_layer == "MissingLayerDigest":
            return _failure(digest, "MissingLayerDigest", "The layer does not exist")
        return {"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
    uses = records.layer_uses(repository, digest)
    archived = bool(uses) and all(image.status(call.now) != "ACTIVE" for image, _ in uses)
    return {
        "layerDigest": digest,
        "layerAvailability": "ARCHIVED" if archived else "AVAILABLE",
        "layerSize": size,
        "mediaType": uses[0][1] if uses else None,  # as the image says that is made of it
    }


def _failure(digest: str, code: str, reason: str) -> Answer:
    return {"layerDigest": digest, "failureCode": code, "failureReason": reason}


def get_download_url_for_layer(call: Call) -> Answer:
    """GetDownloadUrlForLayer: an address good for an hour, of a layer that an image is made of."""
    digest: str = call.parameters["layerDigest"]
    with call.transaction() as records:
        repository = call.repository(records)
        if records.layer_size(repository, digest) is None:
            raise errors.layer_not_found(digest, repository.name, repository.account)
        images = [image for image, _ in records.layer_uses(repository, digest)]
    if not images:
        raise errors.layer_inaccessible(digest, "it is not associated with an image")
    if all(image.status(call.now) != "ACTIVE" for image in images):
        raise errors.layer_inaccessible(digest, "its images are archived")
    path = signed_path(digest, repository.account, call.region, call.now, call.state.signer)
    return {"downloadUrl": call.state.download_origin + path, "layerDigest": digest}


# --- Uploading -----------------------------------------------------------------------------------------------


def initiate_layer_upload(call: Call) -> Answer:
    """InitiateLayerUpload: says how large the parts should be."""
    upload_id = str(uuid.uuid4())
    with call.transaction() as records:
        repository = call.repository(records)
        call.require_key(repository)
        records.add_upload(repository, upload_id)
    return {"uploadId": upload_id, "partSize": call.state.limits.layer_part_size}


def upload_layer_part(call: Call) -> Answer:
    """UploadLayerPart: the next bytes of an upload, first and last byte counted from 0 and inclusive."""
    blob: bytes = call.parameters["layerPartBlob"]
    store, upload_id = call.state.store, call.parameters["uploadId"]
    with store.upload_lock(upload_id):
        with call.transaction() as records:
            repository, upload = _upload(call, records)
        _check_part(call, repository, upload, blob)
        store.blobs.append(upload_id, upload.received, [blob])
        with call.transaction() as records:
            records.add_part(upload, len(blob), call.state.limits.smallest_layer_part)
    return _upload_answer(call, repository, lastByteReceived=call.parameters["partLastByte"])


def complete_layer_upload(call: Call) -> Answer:
    """CompleteLayerUpload: the bytes must have the digest, and become a layer of the repository.

    That parts were too small is said only now. An upload of a layer that is there already ends with
    ``LayerAlreadyExistsException``, which a client takes for success; after any other error it goes on.
    """
    store, upload_id = call.state.store, call.parameters["uploadId"]
    with store.upload_lock(upload_id):
        with call.transaction() as records:
            repository, upload = _upload(call, records)
        _check_parts(upload)
        digest = store.blobs.digest(upload_id, upload.received)
        _check_digests(digest, call.parameters["layerDigests"])
        store.blobs.keep(upload_id, digest)
        try:
            added = _add_layer(call, upload, digest)
        finally:
            store.blobs.discard(upload_id)
    if not added:
        raise EcrError(
            "LayerAlreadyExistsException",
            f"The layer with digest '{digest}' already exists in the repository with name '{repository.name}' in "
            f"registry with id '{repository.account}'",
        )
    return _upload_answer(call, repository, layerDigest=digest)


def _upload(call: Call, records: Records) -> tuple[Repository, Upload]:
    """Find the repository, with a usable key, and the upload that is under way in it."""
    repository = call.repository(records)
    call.require_key(repository)
    upload = records.upload(repository, call.parameters["uploadId"])
    if upload is None:
        raise errors.upload_not_found(call.parameters["uploadId"], repository.name, repository.account)
    return repository, upload


def _check_part(call: Call, repository: Repository, upload: Upload, blob: bytes) -> None:
    """Require the very next bytes, as many as announced. A part sent twice is out of sequence too."""
    limits = call.state.limits
    first, last = call.parameters["partFirstByte"], call.parameters["partLastByte"]
    if first != upload.received or last - first + 1 != len(blob):
        raise EcrError(
            "InvalidLayerPartException",
            f"The layer part {first}-{last} of {len(blob)} bytes does not continue the {upload.received} bytes "
            f"received by the upload with id '{upload.id}'",
            registryId=repository.account,
            repositoryName=repository.name,
            uploadId=upload.id,
            lastValidByteReceived=upload.received - 1 if upload.received else None,
        )
    if upload.parts >= limits.layer_parts:
        raise errors.limit_exceeded("layer parts per upload", limits.layer_parts)
    if upload.received + len(blob) > limits.layer_size:
        raise errors.limit_exceeded("bytes per layer", limits.layer_size)


def _check_parts(upload: Upload) -> None:
    if not upload.received:
        raise EcrError("EmptyUploadException", f"The upload with id '{upload.id}' contains no layer parts")
    if upload.has_small_part:
        # The text was reported (dotnet/sdk-container-builds#424).
        raise EcrError("LayerPartTooSmallException", "All layer parts except the last part should be at least 5MB")


def _check_digests(digest: str, asked: list[str]) -> None:
    """Require every digest that is asked for to be the one of the bytes."""
    if wrong := [other for other in asked if other != digest]:
        raise EcrError(
            "InvalidLayerException",
            f"The layer's digest is '{digest}', not '{', '.join(wrong)}' as requested",
        )


def _add_layer(call: Call, upload: Upload, digest: str) -> bool:
    """Turn an upload into a layer; tell whether the repository lacked it."""
    with call.transaction() as records:
        # The repository may have been deleted, and made anew, while the bytes were hashed.
        repository, _ = _upload(call, records)
        records.delete_upload(upload)
        return records.add_layer(repository, digest, upload.received)


def _upload_answer(call: Call, repository: Repository, **members: Any) -> Answer:
    answer = {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "uploadId": call.parameters["uploadId"],
    }
    return answer | members
