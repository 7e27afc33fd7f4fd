"""A look at all that is running, as plain data: what `observer` is on the BEAM."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from realtime_actors.otp.kernel.foreign import find_the_dead
from realtime_actors.otp.kernel.process import Process, detached, processes

__all__ = ["ProcessInfo", "Snapshot", "Status", "observe"]


class Status(StrEnum):
    """What a process is doing."""

    IDLE = "idle"
    """Waits for a message."""
    WAITING = "waiting"
    """Waits for an answer, in the middle of a message."""
    RUNNING = "running"
    DETACHED = "detached"
    """Ended by somebody else while its thread was busy: only the thread is left."""


@frozen(kw_only=True)
class ProcessInfo:
    """A process at one moment."""

    label: str
    """Its class (or function) and a number: unique, and the name of its thread."""
    kind: str
    """`"server"`, `"supervisor"`, `"task"`, `"client"`, or `"foreign"`: a plain pykka actor."""
    ref: Any = field(repr=False)
    names: tuple[str, ...]
    """Its names, and the keys under which it was started (`otp.via`)."""
    status: Status
    mailbox: int
    """Messages that wait."""
    handled: int
    """Messages that were handled."""
    dropped: int
    """Messages that a bounded mailbox did not take."""
    restarts: int
    """How many times its supervisor has started it again."""
    since: float
    """When it was started: seconds since the epoch, as of `time.time`."""
    links: tuple[str, ...]
    """Labels of the processes that are linked to it."""
    monitored_by: tuple[str, ...]
    """Labels of the processes that monitor it."""
    parent: str | None
    """The label of the process that start_linked it."""
    children: tuple[ProcessInfo, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, ProcessInfo]]:
        """It and all below it, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@frozen(kw_only=True)
class Snapshot:
    """All processes at one moment, as trees of parents and children."""

    at: float
    """Seconds since the epoch."""
    roots: tuple[ProcessInfo, ...]
    detached: tuple[ProcessInfo, ...]
    """What has ended, but for its thread."""

    def walk(self) -> Iterator[tuple[int, ProcessInfo]]:
        """All processes that live, parents before children, each with its depth."""
        for root in self.roots:
            yield from root.walk()


def observe() -> Snapshot:
    """Look at every process there is. Disturbs none of them."""
    find_the_dead()  # nobody told us of their end
    living = list(processes)
    below: dict[Process | None, list[Process]] = {}
    for process in living:
        parent = process.parent
        below.setdefault(None if parent is None or parent.dead else parent, []).append(process)

    def tree(process: Process) -> ProcessInfo:
        return _info(process, tuple(tree(each) for each in below.get(process, ())))

    return Snapshot(
        at=time.time(),
        roots=tuple(tree(each) for each in below.get(None, ())),
        detached=tuple(_info(each, ()) for each in list(detached)),
    )


def _info(process: Process, children: tuple[ProcessInfo, ...]) -> ProcessInfo:
    parent = process.parent
    return ProcessInfo(
        label=process.label,
        kind=process.kind,
        ref=process.ref,
        names=tuple(str(name) for name in process.names),
        status=_status(process),
        mailbox=len(process.mailbox),
        handled=process.handled,
        dropped=getattr(process.mailbox, "dropped", 0),
        restarts=process.restarts,
        since=process.since,
        links=tuple(each.label for each in list(process.links)),
        monitored_by=tuple(each._watcher.label for each in list(process.monitors)),
        parent=None if parent is None else parent.label,
        children=children,
    )


def _status(process: Process) -> Status:
    if process.dead:
        return Status.DETACHED
    if process.mailbox.waiting and process.borrower is None:
        return Status.IDLE
    return Status.RUNNING if process.waiting is None else Status.WAITING
