"""A Realtime-protocol server to talk to: embedded, on this machine, with its own engines.

Needs the extra [server]; real engines need [local]. A server with scripted engines, for
tests, is `RealtimeServer.scripted(...)`. `ServerConversation` is the server's half of a
conversation without a socket: it needs no extra.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from realtime_actors.errors import MissingExtraError

if TYPE_CHECKING:
    from realtime_actors.server.admission import is_this_machine
    from realtime_actors.server.client_connection import Faults
    from realtime_actors.server.realtime_server import RealtimeServer
    from realtime_actors.server.server_conversation import ConversationOptions, ServerConversation
    from realtime_actors.server.server_limits import ServerLimits

__all__ = [
    "ConversationOptions",
    "Faults",
    "RealtimeServer",
    "ServerConversation",
    "ServerLimits",
    "is_this_machine",
]

_HOMES = {
    "ConversationOptions": "server_conversation",
    "Faults": "client_connection",
    "RealtimeServer": "realtime_server",
    "ServerConversation": "server_conversation",
    "ServerLimits": "server_limits",
    "is_this_machine": "admission",
}


def __getattr__(name: str) -> object:
    """Import on demand: the engines and the sans-I/O half are of use without websockets."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "websockets":
            raise
        raise MissingExtraError("the embedded server", "server", missing=error.name) from error
