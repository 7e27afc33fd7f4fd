"""What a store does when its place is wrong, is gone, or comes back; and what it never shows."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_actors.errors import (
    ConfigError,
    JournalError,
    JournalUnavailableError,
    LeaseHeldError,
    MissingExtraError,
)
from realtime_actors.journal import (
    Batch,
    Journal,
    MemoryJournal,
    PostgresJournal,
    Record,
    RedisJournal,
    SqliteJournal,
)
from realtime_actors.journal.base import check_key
from tests.journal import servers
from tests.session.forking import in_child

SECRET = "swordfish"


def write(journal: Journal, key: str, number: int = 1) -> None:
    lease = journal.take(key, holder="a test", seconds=60, force=True)
    assert list(journal.append([Batch(lease=lease, records=[Record(number, "{}")])])) == [None]
    journal.give_up(lease)


# --- keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "a" * 201, "a\nb", "a\0b", "half \ud83d", 5, None])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ConfigError, match="names no conversation"):
        check_key(key)


def test_a_key_is_any_printable_text():
    assert check_key("Gespr\u00e4ch 42") == "Gespr\u00e4ch 42"


# --- SQLite ---------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(path)
    yield journal
    journal.close()


def test_all_files_of_sqlite_are_for_their_owner_alone(path, journal):
    before = os.umask(0)
    try:
        write(journal, "call-42")
        other = SqliteJournal(path.with_name("others.db"))
        write(other, "call-42")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        other.close()
    finally:
        os.umask(before)

    names = [f"{name}.db{end}" for name in ("calls", "others") for end in ("", "-wal", "-shm")]
    assert modes == dict.fromkeys(names, 0o600)


def test_a_file_that_others_could_read_is_closed_to_them(path):
    path.touch(0o644)
    SqliteJournal(path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_not_there_is_an_error_with_its_name(tmp_path):
    with pytest.raises(JournalError, match=r"can't be opened: .*/nowhere/calls\.db"):
        SqliteJournal(tmp_path / "nowhere" / "calls.db")


def test_another_file_is_no_journal(path):
    path.write_bytes(b"This is a letter, and not a database. " * 100)
    with pytest.raises(JournalError, match="is no journal"):
        SqliteJournal(path)


def test_a_file_of_a_newer_version_is_not_touched(path):
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.commit()
    database.close()
    before = path.read_bytes()

    with pytest.raises(JournalError, match=r"made by a newer version .* \(its format is 99\)"):
        SqliteJournal(path)
    assert path.read_bytes() == before


def test_a_file_that_another_process_keeps_locked_is_unavailable(path, journal, monkeypatch):
    monkeypatch.setattr("realtime_actors.journal.sqlite.BUSY", 0.05)
    impatient = SqliteJournal(path)
    busy = sqlite3.connect(path, isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailableError, match="locked"):
        impatient.take("call-42", holder="a test", seconds=60)
    busy.execute("ROLLBACK")
    busy.close()
    write(impatient, "call-42")
    impatient.close()


def test_a_closed_journal_says_so(path, journal):
    journal.close()
    with pytest.raises(JournalError, match=r"calls\.db: the journal is closed"):
        journal.read("call-42")


def test_a_child_of_fork_has_a_connection_of_its_own(path, journal):
    write(journal, "of the parent")

    def child() -> None:
        write(journal, "of the child")
        journal.close()

    in_child(child)
    write(journal, "of the parent", 2)

    assert list(journal.list_keys()) == ["of the child", "of the parent"]


def test_what_was_deleted_is_not_in_the_file_any_more(path, journal):
    lease = journal.take("call-42", holder="a test", seconds=60)
    journal.append([Batch(lease=lease, records=[Record(1, '{"said": "my secret"}')])])
    journal.give_up(lease)
    journal.delete("call-42")
    journal.close()

    assert b"my secret" not in path.read_bytes()


def test_records_show_no_content_when_they_are_printed():
    assert "Ada" not in repr(Record(1, '{"said": "My name is Ada"}'))


def test_a_journal_in_memory_goes_by_the_clock_that_it_is_given():
    now = 0.0
    journal = MemoryJournal(clock=lambda: now)
    journal.take("call-42", holder="host one", seconds=10)
    now = 9.9
    with pytest.raises(LeaseHeldError, match=r"held by host one, until 10\.0"):
        journal.take("call-42", holder="host two", seconds=10)
    now = 10.0
    assert journal.take("call-42", holder="host two", seconds=10).until == 20.0


# --- PostgreSQL and Redis: what needs no server ----------------------------------------------

OPEN = [
    pytest.param(lambda: PostgresJournal("host=nowhere"), "psycopg", "postgres", id="postgres"),
    pytest.param(lambda: RedisJournal("redis://nowhere"), "redis", "redis", id="redis"),
]


@pytest.mark.parametrize(("make", "module", "extra"), OPEN)
def test_an_extra_that_is_missing_is_named(make, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"Journal needs the extra \[{extra}\]"):
        make()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: PostgresJournal(f"{SECRET} ="), "no connection string of PostgreSQL"),
        (lambda: PostgresJournal(f"postgresql://u:{SECRET}@h:port/x?y"), "no connection string"),
        (lambda: RedisJournal(f"http://u:{SECRET}@localhost"), "no URL of Redis"),
    ],
)
def test_what_names_no_place_is_refused_and_not_shown(make, why):
    with pytest.raises(ConfigError, match=why) as raised:
        make()
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "make",
    [
        lambda: PostgresJournal(f"postgresql://ada:{SECRET}@127.0.0.1:1/calls"),
        lambda: RedisJournal(f"redis://ada:{SECRET}@127.0.0.1:1/0"),
    ],
)
def test_a_server_that_is_not_there_is_unavailable_and_its_password_is_not_shown(make):
    with pytest.raises(JournalUnavailableError, match=r"host='127\.0\.0\.1', port=") as raised:
        make()
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__


# --- PostgreSQL and Redis: the servers --------------------------------------------------------


@pytest.fixture(scope="module", params=["postgres", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[servers.Server]:
    if request.param == "postgres":
        if servers.postgres_programs() is None:
            pytest.skip(servers.INSTALL_POSTGRES)
        with servers.postgres() as server:
            yield server
    else:
        if servers.redis_program() is None:
            pytest.skip(servers.INSTALL_REDIS)
        with servers.redis() as server:
            yield server


@pytest.fixture
def kept(server: servers.Server) -> Iterator[Journal]:
    """A journal in one of the servers."""
    journal = server.journal()
    yield journal
    journal.close()


def test_what_was_written_outlives_a_server_that_is_killed(server, kept):
    lease = kept.take("call-42", holder="a test", seconds=60)
    for number in range(1, 21):
        kept.append([Batch(lease=lease, records=[Record(number, "{}")])])
    server.kill()
    with pytest.raises(JournalUnavailableError):
        kept.read("call-42")
    server.start()
    server.wait_until_it_answers()

    assert [each.number for each in kept.read("call-42")] == list(range(1, 21))
    kept.append([Batch(lease=lease, records=[Record(21, "{}")])])
    assert len(kept.read("call-42")) == 21


def test_a_server_that_is_gone_is_named_and_its_password_is_not(server, kept):
    server.kill()
    with pytest.raises(JournalUnavailableError) as raised:
        kept.read("call-42")
    with pytest.raises(JournalUnavailableError):
        server.journal()
    server.start()
    server.wait_until_it_answers()

    assert "Journal(" in str(raised.value)
    assert SECRET not in f"{raised.value!r} {kept!r}"


def test_a_closed_journal_of_a_server_says_so(kept):
    kept.close()
    with pytest.raises(JournalError, match="the journal is closed"):
        kept.read("call-42")


def test_a_child_of_fork_writes_beside_its_parent(kept):
    write(kept, "of the parent")

    def child() -> None:
        write(kept, "of the child")
        kept.close()

    in_child(child)
    write(kept, "of the parent", 2)

    assert {"of the child", "of the parent"} <= set(kept.list_keys())
