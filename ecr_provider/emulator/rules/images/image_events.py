"""What EventBridge hears of an image: that it was pushed, deleted, archived, restored.

The shapes are those of "Amazon ECR events and EventBridge", user guide. What the guide leaves open: an action on
a tag names the tag, one on an image does not; an image with a subject is a referrer whatever is done to it; and a
restored image is announced when it can be pulled.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ecr_provider.emulator.rules.call import Call
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.repositories import Repository


def pushed(call: Call, repository: Repository, image: Image, tag: str | None) -> None:
    """Announce a push."""
    _announce(call, repository, image, "PUSH", _tag(tag))


def deleted(call: Call, repository: Repository, image: Image, tag: str | None) -> None:
    """Announce that a tag or, of an image without one, the image was deleted."""
    _announce(call, repository, image, "DELETE", _tag(tag))


def archived(call: Call, repository: Repository, image: Image) -> None:
    """Announce that an image is in the archive."""
    _announce_storage_class(call, repository, image, "ARCHIVE", {})


def restored(call: Call, repository: Repository, image: Image) -> None:
    """Announce that an image is out of the archive, as of now."""
    when = datetime.fromtimestamp(call.now, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    _announce_storage_class(call, repository, image, "STANDARD", {"last-activated-at": f"{when}Z"})


def _announce_storage_class(
    call: Call, repository: Repository, image: Image, target: str, more: dict[str, str]
) -> None:
    detail = {"target-storage-class": target, "manifest-media-type": image.media_type}
    if image.artifact_media_type:
        detail["artifact-media-type"] = image.artifact_media_type
    _announce(call, repository, image, "UPDATE_STORAGE_CLASS", detail | more)


def _announce(call: Call, repository: Repository, image: Image, action: str, more: dict[str, str]) -> None:
    detail: dict[str, Any] = {
        "result": "SUCCESS",
        "repository-name": repository.name,
        "image-digest": image.digest,
        "action-type": action,
    }
    call.emit("ECR Referrer Action" if image.subject else "ECR Image Action", detail | more)


def _tag(tag: str | None) -> dict[str, str]:
    return {"image-tag": tag} if tag else {}
