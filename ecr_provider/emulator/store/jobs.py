"""What the registry will do by itself, and when."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    due_at REAL NOT NULL,
    operation TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    parameters TEXT NOT NULL                   -- JSON
);
CREATE INDEX jobs_by_time ON jobs (due_at, id);
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A call that the registry will make to itself."""

    due_at: float
    operation: str
    account: str
    region: str
    parameters: dict[str, Any]


class JobRows(Rows):
    """The queries on jobs."""

    schema = _SCHEMA

    def __init__(self, database: sqlite3.Connection) -> None:
        super().__init__(database)
        self.next_job_at = -math.inf
        """No job is due before: known without a look at the database, since every call asks."""

    def add_job(self, due_at: float, operation: str, account: str, region: str, parameters: dict[str, Any]) -> None:
        """Add a job."""
        self._execute(
            "INSERT INTO jobs (due_at, operation, account, region, parameters) VALUES (?, ?, ?, ?, ?)",
            (due_at, operation, account, region, json.dumps(parameters)),
        )
        self.next_job_at = min(self.next_job_at, due_at)

    def take_job(self, now: float) -> Job | None:
        """Remove the job that has been due for longest, and return it."""
        row = self._execute(
            "SELECT due_at, operation, account, region, parameters, id FROM jobs ORDER BY due_at, id LIMIT 1"
        ).fetchone()
        self.next_job_at = row[0] if row else math.inf
        if row is None or row[0] > now:
            return None
        due_at, operation, account, region, parameters, number = row
        self._execute("DELETE FROM jobs WHERE id = ?", (number,))
        return Job(due_at, operation, account, region, json.loads(parameters))
