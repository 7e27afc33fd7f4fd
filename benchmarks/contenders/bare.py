"""websocket-client as it comes, with the standard library's JSON and base64; no session."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import websocket

from benchmarks.measuring import SILENCE, WARM_UP_SECONDS, sent_at, spending, summary_ms


@contextmanager
def connected(url: str) -> Iterator[websocket.WebSocket]:
    connection = websocket.create_connection(url, timeout=10)
    try:
        yield connection
    finally:
        connection.shutdown()  # type: ignore[no-untyped-call]  # half of websocket-client has types


def append(audio: bytes) -> str:
    text = base64.b64encode(audio).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": text})


def heard(connection: websocket.WebSocket) -> Iterator[bytes]:
    """The audio that comes, for ever."""
    while True:
        event = json.loads(connection.recv())
        if event["type"] == "response.output_audio.delta":
            yield base64.b64decode(event["delta"])


def decode(texts: list[str], repeat: int) -> dict[str, float]:
    with spending() as spent:
        for _ in range(repeat):
            for text in texts:
                event = json.loads(text)
                if event["type"] == "response.output_audio.delta":
                    base64.b64decode(event["delta"])
    return {"cpu_us": spent.cpu_s * 1e6 / repeat / len(texts)}


def flood(url: str, count: int) -> dict[str, float]:
    with connected(url) as connection, spending() as spent:
        connection.send(append(SILENCE))
        for _ in islice(heard(connection), count):
            pass
    return {"cpu_us": spent.cpu_s * 1e6 / count, "wall_us": spent.wall_s * 1e6 / count}


def paced(url: str, seconds: float) -> dict[str, float]:
    latencies = []
    with connected(url) as connection:
        connection.send(append(SILENCE))
        begin = time.monotonic() + WARM_UP_SECONDS
        for audio in heard(connection):
            now = time.monotonic()
            if now >= begin + seconds:
                break
            if now >= begin:
                latencies.append(now - sent_at(audio))
    return summary_ms(latencies)


def send(url: str, frames: int, size: int) -> dict[str, float]:
    frame = bytes(size)
    with connected(url) as connection:
        connection.send(append(SILENCE))
        with spending() as spent:
            for _ in range(frames):
                connection.send(append(frame))
            next(heard(connection))
    return {"cpu_us": spent.cpu_s * 1e6 / frames, "calls_per_s": frames / spent.wall_s}
