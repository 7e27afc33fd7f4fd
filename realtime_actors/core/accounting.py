"""What a session has used, and what that cost, as far as it is known.

The counts are the server's, the prices are in a list. What is not known is never guessed: the
cost is None then, and who has set a limit to it is told, once, that it can't be kept exactly.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.outbox import Outbox
from realtime_actors.usage import (
    NOTHING_USED,
    Pricing,
    SessionUsage,
    TranscriptionUsage,
    Usage,
    why_not_priced,
)

__all__ = ["Accounting"]

_SNAPSHOT: Final = re.compile(r"-\d{4}-\d{2}-\d{2}")
"""What follows the name of a model in the name of a snapshot of it."""


@define(kw_only=True)
class Accounting:
    """The counts of a session."""

    outbox: Outbox
    model: str | None
    """The model that was asked for."""
    pricing: Pricing
    max_cost: Decimal | None = None
    usage: SessionUsage = NOTHING_USED
    known_cost: Decimal = Decimal(0)
    """US dollars of all whose cost is known: the session has cost no less."""
    _told: set[str] = field(factory=set)

    def response(self, response_id: str | None, usage: Usage, model: str | None) -> None:
        """Count a response, of the model that the server names."""
        model = self._priced_as(model)
        cost = self.pricing.cost(model, usage)
        self.usage = self.usage.add(usage, cost)
        self.outbox.publish(
            events.UsageEvent, response_id=response_id, usage=usage, cost=cost, session=self.usage
        )
        if cost is None:
            no_price = None if model in self.pricing.models else f"{model!r} has no price"
            why = no_price or why_not_priced(usage) or "a kind of its tokens has no price"
            self._unknown("response", f"a response cost an unknown amount: {why}")
        else:
            self.known_cost += cost

    def not_counted(self) -> None:
        """Note that the server has not counted a response."""
        self._unknown("response", "the server has not said what a response used")

    def transcription(self, usage: TranscriptionUsage | None, model: str | None) -> None:
        """Count a transcription, if the server has."""
        if usage is None:
            return
        cost = self.pricing.transcription_cost(model, usage)
        self.usage = self.usage.add_transcription(usage, cost)
        if cost is None:
            timed = model in self.pricing.per_minute
            why = "its length is not known" if timed else f"{model!r} has no price per minute"
            self._unknown("transcription", f"a transcription is not counted in it: {why}")
        else:
            self.known_cost += cost

    def _priced_as(self, model: str | None) -> str | None:
        """Return the name by which a model is in the price list.

        A server may name the snapshot that stands behind the name which we have asked for.
        """
        asked = self.model
        if asked is None or model in self.pricing.models:
            return model
        is_snapshot = model is None or (
            model.startswith(asked) and _SNAPSHOT.fullmatch(model.removeprefix(asked))
        )
        return asked if is_snapshot else model

    def _unknown(self, what: str, why: str) -> None:
        """Tell once for each kind of thing: it will be the same with the next one."""
        if self.max_cost is None or what in self._told:
            return
        self._told.add(what)
        self.outbox.publish_error(
            "cost_unknown",
            f"max_cost of ${self.max_cost} can't be kept exactly: {why}. What is known counts;"
            " give prices in RunConfig(pricing=...), or set max_duration as well",
        )
