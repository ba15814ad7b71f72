"""Blobs: BatchCheckLayerAvailability and GetDownloadUrlForLayer."""

from __future__ import annotations

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.registry.request import RegistryRequest, Reply


def head(request: RegistryRequest, name: str, digest: str) -> Reply:
    """Tell whether the repository has a blob: one that no image is made of yet, too."""
    answer = request.call("BatchCheckLayerAvailability", repositoryName=name, layerDigests=[digest])
    for failure in answer["failures"]:
        raise EcrError(failure["failureCode"], failure["failureReason"])
    (layer,) = answer["layers"]
    if layer["layerAvailability"] != "AVAILABLE":
        raise EcrError("MissingLayerDigest", "The layer does not exist")
    return Reply(200, b"", blob_headers(digest) | {"Content-Length": str(layer["layerSize"])})


def get(request: RegistryRequest, name: str, digest: str) -> Reply:
    """Lead the client to the origin that has the bytes."""
    answer = request.call("GetDownloadUrlForLayer", repositoryName=name, layerDigest=digest)
    return Reply(307, b"", blob_headers(digest) | {"Location": answer["downloadUrl"]})


def blob_headers(digest: str) -> dict[str, str]:
    """Say which blob an answer is about."""
    return {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
