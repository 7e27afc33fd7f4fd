"""The I/O thread: waits for many connections at once, and serves each a little in turn.

It knows no WebSocket. A channel tells it what to wait for, and is told when that has
come. The thread starts with the first channel and ends with the last one.
"""

from __future__ import annotations

import contextlib
import logging
import math
import selectors
import socket
import threading
import time
from collections import deque
from typing import NamedTuple, Protocol

from realtime_actors.errors import ConfigError
from realtime_actors.otp.fork import each_in_child
from realtime_actors.seconds import LONGEST_WAIT

__all__ = [
    "READ",
    "WRITE",
    "Channel",
    "IoThread",
    "IoThreads",
    "Wants",
    "set_io_threads",
    "shared_io_threads",
]

logger = logging.getLogger(__name__)

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Wants(NamedTuple):
    """What a channel waits for after its turn."""

    mask: int
    """READ, WRITE or both; 0 means that it is finished and wants to be let go."""
    deadline: float | None = None
    """A time of `time.monotonic()` at which it gets a turn in any case."""
    stays: bool = False
    """With a mask of 0: it is not finished, but waits for its deadline, or asks for a turn."""


class Channel(Protocol):
    """Something with a socket, as the I/O thread sees it."""

    def fileno(self) -> int: ...

    def arrive(self, thread: IoThread) -> None:
        """Note which thread will serve you. Called once, before any turn."""
        ...

    def turn(self, ready: int) -> Wants:
        """Read and write what is ready (nothing: 0). Return what you wait for. Never blocks."""
        ...

    def hand_over(self) -> None:
        """Tell others what came of your turns: see `IoThread.hand_over_later`."""
        ...

    def let_go(self) -> None:
        """Close your socket: the thread has forgotten you."""
        ...


class IoThread:
    """One thread, and the channels that it serves."""

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self._selector.register(self._wake_receiver, READ, None)
        self._waking = False
        self._lock = threading.Lock()  # guards the end: no channel arrives after it
        self._ended = False
        # What other threads put in.
        self._arriving: deque[Channel] = deque()
        self._asking: deque[Channel] = deque()
        # What belongs to this thread alone.
        self._served: dict[Channel, Wants] = {}
        self._deadlines: dict[Channel, float] = {}
        self._earliest = math.inf  # no deadline is before this: the rounds look at nothing else
        self._handing_over: list[Channel] = []
        each_in_child(self, IoThread._leave_to_parent)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except BaseException:  # no thread to be had: RuntimeError
            self._close()
            raise

    def __len__(self) -> int:
        """Return how many channels it serves, or is about to."""
        return len(self._served) + len(self._arriving)

    @property
    def alive(self) -> bool:
        """Whether it runs. False in a child after a fork, too: threads stay behind."""
        return not self._ended and self._thread.is_alive()

    def take_in(self, channel: Channel) -> bool:
        """Serve a channel from now on, with a first turn at once; False if it is too late."""
        with self._lock:
            if self._ended:
                return False
            channel.arrive(self)
            self._arriving.append(channel)
        self._wake()
        return True

    def ask_for_turn(self, channel: Channel) -> None:
        """Give the channel a turn soon, and ask what it wants then. From any thread."""
        self._asking.append(channel)
        self._wake()

    def hand_over_later(self, channel: Channel) -> None:
        """Call `channel.hand_over()` once all channels have had their turns. For them, in theirs.

        A thread that is told something wakes up, and wants the interpreter: it would take it
        from us at the next system call, and at each one after that.
        """
        self._handing_over.append(channel)

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def join_if_ended(self, timeout: float) -> None:
        """Wait until the thread is gone, if its last channel is."""
        if self._ended and not self.is_current():
            self._thread.join(timeout)

    def _wake(self) -> None:
        # A request is put in before the flag is looked at, and `_round` lowers the flag
        # before it looks for requests. So one that finds the flag raised is seen, too.
        if self._waking:
            return
        self._waking = True
        # Full: then it will wake up. Closed: then it has ended, and serves no channel.
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def _run(self) -> None:
        while not self._ended:
            self._round()
        self._close()

    def _close(self) -> None:
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def _leave_to_parent(self) -> None:
        # Only closed: what a selector forgets in a child of fork, the parent's forgets, too.
        self._ended = True
        self._lock = threading.Lock()
        self._arriving.clear()
        self._served.clear()
        self._close()

    def _round(self) -> None:
        for key, ready in self._selector.select(self._patience()):
            if key.data is None:
                self._wake_receiver.recv(4096)
                self._waking = False
            else:
                self._give_turn(key.data, ready)
        while self._arriving:
            channel = self._arriving.popleft()
            self._served[channel] = Wants(0)
            # Something may wait where no selector sees it: in the TLS object.
            self._give_turn(channel, READ)
        # Only as many as are there now: a channel may ask again during its turn.
        for _ in range(len(self._asking)):
            self._give_turn(self._asking.popleft(), 0)
        if self._earliest != math.inf and (now := time.monotonic()) >= self._earliest:
            for channel in [each for each, at in self._deadlines.items() if at <= now]:
                self._give_turn(channel, 0)
            self._earliest = min(self._deadlines.values(), default=math.inf)
        channels, self._handing_over = self._handing_over, []
        for channel in channels:
            channel.hand_over()

    def _patience(self) -> float | None:
        if self._asking:
            return 0
        if self._earliest == math.inf:
            return None
        return min(max(0.0, self._earliest - time.monotonic()), LONGEST_WAIT)

    def _give_turn(self, channel: Channel, ready: int) -> None:
        before = self._served.get(channel)
        if before is None:
            return  # it asked, and was let go since
        try:
            wants = channel.turn(ready)
            if wants is not before:
                self._arrange(channel, before, wants)
        except Exception:
            # Channels look after their own trouble. This keeps a bug in that from ending
            # all the others.
            logger.exception("a channel failed in its turn: it is dropped")
            self._let_go(channel)

    def _arrange(self, channel: Channel, before: Wants, wants: Wants) -> None:
        if not wants.mask and not wants.stays:
            self._let_go(channel)
            return
        if not before.mask:
            if wants.mask:
                self._selector.register(channel, wants.mask, channel)
        elif not wants.mask:
            self._selector.unregister(channel)
        elif wants.mask != before.mask:
            self._selector.modify(channel, wants.mask, channel)
        self._served[channel] = wants
        if wants.deadline is not None:
            self._deadlines[channel] = wants.deadline
            self._earliest = min(self._earliest, wants.deadline)
        else:
            self._deadlines.pop(channel, None)

    def _let_go(self, channel: Channel) -> None:
        wants = self._served.pop(channel, None)
        if wants is None:
            return
        if wants.mask:
            self._selector.unregister(channel)
        self._deadlines.pop(channel, None)
        # Decided before the channel tells that it is gone: who waits for that can wait for the
        # thread next.
        with self._lock:
            self._ended = not self._served and not self._arriving
        channel.let_go()


class IoThreads:
    """The I/O threads of a process: up to `limit`, or with None one for each connection.

    They start when needed, and end when their last connection does. `name` begins their names.
    """

    def __init__(self, limit: int | None = 1, *, name: str = "realtime-io") -> None:
        if limit is not None and limit < 1:
            raise ConfigError(f"{limit} I/O threads: at least 1, or None for one per connection")
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()  # guards the list
        self._threads: list[IoThread] = []
        self._count = 0
        each_in_child(self, IoThreads._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._threads = []

    def serve(self, channel: Channel) -> IoThread:
        """Have a channel served from now on. Return the thread that does."""
        with self._lock:
            while True:
                self._threads = [thread for thread in self._threads if thread.alive]
                if self._limit is None or len(self._threads) < self._limit:
                    self._count += 1
                    thread = IoThread(f"{self._name}-{self._count}")
                    self._threads.append(thread)
                else:
                    thread = min(self._threads, key=len)
                if thread.take_in(channel):
                    return thread


_shared = IoThreads()


def set_io_threads(limit: int | None) -> None:
    """Set how many I/O threads serve the connections that are made from now on; 1 at first.

    None means one for each connection. One thread keeps up with about 200 conversations.
    """
    global _shared
    _shared = IoThreads(limit)


def shared_io_threads() -> IoThreads:
    """Return the threads of connections that ask for no others."""
    return _shared
