"""Settings for all repositories that begin with a prefix: creation templates, pull through cache rules."""

from __future__ import annotations

from collections.abc import Iterator

from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.store.records import Records
from ecr_provider.emulator.store.settings import Setting, SettingKind

ROOT = "ROOT"
"""The prefix of all repositories that no other one is for."""


def canonical(prefix: str) -> str:
    """Return what two spellings of a prefix have in common: "there is always an assumed /" at its end."""
    return prefix.removesuffix("/")


def settings_for(records: Records, registry: Registry, kind: SettingKind, name: str) -> Iterator[Setting]:
    """Find the settings of a kind whose prefix a repository's name has, the longest prefix first."""
    parts = name.split("/")
    for prefix in (*("/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)), ROOT):
        if setting := records.setting(registry, kind, prefix):
            yield setting
