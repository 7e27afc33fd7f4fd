"""Timers that are due just as they are taken back: what they sent counts for nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import realtime_actors as ra
from realtime_actors import messages, otp
from realtime_actors.core.responses.response import ANSWER_WITHIN
from realtime_actors.events import ErrorEvent, HandoffEvent, RateLimitsEvent, ToolEndEvent
from realtime_actors.testing import FakeClock, Probe, ScriptedTransport, fake_clock
from tests.session.wire import call_done, response_created, response_done


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with fake_clock() as clock:
        yield clock


@pytest.fixture
def script() -> Iterator[ScriptedTransport]:
    with ScriptedTransport(strict=False) as script:
        yield script


def run(script: ScriptedTransport, agent: ra.Agent, **config: object) -> ra.Session:
    return ra.run(agent, transport=script, model_config={"url": "ws://127.0.0.1:1/"}, config=config)


class Doorkeeper:
    """A subscriber that keeps the session busy. Nobody should be like that."""

    def __init__(self) -> None:
        self.busy, self.go_on = threading.Event(), threading.Event()

    def put(self, message: ra.SessionEvent) -> None:
        self.busy.set()
        assert self.go_on.wait(timeout=10)


@contextmanager
def busy(session: ra.Session, script: ScriptedTransport) -> Iterator[None]:
    """Have the session find in its mailbox all that comes within the block, and in that order."""
    doorkeeper = Doorkeeper()
    session.subscribe(doorkeeper, only=RateLimitsEvent)
    try:
        script.emit({"type": "rate_limits.updated", "rate_limits": []})
        assert doorkeeper.busy.wait(timeout=10)
        yield
    finally:
        doorkeeper.go_on.set()


def waiting(session: ra.Session) -> int:
    """How many messages are in the session's mailbox."""
    return next(each.mailbox for _, each in otp.observe().walk() if each.ref is session)


def test_a_timer_that_was_set_anew_does_not_fire_for_the_one_before(clock, script):
    with run(script, ra.agent()) as session:
        probe = Probe(session)
        session.create_response()
        with busy(session, script):
            script.emit(response_created(), response_done())
            session.tell(messages.CreateResponse())
            clock.advance(ANSWER_WITHIN)
        session.history()
        assert script.sent_types.count("response.create") == 2
        assert probe.all(ErrorEvent) == []

        clock.advance(ANSWER_WITHIN)

        assert probe.wait_for(ErrorEvent).error.type == "response_unanswered"


def test_a_handoff_that_succeeds_just_in_time_has_succeeded(clock, script):
    called, let_go = threading.Event(), threading.Event()
    billing = ra.agent(name="Billing")

    def find() -> ra.Agent:
        called.set()
        assert let_go.wait(timeout=10)
        return billing

    desk = ra.agent(name="Desk", handoffs=[ra.Handoff(billing, on_invoke_handoff=find)])
    with run(script, desk, tool_timeout=5.0) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("transfer_to_billing"))
        assert called.wait(timeout=10)
        with busy(session, script):
            let_go.set()
            deadline = time.monotonic() + 10
            while not waiting(session):
                assert time.monotonic() < deadline, "the handoff never came back"
            clock.advance(5.0)

        end = probe.wait_for(ToolEndEvent)
        assert (end.output, end.error) == ("Transferred to Billing", None)
        assert probe.all(HandoffEvent)[0].to_agent == session.current_agent() == billing
