"""Monitors: be told once when a process ends."""

from __future__ import annotations

from realtime_actors.otp.calls import Target, process_of
from realtime_actors.otp.process import Down, MonitorRef, add_monitor, me, remove_monitor

__all__ = ["Down", "MonitorRef", "demonitor", "monitor"]


def monitor(target: Target) -> MonitorRef:
    """Have a `Down` put into the calling process's mailbox when `target` ends.

    Every monitor is one of its own. Of a target that is gone already, Down comes at
    once with the reason `"noproc"`. Given a name, Down says that name.
    """
    return add_monitor(me("monitor"), process_of(target), target)


def demonitor(monitor_ref: MonitorRef, *, flush: bool = False) -> bool:
    """Withdraw a monitor of the calling process. Always True; another's stays as it is.

    A Down that has arrived stays in the mailbox, unless `flush`.
    """
    watcher = me("demonitor")
    remove_monitor(watcher, monitor_ref)
    if flush:
        watcher.mailbox.discard(
            lambda item: isinstance(item, Down) and item.monitor_ref is monitor_ref
        )
    return True
