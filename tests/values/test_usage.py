"""What a conversation costs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from realtime_actors.errors import ConfigError
from realtime_actors.usage import (
    PRICES,
    CachedTokensDetails,
    InputTokenDetails,
    OutputTokenDetails,
    Pricing,
    SessionUsage,
    TranscriptionUsage,
    Usage,
)

USAGE = Usage(
    total_tokens=1_300_000,
    input_tokens=1_100_000,
    output_tokens=200_000,
    input_token_details=InputTokenDetails(
        text_tokens=100_000,
        audio_tokens=1_000_000,
        cached_tokens=500_000,
        cached_tokens_details=CachedTokensDetails(audio_tokens=500_000),
    ),
    output_token_details=OutputTokenDetails(text_tokens=50_000, audio_tokens=150_000),
)


def test_cached_tokens_are_among_the_input_and_cost_less():
    # 0.1 M text at 4, half a million audio at 32, the other half cached at 0.40; out: 16 and 64.
    expected = Decimal("0.4") + 16 + Decimal("0.2") + Decimal("0.8") + Decimal("9.6")
    assert PRICES.cost("gpt-realtime", USAGE) == expected


def test_a_model_without_a_price_costs_nobody_knows_what():
    assert PRICES.cost("gpt-realtime-3000", USAGE) is None
    assert PRICES.cost("gpt-realtime-2099-01-01", USAGE) is None
    assert PRICES.cost(None, USAGE) is None


def test_a_price_list_of_ones_own_comes_on_top():
    kinds = ("text_input", "text_cached", "text_output")
    sounds = ("audio_input", "audio_cached", "audio_output")
    free = Pricing.from_dict({"mine": dict.fromkeys((*kinds, *sounds), 0)})

    assert (PRICES | free).cost("mine", USAGE) == 0
    assert (PRICES | free).cost("gpt-realtime", USAGE) == PRICES.cost("gpt-realtime", USAGE)


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        ({"mine": {"text_imput": 1}}, "text_input"),
        ({"mine": {"text_input": 1}}, "price list"),
        ({"mine": {"text_input": "cheap"}}, "price list|text"),
    ],
)
def test_a_wrong_price_list_is_refused(prices, says):
    with pytest.raises(ConfigError, match=says):
        Pricing.from_dict(prices)


def test_a_session_adds_up_its_responses_and_transcriptions():
    usage = SessionUsage().add(USAGE, Decimal(2)).add(USAGE, Decimal(3))
    usage = usage.add_transcription(TranscriptionUsage(type="duration", seconds=2.5))
    usage = usage.add_transcription(TranscriptionUsage(type="tokens", total_tokens=40))

    assert (usage.responses, usage.cost) == (2, 5)
    assert usage.tokens.input_token_details.cached_tokens_details.audio_tokens == 1_000_000
    assert usage.tokens.output_tokens == 400_000
    assert (usage.transcribed_tokens, usage.transcribed_seconds) == (40, 2.5)


def test_one_response_of_unknown_cost_makes_the_sum_unknown():
    assert SessionUsage().add(USAGE, Decimal(2)).add(USAGE, None).cost is None
    assert SessionUsage().add(USAGE, None).add(USAGE, Decimal(2)).cost is None
