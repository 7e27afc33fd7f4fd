"""What a connection delivers, and how it ends when the server ends it."""

from __future__ import annotations

import pytest

from realtime_actors.protocol import MalformedEvent
from realtime_actors.transport import Disconnected
from tests.transport.rfc_cases import CASES, MAX_MESSAGE_SIZE, Case
from tests.transport.wire import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Heard,
    Inbox,
    Say,
    close,
    frame,
    text,
)


def ending(disconnected: Disconnected) -> tuple[int | None, str]:
    """Code and reason, both as the error has them, too."""
    error = disconnected.error
    assert error is not None
    assert (error.code, error.reason) == (disconnected.code, disconnected.reason)
    return disconnected.code, disconnected.reason


def test_events_are_delivered_in_the_order_in_which_they_came(connect):
    connection = connect()
    connection.peer.send(*(text(f"{number}") for number in range(2000)))

    assert connection.inbox.take(2000) == [Heard(f"{number}") for number in range(2000)]


def test_what_the_server_sent_together_with_its_upgrade_is_not_lost(connect):
    connection = connect(greeting=text("session.created") + text("and more") + b"\x81\x05he")
    connection.peer.send(b"llo")

    assert connection.inbox.take(3) == [Heard("session.created"), Heard("and more"), Heard("hello")]


@pytest.mark.parametrize("kind", ["fast", "fast over TLS"], indirect=True)
def test_what_one_read_gave_is_delivered_in_one_piece(connect):
    connection = connect(greeting=b"".join(text(word) for word in ("one", "two", "three")))
    connection.inbox.take(3)

    assert connection.inbox.batches == [[Heard("one"), Heard("two"), Heard("three")]]


def test_a_large_message_arrives_whole(connect):
    connection = connect()
    message = "audio" * 1_000_000
    connection.peer.send(text(message), text("after it"))

    assert connection.inbox.take(2) == [Heard(message), Heard("after it")]


def test_a_ping_is_answered_with_its_payload_and_not_delivered(connect):
    connection = connect()
    connection.peer.send(frame(PING, b"are you there?"), frame(PONG), text("hello"))

    pong = connection.peer.frame()
    assert (pong.opcode, bytes(pong.data)) == (PONG, b"are you there?")
    assert connection.inbox.next() == Heard("hello")


def test_a_binary_message_is_reported_and_the_connection_lives(connect):
    connection = connect()
    connection.peer.send(frame(BINARY, b"\0\1\2"), text("hello"))

    malformed, hello = connection.inbox.take(2)
    assert isinstance(malformed, MalformedEvent)
    assert "binary message of 3 bytes" in malformed.reason
    assert hello == Heard("hello")
    assert connection.transport.connected


def test_a_goodbye_of_the_server_is_answered_and_delivered_last(connect):
    connection = connect()
    connection.peer.send(text("hello"), close(4000, "session expired"))

    hello, disconnected = connection.inbox.until_disconnected()
    assert hello == Heard("hello")
    assert ending(disconnected) == (4000, "session expired")
    assert connection.peer.close_code() == 4000
    assert not connection.transport.connected


def test_a_goodbye_without_a_code_is_answered_without_one(connect):
    connection = connect()
    connection.peer.send(close(None))

    (disconnected,) = connection.inbox.until_disconnected()
    assert ending(disconnected) == (None, "the server closed the connection")
    assert connection.peer.frame().opcode == CLOSE


def test_a_server_that_hangs_up_without_a_goodbye_is_reported(connect):
    connection = connect()
    connection.peer.send(text("hello"))
    connection.peer.hang_up()

    hello, disconnected = connection.inbox.until_disconnected()
    assert hello == Heard("hello")
    assert ending(disconnected) == (None, "the connection was lost")


def test_a_server_that_crashes_is_reported(connect):
    connection = connect()
    connection.peer.reset()

    (disconnected,) = connection.inbox.until_disconnected()
    assert disconnected.code is None
    assert disconnected.reason.startswith("the connection was lost")


def test_a_connection_that_ended_is_announced_once(connect):
    connection = connect()
    connection.peer.send(text("hello"), close(1001), text("too late"), close(1000))
    connection.peer.hang_up()
    connection.inbox.until_disconnected()
    connection.transport.close()

    assert connection.inbox.is_empty


@pytest.mark.parametrize("kind", ["fast", "plain"], indirect=True)
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_a_case_of_the_rfc_over_a_socket(connect, case: Case):
    connection = connect(max_message_size=MAX_MESSAGE_SIZE)
    connection.peer.send(case.wire)
    ends = case.violation is not None or any(opcode == CLOSE for opcode, _ in case.messages)
    if not ends:
        connection.peer.send(close(1000))

    *events, disconnected = connection.inbox.until_disconnected()

    wanted = [(opcode, payload) for opcode, payload in case.messages if opcode in (TEXT, BINARY)]
    assert [
        (BINARY, b"") if isinstance(event, MalformedEvent) else (TEXT, event.text.encode())
        for event in events
    ] == [(opcode, payload if opcode == TEXT else b"") for opcode, payload in wanted]
    if case.violation is not None:
        assert disconnected.code == case.violation
        assert connection.peer.close_code() == case.violation


def test_a_client_that_fails_the_connection_says_why_while_the_server_still_talks(connect):
    connection = connect(max_message_size=1000)
    # More than any buffer takes: it has to be read, or the server couldn't come to reading.
    connection.peer.send(b"\x81\x7f" + (50 << 20).to_bytes(8, "big"), b"*" * (20 << 20))

    (disconnected,) = connection.inbox.until_disconnected()
    assert disconnected.code == 1009
    assert "allowed are 1000" in disconnected.reason
    assert connection.peer.close_code() == 1009


def test_a_deliver_that_raises_ends_its_connection_and_no_other(connect, caplog):
    def react(event: object) -> None:
        if event == Heard("poison"):
            raise RuntimeError("a bug of ours")

    poisoned, other = connect(Inbox(react)), connect()
    poisoned.peer.send(text("poison"), text("after it"))

    poison, disconnected = poisoned.inbox.next(), poisoned.inbox.until_disconnected()[-1]
    assert poison == Heard("poison")
    assert ending(disconnected) == (1011, "RuntimeError in the client")
    assert poisoned.peer.close_code() == 1011
    assert "a bug of ours" in caplog.text
    other.peer.send(text("hello"))
    assert other.inbox.next() == Heard("hello")


def test_a_decoder_that_raises_ends_its_connection_and_no_other(connect, caplog):
    broken, other = connect(), connect()
    broken.peer.send(text("!"))

    (disconnected,) = broken.inbox.until_disconnected()
    assert ending(disconnected) == (1011, "RuntimeError in the client")
    other.peer.send(text("hello"))
    assert other.inbox.next() == Heard("hello")
    other.transport.send(Say("hello"))
    assert other.peer.texts(1) == ["hello"]
