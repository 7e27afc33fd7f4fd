"""The control block: what an actor is, apart from the thread that runs it.

A `Process` has a mailbox, names, links, monitors and an end. Servers, tasks and
clients each have one. How one ends, and who hears of it, is in `ends`.

One lock guards all control blocks. Messages never take it: only starts, ends, links,
monitors and names do.
"""

from __future__ import annotations

import threading
import time
from _thread import get_ident
from collections.abc import Callable
from contextvars import Context, copy_context
from itertools import count
from typing import Any, Final

from attrs import frozen

from realtime_actors.otp.kernel.exits import Cancelled, NoProcessError, Reason
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.otp.kernel.mailbox import Mailbox, Signal
from realtime_actors.otp.kernel.slots import Asked, Slot
from realtime_actors.seconds import seconds as check_seconds

__all__ = [
    "CLIENT",
    "TASK",
    "Down",
    "ExitMessage",
    "MonitorRef",
    "ParentExit",
    "Process",
    "ProcessRef",
    "cancelled",
    "check",
    "current",
    "detached",
    "detached_count",
    "me",
    "names",
    "own_thread",
    "processes",
    "self_",
    "signals",
    "sleep",
    "start_thread",
    "take_turn",
    "thread_is_done",
    "wait",
]

signals: Final = threading.RLock()
"""Guards every control block and the names. Held for no call that can wait."""


class ProcessRef(Handle):
    """A handle of a process, to be passed around freely. Compares by identity."""

    _process: Process

    def is_alive(self) -> bool:
        """Whether the process has not ended yet."""
        return not self._process.dead


class MonitorRef(Handle):
    """One monitor: `Down.monitor_ref` says which of them it is from."""

    __slots__ = ("_name", "_number", "_target", "_watcher")
    _numbers = count(1)

    def __init__(self, watcher: Process, target: Process | None, name: object) -> None:
        self._number = next(MonitorRef._numbers)
        self._watcher = watcher
        self._target = target
        self._name = name

    def __repr__(self) -> str:
        return f"<MonitorRef {self._number}>"


@frozen
class Down(Signal):
    """A monitored process is gone. Comes once per monitor, after all it sent before."""

    monitor_ref: MonitorRef
    actor: Any
    """What was monitored: the ref, or the name if it was given by name."""
    reason: Reason


@frozen
class ExitMessage(Signal):
    """An exit signal, as a process that traps exits gets it."""

    actor: Any
    """The ref of the process that it came from; None for a thread that is no process."""
    reason: Reason


@frozen
class ParentExit(Signal):
    """The exit of the process that start_linked a server which traps exits."""

    reason: Reason


class Process:
    """What identifies an actor, and what others know of it."""

    __slots__ = (
        "__weakref__",
        "borrower",
        "context",
        "dead",
        "deferred",
        "farewell",
        "handle_here",
        "handled",
        "handling",
        "kind",
        "label",
        "links",
        "mailbox",
        "monitors",
        "names",
        "obeys_parent",
        "parent",
        "reason",
        "ref",
        "restarts",
        "sending",
        "since",
        "start",
        "thread",
        "thread_done",
        "timers",
        "trap_exit",
        "waiting",
        "watching",
    )
    _numbers = count(1)

    def __init__(self, kind: str, name: str, mailbox: Mailbox) -> None:
        self.kind = kind
        self.label = f"{name}-{next(Process._numbers)}"
        self.mailbox = mailbox
        self.ref: Any = None
        self.context: Context | None = None
        """The context variables that its code sees: a copy of what its starter's code saw."""
        self.handle_here: Callable[[object], bool] | None = None
        """Handles a message in a thread that has borrowed the turn. False: it would rather not."""
        self.borrower: int | None = None
        """The thread that has borrowed the turn."""
        self.dead = False
        self.reason: Reason = None
        self.trap_exit = False
        self.parent: Process | None = None
        """Who start_linked it."""
        self.obeys_parent = False
        """Whether it ends with its parent even if it traps exits, as servers do."""
        self.restarts = 0
        self.names: tuple[object, ...] = ()
        self.links: dict[Process, None] = {}
        self.monitors: dict[MonitorRef, None] = {}
        self.watching: dict[MonitorRef, None] = {}
        self.timers: dict[Any, None] = {}
        self.farewell: tuple[Callable[[], object], ...] = ()
        """Called once it has ended, before anybody is told, without the lock."""
        self.start: Slot | None = None
        self.handling: Asked | None = None
        self.deferred: dict[Asked, None] = {}
        self.waiting: Slot | None = None
        self.sending = False
        self.thread: threading.Thread | None = None
        self.thread_done = False
        self.handled = 0
        self.since = time.time()

    def __repr__(self) -> str:
        return f"<Process {self.label}>"


TASK: Final = "task"
CLIENT: Final = "client"
"""Kinds of processes that run no loop of ours."""


class _Own(threading.local):
    process: Process | None = None


own_thread: Final = _Own()
"""`own_thread.process`: the process that the running thread belongs to, or None."""

names: Final[dict[str, Process]] = {}
processes: Final[dict[Process, None]] = {}
"""All that are alive, in the order of their start."""
detached: Final[dict[Process, None]] = {}
"""All that have ended while their thread was busy and still is."""


def start_thread(
    process: Process, run: Callable[..., None], *args: Any, daemon: bool, enter: bool = True
) -> None:
    """Give a process its thread, and a copy of the context of whoever starts it.

    Without `enter` it is left to `run` to go into that context.
    """
    process.context = context = copy_context()
    target, args = (context.run, (run, *args)) if enter else (run, args)
    process.thread = threading.Thread(target=target, args=args, name=process.label, daemon=daemon)
    process.thread.start()


def thread_is_done(process: Process) -> None:
    """The last thing that a process's thread does: from now on it counts for nothing."""
    with signals:
        process.thread_done = True
        process.thread = process.context = process.handle_here = None
        detached.pop(process, None)


def take_turn(process: Process, message: object) -> bool:
    """Handle a message in this thread, as `process`, if its own thread has nothing to do.

    False if it has, if it is dead, or if it is none that others may run: then nothing was
    done. Why nothing is overtaken, and nothing lost: see `mailbox`.
    """
    handle, sender = process.handle_here, own_thread.process
    if handle is None or not process.mailbox.borrow():
        return False
    try:
        # As in `deliver`: first say what we are at, then look who lives.
        process.borrower = get_ident()
        if sender is not None:
            sender.sending = True
        if process.dead or process.context is None or (sender is not None and sender.dead):
            return False
        own_thread.process = process
        return process.context.run(handle, message)
    finally:
        own_thread.process = sender
        if sender is not None:
            sender.sending = False
        process.borrower = None
        process.mailbox.turn.release()


# -- who am I --------------------------------------------------------------------------


def current() -> Process | None:
    """The process of this thread, if it is one. Raises `Cancelled` if it has been ended."""
    process = own_thread.process
    if process is not None and process.dead:
        raise Cancelled(process.reason)
    return process


def me(what: str) -> Process:
    """The process of this thread, for something that only a process can do."""
    process = current()
    if process is None:
        raise NoProcessError(
            f"{what} needs a process: this thread is none, use `with otp.Client():`"
        )
    return process


def self_() -> Any:
    """The ref of the process that this thread belongs to; None in any other thread."""
    process = own_thread.process
    return None if process is None else process.ref


def cancelled() -> bool:
    """Whether the process of this thread was ended from outside, so that its work is for nothing.

    For handlers and tasks that take long: ask now and then, and return.
    """
    process = own_thread.process
    return process is not None and process.dead


def check() -> None:
    """Raise `Cancelled` if the process of this thread was ended from outside."""
    current()


def detached_count() -> int:
    """How many threads still run for a process that was ended over their heads."""
    return len(detached)


# -- waiting ---------------------------------------------------------------------------


def wait(slot: Slot, timeout: float | None = None) -> bool:
    """Wait until a slot is settled. False when time is over.

    Raises `Cancelled` as soon as the process of this thread is ended.
    """
    process = own_thread.process
    if process is None:
        return slot.wait(timeout)
    outer = process.waiting
    process.waiting = slot
    try:
        if process.dead:
            raise Cancelled(process.reason)
        in_time = slot.wait(timeout)
    finally:
        process.waiting = outer
    if process.dead:
        raise Cancelled(process.reason)
    return in_time


def sleep(seconds: float) -> None:
    """Like `time.sleep`, but ends at once, with `Cancelled`, when the process is ended."""
    wait(Slot(), check_seconds(seconds, "the time to sleep"))
