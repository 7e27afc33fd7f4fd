"""A small chat endpoint over loopback: answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field


@define
class ChatEndpoint:
    """`lines` are what the next answer's body consists of; `HOLD` keeps the client waiting."""

    url: str = ""
    status: int = 200
    lines: Sequence[str] = ()
    body: dict[str, Any] = field(factory=dict)
    headers: dict[str, str] = field(factory=dict)
    path: str = ""
    asked: threading.Event = field(factory=threading.Event)
    hung_up: threading.Event = field(factory=threading.Event)
    """Set when the client closed the connection before the answer was over."""

    def answer(self, *pieces: Any) -> None:
        """Answer with these pieces as server-sent events, and the end mark."""
        self.lines = [event(piece) for piece in pieces] + ["data: [DONE]\n\n"]


HOLD = "hold"
"""Instead of a line: say nothing until the client hangs up."""


def event(piece: Any) -> str:
    return f"data: {json.dumps(piece)}\n\n"


def text(words: str, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": words}, **choice}]}


def calls(*pieces: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(pieces)}, **choice}]}


@contextmanager
def chat_endpoint() -> Iterator[ChatEndpoint]:
    endpoint = ChatEndpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            endpoint.path = self.path
            endpoint.headers = {name.lower(): value for name, value in self.headers.items()}
            length = int(self.headers["content-length"])
            endpoint.body = json.loads(self.rfile.read(length))
            endpoint.asked.set()
            lines = list(endpoint.lines)
            if lines[:1] == [HOLD]:
                self._wait_for_hang_up()
                return
            self.send_response(endpoint.status)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            for line in lines:
                if line == HOLD:
                    self._wait_for_hang_up()
                    return
                self.wfile.write(line.encode())
                self.wfile.flush()
            self.close_connection = True

        def _wait_for_hang_up(self) -> None:
            self.connection.settimeout(10)
            if self.connection.recv(1) == b"":
                endpoint.hung_up.set()
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for them
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
