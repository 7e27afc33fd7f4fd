"""The events of a session, one after the other: what `Session.events()` gives in asyncio."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar

from realtime_actors.aio.kept import Kept
from realtime_actors.errors import EventLoopError, RealtimeError, SessionClosedError
from realtime_actors.events import ConnectionEvent, Event
from realtime_actors.otp.kernel.options import check_count
from realtime_actors.seconds import seconds_or_none
from realtime_actors.session.event_stream import LOOK_EVERY, Puts, Stream

__all__ = ["EventStream"]

E = TypeVar("E", bound=Event)


class EventStream(Stream, AsyncIterator[E], Generic[E]):
    """The events of a session, until it ends: `async for event in session.events()`.

    After the last of them it raises what ended the session (`ConnectionEvent.error`); when the
    end was asked for, it just ends. Raises `TimeoutError` when nothing comes for `timeout`
    seconds; an `async with asyncio.timeout(...)` around it does as well, and so does
    `asyncio.wait_for(anext(stream), ...)`: the next `anext` goes on then.

    Holds at most `limit` events that were not read; more are dropped, oldest first, and counted
    in `dropped`. The subscription ends with `aclose()`, at the end of an `async with` block, and
    as soon as nothing holds the stream any more: after a loop that was left or cancelled, nothing
    of it is there.
    """

    def __init__(
        self,
        is_over: Callable[[], str],
        *,
        timeout: float | None,
        limit: int,
        wanted: Callable[[Event], bool] | None = None,
        on_close: Callable[[Stream], object],
    ) -> None:
        """`is_over` says why nothing will come any more. Gives the events that are `wanted`."""
        self._kept = Kept(check_count(limit, "the limit of events()"), "drop_oldest")
        self._is_over = is_over
        self._timeout = seconds_or_none(timeout, "the timeout of events()")
        self._wanted = wanted
        self._on_close = on_close
        self._ended = False
        self._error: RealtimeError | None = None

    @property
    def takes(self) -> Puts:
        return self._kept

    @property
    def dropped(self) -> int:
        """How many events came while it was full, and were lost."""
        return self._kept.dropped

    async def aclose(self) -> None:
        """End the subscription: there is no next event, for a reader that waits either."""
        self._end()
        self._kept.wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        kept = self._kept
        deadline = math.inf
        if self._timeout is not None:
            deadline = time.monotonic() + self._timeout
        while not self._ended:
            message = kept.take_nowait()
            if message is None:
                over = self._is_over()
                message = kept.take_nowait()  # what came before the end
            if message is None:
                if over:
                    self._end()
                    raise SessionClosedError(over)
                left = deadline - time.monotonic()
                if left <= 0.0:
                    raise TimeoutError(f"no event of the session in {self._timeout:g} s")
                try:
                    await kept.wait(min(left, LOOK_EVERY))
                except BaseException:
                    # Who keeps this error keeps our variables, and nothing is to keep the stream
                    # but those who read it.
                    del self
                    raise
                continue
            event = message.event
            if isinstance(event, ConnectionEvent) and event.state == "closed":
                self._end(event.error)  # the last event of a session: nothing follows it
            if self._wanted is None or self._wanted(event):
                return event  # type: ignore[return-value]  # `wanted` says that it is one
        error, self._error = self._error, None
        raise error or StopAsyncIteration

    def _end(self, error: RealtimeError | None = None) -> None:
        if not self._ended:
            self._error, self._ended = error, True
            self._on_close(self)

    if not TYPE_CHECKING:  # a checker must go on to find this mistake itself

        def __iter__(self) -> NoReturn:
            raise EventLoopError("these are events in asyncio: read them by `async for`")
