"""What a conversation costs: tokens as the server counts them, and money by a price list.

The counts come from the server (`response.done`, transcriptions). What they cost is
looked up in a `Pricing`, which is data: for a model that is not in it the answer is
None, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Self

import attrs
from attrs import field, frozen

from realtime_actors.errors import ConfigError, did_you_mean

__all__ = [
    "PRICES",
    "CachedTokensDetails",
    "InputTokenDetails",
    "OutputTokenDetails",
    "Price",
    "Pricing",
    "RateLimit",
    "SessionUsage",
    "TranscriptionUsage",
    "Usage",
]


@frozen(kw_only=True)
class CachedTokensDetails:
    """Input tokens that the server had seen before, by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


@frozen(kw_only=True)
class InputTokenDetails:
    """Input tokens by kind. The cached ones are among them, not beside them."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokensDetails = CachedTokensDetails()


@frozen(kw_only=True)
class OutputTokenDetails:
    """Output tokens by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0


@frozen(kw_only=True)
class Usage:
    """What a response cost, in tokens. Transcription is counted apart from it."""

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokenDetails = InputTokenDetails()
    output_token_details: OutputTokenDetails = OutputTokenDetails()


@frozen(kw_only=True)
class TranscriptionUsage:
    """What a transcription cost: tokens (`type` is tokens), or seconds (duration)."""

    type: str
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: InputTokenDetails | None = None
    seconds: float | None = None


@frozen(kw_only=True)
class RateLimit:
    """What may still be asked for. `name` is requests or tokens."""

    name: str = ""
    limit: int = 0
    remaining: int = 0
    reset_seconds: float = 0.0


@frozen(kw_only=True)
class SessionUsage:
    """What a session has used so far."""

    responses: int = 0
    """Responses that the server has counted."""
    tokens: Usage = Usage()
    """Of all responses together."""
    transcribed_tokens: int = 0
    transcribed_seconds: float = 0.0
    """Transcriptions are counted in tokens or in seconds: that depends on their model."""
    cost: Decimal | None = None
    """US dollars of the responses; None when the model has no price. Transcriptions have
    models, and prices, of their own: they are not in it."""

    def add(self, usage: Usage, cost: Decimal | None) -> SessionUsage:
        """With one response more."""
        total = cost if self.responses == 0 else _sum(self.cost, cost)
        return attrs.evolve(
            self, responses=self.responses + 1, tokens=_added(self.tokens, usage), cost=total
        )

    def add_transcription(self, usage: TranscriptionUsage) -> SessionUsage:
        """With one transcription more."""
        return attrs.evolve(
            self,
            transcribed_tokens=self.transcribed_tokens + (usage.total_tokens or 0),
            transcribed_seconds=self.transcribed_seconds + (usage.seconds or 0.0),
        )


def _money(value: object) -> Decimal:
    return Decimal(str(value))


@frozen(kw_only=True)
class Price:
    """What a model costs: US dollars per million tokens, by kind."""

    text_input: Decimal = field(converter=_money)
    text_cached: Decimal = field(converter=_money)
    text_output: Decimal = field(converter=_money)
    audio_input: Decimal = field(converter=_money)
    audio_cached: Decimal = field(converter=_money)
    audio_output: Decimal = field(converter=_money)
    image_input: Decimal = field(default=Decimal(0), converter=_money)
    image_cached: Decimal = field(default=Decimal(0), converter=_money)

    def cost(self, usage: Usage) -> Decimal:
        """US dollars for this usage. Cached tokens are among the input, and cost less."""
        given, made = usage.input_token_details, usage.output_token_details
        cached = given.cached_tokens_details
        dollars = (
            (given.text_tokens - cached.text_tokens) * self.text_input
            + cached.text_tokens * self.text_cached
            + (given.audio_tokens - cached.audio_tokens) * self.audio_input
            + cached.audio_tokens * self.audio_cached
            + (given.image_tokens - cached.image_tokens) * self.image_input
            + cached.image_tokens * self.image_cached
            + made.text_tokens * self.text_output
            + made.audio_tokens * self.audio_output
        )
        return dollars / 1_000_000


@frozen
class Pricing:
    """A price list, by model.

    Prices change: `Pricing.from_dict({"my-model": {"text_input": 4, ...}})` makes your
    own, `PRICES | yours` adds it to the ones that the library knows.
    """

    models: Mapping[str, Price]

    @classmethod
    def from_dict(cls, prices: Mapping[str, Mapping[str, Any]]) -> Self:
        """Read a list of US dollars per million tokens. Raises `ConfigError`."""
        known = {each.name for each in attrs.fields(Price)}
        for model, price in prices.items():
            for kind in price:
                if kind not in known:
                    raise ConfigError(
                        f"the price of {model!r} has no kind {kind!r}: {did_you_mean(kind, known)}"
                    )
        try:
            return cls({model: Price(**price) for model, price in prices.items()})
        except (TypeError, ArithmeticError) as error:
            raise ConfigError(f"not a price list: {error}") from error

    def cost(self, model: str | None, usage: Usage) -> Decimal | None:
        """US dollars for this usage of a model; None for a model without a price.

        Snapshots have prices of their own: a name counts as it is written.
        """
        price = self.models.get(model or "")
        return None if price is None else price.cost(usage)

    def __or__(self, other: Pricing) -> Pricing:
        return Pricing({**self.models, **other.models})


_REALTIME: Final = {
    "text_input": 4, "text_cached": "0.40", "text_output": 16,
    "audio_input": 32, "audio_cached": "0.40", "audio_output": 64,
    "image_input": 5, "image_cached": "0.50",
}  # fmt: skip
_REALTIME_MINI: Final = {
    "text_input": "0.60", "text_cached": "0.06", "text_output": "2.40",
    "audio_input": 10, "audio_cached": "0.30", "audio_output": 20,
    "image_input": "0.80", "image_cached": "0.08",
}  # fmt: skip
_PREVIEW: Final = {
    "text_input": 5, "text_cached": "2.50", "text_output": 20,
    "audio_input": 40, "audio_cached": "2.50", "audio_output": 80,
}  # fmt: skip

NOTHING_USED: Final = SessionUsage()

PRICES: Final = Pricing.from_dict(
    {
        "gpt-realtime": _REALTIME,
        "gpt-realtime-2025-08-28": _REALTIME,
        "gpt-realtime-mini": _REALTIME_MINI,
        "gpt-realtime-mini-2025-10-06": _REALTIME_MINI,
        "gpt-4o-realtime-preview": _PREVIEW,
        "gpt-4o-realtime-preview-2024-12-17": _PREVIEW,
    }
)
"""OpenAI's list prices as of January 2026. Models that are not here cost an unknown amount."""


def _added(one: Any, other: Any) -> Any:
    """Two counts of the same class, added member by member."""
    members = {}
    for each in attrs.fields(type(one)):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        members[each.name] = _added(mine, theirs) if attrs.has(type(mine)) else mine + theirs
    return type(one)(**members)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
