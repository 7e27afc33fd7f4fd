"""The answer to a call that nobody waits for yet: what `ask(block=False)` gives."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

import pykka

from realtime_actors.otp.kernel.calls import give_up
from realtime_actors.otp.kernel.requests import Request
from realtime_actors.seconds import seconds_or_none

if TYPE_CHECKING:
    import asyncio

__all__ = ["Answer"]

T = TypeVar("T")

log = logging.getLogger("realtime_actors.otp")


class Answer(pykka.ThreadingFuture[T]):
    """The answer to a call, now or later: a pykka `Future`.

    `get(timeout=...)` waits for it, in any thread, and gives or raises what the call would
    have. In a coroutine `await` does the same without keeping the event loop waiting; an await
    that is cancelled gives the answer up.
    """

    def __init__(self) -> None:
        super().__init__()  # without arguments: `map` and its like make others of this class
        self._request: Request | None = None
        self._callbacks: deque[Callable[[], object]] = deque()

    @classmethod
    def to(cls, request: Request, get: Callable[[float | None], T]) -> Answer[T]:
        """Make the answer to a request that is not sent yet. `get` waits for it."""
        answer = cls()
        answer.set_get_hook(
            lambda timeout: get(seconds_or_none(timeout, "the timeout of a future"))
        )
        answer._request = request
        request.tell_when_settled(answer._tell)
        return answer

    def through(self, get: Callable[[Callable[[], T]], T]) -> Answer[T]:
        """Make the same answer for who hears of it in another way: `get` is given what waits."""
        other = type(self)()
        other.set_get_hook(lambda timeout: get(lambda: self.get(timeout=timeout)))
        other._request, other._callbacks = self._request, self._callbacks
        return other

    @property
    def is_there(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._request is None or self._request.wait(0.0)

    def when_there(self, callback: Callable[[], object]) -> None:
        """Call something once there is an answer, or none to come; at once if that is so.

        By the thread that gives the answer, as a rule the server's own: it must not wait.
        """
        self._callbacks.append(callback)
        if self.is_there:
            self._tell()

    def give_up(self) -> None:
        """Want no answer any more. What was asked for is done all the same, if it was begun."""
        if self._request is not None:
            give_up(self._request)

    def __await__(self) -> Generator[Any, None, T]:
        if self._request is None:  # made by `map` or its like: pykka's, which waits in `get`
            return (yield from super().__await__())
        from asyncio import get_running_loop  # who awaits has it already

        loop = get_running_loop()
        there = loop.create_future()
        self.when_there(lambda: _wake(loop, there))
        try:
            yield from there
        except BaseException:
            self.give_up()
            raise
        value: T = self.get(timeout=0.0)
        return value

    def _tell(self) -> None:
        while True:
            try:
                callback = self._callbacks.popleft()
            except IndexError:
                return
            try:
                callback()
            except Exception:  # of no concern to the server, whose thread this is
                log.exception("what was to be called with an answer failed")


def _wake(loop: asyncio.AbstractEventLoop, there: asyncio.Future[None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits there
        loop.call_soon_threadsafe(_settle, there)


def _settle(there: asyncio.Future[None]) -> None:
    if not there.done():
        there.set_result(None)
