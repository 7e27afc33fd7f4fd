"""The transport over a socket: connecting, encoding, closing, around one connection.

It is made of parts: a parser of frames and the I/O threads that read. With our own parser and
a thread that all connections share it is the fast transport; `plain` puts in other parts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from realtime_actors.errors import (
    LocalProtocolError,
    NotConnectedError,
    StartCause,
    StartError,
)
from realtime_actors.otp.fork import each_in_child
from realtime_actors.protocol import ClientEvent, Dialect
from realtime_actors.seconds import seconds
from realtime_actors.transport.base import ConnectOptions, Deliver, DroppedAudio
from realtime_actors.transport.connect import Connecting, closed_while_connecting
from realtime_actors.transport.connection import Connection
from realtime_actors.transport.frames import FrameParser, Parser
from realtime_actors.transport.io_thread import IoThreads, shared_io_threads
from realtime_actors.transport.outbound import audio_payloads

__all__ = ["WebSocketTransport"]


class WebSocketTransport:
    """A `Transport` over TCP or TLS, read by an I/O thread that it shares with others."""

    def __init__(
        self,
        options: ConnectOptions,
        dialect: Dialect,
        *,
        io_threads: IoThreads | None = None,
        make_parser: Callable[[int], Parser] = FrameParser,
    ) -> None:
        """`io_threads` are the process's own unless given (see `set_io_threads`).

        `make_parser` makes a parser of frames, for messages of so many bytes at most.
        """
        self._options = options
        self._dialect = dialect
        self._io_threads = io_threads or shared_io_threads()
        self._make_parser = make_parser
        self._lock = threading.Lock()  # guards the four below
        self._used = False
        self._connecting: Connecting | None = None
        self._connection: Connection | None = None
        self._closed = False
        each_in_child(self, WebSocketTransport._leave_to_parent)

    def _leave_to_parent(self) -> None:
        self._lock = threading.Lock()
        self._used = self._closed = True
        for each in (self._connecting, self._connection):
            if each is not None:
                each.leave_to_parent()
        self._connecting = self._connection = None

    def connect(self, deliver: Deliver) -> None:
        """See `Transport.connect`."""
        with self._lock:
            if self._used:
                raise LocalProtocolError("a transport connects once: make another one")
            self._used = True
            self._connecting = Connecting(self._options, self._dialect.connect_headers)
            if self._closed:
                self._connecting.cancel()
        sock = self._connecting.run()
        parser = self._make_parser(self._options.max_message_size)
        connection = Connection(sock, parser, self._options, self._dialect, deliver)
        with self._lock:
            self._connecting = None  # 5 KB, of no use any more
            # Before it starts: who gets the first event may want to answer it.
            if not self._closed:
                self._connection = connection
        if self._connection is None:
            connection.release()
            raise closed_while_connecting()
        try:
            self._io_threads.serve(connection)
        except (RuntimeError, OSError) as error:
            connection.release()
            raise StartError(
                f"the system has no thread or descriptor left for the connection: {error}",
                StartCause.NETWORK,
            ) from error

    def send(self, event: ClientEvent) -> None:
        """See `Transport.send`."""
        self._in_use().send([(self._dialect.encode_client(event), 0.0)])

    def send_audio(
        self, audio: bytes, *, commit: bool = False, audio_format: str = "pcm16"
    ) -> DroppedAudio | None:
        """See `Transport.send_audio`."""
        connection = self._in_use()
        return connection.send(audio_payloads(self._dialect, audio, audio_format, commit=commit))

    @property
    def received_bytes(self) -> int:
        """See `PausableTransport.received_bytes`."""
        return 0 if self._connection is None else self._connection.received_bytes

    def pause_reading(self) -> None:
        """See `PausableTransport.pause_reading`."""
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_reading(self) -> None:
        """See `PausableTransport.resume_reading`."""
        if self._connection is not None:
            self._connection.resume_reading()

    def close(self, timeout: float = 2.0) -> None:
        """See `Transport.close`."""
        timeout = seconds(timeout, "the timeout of close()")
        with self._lock:
            self._closed = True
            connecting, connection = self._connecting, self._connection
        if connection is not None:
            connection.close(timeout)
        elif connecting is not None:
            connecting.cancel()

    @property
    def connected(self) -> bool:
        """See `Transport.connected`."""
        return self._connection is not None and self._connection.connected

    def _in_use(self) -> Connection:
        # Looked at before the event is encoded; the connection looks again, under its lock.
        if self._connection is None or not self._connection.connected:
            raise NotConnectedError("there is no connection: nothing was sent")
        return self._connection
