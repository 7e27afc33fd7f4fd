"""What goes out: audio as events, and what the socket has not taken yet."""

from __future__ import annotations

import socket
import ssl
from collections import OrderedDict, deque
from typing import TypeAlias

from realtime_actors.audio import calculate_audio_length_ms
from realtime_actors.protocol import Dialect, InputAudioBufferCommit

__all__ = ["Outbound", "Payload", "audio_payloads"]

Payload: TypeAlias = tuple[bytes, float]
"""A text for the server, and the milliseconds of the user's audio in it."""

# The API takes this much audio in one append.
_MAX_APPEND_BYTES = 15 * 2**20

# One write at most. Bounds how long the connection's lock is held (TLS encrypts 64 KiB in
# about 20 microseconds), and is small beside what a socket buffers.
_CHUNK = 64 * 1024

# One flush at most, for the same reason as a read has its limit: the others' turn.
_BUDGET = 256 * 1024


def audio_payloads(
    dialect: Dialect, audio: bytes, audio_format: str = "pcm16", *, commit: bool
) -> list[Payload]:
    """Return audio as appends that the API takes, and the commit after them if wanted."""
    pieces = [
        audio[start : start + _MAX_APPEND_BYTES]
        for start in range(0, len(audio), _MAX_APPEND_BYTES)
    ]
    payloads = [
        (dialect.encode_append(piece), calculate_audio_length_ms(len(piece), audio_format))
        for piece in pieces
    ]
    if commit:
        payloads.append((dialect.encode_client(InputAudioBufferCommit()), 0.0))
    return payloads


class Outbound:
    """A queue of frames before a non-blocking socket. Not thread-safe: its owner locks.

    Audio can be taken out of it again, but for a frame that the socket was offered: it may
    have taken a part of it, and TLS has written one down even when it says that it has not.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._count = 0
        self._waiting: OrderedDict[int, memoryview] = OrderedDict()  # by their number
        self._audio: deque[tuple[int, float]] = deque()  # what can be dropped: number and length
        self.size = 0
        """Bytes that wait."""
        self.audio_ms = 0.0
        """Audio that waits, and can be dropped."""
        self.passed_ms = 0.0
        """Audio that was sent, or is being sent."""
        self.wants_read = False
        """TLS has to read something before it can write on."""

    def write(self, frame: bytes, audio_ms: float = 0.0) -> None:
        """Send what the socket takes, keep the rest. Raises OSError when the connection broke."""
        sent, offered = 0, not self.size and len(frame) <= _CHUNK
        if offered:
            self.passed_ms += audio_ms
            sent = self._send(frame)
            if sent == len(frame):
                return  # nearly always: nothing waits, and the socket takes it all
        self._count += 1
        self.size += len(frame) - sent
        self._waiting[self._count] = memoryview(frame)[sent:]
        if audio_ms and not offered:
            self._audio.append((self._count, audio_ms))
            self.audio_ms += audio_ms
        if len(self._waiting) == 1:
            self.flush()

    def drop_audio(self, limit_ms: float) -> float:
        """Take out the oldest audio until `limit_ms` wait at most. Return how much it was."""
        dropped_ms = 0.0
        while self._audio and self.audio_ms > limit_ms:
            number, ms = self._pop_audio()
            self.size -= len(self._waiting.pop(number))
            dropped_ms += ms
        return dropped_ms

    def flush(self) -> None:
        """Send on. Raises OSError when the connection broke."""
        budget = _BUDGET
        while self._waiting and budget > 0:
            number, head = next(iter(self._waiting.items()))
            if self._audio and self._audio[0][0] == number:
                self.passed_ms += self._pop_audio()[1]
            # The same bytes again after a refusal: TLS insists on that.
            sent = self._send(head[:_CHUNK])
            if not sent:
                return
            budget -= sent
            self.size -= sent
            if sent == len(head):
                del self._waiting[number]
            else:
                self._waiting[number] = head[sent:]

    def _pop_audio(self) -> tuple[int, float]:
        """Forget the oldest audio that can be dropped: it can't be any more."""
        number, ms = self._audio.popleft()
        self.audio_ms = self.audio_ms - ms if self._audio else 0.0  # no rest of rounding
        return number, ms

    def _send(self, data: bytes | memoryview) -> int:
        """Return how much the socket took."""
        self.wants_read = False
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except ssl.SSLWantReadError:
            self.wants_read = True
            return 0
