"""What two independent servers really sent is read, and written again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from realtime_actors.protocol import (
    SERVER_EVENTS,
    MalformedEvent,
    ServerEvent,
    SessionUpdated,
    UnknownEvent,
    dialect,
)
from tests.conformance.specification import load
from tests.protocol.samples import GA_STANDARD, text

FRAMES: dict[str, list[dict[str, Any]]] = {
    server: load(f"frames/{server}.json") for server in ("aimock", "speech-to-speech")
}
SERVERS = pytest.mark.parametrize("server", FRAMES)


def read(server: str) -> list[ServerEvent]:
    return [dialect("ga").decode_server(text(frame)) for frame in FRAMES[server]]


@SERVERS
def test_every_frame_is_an_event(server: str) -> None:
    events = read(server)

    assert len(events) > 150
    assert [event for event in events if isinstance(event, MalformedEvent)] == []
    for frame, event in zip(FRAMES[server], events, strict=True):
        if frame["type"] in SERVER_EVENTS:
            assert type(event) is SERVER_EVENTS[frame["type"]]


@SERVERS
def test_what_is_unknown_is_known(server: str) -> None:
    unknown = Counter(event.type for event in read(server) if isinstance(event, UnknownEvent))
    beta = [event for event in read(server) if isinstance(event, SessionUpdated)]

    # A mock's own invention: the protocol says `response.done` with the status cancelled.
    assert set(unknown) <= {"response.cancelled"}
    assert beta


@SERVERS
def test_both_backends_read_the_same(server: str) -> None:
    assert read(server) == [GA_STANDARD.decode_server(text(frame)) for frame in FRAMES[server]]


@SERVERS
def test_what_was_read_can_be_sent_on(server: str) -> None:
    ga, beta = dialect("ga"), dialect("beta")
    for event in read(server):
        again = ga.decode_server(ga.encode_server(event))

        # One of the servers has a temperature in its session, which GA has no place for.
        if not event.type.startswith("session."):
            assert again == event
        assert ga.encode_server(again) == ga.encode_server(event)
        assert type(beta.decode_server(beta.encode_server(event))) is type(event)
