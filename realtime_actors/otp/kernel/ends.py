"""How a process ends, and who hears of it: links, monitors, exit signals.

A process can be ended by any other at any time (`end`): from then on it is dead for
all, whatever its thread is doing. A thread that can't be stopped is *detached*: the
library ignores all that it still does.
"""

from __future__ import annotations

import logging
import threading
import time
from _thread import get_ident
from collections import deque

from realtime_actors.otp import fork
from realtime_actors.otp.kernel.exits import (
    KILLED,
    NOPROC,
    NORMAL,
    ForkedError,
    Reason,
    exception_in,
    is_orderly,
)
from realtime_actors.otp.kernel.mailbox import DeadLetters
from realtime_actors.otp.kernel.process import (
    Down,
    ExitMessage,
    MonitorRef,
    ParentExit,
    Process,
    detached,
    names,
    own_thread,
    processes,
    signals,
)
from realtime_actors.otp.kernel.slots import Outcome

__all__ = [
    "add_link",
    "add_monitor",
    "end",
    "kill",
    "log_crash",
    "remove_link",
    "remove_monitor",
    "signal",
]

log = logging.getLogger("realtime_actors.otp")


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


def log_crash(process: Process, reason: Reason) -> None:
    """Say that a process ends for a reason that nobody planned."""
    if not is_orderly(reason):
        log.error("%s ends: %r", process.label, reason, exc_info=exception_in(reason))


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
