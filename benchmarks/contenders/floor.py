"""As little as can be done in Python: our frame parser, orjson and pybase64; no actor."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import orjson
import pybase64
import websocket

from benchmarks.measuring import (
    SILENCE,
    WARM_UP_SECONDS,
    sent_at,
    spending,
    summary_ms,
)
from realtime_actors.transport.frames import TEXT, FrameParser, Message, build_frame
from realtime_actors.transport.mask import best_mask

READ_SIZE = 65536


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    connection = websocket.create_connection(url, timeout=10)
    try:
        assert connection.sock is not None
        yield connection.sock
    finally:
        connection.shutdown()  # type: ignore[no-untyped-call]  # half of websocket-client has types


def append(audio: bytes) -> bytes:
    text = pybase64.b64encode_as_string(audio)
    payload = f'{{"type":"input_audio_buffer.append","audio":"{text}"}}'.encode()
    return build_frame(TEXT, payload, best_mask())


def heard(sock: socket.socket) -> Iterator[bytes]:
    """The audio that comes, for ever."""
    parser = FrameParser(2**24)
    while True:
        messages: list[Message] = []
        parser.feed(sock.recv(READ_SIZE), messages)
        for _, payload in messages:
            event = orjson.loads(payload)
            if event["type"] == "response.output_audio.delta":
                yield pybase64.b64decode(event["delta"], None, True)


def decode(texts: list[str], repeat: int) -> dict[str, float]:
    messages = [text.encode() for text in texts]
    with spending() as spent:
        for _ in range(repeat):
            for message in messages:
                event = orjson.loads(message)
                if event["type"] == "response.output_audio.delta":
                    pybase64.b64decode(event["delta"], None, True)
    return {"cpu_us": spent.cpu_s * 1e6 / repeat / len(texts)}


def flood(url: str, count: int) -> dict[str, float]:
    with connected(url) as sock, spending() as spent:
        sock.sendall(append(SILENCE))
        for _ in islice(heard(sock), count):
            pass
    return {"cpu_us": spent.cpu_s * 1e6 / count, "wall_us": spent.wall_s * 1e6 / count}


def paced(url: str, seconds: float) -> dict[str, float]:
    latencies = []
    with connected(url) as sock:
        sock.sendall(append(SILENCE))
        begin = time.monotonic() + WARM_UP_SECONDS
        for audio in heard(sock):
            now = time.monotonic()
            if now >= begin + seconds:
                break
            if now >= begin:
                latencies.append(now - sent_at(audio))
    return summary_ms(latencies)


def send(url: str, frames: int, size: int) -> dict[str, float]:
    frame = bytes(size)
    with connected(url) as sock:
        sock.sendall(append(SILENCE))
        with spending() as spent:
            for _ in range(frames):
                sock.sendall(append(frame))
            next(heard(sock))
    return {"cpu_us": spent.cpu_s * 1e6 / frames, "calls_per_s": frames / spent.wall_s}
