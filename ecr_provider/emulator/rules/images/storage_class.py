"""The rules of the archive: moving images into it, and restoring them from it."""

from __future__ import annotations

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.call import Answer, Call
from ecr_provider.emulator.rules.images import image_events
from ecr_provider.emulator.rules.images.deletion import archive_image
from ecr_provider.emulator.rules.images.image_ids import ImageId, find_or_raise, image_answer
from ecr_provider.emulator.rules.replication.source import replicate
from ecr_provider.emulator.rules.scanning import scans
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.repositories import Repository


def update_image_storage_class(call: Call) -> Answer:
    """UpdateImageStorageClass: into the archive at once, out of it after a while (``Switches``).

    An image that is where it is wanted stays as it is. What an active index names stays out of the archive
    (our choice: AWS has an exception for updates that are not supported and does not list them).
    """
    image_id: ImageId = call.parameters["imageId"]
    with call.transaction() as records:
        repository = call.repository(records)
        image = find_or_raise(records, repository, image_id)
        if call.parameters["targetStorageClass"] == "ARCHIVE":
            image = _archive(call, records, repository, image)
        elif image.archived:
            image = _restore(call, records, repository, image)
    answer = image_answer(repository, image.digest, image_id.get("imageTag"))
    return answer | {"imageStatus": image.status(call.now)}


def _archive(call: Call, records: Records, repository: Repository, image: Image) -> Image:
    if any(parent.status(call.now) == "ACTIVE" for parent in records.parents(image)):
        raise EcrError(
            "ImageStorageClassUpdateNotSupportedException",
            f"The image with digest '{image.digest}' is referenced by an active manifest list",
        )
    return image if image.archived else archive_image(call, records, repository, image)


def _restore(call: Call, records: Records, repository: Repository, image: Image) -> Image:
    seconds = call.state.switches.restore_seconds
    restored = records.restore(image, call.now + seconds)
    parameters = {"repositoryName": repository.name, "imageDigest": image.digest}
    call.later(seconds, "CompleteImageRestore", parameters)
    scans.scan_on_push(call, records, repository, restored, after=seconds)
    return restored


def complete_image_restore(call: Call) -> Answer:
    """Do the job of ``_restore``: announce that the image is there, and have it replicated with each of its tags.

    Nothing happens if it is not: it may have been deleted since, or archived again.
    """
    with call.transaction() as records:
        if found := call.job_image(records):
            repository, image = found
            if not image.archived and image.activated_at == call.now:
                image_events.restored(call, repository, image)
                tags: list[str | None] = [*records.tags(image)]
                for tag in tags or [None]:
                    replicate(call, records, repository, image, tag)
    return {}
