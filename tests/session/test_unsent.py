"""A connection that does not take everything: what depends on what failed is not sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import realtime_actors as ra
from realtime_actors.errors import TransportError
from realtime_actors.events import AudioEvent, AudioInterruptedEvent, ErrorEvent
from realtime_actors.protocol import ClientEvent
from realtime_actors.testing import Probe, ScriptedTransport, fake_clock
from tests.session.wire import audio_delta, call_done, response_created, response_done


class Busy(ScriptedTransport):
    """Takes no events of some types, until it is told to."""

    def __init__(self) -> None:
        super().__init__(strict=False)
        self.refused: set[str] = set()

    def send(self, event: ClientEvent) -> None:
        if event.type in self.refused:
            raise TransportError(f"no {event.type} now")
        super().send(event)


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.fixture
def session(busy: Busy) -> Iterator[ra.Session]:
    with fake_clock(), ra.run(ra.agent(tools=[weather]), transport=busy) as session:
        yield session


@ra.tool
def weather() -> str:
    return "sunny"


def test_no_response_is_asked_for_to_a_message_that_was_not_sent(busy, session):
    busy.refused = {"conversation.item.create"}

    with pytest.raises(TransportError, match=r"no conversation\.item\.create now"):
        session.send_message("Hello!")
    assert busy.sent_types == ["session.update"]

    busy.refused = set()
    session.send_message("Hello!")
    assert busy.sent_types[1:] == ["conversation.item.create", "response.create"]


def test_a_response_that_was_not_asked_for_is_an_error_at_the_caller(busy, session):
    busy.refused = {"response.create"}

    with pytest.raises(TransportError, match=r"no response\.create now"):
        session.create_response()

    busy.refused = set()
    session.create_response()
    assert busy.sent_types[1:] == ["response.create"]


def test_an_interruption_that_was_not_sent_can_be_tried_again(busy, session):
    probe = Probe(session)
    busy.emit(response_created(), audio_delta(ms=500))
    probe.wait_for(AudioEvent)
    busy.refused = {"response.cancel"}

    with pytest.raises(TransportError, match=r"no response\.cancel now"):
        session.interrupt()

    busy.refused = set()
    session.interrupt()
    assert busy.sent_types[1:] == ["response.cancel", "conversation.item.delete"]
    assert len(probe.all(AudioInterruptedEvent)) == 1


def test_an_output_that_was_not_sent_is_an_error_event(busy, session):
    probe = Probe(session)
    busy.refused = {"conversation.item.create"}

    busy.emit(response_created(), call_done("weather"), response_done())

    assert probe.wait_for(ErrorEvent).error.type == "not_sent"
    assert "response.create" not in busy.sent_types
