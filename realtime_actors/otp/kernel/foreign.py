"""Plain pykka actors as processes: they can be monitored, linked and supervised too.

Nobody tells us of their end, so somebody looks: at the next message to them, or four
times a second. The reason is not known.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import pykka

from realtime_actors.otp import fork
from realtime_actors.otp.kernel.clock import TimerRef, call_later
from realtime_actors.otp.kernel.ends import end
from realtime_actors.otp.kernel.exits import NOPROC
from realtime_actors.otp.kernel.mailbox import CAST, Mailbox
from realtime_actors.otp.kernel.process import Process, processes, signals

__all__ = ["FOREIGN", "UNKNOWN", "find_the_dead", "foreign_process"]

FOREIGN: Final = "foreign"
"""The kind of such a process."""
UNKNOWN: Final = "unknown"
"""The reason with which it ends."""
LOOK_EVERY_SECONDS: Final = 0.25

_known: Final[dict[pykka.ActorRef[Any], Process]] = {}
_looking: TimerRef | None = None


class _ForeignMailbox(Mailbox):
    """Hands on what it is given."""

    __slots__ = ("_ref", "process")

    def __init__(self, ref: pykka.ActorRef[Any]) -> None:
        super().__init__()
        self._ref = ref
        self._waiting = True  # its thread is none of ours
        self.process: Process | None = None

    def put(self, item: Any, /) -> None:
        cast = type(item) is tuple and len(item) == 2 and item[0] is CAST
        try:
            self._ref.tell(item[1] if cast else item)
        except pykka.ActorDeadError:
            if self.process is not None:
                end(self.process, UNKNOWN)

    def put_signal(self, item: object, /) -> None:
        self.put(item)

    def __len__(self) -> int:
        size = getattr(self._ref.actor_inbox, "qsize", None)
        return int(size()) if size is not None else 0


def foreign_process(ref: pykka.ActorRef[Any]) -> Process:
    """The process that stands for a plain pykka actor."""
    global _looking
    process = _known.get(ref)
    if process is not None:
        if not ref.is_alive():
            end(process, UNKNOWN)
        return process
    with signals:
        process = _known.get(ref)
        if process is not None:
            return process
        mailbox = _ForeignMailbox(ref)
        process = Process(FOREIGN, ref.actor_class.__name__, mailbox)
        process.ref, mailbox.process = ref, process
        if not ref.is_alive():
            process.dead, process.reason = True, NOPROC
            return process
        process.farewell = (lambda: _part_from(ref),)
        _known[ref] = process
        processes[process] = None
        if _looking is None:
            _looking = call_later(LOOK_EVERY_SECONDS, find_the_dead, every=LOOK_EVERY_SECONDS)
    return process


def _forget() -> None:
    """Begin anew, in a child of fork. Pykka does not know that its actors are the parent's."""
    global _looking
    _known.clear()
    _looking = None
    stopped = threading.Event()
    stopped.set()
    for ref in pykka.ActorRegistry.get_all():
        ref.actor_stopped = stopped
        pykka.ActorRegistry.unregister(ref)


fork.hold_over_fork(pykka.ActorRegistry._actor_refs_lock)
fork.in_child(_forget)


def _part_from(ref: pykka.ActorRef[Any]) -> None:
    # Whoever ends it from our side wants it to stop; whoever found it dead does no harm.
    _known.pop(ref, None)
    ref.stop(block=False)


def find_the_dead() -> None:
    """End the processes of plain pykka actors that have ended."""
    global _looking
    with signals:
        gone = [process for ref, process in _known.items() if not ref.is_alive()]
    for process in gone:
        end(process, UNKNOWN)
    with signals:
        if not _known and _looking is not None:
            _looking.cancel()
            _looking = None
