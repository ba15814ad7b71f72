"""The rules of layers: uploading them in parts, asking for them, downloading them.

A layer, here as in the API, is any blob: an image's config too. Layers belong to one repository.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

from ecr_provider.emulator.download_addresses import Address
from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules import errors
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.manifests import DIGEST_PATTERN, is_digest
from ecr_provider.emulator.rules.permissions import is_permitted
from ecr_provider.emulator.rules.pull_through_cache.cache import is_pull_through, repository_for_layer
from ecr_provider.emulator.rules.registry import account_settings
from ecr_provider.emulator.rules.repositories.creation_templates import repository_for_push
from ecr_provider.emulator.rules.state import State
from ecr_provider.emulator.store.blobs import Source
from ecr_provider.emulator.store.layers import Upload
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was received: the upload before and after it."""

    repository: Repository
    before: Upload
    after: Upload


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
    media_type = records.layer_media_type(repository, digest)  # as the image says that is made of it
    available = media_type is None or records.is_layer_of_active_image(repository, digest, call.now)
    return {
        "layerDigest": digest,
        "layerAvailability": "AVAILABLE" if available else "ARCHIVED",
        "layerSize": size,
        "mediaType": media_type,
    }


def _failure(digest: str, code: str, reason: str) -> Answer:
    return {"layerDigest": digest, "failureCode": code, "failureReason": reason}


def get_download_url_for_layer(call: Call) -> Answer:
    """GetDownloadUrlForLayer: an address good for an hour, of a layer that an image is made of."""
    digest: str = call.parameters["layerDigest"]
    with call.transaction() as records:
        repository = repository_for_layer(call, records)
        if records.layer_size(repository, digest) is None:
            raise errors.layer_not_found(digest, repository.name, repository.account)
        if records.layer_media_type(repository, digest) is None:
            raise errors.layer_inaccessible(digest, "it is not associated with an image")
        if not records.is_layer_of_active_image(repository, digest, call.now):
            raise errors.layer_inaccessible(digest, "its images are archived")
    try:
        call.require_key(repository)
    except EcrError:  # which this operation does not have
        raise errors.layer_inaccessible(digest, "the repository's KMS key cannot be used") from None
    address = Address(repository.registry, repository.name, digest)
    url = call.state.download_origin + address.signed(call.now, call.state.sealer)
    return {"downloadUrl": url, "layerDigest": digest}


# --- Uploading -----------------------------------------------------------------------------------------------


def initiate_layer_upload(call: Call) -> Answer:
    """InitiateLayerUpload: says how large the parts should be."""
    upload_id = str(uuid.uuid4())
    with call.transaction() as records:
        repository = repository_for_push(call, records)
        call.require_key(repository)
        records.add_upload(repository, upload_id)
    return {"uploadId": upload_id, "partSize": call.state.limits.layer_part_size}


def upload_layer_part(call: Call) -> Answer:
    """UploadLayerPart: the next bytes of an upload, first and last byte counted from 0 and inclusive."""
    part = _receive(call, BytesIO(call.parameters["layerPartBlob"]).readinto)
    return _upload_answer(call, lastByteReceived=part.after.received - 1)


def upload_layer_stream(call: Call, source: Source) -> Answer:
    """UploadLayerPart as the registry's HTTP API has it: all that a request brings is one part.

    Without ``partFirstByte`` it goes on where the upload is, without ``partLastByte`` it is of any length.
    ``part`` of the answer is what came. A part that breaks off, or is refused, does not count.
    """
    part = _receive(call, source)
    last = part.after.received - 1
    call.parameters.update(partFirstByte=part.before.received, partLastByte=last)  # for the journal
    return _upload_answer(call, lastByteReceived=last, part=part)


def take_back_layer_part(state: State, part: Part) -> None:
    """Forget a part again, unless the upload has gone on since.

    A PUT brings the last part and completes the upload. If that is refused, the client will send all of it again.
    """
    with state.store.upload_lock(part.after.id), state.store.transaction() as records:
        if records.upload(part.repository, part.after.id) == part.after:
            records.set_upload(part.before)


def _receive(call: Call, source: Source) -> Part:
    """Append a part to its upload.

    The bytes are written outside of any transaction: however long they take, others' calls go on.
    """
    store, upload_id, limits = call.state.store, call.parameters["uploadId"], call.state.limits
    with store.upload_lock(upload_id):
        with call.transaction() as records:
            repository, upload = _upload(call, records)
        first = call.parameters.get("partFirstByte", upload.received)
        _require_sequence(first == upload.received, repository, upload)
        if upload.parts >= limits.layer_parts:
            raise errors.limit_exceeded("layer parts per upload", limits.layer_parts)
        size = store.blobs.append(upload_id, first, _limited(source, first, limits.layer_size))
        last = call.parameters.get("partLastByte", first + size - 1)
        _require_sequence(last == first + size - 1, repository, upload)
        with call.transaction() as records:
            repository, upload = _upload(call, records)  # deleted meanwhile, perhaps
            after = _with_part(upload, size, limits.smallest_layer_part) if size else upload
            records.set_upload(after)
            return Part(repository, upload, after)


def _with_part(upload: Upload, size: int, smallest: int) -> Upload:
    """Count a part; the one before it is now certainly not the last, which alone may be smaller."""
    return replace(
        upload,
        received=upload.received + size,
        parts=upload.parts + 1,
        first_part=upload.first_part if upload.parts else size,
        last_part=size,
        has_small_part=upload.has_small_part or (upload.parts > 0 and upload.last_part < smallest),
    )


def _limited(source: Source, received: int, limit: int) -> Source:
    """Watch that an upload does not become larger than a layer may be."""

    def limited(buffer: memoryview) -> int:
        nonlocal received
        received += (count := source(buffer))
        if received > limit:
            raise errors.limit_exceeded("bytes per layer", limit)
        return count

    return limited


def _require_sequence(fits: bool, repository: Repository, upload: Upload) -> None:
    """Require the very next bytes, as many as announced. A part sent twice is out of sequence too."""
    if not fits:
        raise EcrError(
            "InvalidLayerPartException",
            f"The layer part does not continue the {upload.received} bytes received by the upload with id "
            f"'{upload.id}', or is not as long as announced",
            registryId=repository.account,
            repositoryName=repository.name,
            uploadId=upload.id,
            lastValidByteReceived=upload.received - 1 if upload.received else None,
        )


def layer_upload(call: Call) -> Answer:
    """Tell how far an upload is. The API has no such operation; who may upload may ask."""
    with call.transaction() as records:
        _, upload = _upload(replace(call, operation="UploadLayerPart"), records)
    return _upload_answer(call, lastByteReceived=upload.received - 1)


def cancel_layer_upload(call: Call) -> Answer:
    """Forget an upload. The API has no such operation; who may upload may cancel."""
    store, upload_id = call.state.store, call.parameters["uploadId"]
    with store.upload_lock(upload_id):
        with call.transaction() as records:
            _, upload = _upload(replace(call, operation="UploadLayerPart"), records)
            records.delete_upload(upload)
        store.blobs.discard(upload_id)
    return _upload_answer(call)


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
        added = _add_layer(call, upload, digest)
        store.blobs.discard(upload_id)
    if not added:
        raise EcrError(
            "LayerAlreadyExistsException",
            f"The layer with digest '{digest}' already exists in the repository with name '{repository.name}' in "
            f"registry with id '{repository.account}'",
        )
    return _upload_answer(call, layerDigest=digest)


def _upload(call: Call, records: Records) -> tuple[Repository, Upload]:
    """Find the repository, with a usable key, and the upload that is under way in it."""
    repository = call.repository(records)
    call.require_key(repository)
    upload = records.upload(repository, call.parameters["uploadId"])
    if upload is None:
        raise errors.upload_not_found(call.parameters["uploadId"], repository.name, repository.account)
    return repository, upload


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


def _upload_answer(call: Call, **members: Any) -> Answer:
    answer = {
        "registryId": call.account,
        "repositoryName": call.parameters["repositoryName"],
        "uploadId": call.parameters["uploadId"],
    }
    return answer | members


# --- Mounting ------------------------------------------------------------------------------------------------


def mount_layer(call: Call) -> Answer:
    """MountLayer: take over a layer of another repository of the registry, without its bytes being sent.

    Only the registry's HTTP API has it. ``LayerInaccessibleException`` means that the layer must be uploaded after
    all: the account did not enable ``BLOB_MOUNTING``, or one of the conditions is not met.
    """
    names, digest = call.parameters, call.parameters["layerDigest"]
    with call.transaction() as records:
        source = records.repository(call.registry, names["sourceRepositoryName"])
        destination = records.repository(call.registry, names["repositoryName"])
        size = records.layer_size(source, digest) if source else None
        if source is None or destination is None or size is None or not _may_mount(call, records, source, destination):
            raise errors.layer_inaccessible(digest, "it cannot be mounted")
        replace(call, operation="InitiateLayerUpload").authorise(destination)
        call.require_key(destination)
        records.add_layer(destination, digest, size)
    return {"layerDigest": digest}


def _may_mount(call: Call, records: Records, source: Repository, destination: Repository) -> bool:
    """Check the account's setting, the conditions of the user guide ("Blob mounting"), and two that were reported.

    The same account and Region are a matter of course here. The encryption must be the same, and the source no
    pull through cache. Reported are the last two: the caller may download from the source, and an image is there
    that is made of the layer.
    """
    return (
        account_settings.value_of(records, call.registry, "BLOB_MOUNTING") == "ENABLED"
        and source.encryption == destination.encryption
        and not is_pull_through(records, source)
        and is_permitted(records, call.caller.account, "ecr:GetDownloadUrlForLayer", source)
        and records.layer_media_type(source, call.parameters["layerDigest"]) is not None
    )
