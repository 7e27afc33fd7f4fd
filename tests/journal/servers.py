"""PostgreSQL and Redis as the machine has them, each started in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from realtime_actors.errors import JournalUnavailableError
from realtime_actors.journal import Journal, PostgresJournal, RedisJournal

__all__ = ["Server", "postgres", "postgres_programs", "redis", "redis_program"]

PATIENCE = 20.0
"""Seconds for a server to start, or to end."""

INSTALL_POSTGRES = "PostgreSQL is not installed here: apt-get install postgresql"
INSTALL_REDIS = "Redis is not installed here: apt-get install redis-server"


class Server:
    """One of them, while it runs."""

    def __init__(
        self,
        command: Sequence[str],
        log: IO[Any],
        journal: Callable[[], Journal],
        account: int | None,
    ) -> None:
        self.journal = journal
        """Makes a journal that is kept there."""
        self._command, self._log, self._account = command, log, account
        self.start()

    def start(self) -> None:
        """Start it, again on what it has written."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the tests
            **_as(self._account),
        )

    def wait_until_it_answers(self) -> None:
        """Wait until it has started."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.journal().close()
                return
            except JournalUnavailableError:
                if self.has_ended or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as a loss of power of its process would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        """End it as it wants to be ended."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, of the newest version. None: not installed."""
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        return Path(found).resolve().parent
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    return newest[-1].parent if newest else None


def redis_program() -> str | None:
    return shutil.which("redis-server")


@contextlib.contextmanager
def postgres() -> Iterator[Server]:
    """A database in a folder of its own, reached by a socket in it."""
    programs = postgres_programs()
    assert programs is not None
    account = _other_account()
    with _folder(account) as folder, open(folder / "log", "ab") as log:
        data = folder / "data"
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8"],
            capture_output=True,
            text=True,
            cwd=folder,
            **_as(account),
        )
        assert made.returncode == 0, made.stderr
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), "-h", ""]
        url = f"host={folder} user=tests dbname=postgres password=swordfish"
        yield from _running(Server(command, log, lambda: PostgresJournal(url), account))


@contextlib.contextmanager
def redis() -> Iterator[Server]:
    """A server in a folder of its own, reached by a socket in it, that loses nothing."""
    program = redis_program()
    assert program is not None
    with _folder(None) as folder, open(folder / "log", "ab") as log:
        socket = folder / "socket"
        command = [program, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        command += ["--daemonize", "no"]
        yield from _running(Server(command, log, lambda: RedisJournal(f"unix://{socket}"), None))


def _running(server: Server) -> Iterator[Server]:
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def _folder(account: int | None) -> Iterator[Path]:
    # Not pytest's: the names of sockets must be short, and another account must get in.
    folder = Path(tempfile.mkdtemp(prefix="ra-"))
    try:
        if account is not None:
            os.chown(folder, account, -1)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other_account() -> int | None:
    """Who runs PostgreSQL, which refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_uid
    return pwd.getpwnam("nobody").pw_uid


def _as(account: int | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account, "group": pwd.getpwuid(account).pw_gid, "extra_groups": []}


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.parts[-3].split(".") if part.isdigit())
