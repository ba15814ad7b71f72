"""Uploads of blobs: InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload, and MountLayer."""

from __future__ import annotations

import re

from ecr_provider.emulator.errors import ConnectionCutError, EcrError
from ecr_provider.emulator.registry.request import RegistryRequest, Reply
from ecr_provider.emulator.rules import layers
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.layers import Part

_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/.*)?")


def begin(request: RegistryRequest, name: str) -> Reply:
    """Begin an upload; with ``digest`` and a body, that is all of it; with ``mount``, it may not be needed."""
    digest, source = request.query.get("mount"), request.query.get("from")
    if digest and source and _mount(request, name, digest, source):
        return _created(request, name, digest)
    upload_id = _initiate(request, name)
    if "digest" in request.query and not request.body.at_end:
        return complete(request, name, upload_id)
    return _under_way(request, name, upload_id, 202, 0)


def append(request: RegistryRequest, name: str, upload_id: str) -> Reply:
    """Take a body as the next part of an upload.

    ECR answers 201, where the specification has 202, and ``Range`` stays what it was after the first part
    (both reported, aws/containers-roadmap#2831).
    """
    part = _receive(request, name, upload_id)
    return _under_way(request, name, upload_id, 201, part.after.first_part)


def complete(request: RegistryRequest, name: str, upload_id: str) -> Reply:
    """Take the last part, if there is one, and make the upload a blob. One that is there already is as good."""
    part = None if request.body.at_end else _receive(request, name, upload_id)
    digest = request.query.get("digest", "")
    try:
        request.call("CompleteLayerUpload", repositoryName=name, uploadId=upload_id, layerDigests=[digest])
    except (EcrError, ConnectionCutError) as error:
        if not isinstance(error, EcrError) or error.code != "LayerAlreadyExistsException":
            if part:  # the client will send it again
                layers.take_back_layer_part(request.state, part)
            raise
    return _created(request, name, digest)


def status(request: RegistryRequest, name: str, upload_id: str) -> Reply:
    """Tell where the next part begins: the truth, unlike the answer to a part."""
    answer = request.perform(request.line, layers.layer_upload, repositoryName=name, uploadId=upload_id)
    return _under_way(request, name, upload_id, 204, answer["lastByteReceived"] + 1)


def cancel(request: RegistryRequest, name: str, upload_id: str) -> Reply:
    """Forget an upload."""
    request.perform(request.line, layers.cancel_layer_upload, repositoryName=name, uploadId=upload_id)
    return Reply(204)


def _initiate(request: RegistryRequest, name: str) -> str:
    try:
        upload_id: str = request.call("InitiateLayerUpload", repositoryName=name)["uploadId"]
    except EcrError as error:
        missing = error.code == "RepositoryNotFoundException"
        if missing and request.state.switches.upload_to_missing_repository == "cut":
            raise ConnectionCutError from error
        raise
    return upload_id


def _mount(request: RegistryRequest, name: str, digest: str, source: str) -> bool:
    try:
        request.perform(
            "MountLayer", layers.mount_layer, repositoryName=name, sourceRepositoryName=source, layerDigest=digest
        )
    except EcrError as error:
        if error.code != "LayerInaccessibleException":
            raise
        return False
    return True


def _receive(request: RegistryRequest, name: str, upload_id: str) -> Part:
    def receive(call: Call) -> Answer:
        call.parameters.update(_announced(request.headers.get("Content-Range")))
        return layers.upload_layer_stream(call, request.read)

    part: Part = request.perform("UploadLayerPart", receive, repositoryName=name, uploadId=upload_id)["part"]
    return part


def _announced(content_range: str | None) -> dict[str, int]:
    """Read the first and the last byte of a part, if the client says them."""
    if content_range is None:
        return {}
    found = _CONTENT_RANGE.fullmatch(content_range)
    if not found:
        raise invalid_parameter("Content-Range", "must be the first and the last byte of the part")
    return {"partFirstByte": int(found[1]), "partLastByte": int(found[2])}


def _under_way(request: RegistryRequest, name: str, upload_id: str, status: int, size: int) -> Reply:
    headers = {
        "Location": request.url(f"{name}/blobs/uploads/{upload_id}"),
        "Range": f"0-{max(size - 1, 0)}",
        "Docker-Upload-UUID": upload_id,
    }
    return Reply(status, b"", headers)


def _created(request: RegistryRequest, name: str, digest: str) -> Reply:
    headers = {"Location": request.url(f"{name}/blobs/{digest}"), "Docker-Content-Digest": digest}
    return Reply(201, b"", headers)
