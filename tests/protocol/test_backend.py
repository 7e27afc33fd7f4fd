"""JSON and base64: both ways of doing it do the same."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.protocol.backend import STANDARD, Backend, fastest, loads_damaged

FASTEST = fastest()
BACKENDS = pytest.mark.parametrize("backend", [STANDARD, FASTEST], ids=["standard", "fastest"])

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def outcome(function: Any, argument: Any) -> object:
    """What a function makes of an argument, if it is anything."""
    try:
        return function(argument)
    except ValueError:
        return ValueError


def test_the_fast_libraries_are_used_where_they_are() -> None:
    orjson = pytest.importorskip("orjson")
    pybase64 = pytest.importorskip("pybase64")

    assert FASTEST.loads is orjson.loads
    assert FASTEST.encode64 is pybase64.b64encode_as_string


@given(VALUES)
def test_what_one_writes_both_read(value: object) -> None:
    for writer in (STANDARD, FASTEST):
        for reader in (STANDARD, FASTEST):
            assert reader.loads(writer.dumps(value)) == value


@given(
    st.text(alphabet='{}[]",:0123456789.-+eEtrufalsn\\ \t\n', max_size=16)
    | st.text(max_size=16)
    | st.integers(-(10**400), 10**400).map(str)
    | st.integers(-(2**66), 2**66).map(str)
    | st.tuples(st.integers(), st.integers(-999, 999)).map(lambda pair: "{}e{}".format(*pair))
)
def test_both_refuse_the_same_json(text: str) -> None:
    assert outcome(STANDARD.loads, text) == outcome(FASTEST.loads, text)


@given(st.binary(max_size=40))
def test_both_refuse_the_same_bytes(data: bytes) -> None:
    assert outcome(STANDARD.loads, data) == outcome(FASTEST.loads, data)


@BACKENDS
@pytest.mark.parametrize(
    "text",
    [
        *[r'"\ud83c"', r'"\udfa7"', r'["\ud83c x"]'],
        *["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", "9" * 400],
    ],
)
def test_half_characters_and_no_numbers_are_refused(backend: Backend, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each library has its own words
        backend.loads(text)
    loads_damaged(text)


@BACKENDS
@pytest.mark.parametrize(
    ("text", "value"),
    [(r'"\ud83c\udfa7"', "🎧"), (r'"\\ud83c"', r"\ud83c"), (r'"\uD7FF"', "\ud7ff")],
)
def test_whole_characters_are_taken(backend: Backend, text: str, value: str) -> None:
    assert backend.loads(text) == value


@BACKENDS
@given(audio=st.binary(max_size=200))
def test_base64_is_as_the_standard_says(backend: Backend, audio: bytes) -> None:
    text = base64.b64encode(audio).decode()

    assert backend.encode64(audio) == text
    assert backend.decode64(text) == audio
    assert backend.decode64(text.rstrip("=")) == audio


@given(st.text(alphabet="ABab01+/=", max_size=12) | st.text(max_size=12))
def test_both_refuse_the_same_base64(text: str) -> None:
    assert outcome(STANDARD.decode64, text) == outcome(FASTEST.decode64, text)


@BACKENDS
def test_json_is_written_without_blanks(backend: Backend) -> None:
    assert backend.dumps({"a": [1, "ü"], "b": None}) == '{"a":[1,"ü"],"b":null}'.encode()
    assert json.loads(backend.dumps({"t": (1, 2)})) == {"t": [1, 2]}
