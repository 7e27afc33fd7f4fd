"""Making a connection: DNS, TCP, proxy, TLS and the upgrade, within the time that it was given.

What comes out is a connected socket whose next byte is the first one after the server's
upgrade response. websocket-client writes the request and checks the answer; how the server
is reached is in `dialing`, how its answer is read in `http_response`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from realtime_actors.config.secrets import CREDENTIAL_HEADERS
from realtime_actors.errors import StartCause, StartError
from realtime_actors.seconds import LONGEST_WAIT
from realtime_actors.transport.base import ConnectOptions
from realtime_actors.transport.dialing import Target, dial, parse_url, ssl_context
from realtime_actors.transport.http_response import Response
from realtime_actors.transport.start_errors import answer_of, explain, host_of, refused

__all__ = ["Connecting", "closed_while_connecting", "detached_connects"]

# How long the thread of an attempt that was given up gets to notice it.
_GRACE = 0.2

# What websocket-client looks at in a server's answer.
_CHECKED = ("Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol")


class Connecting:
    """One attempt to connect, which takes the time it was given and no longer.

    It runs in a thread of its own: nothing else bounds a look-up that hangs, or a server
    that sends its response one byte at a time.
    """

    def __init__(self, options: ConnectOptions, dialect_headers: Mapping[str, str]) -> None:
        self._options = options
        self._headers = {**dialect_headers, **options.headers}
        self._thread = _ConnectThread(self._work)
        self._socket: socket.socket | None = None  # while it is being made
        self._lock = threading.Lock()  # guards the outcome: the first one counts
        self._outcome: socket.socket | StartError | None = None
        self._settled = threading.Event()

    def run(self) -> socket.socket:
        """Return the socket, non-blocking. Raises `StartError` and leaves nothing then."""
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
                    f"no connection to {host_of(self._options.url)} within {timeout:g} s:"
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

    def leave_to_parent(self) -> None:
        """End here, in a child of fork: see `Connection.leave_to_parent`."""
        self._lock = threading.Lock()
        self._outcome = closed_while_connecting()
        if self._socket is not None:
            self._socket.close()

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
        sock = self._socket
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
            explained = explain(error, self._options.url)
            explained.__cause__ = error
            self._settle(explained)
        else:
            if not self._settle(connected):
                connected.close()

    def _connect(self) -> socket.socket:
        options = self._options
        target = parse_url(options.url)
        _check_headers(self._headers)
        context = ssl_context(options.ca_bundle) if target.secure else None
        timeout = min(options.timeout, LONGEST_WAIT)
        proxy = options.proxy() if options.proxy is not None else None
        self._socket = sock = dial(target, proxy=proxy, timeout=timeout)
        try:
            if context is not None:
                self._socket = sock = context.wrap_socket(sock, server_hostname=target.host)
            self._upgrade(sock, target)
        except BaseException:
            sock.close()
            raise
        sock.setblocking(False)
        return sock

    def _upgrade(self, sock: socket.socket, target: Target) -> None:
        # Imported here: it takes longer than all of ours, and not every program connects.
        import websocket

        answered = _Answered(sock, self._headers)
        ws = websocket.WebSocket(enable_multithread=False)
        ws.connect(  # type: ignore[no-untyped-call]  # half of websocket-client has types
            self._options.url,
            socket=answered,
            header=[f"{name}: {value}" for name, value in self._headers.items()],
            host=target.authority,
            # A key must not follow a redirect to wherever that leads.
            redirect_limit=0,
            suppress_origin=True,
        )


class _Answered:
    """A socket on which websocket-client finds the server's answer in plain words.

    One line for each header that it looks at, whatever else the server or a gateway before
    it wrote. An answer that is no upgrade is raised as a `StartError`.
    """

    def __init__(self, sock: socket.socket, headers: Mapping[str, str]) -> None:
        self._sock = sock
        self._headers = headers  # those that were sent
        self._answer: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        if self._answer is None:
            self._answer = self._read()
        taken, self._answer = self._answer[:size], self._answer[size:]
        return taken

    def _read(self) -> bytes:
        with contextlib.closing(Response(self._sock)) as response:
            response.begin()
            headers = response.headers
            if response.status != 101:
                raise refused(
                    response.status,
                    has_key=any(name.lower() in CREDENTIAL_HEADERS for name in self._headers),
                    answer=answer_of(response.words(), self._headers.values()),
                    location=headers.get("location"),
                )
        if any(value.strip() for value in headers.get_all("sec-websocket-extensions", ())):
            raise StartError(
                "the server uses a WebSocket extension that we did not ask for:"
                " it (or a proxy before it) breaks RFC 6455"
            )
        lines = ["HTTP/1.1 101 Switching Protocols"]
        for name in _CHECKED:
            values = headers.get_all(name)
            if values:
                lines.append(f"{name}: {', '.join(values)}")
        return "\r\n".join([*lines, "", ""]).encode()


def closed_while_connecting() -> StartError:
    """Return the error of a `connect()` that another thread ended by `close()`."""
    return StartError("the transport was closed while it was connecting", StartCause.NETWORK)


class _ConnectThread(threading.Thread):
    """Daemon: a look-up that hangs must not keep the program from ending."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(target=work, name="realtime-connect", daemon=True)
        self.detached = False


def detached_connects() -> int:
    """Return how many threads are stuck in an attempt that was given up.

    A DNS look-up can't be interrupted: it stays behind, and its thread ends with it.
    """
    return sum(
        isinstance(thread, _ConnectThread) and thread.detached for thread in threading.enumerate()
    )


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if {"\n", "\r"} & {*name, *value}:
            raise StartError(
                f"the header {name!r} has a line break in it (a key that was read from a file?"
                " strip() it)",
                StartCause.CONFIG,
            )
