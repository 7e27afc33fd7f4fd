"""The proxy: a thread that accepts, and passes on what it is let to."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from attrs import define, frozen

from realtime_actors.fault_proxy.pipe import Happening, Pipe
from realtime_actors.fault_proxy.toxics import (
    BlackHole,
    Direction,
    Down,
    Fault,
    Lasting,
    ResetPeer,
    Timeout,
    Toxic,
)
from realtime_actors.seconds import LONGEST_WAIT, seconds

__all__ = ["FaultProxy", "Fired"]

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends an RST."""

_CONNECT_WITHIN = 2.0


@frozen(kw_only=True)
class Fired:
    """A fault that has come about."""

    fault: Fault
    connection: int
    """Which it was of, counted from 0."""
    at: float
    """By `time.monotonic()`."""


@define
class _Armed:
    """The next fault, and what is left until it comes."""

    fault: Fault
    messages_left: int
    bytes_left: int


@define
class _Passing:
    """A toxic that ends after some messages."""

    pipe: Pipe
    toxic: Toxic
    messages_left: int


@define(eq=False)
class _Connection:
    """Both ends, and both directions between them."""

    number: int
    client: socket.socket
    server: socket.socket
    pipes: tuple[Pipe, Pipe]

    def pipe(self, direction: Direction) -> Pipe:
        return self.pipes[direction == "downstream"]

    def close(self, *, reset: bool = False) -> None:
        for pipe in self.pipes:
            pipe.is_done = True
        for end in (self.client, self.server):
            if reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()


class FaultProxy:
    """A TCP proxy on this machine that does to connections what networks do.

    It passes on to `upstream`, a port of this machine (which may be another one later).
    `schedule`: what goes wrong, one after the other. `inject` lets something go wrong at once,
    and `add` from there on, for all connections. `seed` decides what chance decides: jitter,
    where pieces end, what a byte becomes.

    All methods may be called from any thread. Leaving the `with` block stops it: it takes all
    connections along.
    """

    def __init__(self, upstream: int, schedule: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self.upstream = upstream
        self.fired: list[Fired] = []
        """The faults of the schedule that have come about, oldest first."""
        self.accepted = 0
        """How many connections were made to it so far."""
        self._schedule = iter(tuple(schedule))
        self._armed: _Armed | None = None
        self._passing: list[_Passing] = []
        self._everywhere: list[tuple[Lasting, Direction]] = []
        self._refusals = 0
        self._chance = Random(seed)
        self._connections: list[_Connection] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._changed = threading.Condition()  # guards `fired`
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens. Known once it has started."""
        return self._port

    def url(self, of: str) -> str:
        """Return the URL that leads through the proxy, for one that leads to the server."""
        return urlsplit(of)._replace(netloc=f"127.0.0.1:{self._port}").geturl()

    def start(self) -> Self:
        """Listen, on a port of the system's choice. Starting twice does nothing."""
        if self._thread is not None:
            return self
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self._arm_next()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close everything, and wait until it is. Stopping twice does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._tell(None)
        thread.join()
        self._bell.close()

    def inject(self, toxic: Toxic, direction: Direction = "downstream") -> None:
        """Let something go wrong now, with every connection that there is."""
        self._tell(lambda: self._inject(toxic, direction))

    def add(self, toxic: Lasting, direction: Direction = "downstream") -> None:
        """Let a toxic hold for all connections, those to come included, until it is removed."""
        self._tell(lambda: self._add(toxic, direction))

    def remove(self, toxic: Lasting, direction: Direction = "downstream") -> None:
        """Take back what `add` has said, and what `inject` or the schedule has of this kind."""
        self._tell(lambda: self._remove(toxic, direction))

    def heal(self) -> None:
        """Let nothing more go wrong: forget what `add` and the rest of the schedule have said.

        A connection that has lost bytes stays as it is: it could not go on.
        """
        self._tell(self._heal)

    def wait_fired(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until so many faults of the schedule have come about. Return False on timeout."""
        timeout = min(seconds(timeout, "the timeout of wait_fired()"), LONGEST_WAIT)
        with self._changed:
            return self._changed.wait_for(lambda: len(self.fired) >= count, timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- the thread ------------------------------------------------------------------------

    def _tell(self, order: Callable[[], None] | None) -> None:
        self._orders.put(order)
        with contextlib.suppress(OSError):  # it has stopped
            self._bell.send(b"!")

    def _run(self) -> None:
        try:
            while self._go_round():
                pass
        finally:
            for connection in self._connections:
                connection.close()
            self._connections = []
            self._listener.close()
            self._ear.close()

    def _go_round(self) -> bool:
        """Wait until something can be done, and do it. Return False when it is to stop."""
        now = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._ear, selectors.EVENT_READ)
            for connection in self._connections:
                _register(selector, connection, now)
            selector.select(self._wait(now))
        if not self._take_orders():
            return False
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        self._accept()
        for connection in tuple(self._connections):
            self._pass_on(connection, now)
        return True

    def _wait(self, now: float) -> float | None:
        """Seconds until something is due by itself. None: nothing is."""
        due = [self._later[0][0]] if self._later else []
        for connection in self._connections:
            due += [each.due_at for each in connection.pipes if each.due_at is not None]
        # What is due and can't be written waits for the socket, not for the time.
        coming = [each for each in due if each > now]
        return min(coming) - now if coming else None

    def _take_orders(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)
        with contextlib.suppress(queue.Empty):
            while True:
                order = self._orders.get_nowait()
                if order is None:
                    return False
                order()
        return True

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self._listener.accept()
                number, self.accepted = self.accepted, self.accepted + 1
                self._connect(number, client)

    def _connect(self, number: int, client: socket.socket) -> None:
        server: socket.socket | None = None
        if self._refusals:
            self._refusals -= 1
        else:
            with contextlib.suppress(OSError):
                server = socket.create_connection(("127.0.0.1", self.upstream), _CONNECT_WITHIN)
        if server is None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up = Pipe("upstream", client, server, self._chance)
        down = Pipe("downstream", server, client, self._chance)
        connection = _Connection(number, client, server, (up, down))
        for toxic, direction in self._everywhere:
            connection.pipe(direction).apply(toxic)
        self._connections.append(connection)

    def _pass_on(self, connection: _Connection, now: float) -> None:
        try:
            for pipe in connection.pipes:
                if pipe.wants_to_read:
                    happens = partial(self._happens, connection, pipe)
                    pipe.read(now, happens, partial(self._count_down, pipe))
                if pipe.wants_to_write(now):
                    pipe.write(now)
        except OSError:  # one end is gone: the other hears of it in the same way
            self._end(connection, reset=True)
            return
        is_limited = any(each.wants_to_close and each.due_at is None for each in connection.pipes)
        if is_limited or all(each.is_done for each in connection.pipes):
            self._end(connection)

    def _end(self, connection: _Connection, *, reset: bool = False) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            connection.close(reset=reset)
            self._passing = [each for each in self._passing if each.pipe not in connection.pipes]

    # -- what goes wrong -------------------------------------------------------------------

    def _arm_next(self) -> None:
        fault = next(self._schedule, None)
        self._armed = None
        if fault is not None:
            self._armed = _Armed(fault, fault.after_messages, fault.after_bytes)

    def _happens(
        self, connection: _Connection, pipe: Pipe, piece: bytes, is_end: bool
    ) -> Happening | None:
        """Find what happens within a piece: the next fault, if it has come that far."""
        armed = self._armed
        if armed is None or armed.fault.direction != pipe.direction:
            return None
        if armed.messages_left:
            armed.messages_left -= is_end
            return None
        if armed.bytes_left >= len(piece):
            armed.bytes_left -= len(piece)
            return None
        self._arm_next()
        return Happening(armed.bytes_left, partial(self._fire, connection, pipe, armed.fault))

    def _fire(self, connection: _Connection, pipe: Pipe, fault: Fault) -> None:
        if fault.for_messages is not None:
            self._passing.append(_Passing(pipe, fault.toxic, fault.for_messages))
        self._do(connection, pipe, fault.toxic)
        with self._changed:
            fired = Fired(fault=fault, connection=connection.number, at=time.monotonic())
            self.fired.append(fired)
            self._changed.notify_all()

    def _count_down(self, pipe: Pipe) -> None:
        """Let go of what lasts for some messages only."""
        for passing in tuple(self._passing):
            if passing.pipe is pipe:
                passing.messages_left -= 1
                if not passing.messages_left:
                    self._passing.remove(passing)
                    pipe.lift(passing.toxic)

    def _do(self, connection: _Connection, pipe: Pipe, toxic: Toxic) -> None:
        match toxic:
            case ResetPeer(after_ms=0):
                self._end(connection, reset=True)
            case ResetPeer(after_ms=after_ms):
                self._do_later(after_ms, partial(self._end, connection, reset=True))
            case Timeout(ms=ms):
                for each in connection.pipes:
                    each.apply(BlackHole())
                self._do_later(ms, partial(self._end, connection))
            case Down(connections=count):
                self._refusals += count
                self._end(connection, reset=True)
            case _:
                pipe.apply(toxic)

    def _do_later(self, ms: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + ms / 1000, next(self._order), do))

    def _inject(self, toxic: Toxic, direction: Direction) -> None:
        if isinstance(toxic, Down):
            self._refusals += toxic.connections
            toxic = ResetPeer()
        for connection in tuple(self._connections):
            self._do(connection, connection.pipe(direction), toxic)

    def _add(self, toxic: Lasting, direction: Direction) -> None:
        self._everywhere.append((toxic, direction))
        self._inject(toxic, direction)

    def _remove(self, toxic: Lasting, direction: Direction) -> None:
        with contextlib.suppress(ValueError):
            self._everywhere.remove((toxic, direction))
        for connection in self._connections:
            connection.pipe(direction).lift(toxic)

    def _heal(self) -> None:
        self._schedule, self._armed, self._refusals = iter(()), None, 0
        self._everywhere.clear()
        for connection in self._connections:
            for pipe in connection.pipes:
                pipe.heal()


def _register(selector: selectors.BaseSelector, connection: _Connection, now: float) -> None:
    """Wait for what the two sockets of a connection are to do next."""
    up, down = connection.pipes
    for end, read, write in ((connection.client, up, down), (connection.server, down, up)):
        events = selectors.EVENT_READ if read.wants_to_read else 0
        if write.wants_to_write(now):
            events |= selectors.EVENT_WRITE
        if events:
            selector.register(end, events)
