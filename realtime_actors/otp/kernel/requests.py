"""Calls on their way: who asks whom, for what, and the place for the answer."""

from __future__ import annotations

from _thread import allocate_lock

from realtime_actors.otp.kernel.exits import NOPROC, InCall, Reason
from realtime_actors.otp.kernel.process import Process
from realtime_actors.otp.kernel.slots import Asked

__all__ = ["From", "Request", "StopRequest"]


class Request(Asked):
    """A call on its way: the message, who asked, and the place for the answer.

    Handlers know it as `from_`, the handle to answer with (`otp.reply`).
    """

    __slots__ = ("caller", "message", "server")

    def __init__(self, message: object, caller: Process | None, server: Process) -> None:
        self._claim = [None]
        self._gate = allocate_lock()
        self._gate.acquire()
        self.message = message
        self.caller = caller
        self.server = server
        self.deferred = False

    def __repr__(self) -> str:
        return f"<From {self.caller.label if self.caller else 'a thread'}>"


class StopRequest(Request):
    """Asks a server to end with a reason. It waits its turn, like any message."""

    __slots__ = ()

    is_signal = True

    def drop(self, reason: Reason) -> None:
        # OTP's stop works through a system message: one that was still queued when
        # the server ended says so, even if the reason is the one it asked for.
        self.reject(reason if reason == NOPROC else (reason, InCall("sys.terminate")))


From = Request
"""The handle of a caller: `otp.reply(from_, value)` answers it, from any thread."""
