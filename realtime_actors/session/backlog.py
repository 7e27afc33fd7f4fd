"""How much of what a server says may wait for its session: more is not read.

    Reading --more than HIGH waits--> Paused --no more than LOW waits--> Reading

A session may be held up: by a subscriber whose `put` waits, by a thread that computes. What
its server says meanwhile waits in its mailbox, and a server can say a gigabyte in some seconds.
So at some point the socket is not read any more. Then the server has to wait, as for any
slow reader, and nothing is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from realtime_actors.protocol import ServerEvent
from realtime_actors.transport.base import Disconnected, PausableTransport, Transport

__all__ = ["EVENT_BYTES", "HIGH", "LOW", "Backlog"]

HIGH: Final = 4 * 2**20
"""Bytes of the wire that may wait, and one read. Ours: a minute of speech, or what a flood brings
in a tenth of a second."""
LOW: Final = 2**20
"""Bytes that may wait when reading goes on. Ours: few enough that it does not stop at once again,
enough that the session has something to do until more is there."""
EVENT_BYTES: Final = 256
"""What an event counts beside its bytes: small ones take up more than they are long."""


class Backlog:
    """What a connection has brought, and its session has not handled. Each connection has one.

    `came` is for the thread that reads, `handled` for the one that handles.
    """

    def __init__(self, on_pause: Callable[[int], object]) -> None:
        """`on_pause` is told how much waits when reading stops, by the thread that reads."""
        self._transport: PausableTransport | None = None
        self._on_pause = on_pause
        self._received = 0  # as the transport counts
        self._came = 0  # as we do: each of these two is written by one thread
        self._handled = 0
        self._is_paused = False
        self._lock = threading.Lock()  # guards pausing and going on: they come in turns

    def follow(self, transport: Transport) -> None:
        """Bound what this connection brings, if it can be paused. Before it brings anything."""
        self._transport = transport if isinstance(transport, PausableTransport) else None

    def came(self, events: Sequence[ServerEvent | Disconnected]) -> int:
        """Note what is about to be handed on. Return what `handled` is told of it."""
        transport = self._transport
        if transport is None:
            return 0
        # What waits without this: one message may be larger than all that may wait.
        waiting = self._came - self._handled
        received = transport.received_bytes
        self._came += received - self._received + EVENT_BYTES * len(events)
        self._received = received
        if waiting > HIGH and not self._is_paused:
            self._pause(transport, waiting)
        return self._came

    def handled(self, upto: int) -> None:
        """Note that all has been handled up to this."""
        self._handled = upto
        if self._is_paused:
            self._look()

    def _pause(self, transport: PausableTransport, waiting: int) -> None:
        with self._lock:
            self._is_paused = True
            transport.pause_reading()
        self._look()  # it may all have been handled just before, and nobody would look again
        self._on_pause(waiting)

    def _look(self) -> None:
        with self._lock:
            if self._is_paused and self._came - self._handled <= LOW:
                self._is_paused = False
                assert self._transport is not None  # it was paused
                self._transport.resume_reading()
