"""A connection that is dead is noticed, and one that is only silent is not taken for dead."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.errors import NotConnectedError, TransportError
from realtime_actors.transport import ConnectOptions, IoThreads
from realtime_actors.transport.connection import Connection
from realtime_actors.transport.frames import FrameParser
from realtime_actors.transport.liveness import Liveness
from tests.speed.counting import counted_calls
from tests.speed.talking import SELECTS
from tests.transport.wire import (
    CLOSE,
    PATIENCE,
    PING,
    PONG,
    Heard,
    Inbox,
    Peer,
    Say,
    TextDialect,
    close,
    frame,
    text,
)

SOON = 0.05
"""Seconds of silence after which a test's connection asks."""
HOUR = 3600.0
"""Seconds that no test waits: what is told apart by this is not a matter of speed."""
MIB = 2**20


def ending(connection: Any) -> tuple[int | None, str]:
    """Code and reason of a connection's end, which has to be all that is delivered."""
    (disconnected,) = connection.inbox.until_disconnected()
    error = disconnected.error
    assert (error.code, error.reason) == (disconnected.code, disconnected.reason)
    return disconnected.code, disconnected.reason


def answer_pings(peer: Peer, count: int) -> None:
    for _ in range(count):
        ping = peer.frame()
        assert ping is not None
        assert (ping.opcode, bytes(ping.data)) == (PING, b"")
        peer.send(frame(PONG))


# --- over sockets -------------------------------------------------------------------------------


def test_a_server_that_has_fallen_silent_is_asked_and_then_given_up(connect) -> None:
    connection = connect(ping_interval=SOON, ping_timeout=SOON)

    code, reason = ending(connection)

    assert code == 1006
    assert reason.startswith("no sign of life for ")
    assert reason.endswith(" s")
    ping = connection.peer.frame()
    assert (ping.opcode, bytes(ping.data)) == (PING, b"")
    assert connection.peer.frame() is None  # no goodbye: 1006 never travels
    assert not connection.transport.connected
    with pytest.raises(NotConnectedError, match="nothing was sent"):
        connection.transport.send(Say("anybody?"))


def test_a_server_that_says_something_and_falls_silent_then_is_given_up(connect) -> None:
    connection = connect(ping_interval=SOON, ping_timeout=SOON)
    connection.peer.send(text("hello"))

    *said, end = connection.inbox.until_disconnected()

    assert (said, end.code) in (([Heard("hello")], 1006), ([], 1006))


def test_a_server_that_answers_pings_and_says_nothing_else_stays(connect) -> None:
    # A ping that its answer did not settle would be the last for an hour.
    connection = connect(ping_interval=SOON, ping_timeout=HOUR)

    answer_pings(connection.peer, 10)

    assert connection.transport.connected
    assert connection.inbox.is_empty


@pytest.mark.parametrize("kind", ["fast"], indirect=True)
def test_between_its_looks_the_thread_sleeps(connect) -> None:
    with counted_calls() as calls:
        connection = connect(ping_interval=SOON, ping_timeout=HOUR)
        answer_pings(connection.peer, 1)
        before = calls.elsewhere(*SELECTS)
        answer_pings(connection.peer, 10)
        selects = calls.elsewhere(*SELECTS) - before

    assert selects <= 3 * 10  # for each: the time has come, and the answer


@pytest.mark.parametrize("kind", ["fast"], indirect=True)
def test_whatever_a_server_says_is_a_sign_of_life(connect) -> None:
    connection = connect(ping_interval=SOON, ping_timeout=1.0)

    # No answer to any ping; a piece of a frame each time instead.
    for piece in (b"\x81", b"\x05", b"hello"):
        assert connection.peer.frame().opcode == PING
        connection.peer.send(piece)

    assert connection.inbox.next() == Heard("hello")
    assert connection.transport.connected


def test_a_server_that_talks_is_not_asked(connect) -> None:
    connection = connect(ping_interval=HOUR, ping_timeout=HOUR)
    for number in range(100):
        connection.peer.send(text(f"{number}"))
        assert connection.inbox.next() == Heard(f"{number}")
    connection.peer.send(frame(PING, b"and you?"))

    asked = connection.peer.frame()
    assert (asked.opcode, bytes(asked.data)) == (PONG, b"and you?")


@pytest.mark.parametrize("kind", ["fast"], indirect=True)
def test_a_connection_that_never_asks_is_never_taken_for_dead(connect) -> None:
    never = connect(ping_interval=None, ping_timeout=SOON)
    dead = connect(ping_interval=10 * SOON, ping_timeout=SOON)

    assert ending(dead)[0] == 1006

    assert never.transport.connected
    never.peer.send(text("still here"))
    assert never.inbox.next() == Heard("still here")


@pytest.mark.parametrize("kind", ["fast"], indirect=True)
def test_without_a_limit_a_ping_may_stay_unanswered(connect) -> None:
    patient = connect(ping_interval=SOON, ping_timeout=None)
    dead = connect(ping_interval=10 * SOON, ping_timeout=10 * SOON)
    assert patient.peer.frame().opcode == PING

    assert ending(dead)[0] == 1006

    assert patient.transport.connected
    patient.peer.send(frame(PONG))
    answer_pings(patient.peer, 1)


def test_a_server_that_takes_nothing_is_given_up(connect) -> None:
    connection = connect(ping_interval=None, ping_timeout=SOON)
    with contextlib.suppress(NotConnectedError):  # it may be over before all is sent
        for _ in range(20):
            connection.transport.send(Say("*" * MIB))

    code, reason = ending(connection)

    assert code == 1006
    assert reason.startswith("the server has taken nothing for ")
    assert reason.endswith(" bytes wait")


class Full(socket.socket):
    """A socket whose network takes nothing any more, from the first byte on."""

    def send(self, data: Any, flags: int = 0) -> int:
        raise BlockingIOError


def test_a_network_that_takes_nothing_at_all_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    options = ConnectOptions(url="ws://x", ping_interval=None, ping_timeout=SOON)
    inbox = Inbox()
    with theirs:
        full = Full(fileno=ours.detach())
        full.setblocking(False)
        connection = Connection(full, FrameParser(1000), options, TextDialect(), inbox)
        IoThreads().serve(connection)
        connection.send([(b"hello", 0.0)])

        (end,) = inbox.until_disconnected()

    assert (end.code, end.reason.partition(": ")[2]) == (1006, "11 bytes wait")


@pytest.mark.parametrize("kind", ["fast"], indirect=True)
def test_a_server_that_takes_little_at_a_time_stays(connect) -> None:
    connection = connect(ping_interval=None, ping_timeout=2.0)
    for _ in range(30):
        connection.transport.send(Say("*" * MIB))
    # For longer than the timeout in all, and never for that long at a time.
    pace = threading.Event()
    began = time.monotonic()
    while time.monotonic() - began < 3.0:
        connection.peer.sock.recv(MIB)
        pace.wait(0.1)

    assert connection.transport.connected
    assert connection.inbox.is_empty


def test_a_pause_of_ours_is_not_taken_for_a_death_of_the_servers(connect) -> None:
    paused = connect(ping_interval=SOON, ping_timeout=20 * SOON)
    paused.transport.pause_reading()
    dead = connect(ping_interval=SOON, ping_timeout=20 * SOON)
    assert ending(dead)[0] == 1006  # the other one has not heard anything for longer than this

    assert paused.transport.connected
    paused.transport.resume_reading()
    answer_pings(paused.peer, 1)
    assert paused.inbox.is_empty

    assert ending(paused)[0] == 1006


@pytest.mark.parametrize("kind", ["fast"], indirect=True)
def test_a_server_that_takes_nothing_while_it_waits_for_us_stays(connect) -> None:
    paused = connect(ping_interval=None, ping_timeout=20 * SOON)
    paused.transport.pause_reading()
    for _ in range(20):
        paused.transport.send(Say("*" * MIB))
    dead = connect(ping_interval=SOON, ping_timeout=30 * SOON)
    other = connect(ping_interval=None)
    assert ending(dead)[0] == 1006

    def let_the_thread_look() -> None:
        for _ in range(3):
            other.peer.send(text("a round"))
            other.inbox.next()

    paused.transport.pause_reading()  # which asks for a turn
    let_the_thread_look()
    assert paused.transport.connected

    # It has all of the time again, and needs little of it.
    paused.transport.resume_reading()
    let_the_thread_look()
    assert [len(word) for word in paused.peer.texts(20)] == [MIB] * 20
    assert paused.transport.connected
    assert paused.inbox.is_empty


@pytest.mark.parametrize("kind", ["fast", "fast over TLS"], indirect=True)
def test_an_answer_that_came_while_the_thread_was_held_up_counts(connect) -> None:
    held, go = threading.Event(), threading.Event()

    class Holding(TextDialect):
        def decode_server(self, data: Any) -> Heard:
            held.set()
            assert go.wait(PATIENCE)
            return super().decode_server(data)

    alive = connect(ping_interval=SOON, ping_timeout=1.0)
    busy = connect(dialect=Holding(), ping_interval=None)
    assert alive.peer.frame().opcode == PING
    asked_at = time.monotonic()
    busy.peer.send(text("this takes the thread a while"))
    assert held.wait(PATIENCE)
    threading.Event().wait(asked_at + 1.1 - time.monotonic())  # the answer is late by now
    alive.peer.send(frame(PONG))
    go.set()

    answer_pings(alive.peer, 1)
    assert alive.inbox.is_empty


@pytest.mark.parametrize("kind", ["fast"], indirect=True)
def test_the_deadline_of_one_connection_is_not_put_off_by_those_of_others(connect) -> None:
    late = [connect(ping_interval=HOUR, ping_timeout=HOUR) for _ in range(3)]
    soon = connect(ping_interval=SOON, ping_timeout=SOON)

    assert ending(soon)[0] == 1006
    assert all(each.transport.connected for each in late)


LONG_REASON = "é" * 61 + "."
"""As long as a goodbye can be: 123 bytes."""


def test_the_code_and_the_reason_of_a_goodbye_come_through_whole(connect) -> None:
    assert len(LONG_REASON.encode()) == 123
    connection = connect(ping_interval=SOON, ping_timeout=HOUR)
    answer_pings(connection.peer, 1)
    connection.peer.send(close(4999, LONG_REASON))

    assert ending(connection) == (4999, LONG_REASON)
    while (said := connection.peer.frame()).opcode == PING:
        pass
    assert (said.opcode, bytes(said.data)) == (CLOSE, (4999).to_bytes(2, "big"))


# --- the arithmetic -----------------------------------------------------------------------------


def test_a_ping_is_due_after_silence_and_a_death_after_a_ping_without_answer() -> None:
    liveness = Liveness(20.0, 10.0, now=100.0)

    assert liveness.due == 120.0
    assert not liveness.check(119.9, 0)
    assert liveness.check(120.0, 0)
    assert liveness.due == 130.0
    assert not liveness.check(129.9, 0)
    with pytest.raises(TransportError, match=r"^no sign of life for 30 s") as death:
        liveness.check(130.0, 0)
    assert death.value.code == 1006


def test_silence_counts_from_what_was_heard_last() -> None:
    liveness = Liveness(20.0, 10.0, now=100.0)
    liveness.heard_at = 119.0

    assert not liveness.check(120.0, 0)  # when it was due once
    assert liveness.due == 139.0
    assert liveness.check(139.0, 0)


@pytest.mark.parametrize("heard_at", [120.0, 120.1])
def test_what_is_heard_after_a_ping_or_on_the_same_tick_answers_it(heard_at: float) -> None:
    liveness = Liveness(20.0, 10.0, now=100.0)
    assert liveness.check(120.0, 0)
    liveness.heard_at = heard_at

    assert not liveness.check(130.0, 0)
    assert liveness.due == heard_at + 20.0


def test_the_next_ping_is_due_as_soon_as_an_answer_is_known() -> None:
    liveness = Liveness(5.0, 60.0, now=100.0)
    assert liveness.check(105.0, 0)
    assert liveness.due == 165.0
    liveness.heard_at = 105.1
    liveness.answered()

    assert liveness.due == 110.1


def test_a_server_is_dead_that_takes_nothing_of_what_waits_whatever_it_says() -> None:
    liveness = Liveness(20.0, 10.0, now=100.0)
    liveness.waits(101.0)
    liveness.heard_at = 110.9

    assert liveness.due == 111.0
    assert not liveness.check(110.9, 5000)
    with pytest.raises(TransportError, match=r"^the server has taken nothing for 10 s: 5000 "):
        liveness.check(111.0, 5000)


def test_what_the_network_takes_is_a_sign_of_life_and_begins_the_wait_anew() -> None:
    liveness = Liveness(20.0, 10.0, now=100.0)
    liveness.waits(115.0)
    assert liveness.check(120.0, 5000)  # the ping waits behind the 5000
    liveness.taken(124.0, 2000)

    assert not liveness.check(133.9, 2000)
    assert liveness.due == 134.0
    liveness.taken(133.9, 0)
    assert not liveness.check(134.0, 0)
    assert liveness.due == 153.9


def test_what_was_not_heard_for_want_of_listening_does_not_count() -> None:
    liveness = Liveness(20.0, 10.0, now=100.0)
    liveness.waits(115.0)
    assert liveness.check(120.0, 7)
    liveness.begin_anew(500.0, 7)

    assert liveness.due == 510.0  # for what waits
    assert not liveness.check(509.9, 7)
    liveness.begin_anew(500.0, 0)
    assert liveness.due == 520.0  # for the next ping


def test_with_neither_interval_nor_timeout_nothing_is_ever_due() -> None:
    liveness = Liveness(None, None, now=100.0)
    liveness.waits(100.0)

    assert liveness.due is None
    assert not liveness.check(1e9, 1)


@given(
    interval=st.floats(0.1, 50.0),
    timeout=st.floats(0.1, 50.0),
    gaps=st.lists(st.tuples(st.floats(0.0, 60.0), st.booleans()), max_size=30),
)
def test_a_server_that_answers_in_time_lives_and_one_that_does_not_is_noticed_in_time(
    interval: float, timeout: float, gaps: list[tuple[float, bool]]
) -> None:
    """Its owner calls `check` whenever it is due, and at other times as well."""
    liveness = Liveness(interval, timeout, now=0.0)
    now = 0.0
    for gap, says_something in gaps:
        wakes_at, asked = now + gap, False
        while (due := liveness.due) is not None and due <= wakes_at:
            now = max(now, due)
            asked = liveness.check(now, 0)
            if asked:  # the answer comes at once, or never
                if not says_something:
                    break
                liveness.heard_at = now
        if asked and not says_something:
            assert liveness.due == now + timeout
            with pytest.raises(TransportError, match="no sign of life"):
                liveness.check(now + timeout, 0)
            return
        now = max(now, wakes_at)
        liveness.heard_at = now
