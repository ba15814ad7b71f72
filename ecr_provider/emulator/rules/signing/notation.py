"""The signatures that managed signing stores: artifacts of the Notary Project whose subject is the image.

They are well formed and signed by nobody: there is no AWS Signer and no certificate here. The envelope has the
real payload, an empty certificate chain and, where the signature belongs, words that say so. No verifier accepts
it, and none should.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules import layers
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.images.put_image import put_image
from ecr_provider.emulator.rules.manifests import digest_of
from ecr_provider.emulator.rules.media_types import OCI_MANIFEST
from ecr_provider.emulator.scripts import SigningStep
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.signatures import Signature

# Notary Project, "Signature Specification" and "JWS Envelope".
_ARTIFACT = "application/vnd.cncf.notary.signature"
_PAYLOAD = "application/vnd.cncf.notary.payload.v1+json"
_ENVELOPE = "application/jose+json"

_NO_SIGNATURE = b"The ECR emulator does not sign."


def complete_image_signing(call: Call) -> Answer:
    """Store a signature that is complete: the job of ``sign_on_push``.

    Nothing happens if the image is gone or is being signed anew.
    """
    wanted = call.parameters
    with call.transaction() as records:
        if found := call.job_image(records):
            repository, image = found
            for signature in records.signatures(image):
                begun = (signature.signing_profile, signature.started_at)
                if begun == (wanted["signingProfileArn"], wanted["startedAt"]):
                    _store(call, records, repository, image, signature)
    return {}


def _store(call: Call, records: Records, repository: Repository, image: Image, signature: Signature) -> None:
    """Push the signature as a client would, or keep why that is refused: a quota, or the repository's policy.

    A push that is refused half way leaves nothing behind.
    """
    subject = _descriptor(image.media_type, records.manifest(image))
    envelope = _json(_envelope(subject, signature.signing_profile, call.now))
    try:
        with records.attempt():
            _push(call, repository.name, subject, envelope)
    except EcrError as error:
        failure = SigningStep("FAILED", failure_code=error.code, failure_reason=error.message)
        records.set_signature(image, replace(signature, steps=[asdict(failure)]))


def _push(call: Call, name: str, subject: dict[str, Any], envelope: bytes) -> None:
    config = b"{}"
    for blob in (config, envelope):
        _upload(call, name, blob)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(_ARTIFACT, config),
        "layers": [_descriptor(_ENVELOPE, envelope)],
        "subject": subject,
        "annotations": {"io.cncf.notary.x509chain.thumbprint#S256": "[]"},
    }
    parameters = {"repositoryName": name, "imageManifest": _json(manifest).decode()}
    put_image(replace(call, operation="PutImage", parameters=parameters))


def _upload(call: Call, name: str, blob: bytes) -> None:
    def at(operation: str, **parameters: Any) -> Call:
        return replace(call, operation=operation, parameters={"repositoryName": name, **parameters})

    upload_id = layers.initiate_layer_upload(at("InitiateLayerUpload"))["uploadId"]
    part = {"partFirstByte": 0, "partLastByte": len(blob) - 1, "layerPartBlob": blob}
    try:
        layers.upload_layer_part(at("UploadLayerPart", uploadId=upload_id, **part))
        layers.complete_layer_upload(at("CompleteLayerUpload", uploadId=upload_id, layerDigests=[digest_of(blob)]))
    except EcrError as error:
        if error.code != "LayerAlreadyExistsException":
            call.state.store.blobs.discard(upload_id)  # what is in the database goes with the attempt
            raise


def _envelope(subject: dict[str, Any], profile: str, now: float) -> dict[str, Any]:
    """Write a JWS envelope in flattened JSON."""
    signed_at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    protected = {
        "alg": "ES384",
        "cty": _PAYLOAD,
        "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime"],
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": signed_at,
        "emulator.signingProfileArn": profile,
    }
    return {
        "payload": _base64url(_json({"targetArtifact": subject})),
        "protected": _base64url(_json(protected)),
        "header": {"x5c": [], "io.cncf.notary.signingAgent": "ECR emulator"},
        "signature": _base64url(_NO_SIGNATURE),
    }


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
