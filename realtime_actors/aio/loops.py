"""Waiting in an event loop for what other threads do, and waking it from them."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

from realtime_actors.errors import EventLoopError

__all__ = ["Waker", "asyncio_loop", "until_there", "waker_of"]


def asyncio_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop. Raises `EventLoopError` where there is none of asyncio's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise EventLoopError(_why_there_is_none()) from None


def _why_there_is_none() -> str:
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return (
            "realtime_actors.aio needs asyncio, and this is trio. Run the program on asyncio"
            ' (anyio.run(main, backend="asyncio")), or use the blocking API of realtime_actors in'
            " a thread (trio.to_thread.run_sync)"
        )
    return (
        "realtime_actors.aio needs a running asyncio event loop: call it in a coroutine"
        " (asyncio.run(main())). Without one, use the blocking API of realtime_actors"
    )


class Waker:
    """Calls things in an event loop, from any thread. Many of them at the price of one wake-up.

    A loop that is closed calls nothing any more, and that disturbs no one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._calls: deque[Callable[[], object]] = deque()
        self._is_called = False

    def call(self, function: Callable[[], object]) -> None:
        """Call something short soon, in the loop's thread."""
        self._calls.append(function)
        # In this order: the loop says that it looks, then it looks. Either it sees this call,
        # or we see that it has to be woken.
        if self._is_called:
            return
        self._is_called = True
        loop = self._loop()
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._call_all)
                return
        except RuntimeError:
            pass  # it is closed
        self._calls.clear()
        self._is_called = False

    def _call_all(self) -> None:
        self._is_called = False
        for _ in range(len(self._calls)):  # not those that come meanwhile: others want to run
            self._calls.popleft()()


_wakers: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Waker]] = (
    weakref.WeakKeyDictionary()
)
_lock: Final = threading.Lock()  # guards the table: each thread may have a loop


def waker_of(loop: asyncio.AbstractEventLoop) -> Waker:
    """Return the one waker of a loop."""
    with _lock:
        waker = _wakers.get(loop)
        if waker is None:
            waker = _wakers[loop] = Waker(loop)
    return waker


async def until_there(
    when_there: Callable[[Callable[[], object]], object], seconds: float | None = None
) -> bool:
    """Wait until something is there. False after so many seconds; None: as long as it takes.

    `when_there` has the function that it is given called then, by any thread.
    """
    loop = asyncio_loop()
    there = loop.create_future()
    waker = waker_of(loop)
    when_there(lambda: waker.call(lambda: _settle(there, True)))
    timer = None if seconds is None else loop.call_later(seconds, _settle, there, False)
    try:
        in_time: bool = await there
    finally:
        if timer is not None:
            timer.cancel()
    return in_time


def _settle(there: asyncio.Future[bool], value: bool) -> None:
    if not there.done():
        there.set_result(value)
