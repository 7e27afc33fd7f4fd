"""What a proxy does to a connection with a plain echo server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest

from realtime_actors.fault_proxy import (
    Bandwidth,
    BlackHole,
    Corrupt,
    Down,
    Fault,
    FaultProxy,
    HalfClose,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Stall,
    Timeout,
)
from tests.fault_proxy.test_counting import HEAD, frame

PATIENCE = 5.0


class Echo(threading.Thread):
    """Sends back what it gets, for as long as the proxy lives."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard = b""
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._echo, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _echo(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                self.heard += data
                connection.sendall(data)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        yield server


@contextlib.contextmanager
def connected(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as client:
        yield client


def exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


def test_what_is_said_passes_in_both_directions(echo: Echo) -> None:
    text = bytes(range(256)) * 5_000
    with FaultProxy(echo.port) as proxy, connected(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(text,))
        sender.start()
        assert exactly(client, len(text)) == text
        sender.join()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_a_proxy_that_stops_takes_its_connections_along(echo: Echo) -> None:
    proxy = FaultProxy(echo.port).start()
    with connected(proxy) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"
        proxy.stop()
        proxy.stop()
        assert client.recv(1) == b""


def test_latency_delays_and_keeps_the_order(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy:
        proxy.add(Latency(ms=60, jitter_ms=20))
        with connected(proxy) as client:
            began = time.monotonic()
            for number in range(10):
                client.sendall(bytes([number]))
            assert exactly(client, 10) == bytes(range(10))
            assert time.monotonic() - began >= 0.04


def test_a_bandwidth_is_not_exceeded(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy:
        proxy.add(Bandwidth(bytes_per_second=100_000), "upstream")
        with connected(proxy) as client:
            began = time.monotonic()
            client.sendall(bytes(20_000))
            assert exactly(client, 20_000) == bytes(20_000)
            assert time.monotonic() - began >= 0.18


def test_a_slicer_cuts_and_loses_nothing(echo: Echo) -> None:
    text = bytes(range(256)) * 4
    with FaultProxy(echo.port, seed=3) as proxy:
        proxy.add(Slicer(average_bytes=10, variation_bytes=5, delay_ms=0.1))
        with connected(proxy) as client:
            client.sendall(text)
            first = client.recv(65536)
            assert len(first) < len(text), "it comes in pieces"
            assert first + exactly(client, len(text) - len(first)) == text


def test_a_reset_is_no_goodbye(echo: Echo) -> None:
    schedule = [Fault(toxic=ResetPeer(), after_bytes=3)]
    with FaultProxy(echo.port, schedule) as proxy, connected(proxy) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            exactly(client, 5)
        assert proxy.wait_fired(1)
        assert [(each.fault, each.connection) for each in proxy.fired] == [(schedule[0], 0)]


def test_a_reset_can_come_later(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy, connected(proxy) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"
        proxy.inject(ResetPeer(after_ms=30))
        with pytest.raises(ConnectionResetError):
            client.recv(16)


def test_a_timeout_loses_everything_and_then_closes(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy, connected(proxy) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"
        proxy.inject(Timeout(ms=50))
        assert exactly(client, 5) == b""


def test_a_black_hole_takes_what_is_said_and_keeps_the_connection(echo: Echo) -> None:
    schedule = [Fault(toxic=BlackHole(), after_bytes=5)]
    with FaultProxy(echo.port, schedule) as proxy, connected(proxy) as client:
        client.sendall(b"hello, hello")
        assert exactly(client, 5) == b"hello"
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_stalled_direction_is_not_read(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy:
        proxy.add(Stall(), "upstream")
        with connected(proxy) as client:
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.sendall(bytes(64 * 2**20))
            assert echo.heard == b""


def test_a_half_that_is_closed_leaves_the_other_open(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy, connected(proxy) as client:
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"
        proxy.inject(HalfClose(), "downstream")
        assert client.recv(1) == b""
        client.sendall(b" again")
        deadline = time.monotonic() + PATIENCE
        while echo.heard != b"hello again" and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert echo.heard == b"hello again"


def test_a_slow_close_is_heard_of_late(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy:
        proxy.add(SlowClose(delay_ms=80), "upstream")
        with connected(proxy) as client:
            began = time.monotonic()
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            assert time.monotonic() - began >= 0.08


def test_limited_data_passes_up_to_its_limit(echo: Echo) -> None:
    schedule = [Fault(toxic=LimitData(limit_bytes=7), after_bytes=0)]
    with FaultProxy(echo.port, schedule) as proxy, connected(proxy) as client:
        client.sendall(b"hello, hello")
        with contextlib.suppress(ConnectionResetError):
            assert exactly(client, 12) == b"hello, "


def test_corrupt_bytes_are_others_and_as_many(echo: Echo) -> None:
    schedule = [Fault(toxic=Corrupt(count=2), after_bytes=1)]
    with FaultProxy(echo.port, schedule, seed=4) as proxy, connected(proxy) as client:
        client.sendall(b"hello")
        found = exactly(client, 5)
        assert [left == right for left, right in zip(found, b"hello", strict=True)] == [
            *(True, False, False, True, True)
        ]


def test_a_server_that_is_down_resets_the_next_connections_too(echo: Echo) -> None:
    with FaultProxy(echo.port) as proxy:
        with connected(proxy) as client:
            client.sendall(b"hello")
            assert exactly(client, 5) == b"hello"
            proxy.inject(Down(connections=2))
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        for _ in range(2):
            with pytest.raises(ConnectionResetError), connected(proxy) as client:
                client.recv(1)
        with connected(proxy) as client:
            client.sendall(b"hello")
            assert exactly(client, 5) == b"hello"
        assert proxy.accepted == 4


def test_a_network_that_has_healed_stays_well(echo: Echo) -> None:
    with FaultProxy(echo.port, [Fault(toxic=ResetPeer(), after_bytes=6)]) as proxy:
        proxy.add(Stall())
        with connected(proxy) as client:
            client.sendall(b"hello")
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(1)
            proxy.heal()
            client.settimeout(PATIENCE)
            client.sendall(b", again")
            assert exactly(client, 12) == b"hello, again"
        assert proxy.fired == []


def test_a_server_that_is_not_there_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        FaultProxy(port) as proxy,
        pytest.raises(ConnectionResetError),
        connected(proxy) as client,
    ):
        client.recv(1)


def test_faults_come_one_after_the_other_counted_in_messages(echo: Echo) -> None:
    message = frame(0x81, b"x")
    schedule = [
        Fault(toxic=Corrupt(), after_messages=1, after_bytes=2),
        Fault(toxic=Corrupt(count=100), after_messages=2, for_messages=1),
        Fault(toxic=ResetPeer(), after_messages=2),
    ]
    with FaultProxy(echo.port, schedule, seed=1) as proxy, connected(proxy) as client:
        client.sendall(HEAD + message * 8)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(4096):
                found += piece

        assert proxy.wait_fired(3)
        assert [each.fault for each in proxy.fired] == schedule
        kept = found[len(HEAD) :]
        assert kept[:5] == message + message[:2]
        assert kept[5:6] != b"x"
        assert kept[6:9] == message, "the first fault is over, the second is to come"
        changed = zip(kept[9:12], message, strict=True)
        assert all(left != right for left, right in changed), "all of the next message"
        assert kept[12:] == message, "which is all that the second holds for"
