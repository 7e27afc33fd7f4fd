"""How often the system is bothered, and by which thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from realtime_actors.events import AudioEvent
from realtime_actors.messages import SessionEvent
from realtime_actors.protocol import dialect
from realtime_actors.transport import ConnectOptions, IoThreads, WebSocketTransport
from tests.speed.counting import counted_calls
from tests.speed.talking import READS, SELECTS, WRITES, delta, messages_handled, talking
from tests.transport.wire import Inbox, RawServer, text

FRAME_COUNT = 100


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def test_a_frame_that_comes_alone_costs_one_select_and_one_read(server):
    with counted_calls() as calls:
        transport = WebSocketTransport(
            ConnectOptions(url=server.url), dialect("ga"), io_threads=IoThreads()
        )
        inbox = Inbox()
        transport.connect(inbox)
        peer = server.peer()
        peer.send(text(delta()))
        inbox.next()
        reads, selects = calls.elsewhere(*READS), calls.elsewhere(*SELECTS)
        for _ in range(FRAME_COUNT):
            peer.send(text(delta()))
            inbox.next()
        reads, selects = calls.elsewhere(*READS) - reads, calls.elsewhere(*SELECTS) - selects
        transport.close(timeout=0)

    assert reads == FRAME_COUNT
    assert selects <= FRAME_COUNT + 1  # it may have begun to wait for the next one


def test_what_one_read_gave_is_one_message_in_the_mailbox(server):
    with talking(server) as (session, peer):
        events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
        session.subscribe(events, only=[AudioEvent])
        before = messages_handled(session)
        for _ in range(10):
            peer.send(text(delta()) * 3)
            for _ in range(3):
                events.get(timeout=10)

        assert messages_handled(session) - before == 10


def test_sending_audio_is_one_write_of_the_caller_and_no_message_to_anybody(server):
    with counted_calls() as calls, talking(server) as (session, peer):
        before = messages_handled(session)
        writes, others = calls.here(*WRITES), calls.elsewhere(*READS, *SELECTS, *WRITES)
        for _ in range(FRAME_COUNT):
            session.send_audio(bytes(960))
        writes = calls.here(*WRITES) - writes
        others = calls.elsewhere(*READS, *SELECTS, *WRITES) - others
        heard = peer.texts(FRAME_COUNT)

        assert writes == FRAME_COUNT
        assert others == 0
        assert messages_handled(session) == before
        assert len(heard) == FRAME_COUNT


@pytest.mark.parametrize(("transport", "threads_each"), [("fast", 1), ("plain", 2)])
def test_a_session_has_one_thread_and_all_of_them_one_for_their_sockets(
    server, transport, threads_each
):
    with ExitStack() as stack:
        stack.enter_context(talking(server, transport))
        shared = threading.active_count()
        for _ in range(20):
            stack.enter_context(talking(server, transport))

        assert threading.active_count() - shared <= 20 * threads_each
