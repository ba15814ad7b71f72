"""The memory of requests and events: bounded, and numbered."""

from __future__ import annotations

from ecr_provider.emulator.numbered_log import Log


def test_the_last_entries_are_kept() -> None:
    log = Log[str](3)
    log.add("abcde")
    assert log.all() == ("c", "d", "e")
    assert log.numbered() == [(3, "c"), (4, "d"), (5, "e")]


def test_what_is_new() -> None:
    log = Log[str](3)
    assert log.numbered() == []
    log.add("ab")
    assert log.numbered(1) == [(2, "b")]
    assert log.numbered(2) == []
    assert log.numbered(9) == []
    log.add("cde")
    assert log.numbered(1) == [(3, "c"), (4, "d"), (5, "e")]
    assert log.numbered(4) == [(5, "e")]


def test_the_latest_first() -> None:
    log = Log[str](3)
    assert log.latest(2) == []
    log.add("abcde")
    assert log.latest(2) == [(5, "e"), (4, "d")]
    assert log.latest(9) == [(5, "e"), (4, "d"), (3, "c")]
    assert log.latest(9, before=5) == [(4, "d"), (3, "c")]
    assert log.latest(9, before=99) == log.latest(9)
    assert log.latest(9, before=3) == []
    assert log.latest(9, before=0) == []


def test_numbers_go_on_after_a_clearing() -> None:
    log = Log[str](3)
    log.add("ab")
    log.clear()
    assert log.all() == ()
    assert log.numbered() == []
    log.add("c")
    assert log.numbered() == [(3, "c")]
    assert log.latest(5) == [(3, "c")]


def test_nothing_may_be_kept() -> None:
    log = Log[str](0)
    log.add("ab")
    assert log.all() == ()
    assert log.numbered() == []
    assert log.latest(5) == []
