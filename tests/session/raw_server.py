"""A session with a real socket, at whose other end the test does what it likes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import realtime_actors as ra
from tests.session.wire import Wire
from tests.transport.wire import Peer, RawServer, text

__all__ = ["say", "session_and_peer"]


def say(peer: Peer, *events: Wire) -> None:
    """Send events; waits as long as the client does not read."""
    peer.send(*(text(json.dumps(event)) for event in events))


@contextmanager
def session_and_peer(server: RawServer, **where: Any) -> Iterator[tuple[ra.Session, Peer]]:
    """A session that is ready, and the far end of its connection, which has let it in."""

    def let_in() -> Peer:
        peer = server.peer()
        peer.sock.settimeout(None)
        say(peer, {"type": "session.created", "session": {}})
        asked = json.loads(peer.texts(1)[0])
        say(peer, {"type": "session.updated", "session": asked["session"]})
        return peer

    with ThreadPoolExecutor(1) as pool:
        peer = pool.submit(let_in)
        with ra.run(ra.agent(), model_config={"url": server.url, **where}) as session:
            yield session, peer.result()
