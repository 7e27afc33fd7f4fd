"""An actor's queue of messages: many write, one reads.

The common path takes no lock: a `deque` whose `append` and `popleft` are atomic, and
a gate that only a sleeping reader needs. What ends an actor does not go through the
queue: it closes the mailbox, which wakes the reader and answers the callers in it.

The *turn* is a lock beside the queue. To take a message out, or to handle one, is to hold
it. The actor's own thread does, always, except while it sleeps between two messages (`rest`):
then a thread that brings a message may borrow the turn and handle that message itself, as
the actor, instead of waking it (`borrow`).

- One message is handled at a time, since there is one turn.
- Nothing is overtaken, since a turn is lent only while the queue is empty. What was sent
  before has been taken out then, and the turn has been given back since: so it is handled.
- Nothing is lost. A thread that can't have the turn puts its message into the queue, and the
  own thread, which is awake or is woken by that, has the turn next: a borrowed one ends after
  one message, and while something is in the queue no other one begins.
- What a borrowed turn leaves to the own thread goes in front of the queue (`leave`): by the
  same rules the own thread deals with that before anything else is handled.
"""

from __future__ import annotations

import contextlib
import time
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from attrs import field, frozen

from realtime_actors.otp.kernel.exits import NOPROC, MailboxFullError, Reason
from realtime_actors.otp.kernel.options import check_count, check_word
from realtime_actors.otp.kernel.slots import Asked, Outcome, Slot
from realtime_actors.seconds import LONGEST_WAIT, seconds_or_none, unlimited

__all__ = [
    "CAST",
    "CLOSED",
    "TIMED_OUT",
    "Bounded",
    "BoundedMailbox",
    "DeadLetters",
    "Mailbox",
    "Signal",
    "WhenFull",
]


class _Marker(Enum):
    CAST = "cast"
    CLOSED = "closed"
    TIMED_OUT = "timed out"


CAST: Final = _Marker.CAST
"""A cast is `(CAST, message)`: a tuple is the cheapest thing that can be told apart."""
CLOSED: Final = _Marker.CLOSED
"""What `get` gives when the actor has been ended."""
TIMED_OUT: Final = _Marker.TIMED_OUT
"""What `get` gives when time is over."""


class Signal:
    """What the library itself puts into mailboxes: no bound holds it up or drops it."""

    __slots__ = ()


class Mailbox:
    """A queue without bounds. `put` and `borrow` from any thread; all else with the turn."""

    __slots__ = ("_call_me", "_closed", "_gate", "_queue", "_waiting", "take", "turn")

    def __init__(self) -> None:
        self._queue: deque[Any] = deque()
        self._gate = _shut_gate()
        self.turn = allocate_lock()
        """Held by the thread that takes messages out and handles them: the owner, to begin with."""
        self.turn.acquire()
        self._call_me = False
        self._waiting = False
        self._closed = False
        self.take: Callable[[], Any] = self._queue.popleft
        """Take the next item; raises `IndexError` when there is none. The quick way."""

    def put(self, item: object, /) -> None:
        """Append an item and wake the reader. Put after the end, it is answered: noproc."""
        self._queue.append(item)
        # Order matters: the reader asks to be called, then looks at the queue once more;
        # the closer says that it is closed, then empties the queue. So either they see
        # the item, or we see them.
        if self._call_me or self._closed:
            self._wake()

    def put_signal(self, item: object, /) -> None:
        """`put`, for what no bound may hold up or drop: exits, Down, timers."""
        Mailbox.put(self, item)

    def borrow(self) -> bool:
        """Take the turn if the reader rests and nothing waits for it. Release `turn` after it."""
        if not self.turn.acquire(False):
            return False
        if self._queue:  # looked at with the turn in hand: nobody takes anything out meanwhile
            self.turn.release()
            return False
        return True

    def leave(self, item: object, /) -> None:
        """Put an item in front of all others, at the end of a borrowed turn."""
        self._queue.appendleft(item)
        if self._call_me or self._closed:
            self._wake()

    def rest(self) -> Any:
        """`get`, between two messages: while there is none, others may borrow the turn."""
        return self._wait_for(None, None, lend=True)

    def get(self, timeout: float | None = None) -> Any:
        """Take the next item. `TIMED_OUT` or `CLOSED` when there is none."""
        return self._wait_for(None, timeout)

    def select(self, wanted: Callable[[Any], bool], timeout: float | None = None) -> Any:
        """Take the first item that is `wanted`, and leave the others where they are."""
        return self._wait_for(wanted, timeout)

    def discard(self, unwanted: Callable[[Any], bool]) -> None:
        """Drop every item that is `unwanted`."""
        while self._find(unwanted, 0)[0] is not CLOSED:
            pass

    def empty(self) -> bool:
        return not self._queue

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def waiting(self) -> bool:
        """Whether the owner's thread waits for an item."""
        return self._waiting

    def abandon(self, reason: Reason) -> None:
        """Answer every caller in it with `reason`, for a reader that is not in this process."""
        self._empty(reason)

    def close(self, reason: Reason) -> None:
        """End it: answer every caller in it with `reason`, wake the reader."""
        self._closed = True
        self._empty(reason)
        self._wake()

    def _wake(self) -> None:
        if self._closed:
            self._empty(NOPROC)
        # One call is enough: it takes a while until the reader has the interpreter, and
        # nobody else need bother meanwhile. From here to the release no Ctrl-C can come
        # in between, or the reader would never be called again.
        self._call_me = False
        try:  # noqa: SIM105 - see above: suppress() is a place where Ctrl-C could come in
            self._gate.release()
        except RuntimeError:
            pass  # it is open: the reader is on its way

    def _empty(self, reason: Reason) -> None:
        while True:
            try:
                item = self._queue.popleft()
            except IndexError:
                return
            answer_undelivered(item, reason)

    def _wait_for(
        self, wanted: Callable[[Any], bool] | None, timeout: float | None, *, lend: bool = False
    ) -> Any:
        deadline = None if timeout is None else time.monotonic() + timeout
        left = -1.0
        seen = 0
        rests, owners_gate = self._waiting, self._gate
        if rests:  # and we wait in a turn that was borrowed: not at the same gate
            self._gate = _shut_gate()
        self._waiting = True
        try:
            while True:
                self._call_me = True
                item, seen = self._find(wanted, seen)
                if item is not CLOSED or self._closed:
                    return item
                if deadline is not None and (left := deadline - time.monotonic()) <= 0.0:
                    return TIMED_OUT
                if lend:
                    self.turn.release()
                self._gate.acquire(timeout=min(left, LONGEST_WAIT))
                if lend:
                    self.turn.acquire()
        finally:  # a KeyboardInterrupt in the main thread comes out of here
            self._call_me, self._waiting = False, rests
            if rests:  # the owner may have missed a call that was for us
                self._gate = owners_gate
                self._wake()

    def _find(self, wanted: Callable[[Any], bool] | None, start: int) -> tuple[Any, int]:
        """Take the first wanted item from `start` on; `CLOSED` if there is none.

        Only the owner takes items out, so an index stays good while others append. But
        whoever ends the owner empties the queue under its hands.
        """
        queue = self._queue
        if wanted is None:
            try:
                return queue.popleft(), 0
            except IndexError:
                return CLOSED, 0
        at = start
        while True:
            try:
                item = queue[at]
            except IndexError:
                return CLOSED, at
            if wanted(item):
                with contextlib.suppress(IndexError):
                    del queue[at]
                return item, at
            at += 1


class DeadLetters(Mailbox):
    """The mailbox of a process that is dead for a reason of its own: it takes nothing."""

    __slots__ = ("_reason",)

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self._closed = True
        self._reason = reason

    def put(self, item: object, /) -> None:
        if isinstance(item, Asked):
            item.reject(self._reason)

    def put_signal(self, item: object, /) -> None:
        """Nobody is there to read it."""


def _shut_gate() -> LockType:
    gate = allocate_lock()
    gate.acquire()
    return gate


def answer_undelivered(item: object, reason: Reason) -> None:
    """Tell whoever waits for an answer to `item` that there won't be one."""
    if isinstance(item, Asked):
        item.drop(reason)


def is_signal(item: object) -> bool:
    """Whether an item is the library's own business: no bound holds it up or drops it."""
    return isinstance(item, Signal) or (isinstance(item, Asked) and item.is_signal)


class WhenFull(Enum):
    """What a full mailbox does with one message more."""

    BLOCK = "block"
    """The sender waits for room; after the time limit, `MailboxFullError`."""
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    REFUSE = "refuse"
    """`MailboxFullError` at the sender."""


def _when_full(value: WhenFull | str) -> WhenFull:
    return check_word(value, "Bounded.when_full", WhenFull)


@frozen
class Bounded:
    """How long a mailbox may get, and what happens then: `mailbox = Bounded(100)`.

    A dropped call is answered: its caller exits with `"mailbox_full"`. Exits, Down and
    stop are never dropped and wait for nobody.
    """

    capacity: int
    when_full: WhenFull = field(default=WhenFull.BLOCK, converter=_when_full)
    timeout: float | None = field(default=None, converter=unlimited)
    """Seconds that a sender waits for room; None: until there is some."""

    def __attrs_post_init__(self) -> None:
        check_count(self.capacity, "Bounded.capacity")
        seconds_or_none(self.timeout, "Bounded.timeout")


MAILBOX_FULL: Final = "mailbox_full"


class BoundedMailbox(Mailbox):
    """A queue with an end. Costs a lock per message."""

    __slots__ = ("_bound", "_lock", "_senders", "_wait", "dropped")

    def __init__(self, bound: Bounded, wait: Callable[[Slot, float | None], bool]) -> None:
        super().__init__()
        self._bound = bound
        self._lock = allocate_lock()  # guards the length, and who waits for room
        self._senders: deque[Slot] = deque()
        self._wait = wait
        self.dropped = 0
        self.take = self._take

    @property
    def may_wait(self) -> bool:
        """Whether `put` may wait for room."""
        return self._bound.when_full is WhenFull.BLOCK

    def put(self, item: object, /) -> None:
        if is_signal(item):
            self.put_signal(item)
            return
        while True:
            with self._lock:
                if self._closed or len(self._queue) < self._bound.capacity:
                    super().put(item)
                    return
                if self._bound.when_full is not WhenFull.BLOCK:
                    lost = self._make_room(item)
                    break
                turn = Slot()
                self._senders.append(turn)
            if not self._wait(turn, self._bound.timeout) and turn.settle(Outcome.GIVEN_UP, None):
                raise MailboxFullError(f"no room in {self._bound.timeout} seconds")
        answer_undelivered(lost, MAILBOX_FULL)

    def leave(self, item: object, /) -> None:
        with self._lock:
            super().leave(item)

    def _take(self) -> Any:
        item, _ = self._find(None, 0)
        if item is CLOSED:
            raise IndexError
        return item

    def close(self, reason: Reason) -> None:
        super().close(reason)
        while self._senders:
            with self._lock:
                self._let_one_in()

    def _find(self, wanted: Callable[[Any], bool] | None, start: int) -> tuple[Any, int]:
        with self._lock:
            # From the start: a sender may have dropped the oldest meanwhile.
            found = super()._find(wanted, 0)
            if found[0] is not CLOSED:
                self._let_one_in()
            return found

    def _make_room(self, item: object) -> object:
        """Give back what is lost: an old message for the new one, or the new one."""
        if self._bound.when_full is WhenFull.REFUSE:
            raise MailboxFullError(f"{len(self._queue)} messages are waiting")
        self.dropped += 1
        if self._bound.when_full is WhenFull.DROP_OLDEST:
            for at, oldest in enumerate(self._queue):
                if not is_signal(oldest):
                    del self._queue[at]
                    super().put(item)
                    return oldest
        return item

    def _let_one_in(self) -> None:
        while self._senders:
            if self._senders.popleft().settle(Outcome.ANSWERED, None):
                return
