"""A machine with a clock of its own: its timers fire when their time has come."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from attrs import define, field

from realtime_actors.core.effects import CancelTimer, Effects, SetTimer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import TimerFired
from tests.core.machine import AnyMessage

__all__ = ["Timed"]


@define
class Timed:
    """A machine, the time, and the timers that it has set."""

    machine: SessionMachine
    after: Callable[[AnyMessage, Effects], object] = lambda message, effects: None
    """Called after each message, with its effects."""
    now: float = 0.0
    timers: dict[Hashable, float] = field(factory=dict)

    def tell(self, *messages: AnyMessage) -> Effects:
        """All effects of the messages."""
        told: Effects = []
        for message in messages:
            effects = self.machine.handle(message, self.now)
            for effect in effects:
                match effect:
                    case SetTimer(key=key, delay=delay):
                        self.timers[key] = self.now + delay
                    case CancelTimer(key=key):
                        self.timers.pop(key, None)
            self.after(message, effects)
            told += effects
        return told

    def wait(self, seconds: float) -> Effects:
        """Let time pass. Gives the effects of all timers that were due in it."""
        until, told = self.now + seconds, Effects()
        while self.timers:
            key = min(self.timers, key=lambda each: self.timers[each])
            if self.timers[key] > until:
                break
            self.now = max(self.now, self.timers.pop(key))
            told += self.tell(TimerFired(key))
        self.now = until
        return told
