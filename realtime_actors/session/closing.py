"""Ending sessions from outside: one within a time, or all of a process; and taking no new ones.

A session ends itself, in its own thread (`SessionServer.terminate`). Here is what others
do about it: they wait, for as long as they were told to, and then it is over without it.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Collection
from contextlib import nullcontext, suppress
from typing import Any, Final

from realtime_actors import messages, otp
from realtime_actors.errors import StartCause, StartError
from realtime_actors.otp import fork
from realtime_actors.otp.kernel.clock import call_later
from realtime_actors.otp.kernel.ends import end
from realtime_actors.otp.kernel.process import processes
from realtime_actors.session.shared import SharedState

__all__ = [
    "SESSION",
    "begin_close",
    "check_open",
    "close",
    "cut",
    "end_all",
    "refuse_new",
    "running",
    "take_new",
]

log = logging.getLogger("realtime_actors.session")

SESSION: Final = "session"
"""What a session is called among processes (`otp.observe`)."""

AT_EXIT: Final = 1.0
"""Seconds that the end of the program waits for sessions that are still open. Ours."""

_refusal = ""  # why no session is started


def close(session: otp.ServerRef, shared: SharedState, timeout: float) -> None:
    """End a session, and wait for that. What still runs after `timeout` seconds is cut."""
    shared.closing = True
    try:
        otp.stop(session, timeout=timeout)
    except otp.CallTimeout:
        _cut(session, shared, timeout)
    except otp.CallExit:
        return


def begin_close(session: otp.ServerRef, shared: SharedState, timeout: float) -> otp.Answer[bool]:
    """Do what `close` does, without waiting for it: the answer is there once it has ended."""
    shared.closing = True
    ended = session.stop(block=False)
    # In a thread of its own, if it comes to that: the timers' thread is there for all.
    cut = threading.Thread(
        target=_cut, args=(session, shared, timeout), name="realtime-cut", daemon=True
    )
    timer = call_later(timeout, cut.start)
    ended.when_there(timer.cancel)
    return ended


def _cut(session: otp.ServerRef, shared: SharedState, timeout: float) -> None:
    log.warning(
        "session %s: not ended within %g s, and cut: waited for %s",
        session.actor_urn,
        timeout,
        _what_hangs(shared),
    )
    # As a kill would, but in order: it was asked for, so no supervisor starts it again.
    # Its connections are closed by that.
    end(session._process, (otp.SHUTDOWN, "closed"))


def _what_hangs(shared: SharedState) -> str:
    held_up_by = shared.subscribers.held_up_by
    return f"the put of {', '.join(held_up_by)}" if held_up_by else shared.waits_for


# -- all of a process --------------------------------------------------------------------


def running() -> tuple[Any, ...]:
    """Return the handles of all sessions of this process that have not ended."""
    return tuple(each.ref for each in tuple(processes) if each.kind == SESSION)


def end_all(message: messages.Close, within: float) -> tuple[Any, ...]:
    """Ask all sessions to end, and return those that have not done so `within` so many seconds.

    Those that are started meanwhile are asked as well. For a thread that is a process.
    """
    deadline = time.monotonic() + within
    asked: dict[otp.MonitorRef, Any] = {}
    while True:
        for session in running():
            if not any(each is session for each in asked.values()):
                asked[otp.monitor(session)] = session
                session.tell(message)
        if not asked:
            return ()
        left = max(0.0, deadline - time.monotonic())
        try:
            down = otp.receive(left, match=lambda each: _monitor_of(each) in asked)
        except TimeoutError:
            for monitor in asked:
                otp.demonitor(monitor, flush=True)
            return tuple(asked.values())
        del asked[down.monitor_ref]


def _monitor_of(message: object) -> otp.MonitorRef | None:
    return message.monitor_ref if isinstance(message, otp.Down) else None


def cut(sessions: Collection[Any]) -> None:
    """End sessions without waiting for anything of theirs."""
    for session in sessions:
        close(session, session.shared, 0.0)


@atexit.register
def _end_at_exit() -> None:
    # Threads of the library never hold up the end of the program; so this is for what others
    # see of it: the server has a goodbye, the trace its last line, a subscriber the end.
    refuse_new("the program is ending")
    if running():
        is_process = otp.self_() is not None
        with suppress(otp.Exit), nullcontext() if is_process else otp.Client():
            end_all(messages.Close(), AT_EXIT)


# -- no new ones ---------------------------------------------------------------------------


def refuse_new(why: str) -> None:
    """Start no session any more, in this process."""
    global _refusal
    _refusal = why


def take_new() -> None:
    """Start sessions again."""
    refuse_new("")


def check_open() -> None:
    """Raise `StartError` if no session is to be started any more."""
    if _refusal:
        raise StartError(f"no session is started: {_refusal}", StartCause.SHUTTING_DOWN)


fork.in_child(take_new)
