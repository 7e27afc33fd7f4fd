"""Closing: politely when the peer plays along, in time when it doesn't, from anywhere."""

from __future__ import annotations

import threading
import time

import pytest

from realtime_actors.errors import NotConnectedError, StartCause, StartError
from realtime_actors.transport import ConnectOptions, transport_named
from tests.transport.wire import (
    CLOSE,
    PATIENCE,
    TEXT,
    Heard,
    Inbox,
    RawServer,
    Say,
    TextDialect,
    close,
    frame,
    read_request,
    text,
)

WELL_OVER = 10.0
"""Much more than the timeout that is given: what is tested is that closing ends."""


def reader_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("realtime-")]


def assert_no_reader_is_left() -> None:
    """Within a time that bounds a hang, and nothing else."""
    deadline = time.monotonic() + PATIENCE
    while reader_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert reader_threads() == []


def test_closing_says_goodbye_and_waits_for_the_answer(connect):
    connection = connect()

    def answer() -> None:
        assert connection.peer.close_code() == 1000
        connection.peer.send(text("a last word"), close(1000))

    server = threading.Thread(target=answer)
    server.start()
    connection.transport.close(timeout=PATIENCE)
    server.join()

    assert not connection.transport.connected
    assert reader_threads() == []
    assert connection.inbox.is_empty


def test_what_was_sent_before_closing_still_arrives(connect):
    connection = connect()
    for number in range(100):
        connection.transport.send(Say(f"{number}" + "." * 10_000))
    closer = threading.Thread(target=connection.transport.close, args=(PATIENCE,))
    closer.start()

    assert [word.rstrip(".") for word in connection.peer.texts(100)] == [
        f"{number}" for number in range(100)
    ]
    assert connection.peer.frame().opcode == CLOSE
    connection.peer.send(close())
    closer.join()


def test_closing_takes_no_longer_than_its_timeout_when_the_peer_is_silent(connect):
    connection = connect()
    started = time.monotonic()
    connection.transport.close(timeout=0.2)

    assert 0.2 <= time.monotonic() - started < WELL_OVER
    assert reader_threads() == []


def test_closing_ends_when_the_peer_reads_nothing_at_all(connect):
    connection = connect()
    for _ in range(50):
        connection.transport.send_audio(b"*" * 200_000)
    started = time.monotonic()
    connection.transport.close(timeout=0.2)

    assert time.monotonic() - started < WELL_OVER
    assert reader_threads() == []


def test_closing_ends_when_the_peer_talks_without_end(connect):
    connection = connect()
    gone = threading.Event()

    def talk() -> None:
        while not gone.is_set():
            try:
                connection.peer.send(text("bla" * 10_000))
            except OSError:
                return

    server = threading.Thread(target=talk)
    server.start()
    connection.inbox.next()
    connection.transport.close(timeout=0.2)
    gone.set()
    server.join()

    assert reader_threads() == []


def test_nothing_is_delivered_after_closing(connect):
    connection = connect()
    stop = threading.Event()

    def talk() -> None:
        while not stop.is_set():
            try:
                connection.peer.send(text("bla"))
            except OSError:
                return

    server = threading.Thread(target=talk)
    server.start()
    connection.inbox.next()
    connection.transport.close(timeout=0.05)
    count = len(connection.inbox.batches)
    stop.set()
    server.join()

    assert len(connection.inbox.batches) == count


def test_closing_twice_does_nothing(connect):
    connection = connect()
    connection.transport.close(timeout=0)
    connection.transport.close()
    connection.transport.close()

    assert connection.inbox.is_empty


def test_many_threads_may_close_at_once(connect):
    connection = connect()
    threads = [threading.Thread(target=connection.transport.close, args=(0.2,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WELL_OVER)

    assert not any(thread.is_alive() for thread in threads)
    assert reader_threads() == []


def test_closing_from_inside_deliver_does_not_wait_for_itself(connect):
    closed = threading.Event()

    def react(event: object) -> None:
        connection.transport.close(timeout=PATIENCE)
        closed.set()

    connection = connect(Inbox(react))
    connection.peer.send(text("hello"))

    assert closed.wait(PATIENCE)
    assert connection.peer.close_code() == 1000
    connection.peer.send(text("ignored"), close())
    connection.transport.close()
    assert connection.inbox.take(1) == [Heard("hello")]
    assert connection.inbox.is_empty


@pytest.mark.parametrize("kind", ["fast", "fast over TLS"], indirect=True)
def test_closing_one_connection_from_inside_another_ones_deliver_does_not_wait(connect):
    closed = threading.Event()

    def react(event: object) -> None:
        other.transport.close(timeout=PATIENCE)
        closed.set()

    other = connect()
    connection = connect(Inbox(react))
    connection.peer.send(text("hello"))

    assert closed.wait(PATIENCE)
    assert other.peer.close_code() == 1000


def test_closing_after_the_server_has_closed_leaves_nothing(connect):
    connection = connect()
    connection.peer.send(close())
    connection.inbox.until_disconnected()
    connection.transport.close()

    assert reader_threads() == []


def test_without_closing_nothing_is_left_either_once_the_server_has_gone(connect):
    connection = connect()
    connection.peer.send(close())
    connection.peer.hang_up()
    connection.inbox.until_disconnected()

    assert_no_reader_is_left()


@pytest.mark.parametrize("kind", ["fast", "plain"], indirect=True)
def test_a_connection_that_failed_is_left_when_the_server_never_hangs_up(connect):
    connection = connect()
    connection.peer.send(frame(TEXT, b"x", masked=True))
    connection.inbox.until_disconnected()

    assert_no_reader_is_left()


@pytest.mark.parametrize("name", ["fast", "plain"])
def test_a_transport_that_was_closed_does_not_connect(name: str):
    with RawServer() as server:
        transport = transport_named(name)(ConnectOptions(url=server.url), TextDialect())
        transport.close()

        with pytest.raises(StartError, match="closed while it was connecting"):
            transport.connect(Inbox())
        with pytest.raises(NotConnectedError):
            transport.send(Say("hello"))


@pytest.mark.parametrize("name", ["fast", "plain"])
def test_closing_ends_the_connecting_of_another_thread(name: str):
    asked = threading.Event()

    def be_silent(sock) -> None:
        read_request(sock)
        asked.set()
        sock.recv(1)

    with RawServer(answer=be_silent) as server:
        transport = transport_named(name)(
            ConnectOptions(url=server.url, timeout=PATIENCE), TextDialect()
        )
        errors: list[StartError] = []

        def connect() -> None:
            try:
                transport.connect(Inbox())
            except StartError as error:
                errors.append(error)

        connecting = threading.Thread(target=connect)
        connecting.start()
        assert asked.wait(PATIENCE)
        transport.close()
        connecting.join(PATIENCE)

        assert [error.cause for error in errors] == [StartCause.NETWORK]
        assert reader_threads() == []
