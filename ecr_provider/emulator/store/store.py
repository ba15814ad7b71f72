"""Where the emulator keeps everything: one SQLite database, and the blobs' files beside it.

Every operation is one transaction under one lock, so two writers never see half of each other's work. With a
data directory the database is in WAL mode: a commit is in the operating system's hands before the answer is
sent, so killing the process loses nothing acknowledged, and the file stays whole even if the machine dies
(``synchronous=NORMAL``; then the last few commits may be missing).
"""

from __future__ import annotations

import fcntl
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, RLock
from typing import IO
from weakref import WeakValueDictionary

from ecr_provider.emulator.store.blobs import Blobs
from ecr_provider.emulator.store.records import SCHEMA, Records

_VERSION = 4  # of the schema


class StoreError(Exception):
    """The data directory cannot be used."""


class Store:
    """All state of the emulator, in ``data_dir`` or, without one, until ``close``."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self._lock = RLock()
        self._upload_locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        with ExitStack() as stack:
            try:
                self._open(data_dir, stack)
            except (OSError, sqlite3.Error) as error:
                raise StoreError(f"cannot use data directory {data_dir}: {error}") from error
            self._to_close = stack.pop_all()

    def _open(self, data_dir: Path | None, stack: ExitStack) -> None:
        directory = data_dir or Path(stack.enter_context(TemporaryDirectory(prefix="ecr-emulator-")))
        directory.mkdir(parents=True, exist_ok=True)
        _lock(stack.enter_context((directory / "lock").open("wb")))
        self.blobs = Blobs(directory, durable=data_dir is not None)
        self._database = stack.enter_context(closing(_connect(data_dir / "ecr.sqlite3" if data_dir else ":memory:")))
        _prepare(self._database)
        self.records = Records(self._database)
        with self.transaction() as records:
            self.secret = records.secret(secrets.token_bytes(32))
            self.blobs.sweep(records.all_layers(), records.all_uploads())

    @contextmanager
    def transaction(self) -> Iterator[Records]:
        """Run the body alone, and keep all of what it did or, if it raises, nothing.

        A transaction within another is part of it.
        """
        with self._lock:
            if self._database.in_transaction:
                yield self.records
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self.records
                self._database.execute("COMMIT")
            except BaseException:
                self._database.rollback()
                raise

    def upload_lock(self, upload_id: str) -> Lock:
        """Return the lock that makes the writers of one upload take turns, however long theirs are."""
        with self._lock:
            return self._upload_locks.setdefault(upload_id, Lock())

    def close(self) -> None:
        """Close the files, and remove them if they were temporary."""
        with self._lock:
            self._to_close.close()


def _lock(file: IO[bytes]) -> None:
    """Take the data directory, for as long as this process has the file open."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OSError("another emulator is using it") from error


def _connect(name: Path | str) -> sqlite3.Connection:
    """Open a database whose transactions are begun and ended by hand."""
    return sqlite3.connect(name, isolation_level=None, check_same_thread=False)


def _prepare(database: sqlite3.Connection) -> None:
    """Set the connection up, and write the schema into a new database."""
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA foreign_keys = ON")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 0:
        database.executescript(f"BEGIN;\n{SCHEMA}\nPRAGMA user_version = {_VERSION};\nCOMMIT;")
    elif version != _VERSION:
        raise OSError(f"it was written by another version (format {version}, not {_VERSION})")
