"""Timers: messages that arrive later."""

from __future__ import annotations

from typing import Final

from realtime_actors.errors import ConfigError
from realtime_actors.otp.kernel.calls import Target, process_of
from realtime_actors.otp.kernel.clock import (
    FakeClock,
    TimerRef,
    call_later,
    current_clock,
    fake_clock,
)
from realtime_actors.otp.kernel.process import ProcessRef, current
from realtime_actors.seconds import seconds as check_seconds

__all__ = [
    "FakeClock",
    "TimerRef",
    "cancel_timer",
    "current_clock",
    "fake_clock",
    "read_timer",
    "send_after",
    "send_interval",
]

SHORTEST_INTERVAL: Final = 0.001
"""Seconds. A timer that fires more often would keep the timers' thread busy."""


def send_after(target: Target, message: object, seconds: float) -> TimerRef:
    """Send a plain message in so many seconds.

    If `target` is a name, whoever holds it then gets it. If nobody is there, it is lost.
    The timer does not end with the process that set it.
    """
    return _set(target, message, check_seconds(seconds, "the time of a timer"), None)


def send_interval(target: Target, message: object, seconds: float) -> TimerRef:
    """Send a plain message every so many seconds, until cancelled or the target's end.

    Raises `ConfigError` for less than a millisecond. A message that is late because the
    program was busy is sent once, however many were due.
    """
    every = check_seconds(seconds, "the interval of a timer", zero=False)
    if every < SHORTEST_INTERVAL:
        raise ConfigError(
            f"the interval of a timer is {seconds!r}: allowed is a millisecond or more"
        )
    return _set(target, message, every, every)


def cancel_timer(timer: TimerRef) -> float | bool:
    """Take a timer back. Gives the seconds that were left; False if it is over.

    A message that was sent already stays sent.
    """
    current()
    return timer.cancel()


def read_timer(timer: TimerRef) -> float | bool:
    """Seconds until a timer fires; False if it has fired or was cancelled."""
    return timer.left()


def _set(target: Target, message: object, seconds: float, every: float | None) -> TimerRef:
    current()
    there = process_of(target)  # refuses what is no target, now and not when time is up
    owner = there if isinstance(target, ProcessRef) else None

    def fire() -> None:
        receiver = owner or process_of(target)
        if receiver is not None:
            # Past any bound of the mailbox: nobody may hold up this thread.
            receiver.mailbox.put_signal(message)

    return call_later(seconds, fire, every=every, owner=owner)
