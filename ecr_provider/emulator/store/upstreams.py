"""What repositories have from an upstream registry, and when it was looked for there last."""

from __future__ import annotations

from ecr_provider.emulator.store.repositories import Repository
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE upstream_references (
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    reference TEXT NOT NULL,                   -- a tag or a digest
    checked_at REAL NOT NULL,
    PRIMARY KEY (repository, reference)
) WITHOUT ROWID;
"""


class UpstreamRows(Rows):
    """The queries on what came from upstream."""

    schema = _SCHEMA

    def checked_upstream_at(self, repository: Repository, reference: str) -> float | None:
        """Tell when a tag or a digest was found upstream last, or None if it never was."""
        row = self._execute(
            "SELECT checked_at FROM upstream_references WHERE repository = ? AND reference = ?",
            (repository.id, reference),
        ).fetchone()
        return row[0] if row else None

    def set_checked_upstream_at(self, repository: Repository, reference: str, when: float) -> None:
        """Keep when a tag or a digest was found upstream."""
        self._execute("INSERT OR REPLACE INTO upstream_references VALUES (?, ?, ?)", (repository.id, reference, when))

    def has_upstream_references(self, repository: Repository) -> bool:
        """Tell whether anything in a repository came from upstream."""
        return bool(self._count("SELECT COUNT(*) FROM upstream_references WHERE repository = ?", (repository.id,)))
