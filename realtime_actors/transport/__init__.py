"""The way to the server: connections that hand decoded events to one function."""

from __future__ import annotations

from realtime_actors.transport.base import (
    ConnectOptions,
    Deliver,
    Disconnected,
    OutboundFullError,
    Transport,
    TransportFactory,
)

__all__ = [
    "ConnectOptions",
    "Deliver",
    "Disconnected",
    "OutboundFullError",
    "Transport",
    "TransportFactory",
]
