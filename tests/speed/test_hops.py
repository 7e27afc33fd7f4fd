"""Which threads a piece of speech changes on its way, counted and not timed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.events import AudioEvent
from realtime_actors.messages import SessionEvent
from tests.speed.counting import counted_calls
from tests.speed.talking import delta, messages_handled, talking
from tests.transport.wire import RawServer, text

FRAME_COUNT = 100


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def own_thread(session: ra.Session) -> threading.Thread:
    """The thread of the session, once it sleeps."""
    while True:
        found = next(each for _, each in otp.observe().walk() if each.ref is session)
        if found.status is otp.Status.IDLE:
            return next(each for each in threading.enumerate() if each.name == found.label)


@pytest.mark.inline
@pytest.mark.parametrize("transport", ["fast", "plain"])
def test_a_paced_frame_wakes_only_its_reader_and_the_subscriber(server, transport):
    """No switch into the session's thread, and no message through its mailbox."""
    with counted_calls() as calls, talking(server, transport) as (session, peer):
        events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
        session.subscribe(events, only=[AudioEvent])
        thread = own_thread(session)
        calls_before, handled_before = calls.by(thread), messages_handled(session)
        for _ in range(FRAME_COUNT):
            peer.send(text(delta()))
            events.get(timeout=10)

        assert calls_before > 0
        assert calls.by(thread) == calls_before
        assert messages_handled(session) - handled_before == FRAME_COUNT


def test_a_subscriber_that_may_wait_costs_its_session_a_change_of_thread(server):
    class Own:
        def __init__(self) -> None:
            self.events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()

        def put(self, message: SessionEvent) -> None:
            self.events.put(message)

    with counted_calls() as calls, talking(server) as (session, peer):
        own = Own()
        session.subscribe(own, only=[AudioEvent])
        thread = own_thread(session)
        before = calls.by(thread)
        for _ in range(FRAME_COUNT):
            peer.send(text(delta()))
            own.events.get(timeout=10)

        assert calls.by(thread) - before >= FRAME_COUNT
