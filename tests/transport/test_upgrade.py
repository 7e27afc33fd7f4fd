"""Upgrade responses as servers and gateways write them: taken, or refused with their reason."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable

import pytest
from websockets.utils import accept_key

from realtime_actors.errors import StartCause, StartError
from realtime_actors.transport import ConnectOptions, Transport, transport_named
from tests.transport.wire import PATIENCE, Heard, Inbox, RawServer, TextDialect, read_request, text

WORDS = "You exceeded your current quota."
BODY = json.dumps({"error": {"message": WORDS}}).encode()


def upgrade(
    request: bytes,
    *lines: bytes,
    status: bytes = b"HTTP/1.1 101 Switching Protocols",
    connection: bytes = b"Connection: Upgrade",
    end: bytes = b"\r\n",
) -> bytes:
    """An answer to `request` that upgrades, with more lines of any kind."""
    (key,) = re.findall(rb"(?i)sec-websocket-key: *(\S+)", request)
    accept = b"Sec-WebSocket-Accept: " + accept_key(key.decode()).encode()
    return end.join([status, b"Upgrade: websocket", connection, accept, *lines, b"", b""])


def answering(answer: Callable[[bytes], bytes]) -> Callable[[socket.socket], None]:
    """A server that says hello right behind its answer, in the same packet."""

    def handle(sock: socket.socket) -> None:
        sock.sendall(answer(read_request(sock)) + text("hello"))
        sock.recv(1)  # until the client leaves

    return handle


@pytest.fixture(params=["fast", "plain"])
def make(request: pytest.FixtureRequest) -> Callable[[str], Transport]:
    factory = transport_named(request.param)
    return lambda url: factory(ConnectOptions(url=url, timeout=PATIENCE), TextDialect())


def first_words(make: Callable[[str], Transport], answer: Callable[[bytes], bytes]) -> Heard:
    inbox = Inbox()
    with RawServer(answer=answering(answer)) as server:
        transport = make(server.url)
        transport.connect(inbox)
        try:
            heard: Heard = inbox.next()
            return heard
        finally:
            transport.close(timeout=0)


TAKEN: dict[str, Callable[[bytes], bytes]] = {
    "as it should be": lambda request: upgrade(request),
    "names in lower case": lambda request: re.sub(
        rb"(?m)^[\w-]+:", lambda name: name[0].lower(), upgrade(request)
    ),
    "Connection in one line": lambda r: upgrade(r, connection=b"Connection: keep-alive, Upgrade"),
    "Connection in two lines": lambda r: upgrade(
        r, connection=b"Connection: keep-alive\r\nConnection: Upgrade"
    ),
    "Connection in two lines, the other way round": lambda r: upgrade(
        r, connection=b"Connection: Upgrade\r\nConnection: keep-alive"
    ),
    "a header in Latin-1": lambda r: upgrade(r, "X-City: Zürich".encode("latin-1")),
    "a header in UTF-8": lambda r: upgrade(r, "X-City: Zürich".encode()),
    "a header in two lines": lambda r: upgrade(r, b"X-Fold: a\r\n  b"),
    "a header without a value": lambda r: upgrade(r, b"X-Empty:"),
    "a line that is no header": lambda r: upgrade(r, b"garbage line"),
    "no extension, said aloud": lambda r: upgrade(r, b"Sec-WebSocket-Extensions:"),
    "two cookies": lambda r: upgrade(r, b"Set-Cookie: a=1\r\nSet-Cookie: b=2"),
    "a length": lambda r: upgrade(r, b"Content-Length: 0"),
    "no reason": lambda r: upgrade(r, status=b"HTTP/1.1 101"),
    "lines that end in a line feed": lambda r: upgrade(r, end=b"\n"),
    "100 before it": lambda r: b"HTTP/1.1 100 Continue\r\n\r\n" + upgrade(r),
    "103 before it, twice": lambda r: (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + upgrade(r)
    ),
}


@pytest.mark.parametrize("answer", TAKEN.values(), ids=TAKEN.keys())
def test_an_answer_that_upgrades_is_taken_and_nothing_behind_it_is_lost(make, answer):
    assert first_words(make, answer) == Heard("hello")


def refusal(status: bytes, body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", body])


def attempt(answer: bytes, *, hang_up: bool = False) -> StartError:
    """The error after this answer. The server keeps the line open unless it is to hang up."""
    gone = threading.Event()

    def handle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(answer)
        if not hang_up:
            gone.wait(PATIENCE)

    with RawServer(answer=handle) as server:
        options = ConnectOptions(url=server.url, timeout=PATIENCE)
        try:
            with pytest.raises(StartError) as caught:
                transport_named("fast")(options, TextDialect()).connect(Inbox())
        finally:
            gone.set()
    return caught.value


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

REFUSED = {
    "a length": refusal(b"429 Too Many", BODY, b"Content-Length: %d" % len(BODY)),
    "chunks": refusal(b"429 Too Many", CHUNKED, b"Transfer-Encoding: chunked"),
    "chunks that do not end": refusal(
        b"429 Too Many", CHUNKED[: -len(b"0\r\n\r\n")], b"Transfer-Encoding: chunked"
    ),
    "no length": refusal(b"429 Too Many", BODY),
    "a length that is no number": refusal(b"429 Too Many", BODY, b"Content-Length: many"),
    "a length below zero": refusal(b"429 Too Many", BODY, b"Content-Length: -1"),
    "a length beyond the body": refusal(b"429 Too Many", BODY, b"Content-Length: 99999"),
    "gzip": refusal(
        b"429 Too Many",
        gzip.compress(BODY),
        b"Content-Encoding: gzip",
        b"Content-Length: %d" % len(gzip.compress(BODY)),
    ),
    "gzip in chunks": refusal(
        b"429 Too Many",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(gzip.compress(BODY)), gzip.compress(BODY)),
        b"Content-Encoding: gzip",
        b"Transfer-Encoding: chunked",
    ),
    "103 before it": b"HTTP/1.1 103 Early Hints\r\n\r\n"
    + refusal(b"429 Too Many", BODY, b"Content-Length: %d" % len(BODY)),
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("hang_up", [True, False], ids=["hangs up", "keeps the line open"])
def test_a_refusal_keeps_its_reason_however_its_body_is_framed(answer: bytes, hang_up: bool):
    started = time.monotonic()

    error = attempt(answer, hang_up=hang_up)

    assert (error.cause, error.status) == (StartCause.SERVER, 429)
    assert repr(WORDS) in str(error)
    assert time.monotonic() - started < PATIENCE / 2  # it did not wait for what never comes


def test_of_a_body_without_end_only_the_beginning_is_read():
    error = attempt(refusal(b"400 Bad Request", b"<html>" + b"x" * 2_000_000))

    assert error.status == 400
    assert len(str(error)) < 1000


def test_a_compressed_body_does_not_unfold_without_bounds():
    bomb = gzip.compress(b"x" * 50_000_000)

    error = attempt(refusal(b"400 Bad Request", bomb, b"Content-Encoding: gzip"))

    assert error.status == 400
    assert len(str(error)) < 1000


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 S\r\n" + b"X-A: a\r\n" * 3000 + b"\r\n",
        b"HTTP/1.1 101 S\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" * 20,
    ],
    ids=["headers without end", "a header without end", "never a final one", "HTTP/2"],
)
def test_an_answer_without_end_or_sense_is_the_servers_fault(answer: bytes):
    assert attempt(answer, hang_up=True).cause is StartCause.SERVER
