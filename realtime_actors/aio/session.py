"""A running conversation, for coroutines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Final, NoReturn, ParamSpec, Self, TypeVar

from realtime_actors import events, messages, otp
from realtime_actors.aio.loops import asyncio_loop, until_there
from realtime_actors.aio.streams import EventStream
from realtime_actors.errors import ConfigError, EventLoopError
from realtime_actors.events import InputTranscriptEvent
from realtime_actors.playback import PlaybackTracker
from realtime_actors.session import Session as BlockingSession
from realtime_actors.session.event_stream import EVENTS_LIMIT
from realtime_actors.session.handle import DeadSessionError, time_limit
from realtime_actors.session.subscribers import Only, event_classes
from realtime_actors.transcript import render_transcript

__all__ = ["Session"]

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=events.Event)

LOOK_FOR_THREAD: Final = 0.001
"""Seconds between two looks whether the thread of an ended session is gone."""
THREAD_ENDS_WITHIN: Final = 1.0
"""Seconds that it may take. It has nothing left to do, so that is more than enough."""


def _awaited(
    method: Callable[Concatenate[BlockingSession, P], R],
) -> Callable[Concatenate[Session, P], Coroutine[Any, Any, R]]:
    """Make a coroutine of a verb: what it takes, gives and raises is the method's."""
    verb: Any = messages.VERBS[method.__name__]

    @wraps(method)
    async def call(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> R:
        asked: messages.Verb = verb(*args, **kwargs)
        answer: R = await self.ask(asked, timeout=time_limit(self.ref, asked))
        return answer

    return call


def _never_waits(
    method: Callable[Concatenate[BlockingSession, P], R],
) -> Callable[Concatenate[Session, P], Coroutine[Any, Any, R]]:
    """Make a coroutine of a verb that is done in the caller's thread, at once."""

    @wraps(method)
    async def call(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(self.ref, *args, **kwargs)

    return call


class Session:
    """A running conversation. What `run()` gives; `Session(session)` is one of a running session.

    Each verb does what that of `ra.Session` does, and waits without keeping the event loop. It may
    be used in any thread that has a loop. An await that is cancelled, or that takes longer than a
    verb may (`otp.CallTimeout`), is over at once; what was asked for is done all the same.
    `async with` closes the session at the end.
    """

    __slots__ = ("ref",)

    ref: BlockingSession
    """The session, for threads and actors. Its verbs wait in the caller's thread."""

    def __init__(self, session: BlockingSession) -> None:
        if not isinstance(session, BlockingSession):
            raise ConfigError(
                f"{type(session).__name__} is no running session: give what ra.run() or a"
                " SessionEvent has given"
            )
        self.ref = session

    # `send_audio` writes to the socket what it takes, and leaves the rest to the I/O thread.
    send_audio = _never_waits(BlockingSession.send_audio)
    send_message = _awaited(BlockingSession.send_message)
    commit_audio = _awaited(BlockingSession.commit_audio)
    clear_audio = _awaited(BlockingSession.clear_audio)
    create_response = _awaited(BlockingSession.create_response)
    send_raw_event = _awaited(BlockingSession.send_raw_event)
    interrupt = _awaited(BlockingSession.interrupt)
    approve = _awaited(BlockingSession.approve)
    reject = _awaited(BlockingSession.reject)
    update_session = _awaited(BlockingSession.update_session)
    hand_off = _awaited(BlockingSession.hand_off)
    add_item = _awaited(BlockingSession.add_item)
    delete_item = _awaited(BlockingSession.delete_item)
    truncate_item = _awaited(BlockingSession.truncate_item)
    retrieve_item = _awaited(BlockingSession.retrieve_item)
    update_history = _awaited(BlockingSession.update_history)
    subscribe = _awaited(BlockingSession.subscribe)
    unsubscribe = _awaited(BlockingSession.unsubscribe)
    history = _awaited(BlockingSession.history)
    usage = _awaited(BlockingSession.usage)
    current_agent = _awaited(BlockingSession.current_agent)

    async def ask(self, message: Any, *, timeout: float | None = None) -> Any:
        """Ask for something of `messages`, and give the answer, or raise its error.

        Raises `otp.CallTimeout` after `timeout` seconds (None: never).
        """
        asyncio_loop()
        answer = self.ref.ask(message, block=False)
        try:
            in_time = await until_there(answer.when_there, timeout)
        except BaseException:
            answer.give_up()
            raise
        if not in_time:
            answer.give_up()
            raise otp.CallTimeout(call=otp.InCall("Session.ask", self.ref, message, timeout))
        return answer.get(timeout=0.0)

    def tell(self, message: Any) -> None:
        """Ask for something, without waiting or raising: what goes wrong is an `ErrorEvent`."""
        self.ref.tell(message)

    def events(
        self, *, timeout: float | None = None, only: Only = None, limit: int = EVENTS_LIMIT
    ) -> EventStream[events.Event]:
        """Subscribe, and give the events as an asynchronous iterator that ends with the session.

        It keeps `limit` events for a slow reader, then drops the oldest. See `EventStream`.
        """
        return self._read(
            EventStream(self._is_over, timeout=timeout, limit=limit, on_close=self.ref.detach),
            only,
        )

    def transcripts(self, *, timeout: float | None = None) -> EventStream[InputTranscriptEvent]:
        """Subscribe, and give what the user says, turn by turn: see `ra.Session.transcripts`."""
        return self._read(
            EventStream(
                self._is_over,
                timeout=timeout,
                limit=EVENTS_LIMIT,
                wanted=lambda event: (
                    isinstance(event, InputTranscriptEvent) and event.status != "partial"
                ),
                on_close=self.ref.detach,
            ),
            InputTranscriptEvent,
        )

    async def transcript(self) -> str:
        """The conversation as people read it: who said what, a line each."""
        return render_transcript(await self.history())

    async def close(
        self,
        timeout: float = 2.0,
        *,
        after_playback: bool | float = False,
        after_turn: bool | float = False,
    ) -> None:
        """End the conversation, and wait until its threads and its socket are gone.

        As `ra.Session.close`. When this is cancelled the session ends by itself, within
        `timeout` seconds.
        """
        asyncio_loop()
        put_off = messages.Close(after_playback=after_playback, after_turn=after_turn)
        if put_off.within:
            with suppress(DeadSessionError, otp.CallTimeout):
                await self.ask(put_off, timeout=put_off.within)
        ended = self.ref.begin_close(timeout)
        await until_there(ended.when_there)
        deadline = time.monotonic() + THREAD_ENDS_WITHIN
        while self.ref.has_thread and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_FOR_THREAD)

    def dropped(self, subscriber: Any) -> int:
        """How many events `subscriber` was too full to take."""
        return self.ref.dropped(subscriber)

    def is_alive(self) -> bool:
        """Whether the session has not ended yet."""
        return self.ref.is_alive()

    @property
    def connected(self) -> bool:
        """Whether there is a connection that the configured session can use."""
        return self.ref.connected

    @property
    def playback_tracker(self) -> PlaybackTracker | None:
        """The tracker made by `ModelConfig.playback_tracker`, if there is one."""
        return self.ref.playback_tracker

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and self.ref is other.ref

    def __hash__(self) -> int:
        return hash(self.ref)

    def __repr__(self) -> str:
        return f"<aio.{repr(self.ref).removeprefix('<')}"

    def _read(self, stream: EventStream[E], only: Only) -> EventStream[E]:
        asyncio_loop()
        # It has to see the end, whatever else it sees.
        classes = event_classes(only)
        wanted = None if classes is None else (*classes, events.ConnectionEvent)
        over = self._is_over()
        if over:
            raise DeadSessionError(f"Subscribe: {over}")
        self.ref.attach(stream, only=wanted)
        return stream

    def _is_over(self) -> str:
        return self.ref.over

    if not TYPE_CHECKING:  # a checker must go on to find this mistake itself

        def __enter__(self) -> NoReturn:
            raise EventLoopError("this is a session in asyncio: use `async with`")

        def __exit__(self, *exc_info: object) -> None: ...
