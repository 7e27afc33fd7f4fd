"""What a conversation costs."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.agent import default_model
from realtime_actors.errors import ConfigError
from realtime_actors.usage import (
    PRICES,
    CachedTokensDetails,
    InputTokenDetails,
    OutputTokenDetails,
    Price,
    Pricing,
    SessionUsage,
    TranscriptionUsage,
    Usage,
    why_not_priced,
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
    # 0.1 M text at 4, half a million audio at 32, the other half cached at 0.40; out: 24 and 64.
    expected = Decimal("0.4") + 16 + Decimal("0.2") + Decimal("1.2") + Decimal("9.6")
    assert PRICES.cost("gpt-realtime-2.1", USAGE) == expected


@pytest.mark.parametrize(
    ("model", "text", "audio", "image"),
    [
        ("gpt-realtime-2", (4, 0.4, 24), (32, 0.4, 64), (5, 0.5)),
        ("gpt-realtime-2.1", (4, 0.4, 24), (32, 0.4, 64), (5, 0.5)),
        ("gpt-realtime-2.1-mini", (0.6, 0.06, 2.4), (10, 0.3, 20), (0.8, 0.08)),
        ("gpt-realtime-1.5", (4, 0.4, 16), (32, 0.4, 64), (5, 0.5)),
    ],
)
def test_the_prices_are_those_of_the_model_pages(model, text, audio, image):
    price = PRICES.models[model]

    assert (price.text_input, price.text_cached, price.text_output) == decimals(text)
    assert (price.audio_input, price.audio_cached, price.audio_output) == decimals(audio)
    assert (price.image_input, price.image_cached) == decimals(image)


def decimals(numbers):
    return tuple(Decimal(str(number)) for number in numbers)


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_the_default_model_has_a_price(dialect):
    assert default_model(dialect) in PRICES.models


# --- what is not known ---------------------------------------------------------------------

ALL = {"total_tokens": 1500, "input_tokens": 1000, "output_tokens": 500}
TEXT, AUDIO = {"text_tokens": 1000}, {"audio_tokens": 500}
MIXED = {"text_tokens": 400, "audio_tokens": 600}


def cost(**usage):
    """Dollars for a million times these tokens: text 1, cached 0.1, out 10; audio 2, 0.2, 20."""
    given = dict(usage.pop("given", {}))
    cached = CachedTokensDetails(**given.pop("of", {}))
    tokens = Usage(
        **usage.pop("totals", ALL),
        input_token_details=InputTokenDetails(**given, cached_tokens_details=cached),
        output_token_details=OutputTokenDetails(**usage.pop("made", {})),
    )
    dollars = PRICE.cost(tokens)
    assert (dollars is None) == (why_not_priced(tokens) is not None)
    return None if dollars is None else dollars * 1_000_000


PRICE = Price(
    text_input=1, text_cached="0.1", text_output=10,
    audio_input=2, audio_cached="0.2", audio_output=20, image_input=3, image_cached="0.3",
)  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "right"),
    [
        pytest.param({"given": TEXT, "made": AUDIO}, 11_000, id="all of it"),
        pytest.param({}, None, id="totals only"),
        pytest.param({"totals": {"total_tokens": 1500}}, None, id="one total only"),
        pytest.param({"totals": {}, "given": TEXT, "made": AUDIO}, 11_000, id="kinds only"),
        pytest.param({"totals": {}}, 0, id="nothing was used"),
        pytest.param({"given": TEXT}, None, id="the output is not broken down"),
        pytest.param({"made": AUDIO}, None, id="the input is not broken down"),
        pytest.param({"given": {"text_tokens": 999}, "made": AUDIO}, None, id="one is missing"),
        pytest.param({"given": {"text_tokens": 1001}, "made": AUDIO}, None, id="one too many"),
        pytest.param(
            {"totals": {**ALL, "total_tokens": 9000}, "given": TEXT, "made": AUDIO},
            None,
            id="the totals don't add up",
        ),
        pytest.param(
            {"given": {**TEXT, "cached_tokens": 600, "of": {"text_tokens": 600}}, "made": AUDIO},
            10_460,
            id="cached, by kind",
        ),
        pytest.param(
            {"given": {**TEXT, "of": {"text_tokens": 600}}, "made": AUDIO},
            10_460,
            id="cached, by kind alone",
        ),
        pytest.param(
            {"given": {**TEXT, "cached_tokens": 600}, "made": AUDIO},
            10_460,
            id="cached, and there is one kind",
        ),
        pytest.param(
            {"given": {**MIXED, "cached_tokens": 1000}, "made": AUDIO},
            10_160,
            id="all cached",
        ),
        pytest.param(
            {"given": {**MIXED, "cached_tokens": 600}, "made": AUDIO},
            None,
            id="cached, and of which kind is not said",
        ),
        pytest.param(
            {"given": {**MIXED, "cached_tokens": 600, "of": {"text_tokens": 300}}, "made": AUDIO},
            None,
            id="cached, and half of it is of a kind",
        ),
        pytest.param(
            {"given": {**TEXT, "cached_tokens": 1100, "of": {"text_tokens": 1100}}, "made": AUDIO},
            None,
            id="more cached than there is",
        ),
        pytest.param(
            {"given": {**TEXT, "cached_tokens": 1100}, "made": AUDIO},
            None,
            id="more cached than there is, of the one kind",
        ),
        pytest.param(
            {"given": {**MIXED, "cached_tokens": 600, "of": {"text_tokens": 600}}, "made": AUDIO},
            None,
            id="more cached of a kind than there is",
        ),
        pytest.param(
            {"given": {"text_tokens": 1500, "audio_tokens": -500}, "made": AUDIO},
            None,
            id="less than nothing",
        ),
    ],
)
def test_what_is_not_broken_down_or_contradicts_itself_costs_an_unknown_amount(usage, right):
    assert cost(**usage) == right


counts = st.integers(-5, 5)


@given(
    totals=st.tuples(counts, counts, counts),
    given=st.tuples(counts, counts, counts),
    cached=st.tuples(counts, counts, counts, counts),
    made=st.tuples(counts, counts),
)
def test_no_cost_is_below_nothing_or_less_than_what_is_counted(totals, given, cached, made):
    usage = Usage(
        total_tokens=totals[0],
        input_tokens=totals[1],
        output_tokens=totals[2],
        input_token_details=InputTokenDetails(
            text_tokens=given[0],
            audio_tokens=given[1],
            image_tokens=given[2],
            cached_tokens=cached[0],
            cached_tokens_details=CachedTokensDetails(
                text_tokens=cached[1], audio_tokens=cached[2], image_tokens=cached[3]
            ),
        ),
        output_token_details=OutputTokenDetails(text_tokens=made[0], audio_tokens=made[1]),
    )

    dollars = PRICE.cost(usage)

    if dollars is not None:
        least = Decimal("0.1") * max(totals[0], totals[1] + totals[2], 0)  # the lowest price
        assert dollars * 1_000_000 >= least


def test_images_have_a_price_or_the_cost_is_not_known():
    shown = Usage(input_token_details=InputTokenDetails(image_tokens=10))
    blind = evolve(PRICE, image_input=None, image_cached=None)

    assert PRICE.cost(shown) == Decimal("0.00003")
    assert blind.cost(shown) is None
    assert blind.cost(Usage()) == 0


# --- transcription -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("gpt-transcribe", {"type": "duration", "seconds": 120.0}, Decimal("0.0090")),
        ("gpt-realtime-whisper", {"type": "duration", "seconds": 30.0}, Decimal("0.0085")),
        ("gpt-live-transcribe", {"type": "duration", "seconds": 60.0}, Decimal("0.017")),
        ("gpt-transcribe", {"type": "tokens", "total_tokens": 100}, None),
        ("gpt-transcribe", {"type": "duration", "seconds": -1.0}, None),
        ("gpt-transcribe", {"type": "duration", "seconds": math.nan}, None),
        ("theirs", {"type": "duration", "seconds": 60.0}, None),
        (None, {"type": "duration", "seconds": 60.0}, None),
    ],
)
def test_a_transcription_is_paid_for_by_the_minute(model, usage, dollars):
    assert PRICES.transcription_cost(model, TranscriptionUsage(**usage)) == dollars


@pytest.mark.parametrize(("counted", "kind"), [({"seconds": 1.5}, "duration"), ({}, "tokens")])
def test_what_a_transcription_counts_says_of_which_kind_it_is(counted, kind) -> None:
    assert TranscriptionUsage(**counted).type == kind


def test_a_price_list_may_have_prices_per_minute():
    mine = Pricing.from_dict({"my-ears": {"per_minute": "0.06"}})
    heard = TranscriptionUsage(type="duration", seconds=1.5)

    assert (PRICES | mine).transcription_cost("my-ears", heard) == Decimal("0.0015")
    assert (mine | PRICES).per_minute == (PRICES | mine).per_minute


def test_a_model_without_a_price_costs_nobody_knows_what():
    assert PRICES.cost("gpt-realtime-3000", USAGE) is None
    assert PRICES.cost("gpt-realtime-2099-01-01", USAGE) is None
    assert PRICES.cost(None, USAGE) is None


def test_a_price_list_of_ones_own_comes_on_top():
    kinds = ("text_input", "text_cached", "text_output")
    sounds = ("audio_input", "audio_cached", "audio_output")
    free = Pricing.from_dict({"mine": dict.fromkeys((*kinds, *sounds), 0)})

    assert (PRICES | free).cost("mine", USAGE) == 0
    assert (PRICES | free).cost("gpt-realtime-2.1", USAGE) == PRICES.cost("gpt-realtime-2.1", USAGE)


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        ({"mine": {"text_imput": 1}}, "text_input"),
        ({"mine": {"text_input": 1}}, "price list"),
        ({"mine": {"text_input": "cheap"}}, "price"),
        ({"mine": {"per_minute": -1}}, "0 or more"),
        ({"mine": {"per_minute": float("nan")}}, "0 or more"),
        ({"mine": {"per_minute": 1, "text_input": 1}}, "per_minute"),
    ],
)
def test_a_wrong_price_list_is_refused(prices, says):
    with pytest.raises(ConfigError, match=says):
        Pricing.from_dict(prices)


def test_a_session_adds_up_its_responses_and_transcriptions():
    usage = SessionUsage().add(USAGE, Decimal(2)).add(USAGE, Decimal(3))
    usage = usage.add_transcription(TranscriptionUsage(type="duration", seconds=2.5))
    usage = usage.add_transcription(TranscriptionUsage(type="tokens", total_tokens=40))

    assert (usage.responses, usage.cost) == (2, Decimal(5))
    assert usage.tokens.input_token_details.cached_tokens_details.audio_tokens == 1_000_000
    assert usage.tokens.output_tokens == 400_000
    assert (usage.transcribed_tokens, usage.transcribed_seconds) == (40, 2.5)
    assert (usage.transcriptions, usage.transcription_cost, usage.total_cost) == (2, None, None)


def test_a_session_costs_what_its_responses_and_transcriptions_cost():
    assert SessionUsage().total_cost == 0
    usage = SessionUsage().add(USAGE, Decimal(2))
    assert usage.total_cost == 2
    heard = TranscriptionUsage(type="duration", seconds=60.0)
    assert usage.add_transcription(heard, Decimal(1)).total_cost == 3
    assert usage.add_transcription(heard, None).total_cost is None


def test_one_response_of_unknown_cost_makes_the_sum_unknown():
    assert SessionUsage().add(USAGE, Decimal(2)).add(USAGE, None).cost is None
    assert SessionUsage().add(USAGE, None).add(USAGE, Decimal(2)).cost is None
