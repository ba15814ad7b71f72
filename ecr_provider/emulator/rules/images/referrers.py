"""The rule of referrers: artifacts, such as signatures, whose manifests name another one as their subject."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from ecr_provider.emulator.rules import paging
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.errors import pattern_mismatch
from ecr_provider.emulator.rules.manifests import DIGEST_PATTERN, is_digest
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records

_DEFAULT_PAGE = 20


def list_image_referrers(call: Call) -> Answer:
    """ListImageReferrers: oldest first, by artifact type and status (``ACTIVE`` unless asked otherwise).

    A subject that is not there may have referrers, as the OCI distribution specification has it; it may also
    have none, which is no error.
    """
    size = paging.page_size(call, _DEFAULT_PAGE)
    with call.transaction() as records:
        found = list(islice(_referrers(call, records), size + 1))
        images, more = paging.page(call, found, size, lambda image: image.id)
        return {"referrers": [_describe(call, records, image) for image in images], "nextToken": more}


def _referrers(call: Call, records: Records) -> Iterator[Image]:
    # "ecr:BatchGetImage" is the permission that it takes (API reference).
    repository = replace(call, operation="BatchGetImage").repository(records)
    subject: str = call.parameters["subjectId"]["imageDigest"]
    if not is_digest(subject):
        raise pattern_mismatch("subjectId.imageDigest", DIGEST_PATTERN)
    wanted = call.parameters.get("filter", {})
    types, status = wanted.get("artifactTypes"), wanted.get("artifactStatus", "ACTIVE")
    for image in records.referrers(repository, subject, paging.number(call)):
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
