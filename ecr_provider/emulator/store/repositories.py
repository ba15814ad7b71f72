"""Repositories: their settings, and no images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    mutability TEXT NOT NULL,
    exclusions TEXT NOT NULL,                  -- JSON: the exclusion filters
    scan_on_push INTEGER NOT NULL,
    encryption TEXT NOT NULL,                  -- JSON: the encryption configuration
    tags TEXT NOT NULL,                        -- JSON: resource tags, by key
    policy TEXT,
    image_count INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, region, name)
);
"""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository's row."""

    id: int
    registry: Registry
    name: str
    created_at: float
    mutability: str
    exclusions: list[dict[str, str]]
    scan_on_push: bool
    encryption: dict[str, str]
    tags: dict[str, str]
    policy: str | None
    image_count: int

    @property
    def account(self) -> str:
        """The account that it belongs to."""
        return self.registry.account

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.registry.arn(self.name)


class RepositoryRows(Rows):
    """The queries on repositories."""

    schema = _SCHEMA

    def repository(self, registry: Registry, name: str) -> Repository | None:
        """Find a repository."""
        row = self._execute(
            "SELECT * FROM repositories WHERE account = ? AND region = ? AND name = ?",
            (*registry, name),
        ).fetchone()
        return _repository(row) if row else None

    def repositories(self, registry: Registry, after: str = "", count: int | None = None) -> list[Repository]:
        """List a registry's repositories by name."""
        rows = self._execute(
            "SELECT * FROM repositories WHERE account = ? AND region = ? AND name > ?"
            " ORDER BY name LIMIT IFNULL(?, -1)",
            (*registry, after, count),
        )
        return [_repository(row) for row in rows]

    def registries(self, after: Registry, count: int) -> list[tuple[Registry, int]]:
        """List the registries that have repositories, and how many."""
        rows = self._execute(
            "SELECT account, region, COUNT(*) FROM repositories WHERE (account, region) > (?, ?)"
            " GROUP BY account, region ORDER BY account, region LIMIT ?",
            (*after, count),
        )
        return [(Registry(account, region), repositories) for account, region, repositories in rows]

    def repository_count(self, registry: Registry) -> int:
        """Count a registry's repositories."""
        return self._count("SELECT COUNT(*) FROM repositories WHERE account = ? AND region = ?", registry)

    def image_count(self, repository: Repository) -> int:
        """Count a repository's images as they are now."""
        return self._count("SELECT image_count FROM repositories WHERE id = ?", (repository.id,))

    def add_repository(self, registry: Registry, name: str, **settings: Any) -> Repository:
        """Add a repository."""
        self._execute(
            "INSERT INTO repositories (account, region, name, created_at, mutability, exclusions, scan_on_push,"
            " encryption, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *registry,
                name,
                settings["created_at"],
                settings["mutability"],
                json.dumps(settings["exclusions"]),
                settings["scan_on_push"],
                json.dumps(settings["encryption"]),
                json.dumps(settings["tags"]),
            ),
        )
        repository = self.repository(registry, name)
        assert repository is not None  # noqa: S101 - it was written just now
        return repository

    def delete_repository(self, repository: Repository) -> None:
        """Delete a repository with everything in it."""
        self._execute("DELETE FROM repositories WHERE id = ?", (repository.id,))

    def set_mutability(self, repository: Repository, mutability: str, exclusions: list[dict[str, str]]) -> None:
        """Set the tag mutability."""
        self._execute(
            "UPDATE repositories SET mutability = ?, exclusions = ? WHERE id = ?",
            (mutability, json.dumps(exclusions), repository.id),
        )

    def set_scan_on_push(self, repository: Repository, scan_on_push: bool) -> None:
        """Set whether a push begins a scan."""
        self._execute("UPDATE repositories SET scan_on_push = ? WHERE id = ?", (scan_on_push, repository.id))

    def set_policy(self, repository: Repository, policy: str | None) -> None:
        """Set or remove the repository policy."""
        self._execute("UPDATE repositories SET policy = ? WHERE id = ?", (policy, repository.id))

    def set_resource_tags(self, repository: Repository, tags: dict[str, str]) -> None:
        """Set the repository's own tags."""
        self._execute("UPDATE repositories SET tags = ? WHERE id = ?", (json.dumps(tags), repository.id))


def _repository(row: tuple[Any, ...]) -> Repository:
    number, account, region, name, created_at, mutability, exclusions, scan, encryption, tags, policy, count = row
    return Repository(
        id=number,
        registry=Registry(account, region),
        name=name,
        created_at=created_at,
        mutability=mutability,
        exclusions=json.loads(exclusions),
        scan_on_push=bool(scan),
        encryption=json.loads(encryption),
        tags=json.loads(tags),
        policy=policy,
        image_count=count,
    )
