"""One connection: a socket, the parser of what comes in, the queue of what goes out, and its end.

An I/O thread serves it, any thread may use it. Everything that reads or writes the socket, or
decides that the connection is over, is here and under one lock.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from enum import Enum, auto

from realtime_actors.errors import NotConnectedError, TransportError
from realtime_actors.protocol import Dialect, ServerEvent
from realtime_actors.seconds import LONGEST_WAIT
from realtime_actors.transport.base import (
    ConnectOptions,
    Deliver,
    Disconnected,
    DroppedAudio,
    OutboundFullError,
)
from realtime_actors.transport.binary import read_binary
from realtime_actors.transport.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Message,
    Parser,
    build_close,
    build_frame,
    parse_close,
)
from realtime_actors.transport.io_thread import READ, WRITE, IoThread, Wants
from realtime_actors.transport.liveness import ABNORMAL_CLOSURE, Liveness
from realtime_actors.transport.mask import best_mask
from realtime_actors.transport.outbound import Outbound, Payload

__all__ = ["Connection", "Phase"]

logger = logging.getLogger(__name__)

_NORMAL_CLOSURE, _INTERNAL_ERROR = 1000, 1011

# How long a connection that has failed is kept, for the peer to read why: closing a
# socket that still receives throws away what was sent last.
_LINGER = 1.0

# What `close` allows the I/O thread on top of its timeout, to let go of the socket.
_GRACE = 0.5

# What a connection may read before it is the others' turn. Enough for 45 audio deltas of
# 20 ms; little enough that parsing and decoding them takes about a millisecond.
_READ_BUDGET = 64 * 1024

# TLS gives out one record at a time, of at most this size.
_TLS_RECORD = 16 * 1024

_FINISHED = Wants(0)


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


class Connection:
    """A connected, non-blocking socket. A channel of its I/O thread (`io_thread.Channel`)."""

    def __init__(
        self,
        sock: socket.socket,
        parser: Parser,
        options: ConnectOptions,
        dialect: Dialect,
        deliver: Deliver,
    ) -> None:
        self._socket = sock
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._parser = parser
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
        self._liveness = Liveness(options.ping_interval, options.ping_timeout, time.monotonic())
        self.received_bytes = 0
        """See `PausableTransport.received_bytes`."""
        self._phase = Phase.OPEN
        self._deadline: float | None = None  # of BROKEN, CLOSING and LINGERING
        self._write_error: TransportError | None = None  # of BROKEN
        self._closed = False  # by us: nothing is delivered any more
        self._released = threading.Event()
        # What belongs to the I/O thread, but for the first, which all read.
        self._thread: IoThread | None = None
        self._reading = Wants(READ, self._liveness.due)
        self._undelivered: list[ServerEvent | Disconnected] = []

    def leave_to_parent(self) -> None:
        """End here, in a child of fork: close our copy of the socket, and touch nothing else."""
        self._lock = threading.Lock()
        self._phase, self._closed = Phase.GONE, True
        self._released = threading.Event()
        self._released.set()
        self._socket.close()
        self._thread = None

    # -- for any thread --------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """See `Transport.connected`."""
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
        if self._thread is None or not self._thread.is_current():
            self._released.wait(min(timeout + _GRACE, LONGEST_WAIT))
            if self._thread is not None:
                self._thread.join_if_ended(_GRACE)

    def pause_reading(self) -> None:
        """See `PausableTransport.pause_reading`."""
        self._is_paused = True
        self._ask_for_turn()

    def resume_reading(self) -> None:
        """See `PausableTransport.resume_reading`."""
        with self._lock:
            self._is_paused = False
            self._liveness.begin_anew(time.monotonic(), self._outbound.size)
        self._ask_for_turn()

    def release(self) -> None:
        """Close the socket, which no thread serves (any more)."""
        with self._lock:
            self._phase = Phase.GONE
            self._socket.close()
        self._released.set()

    def _ask_for_turn(self) -> None:
        if self._thread is not None:  # not started: it gets its first turn then
            self._thread.ask_for_turn(self)

    # -- for the I/O thread: see `io_thread.Channel` -----------------------------------------

    def fileno(self) -> int:
        return self._socket.fileno()

    def arrive(self, thread: IoThread) -> None:
        self._thread = thread

    def turn(self, ready: int) -> Wants:
        try:
            chunks, error = self._transfer(ready)
            if self._phase is Phase.LINGERING:
                if error is not None:
                    return _FINISHED
            elif chunks or error is not None:
                self._receive(chunks, error)
        except Exception as bug:
            self._fail(bug)
        return self._wants()

    def hand_over(self) -> None:
        events, self._undelivered = self._undelivered, []
        try:
            if events and not self._closed:
                self._deliver(events)
        except Exception as bug:
            self._fail(bug)
            self._ask_for_turn()

    def let_go(self) -> None:
        self.hand_over()
        self.release()

    def _transfer(self, ready: int) -> tuple[list[bytes], TransportError | None]:
        """Write and read what is possible. Return what was read, and why there will be no more."""
        chunks: list[bytes] = []
        try:
            with self._lock:
                self._check_deadline()
                if self._phase is not Phase.GONE:
                    if ready & WRITE or self._outbound.wants_read:
                        self._flush()
                    readable = ready & READ or self._read_wants_write
                    if self._reads and (readable or self._phase is Phase.BROKEN):
                        self._read_on(chunks)
                if not ready and self._phase is Phase.OPEN and not self._is_paused:
                    self._look_for_life(chunks)
        except TransportError as error:
            return chunks, error
        return chunks, None

    def _receive(self, chunks: list[bytes], error: TransportError | None) -> None:
        """Take in what one read gave, and the end of the connection if it gave that."""
        messages: list[Message] = []
        try:
            for chunk in chunks:
                self._parser.feed(chunk, messages)
        except TransportError as violation:
            error = violation
        events: list[ServerEvent | Disconnected] = []
        end = None
        messages.reverse()
        while messages:  # each is let go once it is read: the next event can have its memory
            opcode, payload = messages.pop()
            if opcode == TEXT:
                events.append(self._decode(payload))
            elif opcode == PING:
                self._answer_ping(bytes(payload))
            elif opcode == PONG:
                self._liveness.answered()
                self._reading = Wants(READ, self._liveness.due)
            elif opcode == BINARY:
                events.append(read_binary(payload, self._decode))
            elif opcode == CLOSE:
                code, reason = parse_close(payload)
                closed = TransportError(reason or "the server closed the connection", code=code)
                end = self._end(closed, build_close(code, "", self._mask))
        if end is None and error is not None:
            end = self._end(error, self._close_frame_for(error))
        if end is not None:
            events.append(end)
        if events:
            self._deliver_later(events)

    def _deliver_later(self, events: list[ServerEvent | Disconnected]) -> None:
        assert self._thread is not None  # it calls us
        if not self._undelivered:
            self._thread.hand_over_later(self)
        self._undelivered += events

    def _answer_ping(self, payload: bytes) -> None:
        """Send a pong, unless much waits: then the next ping will do."""
        pong = build_frame(PONG, payload, self._mask)
        with self._lock:
            if self._phase is Phase.OPEN and self._outbound.size < self._limit:
                self._write(pong)

    def _fail(self, bug: Exception) -> None:
        """End this connection, and no other one, because something of ours raised."""
        logger.error("handling what the server sent failed; the connection ends", exc_info=bug)
        if self._phase not in (Phase.LINGERING, Phase.GONE):
            error = TransportError(f"{type(bug).__name__} in the client", code=_INTERNAL_ERROR)
            self._deliver_later([self._end(error, self._close_frame_for(error))])

    def _close_frame_for(self, error: TransportError) -> bytes | None:
        """Return what to tell the server of an error, if it is there to be told."""
        if error.code is None or error.code == ABNORMAL_CLOSURE:
            return None
        return build_close(error.code, error.reason, self._mask)

    def _end(self, error: TransportError, goodbye: bytes | None) -> Disconnected:
        with self._lock:
            if self._phase is Phase.OPEN and goodbye is not None:
                self._phase = Phase.LINGERING
                self._deadline = time.monotonic() + _LINGER
                self._write(goodbye)
            else:
                self._phase = Phase.GONE
        return Disconnected(code=error.code, reason=error.reason, error=error)

    def _wants(self) -> Wants:
        phase = self._phase
        if phase is Phase.GONE:
            return _FINISHED
        if (
            phase is Phase.OPEN
            and not self._outbound.size
            and not self._read_wants_write
            and not self._is_paused
        ):
            return self._reading  # nearly always; and the thread sees at a glance: no change
        is_watched = phase is Phase.OPEN and not self._is_paused
        deadline = self._liveness.due if is_watched else self._deadline
        return Wants(self._interest(), deadline, stays=True)

    def _interest(self) -> int:
        """Return what the socket has to become for things to go on."""
        unsent = self._outbound.size and not self._outbound.wants_read
        if not self._reads:
            return WRITE if unsent else READ if self._outbound.size else 0
        return READ | WRITE if unsent or self._read_wants_write else READ

    @property
    def _reads(self) -> bool:
        """Whether the socket is read. After the end it always is: to find the goodbye."""
        return not self._is_paused or self._phase in (Phase.CLOSING, Phase.LINGERING)

    # -- with the lock held ----------------------------------------------------------------

    def _read_on(self, chunks: list[bytes]) -> None:
        budget = _READ_BUDGET
        while (chunk := self._read(_READ_BUDGET)) is not None:
            chunks.append(chunk)
            if self._tls is None:
                return  # if there is more, the selector will say so
            # What the TLS object holds already has to be taken: no selector sees that.
            budget -= len(chunk)
            done = budget <= 0 or len(chunk) < _TLS_RECORD
            if done and not self._tls.pending():
                return

    def _read(self, size: int) -> bytes | None:
        """Return what the socket has, None for nothing yet. TransportError: nothing will come."""
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
        if data:
            self.received_bytes += len(data)
            self._liveness.heard_at = time.monotonic()
        return data

    def _look_for_life(self, chunks: list[bytes]) -> None:
        """Send a ping after silence. Raises TransportError when the last one was in vain."""
        due = self._liveness.due
        if due is not None and time.monotonic() >= due:
            # It may be this thread that was held up: what has come meanwhile counts.
            self._read_on(chunks)
            if self._liveness.check(time.monotonic(), self._outbound.size):
                self._write(build_frame(PING, b"", self._mask))
        self._reading = Wants(READ, self._liveness.due)

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
            waited = self._outbound.size
            try:
                self._outbound.write(frame, audio_ms)
            except OSError as error:
                self._break(f"the connection was lost: {_describe(error)}")
            if not waited and self._outbound.size:
                self._liveness.waits(time.monotonic())

    def _flush(self) -> None:
        """Send what is queued."""
        waited = self._outbound.size
        if self._write_error is None and waited:
            try:
                self._outbound.flush()
            except OSError as error:
                self._break(f"the connection was lost: {_describe(error)}")
            if self._outbound.size < waited:
                self._liveness.taken(time.monotonic(), self._outbound.size)

    def _break(self, reason: str) -> None:
        self._write_error = TransportError(reason)
        if self._phase is Phase.OPEN:
            # What the server said before may tell why; but it may also talk without end.
            self._phase = Phase.BROKEN
            self._deadline = time.monotonic() + _LINGER
        else:
            self._phase = Phase.GONE

    def _check_deadline(self) -> None:
        """Raise TransportError when BROKEN has lasted long enough; other phases just end."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            if self._phase is Phase.BROKEN and self._write_error is not None:
                raise self._write_error
            self._phase = Phase.GONE


def _describe(error: OSError) -> str:
    return error.strerror or type(error).__name__
