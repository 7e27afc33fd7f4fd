"""One connection's life, whoever reads it: sending, closing, failing.

Everything that reads or writes the socket, or decides that the connection is over, is
here or in a subclass, under one lock. The subclasses bring the reading thread.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum, auto

from realtime_actors.errors import NotConnectedError, TransportError
from realtime_actors.protocol import Dialect, MalformedEvent, ServerEvent
from realtime_actors.seconds import LONGEST_WAIT
from realtime_actors.transport.base import (
    ConnectOptions,
    Deliver,
    Disconnected,
    DroppedAudio,
    OutboundFullError,
)
from realtime_actors.transport.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Message,
    build_close,
    build_frame,
    parse_close,
)
from realtime_actors.transport.io_thread import READ, WRITE
from realtime_actors.transport.mask import best_mask
from realtime_actors.transport.outbound import Outbound, Payload

__all__ = ["Link", "Phase"]

logger = logging.getLogger(__name__)

_NORMAL_CLOSURE, _INTERNAL_ERROR = 1000, 1011

# How long a connection that has failed is kept, for the peer to read why: closing a
# socket that still receives throws away what was sent last.
_LINGER = 1.0

# What `close` allows the reading thread on top of its timeout, to let go of the socket.
_GRACE = 0.5


class Phase(Enum):
    """How far a connection is.

        OPEN ── close() ────────────────────> CLOSING ── CLOSE, EOF, deadline ──> GONE
         ├── CLOSE received, rules broken ──> LINGERING ── EOF, deadline ───────> GONE
         ├── EOF, reading fails ────────────────────────────────────────────────> GONE
         └── writing fails ─────────────────> BROKEN ── all read ───────────────> GONE

    Calling close() in any phase but OPEN and CLOSING leads to GONE at once.
    """

    OPEN = auto()
    BROKEN = auto()
    """Nothing can be sent; what came before may say why. Not announced yet."""
    CLOSING = auto()
    """We have said goodbye and wait for the answer. Nothing is delivered any more."""
    LINGERING = auto()
    """It is over and announced. Our last words are on their way; what comes is ignored."""
    GONE = auto()


class Link(ABC):
    """A connected, non-blocking socket, with what is to be sent and what has to be told."""

    def __init__(
        self, sock: socket.socket, options: ConnectOptions, dialect: Dialect, deliver: Deliver
    ) -> None:
        self._socket = sock
        self._limit = options.outbound_limit_bytes
        self._audio_limit_ms = options.max_outbound_audio_ms
        self._decode = dialect.decode_server
        self._deliver = deliver
        self._mask = best_mask()
        # Guards the socket (TLS must not be read and written at once) and what follows
        # here. Held for nothing that waits.
        self._lock = threading.Lock()
        self._outbound = Outbound(sock)
        self._read_wants_write = False
        self._is_paused = False
        self.received_bytes = 0
        """See `PausableTransport.received_bytes`."""
        self._phase = Phase.OPEN
        self._deadline: float | None = None  # of BROKEN, CLOSING and LINGERING
        self._write_error: TransportError | None = None  # of BROKEN
        self._closed = False  # by us: nothing is delivered any more
        self._released = threading.Event()

    def leave_to_parent(self) -> None:
        """Be over, in a child of fork: close our copy of the socket, and touch nothing else."""
        self._lock = threading.Lock()
        self._phase, self._closed = Phase.GONE, True
        self._released = threading.Event()
        self._released.set()
        self._socket.close()

    # -- for any thread --------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._phase is Phase.OPEN

    def send(self, payloads: Sequence[Payload]) -> DroppedAudio | None:
        """Send texts in one piece. Bounds, errors and what it gives are those of `Transport`."""
        frames = [(build_frame(TEXT, text, self._mask), ms) for text, ms in payloads]
        audio_ms = sum(ms for _, ms in frames)
        dropped = None
        with self._lock:
            if self._phase is not Phase.OPEN:
                raise NotConnectedError("the connection is down: nothing was sent")
            waiting = self._outbound.size
            if audio_ms and waiting >= self._limit:
                raise OutboundFullError(f"audio dropped: {waiting} bytes wait for the server")
            if waiting >= 2 * self._limit:
                self._break(f"the server does not read: {waiting} bytes wait for it")
            else:
                dropped = self._make_room(audio_ms) if audio_ms else None
                for frame, ms in frames:
                    self._write(frame, ms)
            broken = self._write_error
            stuck = not waiting and self._outbound.size
        if broken or stuck:
            self._ask_for_turn()
        if broken:
            raise NotConnectedError(f"nothing was sent: {broken}")
        return dropped

    def close(self, timeout: float) -> None:
        """See `Transport.close`."""
        with self._lock:
            self._closed = True
            deadline = time.monotonic() + timeout
            if self._phase is Phase.OPEN:
                self._phase, self._deadline = Phase.CLOSING, deadline
                self._write(build_close(_NORMAL_CLOSURE, "", self._mask))
            elif self._phase is Phase.CLOSING and self._deadline is not None:
                self._deadline = min(self._deadline, deadline)
            else:
                self._phase = Phase.GONE
        self._ask_for_turn()
        if not self._is_reading_thread():
            self._released.wait(min(timeout + _GRACE, LONGEST_WAIT))
            self._join(_GRACE)

    def pause_reading(self) -> None:
        """See `PausableTransport.pause_reading`."""
        self._is_paused = True
        self._ask_for_turn()

    def resume_reading(self) -> None:
        """See `PausableTransport.resume_reading`."""
        self._is_paused = False
        self._ask_for_turn()

    @abstractmethod
    def start(self) -> None:
        """Have it read from now on. Raises RuntimeError when the system has no thread left."""

    @abstractmethod
    def _ask_for_turn(self) -> None:
        """Make the reading thread look at the phase, the deadline and what is unsent."""

    @abstractmethod
    def _is_reading_thread(self) -> bool: ...

    @abstractmethod
    def _join(self, timeout: float) -> None:
        """Wait for the end of the reading thread, if this was its last connection."""

    # -- for the reading thread ------------------------------------------------------------

    def release(self) -> None:
        """Close the socket, for which nobody waits any more."""
        with self._lock:
            self._phase = Phase.GONE
            self._socket.close()
        self._released.set()

    def answer_ping(self, payload: bytes) -> None:
        """Send a pong; behind a backlog nobody misses it, the next ping gets one again."""
        pong = build_frame(PONG, payload, self._mask)
        with self._lock:
            if self._phase is Phase.OPEN and self._outbound.size < self._limit:
                self._write(pong)

    def _receive(self, messages: list[Message], error: TransportError | None) -> None:
        """Deliver what one read gave, and the end of the connection if it gave that.

        An error that has a close code is the server's doing, and it is told so; one
        without says that there is nobody to tell.
        """
        events: list[ServerEvent | Disconnected] = []
        end = None
        messages.reverse()
        while messages:  # each is let go once it is read: the next event can have its memory
            opcode, payload = messages.pop()
            if opcode == TEXT:
                events.append(self._decode(payload))
            elif opcode == PING:
                self.answer_ping(bytes(payload))
            elif opcode == BINARY:
                events.append(self._binary(payload))
            elif opcode == CLOSE:
                code, reason = parse_close(payload)
                closed = TransportError(reason or "the server closed the connection", code=code)
                end = self._end(closed, build_close(code, "", self._mask))
        if end is None and error is not None:
            end = self._end(error, self._reproach(error))
        if end is not None:
            events.append(end)
        if events:
            self._tell(events)

    def _binary(self, payload: bytes | bytearray) -> ServerEvent:
        """Read what a gateway has put into a binary message, if it is an event."""
        if payload[:64].lstrip()[:1] == b"{":
            event = self._decode(payload)
            if event.raw is not None:
                return event
        reason = f"a binary message of {len(payload)} bytes that is no JSON: events are JSON text"
        return MalformedEvent(reason=reason, kind="binary")

    def _fail(self, bug: Exception) -> None:
        """Something of ours raised: that ends this connection, and no other one."""
        logger.error("handling what the server sent failed; the connection ends", exc_info=bug)
        if self._phase not in (Phase.LINGERING, Phase.GONE):
            error = TransportError(f"{type(bug).__name__} in the client", code=_INTERNAL_ERROR)
            end = self._end(error, self._reproach(error))
            with contextlib.suppress(Exception):  # it may be `deliver` that raises
                self._tell([end])

    def _tell(self, events: list[ServerEvent | Disconnected]) -> None:
        """Deliver, unless nobody wants to hear it any more."""
        if not self._closed:
            self._deliver(events)

    def _reproach(self, error: TransportError) -> bytes | None:
        return None if error.code is None else build_close(error.code, error.reason, self._mask)

    def _end(self, error: TransportError, goodbye: bytes | None) -> Disconnected:
        with self._lock:
            if self._phase is Phase.OPEN and goodbye is not None:
                self._phase = Phase.LINGERING
                self._deadline = time.monotonic() + _LINGER
                self._write(goodbye)
            else:
                self._phase = Phase.GONE
        return Disconnected(code=error.code, reason=error.reason, error=error)

    # -- with the lock held ----------------------------------------------------------------

    def _read(self, size: int) -> bytes | None:
        """What the socket has, None for nothing yet. TransportError: nothing will come."""
        self._read_wants_write = False
        try:
            data = self._socket.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            data = None
        except ssl.SSLWantWriteError:
            data = None
            self._read_wants_write = True
        except OSError as error:
            lost = TransportError(f"the connection was lost: {_describe(error)}")
            raise self._write_error or lost from error
        if data == b"" or (data is None and self._phase is Phase.BROKEN):
            raise self._write_error or TransportError("the connection was lost")
        self.received_bytes += len(data) if data else 0
        return data

    def _make_room(self, audio_ms: float) -> DroppedAudio | None:
        """Drop the oldest audio that waits, if there is too much of it with this."""
        limit_ms, outbound = self._audio_limit_ms, self._outbound
        if limit_ms is None or outbound.audio_ms + audio_ms <= limit_ms:
            return None
        self._flush()  # what the socket takes by now is not too late
        dropped_ms = outbound.drop_audio(limit_ms - audio_ms)
        return DroppedAudio(ms=dropped_ms, at_ms=outbound.passed_ms) if dropped_ms else None

    def _write(self, frame: bytes, audio_ms: float = 0.0) -> None:
        """Send or queue a frame; no error when the connection is broken already."""
        if self._write_error is None:
            try:
                self._outbound.write(frame, audio_ms)
            except OSError as error:
                self._break(f"the connection was lost: {_describe(error)}")

    def _flush(self) -> None:
        """Send what is queued."""
        if self._write_error is None and self._outbound.size:
            try:
                self._outbound.flush()
            except OSError as error:
                self._break(f"the connection was lost: {_describe(error)}")

    def _break(self, reason: str) -> None:
        self._write_error = TransportError(reason)
        if self._phase is Phase.OPEN:
            # What the server said before may tell why; but it may also talk without end.
            self._phase = Phase.BROKEN
            self._deadline = time.monotonic() + _LINGER
        else:
            self._phase = Phase.GONE

    def _check_deadline(self) -> None:
        """TransportError when BROKEN has lasted long enough; other phases just end."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            if self._phase is Phase.BROKEN and self._write_error is not None:
                raise self._write_error
            self._phase = Phase.GONE

    @property
    def _reads(self) -> bool:
        """Whether the socket is read. What is delivered to nobody is, to find the goodbye in it."""
        return not self._is_paused or self._phase in (Phase.CLOSING, Phase.LINGERING)

    def _interest(self) -> int:
        """What the socket has to become for things to go on."""
        unsent = self._outbound.size and not self._outbound.wants_read
        if not self._reads:
            return WRITE if unsent else READ if self._outbound.size else 0
        return READ | WRITE if unsent or self._read_wants_write else READ


def _describe(error: OSError) -> str:
    return error.strerror or type(error).__name__
