"""The control block: what an actor is, apart from the thread that runs it.

A `Process` has a mailbox, names, links, monitors and an end. Servers, tasks and
clients each have one. It can be ended by anybody at any time (`end`): from then on it
is dead for everyone, whatever its thread is doing. A thread that can't be stopped is
*detached*: the library ignores all that it still does.

One lock guards all control blocks. Messages never take it: only starts, ends, links,
monitors and names do.
"""

from __future__ import annotations

import logging
import threading
import time
from _thread import get_ident
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from itertools import count
from typing import Any, Final

from attrs import frozen

from realtime_actors.otp.kernel import fork
from realtime_actors.otp.kernel.exits import (
    KILLED,
    NOPROC,
    NORMAL,
    Cancelled,
    ForkedError,
    NoProcessError,
    Reason,
    exception_in,
    is_orderly,
)
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.otp.kernel.mailbox import DeadLetters, Mailbox, Signal
from realtime_actors.otp.kernel.slots import Asked, Outcome, Slot
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
    "add_link",
    "add_monitor",
    "cancelled",
    "check",
    "current",
    "detached",
    "detached_count",
    "end",
    "kill",
    "log_crash",
    "me",
    "names",
    "own_thread",
    "processes",
    "remove_link",
    "remove_monitor",
    "self_",
    "signal",
    "signals",
    "sleep",
    "start_thread",
    "take_turn",
    "thread_is_done",
    "wait",
]

log = logging.getLogger("realtime_actors.otp")

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


# -- the end ---------------------------------------------------------------------------


def end(process: Process, reason: Reason) -> None:
    """End a process for everybody, now. Spreads along its links. Once it is dead, does nothing.

    Not the same as asking it to end: its `terminate` does not run.
    """
    todo = deque([(process, reason)])
    while todo:
        dying, why = todo.popleft()
        with signals:
            if dying.dead:
                continue
            dying.reason = why
            dying.dead = True
            links, monitors = dying.links, dying.monitors
            _forget(dying)
        _after_its_last_message(dying)
        try:
            for farewell in dying.farewell:
                try:
                    farewell()
                except Exception:  # it is not the fault of whoever ends it
                    log.exception("%s could not say goodbye", dying.label)
        finally:
            dying.farewell = ()
            with signals:
                todo.extend((peer, why) for peer in links if _spreads_to(peer, dying, why))
                for monitor in monitors:
                    _tell_watcher(monitor, why)
            _release_the_waiting(dying, why)


def _forget(dying: Process) -> None:
    """Take a process out of every table. The lock is held."""
    processes.pop(dying, None)
    for name in dying.names:
        if isinstance(name, str) and names.get(name) is dying:
            del names[name]
    for monitor in dying.watching:
        if monitor._target is not None:
            monitor._target.monitors.pop(monitor, None)
    for timer in list(dying.timers):
        timer.cancel()
    dying.names = ()
    dying.links, dying.monitors, dying.watching, dying.timers = {}, {}, {}, {}
    dying.parent = None
    if _is_busy(dying):
        detached[dying] = None


# A link or a monitor that is withdrawn between an end and the telling of it is told
# nothing any more: that is why the other side's note of it decides. The lock is held.


def _spreads_to(peer: Process, dying: Process, why: Reason) -> bool:
    linked = dying in peer.links
    peer.links.pop(dying, None)
    return linked and _is_fatal(peer, dying, why)


def _tell_watcher(monitor: MonitorRef, why: Reason) -> None:
    watcher = monitor._watcher
    if monitor in watcher.watching:
        del watcher.watching[monitor]
        watcher.mailbox.put_signal(Down(monitor, monitor._name, why))


def _is_busy(dying: Process) -> bool:
    """Whether a thread other than ours is in the middle of something that can't be stopped."""
    thread = dying.thread
    return (
        thread is not None
        and thread is not threading.current_thread()
        and not dying.thread_done
        and not dying.mailbox.waiting
        and dying.waiting is None
    )


def _after_its_last_message(dying: Process) -> None:
    # A thread that is just putting a message somewhere finishes that: else the message
    # could arrive after the news of the end. It is a matter of a few instructions, unless
    # the mailbox is full: then it waits for room, and will be told. (Or unless it is in
    # the inbox of a plain pykka actor: nobody knows how long that takes.) So does a thread
    # that has borrowed the turn: its handler waits for nothing.
    if dying.thread is not threading.current_thread() and dying.borrower != get_ident():
        deadline = time.monotonic() + 0.1
        while (
            (dying.sending or dying.borrower is not None)
            and dying.waiting is None
            and time.monotonic() < deadline
        ):
            time.sleep(0)
    if dying in detached:
        log.warning("%s was ended while busy: its thread is detached", dying.label)


def _release_the_waiting(dying: Process, why: Reason) -> None:
    dying.mailbox.close(why)
    for request in (dying.handling, *dying.deferred):
        if request is not None:
            request.reject(why)
    dying.deferred = {}
    start, waiting = dying.start, dying.waiting
    if start is not None:
        start.settle(Outcome.EXITED, why)
    if waiting is not None:
        waiting.settle(Outcome.GIVEN_UP, None)


def _abandon_all() -> None:
    """Begin anew, in a child of fork: all processes are the parent's, and so is this thread's."""
    for process in list(processes):
        _abandon(process)
    processes.clear()
    detached.clear()
    names.clear()
    own_thread.process = None


def _abandon(process: Process) -> None:
    # Not `end`: nobody here is to be told, or to do anything about it. Nothing is waited
    # for, and no lock of the parent's is touched.
    why = ForkedError(fork.lives_elsewhere(process.label))
    process.dead, process.reason = True, why
    abandoned, process.mailbox = process.mailbox, DeadLetters(why)
    process.names, process.farewell, process.parent, process.context = (), (), None, None
    process.handle_here = process.borrower = None
    process.links, process.monitors, process.watching, process.timers = {}, {}, {}, {}
    process.thread, process.thread_done, process.sending = None, True, False
    process.start = process.waiting = None
    for request in (process.handling, *process.deferred):
        if request is not None:
            request.reject(why)
    process.handling, process.deferred = None, {}
    abandoned.abandon(why)


fork.hold_over_fork(signals)
fork.in_child(_abandon_all)


def thread_is_done(process: Process) -> None:
    """The last thing that a process's thread does: from now on it counts for nothing."""
    with signals:
        process.thread_done = True
        process.thread = process.context = process.handle_here = None
        detached.pop(process, None)


def log_crash(process: Process, reason: Reason) -> None:
    """Say that a process ends for a reason that nobody planned."""
    if not is_orderly(reason):
        log.error("%s ends: %r", process.label, reason, exc_info=exception_in(reason))


# -- signals ---------------------------------------------------------------------------


def signal(process: Process, sender: Process | None, reason: Reason) -> None:
    """Deliver an exit signal."""
    with signals:
        fatal = _is_fatal(process, sender, reason)
    if fatal:
        end(process, reason)


def _is_fatal(process: Process, sender: Process | None, reason: Reason) -> bool:
    """Whether an exit signal ends the process; if it traps exits, give it as a message."""
    if process.dead:
        return False
    if process.trap_exit:
        if process.obeys_parent and sender is not None and process.parent is sender:
            process.mailbox.put_signal(ParentExit(reason))
        else:
            process.mailbox.put_signal(ExitMessage(None if sender is None else sender.ref, reason))
        return False
    return reason != NORMAL or sender is process


def kill(process: Process) -> None:
    """End a process whatever it does, with the reason `"killed"`."""
    end(process, KILLED)


def add_monitor(watcher: Process, target: Process | None, name: object) -> MonitorRef:
    """Have `watcher` told once when `target` ends; at once if it has, or is nobody."""
    monitor = MonitorRef(watcher, target, name)
    with signals:
        if target is not None and not target.dead:
            target.monitors[monitor] = None
            watcher.watching[monitor] = None
            return monitor
    watcher.mailbox.put_signal(Down(monitor, name, NOPROC))
    return monitor


def remove_monitor(watcher: Process, monitor: MonitorRef) -> bool:
    """Withdraw a monitor of `watcher`'s own; another's stays. False if there was none."""
    with signals:
        if monitor not in watcher.watching:
            return False
        del watcher.watching[monitor]
        if monitor._target is not None:
            monitor._target.monitors.pop(monitor, None)
        return True


def add_link(one: Process, other: Process) -> bool:
    """Tie two processes together. False if `other` has ended."""
    with signals:
        if other.dead:
            return False
        if one is not other and not one.dead:
            one.links[other] = None
            other.links[one] = None
        return True


def remove_link(one: Process, other: Process) -> None:
    with signals:
        one.links.pop(other, None)
        other.links.pop(one, None)
