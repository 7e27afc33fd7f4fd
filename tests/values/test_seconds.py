"""Numbers of seconds: what is one, and what is said of what is none."""

from __future__ import annotations

import math
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.errors import ConfigError
from realtime_actors.seconds import LONGEST, seconds, seconds_or_none


@given(st.floats(0, LONGEST) | st.integers(0, int(LONGEST)) | st.fractions(0, 1000))
def test_a_number_within_a_hundred_years_is_taken(value):
    assert seconds(value, "the timeout") == float(value)
    assert type(seconds_or_none(value, "the timeout")) is float


@given(
    st.floats(max_value=0, exclude_max=True)
    | st.just(math.nan)
    | st.floats(min_value=LONGEST, exclude_min=True)
    | st.integers(max_value=-1)
    | st.integers(min_value=int(LONGEST) + 1)
    | st.text()
    | st.booleans()
    | st.timedeltas()
)
def test_anything_else_is_refused(value):
    with pytest.raises(ConfigError, match=r"the timeout is .*: allowed are seconds"):
        seconds(value, "the timeout")


def test_infinity_and_none_are_no_limit_where_that_is_allowed():
    assert seconds_or_none(None, "the timeout") is None
    assert seconds_or_none(math.inf, "the timeout") is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.nan, "t is nan: allowed are seconds"),
        (-1, "t is -1: allowed are seconds"),
        (1e12, "t is 1000000000000.0: allowed are seconds, up to 3155760000 (100 years)"),
        (math.inf, "t is inf: allowed are seconds, up to 3155760000 (100 years)"),
        (True, "t is True: allowed are seconds, as a number"),
        ("5", "t is '5': allowed are seconds, as a number"),
        (
            timedelta(days=1),
            "t is datetime.timedelta(days=1): allowed are seconds. Give timedelta.total_seconds()",
        ),
    ],
)
def test_the_error_says_what_was_given_and_what_is_allowed(value, why):
    with pytest.raises(ConfigError) as refused:
        seconds(value, "t")
    assert str(refused.value) == why


def test_zero_is_refused_where_it_has_to_be_more():
    assert seconds(0, "t") == 0.0
    for value in (0, 0.0, Fraction(0)):
        with pytest.raises(ConfigError, match="allowed are seconds above 0, or None"):
            seconds_or_none(value, "t", zero=False)
