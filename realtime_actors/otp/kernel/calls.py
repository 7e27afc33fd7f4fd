"""Sending: call (asks and waits), cast (tells), send (everything else), stop.

A target is a ref, the name of a process, or a place in a registry (`otp.via`); a
plain pykka actor will do too. Nothing here raises because a receiver is gone, except
`call` and `stop`, which wait for it, and `send` to a name that nobody holds.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, TypeAlias

import pykka

from realtime_actors.otp.kernel.exits import (
    NOPROC,
    NORMAL,
    CallExit,
    CallTimeout,
    Cancelled,
    DeadlockError,
    InCall,
    NoProcessError,
    Reason,
)
from realtime_actors.otp.kernel.foreign import FOREIGN, foreign_process
from realtime_actors.otp.kernel.mailbox import CAST
from realtime_actors.otp.kernel.process import (
    CLIENT,
    TASK,
    Process,
    ProcessRef,
    current,
    names,
    own_thread,
    take_turn,
)
from realtime_actors.otp.kernel.requests import From, Request, StopRequest
from realtime_actors.otp.kernel.slots import Outcome
from realtime_actors.seconds import seconds_or_none

__all__ = [
    "Name",
    "Place",
    "Target",
    "ask",
    "await_answer",
    "call",
    "cast",
    "deliver",
    "deliver_inline",
    "give_up",
    "process_of",
    "reply",
    "send",
    "send_inline",
    "stop",
    "stop_process",
    "whereis",
]

CALL = "GenServer.call"
STOP = "GenServer.stop"


class Place(ABC):
    """Where a name is kept other than in the global table: see `otp.via`."""

    @abstractmethod
    def find(self) -> Process | None:
        """The process that is registered here now."""

    @abstractmethod
    def take(self, process: Process) -> Process | None:
        """Register a process here, or say who is."""


Name: TypeAlias = str | Place
Target: TypeAlias = ProcessRef | pykka.ActorRef[Any] | Name


def process_of(target: Target) -> Process | None:
    """The process that a ref or name means now; None if that is nobody."""
    if isinstance(target, ProcessRef):
        return target._process
    if isinstance(target, str):
        return names.get(target)
    if isinstance(target, pykka.ActorRef):
        return foreign_process(target)
    if isinstance(target, Place):
        return target.find()
    raise TypeError(f"{target!r} is neither a ref nor a name")


def whereis(name: Name) -> Any:
    """The ref of whoever holds a name; None if nobody does."""
    process = process_of(name)
    return None if process is None or process.dead else process.ref


def deliver(process: Process, item: object) -> None:
    """Put an item into a mailbox, unless this thread's own process has been ended."""
    sender = own_thread.process
    if sender is None:
        process.mailbox.put(item)
        return
    # `sending` first, then look: whoever ends us looks the other way round, so that
    # nothing of ours can arrive after the news of our end.
    sender.sending = True
    try:
        if sender.dead:
            raise Cancelled(sender.reason)
        process.mailbox.put(item)
    finally:
        sender.sending = False


def deliver_inline(process: Process, item: object) -> None:
    """Have a process handle an item in this thread if it has nothing else to do, or `deliver`."""
    if not take_turn(process, item):
        deliver(process, item)


def send(target: Target, message: object) -> None:
    """Put a plain message into a mailbox: it goes to `handle_info`.

    A process that is gone swallows it. A name that nobody holds raises `NoProcessError`.
    """
    process = target._process if isinstance(target, ProcessRef) else process_of(target)
    if process is None:
        raise NoProcessError(f"nobody is called {target!r}")
    deliver(process, message)


def send_inline(target: Target, message: object) -> None:
    """`send`, and have it handled by this thread if the receiver has nothing else to do.

    That saves two changes of thread. It comes back when the handler has returned. A receiver
    that is busy, or whose class does not say `inline = True`, finds the message in its mailbox
    as ever. In either case a server handles the messages of one sender in the order in which
    they were sent, and what a handler raises ends the server, not the sender.
    """
    process = target._process if isinstance(target, ProcessRef) else process_of(target)
    if process is None:
        raise NoProcessError(f"nobody is called {target!r}")
    deliver_inline(process, message)


def cast(target: Target, message: object) -> None:
    """Put a message into a mailbox for `handle_cast`. Whoever is gone swallows it."""
    process = process_of(target)
    if process is not None:
        deliver(process, (CAST, message))


def reply(from_: From, value: object) -> None:
    """Answer a call, from any thread, once; whatever comes later is dropped.

    `Failed(error)` makes the caller raise `error`.
    """
    current()
    from_.answer(value)
    if from_.deferred:
        from_.server.deferred.pop(from_, None)


def call(target: Target, message: object, timeout: float | None = 5.0) -> Any:
    """Ask, and wait for the answer of `handle_call`.

    Raises `CallTimeout` after `timeout` seconds (None: wait for ever), `CallExit` when
    the server is gone or ends before it answers, `DeadlockError` at once when it waits
    for us, and the error that the server foresaw (`Failed`).
    """
    timeout = seconds_or_none(timeout, "the timeout of a call")
    process = process_of(target)
    if process is None:
        current()
        raise CallExit(NOPROC, InCall(CALL, target, message, timeout))
    if process.kind == FOREIGN:
        return _ask_plainly(process.ref, message, timeout)
    return ask(process, message, timeout)


def _ask_plainly(ref: pykka.ActorRef[Any], message: object, timeout: float | None) -> Any:
    current()
    try:
        return ref.ask(message, timeout=timeout)
    except pykka.ActorDeadError as error:
        raise CallExit(NOPROC, InCall(CALL, ref, message, timeout)) from error
    except pykka.Timeout as error:
        raise CallTimeout(call=InCall(CALL, ref, message, timeout)) from error


def ask(process: Process, message: object, timeout: float | None) -> Any:
    """`call`, once it is known who is meant."""
    request = Request(message, own_thread.process, process)
    return await_answer(request, timeout, CALL, send=True)


def await_answer(
    request: Request,
    timeout: float | None,
    operation: str,
    *,
    send: bool = False,
    again: bool = False,
) -> Any:
    """Wait for the answer to a request (`send` it first), and raise what is no answer.

    `again` says that somebody may wait for it again after a time-out.
    """
    caller = own_thread.process
    outer = None
    answered = False
    try:
        if caller is not None:
            # First say that we wait, then look whether the server waits for us: of two
            # that call each other at the same time, one at least sees the other.
            outer, caller.waiting = caller.waiting, request
            if caller.dead:
                raise Cancelled(caller.reason)
            _check_for_deadlock(caller, request, timeout, operation)
        if send:
            _bring(request)
        answered = request.wait(timeout)
    finally:  # also when we are ended, or interrupted by Ctrl-C
        if caller is not None:
            caller.waiting = outer
        if not answered and not again:
            answered = give_up(request)
    if caller is not None and caller.dead:
        raise Cancelled(caller.reason)
    if answered and request.outcome is Outcome.ANSWERED:
        return request.value
    if answered and request.outcome is Outcome.FAILED:
        error = request.value
        raise error.with_traceback(_without_its_callers(error.__traceback__))
    where = InCall(operation, request.server.ref, request.message, timeout)
    if answered and request.outcome is Outcome.EXITED:
        raise CallExit(request.value, where)
    raise CallTimeout(call=where)


def _bring(request: Request) -> None:
    """Have the server handle a call in this thread if it can, or put it into its mailbox."""
    # In the main thread Ctrl-C may come out of anything. Out of a caller, and not out of the
    # middle of a handler: that would be the server's end.
    here = threading.current_thread() is not threading.main_thread()
    (deliver_inline if here else deliver)(request.server, request)


def _without_its_callers(traceback: TracebackType | None) -> TracebackType | None:
    """What a traceback had before it was raised here the last time.

    One error may be the answer to many calls: it shows where it comes from, and the call
    that it was raised to last.
    """
    inner = traceback
    while inner is not None:
        if inner.tb_frame.f_code is await_answer.__code__:
            return inner.tb_next
        inner = inner.tb_next
    return traceback


def give_up(request: Request) -> bool:
    """Stop waiting. True if the answer has come after all."""
    if request.settle(Outcome.GIVEN_UP, None):
        request.server.deferred.pop(request, None)
        return False
    return request.wait()


def _check_for_deadlock(
    caller: Process, request: Request, timeout: float | None, operation: str
) -> None:
    """Raise `DeadlockError` if the server waits for us, directly or through others.

    A call counts as waiting until its handler has returned: after that (a deferred
    reply) anybody may answer it, and nothing is certain.
    """
    circle = [caller]
    server = request.server
    while server is not caller:
        step = server.waiting
        if not isinstance(step, Request) or step.settled or step.deferred or server in circle:
            return
        circle.append(server)
        server = step.server
    if request.settled:
        return
    where = InCall(operation, request.server.ref, request.message, timeout)
    if len(circle) == 1:
        raise DeadlockError("calling_self", where)
    raise DeadlockError(("deadlock", tuple(each.ref for each in circle)), where)


def stop(target: Target, reason: Reason = NORMAL, timeout: float | None = None) -> None:
    """Ask a server to end with `reason`, and wait until it has.

    The request waits its turn: what was sent before is handled. Raises `CallExit` when
    the server is gone already or ends with another reason; `CallTimeout`.
    """
    timeout = seconds_or_none(timeout, "the timeout of a stop")
    current()
    process = process_of(target)
    if process is None:
        raise CallExit(NOPROC, InCall(STOP, target, None, timeout))
    if process.kind in (TASK, CLIENT):
        raise ValueError(f"{process.label} is no server that could be stopped: use exit_signal")
    if process.kind == FOREIGN:
        _stop_plainly(process.ref, timeout)
    else:
        stop_process(process, reason, timeout)


def _stop_plainly(ref: pykka.ActorRef[Any], timeout: float | None) -> None:
    try:
        ended = ref.stop(timeout=timeout)
    except pykka.Timeout as error:
        raise CallTimeout(call=InCall(STOP, ref, None, timeout)) from error
    if not ended:
        raise CallExit(NOPROC, InCall(STOP, ref, None, timeout))


def stop_process(process: Process, reason: Reason, timeout: float | None) -> None:
    """`stop`, once it is known who is meant."""
    began = time.monotonic()
    request = StopRequest(reason, own_thread.process, process)
    try:
        await_answer(request, timeout, STOP, send=True)
    except CallExit as exit_:
        if exit_.reason != reason:
            raise
    thread = process.thread
    if thread is not None:
        # It has nothing left to do but to end. Waiting for that leaves no thread to be
        # seen by whoever counts them next.
        left = None if timeout is None else max(0.0, timeout - (time.monotonic() - began))
        thread.join(1.0 if left is None else min(left, 1.0))
