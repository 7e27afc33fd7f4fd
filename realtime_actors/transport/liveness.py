"""Whether the other side of a connection is still there: a ping after silence, then patience.

    alive --nothing heard for `interval`--> asked --anything heard--> alive
                                            asked --nothing for `timeout`--> dead
    any --data waits, and nothing of it is taken for `timeout`--> dead

Whatever is read is a sign of life, be it a part of a frame. So is it when the network takes
what had to wait: a ping behind it may not have left yet. Arithmetic only: times come in.
"""

from __future__ import annotations

from typing import Final

from realtime_actors.errors import TransportError

__all__ = ["ABNORMAL_CLOSURE", "Liveness"]

ABNORMAL_CLOSURE: Final = 1006
"""The close code of RFC 6455 for a connection that ended without one. It never travels."""


class Liveness:
    """What is known of one connection. Not thread-safe: its owner locks.

    Nothing is timed while data flows. Its owner calls `check` when `due` has come, and finds out
    then how long ago the last sign of life was.
    """

    def __init__(self, interval: float | None, timeout: float | None, now: float) -> None:
        """See `ModelConfig.ping_interval` and `ModelConfig.ping_timeout`."""
        self._interval = interval
        self._timeout = timeout
        self.heard_at = now
        """When the last sign of life came. Set by who reads: this is the way of every frame."""
        self._asked_at: float | None = None  # a ping was sent, since when nothing was heard
        self._stuck_since: float | None = None  # data waits, and nothing of it has been taken

    @property
    def due(self) -> float | None:
        """When to call `check`; None for never. Signs of life that come later move it on."""
        times = []
        if self._interval is not None and self._asked_at is None:
            times.append(self.heard_at + self._interval)
        if self._timeout is not None:
            since = [each for each in (self._asked_at, self._stuck_since) if each is not None]
            times += [each + self._timeout for each in since]
        return min(times, default=None)

    def check(self, now: float, waiting: int) -> bool:
        """Return whether to send a ping. Raises `TransportError` when the connection is dead.

        `waiting` bytes have not been taken by the network.
        """
        if self._stuck_since is not None and self._is_over(self._stuck_since, now):
            took_nothing = f"the server has taken nothing for {now - self._stuck_since:.3g} s"
            raise TransportError(f"{took_nothing}: {waiting} bytes wait", code=ABNORMAL_CLOSURE)
        if self._asked_at is not None:
            # Heard at the very time of the ping: clocks are coarse, and it may be the answer.
            if self.heard_at < self._asked_at:
                if self._is_over(self._asked_at, now):
                    silent = f"no sign of life for {now - self.heard_at:.3g} s"
                    raise TransportError(silent, code=ABNORMAL_CLOSURE)
                return False
            self._asked_at = None
        if self._interval is None or now < self.heard_at + self._interval:
            return False
        self._asked_at = now
        return True

    def answered(self) -> None:
        """Note the answer to a ping, so that `due` is that of the next one."""
        self._asked_at = None

    def waits(self, now: float) -> None:
        """Note that data has begun to wait for the network."""
        self._stuck_since = now

    def taken(self, now: float, waiting: int) -> None:
        """Note that the network has taken some of what waited, and how much waits on."""
        self.heard_at = now
        self._stuck_since = now if waiting else None

    def begin_anew(self, now: float, waiting: int) -> None:
        """Forget how long it has been silent: we did not listen."""
        self._asked_at = None
        self.taken(now, waiting)

    def _is_over(self, since: float, now: float) -> bool:
        return self._timeout is not None and now >= since + self._timeout
