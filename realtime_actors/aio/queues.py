"""A queue for the events of sessions, which coroutines read."""

from __future__ import annotations

import queue
from typing import get_args

from realtime_actors.aio.kept import Kept, WhenFull
from realtime_actors.aio.session import Session
from realtime_actors.errors import ConfigError, did_you_mean
from realtime_actors.messages import SessionEvent
from realtime_actors.otp.kernel.options import check_count
from realtime_actors.session.event_stream import EVENTS_LIMIT, NeverWaits

__all__ = ["Queue"]


class Queue(NeverWaits):
    """A subscriber that coroutines read: `await session.subscribe(queue)`, `await queue.get()`.

    One may serve many sessions, and any number of coroutines may read it. Sessions of threads
    (`ra.Session`) take it too: `put` never waits, and may be called in any thread.

    It keeps `limit` events that were not read. Then, by `when_full`, the oldest is dropped
    (`"drop_oldest"`), or the one that comes (`"drop_newest"`, counted by `session.dropped(queue)`
    as well). `dropped` counts them.
    """

    def __init__(self, limit: int = EVENTS_LIMIT, *, when_full: WhenFull = "drop_oldest") -> None:
        if when_full not in get_args(WhenFull):
            hint = did_you_mean(str(when_full), get_args(WhenFull))
            raise ConfigError(f"when_full of a Queue is {when_full!r}: {hint}")
        self._kept = Kept(check_count(limit, "the limit of a Queue"), when_full)

    @property
    def dropped(self) -> int:
        """How many events came while it was full, and were lost."""
        return self._kept.dropped

    def put(self, message: SessionEvent, /) -> None:
        """Keep an event, from any thread. Raises `queue.Full` if it refuses the newest."""
        self._kept.put(message)

    async def get(self) -> SessionEvent:
        """Take the oldest, and wait for one if there is none. Its `session` is a `Session` of aio.

        Cancelled, it has taken nothing.
        """
        while True:
            message = self._kept.take_nowait()
            if message is not None:
                return _for_coroutines(message)
            await self._kept.wait()

    def get_nowait(self) -> SessionEvent:
        """Take the oldest. Raises `queue.Empty` if there is none."""
        message = self._kept.take_nowait()
        if message is None:
            raise queue.Empty
        return _for_coroutines(message)

    def qsize(self) -> int:
        """How many events wait to be read."""
        return len(self._kept)

    def empty(self) -> bool:
        """Whether nothing waits to be read."""
        return not len(self._kept)


def _for_coroutines(message: SessionEvent) -> SessionEvent:
    # Another one: the same message goes to subscribers in threads.
    return SessionEvent(Session(message.session), message.event)
