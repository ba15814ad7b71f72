"""Read a blob from its source: again from where the connection broke, and by several where one is slow."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from ecr_provider.copying.protocols import Download, ImageSource
from ecr_provider.exceptions import RangeIgnoredError, RegistryCallError, RegistryUnavailableError
from ecr_provider.oci import Descriptor
from ecr_provider.patience import Patience

BUFFER: Final = 1024 * 1024
"""Bytes that are read at once: with less, Python's share of the work grows; more is not faster."""

_NO_SUCH_RANGE: Final = 416


@dataclass(frozen=True, slots=True)
class BlobReader:
    """A blob to read.

    :param source: where it is.
    :param blob: the blob.
    :param patience: how to wait between tries.
    """

    source: ImageSource
    blob: Descriptor
    patience: Patience

    def rest(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield all that the source has of it, from a byte on.

        :param start: the first byte.
        :raises RegistryCallError: the source refused, or failed too often without a byte in between.
        """
        return self._chunks(start, None)

    def part(self, start: int, stop: int) -> Generator[bytes, None, None]:
        """Yield a part of it.

        :param start: the first byte.
        :param stop: the byte to stop before.
        :raises RangeIgnoredError: the source gives no parts.
        :raises RegistryCallError: as ``rest``.
        """
        return self._chunks(start, stop)

    def _chunks(self, start: int, stop: int | None) -> Generator[bytes, None, None]:
        position, end = start, self.blob.size if stop is None else stop
        while position < end:
            # What counts as a try that succeeded is a byte, not a connection.
            download, chunk = self.patience.call(lambda at=position: self._opened(at, stop))  # type: ignore[misc]
            with closing(download):
                if not chunk:
                    return
                try:
                    while chunk:
                        position += len(chunk)
                        yield chunk
                        self.patience.check()
                        chunk = download.read(BUFFER)
                except RegistryUnavailableError:
                    continue

    def _opened(self, position: int, stop: int | None) -> tuple[Download, bytes]:
        try:
            return _begun(self.source.download(self.blob, position, stop))
        except RangeIgnoredError:
            if stop is not None:
                raise
            return _begun(self.source.download(self.blob), skip=position)
        except RegistryCallError as error:
            if error.status == _NO_SUCH_RANGE:  # the source's blob ends here, whatever its descriptor says
                return _Nothing(), b""
            raise


class _Nothing:
    """A download of no bytes."""

    def read(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


def _begun(download: Download, skip: int = 0) -> tuple[Download, bytes]:
    """Read on, over what was read before, to the first chunk."""
    try:
        while skip > 0 and (chunk := download.read(min(skip, BUFFER))):
            skip -= len(chunk)
        return download, download.read(BUFFER)
    except BaseException:
        download.close()
        raise
