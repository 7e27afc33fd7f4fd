"""What the library gives to those who test their own agents."""

from __future__ import annotations

import pytest

import realtime_actors as ra
from realtime_actors.events import (
    AgentEndEvent,
    AudioInterruptedEvent,
    ConnectionEvent,
    ErrorEvent,
    LimitReachedEvent,
)
from realtime_actors.testing import Probe, ScriptedTransport, fake_clock
from tests.session.wire import audio_delta, error, response_created, response_done


def test_what_was_heard_goes_by_the_clock_of_the_test():
    with (
        fake_clock() as clock,
        ScriptedTransport(strict=False) as script,
        ra.run(ra.agent(), transport=script) as session,
    ):
        probe = Probe(session)
        script.emit(response_created(), audio_delta(ms=1000))
        session.history()
        clock.advance(0.4)
        session.interrupt()

        assert probe.wait_for(AudioInterruptedEvent).heard_ms == 400


def test_a_session_is_idle_by_the_clock_of_the_test():
    with (
        fake_clock() as clock,
        ScriptedTransport(strict=False) as script,
        ra.run(ra.agent(), transport=script, config={"idle_timeout": 600}) as session,
    ):
        probe = Probe(session)
        clock.advance(599)
        session.send_message("Wait.")
        script.emit(response_created(), response_done())
        probe.wait_for(AgentEndEvent)
        clock.advance(599)
        session.history()
        assert probe.all(LimitReachedEvent) == []

        clock.advance(1)

        assert probe.wait_for(LimitReachedEvent).limit == "idle_timeout"
        assert probe.wait_for(ConnectionEvent).state == "closed"


def test_what_did_not_come_is_told_with_the_errors_that_did():
    with (
        ScriptedTransport(strict=False) as script,
        ra.run(ra.agent(), transport=script) as session,
    ):
        probe = Probe(session)
        script.emit(error("item_not_found", "There is no such item."))
        probe.wait_for(ErrorEvent)
        script.emit(error("item_not_found", "Nor this one."))
        session.history()

        with pytest.raises(AssertionError) as missed:
            probe.wait_for(AgentEndEvent, timeout=0)

    assert str(missed.value) == (
        "no AgentEndEvent within 0 s, only ['error']; errors: ['item_not_found: Nor this one.']"
    )
