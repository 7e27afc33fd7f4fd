"""The clock behind timers: one thread, started by the first of them; or a test's own."""

from __future__ import annotations

import contextlib
import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final, Protocol

from realtime_actors.otp import fork
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.otp.kernel.process import Process
from realtime_actors.seconds import LONGEST_WAIT
from realtime_actors.seconds import seconds as check_seconds

__all__ = ["FakeClock", "TimerRef", "call_later", "current_clock", "fake_clock"]

log = logging.getLogger("realtime_actors.otp")


class TimerRef(Handle):
    """A timer that was set. Compares by identity."""

    __slots__ = ("_action", "_clock", "_due", "_every", "_owner", "_pending")

    def __init__(
        self,
        clock: _Clock,
        due: float,
        every: float | None,
        action: Callable[[], None],
        owner: Process | None,
    ) -> None:
        self._clock = clock
        self._due = due
        self._every = every
        self._action: Callable[[], None] | None = action
        self._owner = owner
        self._pending = True

    def cancel(self) -> float | bool:
        """Take the timer back. Gives the seconds that were left; False if it is over."""
        left = self.left()
        self._settle()
        return left

    def left(self) -> float | bool:
        """Seconds until it fires; False if it has fired or was cancelled."""
        return max(0.0, self._due - self._clock.now()) if self._pending else False

    def _settle(self) -> None:
        self._pending = False
        self._action = None  # what it would have sent may be large
        if self._owner is not None:
            self._owner.timers.pop(self, None)

    def _fire(self) -> None:
        action = self._action
        if action is None:
            return
        if self._every is None:
            self._settle()
        else:
            # What was missed is not made up for: a timer that is always late would leave
            # no time for the others.
            self._due = max(self._due + self._every, self._clock.now())
            self._clock.add(self)
        action()


class _Clock(Protocol):
    def now(self) -> float: ...

    def add(self, timer: TimerRef) -> None: ...


class _Heap:
    """Timers by due time; of those due at the same time, the first that was set first."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, TimerRef]] = []
        self._order = count()
        self._tidy_at = 64

    def push(self, timer: TimerRef) -> None:
        if len(self._entries) >= self._tidy_at:
            # A timer that was cancelled stays in the heap until it would be due.
            self._entries = [entry for entry in self._entries if entry[2]._pending]
            heapq.heapify(self._entries)
            self._tidy_at = max(64, 2 * len(self._entries))
        heapq.heappush(self._entries, (timer._due, next(self._order), timer))

    def next_due(self) -> float | None:
        while self._entries and not self._entries[0][2]._pending:
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else None

    def pop(self) -> TimerRef:
        return heapq.heappop(self._entries)[2]


class _ThreadedClock:
    """The real one."""

    def __init__(self) -> None:
        self._begin()
        fork.in_child(self._begin)

    def _begin(self) -> None:
        self._heap = _Heap()
        self._changed = threading.Condition()  # guards the heap and the thread
        self._thread: threading.Thread | None = None

    now = staticmethod(time.monotonic)

    def add(self, timer: TimerRef) -> None:
        with self._changed:
            self._heap.push(timer)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="otp-timer", daemon=True)
                thread.start()
                self._thread = thread  # not before: there may be no thread to be had
            self._changed.notify()

    def _run(self) -> None:
        while True:
            try:
                timer = self._wait_for_one()
                timer._fire()  # without the lock: it may set and cancel timers
                del timer
            except BaseException:
                # All timers of the program are ours: nothing of one of them ends us.
                log.exception("a timer failed")

    def _wait_for_one(self) -> TimerRef:
        with self._changed:
            while True:
                due = self._heap.next_due()
                left = LONGEST_WAIT if due is None else due - self.now()
                if left <= 0.0:
                    return self._heap.pop()
                self._changed.wait(min(left, LONGEST_WAIT))


class FakeClock:
    """A clock that stands still until a test moves it (`otp.fake_clock`)."""

    def __init__(self) -> None:
        self._heap = _Heap()
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def add(self, timer: TimerRef) -> None:
        self._heap.push(timer)

    def advance(self, seconds: float) -> None:
        """Let time pass, and fire in this thread what comes due, in order."""
        until = self._now + check_seconds(seconds, "the time to advance")
        while True:
            due = self._heap.next_due()
            if due is None or due > until:
                break
            self._now = max(self._now, due)
            try:
                self._heap.pop()._fire()
            except Exception:
                log.exception("a timer failed")
        self._now = until


_real: Final[_Clock] = _ThreadedClock()
_clock: _Clock = _real


@contextlib.contextmanager
def fake_clock() -> Iterator[FakeClock]:
    """Within this block, timers that are set go by a clock that only the test moves.

    So does whoever takes its time from `current_clock()` within it.
    """
    global _clock
    before, _clock = _clock, FakeClock()
    try:
        yield _clock
    finally:
        _clock = before


def current_clock() -> Callable[[], float]:
    """The clock that timers go by here and now: `time.monotonic`, or a test's `FakeClock`.

    For what has to agree with its timers about the time.
    """
    return _clock.now


def call_later(
    seconds: float,
    action: Callable[[], None],
    *,
    every: float | None = None,
    owner: Process | None = None,
) -> TimerRef:
    """Call something short in so many seconds, in the timers' own thread.

    With `every`, again and again after that. It ends with the process `owner`.
    """
    timer = TimerRef(_clock, _clock.now() + seconds, every, action, owner)
    if owner is not None:
        owner.timers[timer] = None
        if owner.dead:
            timer.cancel()
            return timer
    _clock.add(timer)
    return timer
