"""Against somebody else's server, `websockets`, with the real protocol on top."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from realtime_actors.items import user_message
from realtime_actors.protocol import (
    ConversationItemCreate,
    ErrorDetail,
    InputAudioBufferAppend,
    InputAudioBufferCommit,
    MalformedEvent,
    ResponseCancel,
    ResponseOutputAudioDelta,
    ServerError,
    dialect,
)
from realtime_actors.transport import ConnectOptions, Disconnected, transport_named
from tests.transport.wire import PATIENCE, Inbox

Conversation = Callable[[ServerConnection], None]


@contextmanager
def server(converse: Conversation, **options) -> Iterator[str]:
    """A server that runs `converse` with each connection; its URL."""

    def handler(websocket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            converse(websocket)

    with serve(handler, "127.0.0.1", 0, max_size=None, **options) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        scheme = "wss" if "ssl" in options else "ws"
        yield f"{scheme}://localhost:{running.socket.getsockname()[1]}/v1/realtime"
        running.shutdown()
        thread.join()
    # It leaves these open: pipes up to version 16, sockets since.
    for end in (running.shutdown_watcher, running.shutdown_notifier):
        os.close(end) if isinstance(end, int) else end.close()


@pytest.fixture(params=["fast", "plain"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("dialect_name", ["ga", "beta"])
def test_events_of_the_protocol_go_both_ways(name: str, dialect_name: str, authority):
    speaks = dialect(dialect_name)
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    delta = ResponseOutputAudioDelta(
        event_id="e1", response_id="r1", item_id="i1", output_index=0, content_index=0, delta=b"pcm"
    )

    def converse(websocket: ServerConnection) -> None:
        websocket.send(speaks.encode_server(delta), text=True)
        for message in websocket:
            received.put(speaks.decode_client(message))

    with server(converse, ssl=authority.server) as url:
        options = ConnectOptions(url=url, ca_bundle=authority.ca_bundle)
        transport = transport_named(name)(options, speaks)
        inbox = Inbox()
        transport.connect(inbox)
        event = inbox.next()
        item = user_message("Grüße")
        transport.send(ConversationItemCreate(item=item))
        transport.send_audio(b"\1\2" * 480, commit=True)
        transport.send(ResponseCancel(response_id="r1"))
        sent = [received.get(timeout=PATIENCE) for _ in range(4)]
        transport.close()

    assert event == delta
    assert sent == [
        ConversationItemCreate(item=item),
        InputAudioBufferAppend(audio=b"\1\2" * 480),
        InputAudioBufferCommit(),
        ResponseCancel(response_id="r1"),
    ]


def test_what_is_no_event_is_reported_and_the_conversation_goes_on(name: str):
    def converse(websocket: ServerConnection) -> None:
        websocket.send("{")
        websocket.send(b"\0\1")
        websocket.send('{"type": "error", "error": {"type": "t", "message": "m"}}')
        for _ in websocket:
            pass

    with server(converse) as url:
        inbox = Inbox()
        transport = transport_named(name)(ConnectOptions(url=url), dialect("ga"))
        transport.connect(inbox)
        bad_json, binary, error = inbox.take(3)
        transport.close()

    assert isinstance(bad_json, MalformedEvent)
    assert isinstance(binary, MalformedEvent)
    assert isinstance(error, ServerError)
    assert error.error.message == "m"


def test_events_may_come_in_binary_messages(name: str):
    """As from behind some gateways: whole, in fragments, with blanks around."""
    event = '{"type": "error", "error": {"message": "größer 🎧"}}'.encode()

    def converse(websocket: ServerConnection) -> None:
        websocket.send(event)
        websocket.send([event[:40], event[40:55], event[55:]])
        websocket.send(b"\r\n " + event + b"\n")
        websocket.send(b'{"type": "response.done"}')
        websocket.send(b"{")
        websocket.send(b"")
        for _ in websocket:
            pass

    with server(converse) as url:
        inbox = Inbox()
        transport = transport_named(name)(ConnectOptions(url=url), dialect("ga"))
        transport.connect(inbox)
        *good, incomplete, broken, empty = inbox.take(6)
        transport.close()

    assert good == [ServerError(error=ErrorDetail(message="größer 🎧"))] * 3
    assert [each.reason for each in (incomplete, broken, empty)] == [
        "response.done: response is missing",
        "a binary message of 1 bytes that is no JSON: events are JSON text",
        "a binary message of 0 bytes that is no JSON: events are JSON text",
    ]


def test_closing_is_polite_from_either_side(name: str):
    codes: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def converse(websocket: ServerConnection) -> None:
        try:
            if websocket.recv() == '{"type":"response.cancel"}':
                websocket.close(4001, "enough")
            websocket.recv()
        except ConnectionClosed as closed:
            codes.put((closed.rcvd and closed.rcvd.code, closed.sent and closed.sent.code))

    # Without TLS: there `websockets` sometimes hangs up before it has read the answer.
    with server(converse) as url:
        options = ConnectOptions(url=url)
        closing = transport_named(name)(options, dialect("ga"))
        closing.connect(Inbox())
        closing.close(timeout=PATIENCE)
        assert codes.get(timeout=PATIENCE) == (1000, 1000)

        inbox = Inbox()
        closed = transport_named(name)(options, dialect("ga"))
        closed.connect(inbox)
        closed.send(ResponseCancel())
        (disconnected,) = inbox.until_disconnected()
        assert codes.get(timeout=PATIENCE) == (4001, 4001)
        closed.close()

    assert isinstance(disconnected, Disconnected)
    assert (disconnected.code, disconnected.reason) == (4001, "enough")


def test_fragments_pings_and_compression_offers_are_no_matter(name: str):
    pongs = []

    def converse(websocket: ServerConnection) -> None:
        assert websocket.request is not None
        assert "Sec-WebSocket-Extensions" not in websocket.request.headers
        pong = websocket.ping(b"alive?")
        websocket.send(word for word in ('{"type": "error",', ' "error": {"type":', ' "t"}}'))
        pongs.append(pong.wait(PATIENCE))
        websocket.send('{"type": "input_audio_buffer.cleared"}')
        for _ in websocket:
            pass

    with server(converse) as url:
        inbox = Inbox()
        transport = transport_named(name)(ConnectOptions(url=url), dialect("ga"))
        transport.connect(inbox)
        types = [event.type for event in inbox.take(2)]
        transport.close()

    assert types == ["error", "input_audio_buffer.cleared"]
    assert pongs == [True]
