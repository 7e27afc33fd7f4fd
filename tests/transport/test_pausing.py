"""A connection that is not read for a while: the server waits, and nothing else does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.transport.wire import PATIENCE, PING, PONG, Heard, Inbox, Say, close, frame, text

WORD = "word" * 4000
MUCH = 64 * 2**20
"""Bytes: more than all that lies between a server and a client that does not read."""
ONE_READ = 256 * 2**10
"""Bytes: more than what may be read in a turn that has begun."""


class Pausing(Inbox):
    """An inbox that wants no more as soon as it gets something."""

    transport = None

    def __call__(self, events) -> None:
        if self.transport is not None:
            self.transport.pause_reading()
        super().__call__(events)


@contextlib.contextmanager
def flood(peer) -> Iterator[threading.Thread]:
    """Say the same word without end, numbered, as long as the block lasts."""
    over = threading.Event()

    def talk() -> None:
        number = 0
        with contextlib.suppress(OSError):
            while not over.is_set():
                peer.send(text(f"{number} {WORD}"))
                number += 1

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(peer.sock, socket.SHUT_RDWR)
        thread.join()


def test_a_server_that_is_not_read_has_to_wait(connect) -> None:
    inbox = Pausing()
    connection = connect(inbox)
    transport = inbox.transport = connection.transport
    connection.peer.sock.settimeout(0.3)  # then it has waited

    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < MUCH:
            connection.peer.send(text(WORD))
            sent += len(WORD)

    assert sent < MUCH
    assert transport.received_bytes < ONE_READ
    assert transport.connected


def test_all_that_was_sent_meanwhile_comes_in_order_once_reading_goes_on(connect) -> None:
    inbox = Pausing()
    connection = connect(inbox)
    transport = inbox.transport = connection.transport
    words = [f"{number} {WORD}" for number in range(500)]
    sender = threading.Thread(target=lambda: connection.peer.send(*map(text, words)))
    sender.start()

    heard: list[Heard] = []
    while len(heard) < len(words):
        heard.append(inbox.next())
        transport.resume_reading()
    sender.join()

    assert heard == [Heard(word) for word in words]
    assert transport.received_bytes == sum(len(text(word)) for word in words)


def test_what_is_sent_goes_out_while_nothing_is_read(connect) -> None:
    connection = connect()
    connection.transport.pause_reading()
    for number in range(300):
        connection.transport.send(Say(f"{number} {WORD}"))

    assert connection.peer.texts(300) == [f"{number} {WORD}" for number in range(300)]


def test_a_ping_is_answered_and_an_end_is_told_when_reading_goes_on(connect) -> None:
    connection = connect()
    connection.transport.pause_reading()
    connection.peer.send(frame(PING, b"there?"), text("the last word"), close(1001))
    connection.transport.send(Say("still here"))
    assert connection.peer.texts(1) == ["still here"]
    assert connection.inbox.is_empty

    connection.transport.resume_reading()

    pong = connection.peer.frame()
    assert pong is not None
    assert (pong.opcode, bytes(pong.data)) == (PONG, b"there?")
    said, end = connection.inbox.until_disconnected()
    assert (said, end.code) == (Heard("the last word"), 1001)


def test_a_connection_that_is_not_read_can_be_closed_politely(connect) -> None:
    connection = connect()
    connection.transport.pause_reading()

    def answer() -> None:
        connection.peer.send(text("too late"))
        assert connection.peer.close_code() == 1000
        connection.peer.send(close(1000))

    server = threading.Thread(target=answer)
    server.start()
    connection.transport.close(timeout=3600)  # it waits for the answer, and no longer
    server.join()

    assert not connection.transport.connected
    assert connection.inbox.is_empty


def test_a_connection_that_is_not_read_closes_in_time_amid_a_flood(connect) -> None:
    connection = connect()
    connection.transport.pause_reading()
    with flood(connection.peer):
        connection.transport.close(timeout=0.1)

        assert not connection.transport.connected


def test_what_is_to_be_sent_and_can_not_be_ends_a_connection_that_is_not_read(connect) -> None:
    connection = connect(outbound_limit_bytes=2**20)
    connection.transport.pause_reading()
    with flood(connection.peer), contextlib.suppress(Exception):
        for _ in range(1000):
            connection.transport.send(Say("*" * 100_000))
    (end,) = connection.inbox.until_disconnected()[-1:]

    assert "the server does not read" in end.reason
    assert connection.transport.received_bytes < ONE_READ


@pytest.mark.parametrize("kind", ["fast", "fast over TLS"], indirect=True)
def test_others_on_the_same_thread_are_read_meanwhile(connect) -> None:
    stuck, other = connect(), connect()
    stuck.transport.pause_reading()
    with flood(stuck.peer):
        for number in range(100):
            other.peer.send(text(f"{number}"))
            assert other.inbox.next() == Heard(f"{number}")
        other.transport.send(Say("and back"))
        assert other.peer.texts(1) == ["and back"]


@pytest.mark.parametrize("kind", ["fast", "fast over TLS"], indirect=True)
def test_what_comes_just_when_reading_is_paused_is_not_read_any_more(connect) -> None:
    entered, opened = threading.Event(), threading.Event()

    def react(event: object) -> None:
        entered.set()
        assert opened.wait(PATIENCE)

    busy, paused = connect(Inbox(react)), connect()
    busy.peer.send(text("this keeps the thread"))
    assert entered.wait(PATIENCE)
    paused.peer.send(text("unread"))
    paused.transport.pause_reading()  # the thread has not heard of it when it looks again
    opened.set()
    for _ in range(3):
        busy.peer.send(text("round"))
        busy.inbox.take(1)

    assert paused.inbox.is_empty
    paused.transport.resume_reading()
    assert paused.inbox.next() == Heard("unread")
