"""What a push sets off, by whichever end point it came: events, replication, scans, signatures."""

from __future__ import annotations

from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.rules.images import image_events
from ecr_provider.emulator.rules.replication.source import replicate
from ecr_provider.emulator.rules.scanning import scans
from ecr_provider.emulator.rules.signing import sign_on_push
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository


def after_push(call: Call, records: Records, repository: Repository, image: Image, tag: str | None) -> None:
    """Set it off, as part of the push's transaction. ``call`` is PutImage's own."""
    image_events.pushed(call, repository, image, tag)
    scans.scan_on_push(call, records, repository, image)
    sign_on_push.sign_on_push(call, records, repository, image)
    replicate(call, records, repository, image, tag)
