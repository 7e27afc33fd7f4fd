"""A journal in PostgreSQL, by psycopg 3 (the extra `[postgres]`).

A commit waits until the server's disk has it, also where the server's own setting is another
(`synchronous_commit` is switched on for ours). The clock of the leases is the server's.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from realtime_actors.errors import (
    ConfigError,
    JournalError,
    JournalUnavailableError,
    LeaseHeldError,
    LeaseLostError,
)
from realtime_actors.journal.base import Batch, Lease, Record, lost
from realtime_actors.journal.extras import Secrets, needed
from realtime_actors.otp import fork

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresJournal"]

CONNECT_WITHIN: Final = 5
"""Seconds for a connection, unless the DSN has a `connect_timeout` of its own."""

ANSWER_WITHIN_MS: Final = 10_000
"""Milliseconds for a statement, and for the network to take what we send (the same holds)."""

_LOCK: Final = 7_245_016_512
"""The number of the advisory lock under which tables are made. Ours."""

_TABLES: Final = """
CREATE SEQUENCE IF NOT EXISTS realtime_actors_epochs;
CREATE TABLE IF NOT EXISTS realtime_actors_leases (
    key text PRIMARY KEY, epoch bigint NOT NULL, holder text NOT NULL, until timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS realtime_actors_records (
    key text NOT NULL, number bigint NOT NULL, text text NOT NULL, PRIMARY KEY (key, number)
);
"""
_TAKE: Final = """
INSERT INTO realtime_actors_leases AS held (key, epoch, holder, until)
VALUES (
    %(key)s, nextval('realtime_actors_epochs'), %(holder)s,
    clock_timestamp() + %(seconds)s * interval '1 second'
)
ON CONFLICT (key) DO UPDATE
SET epoch = excluded.epoch, holder = excluded.holder, until = excluded.until
WHERE %(force)s OR held.until <= clock_timestamp()
RETURNING epoch, extract(epoch FROM until)::float8
"""
_HELD: Final = """
SELECT holder, extract(epoch FROM until)::float8 FROM realtime_actors_leases
WHERE key = %s AND until > clock_timestamp()
FOR UPDATE
"""
_RENEW: Final = """
UPDATE realtime_actors_leases SET until = clock_timestamp() + %s * interval '1 second'
WHERE key = %s AND epoch = %s
RETURNING extract(epoch FROM until)::float8
"""
_CURRENT: Final = """
SELECT key, epoch FROM realtime_actors_leases WHERE key = ANY(%s) ORDER BY key FOR SHARE
"""
_WRITE: Final = """
INSERT INTO realtime_actors_records (key, number, text)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[])
ON CONFLICT DO NOTHING
"""


class PostgresJournal:
    """A `Journal` in a database of PostgreSQL, in tables whose names begin with realtime_actors.

    They are made when the first one connects. One connection, made anew when it was lost.
    """

    def __init__(self, dsn: str) -> None:
        """Connect. `dsn` is a `postgresql://` URL or what libpq takes; it is shown nowhere.

        Raises `MissingExtraError`, `ConfigError` for what is no DSN, and
        `JournalUnavailableError`.
        """
        self._psycopg = needed("psycopg", feature="PostgresJournal", extra="postgres")
        try:
            self._where: dict[str, Any] = self._psycopg.conninfo.conninfo_to_dict(dsn)
        except self._psycopg.Error:
            # Not what it says, nor where it comes from: that has the DSN in it.
            raise ConfigError("dsn= is no connection string of PostgreSQL") from None
        self._secrets = Secrets(dsn, self._where.get("password"))
        self._lock = threading.Lock()  # guards the connection; held while it writes
        self._connection: psycopg.Connection[Any] | None = None
        self._of_parent: list[Any] = []
        self._is_closed = False
        with self._database():
            pass
        fork.each_in_child(self, PostgresJournal._leave_to_parent)

    def __repr__(self) -> str:
        where = {name: self._where.get(name) for name in ("host", "port", "dbname")}
        told = ", ".join(f"{name}={each!r}" for name, each in where.items() if each is not None)
        return f"PostgresJournal({told})"

    def take(self, key: str, *, holder: str, seconds: float, force: bool = False) -> Lease:
        """See `Journal.take`. The clock is the server's."""
        wanted = {"key": key, "holder": holder, "seconds": seconds, "force": force}
        with self._database() as database:
            while True:
                row = database.execute(_TAKE, wanted).fetchone()
                if row is not None:
                    return Lease(key=key, epoch=row[0], holder=holder, until=row[1])
                _check_free(database, key)  # else it has become free in this moment

    def renew(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease | LeaseLostError]:
        """See `Journal.renew`."""
        renewed: dict[int, Lease | LeaseLostError] = {}
        with self._database() as database:
            # Always in one order, so that no two processes wait for each other.
            for lease in sorted(leases, key=lambda each: each.key):
                wanted = (seconds, lease.key, lease.epoch)
                row = database.execute(_RENEW, wanted).fetchone()
                renewed[id(lease)] = lost(lease) if row is None else evolve(lease, until=row[0])
        return [renewed[id(lease)] for lease in leases]

    def give_up(self, lease: Lease) -> None:
        """See `Journal.give_up`."""
        with self._database() as database:
            database.execute(
                "DELETE FROM realtime_actors_leases WHERE key = %s AND epoch = %s",
                (lease.key, lease.epoch),
            )

    def append(self, batches: Sequence[Batch]) -> Sequence[LeaseLostError | None]:
        """See `Journal.append`. All batches are one commit."""
        with self._database() as database:
            keys = sorted({batch.lease.key for batch in batches})
            current = dict(database.execute(_CURRENT, (keys,)).fetchall())
            ours = [each for each in batches if current.get(each.lease.key) == each.lease.epoch]
            rows = [(each.lease.key, record) for each in ours for record in each.records]
            database.execute(
                _WRITE,
                (
                    [key for key, _ in rows],
                    [record.number for _, record in rows],
                    [record.text for _, record in rows],
                ),
            )
            for batch in ours:
                if batch.keep_from:
                    database.execute(
                        "DELETE FROM realtime_actors_records WHERE key = %s AND number < %s",
                        (batch.lease.key, batch.keep_from),
                    )
        return [None if each in ours else lost(each.lease) for each in batches]

    def read(self, key: str) -> Sequence[Record]:
        """See `Journal.read`."""
        with self._database() as database:
            found = database.execute(
                "SELECT number, text FROM realtime_actors_records WHERE key = %s ORDER BY number",
                (key,),
            )
            return [Record(number, text) for number, text in found.fetchall()]

    def list_keys(self) -> Sequence[str]:
        """See `Journal.list_keys`."""
        with self._database() as database:
            found = database.execute("SELECT DISTINCT key FROM realtime_actors_records")
            return sorted(key for (key,) in found.fetchall())

    def delete(self, key: str) -> None:
        """See `Journal.delete`."""
        with self._database() as database:
            _check_free(database, key)
            for table in ("records", "leases"):
                database.execute(f"DELETE FROM realtime_actors_{table} WHERE key = %s", (key,))

    def close(self) -> None:
        """See `Journal.close`."""
        with self._lock:
            self._is_closed = True
            self._drop()

    # -- the connection ------------------------------------------------------------------

    @contextlib.contextmanager
    def _database(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a connection, in a transaction that is committed at the end of the block."""
        with self._lock:
            if self._is_closed:
                raise JournalError(f"{self!r}: the journal is closed")
            try:
                connection = self._connection = self._connection or self._connect()
                with connection.transaction():
                    yield connection
            except self._psycopg.Error as error:
                self._drop()  # whatever it was, the next one begins anew
                said = f"{self!r}: {type(error).__name__}: {self._secrets.cut_from(error)}"
                raise JournalUnavailableError(said) from None

    def _connect(self) -> psycopg.Connection[Any]:
        limits = {"connect_timeout": CONNECT_WITHIN, "tcp_user_timeout": ANSWER_WITHIN_MS}
        where = {**limits, **self._where}
        connection: psycopg.Connection[Any] = self._psycopg.connect(**where, autocommit=True)
        try:
            connection.execute("SET synchronous_commit = on")
            connection.execute(f"SET statement_timeout = {ANSWER_WITHIN_MS}")
            with connection.transaction():
                connection.execute("SET LOCAL client_min_messages = warning")
                connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
                connection.execute(_TABLES)
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _leave_to_parent(self) -> None:
        self._lock = threading.Lock()
        if self._connection is not None:
            self._of_parent.append(self._connection)  # closing it here would close the parent's
            self._connection = None


def _check_free(database: psycopg.Connection[Any], key: str) -> None:
    row = database.execute(_HELD, (key,)).fetchone()
    if row is not None:
        raise LeaseHeldError(key, holder=row[0], until=row[1])
