"""Timers: messages that arrive later."""

from __future__ import annotations

from realtime_actors.otp.calls import Target, process_of
from realtime_actors.otp.clock import (
    FakeClock,
    TimerRef,
    call_later,
    current_clock,
    fake_clock,
)
from realtime_actors.otp.process import ProcessRef, current

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


def send_after(target: Target, message: object, seconds: float) -> TimerRef:
    """Send a plain message in so many seconds.

    If `target` is a name, whoever holds it then gets it. If nobody is there, it is lost.
    The timer does not end with the process that set it.
    """
    return _set(target, message, seconds, None)


def send_interval(target: Target, message: object, seconds: float) -> TimerRef:
    """Send a plain message every so many seconds, until cancelled or the target's end."""
    return _set(target, message, seconds, seconds)


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
    owner = process_of(target) if isinstance(target, ProcessRef) else None

    def fire() -> None:
        receiver = owner or process_of(target)
        if receiver is not None:
            # Past any bound of the mailbox: nobody may hold up this thread.
            receiver.mailbox.put_signal(message)

    return call_later(seconds, fire, every=every, owner=owner)
