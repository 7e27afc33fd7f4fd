"""One-shot places for an answer: what every wait of the library waits on.

A `Slot` is settled once; whoever comes second is told so and does no harm. That is
what makes a late reply, a second reply and a time-out harmless without any lock
around them.
"""

from __future__ import annotations

from _thread import LockType, allocate_lock
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from attrs import frozen

from realtime_actors.otp.kernel.exits import Reason
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.seconds import LONGEST_WAIT

__all__ = ["Asked", "Failed", "Outcome", "Slot"]


class Outcome(IntEnum):
    """What a slot was settled with."""

    ANSWERED = 0
    FAILED = 1
    """The value is an exception, foreseen by the server, for the caller to raise."""
    EXITED = 2
    """The value is the reason with which the server ended."""
    GIVEN_UP = 3
    """The one who waited stopped waiting: time is over, or it was ended itself."""


# Reading a member through its class costs more than all the rest of settling a slot.
_ANSWERED, _FAILED, _EXITED = Outcome.ANSWERED, Outcome.FAILED, Outcome.EXITED


@frozen
class Failed:
    """A reply that is raised at the caller: an error that the server foresaw.

    The server lives on. What it did not foresee, it does not catch: then it ends,
    and the caller gets a `CallExit`.
    """

    error: Exception


class Slot(Handle):
    """A place for one answer, and a gate that opens when it is there."""

    __slots__ = ("_claim", "_gate", "outcome", "value")

    def __init__(self) -> None:
        self._claim = [None]  # popped by the first to settle: list.pop is atomic
        self._gate: LockType | _TellingGate = allocate_lock()
        self._gate.acquire()
        self.outcome: Outcome = Outcome.ANSWERED
        self.value: Any = None

    @property
    def settled(self) -> bool:
        return not self._claim

    def settle(self, outcome: Outcome, value: object) -> bool:
        """Settle it, from any thread. False if somebody was faster."""
        try:
            self._claim.pop()
        except IndexError:
            return False
        self.outcome = outcome
        self.value = value
        self._gate.release()
        return True

    def tell_when_settled(self, tell: Callable[[], object]) -> None:
        """Have `tell` called once it is settled, by the thread that settles it: it must not wait.

        To be said before any other thread knows of the slot.
        """
        self._gate = _TellingGate(self._gate, tell)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until settled. Return False on time-out. Any number of threads may wait."""
        left = -1.0 if timeout is None else max(timeout, 0.0)
        while not self._gate.acquire(timeout=min(left, LONGEST_WAIT)):
            if left <= LONGEST_WAIT:
                return False
            left -= LONGEST_WAIT
        self._gate.release()
        return True


class _TellingGate:
    """A gate that tells when it opens. In place of a lock, so that no other slot pays for it."""

    __slots__ = ("_gate", "_tell")

    def __init__(self, gate: LockType | _TellingGate, tell: Callable[[], object]) -> None:
        self._gate = gate
        self._tell = [tell]

    def acquire(self, *, timeout: float) -> bool:
        return self._gate.acquire(timeout=timeout)

    def release(self) -> None:
        self._gate.release()
        try:
            tell = self._tell.pop()
        except IndexError:
            return  # who waits opens it again, for the next one
        tell()


class Asked(Slot):
    """A place for the answer to a call that is on its way: what a mailbox knows of `Request`."""

    __slots__ = ("deferred",)

    deferred: bool
    """Whether the handler has returned without an answer: any thread may give it now."""

    is_signal = False
    """Whether it asks for the end: no bound of a mailbox holds that up."""

    def answer(self, value: object) -> bool:
        """Give the answer. False if there was one, or the caller has given up."""
        if isinstance(value, Failed):
            return self.settle(_FAILED, value.error)
        return self.settle(_ANSWERED, value)

    def reject(self, reason: Reason) -> None:
        """Say that the server ended with `reason` while this was with it."""
        self.settle(_EXITED, reason)

    def drop(self, reason: Reason) -> None:
        """Say that the server ended with `reason` while this was still in its mailbox."""
        self.reject(reason)
