"""One blob from the source to the target: streamed, verified on its way, resumed where the connection broke."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from ecr_provider.copying.plan import Way
from ecr_provider.copying.progress import Progress
from ecr_provider.copying.protocols import ImageSource, ImageTarget
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
        :param way: the way that is planned, which is one of those that take something.
        :raises DigestMismatchError: the source's bytes are not the ones that the manifest names.
        :raises EcrProviderError: either side refused, or failed too often.
        """
        tries = count()

        def attempt() -> Way:
            return self._attempt(blob, way, is_first=next(tries) == 0)

        try:
            return self._patience.call(attempt)
        except DigestMismatchError:
            # They may have been damaged on their way. Twice is no accident.
            return self._patience.call(attempt)

    def _attempt(self, blob: Descriptor, way: Way, *, is_first: bool) -> Way:
        if not is_first and self._target.blobs([blob]):
            return Way.STREAMED  # all that was lost was the answer
        upload = self._target.begin_upload(blob, self._source.place.repository if way is Way.MOUNTED else None)
        if upload is None:
            return Way.MOUNTED
        if way is Way.MOUNTED and is_first:
            self._progress.expect(blob.size)
        moved, reader = _Moved(self._progress), BlobReader(self._source, blob, self._patience)
        try:
            upload.send(blob, moved.counting(verified(blob, self._stripes.read(reader))))
        except BaseException:
            moved.take_back()
            upload.cancel()
            raise
        return Way.STREAMED


class _Moved:
    """The bytes of one attempt."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bytes = 0

    def counting(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Count chunks once they were taken."""
        for chunk in chunks:
            yield chunk
            self._bytes += len(chunk)
            self._progress.count(len(chunk))

    def take_back(self) -> None:
        """Have them not counted, after all."""
        self._progress.count(-self._bytes)


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
