"""What every transport keeps: options in, events out, one way to connect, send and close.

The transports themselves live next door: `websocket` (the fast one) and `plain`
(websocket-client's parser, a thread for each connection). `testing.ScriptedTransport` keeps
the same contract without a socket, and a transport of your own may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from realtime_actors.config.connection import without_secrets
from realtime_actors.config.secrets import Secret, SecretHeaders, secret_text
from realtime_actors.errors import TransportError
from realtime_actors.protocol import ClientEvent, Dialect, ServerEvent
from realtime_actors.seconds import seconds, seconds_or_none, unlimited

__all__ = [
    "ConnectOptions",
    "Deliver",
    "Disconnected",
    "DroppedAudio",
    "OutboundFullError",
    "PausableTransport",
    "Transport",
    "TransportFactory",
]


def _proxy(value: str | Secret | None) -> Secret | None:
    return secret_text(value)


@frozen(kw_only=True)
class ConnectOptions:
    """Where to connect, and within which bounds."""

    url: str = field(repr=without_secrets)
    """`ws://` or `wss://`, with its query."""
    headers: Mapping[str, str] = field(factory=dict, repr=False, converter=SecretHeaders)
    """Sent with the upgrade request, after the dialect's own. Keys live here: shown nowhere."""
    timeout: float = field(default=10.0)
    """Seconds for all of connecting: DNS, TCP, proxy, TLS and upgrade together."""
    ca_bundle: str | None = None
    """A PEM file or a directory of CA certificates; None means the system's."""
    proxy: Secret | None = field(default=None, repr=False, converter=_proxy)
    """`http://user:password@host:port` (or socks5); None means what the environment says."""
    max_message_size: int = 16 * 2**20
    """Bytes of one incoming message. A longer one fails the connection with code 1009."""
    max_outbound_audio_ms: int | None = 2000
    """How much audio of the user may wait for the network: see `Transport.send_audio`."""
    outbound_limit_bytes: int = 32 * 2**20
    """How much of all may wait for a server that does not read: see `Transport.send`."""
    ping_interval: float | None = field(default=20.0, converter=unlimited)
    """Seconds of silence after which the server is asked whether it is there; None: never."""
    ping_timeout: float | None = field(default=20.0, converter=unlimited)
    """Seconds that it has for the answer, and for taking what waits for it; None: no limit."""

    def __attrs_post_init__(self) -> None:
        seconds(self.timeout, "ConnectOptions.timeout")
        seconds_or_none(self.ping_interval, "ConnectOptions.ping_interval", zero=False)
        seconds_or_none(self.ping_timeout, "ConnectOptions.ping_timeout", zero=False)


@frozen(kw_only=True)
class Disconnected:
    """The connection is down. The last thing that is delivered."""

    code: int | None
    """The close code of RFC 6455; None when the connection broke without one."""
    reason: str
    error: TransportError | None = None
    """What went wrong; None for an orderly close that we asked for."""


@frozen(kw_only=True)
class DroppedAudio:
    """Audio of the user that waited for the network, and was dropped to make room for newer."""

    ms: float
    at_ms: float
    """Where it is missing: after so much of all the audio that was sent over the connection."""


class OutboundFullError(TransportError):
    """The server does not read as fast as we send. This audio was dropped, all of it."""


Deliver: TypeAlias = Callable[[Sequence[ServerEvent | Disconnected]], None]
"""Gets what one read gave, in order. Runs on the reading thread: it must not block."""


class Transport(Protocol):
    """One connection, once: connect, use, close. Another connection is another transport."""

    def connect(self, deliver: Deliver) -> None:
        """Connect, and hand what arrives to `deliver` from then on.

        Blocks up to `options.timeout` seconds. Raises `StartError` with its cause and
        leaves nothing behind then. Events may be delivered before this returns.
        `Disconnected` is delivered once, last, however the connection ends; only our own
        `close()` is not announced: nothing at all is delivered after it.
        """
        ...

    def send(self, event: ClientEvent) -> None:
        """Send an event, in order, from any thread; never blocks.

        Nothing that is sent this way is ever dropped. Raises `NotConnectedError` when the
        connection is down. When the server has left twice `outbound_limit_bytes` unread,
        the connection fails: a conversation with a hole in it is worth nothing.
        """
        ...

    def send_audio(
        self, audio: bytes, *, commit: bool = False, audio_format: str = "pcm16"
    ) -> DroppedAudio | None:
        """Append audio to the server's input buffer, and commit it on request.

        In one piece: what other threads send comes before or after it, never between.
        More than the protocol allows in one event is split.

        No more than `max_outbound_audio_ms` wait for the network (`audio_format` says how
        long bytes last), or what one call brings: audio that has waited longest is dropped
        for what is new, and nothing but audio. Gives what was dropped, if anything was.
        With None nothing is dropped.
        Raises `NotConnectedError` when the connection is down, and `OutboundFullError`
        (nothing was sent) when `outbound_limit_bytes` or more are waiting already.
        """
        ...

    def close(self, timeout: float = 2.0) -> None:
        """Say goodbye, wait at most `timeout` seconds for the answer, drop the connection.

        When it returns, `deliver` is not called any more, and no thread or socket of this
        connection is left. From inside `deliver` it does not wait: the rest happens as
        soon as `deliver` returns. Ends a `connect()` of another thread. Closing twice
        does nothing.
        """
        ...

    @property
    def connected(self) -> bool:
        """Whether there is a connection, to send over."""
        ...


@runtime_checkable
class PausableTransport(Transport, Protocol):
    """A transport that reads no faster than its session can follow.

    Without these three it works as well, but what the server says while the session is busy
    waits in the session's mailbox, however much it is.
    """

    @property
    def received_bytes(self) -> int:
        """How much was read so far, of all that the server has sent. From any thread."""
        ...

    def pause_reading(self) -> None:
        """Read no more, so that the server has to wait. From any thread; never blocks.

        What was read is still delivered. Sending goes on, and so does `close()`. Pings are
        answered, and the end of the connection is noticed, when reading goes on. A server that
        is silent or takes nothing meanwhile is not taken for dead: it may wait for us.
        """
        ...

    def resume_reading(self) -> None:
        """Read on. Does nothing when reading was not paused."""
        ...


TransportFactory: TypeAlias = Callable[[ConnectOptions, Dialect], Transport]
"""Makes a transport. `ra.run(transport=...)` takes one; so do reconnects, one per try."""
