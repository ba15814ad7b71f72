"""What all records stand on: a connection that is in a transaction."""

from __future__ import annotations

import sqlite3
from typing import Any, ClassVar


class Rows:
    """A connection that is in a transaction.

    No rule of ECR stands here or in the classes made of it, but one: what an image's status is, since queries choose
    by it.
    """

    schema: ClassVar[str]
    """The tables it is about, as SQL."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._execute = database.execute
        self._executemany = database.executemany

    def _count(self, query: str, values: tuple[Any, ...]) -> int:
        (count,) = self._execute(query, values).fetchone()
        return int(count)
