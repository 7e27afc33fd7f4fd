"""Handing events to whoever subscribed, without ever waiting for one of them.

A subscriber is an actor's ref (it is told `SessionEvent`s), or anything with `put`
(`queue.Queue`, `queue.SimpleQueue`, ...). One that is full drops what it can't take,
counted; one that raises or is dead is removed, logged once. None of them is noticed by
the session or by the others.
"""

from __future__ import annotations

import logging
import math
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, Final, TypeAlias

import pykka
from attrs import define, field

from realtime_actors.errors import ConfigError, RealtimeError, SessionClosedError
from realtime_actors.events import AudioEvent, ConnectionEvent, Event, RawModelEvent
from realtime_actors.messages import SessionEvent
from realtime_actors.seconds import seconds_or_none

__all__ = ["EventStream", "Only", "Subscribers"]

Only: TypeAlias = Sequence[type[Any]] | type[Any] | None
"""Which events a subscriber wants: those of these classes; None for all."""

log = logging.getLogger("realtime_actors.session")

EVENTS_LIMIT: Final = 10_000
"""Events that wait in `session.events()`: three minutes of audio at 50 frames a second."""


@define(eq=False)
class _Subscription:
    subscriber: Any
    put: Callable[[SessionEvent], object]
    only: tuple[type[Any], ...] | None
    raw: bool
    direct: bool = False
    dropped: int = 0

    def wants(self, kind: type[Any]) -> bool:
        return self.only is None or issubclass(kind, self.only)


@define
class Subscribers:
    """Those who receive a session's events, in the order in which they came."""

    session: Any
    wants_raw: bool = field(default=False, init=False)
    """Whether somebody wants every event of the server."""
    direct: bool = field(default=False, init=False)
    """Whether somebody wants audio before the session has heard of it."""
    audio_beside: bool = field(default=False, init=False)
    """Whether somebody else wants audio too."""
    # All of these are replaced as a whole under the lock, so that publishing needs none.
    _subscriptions: tuple[_Subscription, ...] = ()
    _direct: tuple[_Subscription, ...] = field(default=(), init=False)
    # Who wants events of this class: looked for once, so that a filter costs nothing.
    _wanting: dict[type[Any], tuple[_Subscription, ...]] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock)

    @property
    def all(self) -> tuple[Any, ...]:
        """The subscribers, in the order in which they came."""
        return tuple(each.subscriber for each in self._subscriptions)

    def add(
        self, subscriber: Any, *, only: Only = None, raw: bool = False, direct: bool = False
    ) -> None:
        """Subscribe, or change how one is subscribed. Raises `ConfigError`."""
        new = _Subscription(subscriber, _put_for(subscriber), _classes(only), raw, direct)
        with self._lock:
            self._replace((*self._others(subscriber), new))

    def remove(self, subscriber: Any) -> None:
        """Unsubscribe. Does nothing for a stranger."""
        with self._lock:
            self._replace(self._others(subscriber))

    def publish(self, event: Event) -> None:
        """Hand an event to everyone who wants it."""
        known, kind = self._wanting, type(event)
        wanting = known.get(kind)
        if wanting is None:
            wanting = known[kind] = self._find_wanting(kind)
        if wanting:
            message = SessionEvent(self.session, event)
            for each in wanting:
                self._hand(each, message)

    def publish_direct(self, audio: AudioEvent) -> None:
        """Hand audio to those who don't wait for the session."""
        message = SessionEvent(self.session, audio)
        for each in self._direct:
            self._hand(each, message)

    def publish_beside(self, audio: AudioEvent) -> None:
        """Hand audio to everyone else who wants it."""
        message = SessionEvent(self.session, audio)
        for each in self._subscriptions:
            if each.wants(AudioEvent) and not each.direct:
                self._hand(each, message)

    def publish_raw(self, event: RawModelEvent) -> None:
        """Hand an event of the server to those who want all of them."""
        message = SessionEvent(self.session, event)
        for each in self._subscriptions:
            if each.raw and each.wants(RawModelEvent):
                self._hand(each, message)

    def dropped(self, subscriber: Any) -> int:
        """How many events a subscriber was too full to take."""
        return sum(each.dropped for each in self._subscriptions if _same(each, subscriber))

    def _others(self, subscriber: Any) -> tuple[_Subscription, ...]:
        return tuple(each for each in self._subscriptions if not _same(each, subscriber))

    def _replace(self, subscriptions: tuple[_Subscription, ...]) -> None:
        # In this order: what is found in a new table comes from the new subscriptions.
        self._subscriptions = subscriptions
        self._wanting = {}
        self.wants_raw = any(each.raw for each in subscriptions)
        audio = [each for each in subscriptions if each.wants(AudioEvent)]
        self._direct = tuple(each for each in audio if each.direct)
        self.direct = bool(self._direct)
        self.audio_beside = self.wants_raw or len(audio) > len(self._direct)

    def _find_wanting(self, kind: type[Any]) -> tuple[_Subscription, ...]:
        # A raw subscriber has had a raw event already, with all the others.
        is_raw = kind is RawModelEvent
        return tuple(
            each for each in self._subscriptions if each.wants(kind) and not (is_raw and each.raw)
        )

    def _hand(self, to: _Subscription, message: SessionEvent) -> None:
        try:
            to.put(message)
        except queue.Full:
            to.dropped += 1
            if to.dropped == 1:
                log.warning("a subscriber is full: events for it are dropped")
        except Exception as error:
            self.remove(to.subscriber)
            if not isinstance(error, pykka.ActorDeadError):
                log.warning("a subscriber raised %s: it was removed", type(error).__name__)


LOOK_EVERY: Final = 1.0
"""Seconds after which a reader that waits looks whether anybody is left to say something. Ours:
the end of a supervisor that gave up is nobody's event."""


class EventStream(Iterator[Event]):
    """The events of a session, one after the other, until the session ends.

    After the last of them it raises what ended the session (`ConnectionEvent.error`); when
    the end was asked for, it just ends.

    Waits for the next event as long as it takes, or raises `TimeoutError` after
    `timeout` seconds. Holds at most `limit` events that nobody took; more are dropped,
    oldest first, and counted in `dropped`. One thread may iterate.
    """

    def __init__(
        self, is_over: Callable[[], bool], *, timeout: float | None, limit: int = EVENTS_LIMIT
    ) -> None:
        """`is_over` tells that nothing will come any more, if nobody is left to say so."""
        self.dropped = 0
        self._is_over = is_over
        self._timeout = seconds_or_none(timeout, "the timeout of events()")
        self._queue: queue.Queue[SessionEvent] = queue.Queue(limit)
        self._ended = False
        self._error: RealtimeError | None = None

    def put(self, message: SessionEvent) -> None:
        """Called by the session."""
        while True:
            try:
                self._queue.put_nowait(message)
                return
            except queue.Full:
                self.dropped += 1
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        try:
            self._queue.get_nowait()
        except queue.Empty:
            return  # the reader was faster

    def __next__(self) -> Event:
        if self._ended:
            error, self._error = self._error, None
            raise error or StopIteration
        event = self._take()
        if isinstance(event, ConnectionEvent) and event.state == "closed":
            # The last event of a session: nothing follows it.
            self._ended, self._error = True, event.error
        return event

    def _take(self) -> Event:
        deadline = math.inf if self._timeout is None else time.monotonic() + self._timeout
        while True:
            over = self._is_over()
            left = 0.0 if over else max(0.0, deadline - time.monotonic())
            try:
                return self._queue.get(timeout=min(left, LOOK_EVERY)).event
            except queue.Empty:
                if over:
                    self._ended = True
                    raise SessionClosedError("the session and its supervisor have ended") from None
                if left < LOOK_EVERY:
                    why = f"no event of the session in {self._timeout:g} s"
                    raise TimeoutError(why) from None


def _put_for(subscriber: Any) -> Callable[[SessionEvent], object]:
    if isinstance(subscriber, pykka.ActorRef):
        tell: Callable[[SessionEvent], object] = subscriber.tell
        return tell
    for name in ("put_nowait", "put"):
        put = getattr(subscriber, name, None)
        if callable(put):
            return put  # type: ignore[no-any-return]  # any object with `put` will do
    raise ConfigError(
        f"{type(subscriber).__name__} cannot receive events: give an actor's ref, or something"
        " with put(), such as a queue.SimpleQueue"
    )


def _classes(only: Only) -> tuple[type[Any], ...] | None:
    """The classes that are wanted. Raises `ConfigError` for what is none."""
    if only is None:
        return None
    classes = (only,) if isinstance(only, type) else only
    if isinstance(classes, Iterable) and not isinstance(classes, str):
        classes = tuple(classes)
        if all(isinstance(each, type) for each in classes):
            return classes
    raise ConfigError(
        f"only={only!r} names no classes of events: give one, or a list, such as"
        " only=[events.AudioEvent]"
    )


def _same(subscription: _Subscription, subscriber: Any) -> bool:
    known = subscription.subscriber
    if isinstance(known, pykka.ActorRef):
        return bool(known == subscriber)
    return known is subscriber
