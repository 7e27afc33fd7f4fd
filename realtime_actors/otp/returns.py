"""What the callbacks of a server return.

| callback | returns |
| --- | --- |
| `init` | `Ok`, `Ignore`, `Stop(reason)` |
| `handle_call` | `Reply`, `NoReply`, `Stop` (with or without `reply`) |
| `handle_cast`, `handle_info`, `handle_continue` | `NoReply`, `Stop` |
| `terminate` | anything: it is ignored |

With `timeout` (seconds) the server gets the message `"timeout"` in `handle_info`
unless another message comes first. `continue_` is handed to `handle_continue` before
any other message. `hibernate` is accepted and does nothing: there is no heap to shrink.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from attrs import define, field

from realtime_actors.otp.kernel.exits import NORMAL, Reason

__all__ = ["KEEP", "NOTHING", "Ignore", "NoReply", "Ok", "Reply", "Stop"]


class _Marker(Enum):
    NOTHING = "nothing"
    KEEP = "keep"

    def __repr__(self) -> str:
        return self.name


NOTHING: Final = _Marker.NOTHING
"""No reply, no continue: None is a value like any other."""
KEEP: Final = _Marker.KEEP
"""The state as it was before this message."""


# One of these is made per message, so they are made the cheap way: not frozen, which
# would double the cost. Nobody changes them.


@define
class Ok:
    """The server is ready, with this first state."""

    state: Any = None
    timeout: float | None = field(default=None, kw_only=True)
    continue_: Any = field(default=NOTHING, kw_only=True)
    hibernate: bool = field(default=False, kw_only=True)


@define
class Ignore:
    """Don't start; that is no error. `otp.start` gives None."""


class Inherited:
    """Never given: marks, for type checkers, an `init` that a server did not write itself.

    Such a server always starts, so `otp.start` gives its ref and never None.
    """


@define
class Reply:
    """Answer the caller, go on with this state. `Failed(error)` raises at the caller."""

    value: Any
    state: Any
    timeout: float | None = field(default=None, kw_only=True)
    continue_: Any = field(default=NOTHING, kw_only=True)
    hibernate: bool = field(default=False, kw_only=True)


@define
class NoReply:
    """Go on with this state. A caller goes on waiting for `otp.reply`."""

    state: Any
    timeout: float | None = field(default=None, kw_only=True)
    continue_: Any = field(default=NOTHING, kw_only=True)
    hibernate: bool = field(default=False, kw_only=True)


@define
class Stop:
    """End: `terminate` runs, then the caller gets `reply` if there is one, then others are told."""

    reason: Reason = NORMAL
    state: Any = KEEP
    reply: Any = NOTHING
