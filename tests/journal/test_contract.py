"""The contract of a journal, held against each store that comes with the package.

PostgreSQL and Redis are the real servers, as the machine has them installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_actors.journal import Journal, MemoryJournal, SqliteJournal
from realtime_actors.testing import JournalContract
from tests.journal import servers


class TestMemory(JournalContract):
    @pytest.fixture(autouse=True)
    def store(self) -> None:
        self.journal = MemoryJournal()

    def open(self) -> Journal:
        return self.journal


class TestSqlite(JournalContract):
    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path) -> None:
        self.path = tmp_path / "calls.db"

    def open(self) -> Journal:
        return SqliteJournal(self.path)


@pytest.fixture(scope="module")
def postgres() -> Iterator[servers.Server]:
    if servers.postgres_programs() is None:
        pytest.skip(servers.INSTALL_POSTGRES)
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[servers.Server]:
    if servers.redis_program() is None:
        pytest.skip(servers.INSTALL_REDIS)
    with servers.redis() as server:
        yield server


class TestPostgres(JournalContract):
    @pytest.fixture(autouse=True)
    def store(self, postgres: servers.Server) -> None:
        self.server = postgres

    def open(self) -> Journal:
        return self.server.journal()


class TestRedis(JournalContract):
    @pytest.fixture(autouse=True)
    def store(self, redis: servers.Server) -> None:
        self.server = redis

    def open(self) -> Journal:
        return self.server.journal()
