"""Handing events to whoever subscribed.

A subscriber is an actor's ref (it is told `SessionEvent`s), or anything with `put`
(`queue.Queue`, `queue.SimpleQueue`, ...). One that is full drops what it can't take,
counted; one that raises, whatever it raises, or is dead is removed, logged once. None of
them is noticed by the others, and a stream (`Stream`) that nobody holds any more is
unsubscribed by that.

An object of the program's own may take its time in its `put`. It holds up its session
then, but not the session's end: from then on such subscribers are fed by threads of
their own (`wait_for_nobody`).
"""

from __future__ import annotations

import inspect
import logging
import queue
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from threading import Lock
from typing import Any, Final, TypeAlias

import pykka
from attrs import define, field

from realtime_actors import otp
from realtime_actors.errors import ConfigError
from realtime_actors.events import Event, RawModelEvent
from realtime_actors.messages import SessionEvent
from realtime_actors.otp.kernel.mailbox import BoundedMailbox, Mailbox
from realtime_actors.session.event_stream import EVENTS_LIMIT, NeverWaits, Stream

__all__ = ["Only", "Subscribers", "event_classes"]

Only: TypeAlias = Sequence[type[Any]] | type[Any] | None
"""Which events a subscriber wants: those of these classes; None for all."""
Put: TypeAlias = Callable[[SessionEvent], object]

log = logging.getLogger("realtime_actors.session")

NEVER_WAIT: Final = (queue.SimpleQueue, queue.Queue, queue.LifoQueue, queue.PriorityQueue)
"""Classes whose `put_nowait` takes a few instructions. (A subclass may do anything.)"""


@define(eq=False)
class _Subscription:
    held: Any
    """The subscriber; of a stream, a weak reference."""
    put: Put
    only: tuple[type[Any], ...] | None
    raw: bool
    dropped: int = 0
    is_ours: bool = False
    """It is of a kind whose `put` can't wait, and not only said to be."""
    turn: Lock | None = None
    """Held while a subscriber that may wait is in its `put`."""
    feeder: _Feeder | None = None
    """The thread that waits for it, since the session's end."""

    def wants(self, kind: type[Any]) -> bool:
        return self.only is None or issubclass(kind, self.only)

    @property
    def subscriber(self) -> Any:
        """Who receives; None for a stream that is gone."""
        return self.held() if isinstance(self.held, weakref.ref) else self.held

    def is_of(self, subscriber: Any) -> bool:
        mine = self.subscriber
        return bool(mine == subscriber if isinstance(mine, pykka.ActorRef) else mine is subscriber)


@define
class Subscribers:
    """Those who receive a session's events, in the order in which they came."""

    session: Any
    wants_raw: bool = field(default=False, init=False)
    """Whether somebody wants every event of the server."""
    may_wait: bool = field(default=False, init=False)
    """Whether the `put` of one of them may take long."""
    # All of these are replaced as a whole under the lock, so that publishing needs none.
    _subscriptions: tuple[_Subscription, ...] = ()
    # Who wants events of this class: looked for once, so that a filter costs nothing.
    _wanting: dict[type[Any], tuple[_Subscription, ...]] = field(factory=dict, init=False)
    # What is left of streams. It is noted here first, since a stream may be collected at any
    # moment, in any thread, with any lock held.
    _gone: deque[object] = field(factory=deque, init=False)
    _lock: Lock = field(factory=Lock)

    @property
    def all(self) -> tuple[Any, ...]:
        """The subscribers, in the order in which they came."""
        self._forget_the_gone()
        subscribers = (each.subscriber for each in self._subscriptions)
        return tuple(each for each in subscribers if each is not None)

    def add(
        self, subscriber: Any, *, only: Only = None, raw: bool = False, direct: bool = False
    ) -> None:
        """Subscribe, or change how one is subscribed. Raises `ConfigError`.

        `direct` promises that its `put` never waits.
        """
        put, waits = _put_for(subscriber)
        held: Any = subscriber
        if isinstance(subscriber, Stream):
            held = weakref.ref(subscriber, self._gone.append)
        new = _Subscription(held, put, event_classes(only), raw, is_ours=not waits)
        if waits and not direct:
            new.turn = Lock()
            new.put = partial(_in_turn, new.turn, put)
        with self._lock:
            others = [each for each in self._subscriptions if not each.is_of(subscriber)]
            self._replace((*others, new))

    @property
    def held_up_by(self) -> tuple[str, ...]:
        """The classes of those whose `put` is running and may wait. From any thread."""
        return tuple(
            type(each.subscriber).__name__
            for each in self._subscriptions
            if each.turn is not None and each.turn.locked()
        )

    def remove(self, subscriber: Any) -> None:
        """Unsubscribe. Does nothing for a stranger."""
        self._drop(lambda each: each.is_of(subscriber))

    def dropped(self, subscriber: Any) -> int:
        """How many events a subscriber was too full to take."""
        return sum(each.dropped for each in self._subscriptions if each.is_of(subscriber))

    # -- publishing --------------------------------------------------------------------

    def publish(self, event: Event) -> None:
        """Hand an event to everyone who wants it."""
        if self._gone:
            self._forget_the_gone()
        known, kind = self._wanting, type(event)
        wanting = known.get(kind)
        if wanting is None:
            wanting = known[kind] = self._find_wanting(kind)
        if wanting:
            message = SessionEvent(self.session, event)
            for each in wanting:
                self._hand(each, message)

    def publish_raw(self, event: RawModelEvent) -> None:
        """Hand an event of the server to those who want all of them."""
        message = SessionEvent(self.session, event)
        for each in self._subscriptions:
            if each.raw and each.wants(RawModelEvent):
                self._hand(each, message)

    def wait_for_nobody(self) -> None:
        """From now on, have a thread of its own hand events to each subscriber that may wait.

        To one that has promised not to wait (`direct`) as well: nothing of a promise that was
        broken may keep the session from ending. Called when it ends, and by whoever ends it.
        """
        with self._lock:
            for each in self._subscriptions:
                if not each.is_ours and each.feeder is None:
                    each.feeder = _Feeder(partial(self._feed, each))

    def let_finish(self, within: float) -> tuple[str, ...]:
        """Wait until those threads have handed over all that there is, but not for long.

        Returns the classes of the subscribers that have not taken it by then.
        """
        deadline = time.monotonic() + within
        return tuple(
            type(each.subscriber).__name__
            for each in self._subscriptions
            if each.feeder is not None
            and not each.feeder.idle.wait(max(0.0, deadline - time.monotonic()))
        )

    def _hand(self, to: _Subscription, message: SessionEvent) -> None:
        if to.feeder is not None:
            if not to.feeder.put(message):
                self._dropped(to)
            return
        try:
            to.put(message)
        except queue.Full:
            self._dropped(to)
        except BaseException as error:
            self._failed(to, error)
        if to.turn is not None:
            otp.check()  # it may have taken long: nothing of ours follows our end

    def _feed(self, to: _Subscription, message: SessionEvent) -> None:
        """Hand an event to a subscriber that may wait, in its own thread."""
        try:
            to.put(message)
        except queue.Full:
            self._dropped(to)
        except BaseException as error:
            self._failed(to, error)

    def _failed(self, to: _Subscription, error: BaseException) -> None:
        if _is_not_the_subscribers(error):
            raise error
        self._drop(lambda each: each is to)
        if not isinstance(error, pykka.ActorDeadError):
            log.warning("a subscriber raised %s: it was removed", type(error).__name__)

    def _dropped(self, to: _Subscription) -> None:
        to.dropped += 1
        if to.dropped == 1:
            log.warning("a subscriber is full: events for it are dropped")

    def _drop(self, unwanted: Callable[[_Subscription], bool]) -> None:
        with self._lock:
            self._replace(tuple(each for each in self._subscriptions if not unwanted(each)))

    def _forget_the_gone(self) -> None:
        while self._gone:
            gone = self._gone.popleft()
            self._drop(lambda each, gone=gone: each.held is gone)  # type: ignore[misc]

    def _replace(self, subscriptions: tuple[_Subscription, ...]) -> None:
        # In this order: what is found in a new table comes from the new subscriptions.
        self._subscriptions = subscriptions
        self._wanting = {}
        self.wants_raw = any(each.raw for each in subscriptions)
        self.may_wait = any(each.turn is not None for each in subscriptions)

    def _find_wanting(self, kind: type[Any]) -> tuple[_Subscription, ...]:
        # A raw subscriber has had a raw event already, with all the others.
        is_raw = kind is RawModelEvent
        return tuple(
            each for each in self._subscriptions if each.wants(kind) and not (is_raw and each.raw)
        )


class _Feeder:
    """Hands events to one subscriber that may wait, in order, in a thread of its own.

    The thread runs as long as there are events. It is a daemon: a subscriber that waits for
    ever holds up nobody, not even the end of the program.
    """

    def __init__(self, hand: Callable[[SessionEvent], None]) -> None:
        self.idle = threading.Event()
        """All events have been handed over."""
        self.idle.set()
        self._hand = hand
        self._waiting: deque[SessionEvent] = deque()
        self._lock = Lock()  # guards whether the thread goes on

    def put(self, message: SessionEvent) -> bool:
        """Take an event. False: too many are waiting."""
        if len(self._waiting) >= EVENTS_LIMIT:
            return False
        with self._lock:
            self._waiting.append(message)
            if not self.idle.is_set():
                return True
            self.idle.clear()
        try:
            threading.Thread(target=self._run, name="realtime-subscriber", daemon=True).start()
        except RuntimeError:  # at the end of the program there is no thread to be had
            self._waiting.clear()
            self.idle.set()
            return False
        return True

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self.idle.set()
                    return
                message = self._waiting.popleft()
            self._hand(message)


def _in_turn(turn: Lock, put: Put, message: SessionEvent) -> None:
    with turn:
        put(message)


def _is_not_the_subscribers(error: BaseException) -> bool:
    """Whether this is none of a subscriber's errors: our own end, or the user's Ctrl-C."""
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread()
    return isinstance(error, otp.Cancelled) and otp.cancelled()


def _put_for(subscriber: Any) -> tuple[Put, bool]:
    """How a subscriber is handed events, and whether that may wait. Raises `ConfigError`."""
    if isinstance(subscriber, Stream):
        return subscriber.takes.put, False
    if isinstance(subscriber, NeverWaits):
        return subscriber.put, False
    if isinstance(subscriber, pykka.ActorRef):
        return subscriber.tell, _may_wait(subscriber.actor_inbox)
    _refuse_other_worlds(subscriber)
    for name in ("put_nowait", "put"):
        put = getattr(subscriber, name, None)
        if callable(put):
            return put, type(subscriber) not in NEVER_WAIT
    raise ConfigError(
        f"{type(subscriber).__name__} cannot receive events: give an actor's ref, or something"
        " with put(), such as a queue.SimpleQueue"
    )


def _may_wait(inbox: Any) -> bool:
    """Whether putting something into an actor's mailbox may wait for room in it."""
    if isinstance(inbox, BoundedMailbox):
        return inbox.may_wait
    if type(inbox) in NEVER_WAIT:
        return getattr(inbox, "maxsize", 0) > 0
    return not isinstance(inbox, Mailbox)


def _refuse_other_worlds(subscriber: Any) -> None:
    """Raise `ConfigError` for a queue of an event loop, or of another process."""
    kind = f"{type(subscriber).__module__}.{type(subscriber).__qualname__}"
    asyncio = sys.modules.get("asyncio")
    is_asyncio = asyncio is not None and isinstance(subscriber, asyncio.Queue)
    if is_asyncio or inspect.iscoroutinefunction(getattr(subscriber, "put", None)):
        raise ConfigError(
            f"{kind} belongs to an event loop, and the session to another thread: its reader"
            " would not wake up. Subscribe an `aio.Queue` of realtime_actors.aio, which wakes it;"
            " or an object whose put(message) calls"
            " `loop.call_soon_threadsafe(asyncio_queue.put_nowait, message)`"
        )
    if kind.startswith("multiprocessing."):
        raise ConfigError(
            f"{kind} leads to another process, and a session can't go there. Subscribe an object"
            " whose put(message) puts what you need of `message.event` into it"
        )


def event_classes(only: Only) -> tuple[type[Any], ...] | None:
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
