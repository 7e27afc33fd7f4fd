"""What the two transports with a socket have in common: connecting, encoding, closing."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod

from realtime_actors.errors import (
    LocalProtocolError,
    NotConnectedError,
    StartCause,
    StartError,
)
from realtime_actors.otp.kernel.fork import each_in_child
from realtime_actors.protocol import ClientEvent, Dialect
from realtime_actors.seconds import seconds
from realtime_actors.transport.base import ConnectOptions, Deliver, DroppedAudio
from realtime_actors.transport.connect import Connecting, closed_while_connecting
from realtime_actors.transport.link import Link
from realtime_actors.transport.outbound import audio_payloads

__all__ = ["SocketTransport"]


class SocketTransport(ABC):
    """A `Transport` over a socket, whoever reads it."""

    def __init__(self, options: ConnectOptions, dialect: Dialect) -> None:
        self._options = options
        self._dialect = dialect
        self._lock = threading.Lock()  # guards the four below
        self._used = False
        self._connecting: Connecting | None = None
        self._link: Link | None = None
        self._closed = False
        each_in_child(self, SocketTransport._leave_to_parent)

    def _leave_to_parent(self) -> None:
        self._lock = threading.Lock()
        self._used = self._closed = True
        for each in (self._connecting, self._link):
            if each is not None:
                each.leave_to_parent()
        self._connecting = self._link = None

    @abstractmethod
    def _make_link(self, sock: socket.socket, deliver: Deliver) -> Link:
        """The connection on this socket, not yet started."""

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
        try:
            link = self._make_link(sock, deliver)
        except OSError as error:
            sock.close()
            raise _no_resources(error) from error
        with self._lock:
            self._connecting = None  # 5 KB, of no use any more
            # Before it starts: who gets the first event may want to answer it.
            if not self._closed:
                self._link = link
        if self._link is None:
            link.release()
            raise closed_while_connecting()
        try:
            link.start()
        except (RuntimeError, OSError) as error:
            link.release()
            raise _no_resources(error) from error

    def send(self, event: ClientEvent) -> None:
        """See `Transport.send`."""
        self._open_link().send([(self._dialect.encode_client(event), 0.0)])

    def send_audio(
        self, audio: bytes, *, commit: bool = False, audio_format: str = "pcm16"
    ) -> DroppedAudio | None:
        """See `Transport.send_audio`."""
        link = self._open_link()
        return link.send(audio_payloads(self._dialect, audio, audio_format, commit=commit))

    @property
    def received_bytes(self) -> int:
        """See `PausableTransport.received_bytes`."""
        return 0 if self._link is None else self._link.received_bytes

    def pause_reading(self) -> None:
        """See `PausableTransport.pause_reading`."""
        if self._link is not None:
            self._link.pause_reading()

    def resume_reading(self) -> None:
        """See `PausableTransport.resume_reading`."""
        if self._link is not None:
            self._link.resume_reading()

    def close(self, timeout: float = 2.0) -> None:
        """See `Transport.close`."""
        timeout = seconds(timeout, "the timeout of close()")
        with self._lock:
            self._closed = True
            connecting, link = self._connecting, self._link
        if link is not None:
            link.close(timeout)
        elif connecting is not None:
            connecting.cancel()

    @property
    def connected(self) -> bool:
        """See `Transport.connected`."""
        return self._link is not None and self._link.connected

    def _open_link(self) -> Link:
        # Looked at before the event is encoded; the link looks again, under its lock.
        if self._link is None or not self._link.connected:
            raise NotConnectedError("there is no connection: nothing was sent")
        return self._link


def _no_resources(error: Exception) -> StartError:
    return StartError(
        f"the system has no thread or descriptor left for the connection: {error}",
        StartCause.NETWORK,
    )
