"""What the registry will do by itself, and when."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,      -- in the order added
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

    id: int
    due_at: float
    operation: str
    registry: Registry
    parameters: dict[str, Any]


class JobRows(Rows):
    """The queries on jobs."""

    schema = _SCHEMA

    def __init__(self, database: sqlite3.Connection) -> None:
        super().__init__(database)
        self.next_job_at = -math.inf
        """No job is due before: known without a look at the database, since every call asks."""

    def add_job(self, due_at: float, operation: str, registry: Registry, parameters: dict[str, Any]) -> None:
        """Add a job, behind all that are due by then. The very same one is not done twice."""
        job = (due_at, operation, *registry, json.dumps(parameters))
        self._execute(
            "DELETE FROM jobs WHERE due_at = ? AND operation = ? AND account = ? AND region = ? AND parameters = ?", job
        )
        self._execute("INSERT INTO jobs (due_at, operation, account, region, parameters) VALUES (?, ?, ?, ?, ?)", job)
        self.next_job_at = min(self.next_job_at, due_at)

    def take_job(self, now: float) -> Job | None:
        """Remove the job that has been due for longest, and return it."""
        row = self._execute(
            "SELECT id, due_at, operation, account, region, parameters FROM jobs ORDER BY due_at, id LIMIT 1"
        ).fetchone()
        self.next_job_at = row[1] if row else math.inf
        if self.next_job_at > now:
            return None
        number, due_at, operation, account, region, parameters = row
        job = Job(number, due_at, operation, Registry(account, region), json.loads(parameters))
        self.delete_job(job)
        return job

    def delete_job(self, job: Job) -> None:
        """Forget a job."""
        self._execute("DELETE FROM jobs WHERE id = ?", (job.id,))
