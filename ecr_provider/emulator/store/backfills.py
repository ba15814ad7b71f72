"""Replication backfills, and the replications that each is made of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.store.rows import Rows

BackfillStatus = Literal["PREPARING", "IN_PROGRESS", "COMPLETE", "FAILED", "STOPPING", "STOPPED"]

_SCHEMA = """
CREATE TABLE backfills (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    to_account TEXT NOT NULL,
    to_region TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_code TEXT,
    started_at REAL NOT NULL,
    ended_at REAL,
    is_prepared INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX backfills_of_registry ON backfills (account, region);

CREATE TABLE backfill_replications (
    number INTEGER PRIMARY KEY,
    backfill INTEGER NOT NULL REFERENCES backfills ON DELETE CASCADE,
    repository TEXT NOT NULL,                  -- its name
    digest TEXT NOT NULL,
    tag TEXT,
    is_done INTEGER NOT NULL DEFAULT 0,
    failure_code TEXT,
    sub_image_failure_codes TEXT               -- JSON; of an index only
);
CREATE INDEX replications_of_backfill ON backfill_replications (backfill, is_done, number);
"""

_BACKFILL = """
    SELECT number, id, account, region, to_account, to_region, status, failure_code, started_at, ended_at, is_prepared
    FROM backfills WHERE account = ? AND region = ? AND IFNULL(ended_at, ?) >= ?
"""


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill's row."""

    number: int
    id: str
    registry: Registry
    destination: Registry
    status: BackfillStatus
    failure_code: str | None
    started_at: float
    ended_at: float | None
    is_prepared: bool


@dataclass(frozen=True, slots=True)
class BackfillReplication:
    """A replication of a backfill: an image with a tag, or with none."""

    number: int
    repository: str
    digest: str
    tag: str | None
    failure_code: str | None = None
    sub_image_failure_codes: list[str] | None = None


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How many of a backfill's replications came to what."""

    total: int
    complete: int
    failed: int
    failure_codes: list[str]


class BackfillRows(Rows):
    """The queries on backfills. The time ``since`` leaves out those that ended before."""

    schema = _SCHEMA

    def backfill(self, registry: Registry, backfill_id: str, since: float) -> Backfill | None:
        """Find a backfill of a registry."""
        row = self._execute(f"{_BACKFILL} AND id = ?", (*registry, since, since, backfill_id)).fetchone()
        return _backfill(row) if row else None

    def backfills(self, registry: Registry, since: float, after: int = 0, count: int | None = None) -> list[Backfill]:
        """List a registry's backfills in the order in which they were started."""
        rows = self._execute(
            f"{_BACKFILL} AND number > ? ORDER BY number LIMIT IFNULL(?, -1)", (*registry, since, since, after, count)
        )
        return [_backfill(row) for row in rows]

    def add_backfill(
        self, registry: Registry, destination: Registry, backfill_id: str, status: BackfillStatus, started_at: float
    ) -> None:
        """Add a backfill to a destination."""
        self._execute(
            "INSERT INTO backfills (id, account, region, to_account, to_region, status, started_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (backfill_id, *registry, *destination, status, started_at),
        )

    def set_backfill_status(self, backfill: Backfill, status: BackfillStatus) -> None:
        """Set the status of a backfill that goes on."""
        self._execute("UPDATE backfills SET status = ? WHERE number = ?", (status, backfill.number))

    def end_backfill(
        self, backfill: Backfill, status: BackfillStatus, now: float, failure_code: str | None = None
    ) -> None:
        """End a backfill."""
        self._execute(
            "UPDATE backfills SET status = ?, ended_at = ?, failure_code = ? WHERE number = ?",
            (status, now, failure_code, backfill.number),
        )

    def prepare_backfill(self, backfill: Backfill, images: Iterable[tuple[str, str, str | None]]) -> None:
        """Say which images a backfill is to replicate: (repository, digest, tag), in this order."""
        self._executemany(
            "INSERT INTO backfill_replications (backfill, repository, digest, tag) VALUES (?, ?, ?, ?)",
            [(backfill.number, *image) for image in images],
        )
        self._execute("UPDATE backfills SET is_prepared = 1 WHERE number = ?", (backfill.number,))

    def next_backfill_replications(self, backfill: Backfill, count: int) -> list[BackfillReplication]:
        """List the replications that come next."""
        rows = self._execute(
            "SELECT number, repository, digest, tag FROM backfill_replications WHERE backfill = ? AND NOT is_done"
            " ORDER BY number LIMIT ?",
            (backfill.number, count),
        )
        return [BackfillReplication(*row) for row in rows]

    def set_backfill_replication(self, done: BackfillReplication) -> None:
        """Keep what came of a replication."""
        codes = done.sub_image_failure_codes
        self._execute(
            "UPDATE backfill_replications SET is_done = 1, failure_code = ?, sub_image_failure_codes = ?"
            " WHERE number = ?",
            (done.failure_code, None if codes is None else json.dumps(codes), done.number),
        )

    def backfill_results(
        self, backfill: Backfill, outcomes: tuple[bool, ...], after: int, count: int
    ) -> list[BackfillReplication]:
        """List the replications that are done: those that failed (True), succeeded (False), or both."""
        rows = self._execute(
            "SELECT number, repository, digest, tag, failure_code, sub_image_failure_codes"
            " FROM backfill_replications WHERE backfill = ? AND is_done AND (failure_code IS NOT NULL) IN (?, ?)"
            " AND number > ? ORDER BY number LIMIT ?",
            (backfill.number, outcomes[0], outcomes[-1], after, count),
        )
        return [
            BackfillReplication(number, name, digest, tag, code, json.loads(codes) if codes else None)
            for number, name, digest, tag, code, codes in rows
        ]

    def backfill_progress(self, backfill: Backfill) -> BackfillProgress:
        """Count a backfill's replications."""
        total, done, failed = self._execute(
            "SELECT COUNT(*), IFNULL(SUM(is_done), 0), COUNT(failure_code) FROM backfill_replications"
            " WHERE backfill = ?",
            (backfill.number,),
        ).fetchone()
        codes = self._execute(
            "SELECT DISTINCT failure_code FROM backfill_replications WHERE backfill = ? AND failure_code IS NOT NULL"
            " ORDER BY failure_code",
            (backfill.number,),
        )
        return BackfillProgress(total, done - failed, failed, [code for (code,) in codes])


def _backfill(row: tuple[Any, ...]) -> Backfill:
    number, backfill_id, account, region, to_account, to_region, *more = row
    return Backfill(number, backfill_id, Registry(account, region), Registry(to_account, to_region), *more)
