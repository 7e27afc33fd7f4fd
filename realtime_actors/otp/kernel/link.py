"""Links and exit signals: processes that end together, and those that trap exits."""

from __future__ import annotations

from realtime_actors.otp.kernel.calls import Target, process_of
from realtime_actors.otp.kernel.ends import add_link, kill, remove_link, signal
from realtime_actors.otp.kernel.exits import KILL, NOPROC, NoProcessError, Reason
from realtime_actors.otp.kernel.process import ExitMessage, current, me

__all__ = ["ExitMessage", "exit_signal", "link", "trap_exit", "unlink"]


def link(target: Target) -> bool:
    """Tie the calling process and `target` together: one that crashes ends the other.

    There is at most one link between two processes. If `target` is gone, a process
    that traps exits gets an `ExitMessage` with `"noproc"`, any other gets `NoProcessError`.
    """
    one, other = me("link"), process_of(target)
    if other is None or not add_link(one, other):
        if not one.trap_exit:
            raise NoProcessError(f"{target!r} is gone: nothing to link to")
        one.mailbox.put_signal(ExitMessage(target, NOPROC))
    return True


def unlink(target: Target) -> bool:
    """Untie the calling process and `target`. Always True.

    An `ExitMessage` that has arrived stays in the mailbox.
    """
    one, other = me("unlink"), process_of(target)
    if other is not None:
        remove_link(one, other)
    return True


def trap_exit(flag: bool = True) -> bool:
    """Have exit signals put into the mailbox as `ExitMessage`, instead of ending us.

    Gives what it was before. `"kill"` from `exit_signal` cannot be trapped.
    """
    process = me("trap_exit")
    before, process.trap_exit = process.trap_exit, flag
    return before


def exit_signal(target: Target, reason: Reason) -> bool:
    """Send an exit signal. Always True, also if nobody is there.

    It ends a process that does not trap exits, at once and without `terminate`, unless
    the reason is `"normal"`. `"kill"` ends any process, with the reason `"killed"`.
    """
    sender, process = current(), process_of(target)
    if process is None:
        return True
    if reason == KILL:
        kill(process)
    else:
        signal(process, sender, reason)
    current()
    return True
