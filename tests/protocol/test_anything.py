"""Whatever comes, something comes of it: reading never raises."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.protocol import (
    CLIENT_EVENTS,
    SERVER_EVENTS,
    ClientEvent,
    Event,
    MalformedEvent,
    ServerEvent,
)
from tests.protocol.samples import (
    BETA,
    BETA_STANDARD,
    CLIENT_SAMPLES,
    GA,
    GA_STANDARD,
    PAIRS,
    SERVER_SAMPLES,
    places,
    text,
)

SAMPLES = [*SERVER_SAMPLES, *CLIENT_SAMPLES, *(pair["beta"] for pair in PAIRS)]
NAMES = sorted({name for sample in SAMPLES for name in sample})

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["AAAA", "inf", "auto", "message", "text", "audio", "function", "off"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=25,
)


def read(data: str | bytes) -> Event:
    """Read it every way there is, and as its own role does."""
    for dialect in (GA, GA_STANDARD, BETA, BETA_STANDARD):
        server_event = dialect.decode_server(data)
        client_event = dialect.decode_client(data)
        assert isinstance(server_event, ServerEvent)
        assert isinstance(client_event, ClientEvent)
    return client_event if isinstance(server_event, MalformedEvent) else server_event


@st.composite
def damaged_events(draw: st.DrawFn) -> Any:
    """Good events, a few of whose members were replaced or removed."""
    event = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(event) or [("type",)]))
        inner = event
        for key in way:
            inner = inner[key]
        if draw(st.booleans()) and isinstance(inner, dict):
            inner.pop(last, None)
        else:
            inner[last] = draw(JSON)
    return event


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(data: bytes) -> None:
    read(data)


@given(st.text(max_size=200))
def test_any_text_can_be_read(data: str) -> None:
    read(data)


@given(JSON)
def test_any_json_can_be_read(value: object) -> None:
    read(text(value))


@given(st.sampled_from(sorted({*SERVER_EVENTS, *CLIENT_EVENTS})), st.dictionaries(st.text(), JSON))
def test_an_event_of_anything_can_be_read(type_: str, members: dict[str, Any]) -> None:
    read(text(members | {"type": type_}))


@given(damaged_events())
@settings(max_examples=300)
def test_a_damaged_event_can_be_read(event: object) -> None:
    read(text(event))


@given(damaged_events())
@settings(max_examples=200)
def test_what_was_read_can_be_written_and_means_the_same(event: dict[str, Any]) -> None:
    first = GA.decode_server(text(event))
    if not isinstance(first, MalformedEvent):
        written = GA.encode_server(first)

        assert json.loads(GA.encode_server(GA.decode_server(written))) == json.loads(written)


def test_deep_nesting_can_be_read() -> None:
    for depth in (500, 900, 1_100, 50_000):
        deep = "[" * depth + "]" * depth
        read(f'{{"type": "session.updated", "session": {{"metadata": {deep}}}}}')
        deep = '{"a":' * depth + "1" + "}" * depth
        read(f'{{"type": "response.done", "response": {{"metadata": {deep}}}}}')
