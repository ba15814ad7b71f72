"""Settings of a registry: JSON documents, by kind and name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE settings (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,                        -- a SettingKind
    name TEXT NOT NULL,                        -- "" where a registry has one of the kind
    value TEXT NOT NULL,                       -- JSON
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (account, region, kind, name)
) WITHOUT ROWID;
"""


class SettingKind(StrEnum):
    """What there are settings of."""

    ACCOUNT_SETTING = "account setting"
    PULL_THROUGH_CACHE_RULE = "pull through cache rule"
    PULL_TIME_UPDATE_EXCLUSION = "pull time update exclusion"
    REGISTRY_POLICY = "registry policy"
    REPLICATION_CONFIGURATION = "replication configuration"
    REPOSITORY_CREATION_TEMPLATE = "repository creation template"
    SCANNING_CONFIGURATION = "scanning configuration"
    SIGNING_CONFIGURATION = "signing configuration"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting's row."""

    name: str
    value: Any
    created_at: float
    updated_at: float


class SettingRows(Rows):
    """The queries on settings."""

    schema = _SCHEMA

    def setting(self, registry: Registry, kind: SettingKind, name: str = "") -> Setting | None:
        """Find a setting."""
        row = self._execute(
            "SELECT name, value, created_at, updated_at FROM settings"
            " WHERE account = ? AND region = ? AND kind = ? AND name = ?",
            (*registry, kind, name),
        ).fetchone()
        return _setting(row) if row else None

    def settings(
        self, registry: Registry, kind: SettingKind, after: str = "", count: int | None = None
    ) -> list[Setting]:
        """List the settings of a kind by name; the one named "" is not among them."""
        rows = self._execute(
            "SELECT name, value, created_at, updated_at FROM settings"
            " WHERE account = ? AND region = ? AND kind = ? AND name > ? ORDER BY name LIMIT IFNULL(?, -1)",
            (*registry, kind, after, count),
        )
        return [_setting(row) for row in rows]

    def set_setting(self, registry: Registry, kind: SettingKind, name: str, value: Any, *, now: float) -> Setting:
        """Add or replace a setting."""
        self._execute(
            "INSERT INTO settings VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
            (*registry, kind, name, json.dumps(value), now, now),
        )
        found = self.setting(registry, kind, name)
        assert found is not None  # noqa: S101 - it was written just now
        return found

    def delete_setting(self, registry: Registry, kind: SettingKind, name: str = "") -> None:
        """Remove a setting."""
        self._execute(
            "DELETE FROM settings WHERE account = ? AND region = ? AND kind = ? AND name = ?",
            (*registry, kind, name),
        )


def _setting(row: tuple[str, str, float, float]) -> Setting:
    name, value, created_at, updated_at = row
    return Setting(name, json.loads(value), created_at, updated_at)
