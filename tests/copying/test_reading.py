"""Reading a blob: on from where the connection broke, whatever the source does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_images import MemoryDownload, MemoryImages

from ecr_provider.copying import reading
from ecr_provider.copying.reading import BlobReader
from ecr_provider.exceptions import (
    CopyStoppedError,
    RangeIgnoredError,
    RegistryAccessDeniedError,
    RegistryNotFoundError,
    RegistryUnavailableError,
)
from ecr_provider.oci import Descriptor, Digest
from ecr_provider.patience import Patience

CONTENT = bytes(range(100))


@pytest.fixture(autouse=True)
def _small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BUFFER", 7)


def reader_of(
    source: MemoryImages, content: bytes = CONTENT, size: int | None = None, patience: Patience | None = None
) -> BlobReader:
    """Read a blob that the source has, or of which it has less or more than its descriptor says."""
    blob = source.add_blob(content)
    if size is not None:
        blob = Descriptor(blob.media_type, blob.digest, size)
    return BlobReader(source, blob, patience or Patience(tries=3, first_wait=0.0001))


def starts(source: MemoryImages) -> list[int]:
    return [download.start for download in source.downloads]


def test_a_blob_takes_one_connection() -> None:
    source = MemoryImages()
    assert b"".join(reader_of(source).rest()) == CONTENT
    assert source.made("download") == [("download", (Digest.of(CONTENT), 0, None))]
    assert all(download.is_closed for download in source.downloads)


def test_nothing_is_asked_for_a_blob_of_no_bytes() -> None:
    source = MemoryImages()
    assert list(reader_of(source, b"").rest()) == []
    assert source.calls == []


@pytest.mark.parametrize("cut", range(1, len(CONTENT)))
def test_a_connection_that_breaks_anywhere_is_followed_by_one_for_the_rest(cut: int) -> None:
    source = MemoryImages()
    source.cuts.append(cut)
    assert b"".join(reader_of(source).rest()) == CONTENT
    assert starts(source) == [0, cut]
    assert all(download.is_closed for download in source.downloads)


@given(st.lists(st.integers(1, len(CONTENT) - 1), max_size=20, unique=True).map(sorted))
def test_a_connection_may_break_as_often_as_it_likes_as_long_as_a_byte_comes(cuts: list[int]) -> None:
    source = MemoryImages()
    source.cuts.extend(cuts)
    assert b"".join(reader_of(source).rest()) == CONTENT
    assert starts(source) == [0, *cuts]


def test_a_connection_that_breaks_without_a_byte_counts_as_a_try() -> None:
    source = MemoryImages()
    source.cuts.extend([50, 50, 50, 50, 50])
    with pytest.raises(RegistryUnavailableError):
        list(reader_of(source).rest())
    assert starts(source) == [0, 50, 50, 50]
    assert all(download.is_closed for download in source.downloads)


def test_what_the_source_refuses_is_not_asked_for_again() -> None:
    source = MemoryImages()
    reader = reader_of(source)
    source.contents.clear()
    with pytest.raises(RegistryNotFoundError):
        list(reader.rest())
    assert len(source.calls) == 1


def test_a_refusal_in_between_is_taken_at_once() -> None:
    source = MemoryImages()

    def refuse(operation: str, what: object) -> None:
        if what == (Digest.of(CONTENT), 50, None):
            raise RegistryAccessDeniedError("no", operation=operation, status=403)

    source.before = refuse
    source.cuts.append(50)
    chunks = reader_of(source).rest()
    with pytest.raises(RegistryAccessDeniedError):
        list(chunks)


# --- Ranges that are ignored ---


@given(cut=st.integers(1, len(CONTENT) - 1))
def test_where_there_are_no_ranges_all_is_read_again_and_handed_on_once(cut: int) -> None:
    source = MemoryImages()
    source.takes_ranges = False
    source.cuts.append(cut)
    assert b"".join(reader_of(source).rest()) == CONTENT
    assert starts(source) == [0, 0]


def test_a_connection_that_breaks_while_it_gets_there_again() -> None:
    source = MemoryImages()
    source.takes_ranges = False
    source.cuts.extend([50, 20, 50, 80])
    assert b"".join(reader_of(source).rest()) == CONTENT
    assert starts(source) == [0] * 5
    assert all(download.is_closed for download in source.downloads)


def test_a_part_where_there_are_no_ranges_is_refused() -> None:
    source = MemoryImages()
    source.takes_ranges = False
    with pytest.raises(RangeIgnoredError):
        list(reader_of(source).part(10, 20))


# --- Sources that have something else ---


@given(size=st.integers(1, len(CONTENT) - 1), ranges=st.booleans())
def test_a_source_that_has_less_ends_early(size: int, ranges: bool) -> None:
    source = MemoryImages()
    source.takes_ranges = ranges
    assert b"".join(reader_of(source, CONTENT[:size], len(CONTENT)).rest()) == CONTENT[:size]
    assert len(source.made("download")) <= 3


def test_a_source_that_has_more_is_read_to_its_end_for_whoever_verifies() -> None:
    assert b"".join(reader_of(MemoryImages(), CONTENT, 50).rest()) == CONTENT


# --- Parts ---


@given(st.data())
def test_a_part_and_a_part_that_breaks(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(CONTENT) - 1))
    stop = data.draw(st.integers(start + 1, len(CONTENT)))
    source = MemoryImages()
    if stop - start > 1 and data.draw(st.booleans()):
        source.cuts.append(data.draw(st.integers(start + 1, stop - 1)))
    assert b"".join(reader_of(source).part(start, stop)) == CONTENT[start:stop]
    assert {what[2] for _, what in source.made("download")} == {stop}  # type: ignore[index]


# --- Ends ---


def test_a_reader_that_is_closed_closes_its_connection() -> None:
    source = MemoryImages()
    chunks = reader_of(source).rest()
    assert next(iter(chunks)) == CONTENT[:7]
    chunks.close()
    assert [download.is_closed for download in source.downloads] == [True]


def test_a_copy_that_was_told_to_stop_reads_no_more() -> None:
    source, patience = MemoryImages(), Patience(tries=3, first_wait=0.0001)
    chunks = reader_of(source, patience=patience).rest()
    next(iter(chunks))
    patience.stop()
    with pytest.raises(CopyStoppedError):
        next(iter(chunks))
    assert [download.is_closed for download in source.downloads] == [True]


def test_time_that_is_over_ends_it_between_two_chunks() -> None:
    source = MemoryImages()

    def slow(_: MemoryDownload, __: int) -> None:
        time.sleep(0.02)

    source.on_read = slow
    with pytest.raises(CopyStoppedError):
        list(reader_of(source, patience=Patience(0.05, tries=3, first_wait=0.0001)).rest())
    assert source.downloads[0].position < len(CONTENT)
