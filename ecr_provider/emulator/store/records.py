"""All the queries, table by table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ecr_provider.emulator.store import (
    backfills,
    images,
    jobs,
    layers,
    lifecycle,
    replications,
    repositories,
    scans,
    settings,
    signatures,
    upstreams,
)
from ecr_provider.emulator.store.rows import Rows

_OWN = """
CREATE TABLE emulator (
    secret BLOB NOT NULL,                      -- what it signs with
    skipped REAL NOT NULL DEFAULT 0            -- seconds by which its clock is ahead
);
"""


class Records(
    repositories.RepositoryRows,
    images.ImageRows,
    layers.LayerRows,
    settings.SettingRows,
    jobs.JobRows,
    scans.ScanRows,
    signatures.SignatureRows,
    lifecycle.LifecycleRows,
    replications.ReplicationRows,
    backfills.BackfillRows,
    upstreams.UpstreamRows,
):
    """What a transaction can read and write."""

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what the body did, and no more than that, if it raises: the transaction may go on."""
        self._execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self._execute("ROLLBACK TO attempt")
            raise
        finally:
            self._execute("RELEASE attempt")

    def secret(self, fresh: bytes) -> bytes:
        """Return the store's signing secret, which is ``fresh`` if it has none yet."""
        self._execute("INSERT INTO emulator (secret) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM emulator)", (fresh,))
        (secret,) = self._execute("SELECT secret FROM emulator").fetchone()
        return bytes(secret)

    def skipped(self) -> float:
        """Return by how many seconds the clock is ahead."""
        (skipped,) = self._execute("SELECT skipped FROM emulator").fetchone()
        return float(skipped)

    def set_skipped(self, seconds: float) -> None:
        """Record by how many seconds the clock is ahead."""
        self._execute("UPDATE emulator SET skipped = ?", (seconds,))


SCHEMA = "\n".join((_OWN, *(rows.schema for rows in Records.__bases__ if issubclass(rows, Rows))))
