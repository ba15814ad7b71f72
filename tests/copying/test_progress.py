"""How far a copy is, and what is said of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_provider.copying.plan import Way
from ecr_provider.copying.progress import Lines, Progress, size_of
from ecr_provider.oci import Descriptor, Digest

BLOB = Descriptor("application/octet-stream", Digest.of(b"layer"), 5_000_000)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    time_is = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: time_is[0])
    return time_is


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (2_500_000_000, "2.5 GB"),
        (7e12, "7.0 TB"),
        (7e15, "7000.0 TB"),
    ],
)
def test_sizes_are_written_as_registries_do(count: float, text: str) -> None:
    assert size_of(count) == text


@given(st.integers(0, 10**18))
def test_a_size_is_a_number_and_a_unit(count: int) -> None:
    number, unit = size_of(count).split()
    assert float(number) >= 0
    assert unit in {"bytes", "kB", "MB", "GB", "TB"}


def test_bytes_are_counted_and_taken_back(lines: list[str]) -> None:
    progress = Progress(100, Lines(lines.append))
    progress.count(60)
    progress.count(-60)
    progress.count(30)
    progress.expect(50)
    assert (progress.done, progress.total) == (30, 150)


def count_each(progress: Progress, times: int) -> None:
    for _ in range(times):
        progress.count(1)


def test_threads_lose_no_byte(lines: list[str]) -> None:
    progress = Progress(0, Lines(lines.append))
    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(count_each, progress, 10_000)
    assert progress.done == 80_000


def test_a_line_says_share_rate_and_what_is_left(lines: list[str], now: list[float]) -> None:
    progress = Progress(100_000_000, Lines(lines.append))
    assert str(progress) == "0 %: 0 bytes of 100.0 MB, 0 bytes/s, waiting for the first byte"
    progress.count(25_000_000)
    now[0] += 10
    assert str(progress) == "25 %: 25.0 MB of 100.0 MB, 2.5 MB/s, 30 s left"


def test_nothing_to_move_is_all_of_it(lines: list[str]) -> None:
    assert str(Progress(0, Lines(lines.append))).startswith("100 %")


def test_lines_come_every_few_seconds_and_not_more_often(lines: list[str], now: list[float]) -> None:
    progress = Progress(100, Lines(lines.append))
    for _ in range(20):
        now[0] += 1
        progress.count(5)
        progress.tick()
    assert [line.split(":")[0] for line in lines] == ["25 %", "50 %", "75 %", "100 %"]


def test_where_nothing_moves_nothing_is_said(lines: list[str], now: list[float]) -> None:
    progress = Progress(0, Lines(lines.append))
    now[0] += 100
    progress.tick()
    assert lines == []


def test_a_blob_that_is_done(lines: list[str]) -> None:
    progress = Progress(0, Lines(lines.append))
    progress.say_done(BLOB, Way.STREAMED, 2.0)
    progress.say_done(BLOB, Way.MOUNTED, 0.1)
    progress.say_done(BLOB, Way.STREAMED, 0.0)
    assert lines == [
        f"streamed {BLOB.digest} (5.0 MB, 2.0 s, 2.5 MB/s)",
        f"mounted {BLOB.digest} (5.0 MB, 0.1 s)",
        f"streamed {BLOB.digest} (5.0 MB, 0.0 s)",
    ]
