"""The way to the server: connections that hand decoded events to one function.

`transport_named("fast")` and `transport_named("plain")` give their factories. Both connect with
websocket-client. The fast one then reads the socket with our own frame parser, in an I/O thread
that all connections share; the plain one stays with websocket-client's parser and takes a thread
for each connection. Anything else that keeps the contract of `Transport` will do as well.
"""

from __future__ import annotations

from realtime_actors.errors import ConfigError, did_you_mean
from realtime_actors.transport.base import (
    ConnectOptions,
    Deliver,
    Disconnected,
    DroppedAudio,
    OutboundFullError,
    PausableTransport,
    Transport,
    TransportFactory,
)
from realtime_actors.transport.connect import detached_connects
from realtime_actors.transport.io_thread import IoThreads, set_io_threads
from realtime_actors.transport.websocket import WebSocketTransport

__all__ = [
    "ConnectOptions",
    "Deliver",
    "Disconnected",
    "DroppedAudio",
    "IoThreads",
    "OutboundFullError",
    "PausableTransport",
    "Transport",
    "TransportFactory",
    "WebSocketTransport",
    "detached_connects",
    "set_io_threads",
    "transport_named",
]


def transport_named(name: str) -> TransportFactory:
    """Return the factory that `ModelConfig(transport=...)` names: "fast" or "plain"."""
    if name == "fast":
        return WebSocketTransport
    if name == "plain":
        # Imported when asked for: it needs all of websocket-client from the start.
        from realtime_actors.transport.plain import plain_transport

        return plain_transport
    raise ConfigError(f"no transport {name!r}: {did_you_mean(name, ('fast', 'plain'))}")
