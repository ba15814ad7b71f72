"""The rule of referrers: artifacts, such as signatures, whose manifests name another one as their subject."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from ecr_provider.emulator.rules import paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import invalid_parameter
from ecr_provider.emulator.rules.manifests import DIGEST_PATTERN, is_digest
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records

_DEFAULT_PAGE = 20


def list_image_referrers(call: Call) -> Answer:
    """ListImageReferrers: oldest first, by artifact type and status (``ACTIVE`` unless asked otherwise).

    A subject that is not there may have referrers, as the OCI distribution specification has it; it may also
    have none, which is no error.
    """
    size = call.parameters.get("maxResults", _DEFAULT_PAGE)
    with call.transaction() as records:
        found = list(islice(_referrers(call, records), size + 1))
        more = paging.token(call, str(found[size - 1].id)) if len(found) > size else None
        return {"referrers": [_describe(call, records, image) for image in found[:size]], "nextToken": more}


def _referrers(call: Call, records: Records) -> Iterator[Image]:
    # "ecr:BatchGetImage" is the permission that it takes (API reference).
    repository = replace(call, operation="BatchGetImage").repository(records)
    subject: str = call.parameters["subjectId"]["imageDigest"]
    if not is_digest(subject):
        raise invalid_parameter("subjectId.imageDigest", f"must satisfy regular expression '{DIGEST_PATTERN}'")
    wanted = call.parameters.get("filter", {})
    types, status = wanted.get("artifactTypes"), wanted.get("artifactStatus", "ACTIVE")
    for image in records.referrers(repository, subject, int(paging.position(call) or 0)):
        if (not types or image.artifact_media_type in types) and status in ("ANY", image.status(call.now)):
            yield image


def _describe(call: Call, records: Records, image: Image) -> Answer:
    manifest = records.manifest(image)
    return {
        "digest": image.digest,
        "mediaType": image.media_type,
        "size": len(manifest),
        "artifactType": image.artifact_media_type,
        "annotations": json.loads(manifest).get("annotations"),
        "artifactStatus": image.status(call.now),
    }
