"""Several connections for one blob: where one alone is slow and the line has room, and only there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import zip_longest

import pytest
from memory_images import MemoryDownload, MemoryImages, nothing
from waiting import until

from ecr_provider.copying import reading, stripes
from ecr_provider.copying.reading import BlobReader
from ecr_provider.copying.stripes import MOST_STRIPES, Stripes
from ecr_provider.exceptions import (
    RangeIgnoredError,
    RegistryAccessDeniedError,
    RegistryUnavailableError,
)
from ecr_provider.patience import Patience

KIB = 1024
CONTENT = b"".join(sha256(number.to_bytes(4)).digest() for number in range(8 * KIB))  # 256 KiB


class Clock:
    """The time that reading takes: so many seconds for each byte, on each connection."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self.now += 1e-9
            return self.now

    def pass_by(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


class Scene:
    """A source with a blob, and stripes of 8 KiB of it."""

    def __init__(self, clock: Clock, most: int = MOST_STRIPES) -> None:
        self.clock = clock
        self.source = MemoryImages()
        self.blob = self.source.add_blob(CONTENT)
        self.stripes = Stripes(most)
        self.patience = Patience(tries=3, first_wait=0.0001)

    def is_read_at(self, bytes_a_second: float) -> None:
        self.source.on_read = lambda _, size: self.clock.pass_by(size / bytes_a_second)

    def read(self) -> Iterator[bytes]:
        return self.stripes.read(BlobReader(self.source, self.blob, self.patience))

    @property
    def parts(self) -> list[MemoryDownload]:
        """The downloads of parts."""
        return [each for each in self.source.downloads if each.start]


Make = Callable[..., Scene]

SLOW, FAST = 10e3, 1e9  # bytes a second


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    clock = Clock()
    monkeypatch.setattr(reading, "BUFFER", KIB)
    monkeypatch.setattr(stripes, "STRIPE", 8 * KIB)
    monkeypatch.setattr(stripes, "_PROBE", 4 * KIB)
    made: list[Scene] = []

    def scene(bytes_a_second: float, most: int = MOST_STRIPES) -> Scene:
        made.append(Scene(clock, most))
        made[-1].is_read_at(bytes_a_second)
        return made[-1]

    monkeypatch.setattr(time, "perf_counter", clock)
    yield scene
    for each in made:
        each.stripes.close()


def test_a_slow_connection_gets_help_and_the_order_is_kept(make: Make) -> None:
    scene = make(SLOW)
    assert b"".join(scene.read()) == CONTENT
    assert len(scene.parts) > 10
    assert all(download.is_closed for download in scene.source.downloads)


def test_a_fast_connection_is_left_alone(make: Make) -> None:
    scene = make(FAST)
    assert b"".join(scene.read()) == CONTENT
    assert len(scene.source.downloads) == 1


def test_a_connection_that_waits_for_the_target_is_left_alone(make: Make) -> None:
    scene = make(SLOW)
    read = b""
    for chunk in scene.read():
        scene.clock.pass_by(10 * len(chunk) / SLOW)
        read += chunk
    assert read == CONTENT
    assert len(scene.source.downloads) == 1


def test_no_byte_is_read_twice(make: Make) -> None:
    scene = make(SLOW)
    assert b"".join(scene.read()) == CONTENT
    first = scene.source.downloads[0]
    assert first.position + sum(each.position - each.start for each in scene.parts) == len(CONTENT)
    assert min(each.start for each in scene.parts) == first.position


class Hoard:
    """The bytes that were read and not taken yet."""

    def __init__(self, scene: Scene) -> None:
        self.most = self.taken = 0
        self._scene = scene
        scene.source.on_read = self._note

    def _note(self, _: MemoryDownload, size: int) -> None:
        self._scene.clock.pass_by(size / SLOW)
        read = sum(each.position - each.start for each in self._scene.source.downloads)
        self.most = max(self.most, read - self.taken)

    def take(self, chunk: bytes) -> bytes:
        self.taken += len(chunk)
        time.sleep(0.0002)
        return chunk


def test_memory_is_bounded(make: Make) -> None:
    """What was read and not taken yet is never more than the stripes that there may be."""
    scene = make(SLOW, 4)
    hoard = Hoard(scene)
    assert b"".join(map(hoard.take, scene.read())) == CONTENT
    assert 8 * KIB < hoard.most <= 4 * 8 * KIB + 2 * KIB


def test_blobs_share_the_stripes(make: Make) -> None:
    scene = make(SLOW, 4)
    hoard = Hoard(scene)
    contents = [bytearray() for _ in range(3)]
    for chunks in zip_longest(*(scene.read() for _ in range(3)), fillvalue=b""):
        for content, chunk in zip(contents, chunks, strict=True):
            content.extend(hoard.take(chunk))
    assert contents == [CONTENT] * 3
    assert hoard.most <= 4 * 8 * KIB + 3 * 2 * KIB


@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_any_number_of_stripes(make: Make, most: int) -> None:
    scene = make(SLOW, most)
    assert b"".join(scene.read()) == CONTENT
    assert (len(scene.parts) > 0) is (most > 1)


def test_stripes_that_others_have_are_not_waited_for(make: Make) -> None:
    scene = make(SLOW, 2)
    other = scene.read()
    held = [next(other)]
    while not scene.parts:
        held.append(next(other))
    until(lambda: len(scene.parts) == 2)
    before = len(scene.source.downloads)
    assert b"".join(scene.read()) == CONTENT
    assert len(scene.source.downloads) == before + 1
    assert b"".join([*held, *other]) == CONTENT


def test_stripes_are_given_back(make: Make) -> None:
    scene = make(SLOW, 2)
    for _ in range(3):
        before = len(scene.parts)
        assert b"".join(scene.read()) == CONTENT
        assert len(scene.parts) > before


def test_stripes_are_given_back_by_who_reads_no_further(make: Make) -> None:
    scene = make(SLOW, 2)
    chunks = scene.read()
    while not scene.parts:
        next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert all(download.is_closed for download in scene.source.downloads)
    before = len(scene.parts)
    assert b"".join(scene.read()) == CONTENT
    assert len(scene.parts) > before


def test_where_ranges_are_refused_the_one_connection_goes_on(make: Make) -> None:
    scene = make(SLOW)
    scene.source.takes_ranges = False
    assert b"".join(scene.read()) == CONTENT
    assert len(scene.source.downloads) == 1
    assert len(scene.source.calls) <= 1 + MOST_STRIPES


def test_a_stripe_that_breaks_is_read_on(make: Make) -> None:
    scene = make(SLOW)
    scene.source.cuts.extend([None, 30 * KIB, 45 * KIB])
    assert b"".join(scene.read()) == CONTENT


def failing(scene: Scene, error: Exception, after: int) -> None:
    """Have all parts but the first ones fail."""
    asked: list[object] = []

    def fail(_: str, what: object) -> None:
        if isinstance(what, tuple) and what[1]:
            asked.append(what)
            if len(asked) > after:
                raise error

    scene.source.before = fail


@pytest.mark.parametrize("after", [0, 1, 5])
@pytest.mark.parametrize(
    "error",
    [
        RegistryAccessDeniedError("no", operation="download", status=403),
        RegistryUnavailableError("not now", operation="download", status=503),
    ],
    ids=["refused", "unavailable"],
)
def test_an_error_in_a_stripe_ends_all_of_them(make: Make, error: Exception, after: int) -> None:
    scene = make(SLOW)
    failing(scene, error, after)
    read: list[bytes] = []
    with pytest.raises(type(error)):  # noqa: PT012 - what came before the error is looked at
        for chunk in scene.read():
            read.append(chunk)  # noqa: PERF402
    assert CONTENT.startswith(b"".join(read))
    assert all(download.is_closed for download in scene.source.downloads)
    scene.source.before = nothing
    assert b"".join(scene.read()) == CONTENT


def test_ranges_that_are_refused_later_are_done_without(make: Make) -> None:
    """Behind one name may be servers of which some give parts."""
    scene = make(SLOW)
    failing(scene, RangeIgnoredError("no ranges", operation="download", status=200), 9)
    assert b"".join(scene.read()) == CONTENT


def test_a_blob_that_is_over_soon_is_left_alone(make: Make) -> None:
    scene = make(SLOW)
    scene.blob = scene.source.add_blob(CONTENT[: 12 * KIB])
    assert b"".join(scene.read()) == CONTENT[: 12 * KIB]
    assert len(scene.source.downloads) == 1


def test_a_line_that_is_full_is_not_filled_further(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripes, "_FULL", SLOW / 2)
    scene = make(SLOW)
    assert b"".join(scene.read()) == CONTENT
    assert len(scene.source.downloads) == 1
