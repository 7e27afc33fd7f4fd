"""Making a connection: DNS, TCP, proxy, TLS and the upgrade, all by websocket-client.

What comes out is a connected socket whose next byte is the first one after the
server's upgrade response: websocket-client reads that response byte by byte, so
nothing of what follows it is lost.
"""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from realtime_actors.errors import StartCause, StartError
from realtime_actors.seconds import LONGEST_WAIT
from realtime_actors.transport.base import ConnectOptions
from realtime_actors.transport.start_errors import explain, refused

if TYPE_CHECKING:
    import websocket

__all__ = ["Connecting", "closed_while_connecting", "detached_connects", "ssl_context"]

# How long the thread of an attempt that was given up gets to notice it.
_GRACE = 0.2

# A network that goes away, or a server that reads nothing at all, is noticed after this
# long when data is on its way; the system's own patience is a quarter of an hour. For a
# silent connection, keep-alive does the same: websocket-client sets that.
_UNACKNOWLEDGED_MS = 30_000

_PROXY_PORTS = {"http": 80, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


class Connecting:
    """One attempt to connect, which takes the time it was given and no longer.

    It runs in a thread of its own: nothing else bounds a look-up that hangs, or a server
    that sends its response one byte at a time.
    """

    def __init__(self, options: ConnectOptions, dialect_headers: Mapping[str, str]) -> None:
        self._options = options
        self._headers = {**dialect_headers, **options.headers}
        self._thread = _ConnectThread(self._work)
        self._websocket: websocket.WebSocket | None = None
        self._lock = threading.Lock()  # guards the outcome: the first one counts
        self._outcome: socket.socket | StartError | None = None
        self._settled = threading.Event()

    def run(self) -> socket.socket:
        """The connected socket, non-blocking. Raises `StartError` and leaves nothing then."""
        timeout = self._options.timeout
        try:
            self._thread.start()
            self._settled.wait(min(timeout, LONGEST_WAIT))
        except RuntimeError as error:
            raise StartError(f"no thread to be had: {error}", StartCause.NETWORK) from error
        finally:
            # Too late to matter when there is an outcome; else it's time, or Control-C.
            self._give_up(
                StartError(
                    f"no connection to {_host(self._options.url)} within {timeout:g} s:"
                    " is the network up, and is that the right host?",
                    StartCause.TIMEOUT,
                )
            )
            self._leave()
        if isinstance(self._outcome, StartError):
            raise self._outcome
        assert self._outcome is not None  # given up above, if nothing else
        return self._outcome

    def cancel(self) -> None:
        """End the attempt, from another thread or in advance: `run` raises."""
        self._give_up(closed_while_connecting())
        self._leave()

    def _leave(self) -> None:
        if self._thread.ident is not None:  # started
            self._thread.join(_GRACE)
            self._thread.detached = self._thread.is_alive()

    def _settle(self, outcome: socket.socket | StartError) -> bool:
        with self._lock:
            if self._outcome is not None:
                return False
            self._outcome = outcome
        self._settled.set()
        return True

    def _give_up(self, error: StartError) -> None:
        if not self._settle(error):
            return
        sock = self._websocket.sock if self._websocket is not None else None
        if sock is not None:
            # Wakes the thread up that waits for the server's response. Not the method of
            # an SSLSocket, which would pull the TLS object away under that thread.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _work(self) -> None:
        if self._outcome is not None:
            return  # cancelled in advance
        try:
            connected = self._connect()
        except StartError as error:
            self._settle(error)
        except Exception as error:
            explained = explain(error, self._options.url, secrets=tuple(self._headers.values()))
            if explained.status is None:  # else it quotes all of an answer that may quote the key
                explained.__cause__ = error
            self._settle(explained)
        else:
            if not self._settle(connected):
                connected.close()

    def _connect(self) -> socket.socket:
        # Imported here: it takes longer than all of ours, and not every program connects.
        import websocket

        options = self._options
        secure = _check_url(options.url)
        _check_headers(self._headers)
        self._websocket = ws = websocket.WebSocket(
            sockopt=_socket_options(),
            sslopt={"context": ssl_context(options.ca_bundle)} if secure else {},
            enable_multithread=False,
        )
        ws.settimeout(min(options.timeout, LONGEST_WAIT))
        try:
            ws.connect(  # type: ignore[no-untyped-call]  # half of websocket-client has types
                options.url,
                header=[f"{name}: {value}" for name, value in self._headers.items()],
                # A key must not follow a redirect to wherever that leads.
                redirect_limit=0,
                suppress_origin=True,
                **_proxy_options(options),
            )
            _check_upgraded(ws)
        except websocket.WebSocketException:
            _check_upgraded(ws)
            raise
        sock, ws.sock = ws.sock, None
        assert sock is not None  # connect() returned
        sock.setblocking(False)
        return sock


def closed_while_connecting() -> StartError:
    return StartError("the transport was closed while it was connecting", StartCause.NETWORK)


class _ConnectThread(threading.Thread):
    """Daemon: a look-up that hangs must not keep the program from ending."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(target=work, name="realtime-connect", daemon=True)
        self.detached = False


def detached_connects() -> int:
    """How many threads are stuck in an attempt that was given up.

    A DNS look-up can't be interrupted: it stays behind, and its thread ends with it.
    """
    return sum(
        isinstance(thread, _ConnectThread) and thread.detached for thread in threading.enumerate()
    )


@cache
def ssl_context(ca_bundle: str | None) -> ssl.SSLContext:
    """The TLS settings for a CA bundle, made once: loading the system's takes 20 ms and 1 MB."""
    if ca_bundle is None:
        return ssl.create_default_context()
    path = Path(ca_bundle)
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=ca_bundle)
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:  # ssl.SSLError is one
        raise StartError(
            f"ca_bundle {ca_bundle!r} is no PEM file or directory of certificates: {error}",
            StartCause.CONFIG,
        ) from error


def _check_upgraded(ws: websocket.WebSocket) -> None:
    """See what websocket-client lets pass: some versions take a redirect for a connection."""
    status, headers = ws.getstatus(), ws.getheaders() or {}
    error = None
    if status not in (None, 101):
        error = refused(status, location=headers.get("location"))
    elif "sec-websocket-extensions" in headers:
        error = StartError(
            "the server uses a WebSocket extension that nobody asked for:"
            " it (or a proxy before it) breaks RFC 6455"
        )
    if error is not None:
        ws.shutdown()  # type: ignore[no-untyped-call]  # see above
        raise error


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # brackets that don't match
        return url


def _check_url(url: str) -> bool:
    """Whether the URL asks for TLS."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that don't match
        usable = False
    if not usable or parts.scheme not in ("ws", "wss"):
        raise StartError(
            f"cannot connect to {url!r}: a URL like wss://host:port/path is wanted",
            StartCause.CONFIG,
        )
    return parts.scheme == "wss"


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if {"\n", "\r"} & {*name, *value}:
            raise StartError(
                f"the header {name!r} has a line break in it (a key that was read from a file?"
                " strip() it)",
                StartCause.CONFIG,
            )


def _socket_options() -> list[tuple[int, int, int]]:
    user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
    if user_timeout is None:
        return []
    return [(socket.IPPROTO_TCP, user_timeout, _UNACKNOWLEDGED_MS)]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy_options(options: ConnectOptions) -> dict[str, object]:
    """What websocket-client wants to know about proxies."""
    if options.proxy is None:
        if not _is_loopback(_host(options.url)):
            return {}  # it looks into the environment by itself
        # A proxy can't reach our loopback. No proxy at all has to be said this way: the
        # exceptions count only with a proxy that is given.
        return {"http_proxy_host": "none", "http_proxy_port": 1, "http_no_proxy": ["*"]}
    url = options.proxy if "://" in options.proxy else f"http://{options.proxy}"
    try:
        parts = urlsplit(url)
        port = parts.port or _PROXY_PORTS.get(parts.scheme)
        usable = bool(parts.hostname) and parts.scheme in _PROXY_PORTS
    except ValueError:
        usable = False
    if not usable:
        raise StartError(
            "the proxy is no URL like http://host:port (or"
            f" {', '.join(scheme for scheme in _PROXY_PORTS if scheme != 'http')})",
            StartCause.CONFIG,
        )
    if parts.scheme != "http" and importlib.util.find_spec("python_socks") is None:
        raise StartError(
            "a SOCKS proxy needs python-socks: pip install python-socks", StartCause.CONFIG
        )
    return {
        "proxy_type": parts.scheme,
        "http_proxy_host": parts.hostname,
        "http_proxy_port": port,
        "http_proxy_auth": (
            (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        ),
        "http_proxy_timeout": min(options.timeout, LONGEST_WAIT),
        # An empty list would mean the environment's. A proxy that was asked for is used.
        "http_no_proxy": ["no-host.invalid"],
    }
