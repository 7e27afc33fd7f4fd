"""A connection that is to take the place of a session's.

    making --configured--> waiting --take_over--> in use
      |-- failed, closed --> closed <--close-- waiting

It is made beside the one in use, or when that is lost. What its server says before it is in use
is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from realtime_actors.core.server_errors import message_of
from realtime_actors.errors import RealtimeError, SessionUpdateError, StartCause, StartError
from realtime_actors.protocol import ServerError, ServerEvent, SessionUpdate, SessionUpdated
from realtime_actors.transport.base import Deliver, Disconnected, PausableTransport, Transport

__all__ = ["StandbyConnection"]

KEPT_LIMIT: Final = 1000
"""Frames that are kept. Ours: a server that nobody has asked anything says next to nothing.
One that says more is hung up on."""
KEPT_BYTES: Final = 4 * 2**20
"""The same in bytes."""


class StandbyConnection:
    """One attempt to replace a connection. Its methods are for different threads."""

    def __init__(
        self,
        make: Callable[[], Transport],
        on_lost: Callable[[RealtimeError], object],
        is_over: Callable[[], bool],
        in_use: Transport | None,
        first: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_lost` is called, by the thread that reads, when it is lost while it waits.

        `is_over` says whether the session has ended: then it will never be used. `first` is
        called before anything else is done, in the task that connects.
        """
        self.transport: Transport | None = None
        """The connection, once there is one."""
        self.greeting: list[ServerEvent] = []
        """What the server said until it was configured."""
        self._make = make
        self._on_lost = on_lost
        self._is_over = is_over
        self._in_use = in_use
        self._first = first
        self._lock = threading.Lock()  # guards all that changes; held for no call that can wait
        self._outcome: SessionUpdated | RealtimeError | None = None
        self._settled = threading.Event()  # there is an outcome
        self._kept: list[ServerEvent | Disconnected] = []
        self._deliver: Deliver | None = None
        self._said_too_much = False

    def open(self, update: SessionUpdate, within: float) -> SessionUpdated:
        """Connect, and give the server's answer to `update`.

        Blocks up to `within` seconds, and as long as the transport takes to connect.
        Raises what went wrong, and leaves nothing behind then.
        """
        deadline = time.monotonic() + within
        try:
            self._first()
            transport = self._make()
            if transport is self._in_use:
                raise StartError(
                    "there is no second connection: the transport's factory gave the one in"
                    " use again",
                    StartCause.CONFIG,
                )
            with self._lock:
                self.transport = transport
            if self._outcome is None:  # else it was closed before we began
                transport.connect(self._hear)
                transport.send(update)
            if not self._settled.wait(max(0.0, deadline - time.monotonic())):
                raise StartError(
                    f"the server did not take the configuration within {within:g} s",
                    StartCause.TIMEOUT,
                )
            if isinstance(self._outcome, SessionUpdated):
                return self._outcome
            assert self._outcome is not None  # it is settled
            raise self._outcome
        except BaseException:
            self.close()
            raise

    def take_over(self, deliver: Deliver) -> None:
        """Hand what was kept to `deliver`, and what comes from now on."""
        with self._lock:
            if self._kept:
                deliver(self._kept)
            self._deliver = deliver

    def close(self, timeout: float = 0.0) -> None:
        """Let it go, or give up making it. Nobody waits for its goodbye, unless told so."""
        with self._lock:
            self._settle(StartError("the connection was closed", StartCause.NETWORK))
            transport = self.transport
        if transport is not None:
            transport.close(timeout)

    # -- for the thread that reads ---------------------------------------------------------

    def _hear(self, batch: Sequence[ServerEvent | Disconnected]) -> None:
        if self._deliver is None:
            if self._is_over():
                self.close()
                return
            with self._lock:
                if self._deliver is None:
                    for event in batch:
                        self._keep(event)
                    return
        self._deliver(batch)

    def _keep(self, event: ServerEvent | Disconnected) -> None:
        if self._said_too_much:
            return
        if self._outcome is None and not isinstance(event, Disconnected):
            self._greeted(event)
        else:
            self._kept.append(event)
        if isinstance(event, Disconnected):
            self._lost(f"the other connection was lost: {event.reason or event.code}")
            return
        transport = self.transport
        size = transport.received_bytes if isinstance(transport, PausableTransport) else 0
        if len(self.greeting) + len(self._kept) > KEPT_LIMIT or size > KEPT_BYTES:
            self._said_too_much = True
            self._lost("the other connection says too much")

    def _greeted(self, event: ServerEvent) -> None:
        self.greeting.append(event)
        match event:
            case SessionUpdated():
                self._settle(event)
            case ServerError(error=error):
                self._settle(
                    SessionUpdateError(
                        f"the server refused the settings: {message_of(error)}",
                        code=error.code,
                        param=error.param,
                    )
                )
            case _:
                pass  # nothing that settles it

    def _lost(self, why: str) -> None:
        error = StartError(why, StartCause.NETWORK)
        if self._outcome is None:
            self._settle(error)
        else:
            self._on_lost(error)

    def _settle(self, outcome: SessionUpdated | RealtimeError) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self._settled.set()
