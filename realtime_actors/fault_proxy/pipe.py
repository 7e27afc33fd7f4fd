"""One direction of a connection: what is read at one end, until it is written to the other."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from random import Random

from attrs import frozen

from realtime_actors.fault_proxy.counting import MessageCounter
from realtime_actors.fault_proxy.toxics import (
    Bandwidth,
    BlackHole,
    Corrupt,
    Direction,
    Down,
    HalfClose,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Stall,
    Timeout,
    Toxic,
)

__all__ = ["Happening", "Pipe"]

_READ_BYTES = 64 * 1024
_MOST_WAITING = 256 * 1024
"""Bytes that wait here before the source is read on: as in a network, its buffers fill then."""


@frozen
class Happening:
    """Something that happens in the middle of what passes."""

    after_bytes: int
    do: Callable[[], None]


class Pipe:
    """Reads from `source`, does to it what the toxics say, and writes to `sink`.

    For the proxy's thread alone.
    """

    def __init__(
        self, direction: Direction, source: socket.socket, sink: socket.socket, chance: Random
    ) -> None:
        self.direction: Direction = direction
        self.source, self.sink = source, sink
        self.source_ended = False
        self.is_done = False
        """Nothing more will be written: the sink was told so, or is closed."""
        self.wants_to_close = False
        """Both ends are to be closed, once what waits is written."""
        self._chance = chance
        self._counter = MessageCounter()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._waiting_bytes = 0
        self._last_due = 0.0
        self._ends_at: float | None = None
        # What is wrong with it.
        self._latency: Latency | None = None
        self._bandwidth: Bandwidth | None = None
        self._slicer: Slicer | None = None
        self._slow_close: SlowClose | None = None
        self._limit: int | None = None
        self._loses = self._is_stalled = False
        self._to_corrupt = 0

    # -- toxics ----------------------------------------------------------------------------

    def apply(self, toxic: Toxic) -> None:
        """Let a toxic hold from here on."""
        match toxic:
            case Latency():
                self._latency = toxic
            case Bandwidth():
                self._bandwidth = toxic
            case Slicer():
                self._slicer = toxic
            case SlowClose():
                self._slow_close = toxic
            case BlackHole():
                self._loses = True
            case Stall():
                self._is_stalled = True
            case Corrupt(count=count):
                self._to_corrupt += count
            case LimitData(limit_bytes=limit):
                self._limit = limit
            case HalfClose():
                self._loses = True
                self._ends_at = self._last_due
            case ResetPeer() | Timeout() | Down():
                raise ValueError(f"{toxic} is of both directions: the proxy does it")

    def lift(self, toxic: Toxic) -> None:
        """Let a toxic hold no longer."""
        match toxic:
            case Latency():
                self._latency = None
            case Bandwidth():
                self._bandwidth = None
            case Slicer():
                self._slicer = None
            case SlowClose():
                self._slow_close = None
            case Stall():
                self._is_stalled = False
            case LimitData():
                self._limit = None
            case Corrupt():
                self._to_corrupt = 0
            case ResetPeer() | Timeout() | Down() | HalfClose() | BlackHole():
                pass  # it has happened, and what is missing is missing

    def heal(self) -> None:
        """Lift all toxics that can be."""
        self._latency = self._bandwidth = self._slicer = self._slow_close = self._limit = None
        self._is_stalled = False
        self._to_corrupt = 0

    # -- passing on ------------------------------------------------------------------------

    @property
    def wants_to_read(self) -> bool:
        """Whether the source is to be read."""
        is_full = self._waiting_bytes >= _MOST_WAITING
        return not (self.source_ended or self._is_stalled or is_full)

    def wants_to_write(self, now: float) -> bool:
        """Whether something is due."""
        due = self.due_at
        return not self.is_done and due is not None and due <= now

    @property
    def due_at(self) -> float | None:
        """When there is something to do next, by itself."""
        if self.is_done:
            return None
        return self._waiting[0][0] if self._waiting else self._ends_at

    def read(
        self,
        now: float,
        happens: Callable[[bytes, bool], Happening | None],
        message_passed: Callable[[], None],
    ) -> None:
        """Take what there is at the source. Raises `OSError` when the connection broke.

        `happens` is asked with each piece, and whether a message ends with it, for the next
        thing that happens within it.
        """
        try:
            data = self.source.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._source_ends(now)
            return
        for piece, is_end in self._counter.cut(data):
            rest = piece
            while rest and (happening := happens(rest, is_end)) is not None:
                self._put(rest[: happening.after_bytes], now)
                rest = rest[happening.after_bytes :]
                self.write(now)  # what passes before has passed
                happening.do()
                if self.is_done:
                    return
            self._put(rest, now)
            if is_end:
                message_passed()

    def _source_ends(self, now: float) -> None:
        self.source_ended = True
        if self._ends_at is None and not self._loses:  # what is lost includes the end
            late = 0.0 if self._slow_close is None else self._slow_close.delay_ms / 1000
            self._ends_at = max(now, self._last_due) + late

    def write(self, now: float) -> None:
        """Write what is due. Raises `OSError` when the connection broke."""
        while self._waiting and self._waiting[0][0] <= now:
            due, data = self._waiting[0]
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                return
            self._waiting_bytes -= sent
            if sent < len(data):
                self._waiting[0] = (due, data[sent:])
                return
            self._waiting.popleft()
        is_over = self._ends_at is not None and self._ends_at <= now
        if is_over and not self._waiting and not self.is_done:
            self.is_done = True
            self.sink.shutdown(socket.SHUT_WR)

    def _put(self, data: bytes, now: float) -> None:
        """Do to some bytes what is to be done, and let them wait until they are due."""
        if self._limit is not None:
            data = data[: self._limit]
            self._limit -= len(data)
            self.wants_to_close = self.wants_to_close or not self._limit
        if self._loses or not data:
            return
        if self._to_corrupt:
            wrong = data[: self._to_corrupt]
            self._to_corrupt -= len(wrong)
            others = bytes(each ^ self._chance.randrange(1, 256) for each in wrong)
            data = others + data[len(wrong) :]
        due = now
        if self._latency is not None:
            jitter = self._latency.jitter_ms
            due += max(0.0, self._latency.ms + self._chance.uniform(-jitter, jitter)) / 1000
        due = max(due, self._last_due)
        for piece in self._slices(data):
            self._waiting.append((due, piece))
            self._waiting_bytes += len(piece)
            if self._slicer is not None:
                due += self._slicer.delay_ms / 1000
            if self._bandwidth is not None:
                due += len(piece) / self._bandwidth.bytes_per_second
            self._last_due = due

    def _slices(self, data: bytes) -> list[bytes]:
        average, variation = len(data), 0
        if self._slicer is not None:
            average, variation = self._slicer.average_bytes, self._slicer.variation_bytes
        if self._bandwidth is not None:
            average = min(average, max(1, int(self._bandwidth.bytes_per_second / 50)))
        pieces, at = [], 0
        while at < len(data):
            size = max(1, average + self._chance.randint(-variation, variation))
            pieces.append(data[at : at + size])
            at += size
        return pieces
