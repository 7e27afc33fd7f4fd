"""Counting what costs time, where time itself can't be asserted."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Calls", "counted_calls"]


class Calls:
    """How often built-in functions were called: `recv`, `poll` and `send` are system calls."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, str]] = Counter()
        self._here = threading.get_ident()

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            self._counts[threading.get_ident(), argument.__name__] += 1

    def here(self, *names: str) -> int:
        """Calls of these functions by the thread that counts."""
        return sum(self._counts[self._here, name] for name in names)

    def by(self, thread: threading.Thread) -> int:
        """All calls of built-in functions by a thread: what never runs makes none."""
        return sum(n for (ident, _), n in dict(self._counts).items() if ident == thread.ident)

    def elsewhere(self, *names: str) -> int:
        """Calls of these functions by all threads that were started since."""
        counts = dict(self._counts).items()
        return sum(n for (thread, name), n in counts if thread != self._here and name in names)


@contextmanager
def counted_calls() -> Iterator[Calls]:
    """Count in this thread, and in those that it starts from now on."""
    calls = Calls()
    threading.setprofile(calls.note)
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
