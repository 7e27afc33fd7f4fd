"""The connections of a session: how one is made, what it brings, how another takes its place."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from attrs import define, field

from realtime_actors import events, otp
from realtime_actors.core import effects as fx
from realtime_actors.core.messages import (
    Connected,
    ConnectFailed,
    FellBehind,
    Message,
    StandbyFailed,
    StandbyOpened,
)
from realtime_actors.core.reports import REPORT_AGAIN_AFTER
from realtime_actors.errors import NotConnectedError, RealtimeError, StartCause, StartError
from realtime_actors.protocol import ClientEvent, ServerEvent
from realtime_actors.session.backlog import Backlog
from realtime_actors.session.handle import Session
from realtime_actors.session.shared import SharedState
from realtime_actors.session.standby import StandbyConnection
from realtime_actors.session.tasks import Tasks, unless_normal
from realtime_actors.transport.base import Disconnected, Transport

__all__ = ["Connections", "Frames", "Receiver", "close_in_background"]

log = logging.getLogger("realtime_actors.session")

GOODBYE = 1.5
"""Seconds of `close()` for the server's own goodbye: what is left of two is for the rest."""


@define(eq=False)
class Frames:
    """What one read of the socket gave: told to the session."""

    events: Sequence[ServerEvent | Disconnected]
    receiver: Receiver
    upto: int
    """See `Backlog.handled`."""


@define(eq=False)
class Receiver:
    """What a connection hands its events to. Each has its own, to be told from the others."""

    session: Session
    backlog: Backlog

    def receive(self, batch: Sequence[ServerEvent | Disconnected]) -> None:
        """Bring the session what was read, in the thread that reads."""
        otp.send_inline(self.session, Frames(batch, self, self.backlog.came(batch)))


@define(eq=False)
class Connections:
    """Those of one incarnation. The session's own, but for what its task and a killer do."""

    session: Session
    make: Callable[[], Transport]
    """Makes a connection, which is not connected yet. Slow, or fails: so a task calls it."""
    tasks: Tasks
    is_over: Callable[[], bool]
    """Whether this incarnation has ended. The handle may stand for the next one."""
    now: Callable[[], float]

    receiver: Receiver = field(init=False)
    """That of the connection in use: what comes by another one is out of date."""
    is_closing: bool = field(default=False, init=False)
    """No connection that is still being made is wanted any more."""
    is_closed: bool = field(default=False, init=False)
    _transport: Transport | None = field(default=None, init=False)
    _dropped: threading.Thread | None = field(default=None, init=False)  # that closes the last one
    _warn_at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self.receiver = self._new_receiver()

    @property
    def _shared(self) -> SharedState:
        return self.session.shared

    def send(self, event: ClientEvent) -> None:
        """Send an event. Raises what `Transport.send` raises."""
        self._in_use.send(event)

    @property
    def _in_use(self) -> Transport:
        if self._transport is None:
            raise NotConnectedError("there is no connection yet: nothing was sent")
        return self._transport

    def open(self) -> None:
        """Have the first one made and connected. What comes of it is told to the session."""

        def failed(reason: object) -> Message:
            return ConnectFailed(StartError(f"connecting failed: {reason!r}", StartCause.NETWORK))

        self.tasks.start(unless_normal(failed), self._connect, self.receiver)

    def _connect(self, receiver: Receiver) -> Message | None:
        try:
            transport = self._transport = self.make()
            if not self._shared.adopt(transport, lambda: self.is_closing or self.is_over()):
                transport.close(0.0)
                return None
            receiver.backlog.follow(transport)
            transport.connect(receiver.receive)
        except RealtimeError as error:
            return ConnectFailed(error)
        except Exception as error:  # of the program's own transport
            failed = StartError(f"connecting failed: {error!r}", StartCause.NETWORK)
            failed.__cause__ = error
            return ConnectFailed(failed)
        return Connected(unix_time=time.time())

    def open_standby(self, effect: fx.OpenStandby) -> None:
        """Have another one made and configured, that may take the place of the one in use."""

        def failed(error: RealtimeError) -> StandbyFailed:
            return StandbyFailed(attempt=effect.attempt, error=error)

        def died(reason: object) -> Message:
            return failed(StartError(f"connecting failed: {reason!r}", StartCause.NETWORK))

        def work() -> Message:
            try:
                answer = standby.open(effect.update, effect.within)
            except RealtimeError as error:
                return failed(error)
            if self.is_over():
                standby.close()  # the session was killed meanwhile
            return StandbyOpened(attempt=effect.attempt, answer=answer, unix_time=time.time())

        standby = self._shared.standby = StandbyConnection(
            self.make,
            on_lost=lambda error: otp.send(self.session, failed(error)),
            is_over=self.is_over,
            in_use=self._transport,
            first=self._wait_for_dropped,
        )
        self.tasks.start(unless_normal(died), work)

    def switch(self, info: events.EventInfo) -> None:
        """Use the standby from now on, and close the one that was in use."""
        standby = self._shared.standby
        assert standby is not None  # the core was told that it is there
        assert standby.transport is not None
        before, self.receiver = self._transport, self._new_receiver()
        # In this order: whenever the session is killed, both are closed, by this or by the killer.
        self._transport = self._shared.transport = standby.transport
        self._shared.standby = None
        if before is not None:
            close_in_background(before)
        self.receiver.backlog.follow(standby.transport)
        standby.take_over(self.receiver.receive)
        for event in standby.greeting if self._shared.subscribers.wants_raw else ():
            self._shared.subscribers.publish_raw(events.RawModelEvent(event=event, info=info))
        log.info("session %s has changed its connection", self.session.actor_urn)

    def drop(self, keep_audio_ms: int) -> None:
        """Let go of the connection in use, which is lost, and keep the user's audio."""
        self._shared.kept_audio.begin(keep_audio_ms)
        before, self.receiver = self._transport, self._new_receiver()
        self._transport = self._shared.transport = None
        if before is not None:
            self._dropped = close_in_background(before)

    def send_kept_audio(self) -> None:
        """Send what was kept of the user's audio."""
        for dropped in self._shared.kept_audio.release(self._in_use):
            self.session.audio_was_dropped(dropped)

    def close_standby(self) -> None:
        """Close the standby, which is not wanted any more."""
        standby, self._shared.standby = self._shared.standby, None
        if standby is not None:
            close_in_background(standby)

    def _wait_for_dropped(self) -> None:
        """Wait, in the task that connects, until the last one is closed.

        It may be the same object: a program's own factory may have one transport only.
        """
        if self._dropped is not None and self._dropped.ident is not None:
            self._dropped.join(GOODBYE)

    def close(self, *, goodbye: bool) -> None:
        """Close all of them, the one in use with a `goodbye` to a server that has let us in."""
        if self._shared.standby is not None:
            self._shared.standby.close()
        if self._transport is not None:
            self._transport.close(GOODBYE if goodbye else 0.0)
        self.is_closed = True

    def _new_receiver(self) -> Receiver:
        return Receiver(self.session, Backlog(self._fell_behind))

    def _fell_behind(self, waiting: int) -> None:
        """Say that the socket is not read any more, in the thread that reads it."""
        behind = FellBehind(waiting, self._shared.subscribers.held_up_by)
        now = self.now()
        if now >= self._warn_at:  # a session that is slow all the time says it once a minute
            self._warn_at = now + REPORT_AGAIN_AFTER
            log.warning("session %s: %s", self.session.actor_urn, behind)
        otp.send(self.session, behind)


def close_in_background(connection: Transport | StandbyConnection) -> threading.Thread:
    """Close a connection, which may take a moment, and wait for nothing. Return who closes it.

    No task does it: a session that was killed can't start one.
    """
    close = partial(connection.close, 0.0)
    thread = threading.Thread(target=close, name="realtime-close", daemon=True)
    with suppress(RuntimeError):  # at the end of the program there is no thread to be had
        thread.start()
    return thread
