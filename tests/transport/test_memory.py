"""The transport without a socket keeps the contract of those with one."""

from __future__ import annotations

import threading

import pytest

from realtime_actors.errors import LocalProtocolError, NotConnectedError, StartError
from realtime_actors.protocol import MalformedEvent
from realtime_actors.transport import (
    ConnectOptions,
    MemoryListener,
    MemoryPeer,
    MemoryTransport,
    OutboundFullError,
)
from tests.transport.wire import Heard, Inbox, Say, TextDialect


def connect(inbox: Inbox | None = None, **options) -> tuple[MemoryTransport, MemoryPeer, Inbox]:
    listener, inbox = MemoryListener(), inbox or Inbox()
    transport = listener(ConnectOptions(url="ws://memory", **options), TextDialect())
    transport.connect(inbox)
    return transport, listener.accept(), inbox


def test_events_go_both_ways_in_order():
    transport, server, inbox = connect()
    transport.send(Say("one"))
    transport.send_audio(b"pcm", commit=True)
    server.send(Heard("two"))
    server.send_text("three")

    assert [server.receive() for _ in range(3)] == [Say("one"), Say("append pcm"), Say("commit")]
    assert inbox.take(2) == [Heard("two"), Heard("three")]
    assert server.unread_bytes == 0


def test_nobody_connects_and_nobody_speaks_is_a_timeout():
    _, server, _ = connect()

    with pytest.raises(TimeoutError):
        server.receive(timeout=0)
    with pytest.raises(TimeoutError):
        MemoryListener().accept(timeout=0)


def test_a_binary_message_is_reported():
    transport, server, inbox = connect()
    server.send_binary(b"\0\1")

    assert isinstance(inbox.next(), MalformedEvent)
    assert transport.connected


@pytest.mark.parametrize(
    ("message", "code"), [(b"\xff", 1007), (b"x" * 101, 1009), (b"!bug", 1011)]
)
def test_what_breaks_a_connection_breaks_this_one(message: bytes, code: int):
    transport, server, inbox = connect(max_message_size=100)
    server.send_text(message)

    (disconnected,) = inbox.until_disconnected()
    assert disconnected.code == code
    assert server.close_code == code
    assert not transport.connected


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (4000, "expired", "expired"),
        (1001, "", "the server closed the connection"),
        (None, "", "the connection was lost"),
    ],
)
def test_the_end_of_the_connection_is_announced_once(code, said, reason):
    transport, server, inbox = connect()
    server.close(code, said)
    server.close(1000)
    server.send_text("too late")

    (disconnected,) = inbox.until_disconnected()
    assert (disconnected.code, disconnected.reason) == (code, reason)
    assert inbox.is_empty
    with pytest.raises(NotConnectedError, match="nothing was sent"):
        transport.send(Say("hello"))


def test_closing_tells_the_server_and_delivers_nothing_more():
    transport, server, inbox = connect()
    transport.send(Say("a last word"))
    transport.close()
    transport.close()
    server.send(Heard("too late"))
    server.close()

    assert server.receive() == Say("a last word")
    for _ in range(2):
        with pytest.raises(NotConnectedError, match="the client has closed"):
            server.receive()
    assert server.close_code == 1000
    assert inbox.is_empty


def test_closing_waits_for_a_delivery_of_another_thread():
    entered, go = threading.Event(), threading.Event()

    def react(event: object) -> None:
        entered.set()
        go.wait()

    transport, server, _ = connect(Inbox(react))
    speaker = threading.Thread(target=server.send, args=(Heard("hello"),))
    speaker.start()
    entered.wait()
    closer = threading.Thread(target=transport.close)
    closer.start()
    closer.join(0.05)
    assert closer.is_alive()
    go.set()
    closer.join()
    speaker.join()


def test_closing_from_inside_deliver_does_not_wait_for_itself():
    transport, server, inbox = connect(Inbox(lambda event: transport.close()))
    server.send(Heard("hello"))
    server.send(Heard("too late"))

    assert inbox.next() == Heard("hello")
    assert inbox.is_empty


def test_a_deliver_that_raises_ends_the_connection(caplog):
    def react(event: object) -> None:
        raise RuntimeError("a bug of ours")

    transport, server, inbox = connect(Inbox(react))
    server.send(Heard("hello"))

    hello, disconnected = inbox.until_disconnected()
    assert (hello, disconnected.code) == (Heard("hello"), 1011)
    assert not transport.connected
    assert "a bug of ours" in caplog.text


def test_a_server_that_does_not_read_gets_no_audio_and_is_given_up_in_the_end():
    transport, server, inbox = connect(outbound_limit_bytes=1000)
    for _ in range(10):
        transport.send_audio(b"*" * 93)
    with pytest.raises(OutboundFullError, match="1000 bytes wait"):
        transport.send_audio(b"dropped")
    assert server.receive() == Say("append " + "*" * 93)
    transport.send_audio(b"*" * 93)
    for _ in range(10):
        transport.send(Say("*" * 100))
    with pytest.raises(NotConnectedError, match="the server does not read"):
        transport.send(Say("lost"))

    (disconnected,) = inbox.until_disconnected()
    assert disconnected.code is None


def test_a_transport_connects_once_and_not_after_it_was_closed():
    transport, _, _ = connect()
    closed = MemoryListener()(ConnectOptions(url="ws://memory"), TextDialect())
    closed.close()

    with pytest.raises(LocalProtocolError, match="make another one"):
        transport.connect(Inbox())
    with pytest.raises(StartError, match="closed while it was connecting"):
        closed.connect(Inbox())
