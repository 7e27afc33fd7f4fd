"""Whether a call that waits keeps an event loop waiting, and what is said then.

A blocking call in the thread of a running event loop does what it says, and meanwhile nothing
else of that loop runs. Programs that have nothing else to run work that way, so it is a
warning; a `for` over a stream keeps the loop for the length of a call, and is an error.

Nothing is said in a notebook, where a loop runs in every cell, nor in a tool, whose loop is
its own.
"""

from __future__ import annotations

import sys

from realtime_actors import otp
from realtime_actors.config.models import warn
from realtime_actors.errors import BlockingInEventLoopWarning, EventLoopError

__all__ = ["refuse_in_event_loop", "warn_in_event_loop"]

NOTEBOOKS = "ipykernel"


def warn_in_event_loop(what: str) -> None:
    """Warn, at the line that called the library, that `what` keeps an event loop waiting."""
    if _keeps_a_loop_waiting():
        message = (
            f"{what} waits, and an event loop runs in this thread: nothing else of it runs"
            " meanwhile. Use `realtime_actors.aio` (`async with aio.run(agent) as session`,"
            " `aio.Session(session)` for one that runs), or `await asyncio.to_thread(...)`"
        )
        warn([message], BlockingInEventLoopWarning)


def refuse_in_event_loop() -> None:
    """Raise `EventLoopError` for a loop over a blocking stream in an event loop's thread."""
    if _keeps_a_loop_waiting():
        raise EventLoopError(
            "`for` over the events of a session keeps the event loop of this thread waiting until"
            " the session ends. Use `async for event in aio.Session(session).events()`, of"
            " `realtime_actors.aio`"
        )


def _keeps_a_loop_waiting() -> bool:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except (RuntimeError, AttributeError):  # there is none; or it is being imported just now
        return False
    return NOTEBOOKS not in sys.modules and not isinstance(otp.self_(), otp.TaskRef)
