"""A session that is held up is not sent more than it can keep: the server has to wait."""

from __future__ import annotations

import base64
import contextlib
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.events import AudioEvent, ConnectionEvent, ErrorEvent, RawModelEvent
from realtime_actors.protocol import UnknownEvent
from realtime_actors.session.backlog import EVENT_BYTES, HIGH, LOW, Backlog
from realtime_actors.testing import Probe, ScriptedTransport, fake_clock
from tests.session.raw_server import say, session_and_peer
from tests.session.wire import response_created
from tests.transport.wire import PATIENCE, Peer, RawServer

ONE_READ = 256 * 2**10
"""Bytes: more than what may be read in a turn that has begun."""
PIECE = 12_000
"""Bytes of speech in an event."""
PIECES = 3 * HIGH // PIECE
TRANSPORTS = ("fast", "plain")


class Turnstile:
    """A subscriber whose `put` waits until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def put(self, message: ra.SessionEvent) -> None:
        self.entered.set()
        assert self.opened.wait(2 * PATIENCE)


class Paused(logging.Handler):
    """Notes when the log says that a server is not read any more."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.happened = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "the server is not read" in record.getMessage():
            self.lines.append(record.getMessage())
            self.happened.set()


@pytest.fixture
def paused() -> Iterator[Paused]:
    handler, log = Paused(), logging.getLogger("realtime_actors.session")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.fixture
def turnstile() -> Iterator[Turnstile]:
    turnstile = Turnstile()
    yield turnstile
    turnstile.opened.set()


def piece(number: int) -> dict[str, Any]:
    """A piece of speech that tells which one it is."""
    audio = number.to_bytes(4, "big") * (PIECE // 4)
    return {
        "type": "response.output_audio.delta",
        "response_id": "r1",
        "item_id": "i1",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(audio).decode(),
    }


@contextlib.contextmanager
def in_background(work: Callable[[], None]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    thread.join(PATIENCE)
    assert not thread.is_alive()


def flood(peer: Peer) -> Callable[[], None]:
    """Say much more than may wait, as fast as it is taken."""

    def talk() -> None:
        with contextlib.suppress(OSError):  # the session has left
            say(peer, response_created())
            for number in range(PIECES):
                say(peer, piece(number))

    return talk


def received_by(session: ra.Session) -> int:
    """How much was read of the session's socket."""
    transport: Any = session.shared.transport
    received: int = transport.received_bytes
    return received


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_a_server_says_to_a_session_that_is_held_up_waits_with_the_server_and_then_all_comes(
    server: RawServer, paused: Paused, turnstile: Turnstile, transport: str
) -> None:
    with session_and_peer(server, transport=transport) as (session, peer):
        speech: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        probe = Probe(session, only=[ErrorEvent, ConnectionEvent])
        session.subscribe(turnstile, only=AudioEvent)
        session.subscribe(speech, only=AudioEvent)
        with in_background(flood(peer)):
            assert paused.happened.wait(PATIENCE)
            assert received_by(session) < HIGH + 2 * ONE_READ
            turnstile.opened.set()
            came = [speech.get(timeout=PATIENCE).event for _ in range(PIECES)]

        numbers = [int.from_bytes(event.audio.data[:4], "big") for event in came]
        assert numbers == list(range(PIECES))
        assert {len(event.audio.data) for event in came} == {PIECE}
        told = probe.wait_for(ErrorEvent)
        assert told.error.type == "session_behind"
        assert "Turnstile.put() has not returned" in told.error.message
        assert told.recoverable
    # It may stop and go on often: that is told once, and with an event once a minute.
    assert len(paused.lines) == len(probe.all(ErrorEvent)) == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_that_is_held_up_is_read_no_further(
    server: RawServer, paused: Paused, turnstile: Turnstile, transport: str
) -> None:
    with session_and_peer(server, transport=transport) as (session, peer):
        session.subscribe(turnstile, only=AudioEvent)
        with (
            session_and_peer(server, transport=transport) as (other, their_peer),
            in_background(flood(peer)),
        ):
            assert paused.happened.wait(PATIENCE)
            there = received_by(session)
            # Others are read meanwhile: the thread that reads has had its turns.
            probe = Probe(other, raw=True)
            for number in range(50):
                say(their_peer, {"type": "ours", "number": number})
                heard = probe.wait_for(RawModelEvent).event
                assert isinstance(heard, UnknownEvent)
                assert heard.raw == {"type": "ours", "number": number}
            assert received_by(session) - there < ONE_READ
            session.send_audio(bytes(960))  # what is sent goes out
            turnstile.opened.set()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("how", ["close", "kill"])
def test_a_session_that_is_held_up_amid_a_flood_ends_when_it_is_told_to(
    server: RawServer, paused: Paused, turnstile: Turnstile, transport: str, how: str
) -> None:
    with session_and_peer(server, transport=transport) as (session, peer):
        probe = Probe(session, only=ConnectionEvent)
        session.subscribe(turnstile, only=AudioEvent)
        with in_background(flood(peer)):
            assert paused.happened.wait(PATIENCE)
            if how == "close":
                session.close(timeout=0.2)
            else:
                otp.exit_signal(session, otp.KILL)

            assert not session.is_alive()
            assert probe.wait_for(ConnectionEvent).state == "closed"
        # The flood is over too, since the connection is gone.


def test_a_server_that_goes_while_it_is_not_read_is_heard_to_its_last_word(
    server: RawServer, paused: Paused, turnstile: Turnstile
) -> None:
    with session_and_peer(server) as (session, peer):
        speech: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        session.subscribe(turnstile, only=AudioEvent)
        session.subscribe(speech, only=[AudioEvent, ConnectionEvent])

        def talk_and_go() -> None:
            flood(peer)()
            socket.socket.shutdown(peer.sock, socket.SHUT_WR)

        with in_background(talk_and_go):
            assert paused.happened.wait(PATIENCE)
            turnstile.opened.set()
        came = [speech.get(timeout=PATIENCE).event for _ in range(PIECES + 1)]
        assert all(isinstance(event, AudioEvent) for event in came[:-1])
        assert isinstance(came[-1], ConnectionEvent)
        assert came[-1].state == "lost"


def test_one_message_that_is_larger_than_all_that_may_wait_is_no_backlog(
    server: RawServer, paused: Paused
) -> None:
    with session_and_peer(server) as (session, peer):
        probe = Probe(session, raw=True)
        for _ in range(3):
            say(peer, {"type": "large", "text": "x" * (HIGH + LOW)})
            probe.wait_for(RawModelEvent)

    assert paused.lines == []


# -- the counting itself ----------------------------------------------------------------------


class Counted(ScriptedTransport):
    """A connection that says that it was paused, and counts what the test says it read."""

    received_bytes = 0
    paused = False
    pauses = 0

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True
        self.pauses += 1

    def resume_reading(self) -> None:
        self.paused = False


def test_a_session_that_falls_behind_often_says_so_once_a_minute(
    paused: Paused, turnstile: Turnstile
) -> None:
    script = Counted(strict=False)
    with (
        fake_clock() as clock,
        ra.run(ra.agent(), transport=script, config={"stall_timeout": None}) as session,
    ):
        probe = Probe(session, only=ErrorEvent)
        session.subscribe(turnstile, only=AudioEvent)
        script.emit(response_created())
        for later, told in ((0.0, 1), (1.0, 1), (58.0, 1), (1.0, 2), (1.0, 2)):
            clock.advance(later)
            turnstile.entered.clear()
            turnstile.opened.clear()
            script.emit(piece(0))
            assert turnstile.entered.wait(PATIENCE)
            script.received_bytes += HIGH
            script.emit(piece(1), piece(2))
            script.emit(piece(3))
            assert script.paused
            turnstile.opened.set()
            session.history()
            assert not script.paused
            assert (len(paused.lines), len(probe.all(ErrorEvent))) == (told, told)
    assert script.pauses == 5


def events(count: int) -> list[UnknownEvent]:
    return [UnknownEvent(type="any")] * count


@given(
    st.lists(
        st.one_of(st.tuples(st.just("came"), st.integers(0, 2 * HIGH)), st.just(("handled", 0))),
        max_size=60,
    )
)
def test_reading_stops_when_too_much_waits_and_goes_on_when_little_does(steps) -> None:
    transport, told = Counted(), list[int]()
    backlog = Backlog(told.append)
    backlog.follow(transport)
    waiting: list[tuple[int, int]] = []

    def size() -> int:
        return sum(each for _, each in waiting)

    for what, number in steps:
        if what == "came":
            before = size()
            transport.received_bytes += number
            waiting.append((backlog.came(events(2)), number + 2 * EVENT_BYTES))
            if before > HIGH:
                assert transport.paused
        elif waiting:
            backlog.handled(waiting.pop(0)[0])
            if size() <= LOW:
                assert not transport.paused
    assert len(told) == transport.pauses
    assert all(each > HIGH for each in told)


class Overtaken(Counted):
    """A connection that lets the session handle something just when it says what it has read."""

    read = 0

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    @property
    def received_bytes(self) -> int:  # type: ignore[override]  # nothing is written to this one
        self.meanwhile()
        return self.read


def test_a_connection_is_not_left_paused_when_all_was_handled_just_then() -> None:
    backlog = Backlog(lambda waiting: None)
    handled = [0]  # how far the session comes while a read is handed on
    transport = Overtaken(lambda: backlog.handled(handled[0]))
    backlog.follow(transport)
    transport.read = 2 * HIGH
    handled[0] = backlog.came(events(1))
    backlog.came(events(1))

    assert transport.pauses == 1
    assert not transport.paused


def test_small_events_count_for_more_than_their_bytes() -> None:
    transport = Counted()
    backlog = Backlog(lambda waiting: None)
    backlog.follow(transport)
    for _ in range(HIGH // EVENT_BYTES + 1):
        backlog.came(events(1))
    assert not transport.paused
    backlog.came(events(1))

    assert transport.paused


def test_two_threads_never_leave_a_connection_paused_of_which_all_is_handled() -> None:
    transport = Counted()
    backlog = Backlog(lambda waiting: None)
    backlog.follow(transport)
    came: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def handle() -> None:
        while (upto := came.get()) is not None:
            backlog.handled(upto)

    with in_background(handle):
        for _ in range(20_000):
            transport.received_bytes += HIGH // 3
            came.put(backlog.came(events(1)))
            while transport.paused:
                time.sleep(0)  # a paused connection brings nothing
        came.put(None)

    assert not transport.paused


def test_a_transport_that_can_not_be_paused_is_taken_as_it_is() -> None:
    backlog = Backlog(lambda waiting: None)
    backlog.follow(ScriptedTransport())

    assert backlog.came(events(100_000)) == 0
    backlog.handled(0)
