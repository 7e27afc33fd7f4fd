"""Monitors: be told once when a process ends."""

from __future__ import annotations

from realtime_actors.otp.kernel.calls import Target, process_of
from realtime_actors.otp.kernel.ends import add_monitor, remove_monitor
from realtime_actors.otp.kernel.process import Down, MonitorRef, me

__all__ = ["Down", "MonitorRef", "demonitor", "monitor"]


def monitor(target: Target) -> MonitorRef:
    """Have a `Down` put into the calling process's mailbox when `target` ends.

    Every monitor is one of its own. Of a target that is gone already, Down comes at
    once with the reason `"noproc"`. Given a name, Down says that name.
    """
    return add_monitor(me("monitor"), process_of(target), target)


def demonitor(monitor_ref: MonitorRef, *, flush: bool = False, info: bool = False) -> bool:
    """Withdraw a monitor of the calling process; another's stays as it is. Gives True.

    A Down that has arrived stays in the mailbox, unless `flush`. With `info`, gives whether
    there was a monitor: False when its Down has been sent, or when it was withdrawn before.
    """
    watcher = me("demonitor")
    removed = remove_monitor(watcher, monitor_ref)
    if flush:
        watcher.mailbox.discard(
            lambda item: isinstance(item, Down) and item.monitor_ref is monitor_ref
        )
    return removed or not info
