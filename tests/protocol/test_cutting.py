"""The short way of reading speech: the same comes of it as of the long one."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.protocol import Dialect, Event, ResponseOutputAudioDelta
from realtime_actors.protocol.backend import STANDARD, fastest
from realtime_actors.protocol.cutting import cut_speech

BACKENDS = {"fastest": fastest(), "standard": STANDARD}
CUTTING = {name: Dialect("ga", evolve(each, worth_cutting=0)) for name, each in BACKENDS.items()}
PARSING = {
    name: Dialect("ga", evolve(each, worth_cutting=sys.maxsize)) for name, each in BACKENDS.items()
}

SPEECH: dict[str, Any] = {
    "type": "response.output_audio.delta",
    "event_id": "event_1",
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "AAEC",
}
COMPACT = json.dumps(SPEECH, separators=(",", ":")).encode()
SPACED = json.dumps(SPEECH).encode()

ODD = [
    b'{"delta": "AAEC"}',
    b'{"delta":"AAEC","type":"response.output_audio.delta"}',
    b'{"type":"response.output_text.delta","delta":"AAEC"}',
    COMPACT.replace(b'"AAEC"', b'""'),
    COMPACT.replace(b'"AAEC"', b'"AA\\u0045C"'),
    COMPACT.replace(b'"AAEC"', b'"AA\\"EC"'),
    COMPACT.replace(b'"AAEC"', b'"AA\\/C"'),
    COMPACT.replace(b'"AAEC"', b'"A"'),
    COMPACT.replace(b'"AAEC"', b'"AAE"'),
    COMPACT.replace(b'"AAEC"', b'"AA\nC"'),
    COMPACT.replace(b'"AAEC"', b'"A\xc3\xa4C"'),
    COMPACT.replace(b'"AAEC"', b'"A\xffAC"'),
    COMPACT.replace(b'"AAEC"', b'["AAEC"]'),
    COMPACT.replace(b'"AAEC"', b'1"AAEC"'),
    COMPACT.replace(b'"AAEC"', b"null"),
    COMPACT.replace(b'"AAEC"', b'  "AAEC"'),
    COMPACT.replace(b'"AAEC"}', b'"AAEC'),
    COMPACT.replace(b'"delta"', b'"foo\\"delta"'),
    COMPACT.replace(b'"delta"', b'"foo\\"delta":"AAAA","delta"'),
    COMPACT.replace(b'"delta":"AAEC"', b'"foo\\"delta":"AAEC","delta":""'),
    COMPACT.replace(b'"delta":"AAEC"', b'"delta":"AAEC","delta":""'),
    COMPACT.replace(b'"delta":"AAEC"', b'"delta":"","delta":"AAEC"'),
    COMPACT.replace(b'"delta":"AAEC"', b'"inner":{"delta":"AAEC"}'),
    COMPACT.replace(b'"delta":"AAEC"', b'"inner":{"delta":"AAEC"},"delta":""'),
    COMPACT.replace(b'"delta":"AAEC"', b'"note":"\\"delta\\":\\"x\\"","delta":"AAEC"'),
    COMPACT.replace(b'"event_1"', b'"\\"delta\\":"'),
    COMPACT + b"x",
    b"[" + COMPACT + b"]",
    b'"delta":""',
]


def what_comes_of(dialect: Dialect, text: bytes) -> tuple[Event, object]:
    event = dialect.decode_server(text)
    return event, event.raw


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("text", [COMPACT, SPACED, *ODD])
def test_it_makes_no_difference(text: bytes, backend: str) -> None:
    assert what_comes_of(CUTTING[backend], text) == what_comes_of(PARSING[backend], text)


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    st.sampled_from([COMPACT, SPACED, *ODD]),
    st.lists(
        st.tuples(
            st.integers(0, 200),
            st.integers(0, 12),
            st.sampled_from([b"", b'"', b"\\", b'"delta":', b'"delta": "', b'"', b":", b"{", b"}"])
            | st.binary(max_size=3),
        ),
        max_size=3,
    ),
)
@settings(max_examples=300)
def test_it_makes_no_difference_to_what_was_damaged(
    backend: str, text: bytes, damages: list[tuple[int, int, bytes]]
) -> None:
    for at, length, instead in damages:
        text = text[:at] + instead + text[at + length :]

    assert what_comes_of(CUTTING[backend], text) == what_comes_of(PARSING[backend], text)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("text", [COMPACT, SPACED, bytearray(COMPACT)])
def test_speech_is_cut_out(text: bytes | bytearray, backend: str) -> None:
    cut = cut_speech(text)
    event = CUTTING[backend].decode_server(text)

    assert cut == (text.replace(b"AAEC", b""), "AAEC")
    assert isinstance(event, ResponseOutputAudioDelta)
    assert event.delta == b"\0\1\2"
    assert event.raw == SPEECH


ODD_MEMBER = {"output_index": 0.0}
"""A whole number, though not written as one: read by the table, as every other event is."""


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    st.fixed_dictionaries(
        {
            "event_id": st.text(),
            "response_id": st.text(),
            "item_id": st.text(),
            "content_index": st.integers(0, 65_535),
            "delta": st.binary().map(lambda audio: b64encode(audio).decode()),
        },
        optional={"more": st.text()},
    )
)
def test_speech_that_is_read_by_its_own_reader_is_what_the_table_would_have_read(
    backend: str, members: dict[str, Any]
) -> None:
    usual = {**SPEECH, **members}
    short = PARSING[backend].decode_server(json.dumps(usual).encode())
    long = PARSING[backend].decode_server(json.dumps({**usual, **ODD_MEMBER}).encode())

    assert (short, short.raw, short.ignored) == (long, long.raw, long.ignored)
    assert repr(short) == repr(long)
