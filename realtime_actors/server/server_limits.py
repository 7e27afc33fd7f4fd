"""Limits of one server: what it does for its clients, and what it does not."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

from attrs import field, frozen

from realtime_actors.errors import ConfigError
from realtime_actors.seconds import seconds, seconds_or_none, unlimited

__all__ = ["Pace", "ServerLimits"]


@frozen(kw_only=True)
class ServerLimits:
    """The bounds of a server that stands on a network. Raises `ConfigError` for what is none."""

    connections: int = 100
    """How many clients at once. Another one gets status 503."""
    message_bytes: int = 32 * 2**20
    """Of one message. A longer one closes the connection with code 1009. The usual limit is more
    than the largest append (15 MiB of audio in base64)."""
    events_per_second: int = 1000
    """Of one client. What is more is read later: the client has to wait, and no other."""
    write_timeout: float = 30.0
    """Seconds for a client to read what it was sent, until it is given up."""
    ping_interval: float | None = field(default=20.0, converter=unlimited)
    """Seconds between two pings; None for no pings. They find clients whose network has gone."""
    ping_timeout: float = 20.0
    """Seconds for a client to answer one."""
    open_timeout: float = 10.0
    """Seconds for a client to say what it wants."""

    def __attrs_post_init__(self) -> None:
        for name in ("connections", "message_bytes", "events_per_second"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"ServerLimits.{name} is {value!r}: a whole number above 0")
        for name in ("write_timeout", "ping_timeout", "open_timeout"):
            seconds(getattr(self, name), f"ServerLimits.{name}", zero=False)
        seconds_or_none(self.ping_interval, "ServerLimits.ping_interval", zero=False)

    def bound_writes(self, sock: socket.socket) -> None:
        """Let the system give up a write that takes longer than `write_timeout`."""
        whole, fraction = divmod(min(self.write_timeout, 1e6), 1)
        time_limit = struct.pack("@ll", int(whole), int(fraction * 1e6))  # a struct timeval
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time_limit)


@frozen
class Pace:
    """How fast one client is read: a bucket of one second's events, refilled evenly."""

    per_second: int
    _clock: Callable[[], float] = time.monotonic
    _full_at: list[float] = field(factory=lambda: [0.0])

    def delay(self) -> float:
        """Note an event. Return how many seconds to wait before the next is read."""
        now = self._clock()
        full_at = max(self._full_at[0], now) + 1 / self.per_second
        self._full_at[0] = full_at
        return max(0.0, full_at - now - 1.0)
