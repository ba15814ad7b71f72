"""ECR's errors in the words of the OCI distribution specification ("Error Codes").

*Reported* is what was seen in an answer of Amazon ECR. The other rows follow the specification and Docker's
own registry, since AWS documents none of them.
"""

from __future__ import annotations

import json
from http import HTTPStatus

from ecr_provider.emulator.errors import EcrError

_MEANINGS: dict[str, tuple[int, str]] = {
    "AccessDeniedException": (403, "DENIED"),  # reported
    "EmptyUploadException": (400, "BLOB_UPLOAD_INVALID"),
    "ExpiredTokenException": (403, "DENIED"),  # reported, without its status
    "ImageDigestDoesNotMatchException": (400, "MANIFEST_INVALID"),  # reported
    "ImageNotFoundException": (404, "MANIFEST_UNKNOWN"),  # reported
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),  # reported
    "InvalidLayerException": (400, "DIGEST_INVALID"),
    "InvalidLayerPartException": (416, "BLOB_UPLOAD_INVALID"),  # the status is reported
    "InvalidParameterException": (405, "UNSUPPORTED"),  # reported
    "KmsException": (403, "DENIED"),
    "LayerInaccessibleException": (404, "BLOB_UNKNOWN"),
    "LayerPartTooSmallException": (400, "BLOB_UPLOAD_INVALID"),
    "LayersNotFoundException": (404, "BLOB_UNKNOWN"),
    "LimitExceededException": (403, "DENIED"),  # the status is reported
    "NotImplementedException": (405, "UNSUPPORTED"),
    "ReferencedImagesNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),  # the code is reported
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),  # reported
    "ThrottlingException": (429, "TOOMANYREQUESTS"),  # reported
    "UnableToGetUpstreamImageException": (404, "MANIFEST_UNKNOWN"),
    "UnableToGetUpstreamLayerException": (404, "BLOB_UNKNOWN"),
    "UploadNotFoundException": (404, "BLOB_UPLOAD_UNKNOWN"),
    "ValidationException": (405, "UNSUPPORTED"),  # as InvalidParameterException
    # What becomes of one image or layer of a batch: failure codes, with the batch's only entry as the error.
    "ImageInaccessible": (404, "MANIFEST_UNKNOWN"),  # an archived image is a 404 (user guide)
    "ImageNotFound": (404, "MANIFEST_UNKNOWN"),  # reported
    "ImageReferencedByManifestList": (405, "UNSUPPORTED"),  # the code is reported
    "InvalidImageDigest": (400, "DIGEST_INVALID"),
    "InvalidImageTag": (400, "TAG_INVALID"),  # the status is reported (rules_oci#720)
    "InvalidLayerDigest": (400, "DIGEST_INVALID"),
    "KmsError": (403, "DENIED"),
    "MissingLayerDigest": (404, "BLOB_UNKNOWN"),
    "UpstreamAccessDenied": (403, "DENIED"),
    "UpstreamTooManyRequests": (429, "TOOMANYREQUESTS"),
    "UpstreamUnavailable": (404, "MANIFEST_UNKNOWN"),
}

UNAUTHENTICATED = frozenset({"MissingAuthenticationTokenException", "UnrecognizedClientException"})
"""What is answered with the challenge."""


def status_of(error: EcrError) -> int:
    """Return the HTTP status of an error: its own where the specification has no word for it."""
    return _MEANINGS[error.code][0] if error.code in _MEANINGS else error.status


def body_of(error: EcrError) -> bytes:
    """Write an error as the specification has it."""
    server_side = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    code = _MEANINGS[error.code][1] if error.code in _MEANINGS else "UNKNOWN" if server_side else "UNSUPPORTED"
    return json.dumps({"errors": [{"code": code, "message": error.message}]}, separators=(",", ":")).encode()
