"""A connection inside one process: no socket, no thread. For tests.

`MemoryListener` takes the place of a server's address and of the transport's class:

    listener = MemoryListener()
    transport = listener(ConnectOptions(url="ws://memory"), dialect("ga"))
    transport.connect(deliver)
    server = listener.accept()
    server.send(SessionCreated(...))  # calls deliver, in this thread
    event = server.receive()          # what transport.send() was given

Every event becomes text on the way, as it would on a socket.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Sequence

from realtime_actors.errors import LocalProtocolError, NotConnectedError, TransportError
from realtime_actors.protocol import ClientEvent, Dialect, MalformedEvent, ServerEvent
from realtime_actors.seconds import LONGEST_WAIT, seconds
from realtime_actors.transport.base import (
    ConnectOptions,
    Deliver,
    Disconnected,
    OutboundFullError,
)
from realtime_actors.transport.connect import closed_while_connecting
from realtime_actors.transport.frames import check_text
from realtime_actors.transport.outbound import audio_payloads

__all__ = ["MemoryListener", "MemoryPeer", "MemoryTransport"]

logger = logging.getLogger(__name__)


class MemoryListener:
    """Makes transports, and accepts their connections."""

    def __init__(self) -> None:
        self._peers: queue.SimpleQueue[MemoryPeer] = queue.SimpleQueue()

    def __call__(self, options: ConnectOptions, dialect: Dialect) -> MemoryTransport:
        """A transport that connects to this listener: a `TransportFactory`, therefore."""
        return MemoryTransport(options, dialect, self)

    def accept(self, timeout: float = 5.0) -> MemoryPeer:
        """The far side of the next connection. Raises TimeoutError when none comes."""
        timeout = seconds(timeout, "the timeout of accept()")
        try:
            return self._peers.get(timeout=min(timeout, LONGEST_WAIT))
        except queue.Empty:
            raise TimeoutError(f"nobody has connected within {timeout:g} s") from None

    def offer(self, peer: MemoryPeer) -> None:
        """For transports: here is a connection to accept."""
        self._peers.put(peer)


class MemoryTransport:
    """A `Transport` without a reading thread: whoever speaks at the far side delivers."""

    def __init__(self, options: ConnectOptions, dialect: Dialect, listener: MemoryListener) -> None:
        self._options = options
        self._dialect = dialect
        self._listener = listener
        self._lock = threading.Lock()  # guards the three below
        self._deliver: Deliver | None = None
        self._peer: MemoryPeer | None = None
        self._closed = False
        # Held while something is decoded and delivered; `close` waits for that, and may be
        # called from inside it: hence the R. Taken before the other one.
        self._delivering = threading.RLock()

    def connect(self, deliver: Deliver) -> None:
        """See `Transport.connect`. Never waits."""
        with self._lock:
            if self._deliver is not None:
                raise LocalProtocolError("a transport connects once: make another one")
            self._deliver = deliver
            if self._closed:
                raise closed_while_connecting()
            self._peer = peer = MemoryPeer(self, self._dialect)
        self._listener.offer(peer)

    def send(self, event: ClientEvent) -> None:
        """See `Transport.send`."""
        self._send([self._dialect.encode_client(event)], audio=False)

    def send_audio(
        self, audio: bytes, *, commit: bool = False, audio_format: str = "pcm16"
    ) -> None:
        """See `Transport.send_audio`. Nothing is dropped: there is no network to wait for."""
        payloads = audio_payloads(self._dialect, audio, audio_format, commit=commit)
        self._send([text for text, _ in payloads], audio=True)

    def close(self, timeout: float = 2.0) -> None:
        """See `Transport.close`."""
        timeout = seconds(timeout, "the timeout of close()")
        with self._lock:
            self._closed = True
        self._hang_up(1000)
        if self._delivering.acquire(timeout=min(timeout, LONGEST_WAIT)):
            self._delivering.release()

    @property
    def connected(self) -> bool:
        """See `Transport.connected`."""
        return self._peer is not None

    def hear(self, payload: bytes, *, binary: bool = False) -> None:
        """For the far side: a message has come."""
        with self._delivering:
            if self._peer is None:
                return
            try:
                self._tell(self._decode(payload, binary))
            except TransportError as error:
                self.end(error)
            except Exception as bug:
                logger.error("handling what the server sent failed", exc_info=bug)
                self.end(TransportError(f"{type(bug).__name__} in the client", code=1011))

    def end(self, error: TransportError) -> None:
        """For the far side: the connection is over."""
        with self._delivering:
            if self._hang_up(error.code):
                with contextlib.suppress(Exception):  # it may be `deliver` that raises
                    self._tell(Disconnected(code=error.code, reason=error.reason, error=error))

    def _decode(self, payload: bytes, binary: bool) -> ServerEvent:
        size = len(payload)
        if size > self._options.max_message_size:
            raise TransportError(f"a message of {size} bytes", code=1009)
        if binary:
            return MalformedEvent(
                reason=f"a binary message of {size} bytes: the protocol is JSON text"
            )
        check_text(payload)
        return self._dialect.decode_server(payload)

    def _tell(self, event: ServerEvent | Disconnected) -> None:
        if self._deliver is not None and not self._closed:
            self._deliver([event])

    def _send(self, payloads: Sequence[bytes], *, audio: bool) -> None:
        limit = self._options.outbound_limit_bytes
        with self._lock:
            if self._peer is None:
                raise NotConnectedError("there is no connection: nothing was sent")
            waiting = self._peer.unread_bytes
            if audio and waiting >= limit:
                raise OutboundFullError(f"audio dropped: {waiting} bytes wait for the server")
            if waiting < 2 * limit:
                self._peer.put(payloads)
                return
        error = TransportError(f"the server does not read: {waiting} bytes wait for it")
        self.end(error)
        raise NotConnectedError(f"nothing was sent: {error}")

    def _hang_up(self, code: int | None) -> bool:
        """Whether there was something to end."""
        with self._lock:
            peer, self._peer = self._peer, None
        if peer is not None:
            peer.put_end(code)
        return peer is not None


class MemoryPeer:
    """The server's side of a connection in memory. Safe to use from any thread."""

    def __init__(self, client: MemoryTransport, dialect: Dialect) -> None:
        self._client = client
        self._dialect = dialect
        self._lock = threading.Lock()  # guards the count
        self._unread_bytes = 0
        # Bounded by the client, which looks at `unread_bytes`. None: the client is gone.
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.close_code: int | None = None
        """Why the client has gone: a code of RFC 6455; None before that, or without one."""

    @property
    def unread_bytes(self) -> int:
        """How much was sent here and not received yet."""
        return self._unread_bytes

    def send(self, event: ServerEvent) -> None:
        """Have an event delivered, in this thread. Lost when the client is gone."""
        self._client.hear(self._dialect.encode_server(event))

    def send_text(self, text: str | bytes) -> None:
        """The same for any text, valid or not."""
        self._client.hear(text.encode() if isinstance(text, str) else text)

    def send_binary(self, payload: bytes) -> None:
        """The same for a binary message, which the protocol knows none of."""
        self._client.hear(payload, binary=True)

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """End the connection with a goodbye; with None, as if the network had broken."""
        lost = "the connection was lost" if code is None else "the server closed the connection"
        self._client.end(TransportError(reason or lost, code=code))

    def receive(self, timeout: float = 5.0) -> ClientEvent:
        """The next event of the client.

        Raises TimeoutError when none comes, and NotConnectedError when none will.
        """
        timeout = seconds(timeout, "the timeout of receive()")
        try:
            payload = self._inbox.get(timeout=min(timeout, LONGEST_WAIT))
        except queue.Empty:
            raise TimeoutError(f"the client has sent nothing for {timeout:g} s") from None
        if payload is None:
            self._inbox.put(None)  # for whoever asks next
            raise NotConnectedError("the client has closed the connection")
        with self._lock:
            self._unread_bytes -= len(payload)
        return self._dialect.decode_client(payload)

    def put(self, payloads: Sequence[bytes]) -> None:
        """For the client: it sends this."""
        for payload in payloads:
            with self._lock:
                self._unread_bytes += len(payload)
            self._inbox.put(payload)

    def put_end(self, code: int | None) -> None:
        """For the client: it has gone."""
        self.close_code = code
        self._inbox.put(None)
