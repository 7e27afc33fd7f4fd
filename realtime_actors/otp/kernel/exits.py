"""How actors end: reasons, and the exceptions that carry them.

    BaseException
    └── Exit                          end this process with `.reason`
        ├── Cancelled                 this process was ended from outside: unwind
        ├── CallExit                  the server was not there, or ended before it answered
        │                             (also a pykka.ActorDeadError)
        ├── CallTimeout               no answer in time (also a pykka.Timeout and a TimeoutError)
        └── DeadlockError             the answer could never come (also a RuntimeError)
    RealtimeError
    ├── StartFailed                   a process did not start; `.reason` says why
    │   └── DuplicateChildError       two children have the same id (also a ConfigError)
    ├── NoProcessError (LookupError)       nobody is there, where somebody is needed
    │   └── ForkedError               it is in the process that forked this one
    ├── MailboxFullError              a bounded mailbox took no more
    └── TooManyChildrenError (RuntimeError)

A reason is any value. `"normal"`, `"shutdown"` and `("shutdown", detail)` are orderly
ends; an exception is a crash. A failed call that nobody catches becomes the reason
`(reason, InCall)` of its caller, so that a chain of crashes can be read from the
outside in.
"""

from __future__ import annotations

from typing import Final, Self, TypeAlias

import pykka
from attrs import field, frozen

from realtime_actors.errors import RealtimeError

__all__ = [
    "KILL",
    "KILLED",
    "NOPROC",
    "NORMAL",
    "SHUTDOWN",
    "TIMEOUT",
    "CallExit",
    "CallTimeout",
    "Cancelled",
    "DeadlockError",
    "Exit",
    "ForkedError",
    "InCall",
    "MailboxFullError",
    "NoProcessError",
    "Reason",
    "StartFailed",
    "TooManyChildrenError",
    "exception_in",
    "is_orderly",
    "reason_of",
    "was_there",
]

Reason: TypeAlias = object
"""Why a process ended: any value."""

NORMAL: Final = "normal"
SHUTDOWN: Final = "shutdown"
KILL: Final = "kill"
"""Sent with `exit_signal`, it cannot be trapped; what others see is `KILLED`."""
KILLED: Final = "killed"
NOPROC: Final = "noproc"
TIMEOUT: Final = "timeout"
"""The reason of what took too long, and the message of an idle timeout."""


@frozen
class InCall:
    """The library call in which an exit happened."""

    operation: str
    """`"GenServer.call"`, `"GenServer.stop"`, `"Task.await"`, ..."""
    target: object = None
    message: object = field(default=None, repr=False)
    timeout: float | None = None

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        # An error goes to another process: with the name of what it is about, not with that.
        target = None if self.target is None else str(self.target)
        return InCall, (self.operation, target, None, self.timeout)


class Exit(BaseException):
    """Raise it to end the process you are in, with a reason; `terminate` still runs.

    Not an `Exception`, so that an `except Exception` in between does not stop it.
    """

    def __init__(self, reason: Reason = NORMAL, call: InCall | None = None) -> None:
        super().__init__(reason, call)
        self.reason = reason
        self.call = call
        """The call that failed, if it was one."""
        self.__cause__ = exception_in(reason)

    def __str__(self) -> str:
        if self.call is None:
            return f"{self.reason!r}"
        target = "" if self.call.target is None else f" of {self.call.target}"
        return f"{self.reason!r} in {self.call.operation}{target}"

    @property
    def as_reason(self) -> Reason:
        """What a process ends with that does not catch this."""
        return self.reason if self.call is None else (self.reason, self.call)


class Cancelled(Exit):
    """The process that this thread belongs to was ended from outside.

    Whatever the thread still does through the library raises this; nothing of it
    counts any more. Let it through.
    """


class CallExit(Exit, pykka.ActorDeadError):
    """The server was not there (`reason == "noproc"`), or ended before it answered."""


class CallTimeout(Exit, pykka.Timeout, TimeoutError):  # noqa: N818 - OTP's words
    """No answer in time. The request is not withdrawn: it may still be handled."""

    def __init__(self, reason: Reason = TIMEOUT, call: InCall | None = None) -> None:
        super().__init__(reason, call)


class DeadlockError(Exit, RuntimeError):
    """The answer could never come: the actor would wait for itself.

    The reason is `"calling_self"`, or `("deadlock", actors)` with the circle of
    actors that wait for each other.
    """

    def __str__(self) -> str:
        """The reason, and what to do instead."""
        return (
            f"{super().__str__()}: don't wait for the answer there. Send it with `tell` or `cast`,"
            " ask from a task or another thread, or answer your own caller later (`NoReply`, then"
            " `otp.reply`)"
        )


class StartFailed(RealtimeError):  # noqa: N818 - what became of the start
    """A process did not start.

    `reason` is what its `init` ended with, or `"timeout"`, `("already_started", ref)`,
    `("bad_return_value", value)`.
    """

    def __init__(self, reason: Reason) -> None:
        why = f"{reason!r}"
        if isinstance(reason, tuple) and len(reason) == 2 and reason[0] == "already_started":
            why = f"the name is taken by {reason[1]}"
        super().__init__(f"did not start: {why}")
        self.reason = reason
        self.__cause__ = exception_in(reason)


class NoProcessError(RealtimeError, LookupError):
    """Nobody is there under this ref or name, or this thread is no process."""


class ForkedError(NoProcessError):
    """A handle of the parent, in a child of fork: what it stands for lives in the parent only.

    The reason with which all of the parent's processes have ended, as the child sees it.
    """


class MailboxFullError(RealtimeError):
    """A bounded mailbox took no more, and was made to say so."""


class TooManyChildrenError(RealtimeError, RuntimeError):
    """A supervisor has as many children as it may have."""


def reason_of(error: BaseException) -> Reason:
    """The reason with which a process ends that lets `error` through."""
    return error.as_reason if isinstance(error, Exit) else error


def was_there(reason: Reason) -> bool:
    """Whether something that has ended with `reason` had been there to be ended."""
    return reason != NOPROC and not isinstance(exception_in(reason), ForkedError)


def is_orderly(reason: Reason) -> bool:
    """Whether this is a planned end: normal, shutdown or (shutdown, detail)."""
    if isinstance(reason, str):
        return reason in (NORMAL, SHUTDOWN)
    return isinstance(reason, tuple) and len(reason) == 2 and reason[0] == SHUTDOWN


def exception_in(reason: Reason) -> BaseException | None:
    """The exception at the bottom of a reason, if there is one."""
    while isinstance(reason, tuple) and reason:
        reason = reason[0]
    return reason if isinstance(reason, BaseException) else None
