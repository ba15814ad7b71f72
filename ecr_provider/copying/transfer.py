"""One blob from the source to the target: streamed, verified on its way, and tried again."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

from ecr_provider.copying.plan import Way
from ecr_provider.copying.progress import Progress
from ecr_provider.copying.protocols import ImageSource, ImageTarget, Upload
from ecr_provider.copying.reading import BlobReader
from ecr_provider.copying.stripes import Stripes
from ecr_provider.exceptions import DigestMismatchError
from ecr_provider.oci import Descriptor
from ecr_provider.patience import Patience


class BlobCopier:
    """Copy blobs, from any number of threads.

    :param source: where they are.
    :param target: where they are to go.
    :param patience: how to wait between tries.
    :param stripes: who reads several parts of a blob at once where one connection is slow.
    :param progress: who is told of the bytes.
    """

    def __init__(
        self, source: ImageSource, target: ImageTarget, patience: Patience, stripes: Stripes, progress: Progress
    ) -> None:
        self._source = source
        self._target = target
        self._patience = patience
        self._stripes = stripes
        self._progress = progress

    def copy(self, blob: Descriptor, way: Way) -> Way:
        """Copy a blob, and return the way that it went: a mount that the registry declines becomes a stream.

        :param blob: the blob.
        :param way: the way that is planned, mounted or streamed.
        :raises DigestMismatchError: the source's bytes are not the ones that the manifest names.
        :raises EcrProviderError: either side refused, or failed too often.
        """
        job = _Job(blob, way, self._progress)
        try:
            return self._patience.call(lambda: self._try(job))
        except DigestMismatchError:
            # They may have been damaged on their way. Twice is no accident.
            return self._patience.call(lambda: self._try(job))

    def _try(self, job: _Job) -> Way:
        if job.has_failed and self._target.blobs([job.blob]):
            return job.found()  # all that was lost is the answer
        job.has_failed = True
        upload = self._target.begin_upload(job.blob, self._source.place.repository if job.way is Way.MOUNTED else None)
        return Way.MOUNTED if upload is None else self._stream(job, upload)

    def _stream(self, job: _Job, upload: Upload) -> Way:
        reader = BlobReader(self._source, job.blob, self._patience)
        try:
            # Closed here, not when the error is forgotten, whose traceback keeps what is half read.
            with (
                closing(self._stripes.read(reader)) as read,
                closing(job.counted(verified(job.blob, read))) as chunks,
            ):
                upload.send(job.blob, chunks)
        except BaseException:
            job.take_back()
            upload.cancel()
            raise
        return Way.STREAMED


class _Job:
    """A blob on its way, through all tries.

    :param blob: the blob.
    :param way: the way that is planned.
    :param progress: who is told of the bytes.
    """

    def __init__(self, blob: Descriptor, way: Way, progress: Progress) -> None:
        self.blob = blob
        self.way = way
        self.has_failed = False
        """Whether there was a try that did not come to its end."""
        self._progress = progress
        self._is_expected = way is Way.STREAMED
        self._moved = 0

    def counted(self, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Pass chunks on, and count each one once it was taken."""
        if not self._is_expected:  # a mount was declined
            self._is_expected = True
            self._progress.expect(self.blob.size)
        for chunk in chunks:
            yield chunk
            self._moved += len(chunk)
            self._progress.count(len(chunk))

    def take_back(self) -> None:
        """Have what this try moved not counted, after all."""
        self._progress.count(-self._moved)
        self._moved = 0

    def found(self) -> Way:
        """Count a blob that an earlier try brought there."""
        if not self._is_expected:
            return Way.MOUNTED
        self._progress.count(self.blob.size)
        return Way.STREAMED


def verified(blob: Descriptor, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass the bytes on, but the last of them only if size and digest are right.

    So whoever takes them never has all of a blob that is not the one that is named.

    :param blob: what they are to be.
    :param chunks: the bytes.
    :raises DigestMismatchError: they are something else.
    """
    hasher, size, held = blob.digest.hasher(), 0, b""
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
        if size > blob.size:
            break
        if held:
            yield held
        held = chunk
    actual = f"{blob.digest.algorithm}:{hasher.hexdigest()}"
    if size != blob.size or actual != str(blob.digest):
        raise DigestMismatchError(
            f"The blob {blob.digest} of {blob.size} bytes arrived as {actual}, {size} bytes or more; it was not kept. "
            "If it happens again, the source's copy is damaged: push the image there anew.",
            expected=str(blob.digest),
            actual=actual,
        )
    if held:
        yield held
