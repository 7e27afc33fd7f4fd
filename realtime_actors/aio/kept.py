"""Events between the session that puts them and the event loop that reads them."""

from __future__ import annotations

import asyncio
import queue
from collections import deque
from contextlib import suppress
from typing import Final, Literal, TypeAlias

from realtime_actors.aio.loops import Waker, asyncio_loop, waker_of
from realtime_actors.messages import SessionEvent

__all__ = ["Kept", "WhenFull"]

WhenFull: TypeAlias = Literal["drop_oldest", "drop_newest"]


class _Reader:
    """One that waits for an event."""

    __slots__ = ("_there", "waker")

    def __init__(self, waker: Waker, there: asyncio.Future[None]) -> None:
        self.waker = waker
        self._there = there

    def look(self) -> None:
        """Have it look again. In its loop."""
        if not self._there.done():
            self._there.set_result(None)


class Kept:
    """Events that wait to be read: `put` from any thread, `take` in any event loop.

    Takes no lock, and wakes a loop only for a reader that waits.
    """

    def __init__(self, limit: int, when_full: WhenFull) -> None:
        self.limit: Final = limit
        self.dropped = 0
        self._refuses = when_full == "drop_newest"
        self._events: deque[SessionEvent] = deque()
        self._readers: deque[_Reader] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, message: SessionEvent, /) -> None:
        """Keep an event. Full, it drops the oldest, or raises `queue.Full`."""
        events = self._events
        while len(events) >= self.limit:
            if self._refuses:
                self.dropped += 1
                raise queue.Full
            with suppress(IndexError):  # a reader was faster
                events.popleft()
                self.dropped += 1
        events.append(message)
        # In this order: a reader says that it waits, then it looks once more.
        if self._readers:
            self.wake()

    def wake(self) -> None:
        """Have the reader that has waited longest look up, if there is one."""
        with suppress(IndexError):
            reader = self._readers.popleft()
            reader.waker.call(reader.look)

    def take_nowait(self) -> SessionEvent | None:
        """Take the oldest, if there is one."""
        try:
            return self._events.popleft()
        except IndexError:
            return None

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until there may be something to take, but not longer than that."""
        loop = asyncio_loop()
        there: asyncio.Future[None] = loop.create_future()
        reader = _Reader(waker_of(loop), there)
        self._readers.append(reader)
        timer = None
        try:
            if not self._events:
                if seconds is not None:
                    timer = loop.call_later(seconds, reader.look)
                await there
        except BaseException:
            if not self._leave(reader) and self._events:
                self.wake()  # what it was woken for is for another one now
            raise
        else:
            self._leave(reader)
        finally:
            if timer is not None:
                timer.cancel()

    def _leave(self, reader: _Reader) -> bool:
        """Wait no longer. False: it was woken."""
        try:
            self._readers.remove(reader)
        except ValueError:
            return False
        except IndexError:  # the readers have changed in the middle of it
            return self._leave(reader)
        return True
