"""One-shot places for an answer: what every wait of the library waits on.

A `Slot` is settled once; whoever comes second is told so and does no harm. That is
what makes a late reply, a second reply and a time-out harmless without any lock
around them.
"""

from __future__ import annotations

from _thread import allocate_lock
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from attrs import frozen

from realtime_actors.otp.kernel.exits import NOPROC, InCall, Reason
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.seconds import LONGEST_WAIT

if TYPE_CHECKING:
    from realtime_actors.otp.kernel.process import Process

__all__ = ["Failed", "From", "Outcome", "Request", "Slot", "StopRequest"]


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
        self._gate = allocate_lock()
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

    def wait(self, timeout: float | None = None) -> bool:
        """Block until settled. Return False on time-out. Any number of threads may wait."""
        left = -1.0 if timeout is None else max(timeout, 0.0)
        while not self._gate.acquire(timeout=min(left, LONGEST_WAIT)):
            if left <= LONGEST_WAIT:
                return False
            left -= LONGEST_WAIT
        self._gate.release()
        return True


class Request(Slot):
    """A call on its way: the message, who asked, and the place for the answer.

    Handlers know it as `from_`, the handle to answer with (`otp.reply`).
    """

    __slots__ = ("caller", "deferred", "message", "server")

    def __init__(self, message: object, caller: Process | None, server: Process) -> None:
        self._claim = [None]
        self._gate = allocate_lock()
        self._gate.acquire()
        self.message = message
        self.caller = caller
        self.server = server
        self.deferred = False
        """Whether the handler has returned without an answer: anybody may give it now."""

    def answer(self, value: object) -> bool:
        """Give the answer. False if there was one, or the caller has given up."""
        if isinstance(value, Failed):
            return self.settle(_FAILED, value.error)
        return self.settle(_ANSWERED, value)

    def reject(self, reason: Reason) -> None:
        """The server ended with `reason` while this was with it."""
        self.settle(_EXITED, reason)

    def drop(self, reason: Reason) -> None:
        """The server ended with `reason` while this was still in its mailbox."""
        self.reject(reason)

    def __repr__(self) -> str:
        return f"<From {self.caller.label if self.caller else 'a thread'}>"


class StopRequest(Request):
    """Asks a server to end with a reason. It waits its turn, like any message."""

    __slots__ = ()

    def drop(self, reason: Reason) -> None:
        # OTP's stop works through a system message: one that was still queued when
        # the server ended says so, even if the reason is the one it asked for.
        self.reject(reason if reason == NOPROC else (reason, InCall("sys.terminate")))


From = Request
"""The handle of a caller: `otp.reply(from_, value)` answers it, from any thread."""
