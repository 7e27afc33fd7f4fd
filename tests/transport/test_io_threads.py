"""One thread reads many connections: how many there are, and that none disturbs another."""

from __future__ import annotations

import functools
import os
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from realtime_actors.errors import ConfigError
from realtime_actors.transport import (
    ConnectOptions,
    IoThreads,
    WebSocketTransport,
    set_io_threads,
)
from realtime_actors.transport.io_thread import READ, Wants
from tests.transport.conftest import Connection
from tests.transport.wire import PATIENCE, Heard, Inbox, RawServer, Say, TextDialect, text

MIB = 1 << 20


def io_threads() -> int:
    return sum(thread.name.startswith("realtime-io-") for thread in threading.enumerate())


@pytest.fixture
def connect() -> Iterator[functools.partial[Connection]]:
    """Connections by the fast transport; `io_threads` as that takes it."""
    with ExitStack() as stack:
        server = stack.enter_context(RawServer())

        def connect(inbox: Inbox | None = None, io_threads: IoThreads | None = None) -> Connection:
            inbox = inbox or Inbox()
            options = ConnectOptions(url=server.url, timeout=PATIENCE)
            transport = WebSocketTransport(options, TextDialect(), io_threads=io_threads)
            stack.callback(transport.close, timeout=0)
            transport.connect(inbox)
            return Connection(transport, server.peer(), inbox)

        yield functools.partial(connect)


def works(connection: Connection) -> bool:
    connection.transport.send(Say("ping"))
    connection.peer.send(text("pong"))
    return connection.peer.texts(1) == ["ping"] and connection.inbox.next() == Heard("pong")


def test_all_connections_share_one_thread(connect):
    connections = [connect() for _ in range(20)]

    assert all(works(connection) for connection in connections)
    assert io_threads() == 1


def test_the_thread_ends_with_the_last_connection_and_another_one_starts(connect):
    for _ in range(3):
        first, second = connect(), connect()
        first.transport.close(timeout=0)
        assert (io_threads(), works(second)) == (1, True)
        second.transport.close(timeout=0)
        assert io_threads() == 0


def test_connections_may_have_a_thread_each(connect):
    threads = IoThreads(None)
    connections = [connect(io_threads=threads) for _ in range(5)]

    assert all(works(connection) for connection in connections)
    assert io_threads() == 5


def test_connections_may_be_spread_over_some_threads(connect):
    threads = IoThreads(2)
    connections = [connect(io_threads=threads) for _ in range(7)]

    assert all(works(connection) for connection in connections)
    assert io_threads() == 2


def test_the_number_of_threads_can_be_set_for_the_process(connect):
    set_io_threads(3)
    try:
        connections = [connect() for _ in range(6)]
        assert all(works(connection) for connection in connections)
        assert io_threads() == 3
    finally:
        set_io_threads(1)


def test_less_than_one_thread_is_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        IoThreads(0)


def test_connections_come_and_go_at_once_from_many_threads(connect):
    failures: list[int] = []

    def use(number: int) -> None:
        for _ in range(10):
            inbox = Inbox()
            transport = WebSocketTransport(
                ConnectOptions(url=server.url, timeout=PATIENCE), TextDialect()
            )
            transport.connect(inbox)
            if inbox.next() != Heard("hello"):
                failures.append(number)
            transport.close(timeout=0)

    with RawServer(greeting=text("hello")) as server:
        users = [threading.Thread(target=use, args=(number,)) for number in range(8)]
        for user in users:
            user.start()
        for user in users:
            user.join()

    assert failures == []
    assert io_threads() == 0


def test_a_flooded_connection_leaves_the_others_their_turn(connect):
    held, go = threading.Event(), threading.Event()
    order: list[tuple[str, int]] = []

    def hold(event: object) -> None:
        # Stops the I/O thread, which no real `deliver` may do, until both have data waiting.
        if event == Heard("hold"):
            held.set()
            go.wait(PATIENCE)

    flooded_inbox, quiet_inbox = Inbox(hold), Inbox()

    def flooded(events):
        order.append(("flooded", sum(len(event.text) for event in events)))
        flooded_inbox(events)

    def quiet(events):
        order.append(("quiet", 0))
        quiet_inbox(events)

    flood, calm = connect(flooded), connect(quiet)
    flood.peer.send(text("hold"))
    assert held.wait(PATIENCE)
    flood.peer.send(text("x" * 1000) * 500)
    calm.peer.send(text("hello"))
    go.set()

    assert quiet_inbox.next() == Heard("hello")
    flooded_inbox.take(501)
    turns = [name for name, _ in order[1:]]
    assert turns.index("quiet") <= 1
    assert len(turns) > 5
    assert max(size for _, size in order) <= 64 * 1024 + 1000


def test_huge_messages_and_broken_ones_are_nothing_to_the_others(connect):
    others = [connect() for _ in range(10)]
    huge = connect()
    senders = [
        threading.Thread(target=huge.peer.send, args=(text("x" * (15 * MIB)),)),
        *(
            threading.Thread(target=connect().peer.send, args=(garbage,))
            for garbage in (
                b"\xff" * 1000,
                text(b"\xff"),
                text("!a bug"),
                b"\x81\x7f" + b"\x7f" * 8,
            )
        ),
    ]
    for sender in senders:
        sender.start()
    for _ in range(20):
        assert all(works(other) for other in others)
    for sender in senders:
        sender.join()

    assert len(huge.inbox.next().text) == 15 * MIB
    assert all(other.transport.connected for other in others)


class Broken:
    """A channel with a bug that it doesn't notice itself."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.gone = threading.Event()

    def fileno(self) -> int:
        return self.socket.fileno()

    def arrive(self, thread: object) -> None:
        pass

    def turn(self, ready: int) -> Wants:
        if self.socket.recv(10):
            raise RuntimeError("a bug of ours")
        return Wants(READ)

    def hand_over(self) -> None:
        pass

    def let_go(self) -> None:
        self.gone.set()


def test_a_channel_that_raises_is_dropped_and_the_others_are_served_on(connect, caplog):
    threads = IoThreads()
    connection = connect(io_threads=threads)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        broken = Broken(ours)
        threads.serve(broken)
        assert broken.gone.wait(PATIENCE)

    assert "a bug of ours" in caplog.text
    assert works(connection)


class Resting:
    """A channel that waits for nothing, until it has to do with its socket again, or is over."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.wants = Wants(0, stays=True)
        self.turns: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.gone = threading.Event()

    def fileno(self) -> int:
        return self.socket.fileno()

    def arrive(self, thread: object) -> None:
        pass

    def turn(self, ready: int) -> Wants:
        self.turns.put(ready)
        return self.wants

    def hand_over(self) -> None:
        pass

    def let_go(self) -> None:
        self.gone.set()


def test_a_channel_that_waits_for_nothing_has_no_turns_but_those_that_it_asks_for(connect):
    threads = IoThreads()
    connection = connect(io_threads=threads)
    ours, theirs = socket.socketpair()
    with ours:
        theirs.send(b"something to read, and then the end")
        theirs.close()
        resting = Resting(ours)
        thread = threads.serve(resting)
        assert all(works(connection) for _ in range(20))
        for _ in range(3):
            thread.ask_for_turn(resting)
            assert works(connection)
        assert [resting.turns.get(timeout=PATIENCE) for _ in range(4)] == [READ, 0, 0, 0]
        assert resting.turns.empty()

        resting.wants = Wants(READ)
        thread.ask_for_turn(resting)
        assert [resting.turns.get(timeout=PATIENCE) for _ in range(2)] == [0, READ]
        resting.wants = Wants(0)
        assert resting.gone.wait(PATIENCE)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_in_a_forked_process_a_new_thread_is_started(connect):
    connection = connect()
    assert works(connection)
    with RawServer(greeting=text("hello")) as greeter:
        child = os.fork()
        if child == 0:
            heard = b""
            try:
                inbox = Inbox()
                options = ConnectOptions(url=greeter.url, timeout=PATIENCE)
                WebSocketTransport(options, TextDialect()).connect(inbox)
                heard = inbox.next().text.encode()
            finally:
                os._exit(0 if heard == b"hello" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert works(connection)
