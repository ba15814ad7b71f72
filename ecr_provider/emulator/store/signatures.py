"""Signatures that managed signing makes: that they were begun, and how they go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.rows import Rows

_SCHEMA = """
CREATE TABLE signatures (
    image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    signing_profile TEXT NOT NULL,             -- its ARN
    started_at REAL NOT NULL,
    steps TEXT NOT NULL,                       -- JSON: what is said of it, so many seconds after that
    PRIMARY KEY (image, signing_profile)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature's row."""

    signing_profile: str
    started_at: float
    steps: list[dict[str, Any]]


class SignatureRows(Rows):
    """The queries on signatures."""

    schema = _SCHEMA

    def signatures(self, image: Image) -> list[Signature]:
        """List an image's signatures by signing profile."""
        rows = self._execute(
            "SELECT signing_profile, started_at, steps FROM signatures WHERE image = ? ORDER BY signing_profile",
            (image.id,),
        )
        return [Signature(profile, started_at, json.loads(steps)) for profile, started_at, steps in rows]

    def set_signature(self, image: Image, signature: Signature) -> None:
        """Keep a signature, in place of the last one by its profile."""
        self._execute(
            "INSERT OR REPLACE INTO signatures VALUES (?, ?, ?, ?)",
            (image.id, signature.signing_profile, signature.started_at, json.dumps(signature.steps)),
        )
