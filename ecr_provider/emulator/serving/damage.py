"""What becomes of a body's bytes on their way, on purpose: see ``faults``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ecr_provider.emulator.errors import ConnectionCutError


@dataclass(frozen=True, slots=True)
class Damage:
    """Harm to one body: it is cut off, or truncated with a length that says so, or has a flipped bit; or none."""

    kind: Literal["cut", "truncate", "corrupt"] | None
    after_bytes: int | None = None
    """How many bytes pass unharmed; None is half of them."""

    def announced(self, size: int) -> int:
        """Return the ``Content-Length`` to send for a body of so many bytes."""
        return min(size, self._unharmed(size)) if self.kind == "truncate" else size

    def leaving(self, chunks: Iterable[bytes], size: int) -> Iterable[bytes]:
        """Harm the body of an answer, of ``size`` bytes.

        To iterate raises ConnectionCutError where it is cut: at the end at the latest.
        """
        unharmed = self._unharmed(size)
        match self.kind:
            case "cut":
                return _cut(chunks, unharmed)
            case "truncate":
                return _first(chunks, unharmed)
            case "corrupt":
                return _flipped(chunks, min(unharmed, size - 1))
            case None:
                return chunks

    @property
    def cuts_request_after(self) -> int | None:
        """After how many bytes of a request's body to close the connection, for a body that is read as it comes."""
        return self.after_bytes if self.kind == "cut" else None

    def _unharmed(self, size: int) -> int:
        return size // 2 if self.after_bytes is None else self.after_bytes


UNHARMED = Damage(None)


def _cut(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Pass the first bytes, then cut the connection."""
    yield from _first(chunks, count)
    raise ConnectionCutError


def _first(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Pass the first bytes."""
    for chunk in chunks:
        yield chunk[:count]
        count -= len(chunk)
        if count <= 0:
            return


def _flipped(chunks: Iterable[bytes], position: int) -> Iterator[bytes]:
    """Flip one bit of the byte at a position."""
    for chunk in chunks:
        if 0 <= position < len(chunk):
            yield chunk[:position] + bytes([chunk[position] ^ 1]) + chunk[position + 1 :]
        else:
            yield chunk
        position -= len(chunk)
