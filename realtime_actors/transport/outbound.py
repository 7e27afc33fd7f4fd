"""What goes out: audio as events, and what the socket has not taken yet."""

from __future__ import annotations

import socket
import ssl
from collections import deque

from realtime_actors.protocol import Dialect, InputAudioBufferCommit

__all__ = ["Outbound", "audio_payloads"]

# The API takes this much audio in one append.
_MAX_APPEND_BYTES = 15 * 2**20

# One write at most. Bounds how long the connection's lock is held (TLS encrypts 64 KiB in
# about 20 microseconds), and is small beside what a socket buffers.
_CHUNK = 64 * 1024

# One flush at most, for the same reason as a read has its limit: the others' turn.
_BUDGET = 256 * 1024


def audio_payloads(dialect: Dialect, audio: bytes, *, commit: bool) -> list[bytes]:
    """Audio as appends that the API takes, and the commit after them if wanted."""
    if len(audio) <= _MAX_APPEND_BYTES:
        payloads = [dialect.encode_append(audio)] if audio else []
    else:
        payloads = [
            dialect.encode_append(audio[start : start + _MAX_APPEND_BYTES])
            for start in range(0, len(audio), _MAX_APPEND_BYTES)
        ]
    if commit:
        payloads.append(dialect.encode_client(InputAudioBufferCommit()))
    return payloads


class Outbound:
    """A queue of frames before a non-blocking socket. Not thread-safe: its owner locks."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._waiting: deque[memoryview] = deque()
        self.size = 0
        """Bytes that wait."""
        self.wants_read = False
        """TLS has to read something before it can write on."""

    def write(self, frame: bytes) -> None:
        """Send what the socket takes, keep the rest. Raises OSError when the connection broke."""
        sent = 0
        if not self.size and len(frame) <= _CHUNK:
            sent = self._send(frame)
            if sent == len(frame):
                return  # nearly always: nothing waits, and the socket takes it all
        self.size += len(frame) - sent
        self._waiting.append(memoryview(frame)[sent:])
        if len(self._waiting) == 1:
            self.flush()

    def flush(self) -> None:
        """Send on. Raises OSError when the connection broke."""
        budget = _BUDGET
        while self._waiting and budget > 0:
            head = self._waiting[0]
            # The same bytes again after a refusal: TLS insists on that.
            sent = self._send(head[:_CHUNK])
            if not sent:
                return
            budget -= sent
            self.size -= sent
            if sent == len(head):
                self._waiting.popleft()
            else:
                self._waiting[0] = head[sent:]

    def _send(self, data: bytes | memoryview) -> int:
        """How much the socket took."""
        self.wants_read = False
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except ssl.SSLWantReadError:
            self.wants_read = True
            return 0
