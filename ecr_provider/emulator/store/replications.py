"""How the replication of images stands, a row for each image and destination."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE replications (
    image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    account TEXT NOT NULL,                     -- the destination's
    region TEXT NOT NULL,
    under_way INTEGER NOT NULL,
    failure_code TEXT,
    PRIMARY KEY (image, account, region)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Replication:
    """How the replication of an image to a registry stands."""

    destination: Registry
    under_way: int
    """How many: an image may have been pushed with several tags."""
    failure_code: str | None
    """Of the last one that ended."""


class ReplicationRows(Rows):
    """The queries on replications."""

    schema = _SCHEMA

    def replications(self, image: Image) -> list[Replication]:
        """List an image's replications by destination."""
        rows = self._execute(
            "SELECT account, region, under_way, failure_code FROM replications WHERE image = ?"
            " ORDER BY account, region",
            (image.id,),
        )
        return [Replication(Registry(account, region), *row) for account, region, *row in rows]

    def begin_replication(self, image: Image, destination: Registry) -> None:
        """Record that an image is to be replicated."""
        self._execute(
            "INSERT INTO replications VALUES (?, ?, ?, 1, NULL) ON CONFLICT DO UPDATE SET under_way = under_way + 1",
            (image.id, *destination),
        )

    def end_replication(self, image: Image, destination: Registry, failure_code: str | None) -> None:
        """Record that an image was replicated, or why it was not."""
        self._execute(
            "UPDATE replications SET under_way = under_way - 1, failure_code = ?"
            " WHERE image = ? AND account = ? AND region = ?",
            (failure_code, image.id, *destination),
        )
