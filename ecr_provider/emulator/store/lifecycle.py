"""Lifecycle policies of repositories, and previews of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE lifecycle_policies (
    repository INTEGER PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
    policy TEXT NOT NULL,
    put_at REAL NOT NULL,
    evaluated_at REAL
);

CREATE TABLE lifecycle_previews (
    repository INTEGER PRIMARY KEY REFERENCES repositories ON DELETE CASCADE,
    policy TEXT NOT NULL,
    started_at REAL NOT NULL,
    results TEXT NOT NULL                      -- JSON: as they are shown
);
"""


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """A lifecycle policy's row."""

    policy: str
    put_at: float
    evaluated_at: float | None


@dataclass(frozen=True, slots=True)
class LifecyclePreview:
    """A preview's row."""

    policy: str
    started_at: float
    results: list[dict[str, Any]]


class LifecycleRows(Rows):
    """The queries on lifecycle policies and previews."""

    schema = _SCHEMA

    def lifecycle_policy(self, repository: Repository) -> LifecyclePolicy | None:
        """Find a repository's lifecycle policy."""
        row = self._execute(
            "SELECT policy, put_at, evaluated_at FROM lifecycle_policies WHERE repository = ?", (repository.id,)
        ).fetchone()
        return LifecyclePolicy(*row) if row else None

    def set_lifecycle_policy(self, repository: Repository, policy: str, now: float) -> None:
        """Add or replace a lifecycle policy."""
        self._execute(
            "INSERT INTO lifecycle_policies (repository, policy, put_at) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET policy = excluded.policy, put_at = excluded.put_at",
            (repository.id, policy, now),
        )

    def set_lifecycle_evaluated(self, repository: Repository, now: float) -> None:
        """Keep when the policy was applied last."""
        self._execute("UPDATE lifecycle_policies SET evaluated_at = ? WHERE repository = ?", (now, repository.id))

    def delete_lifecycle_policy(self, repository: Repository) -> None:
        """Remove a lifecycle policy."""
        self._execute("DELETE FROM lifecycle_policies WHERE repository = ?", (repository.id,))

    def lifecycle_preview(self, repository: Repository) -> LifecyclePreview | None:
        """Find a repository's last preview."""
        row = self._execute(
            "SELECT policy, started_at, results FROM lifecycle_previews WHERE repository = ?", (repository.id,)
        ).fetchone()
        return LifecyclePreview(row[0], row[1], json.loads(row[2])) if row else None

    def set_lifecycle_preview(self, repository: Repository, preview: LifecyclePreview) -> None:
        """Keep a preview, in place of the last one."""
        self._execute(
            "INSERT OR REPLACE INTO lifecycle_previews VALUES (?, ?, ?, ?)",
            (repository.id, preview.policy, preview.started_at, json.dumps(preview.results)),
        )
