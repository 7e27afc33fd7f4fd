"""What a connection sends: in order, in one piece, bounded, whatever else goes on."""

from __future__ import annotations

import contextlib
import threading

import pytest

from realtime_actors.errors import LocalProtocolError, NotConnectedError
from realtime_actors.transport import (
    ConnectOptions,
    Disconnected,
    OutboundFullError,
    transport_named,
)
from tests.transport.wire import PATIENCE, Heard, Inbox, Say, TextDialect, text

MIB = 1 << 20


def test_events_are_sent_in_order(connect):
    connection = connect()
    for number in range(500):
        connection.transport.send(Say(f"{number}"))

    assert connection.peer.texts(500) == [f"{number}" for number in range(500)]


def test_an_event_may_be_answered_from_inside_deliver(connect):
    inbox = Inbox(lambda event: connection.transport.send(Say(f"you said {event.text}")))
    connection = connect(inbox)
    connection.peer.send(text("hello"))

    assert connection.peer.texts(1) == ["you said hello"]


def test_each_thread_sends_in_order_and_no_event_is_torn(connect):
    connection = connect()
    names = "abcdefgh"

    def speak(name: str) -> None:
        for number in range(100):
            connection.transport.send(Say(f"{name}{number}" + "." * 3000))

    threads = [threading.Thread(target=speak, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    heard = [word.rstrip(".") for word in connection.peer.texts(800)]
    for thread in threads:
        thread.join()

    for name in names:
        assert [word for word in heard if word[0] == name] == [f"{name}{n}" for n in range(100)]


def test_audio_and_its_commit_go_out_in_one_piece(connect):
    connection = connect()

    def speak(name: bytes) -> None:
        for _ in range(100):
            connection.transport.send_audio(name * 500, commit=True)

    threads = [threading.Thread(target=speak, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    heard = connection.peer.texts(600)
    for thread in threads:
        thread.join()

    assert all(word.startswith("append ") for word in heard[::2])
    assert set(heard[1::2]) == {"commit"}


def test_audio_without_a_commit_is_one_append(connect):
    connection = connect()
    connection.transport.send_audio(b"abc")
    connection.transport.send_audio(b"", commit=True)
    connection.transport.send_audio(b"")
    connection.transport.send(Say("end"))

    assert connection.peer.texts(3) == ["append abc", "commit", "end"]


def test_more_audio_than_one_append_may_hold_is_split(connect):
    connection = connect(outbound_limit_bytes=1)
    audio = b"ab" * (17 * MIB)
    sender = threading.Thread(target=connection.transport.send_audio, args=(audio,))
    sender.start()
    appends = [word.removeprefix("append ").encode() for word in connection.peer.texts(3)]
    sender.join()

    assert [len(append) for append in appends] == [15 * MIB, 15 * MIB, 4 * MIB]
    assert b"".join(appends) == audio


def test_much_goes_both_ways_at_once(connect):
    connection = connect(outbound_limit_bytes=64 * MIB)
    words = [f"{number} " + "x" * 20_000 for number in range(300)]
    server = threading.Thread(
        target=lambda: connection.peer.send(*(text(word) for word in words)),
    )
    server.start()
    for word in words:
        connection.transport.send(Say(word))

    assert connection.inbox.take(300) == [Heard(word) for word in words]
    server.join()
    assert connection.peer.texts(300) == words


def fill(send, limit: int) -> int:
    """Call `send` until it refuses; how often it did not."""
    for count in range(limit):
        try:
            send()
        except (OutboundFullError, NotConnectedError):
            return count
    raise AssertionError(f"accepted {limit} times")


def test_audio_is_refused_when_the_server_does_not_read_and_accepted_when_it_does(connect):
    connection = connect(outbound_limit_bytes=MIB, max_outbound_audio_ms=None)
    accepted = fill(lambda: connection.transport.send_audio(b"*" * 100_000), limit=1000)

    with pytest.raises(OutboundFullError, match=r"audio dropped: [0-9]+ bytes wait"):
        connection.transport.send_audio(b"dropped")
    connection.transport.send(Say("events still pass"))
    words = connection.peer.texts(accepted + 1)
    assert [len(word) for word in words[:-1]] == [100_007] * accepted
    assert words[-1] == "events still pass"

    connection.transport.send_audio(b"again")
    assert connection.peer.texts(1) == ["append again"]


def test_a_server_that_never_reads_is_given_up(connect):
    connection = connect(outbound_limit_bytes=MIB)
    fill(lambda: connection.transport.send(Say("*" * 100_000)), limit=1000)

    (disconnected,) = connection.inbox.until_disconnected()
    assert isinstance(disconnected, Disconnected)
    assert disconnected.code is None
    assert "the server does not read" in disconnected.reason
    with pytest.raises(NotConnectedError):
        connection.transport.send(Say("anybody?"))


@pytest.mark.parametrize("kind", ["fast", "plain"], indirect=True)
def test_a_server_that_never_reads_is_given_up_even_if_it_talks_without_end(connect):
    connection = connect(outbound_limit_bytes=MIB)

    def talk() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.peer.send(text("bla"))

    server = threading.Thread(target=talk)
    server.start()
    fill(lambda: connection.transport.send(Say("*" * 100_000)), limit=1000)

    disconnected = connection.inbox.until_disconnected()[-1]
    connection.transport.close()
    server.join()
    assert "the server does not read" in disconnected.reason


def test_nothing_can_be_sent_before_connecting_and_after_closing(connect):
    connection = connect()
    never_connected = transport_named("fast")(
        ConnectOptions(url="ws://localhost:1/"), TextDialect()
    )
    connection.transport.close(timeout=0)

    for transport in (connection.transport, never_connected):
        assert not transport.connected
        with pytest.raises(NotConnectedError, match="nothing was sent"):
            transport.send(Say("hello"))
        with pytest.raises(NotConnectedError, match="nothing was sent"):
            transport.send_audio(b"hello")


def test_nothing_can_be_sent_after_the_server_has_closed(connect):
    connection = connect()
    connection.peer.hang_up()
    connection.inbox.until_disconnected()

    with pytest.raises(NotConnectedError, match="nothing was sent"):
        connection.transport.send(Say("hello"))


def test_sending_to_a_server_that_crashes_ends_in_one_announcement(connect):
    connection = connect()
    connection.peer.reset()
    sent = threading.Event()

    def keep_sending() -> None:
        while True:
            try:
                connection.transport.send(Say("hello"))
            except NotConnectedError:
                sent.set()
                return

    sender = threading.Thread(target=keep_sending)
    sender.start()

    (disconnected,) = connection.inbox.until_disconnected()
    assert sent.wait(PATIENCE)
    sender.join()
    assert disconnected.code is None
    assert connection.inbox.is_empty


def test_a_transport_connects_once(connect):
    connection = connect()

    with pytest.raises(LocalProtocolError, match="make another one"):
        connection.transport.connect(Inbox())
    assert connection.transport.connected
