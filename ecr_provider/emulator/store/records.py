"""All the queries, table by table."""

from __future__ import annotations

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

_TABLES = (
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
)

SCHEMA = "\n".join(("CREATE TABLE secret (value BLOB NOT NULL);", *(rows.schema for rows in _TABLES)))


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

    def secret(self, fresh: bytes) -> bytes:
        """Return the store's signing secret, which is ``fresh`` if it has none yet."""
        self._execute("INSERT INTO secret SELECT ? WHERE NOT EXISTS (SELECT 1 FROM secret)", (fresh,))
        (value,) = self._execute("SELECT value FROM secret").fetchone()
        return bytes(value)
