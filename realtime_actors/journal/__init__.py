"""Journals: conversations that outlive the process they were held in.

    from realtime_actors.journal import SqliteJournal

    journal = SqliteJournal("calls.db")
    session = ra.run(agent, journal=journal, key="call-42")

    # ... after a crash, in another process:
    session = ra.resume("call-42", agent=agent, journal=journal)

A `Journal` is a small protocol: write a store of your own, and hold it against
`realtime_actors.testing.JournalContract`.
"""

from __future__ import annotations

from realtime_actors.journal.base import Batch, Journal, Lease, Record
from realtime_actors.journal.memory import MemoryJournal
from realtime_actors.journal.postgres import PostgresJournal
from realtime_actors.journal.redis import RedisJournal
from realtime_actors.journal.sqlite import SqliteJournal

__all__ = [
    "Batch",
    "Journal",
    "Lease",
    "MemoryJournal",
    "PostgresJournal",
    "Record",
    "RedisJournal",
    "SqliteJournal",
]
