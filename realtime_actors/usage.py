"""What a conversation costs: tokens as the server counts them, and money by a price list.

The counts come from the server (`response.done`, transcriptions). What they cost is
looked up in a `Pricing`, which is data. The answer is None, never a guess, for a model that
is not in it, and for counts that are not broken down by kind or contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Self

import attrs
from attrs import Factory, field, frozen
from attrs.converters import optional

from realtime_actors.errors import ConfigError, did_you_mean
from realtime_actors.jsonable import Jsonable

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
    "why_not_priced",
]


@frozen(kw_only=True)
class CachedTokensDetails(Jsonable):
    """Input tokens that the server had seen before, by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


@frozen(kw_only=True)
class InputTokenDetails(Jsonable):
    """Input tokens by kind. The cached ones are among them, not beside them."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokensDetails = CachedTokensDetails()


@frozen(kw_only=True)
class OutputTokenDetails(Jsonable):
    """Output tokens by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0


@frozen(kw_only=True)
class Usage(Jsonable):
    """What a response cost, in tokens. Transcription is counted apart from it."""

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokenDetails = InputTokenDetails()
    output_token_details: OutputTokenDetails = OutputTokenDetails()


def _kind_of_usage(usage: TranscriptionUsage) -> str:
    return "tokens" if usage.seconds is None else "duration"


@frozen(kw_only=True)
class TranscriptionUsage(Jsonable):
    """What a transcription cost: tokens (`type` is tokens), or seconds (duration)."""

    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: InputTokenDetails | None = None
    seconds: float | None = None
    type: str = field(default=Factory(_kind_of_usage, takes_self=True))
    """Told by what is counted, where a server does not say it."""


@frozen(kw_only=True)
class RateLimit(Jsonable):
    """What may still be asked for. `name` is requests or tokens."""

    name: str = ""
    limit: int = 0
    remaining: int = 0
    reset_seconds: float = 0.0


@frozen(kw_only=True)
class SessionUsage(Jsonable):
    """What a session has used so far."""

    responses: int = 0
    """Responses that the server has counted."""
    tokens: Usage = Usage()
    """Of all responses together."""
    transcribed_tokens: int = 0
    transcribed_seconds: float = 0.0
    """Transcriptions are counted in tokens or in seconds: that depends on their model."""
    cost: Decimal | None = None
    """US dollars of the responses; None before the first one, and when what one of them cost
    is not known. Transcriptions have models, and prices, of their own: they are not in it."""
    transcriptions: int = 0
    """Transcriptions that the server has counted."""
    transcription_cost: Decimal | None = None
    """US dollars of the transcriptions; None as in `cost`."""

    @property
    def total_cost(self) -> Decimal | None:
        """US dollars of all that was counted; None when a part of it is not known."""
        counted = (self.responses, self.cost), (self.transcriptions, self.transcription_cost)
        total: Decimal | None = Decimal(0)
        for number, cost in counted:
            total = _sum(total, cost) if number else total
        return total

    def _members(self) -> Mapping[str, Any]:
        return {**super()._members(), "total_cost": self.total_cost}

    def add(self, usage: Usage, cost: Decimal | None) -> SessionUsage:
        """With one response more."""
        total = cost if self.responses == 0 else _sum(self.cost, cost)
        return attrs.evolve(
            self, responses=self.responses + 1, tokens=_added(self.tokens, usage), cost=total
        )

    def add_transcription(
        self, usage: TranscriptionUsage, cost: Decimal | None = None
    ) -> SessionUsage:
        """With one transcription more."""
        total = cost if self.transcriptions == 0 else _sum(self.transcription_cost, cost)
        return attrs.evolve(
            self,
            transcriptions=self.transcriptions + 1,
            transcribed_tokens=self.transcribed_tokens + (usage.total_tokens or 0),
            transcribed_seconds=self.transcribed_seconds + (usage.seconds or 0.0),
            transcription_cost=total,
        )


def why_not_priced(usage: Usage) -> str | None:
    """Say why nobody can tell what these tokens cost, at any price. None: it can be told."""
    given, made = usage.input_token_details, usage.output_token_details
    if any(count < 0 for count in _counts(usage)):
        return "a count is below 0"
    inputs = sum(_by_kind(given).values())
    outputs = made.text_tokens + made.audio_tokens
    sides = ("input", usage.input_tokens, inputs), ("output", usage.output_tokens, outputs)
    for side, total, sum_of_kinds in sides:
        # A total of 0 beside kinds that were counted is one that the server left out.
        if total not in (0, sum_of_kinds):
            return f"{total} {side} tokens are counted, and {sum_of_kinds} of a kind"
    if usage.total_tokens not in (0, inputs + outputs):
        return f"{usage.total_tokens} tokens are counted, and {inputs + outputs} of a kind"
    if _cached(given) is None:
        return f"of {given.cached_tokens} cached tokens it is not said of which kind they are"
    return None


def _cached(given: InputTokenDetails) -> CachedTokensDetails | None:
    """Return the cached tokens by kind; None where that is not known, or can't be."""
    counted, cached = _by_kind(given), _by_kind(given.cached_tokens_details)
    if given.cached_tokens and not any(cached.values()):
        # Where there is one kind only, or all was cached, nothing is left to guess.
        kinds = [kind for kind, count in counted.items() if count]
        if len(kinds) == 1:
            cached[kinds[0]] = given.cached_tokens
        elif given.cached_tokens == sum(counted.values()):
            cached = counted
    if given.cached_tokens not in (0, sum(cached.values())):
        return None
    if any(cached[kind] > counted[kind] for kind in counted):
        return None
    return CachedTokensDetails(**cached)


def _by_kind(details: InputTokenDetails | CachedTokensDetails) -> dict[str, int]:
    return {
        "text_tokens": details.text_tokens,
        "audio_tokens": details.audio_tokens,
        "image_tokens": details.image_tokens,
    }


def _counts(value: Any) -> Iterator[int]:
    """All counts of a usage, at any depth."""
    for each in attrs.fields(type(value)):
        member = getattr(value, each.name)
        yield from _counts(member) if attrs.has(type(member)) else (member,)


def _money(value: object) -> Decimal:
    try:
        money = Decimal(str(value))
    except ArithmeticError:
        money = Decimal("nan")
    if not money.is_finite() or money < 0:
        raise ConfigError(f"not a price: {value!r}. Allowed are US dollars, 0 or more")
    return money


@frozen(kw_only=True)
class Price:
    """What a model costs: US dollars per million tokens, by kind."""

    text_input: Decimal = field(converter=_money)
    text_cached: Decimal = field(converter=_money)
    text_output: Decimal = field(converter=_money)
    audio_input: Decimal = field(converter=_money)
    audio_cached: Decimal = field(converter=_money)
    audio_output: Decimal = field(converter=_money)
    image_input: Decimal | None = field(default=None, converter=optional(_money))
    """None: not known. A response that was shown images costs an unknown amount then."""
    image_cached: Decimal | None = field(default=None, converter=optional(_money))

    def cost(self, usage: Usage) -> Decimal | None:
        """US dollars for this usage. Cached tokens are among the input, and cost less.

        None when tokens are counted and not broken down, or counts contradict each other.
        """
        given, made = usage.input_token_details, usage.output_token_details
        cached = _cached(given)
        if cached is None or why_not_priced(usage) is not None:
            return None
        parts = (
            (given.text_tokens - cached.text_tokens, self.text_input),
            (given.audio_tokens - cached.audio_tokens, self.audio_input),
            (given.image_tokens - cached.image_tokens, self.image_input),
            (cached.text_tokens, self.text_cached),
            (cached.audio_tokens, self.audio_cached),
            (cached.image_tokens, self.image_cached),
            (made.text_tokens, self.text_output),
            (made.audio_tokens, self.audio_output),
        )
        if any(tokens and price is None for tokens, price in parts):
            return None
        dollars = (tokens * price for tokens, price in parts if price is not None)
        return sum(dollars, Decimal(0)) / 1_000_000


@frozen
class Pricing:
    """A price list, by model.

    Prices change: `Pricing.from_dict({"my-model": {"text_input": 4, ...}})` makes your
    own, `PRICES | yours` adds it to the ones that the library knows. A model that writes down
    what it hears may have a price per minute instead: `{"my-ears": {"per_minute": "0.005"}}`.
    """

    models: Mapping[str, Price]
    per_minute: Mapping[str, Decimal] = field(factory=dict)
    """US dollars per minute of what is transcribed."""

    @classmethod
    def from_dict(cls, prices: Mapping[str, Mapping[str, Any]]) -> Self:
        """Read a list of US dollars per million tokens, or per minute. Raises `ConfigError`."""
        known = {each.name for each in attrs.fields(Price)}
        for model, price in prices.items():
            for kind in price:
                if kind not in known and not _is_per_minute(price):
                    kinds = known | {"per_minute"}
                    raise ConfigError(
                        f"the price of {model!r} has no kind {kind!r}: {did_you_mean(kind, kinds)}"
                    )
        try:
            timed = {model: price for model, price in prices.items() if _is_per_minute(price)}
            return cls(
                {model: Price(**price) for model, price in prices.items() if model not in timed},
                {model: _money(price["per_minute"]) for model, price in timed.items()},
            )
        except (TypeError, ArithmeticError) as error:
            raise ConfigError(f"not a price list: {error}") from error

    def cost(self, model: str | None, usage: Usage) -> Decimal | None:
        """US dollars for this usage of a model; None when that is not known.

        Snapshots have prices of their own: a name counts as it is written.
        """
        price = self.models.get(model or "")
        return None if price is None else price.cost(usage)

    def transcription_cost(self, model: str | None, usage: TranscriptionUsage) -> Decimal | None:
        """US dollars for a transcription; None when that is not known.

        Only time has a price here: what is counted in tokens costs an unknown amount.
        """
        price, seconds = self.per_minute.get(model or ""), usage.seconds
        if price is None or seconds is None or not 0 <= seconds < math.inf:
            return None
        return price * Decimal(str(seconds)) / 60

    def __or__(self, other: Pricing) -> Pricing:
        return Pricing({**self.models, **other.models}, {**self.per_minute, **other.per_minute})


def _is_per_minute(price: Mapping[str, Any]) -> bool:
    return set(price) == {"per_minute"}


_REALTIME_2: Final = {
    "text_input": 4, "text_cached": "0.40", "text_output": 24,
    "audio_input": 32, "audio_cached": "0.40", "audio_output": 64,
    "image_input": 5, "image_cached": "0.50",
}  # fmt: skip
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
        "gpt-realtime-2.1": _REALTIME_2,
        "gpt-realtime-2": _REALTIME_2,
        "gpt-realtime-2.1-mini": _REALTIME_MINI,
        "gpt-realtime-1.5": _REALTIME,
        "gpt-realtime": _REALTIME,
        "gpt-realtime-2025-08-28": _REALTIME,
        "gpt-realtime-mini": _REALTIME_MINI,
        "gpt-realtime-mini-2025-10-06": _REALTIME_MINI,
        "gpt-4o-realtime-preview": _PREVIEW,
        "gpt-4o-realtime-preview-2024-12-17": _PREVIEW,
        "gpt-transcribe": {"per_minute": "0.0045"},
        "gpt-live-transcribe": {"per_minute": "0.017"},
        "gpt-realtime-whisper": {"per_minute": "0.017"},
    }
)
"""OpenAI's list prices as of November 2026. Models that are not here cost an unknown amount."""


def _added(one: Any, other: Any) -> Any:
    """Two counts of the same class, added member by member."""
    members = {}
    for each in attrs.fields(type(one)):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        members[each.name] = _added(mine, theirs) if attrs.has(type(mine)) else mine + theirs
    return type(one)(**members)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
