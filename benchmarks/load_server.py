"""A Realtime server that does nothing but load its clients, in a process of its own.

What a connection is to do is in the query of its URL: `ws://127.0.0.1:port/?job=flood&size=960`.
Everything is serialised beforehand; sending a delta is one copy and one system call. A
`session.update` is acknowledged, and the first `input_audio_buffer.append` starts the job:

| job | what the server does |
| --- | --- |
| idle | nothing |
| flood | sends `count` audio deltas of `size` bytes, as fast as they are taken |
| paced | sends an audio delta of `size` bytes every 20 ms, until the end |
| barge_in | the same, and once a second the user begins to speak |
| sink | takes audio; once `frames` more appends have come, sends one delta |

The first bytes of a paced delta are the time when it was sent: `measuring.sent_at(audio)`.
"""

from __future__ import annotations

import base64
import contextlib
import heapq
import json
import selectors
import signal
import socket
import ssl
import sys
import time
from hashlib import sha1
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from websockets.speedups import apply_mask

from benchmarks.measuring import FRAME_SECONDS, STAMP_BYTES

__all__ = ["LoadServer"]

BARGE_IN_SECONDS = 1.0

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
APPEND, UPDATE = b'"input_audio_buffer.append"', b'"session.update"'


def frame(text: bytes) -> bytes:
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def event(kind: str, **members: object) -> bytes:
    return frame(
        json.dumps({"type": kind, "event_id": "event_0123456789abcdef", **members}).encode()
    )


def delta(response_id: str, size: int) -> tuple[bytearray, int]:
    """An audio delta, and where in it the stamp goes."""
    audio = (bytes(range(256)) * (size // 256 + 1))[:size]
    whole = bytearray(
        event(
            "response.output_audio.delta",
            response_id=response_id,
            item_id=f"item_of_{response_id}",
            output_index=0,
            content_index=0,
            delta=base64.b64encode(audio).decode(),
        )
    )
    return whole, whole.rindex(b'"delta": "') + len('"delta": "')


def response_begins(response_id: str) -> bytes:
    return event(
        "response.created",
        response={
            "object": "realtime.response",
            "id": response_id,
            "status": "in_progress",
            "output": [],
        },
    )


def response_ends(response_id: str) -> bytes:
    return event(
        "response.done",
        response={
            "object": "realtime.response",
            "id": response_id,
            "status": "cancelled",
            "status_details": {"type": "cancelled", "reason": "turn_detected"},
            "output": [],
        },
    )


class Connection:
    """One client, and its job."""

    def __init__(self, sock: socket.socket, query: dict[str, str]) -> None:
        self.socket = sock
        self.job = query.get("job", "idle")
        self.size = int(query.get("size", 960))
        self.count = int(query.get("count", 0))
        self.frames = int(query.get("frames", 0))
        self.started = False
        self.received = b""
        self.appends = 0
        self.responses = 0
        self.unsent = bytearray()
        self.waits_for = READ
        self.delta, self.stamp_at = bytearray(), 0
        self.next_barge_in = 0.0

    def begin_response(self) -> bytes:
        self.responses += 1
        response_id = f"resp_{self.responses:06}"
        self.delta, self.stamp_at = delta(response_id, self.size)
        return response_begins(response_id)

    def stamped(self) -> bytes:
        now = time.monotonic_ns().to_bytes(STAMP_BYTES, "big")
        self.delta[self.stamp_at : self.stamp_at + 12] = base64.b64encode(now)
        return bytes(self.delta)

    def barge_in(self) -> bytes:
        """The user speaks: the response ends, the next one begins."""
        spoken = event(
            "input_audio_buffer.speech_started",
            audio_start_ms=0,
            item_id=str(time.monotonic_ns()),
        )
        return spoken + response_ends(f"resp_{self.responses:06}") + self.begin_response()


class LoadServer:
    """All connections in one thread, which never waits for one of them."""

    def __init__(self, certificate: str | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.tls = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, READ)
        self.selector.register(sys.stdin, READ)
        self.paced: list[tuple[float, int, Connection]] = []  # a heap: when the next delta is due
        self.started = 0
        self.late = [0.0]

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def run(self) -> NoReturn:
        """Serve until nobody holds our standard input any more: so we never stay behind."""
        while True:
            patience = None
            if self.paced:
                patience = max(0.0, self.paced[0][0] - time.monotonic())
            for key, ready in self.selector.select(patience):
                connection: Connection | None = key.data
                if key.fileobj is sys.stdin:
                    sys.exit()
                if connection is None:
                    self.accept()
                    continue
                try:
                    if ready & WRITE:
                        self.flush(connection)
                    if ready & READ:
                        self.receive(connection)
                except (OSError, EOFError):
                    self.drop(connection)
            self.send_what_is_due()

    def send_what_is_due(self) -> None:
        now = time.monotonic()
        while self.paced and self.paced[0][0] <= now:
            due, number, connection = heapq.heappop(self.paced)
            self.late.append(now - due)
            data = connection.stamped()
            if connection.job == "barge_in" and due >= connection.next_barge_in:
                connection.next_barge_in = due + BARGE_IN_SECONDS
                data = connection.barge_in()
            with contextlib.suppress(OSError):  # it is gone: the selector will say so
                self.send(connection, data)
                heapq.heappush(self.paced, (due + FRAME_SECONDS, number, connection))
            now = time.monotonic()

    # -- the beginning of a connection ---------------------------------------------------

    def accept(self) -> None:
        """Shake hands. It may wait for the client: the measurement begins later."""
        sock, _ = self.listener.accept()
        try:
            sock.settimeout(5.0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                received = sock.recv(4096)
                if not received:
                    raise EOFError
                request += received
            target = urlsplit(request.split(b" ", 2)[1].decode())
            if target.path == "/stats":
                self.tell_stats(sock)
                sock.close()
                return
            headers = dict(
                line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line
            )
            key = {name.lower(): value for name, value in headers.items()}[b"sec-websocket-key"]
            sock.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: "
                + base64.b64encode(sha1(key.strip() + GUID).digest())
                + b"\r\n\r\n"
                + event("session.created", session={"type": "realtime", "id": "sess_1"})
            )
            sock.setblocking(False)
        except (OSError, EOFError):
            sock.close()
            return
        connection = Connection(sock, dict(parse_qsl(target.query)))
        self.selector.register(sock, READ, connection)

    def tell_stats(self, sock: socket.socket) -> None:
        """How late the paced deltas were sent: by this, a result is to be trusted or not."""
        late, self.late = sorted(self.late), [0.0]
        stats = {
            "late_p99_ms": late[int(len(late) * 0.99)] * 1000,
            "cpu_s": time.process_time(),
        }
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + json.dumps(stats).encode())

    # -- afterwards ----------------------------------------------------------------------

    def receive(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(262144)
            while isinstance(connection.socket, ssl.SSLSocket) and connection.socket.pending():
                data += connection.socket.recv(262144)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        if not data:
            raise EOFError
        data = connection.received + data
        position, end = 0, len(data)
        while end - position >= 6:
            length, start = data[position + 1] & 0x7F, position + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                length = int.from_bytes(data[position + 2 : start], "big")
            start += 4
            if start + length > end:
                break
            opcode = data[position] & 0x0F
            self.take(
                connection,
                opcode,
                apply_mask(data[start : start + length], data[start - 4 : start]),
            )
            position = start + length
        connection.received = data[position:]

    def take(self, connection: Connection, opcode: int, payload: bytes) -> None:
        if opcode == 0x8:
            self.send(connection, bytes((0x88, len(payload))) + payload)
            raise EOFError
        if opcode == 0x9:
            self.send(connection, bytes((0x8A, len(payload))) + payload)
        elif APPEND in payload:
            if not connection.started:
                connection.started = True
                self.start(connection)
                return
            connection.appends += 1
            if connection.job == "sink" and connection.appends == connection.frames:
                self.send(connection, connection.stamped())
        elif UPDATE in payload:
            session = {**json.loads(payload)["session"], "id": "sess_1", "type": "realtime"}
            self.send(connection, event("session.updated", session=session))

    def start(self, connection: Connection) -> None:
        self.send(connection, connection.begin_response())
        if connection.job == "flood":
            self.send(connection, bytes(connection.delta) * connection.count)
        elif connection.job in ("paced", "barge_in"):
            # The golden ratio spreads any number of connections evenly over the 20 ms.
            self.started += 1
            phase = self.started * 0.618 % 1
            due = time.monotonic() + FRAME_SECONDS * phase
            connection.next_barge_in = due + BARGE_IN_SECONDS * phase
            heapq.heappush(self.paced, (due, self.started, connection))

    def send(self, connection: Connection, data: bytes) -> None:
        connection.unsent += data
        if len(connection.unsent) == len(data):
            self.flush(connection)

    def flush(self, connection: Connection) -> None:
        unsent, sent = memoryview(connection.unsent), 0
        try:
            while sent < len(unsent):
                sent += connection.socket.send(unsent[sent : sent + 262144])
        except (BlockingIOError, ssl.SSLWantWriteError):
            pass
        unsent.release()
        del connection.unsent[:sent]
        wanted = READ | WRITE if connection.unsent else READ
        if wanted != connection.waits_for:
            connection.waits_for = wanted
            self.selector.modify(connection.socket, wanted, connection)

    def drop(self, connection: Connection) -> None:
        self.paced = [each for each in self.paced if each[2] is not connection]
        heapq.heapify(self.paced)
        self.selector.unregister(connection.socket)
        connection.socket.close()


def main(arguments: list[str]) -> Any:
    server = LoadServer(*arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness ends us
    print(server.port, flush=True)
    server.run()


if __name__ == "__main__":
    main(sys.argv[1:])
