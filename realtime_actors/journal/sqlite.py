"""A journal in a file: SQLite, of the standard library.

Every commit waits until the disk has it (`synchronous=FULL`), so that a loss of power loses
nothing that was told. Any number of processes of one machine may have the file open; not one
on a network's file system, where SQLite can't lock.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve

from realtime_actors.errors import (
    JournalError,
    JournalUnavailableError,
    LeaseHeldError,
    LeaseLostError,
)
from realtime_actors.journal.base import Batch, Lease, Record, lost
from realtime_actors.otp import fork

__all__ = ["SqliteJournal"]

BUSY: Final = 5.0
"""Seconds that a write waits for that of another process."""

FORMAT: Final = 1
"""What `user_version` says of a file: how its tables are made."""

_TABLES: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS epochs (last INTEGER NOT NULL);
INSERT INTO epochs SELECT 0 WHERE NOT EXISTS (SELECT * FROM epochs);
CREATE TABLE IF NOT EXISTS leases (
    key TEXT PRIMARY KEY, epoch INTEGER NOT NULL, holder TEXT NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    key TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (key, number)
) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
COMMIT;
"""


class SqliteJournal:
    """A `Journal` in a file, which is made if it is not there, for its owner alone (mode 600)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file. Raises `JournalError` when that can't be done, or it is no journal."""
        self._path = Path(path)
        self._lock = threading.Lock()  # guards the connection; held while it writes
        self._connection: sqlite3.Connection | None = None
        self._of_parent: list[sqlite3.Connection] = []
        self._is_closed = False
        with self._lock:
            self._open()
        fork.each_in_child(self, SqliteJournal._leave_to_parent)

    def __repr__(self) -> str:
        return f"SqliteJournal({str(self._path)!r})"

    def take(self, key: str, *, holder: str, seconds: float, force: bool = False) -> Lease:
        """See `Journal.take`. The clock is this machine's."""
        with self._writing() as database:
            if not force:
                _check_free(database, key)
            database.execute("UPDATE epochs SET last = last + 1")
            (epoch,) = database.execute("SELECT last FROM epochs").fetchone()
            lease = Lease(key=key, epoch=epoch, holder=holder, until=time.time() + seconds)
            row = (key, epoch, holder, lease.until)
            database.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", row)
        return lease

    def renew(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease | LeaseLostError]:
        """See `Journal.renew`."""
        renewed: list[Lease | LeaseLostError] = []
        with self._writing() as database:
            until = time.time() + seconds
            for lease in leases:
                is_ours = database.execute(
                    "UPDATE leases SET until = ? WHERE key = ? AND epoch = ?",
                    (until, lease.key, lease.epoch),
                ).rowcount
                renewed.append(evolve(lease, until=until) if is_ours else lost(lease))
        return renewed

    def give_up(self, lease: Lease) -> None:
        """See `Journal.give_up`."""
        with self._writing() as database:
            row = (lease.key, lease.epoch)
            database.execute("DELETE FROM leases WHERE key = ? AND epoch = ?", row)

    def append(self, batches: Sequence[Batch]) -> Sequence[LeaseLostError | None]:
        """See `Journal.append`. All batches are one commit."""
        outcomes: list[LeaseLostError | None] = []
        with self._writing() as database:
            for batch in batches:
                lease = batch.lease
                row = (lease.key, lease.epoch)
                is_ours = database.execute(
                    "SELECT 1 FROM leases WHERE key = ? AND epoch = ?", row
                ).fetchone()
                outcomes.append(None if is_ours else lost(lease))
                if is_ours:
                    _write(database, batch)
        return outcomes

    def read(self, key: str) -> Sequence[Record]:
        """See `Journal.read`."""
        with self._reading() as database:
            found = database.execute(
                "SELECT number, text FROM records WHERE key = ? ORDER BY number", (key,)
            )
            return [Record(number, text) for number, text in found]

    def list_keys(self) -> Sequence[str]:
        """See `Journal.list_keys`."""
        with self._reading() as database:
            found = database.execute("SELECT DISTINCT key FROM records ORDER BY key")
            return [key for (key,) in found]

    def delete(self, key: str) -> None:
        """See `Journal.delete`. What was written is overwritten in the file."""
        with self._writing() as database:
            _check_free(database, key)
            database.execute("DELETE FROM records WHERE key = ?", (key,))
            database.execute("DELETE FROM leases WHERE key = ?", (key,))

    def close(self) -> None:
        """See `Journal.close`."""
        with self._lock:
            self._is_closed = True
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    # -- the connection ------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # what went wrong may have ended it
                    database.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._open()
            except sqlite3.Error as error:
                raise JournalUnavailableError(f"{self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._is_closed:
            raise JournalError(f"{self._path}: the journal is closed")
        if self._connection is not None:
            return self._connection
        try:
            _make_for_owner(self._path)
            connection = sqlite3.connect(
                self._path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"the journal can't be opened: {self._path}: {error}") from error
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _leave_to_parent(self) -> None:
        self._lock = threading.Lock()
        if self._connection is not None:
            self._of_parent.append(self._connection)  # SQLite says: not even to be closed here
            self._connection = None

    def _prepare(self, connection: sqlite3.Connection) -> None:
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > FORMAT:
                raise JournalError(
                    f"{self._path} was made by a newer version of realtime_actors (its format is"
                    f" {version}): this one writes format {FORMAT}"
                )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            if version < FORMAT:
                connection.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            raise JournalUnavailableError(f"{self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self._path} is no journal: {error}") from error


def _make_for_owner(path: Path) -> None:
    """Make the file, if it is not there: what SQLite puts beside it gets the same mode."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    file = os.open(path, flags, 0o600)
    try:
        if hasattr(os, "fchmod") and stat.S_IMODE(os.fstat(file).st_mode) & 0o077:
            with contextlib.suppress(OSError):  # it is another user's, who lets us write
                os.fchmod(file, 0o600)
    finally:
        os.close(file)


def _check_free(database: sqlite3.Connection, key: str) -> None:
    row = database.execute("SELECT holder, until FROM leases WHERE key = ?", (key,)).fetchone()
    if row is not None and row[1] > time.time():
        raise LeaseHeldError(key, holder=row[0], until=row[1])


def _write(database: sqlite3.Connection, batch: Batch) -> None:
    key = batch.lease.key
    database.executemany(
        "INSERT OR IGNORE INTO records VALUES (?, ?, ?)",
        [(key, each.number, each.text) for each in batch.records],
    )
    if batch.keep_from:
        row = (key, batch.keep_from)
        database.execute("DELETE FROM records WHERE key = ? AND number < ?", row)
