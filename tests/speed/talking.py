"""A session over a real socket, and the far end of it in the test's hands."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import realtime_actors as ra
from realtime_actors import otp
from tests.transport.wire import Peer, RawServer, text

AGENT = ra.agent(name="Speaker", instructions="Speak.")

READS = ("recv", "recv_into")
SELECTS = ("poll", "select")
WRITES = ("send", "sendall")


def delta(milliseconds: int = 20) -> bytes:
    """The text of an audio delta, of PCM16 at 24 kHz."""
    event = {
        "type": "response.output_audio.delta",
        "event_id": "e1",
        "response_id": "r1",
        "item_id": "i1",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(bytes(48 * milliseconds)).decode(),
    }
    return json.dumps(event).encode()


def configure(server: RawServer) -> Peer:
    """Accept a session and acknowledge its configuration."""
    peer = server.peer()
    (update,) = peer.texts(1)
    updated = {"type": "session.updated", "session": json.loads(update)["session"]}
    peer.send(text(json.dumps(updated)))
    return peer


@contextmanager
def talking(server: RawServer, transport: str = "fast") -> Iterator[tuple[ra.Session, Peer]]:
    peers: list[Peer] = []
    far_end = threading.Thread(target=lambda: peers.append(configure(server)))
    far_end.start()
    where = {"url": server.url, "api_key": "none", "transport": transport}
    with ra.run(AGENT, model_config=where) as session:
        far_end.join()
        yield session, peers[0]
        peers[0].hang_up()  # nobody answers the goodbye: no need to wait for that


def messages_handled(session: ra.Session) -> int:
    """How many messages have come out of the session's mailbox."""
    return next(each.handled for _, each in otp.observe().walk() if each.ref is session)
