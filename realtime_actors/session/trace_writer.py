"""Writing the trace of a session to a file, without ever disturbing the session.

A thread of its own encodes and writes. Whatever goes wrong with that (no folder any more,
a full disk, one that hangs) is one line in the log, and the end of the trace; the
conversation goes on. The file is for its owner alone, and holds one life of the session
after the other: see `core.trace`.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import stat
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final
from weakref import WeakSet

from realtime_actors.core.trace import as_text
from realtime_actors.otp import fork

__all__ = ["TraceWriter"]

log = logging.getLogger("realtime_actors.session")

LIMIT: Final = 10_000
"""Lines that may wait to be written. A disk that is that far behind won't catch up."""
AT_A_TIME: Final = 200
"""Lines that are written in one go."""
AT_EXIT: Final = 1.0
"""Seconds that the end of the program waits for what is not written yet."""

_END: Final = object()


class TraceWriter:
    """The file of a trace, and the thread that writes it."""

    def __init__(self, path: Path) -> None:
        """Make the file anew, empty. Raises `OSError` when that can't be done."""
        self._path = path
        if not path.exists() or path.is_file():
            os.close(self._open(os.O_TRUNC))
        # Else it is a pipe or a terminal: what is that is opened when there is something to say.
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._begin()
        fork.each_in_child(self, TraceWriter._leave_to_parent)
        _writers.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()  # guards the two below
        self._thread: threading.Thread | None = None
        self._ending = False
        self._failed = False
        self._file: int | None = None

    # -- for the session ---------------------------------------------------------------

    def write(self, line: Mapping[str, Any]) -> None:
        """Have a line written. Never waits, and never raises."""
        if self._failed:
            return
        if self._queue.qsize() >= LIMIT:
            self._give_up(f"{LIMIT} lines are not written yet")
            return
        with self._lock:
            self._ending = False
            self._queue.put(line)
            if self._thread is None:
                self._start()

    def finish(self, within: float = 0.0) -> None:
        """Close the file once all is written. Wait for that, up to `within` seconds."""
        with self._lock:
            thread = self._thread
            if thread is not None and not self._ending:
                self._ending = True
                self._queue.put(_END)
        if thread is not None:
            thread.join(within)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="realtime-trace", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread to be had
            self._give_up(error)
        else:
            self._thread = thread

    def _give_up(self, why: object) -> None:
        if not self._failed:
            self._failed = True
            log.warning("the trace %s ends here: %s", self._path, why)

    # -- for the thread ----------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._write_until_the_end()
            with self._lock:
                if self._queue.empty():
                    self._thread = None
                    return

    def _write_until_the_end(self) -> None:
        ended = False
        try:
            self._file = self._open()
            while not ended:
                lines, ended = self._take()
                if lines and not self._failed:
                    self._append(self._file, b"".join(map(_encoded, lines)))
        except Exception as error:
            self._give_up(error)
            while not ended:
                _, ended = self._take()
        finally:
            file, self._file = self._file, None
            if file is not None:
                with contextlib.suppress(OSError):  # a full disk may say so now
                    os.close(file)

    def _take(self) -> tuple[list[Mapping[str, Any]], bool]:
        """Wait for lines, and give what is there; and whether that is all."""
        item = self._queue.get()
        lines: list[Mapping[str, Any]] = []
        while item is not _END:
            lines.append(item)
            if len(lines) == AT_A_TIME:
                return lines, False
            try:
                item = self._queue.get_nowait()
            except Empty:
                return lines, False
        return lines, True

    def _open(self, flags: int = 0) -> int:
        flags |= os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        file = os.open(self._path, flags, 0o600)
        if stat.S_ISREG(os.fstat(file).st_mode) and hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):  # it is another user's, who lets us write
                os.fchmod(file, 0o600)
        return file

    def _append(self, file: int, data: bytes) -> None:
        good = os.fstat(file)
        try:
            while data:
                data = data[os.write(file, data) :]
        except OSError:
            if stat.S_ISREG(good.st_mode):
                with contextlib.suppress(OSError):
                    os.ftruncate(file, good.st_size)  # half a line could not be played again
            raise

    # -- the end of the program, and a child of it -------------------------------------

    def _leave_to_parent(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._queue = SimpleQueue()
        self._begin()
        self._failed = True


def _encoded(line: Mapping[str, Any]) -> bytes:
    return as_text(line).encode()


_writers: Final[WeakSet[TraceWriter]] = WeakSet()


@atexit.register
def _finish_all() -> None:
    deadline = time.monotonic() + AT_EXIT
    for writer in list(_writers):
        writer.finish(max(0.0, deadline - time.monotonic()))
