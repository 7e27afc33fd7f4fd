"""What a session may cost and how long it may last, and its polite end.

    Open --a limit is reached--> Leaving --the model has finished speaking--> over

While leaving, no response is asked for any more, and what the model is saying is heard
to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Final, Literal

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.effects import Effects, Publish, SetTimer
from realtime_actors.core.response import ResponseMachine
from realtime_actors.core.speech import Speech
from realtime_actors.usage import NOTHING_USED, Pricing, SessionUsage, TranscriptionUsage, Usage

__all__ = ["DURATION_TIMER", "GOODBYE_TIMER", "IDLE_TIMER", "Limits"]

DURATION_TIMER: Final[Hashable] = "limit.duration"
IDLE_TIMER: Final[Hashable] = "limit.idle"
GOODBYE_TIMER: Final[Hashable] = "limit.goodbye"

LEAVING: Final[Hashable] = "leaving"

Limit = Literal["max_cost", "max_duration", "idle_timeout"]


@define(kw_only=True)
class Limits:
    """What was used, and what may be."""

    info: events.EventInfo
    responses: ResponseMachine
    speech: Speech
    model: Callable[[], str | None]
    pricing: Pricing
    max_cost: Decimal | None = None
    max_duration: float | None = None
    idle_timeout: float | None = None
    usage: SessionUsage = NOTHING_USED
    reached: Limit | None = None
    """The limit that ends the session."""
    _last_activity: float = field(default=0.0)

    def start(self, now: float) -> Effects:
        """The conversation begins."""
        self._last_activity = now
        effects: Effects = []
        if self.max_duration is not None:
            effects.append(SetTimer(DURATION_TIMER, self.max_duration))
        if self.idle_timeout is not None:
            effects.append(SetTimer(IDLE_TIMER, self.idle_timeout))
        return effects

    def active(self, now: float) -> None:
        """Somebody said or wrote something."""
        self._last_activity = now

    def response(self, response_id: str | None, usage: Usage) -> Effects:
        """The server has counted a response."""
        cost = self.pricing.cost(self.model(), usage)
        self.usage = self.usage.add(usage, cost)
        event = events.UsageEvent(
            response_id=response_id, usage=usage, cost=cost, session=self.usage, info=self.info
        )
        effects: Effects = [Publish(event)]
        total = self.usage.cost
        if self.max_cost is not None and total is not None and total >= self.max_cost:
            effects += self._reach("max_cost")
        return effects

    def transcription(self, usage: TranscriptionUsage | None) -> None:
        """The server has counted a transcription."""
        if usage is not None:
            self.usage = self.usage.add_transcription(usage)

    def out_of_time(self) -> Effects:
        """`DURATION_TIMER` fired."""
        return self._reach("max_duration")

    def idle(self, now: float) -> Effects:
        """`IDLE_TIMER` fired. Looks whether nobody has spoken in the meantime."""
        if self.idle_timeout is None:
            return []
        quiet = now - max(self._last_activity, self.speech.ledger.ends_at(now))
        if self._speaks or quiet < self.idle_timeout:
            still = self.idle_timeout if self._speaks else self.idle_timeout - quiet
            return [SetTimer(IDLE_TIMER, still)]
        return self._reach("idle_timeout")

    def goodbye(self, now: float) -> float | None:
        """Seconds until the session may end; None while the model is still making speech."""
        if self.reached is None or self._speaks:
            return None
        return max(0.0, self.speech.ledger.ends_at(now) - now)

    @property
    def _speaks(self) -> bool:
        return self.responses.is_active or bool(self.speech.held)

    def _reach(self, limit: Limit) -> Effects:
        if self.reached is not None:
            return []
        self.reached = limit
        self.responses.hold(LEAVING)
        return [Publish(events.LimitReachedEvent(limit=limit, info=self.info))]
