"""The events of a session as an iterator: what `Session.events()` gives."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

from realtime_actors.errors import RealtimeError, SessionClosedError
from realtime_actors.events import ConnectionEvent, Event
from realtime_actors.messages import SessionEvent
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.otp.kernel.options import check_count
from realtime_actors.seconds import seconds_or_none
from realtime_actors.session.event_loops import refuse_in_event_loop

__all__ = ["EVENTS_LIMIT", "LOOK_EVERY", "EventStream", "NeverWaits", "Puts", "Stream"]

E = TypeVar("E", bound=Event)

EVENTS_LIMIT: Final = 10_000
"""Events that wait in `session.events()`: three minutes of audio at 50 frames a second."""

LOOK_EVERY: Final = 1.0
"""Seconds after which a reader that waits looks whether anybody is left to say something. Ours:
the end of a supervisor that gave up is nobody's event."""


class Kept:
    """Events that wait to be read. Full, it drops the oldest. `put` never waits."""

    __slots__ = ("_limit", "_queue", "dropped")

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._limit = check_count(limit, "the limit of events()")
        # One that takes no lock of Python's: a stream may be collected in the middle of a put.
        self._queue: queue.SimpleQueue[SessionEvent | None] = queue.SimpleQueue()

    def put(self, message: SessionEvent) -> None:
        """Keep an event."""
        while self._queue.qsize() >= self._limit:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break  # the reader was faster
            self.dropped += 1
        self._queue.put(message)

    def wake(self) -> None:
        """Have a reader that waits look up."""
        self._queue.put(None)

    def get(self, timeout: float) -> SessionEvent | None:
        """Take the oldest. Raises `queue.Empty` when there is none in time."""
        return self._queue.get(timeout=timeout)


class Puts(Protocol):
    """What takes events without ever waiting, from any thread."""

    def put(self, message: SessionEvent, /) -> None: ...


class Stream(Handle):
    """A subscriber of ours that only its reader holds: the session holds what it fills."""

    @property
    def takes(self) -> Puts:
        """What the session puts its events into."""
        raise NotImplementedError


class NeverWaits:
    """A subscriber of ours whose `put` takes a few instructions."""

    def put(self, message: SessionEvent, /) -> None:
        """Take an event, in any thread. May raise `queue.Full`."""
        raise NotImplementedError


class EventStream(Stream, Iterator[E], Generic[E]):
    """The events of a session, one after the other, until the session ends.

    After the last of them it raises what ended the session (`ConnectionEvent.error`); when
    the end was asked for, it just ends.

    Waits for the next event as long as it takes, or raises `TimeoutError` after
    `timeout` seconds. Holds at most `limit` events that nobody took; more are dropped,
    oldest first, and counted in `dropped`. One thread may iterate.

    The subscription ends with `close()`, at the end of a `with` block, and as soon as nobody
    holds the stream any more: after a loop over `session.events()` nothing of it is left.
    """

    def __init__(
        self,
        is_over: Callable[[], str],
        *,
        timeout: float | None,
        limit: int = EVENTS_LIMIT,
        wanted: Callable[[Event], bool] | None = None,
        on_close: Callable[[EventStream[E]], object] | None = None,
    ) -> None:
        """`is_over` says why nothing will come any more, if nobody is left to tell us so.

        Gives the events that are `wanted`. `on_close` is called once it takes no more.
        """
        self.kept = Kept(limit)
        self._is_over = is_over
        self._timeout = seconds_or_none(timeout, "the timeout of events()")
        self._wanted = wanted
        self._on_close = on_close
        self._ended = False
        self._error: RealtimeError | None = None

    @property
    def takes(self) -> Puts:
        return self.kept

    @property
    def dropped(self) -> int:
        """How many events came while it was full, and were lost."""
        return self.kept.dropped

    def close(self) -> None:
        """End the subscription, from any thread: there is no next event. Twice is once."""
        self._end()
        self.kept.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        refuse_in_event_loop()
        return self

    def __next__(self) -> E:
        while not self._ended:
            event = self._take()
            if event is None:
                continue  # closed meanwhile
            if isinstance(event, ConnectionEvent) and event.state == "closed":
                # The last event of a session: nothing follows it.
                self._end(event.error)
            if self._wanted is None or self._wanted(event):
                return event  # type: ignore[return-value]  # `wanted` says that it is one
        error, self._error = self._error, None
        raise error or StopIteration

    def _take(self) -> Event | None:
        deadline = math.inf if self._timeout is None else time.monotonic() + self._timeout
        while True:
            over = self._is_over()
            left = 0.0 if over else max(0.0, deadline - time.monotonic())
            try:
                message = self.kept.get(min(left, LOOK_EVERY))
            except queue.Empty:
                if over:
                    self._end()
                    raise SessionClosedError(over) from None
                if left < LOOK_EVERY:
                    why = f"no event of the session in {self._timeout:g} s"
                    raise TimeoutError(why) from None
            else:
                return None if message is None else message.event

    def _end(self, error: RealtimeError | None = None) -> None:
        if not self._ended:
            self._error, self._ended = error, True
            on_close, self._on_close = self._on_close, None
            if on_close is not None:
                on_close(self)
