"""The server's side of a test: frames by hand, a tiny dialect, a server that does as told."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import frozen
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from realtime_actors.protocol import ClientEvent, Dialect, InputAudioBufferCommit, ServerEvent
from realtime_actors.transport import Disconnected
from tests.wrong import wrong

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

PATIENCE = 20.0
"""How long a test waits for what must come. A bound on hanging, not on speed."""


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = False,
    length_bytes: int | None = None,
) -> bytes:
    """A frame as a server sends it, or as none should. `length_bytes`: 0, 2 or 8."""
    size = len(payload)
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    second = {0: size, 2: 126, 8: 127}[length_bytes] | (0x80 if masked else 0)
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    extended = size.to_bytes(length_bytes, "big") if length_bytes else b""
    return bytes([first, second]) + extended + (bytes(4) if masked else b"") + payload


def text(payload: str | bytes) -> bytes:
    return frame(TEXT, payload.encode() if isinstance(payload, str) else payload)


def close(code: int | None = 1000, reason: str | bytes = b"") -> bytes:
    raw = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + raw)


@frozen
class Heard(ServerEvent):
    """A text from the server."""

    type = "heard"
    text: str


@frozen
class Say(ClientEvent):
    """A text for the server."""

    type = "say"
    text: str


class TextDialect(Dialect):
    """Every text is an event, and every event its text. What starts with "!" blows up."""

    def __init__(self, **headers: str) -> None:
        self.name = wrong("text")
        self.connect_headers = headers

    def decode_server(self, data: Any) -> Heard:
        if data.startswith(b"!"):
            raise RuntimeError("this dialect has a bug")
        return Heard(bytes(data).decode())

    def encode_client(self, event: ClientEvent) -> bytes:
        if isinstance(event, InputAudioBufferCommit):
            return b"commit"
        assert isinstance(event, Say)
        return event.text.encode()

    def encode_append(self, audio: bytes) -> bytes:
        return b"append " + audio

    def decode_client(self, data: Any) -> Say:
        return Say(data.decode())

    def encode_server(self, event: ServerEvent) -> bytes:
        assert isinstance(event, Heard)
        return event.text.encode()


class Inbox:
    """A `deliver` that remembers what it was given, and hands it out one by one."""

    def __init__(self, react: Callable[[Any], None] = lambda event: None) -> None:
        self.batches: list[Sequence[Any]] = []
        self._react = react
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __call__(self, events: Sequence[Any]) -> None:
        self.batches.append(list(events))
        for event in events:
            self._events.put(event)
            self._react(event)

    def next(self, timeout: float = PATIENCE) -> Any:
        return self._events.get(timeout=timeout)

    def take(self, count: int) -> list[Any]:
        return [self.next() for _ in range(count)]

    def until_disconnected(self) -> list[Any]:
        events = [self.next()]
        while not isinstance(events[-1], Disconnected):
            events.append(self.next())
        return events

    @property
    def is_empty(self) -> bool:
        return self._events.empty()


def frames_of(protocol: ServerProtocol) -> Iterator[Frame]:
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        yield event


class Peer:
    """The far end of one connection: sends any bytes, reads with websockets' own parser."""

    def __init__(self, sock: socket.socket, protocol: ServerProtocol, headers: dict[str, str]):
        self.sock = sock
        self.headers = headers
        self._protocol = protocol
        self._frames: list[Frame] = []

    def send(self, *pieces: bytes) -> None:
        self.sock.sendall(b"".join(pieces))

    def frame(self) -> Frame | None:
        """The client's next frame; None when the connection has ended."""
        while not self._frames:
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                return None
            self._protocol.receive_data(data)
            assert self._protocol.parser_exc is None, self._protocol.parser_exc
            self._frames = [*frames_of(self._protocol)]
        return self._frames.pop(0)

    def texts(self, count: int) -> list[str]:
        frames = [self.frame() for _ in range(count)]
        return [bytes(each.data).decode() for each in frames if each is not None]

    def close_code(self) -> int | None:
        """Read up to the client's CLOSE: its code. None for a CLOSE without, or for none."""
        while (received := self.frame()) is not None:
            if received.opcode == CLOSE:
                return int.from_bytes(received.data[:2], "big") if received.data else None
        return None

    def hang_up(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """End the connection with a RST, as a peer does that has crashed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


class RawServer:
    """Accepts on loopback and upgrades; everything else is the test's business.

    `greeting` are bytes sent in one piece with the upgrade response. `answer` replaces the
    upgrade altogether: it gets the socket, in a thread, and is expected to close it.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        greeting: bytes = b"",
        answer: Callable[[socket.socket], None] | None = None,
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self._greeting = greeting
        self._answer = answer
        self._peers: queue.SimpleQueue[Peer] = queue.SimpleQueue()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://localhost:{self.port}/v1/realtime?model=m"

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._sockets:
            sock.close()

    def peer(self) -> Peer:
        """The far end of the next connection."""
        return self._peers.get(timeout=PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._answer is not None:
                self._answer(sock)
                sock.close()
                return
            protocol = ServerProtocol(max_size=None)
            while not (requests := protocol.events_received()):
                data = sock.recv(4096)
                if not data:
                    return
                protocol.receive_data(data)
            (request,) = requests
            assert isinstance(request, Request)
            protocol.send_response(protocol.accept(request))
            sock.sendall(b"".join(protocol.data_to_send()) + self._greeting)
        except OSError:
            sock.close()
            return
        headers = {name.lower(): value for name, value in requests[0].headers.raw_items()}
        self._peers.put(Peer(sock, protocol, headers))


def read_request(sock: socket.socket) -> bytes:
    """An HTTP request up to its empty line."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += sock.recv(4096)
    return request
