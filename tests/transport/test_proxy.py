"""Through a proxy: given, or found in the environment."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from realtime_actors.errors import StartCause, StartError
from realtime_actors.transport import ConnectOptions, WebSocketTransport
from realtime_actors.transport.dialing import Target, choose_proxy
from tests.transport.wire import PATIENCE, Heard, Inbox, RawServer, TextDialect, read_request, text

VARIABLES: tuple[str, ...] = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
VARIABLES += tuple(name.upper() for name in VARIABLES)


class Proxy:
    """Answers CONNECT, and passes bytes to `target` whatever host was asked for."""

    def __init__(self, target: int, *, status: str = "200 OK") -> None:
        self._target = target
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[str] = []

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exception: object) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, *self._sockets):
            sock.close()

    def _start(self, work, *args: object) -> None:
        thread = threading.Thread(target=work, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        self.requests.append(read_request(client).decode())
        client.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        if not self._status.startswith("200"):
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self._target))
        self._sockets.append(server)
        self._start(self._pass_on, client, server)
        self._start(self._pass_on, server, client)

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(greeting=text("hello")) as server:
        yield server


@pytest.fixture
def proxy(server: RawServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def greeting(**options: object) -> Heard:
    """Connect, and hand out what the server says first."""
    inbox = Inbox()
    transport = WebSocketTransport(ConnectOptions(timeout=PATIENCE, **options), TextDialect())  # type: ignore[arg-type]
    transport.connect(inbox)
    try:
        heard: Heard = inbox.next()
        return heard
    finally:
        transport.close(timeout=0)


def test_a_given_proxy_is_used(proxy: Proxy):
    assert greeting(
        url="ws://far-away.invalid:8765/v1", proxy=f"http://localhost:{proxy.port}"
    ) == Heard("hello")
    assert proxy.requests[0].startswith("CONNECT far-away.invalid:8765 HTTP/1.1\r\n")


def test_a_given_proxy_needs_no_scheme_and_gets_its_credentials(proxy: Proxy):
    assert greeting(
        url="ws://far-away.invalid/", proxy=f"user:p%40ss@localhost:{proxy.port}"
    ) == Heard("hello")
    credentials = base64.b64encode(b"user:p@ss").decode()
    assert f"Proxy-Authorization: Basic {credentials}\r\n" in proxy.requests[0]


def test_tls_goes_through_a_proxy_and_is_checked_against_the_host(authority):
    with (
        RawServer(tls=authority.server, greeting=text("hello")) as server,
        Proxy(server.port) as proxy,
    ):
        options = {"proxy": f"http://localhost:{proxy.port}", "ca_bundle": authority.ca_bundle}
        assert greeting(url="wss://localhost:8765/", **options) == Heard("hello")
        with pytest.raises(StartError) as caught:
            greeting(url="wss://far-away.invalid/", **options)

    assert caught.value.cause is StartCause.TLS


def test_the_proxy_of_the_environment_is_used(proxy: Proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://localhost:{proxy.port}")

    assert greeting(url="ws://far-away.invalid/") == Heard("hello")


def test_what_the_environment_excepts_goes_without_its_proxy(proxy: Proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://localhost:{proxy.port}")
    monkeypatch.setenv("no_proxy", ".invalid")

    with pytest.raises(StartError) as caught:
        greeting(url="ws://far-away.invalid/")
    assert caught.value.cause is StartCause.DNS
    assert proxy.requests == []


def test_a_given_proxy_is_used_whatever_the_environment_excepts(proxy: Proxy, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")

    assert greeting(url="ws://far-away.invalid/", proxy=f"http://localhost:{proxy.port}") == Heard(
        "hello"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_loopback_is_not_looked_for_behind_the_environments_proxy(
    server: RawServer, monkeypatch, host: str
):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")

    assert greeting(url=f"ws://{host}:{server.port}/") == Heard("hello")


def test_a_proxy_that_says_no_is_named(server: RawServer):
    with (
        Proxy(server.port, status="407 Proxy Authentication Required") as proxy,
        pytest.raises(StartError, match=r"proxy.*407.*credentials") as caught,
    ):
        greeting(url="ws://far-away.invalid/", proxy=f"http://user:secret@localhost:{proxy.port}")

    assert caught.value.cause is StartCause.NETWORK
    assert "secret" not in str(caught.value)


def test_a_proxy_that_is_not_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(StartError, match="proxy") as caught:
        greeting(url="ws://far-away.invalid/", proxy=f"http://localhost:{port}")
    assert caught.value.cause is StartCause.REFUSED


@pytest.mark.parametrize("proxy", ["ftp://proxy:1", "http://", "http://proxy:port"])
def test_a_proxy_that_is_none_is_refused_without_its_password(proxy: str):
    with pytest.raises(StartError, match="the proxy is no URL") as caught:
        greeting(url="ws://far-away.invalid/", proxy=proxy)

    assert caught.value.cause is StartCause.CONFIG


def test_an_ipv6_address_is_asked_for_in_brackets(proxy: Proxy):
    assert greeting(url="ws://[2001:db8::1]:99/", proxy=f"http://localhost:{proxy.port}") == Heard(
        "hello"
    )
    request = proxy.requests[0]
    assert request.startswith("CONNECT [2001:db8::1]:99 HTTP/1.1\r\nHost: [2001:db8::1]:99\r\n")


def test_a_user_without_a_password_is_told_to_the_proxy(proxy: Proxy):
    greeting(url="ws://far-away.invalid/", proxy=f"http://token@localhost:{proxy.port}")

    credentials = base64.b64encode(b"token:").decode()
    assert f"Proxy-Authorization: Basic {credentials}\r\n" in proxy.requests[0]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_variables_are_read_in_any_case(proxy: Proxy, monkeypatch, variable: str):
    monkeypatch.setenv(variable, f"http://localhost:{proxy.port}")

    assert greeting(url="ws://far-away.invalid/") == Heard("hello")


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.2", "::1"])
def test_what_counts_as_this_machine_for_a_key_is_not_sent_through_a_proxy(monkeypatch, host: str):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")

    assert choose_proxy(Target(host, 80, secure=False), None) is None


FAR = Target("far.example.com", 443, secure=True)


@pytest.mark.parametrize(
    ("no_proxy", "target", "is_excepted"),
    [
        ("far.example.com", FAR, True),
        ("FAR.Example.COM", FAR, True),
        ("example.com", FAR, True),
        (".example.com", FAR, True),
        ("*.example.com", FAR, True),
        ("*", FAR, True),
        ("other.invalid, .example.com", FAR, True),
        ("other.invalid example.com", FAR, True),
        ("example.com:443", FAR, True),
        ("example.com:8443", FAR, False),
        ("ample.com", FAR, False),
        ("ar.example.com", FAR, False),
        ("", FAR, False),
        ("example.com", Target("example.com.", 443, secure=True), True),
        ("10.0.0.0/8", Target("10.1.2.3", 443, secure=True), True),
        ("10.0.0.0/8", Target("11.1.2.3", 443, secure=True), False),
        ("10.1.2.3", Target("10.1.2.3", 443, secure=True), True),
        ("10.0.0.0/8", FAR, False),
        ("2001:db8::/32", Target("2001:db8::1", 443, secure=True), True),
        ("[2001:db8::1]", Target("2001:db8::1", 443, secure=True), True),
    ],
)
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_exceptions_may_be_written_in_every_usual_way(
    monkeypatch, variable: str, no_proxy: str, target: Target, is_excepted: bool
):
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv(variable, no_proxy)

    assert (choose_proxy(target, None) is None) is is_excepted
