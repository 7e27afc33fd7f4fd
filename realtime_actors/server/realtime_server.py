"""The embedded Realtime server: a socket that listens, and an actor for each connection."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import secrets
import socket as sockets
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from realtime_actors import otp
from realtime_actors.errors import ConfigError
from realtime_actors.otp import fork
from realtime_actors.protocol import ErrorDetail, ServerError, dialect
from realtime_actors.seconds import LONGEST_WAIT, seconds
from realtime_actors.server.admission import (
    Admission,
    Admitted,
    BetaPolicy,
    Dismissed,
    TurnedAway,
    is_this_machine,
)
from realtime_actors.server.client_connection import (
    ClientConnection,
    Faults,
    read_client,
    say_goodbye,
)
from realtime_actors.server.engines.energy import EnergyDetector
from realtime_actors.server.engines.interfaces import Engines
from realtime_actors.server.engines.loading import load_engines
from realtime_actors.server.engines.scripted import Reply, ScriptedBrain, ScriptedRecognizer
from realtime_actors.server.engines.tone import ToneVoice
from realtime_actors.server.http_api import HttpApi, error_body
from realtime_actors.server.outbox import Ids
from realtime_actors.server.server_conversation import ConversationOptions, ServerConversation
from realtime_actors.server.server_limits import ServerLimits

__all__ = ["RealtimeServer"]

CLOSE_TIMEOUT = 1.0
"""How long a client may take to answer a close frame."""

_GOING = "the server is stopping"

_log = logging.getLogger("realtime_actors.server")
# At DEBUG websockets writes down keys, and what was said. That is for who asks this very
# logger for it, and not for everybody who sets the root's level.
_websocket_log = logging.getLogger("realtime_actors.server.websocket")
if _websocket_log.level == logging.NOTSET:
    _websocket_log.setLevel(logging.INFO)


class RealtimeServer:
    """A Realtime-protocol server, in this process and on this machine.

    It speaks the GA dialect, and the beta dialect to clients that ask for it
    (`OpenAI-Beta: realtime=v1`). Any path that ends with `/realtime` will do.

    `engines` None takes the default ones of the extra [local], loaded at `start()`.
    `api_key`: what clients have to show. Without one the server is for programs on this
    machine: a `host` that others reach is a `ConfigError`, and pages of other sites are
    turned away unless `origins` has theirs. `models`: those there are, None for any;
    `beta="retired"` answers beta clients as the real service does today; `pace`: speech
    is sent at most so many times faster than it is spoken, None for as fast as it comes.
    `faults` may be replaced at any time, and holds for connections made from then on.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        engines: Engines | None = None,
        api_key: str | None = None,
        origins: Collection[str] = (),
        limits: ServerLimits | None = None,
        models: Collection[str] | None = None,
        beta: BetaPolicy = "serve",
        pace: float | None = None,
        options: ConversationOptions | None = None,
        faults: Faults | None = None,
    ) -> None:
        if api_key is None and not is_this_machine(host):
            raise ConfigError(
                f"a server that listens on {host} is reached by others: give it an api_key, which"
                " its clients have to show"
            )
        self.faults = faults or Faults()
        self._host = host
        self._port = port
        self._engines = engines
        self._limits = limits or ServerLimits()
        self._admission = Admission(api_key=api_key, models=models, beta=beta, origins=origins)
        self._http = HttpApi(
            admission=self._admission, client_secrets=self._admission.client_secrets
        )
        self._pace = pace
        self._options = options
        self._server: Server | None = None
        self._acceptor: threading.Thread | None = None
        self._stopping = threading.Event()
        # Guards the two below, which the connections' threads change.
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, sockets.socket] = {}
        self._connections: set[otp.ServerRef] = set()
        fork.each_in_child(self, RealtimeServer._leave_to_parent)

    def _leave_to_parent(self) -> None:
        # Our copies of its sockets, no more: a server is told to stop through a pipe that
        # both processes have.
        server, self._server, self._acceptor = self._server, None, None
        for socket in (*self._threads.values(), *([server.socket] if server else ())):
            socket.close()
        self._lock = threading.Lock()
        self._threads, self._connections = {}, set()

    @classmethod
    def scripted(
        cls,
        replies: Iterable[Reply] | None = None,
        *,
        heard: Iterable[str] = (),
        character_ms: int = 60,
        **options: Any,
    ) -> Self:
        """Make a server that needs no engine: for tests, with nothing but the extra [server].

        It answers with one of `replies` after the other (None: it repeats what was said),
        in a tone of `character_ms` per letter; it takes every loud sound for speech, and
        hears the texts of `heard`, one after the other. `options` as for a server.
        """
        engines = Engines(
            detector=EnergyDetector,
            recognizer=ScriptedRecognizer(heard),
            brain=ScriptedBrain(replies),
            voice=ToneVoice(character_ms=character_ms),
        )
        return cls(engines=engines, **options)

    @property
    def port(self) -> int:
        """Where it listens. Chosen by the system at `start()` when it was 0."""
        return self._port

    @property
    def base_url(self) -> str:
        """What OpenAI's client wants as `websocket_base_url`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}/v1"

    @property
    def http_url(self) -> str:
        """What OpenAI's client wants as `base_url`, to ask for client secrets."""
        return self.base_url.replace("ws://", "http://", 1)

    @property
    def url(self) -> str:
        """Where to connect to, without a model."""
        return f"{self.base_url}/realtime"

    def start(self) -> Self:
        """Listen. Raises `OSError` when the port is taken, and what loading engines raises."""
        if self._server is not None:
            return self
        if self._engines is None:
            self._engines = load_engines()
        self._stopping.clear()
        limits = self._limits
        server = serve(
            self._serve,
            self._host,
            self._port,
            family=sockets.AF_INET6 if ":" in self._host else sockets.AF_INET,
            process_request=self._process_request,
            select_subprotocol=_select_subprotocol,
            compression=None,
            open_timeout=limits.open_timeout,
            ping_interval=limits.ping_interval,
            ping_timeout=limits.ping_timeout,
            close_timeout=CLOSE_TIMEOUT,
            max_size=limits.message_bytes,
            server_header=None,
            logger=_websocket_log,
        )
        accepted = server.handler

        def handler(socket: sockets.socket, address: Any) -> None:
            thread = threading.current_thread()
            with self._lock:
                if self._stopping.is_set():  # accepted at the last moment
                    socket.close()
                    return
                is_full = len(self._threads) >= limits.connections
                self._threads[thread] = socket
            try:
                limits.bound_writes(socket)
                if is_full:
                    _turn_away(socket)
                elif _begins_with_get(socket, limits.open_timeout):
                    accepted(socket, address)
                else:
                    self._http.serve(socket, address, limits.open_timeout)
                    _cut(socket)
                    socket.close()
            finally:
                with self._lock:
                    del self._threads[thread]

        server.handler = handler
        self._server, self._port = server, server.socket.getsockname()[1]
        # A daemon, and so are the threads that it starts: who forgets to stop still exits.
        self._acceptor = threading.Thread(
            target=server.serve_forever, name="realtime-server", daemon=True
        )
        self._acceptor.start()
        _log.info("listening on %s", self.url)
        return self

    def stop(self, timeout: float = 5.0) -> None:
        """Close all connections with code 1001, and wait until their threads are gone.

        After `timeout` seconds what is left is cut off. Stopping twice does nothing.
        """
        timeout = seconds(timeout, "the timeout of stop()")
        server, acceptor = self._server, self._acceptor
        if server is None or acceptor is None:
            return
        self._server = self._acceptor = None
        deadline = time.monotonic() + timeout
        with self._lock:
            self._stopping.set()
            connections, threads = list(self._connections), dict(self._threads)
        server.shutdown()
        acceptor.join()
        for name in ("shutdown_watcher", "shutdown_notifier"):
            end = getattr(server, name, None)
            if isinstance(end, int):
                os.close(end)  # of a pipe that websockets before 17 opens, and never closes
        for connection in connections:
            say_goodbye(connection, _GOING)
        for thread in threads:
            left = deadline - CLOSE_TIMEOUT - time.monotonic()
            thread.join(min(max(0.0, left), LONGEST_WAIT))
        for thread, socket in threads.items():
            if thread.is_alive():
                _cut(socket)
        for thread in threads:
            thread.join(min(max(CLOSE_TIMEOUT, deadline - time.monotonic()), LONGEST_WAIT))

    def drop_connections(self) -> None:
        """Cut every connection off, without a close frame."""
        with self._lock:
            live = list(self._threads.values())
        for socket in live:
            _cut(socket)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # --- one connection --------------------------------------------------------------

    def _decide(self, request: Request) -> Admitted | TurnedAway | Dismissed:
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        return self._admission.decide(request.path, headers)

    def _process_request(self, websocket: ServerConnection, request: Request) -> Response | None:
        self._stopping.wait(min(self.faults.upgrade_delay, LONGEST_WAIT))
        if self.faults.upgrade_status is not None:
            status = HTTPStatus(self.faults.upgrade_status)
            return _refusal(
                websocket, status, ErrorDetail(type="server_error", message=status.phrase)
            )
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        if "websocket" not in headers.get("upgrade", "").lower():
            answer = self._http.answer("GET", request.path, headers)
            return _json(websocket, answer.status, answer.body)
        decision = self._decide(request)
        if isinstance(decision, TurnedAway):
            return _refusal(websocket, decision.status, decision.error)
        return None

    def _serve(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None  # there is no connection without
        decision = self._decide(websocket.request)
        ids = _ids()
        if isinstance(decision, Dismissed):
            event = ServerError(event_id=ids("event"), error=decision.error)
            websocket.send(dialect("ga").encode_server(event), text=True)
            websocket.close(decision.code, decision.reason)
            return
        assert isinstance(decision, Admitted)  # or it was turned away before the upgrade
        assert self._engines is not None  # loaded by start()
        conversation = ServerConversation(
            ids=ids,
            model=decision.model,
            beta=decision.beta,
            type_=decision.session_type,
            options=self._options,
            model_is_open=decision.model_is_open,
            models=self._admission.models,
        )
        if decision.secret is not None:
            conversation.configure(decision.secret.session)
        speaks = dialect(decision.dialect_name)
        connection = otp.start(
            ClientConnection,
            websocket,
            conversation=conversation,
            dialect=speaks,
            engines=self._engines,
            pace=self._pace,
            faults=self.faults,
        )
        with self._lock:
            self._connections.add(connection)
        if self._stopping.is_set():
            say_goodbye(connection, _GOING)
        host, port, *_ = websocket.remote_address
        peer = f"{host}:{port}"
        _log.info("%s has connected: %s, %s", peer, decision.dialect_name, decision.model)
        try:
            read_client(
                websocket, speaks, connection, events_per_second=self._limits.events_per_second
            )
        finally:
            with self._lock:
                self._connections.discard(connection)
            _log.info("%s is gone", peer)


def _begins_with_get(socket: sockets.socket, within: float) -> bool:
    """Return whether a client asks by GET, as all WebSockets do. Takes nothing of what it says."""
    socket.settimeout(within)
    try:
        return socket.recv(4, sockets.MSG_PEEK | sockets.MSG_WAITALL) in (b"GET ", b"")
    except OSError:
        return True  # websockets hangs up on it
    finally:
        socket.settimeout(None)


def _turn_away(socket: sockets.socket) -> None:
    """Say that there is no room, without a look at what was asked."""
    body = b'{"error": {"type": "server_error", "message": "Too many connections."}}'
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(body)}\r\n"
    with contextlib.suppress(OSError):
        socket.sendall(
            head.encode() + b"Content-Type: application/json\r\nConnection: close\r\n\r\n" + body
        )
        socket.shutdown(sockets.SHUT_WR)
        socket.settimeout(1.0)
        socket.recv(4096)  # else what it has sent resets the connection before it reads
    socket.close()


def _refusal(websocket: ServerConnection, status: HTTPStatus, error: ErrorDetail) -> Response:
    return _json(websocket, status, error_body(error))


def _json(websocket: ServerConnection, status: HTTPStatus, body: Mapping[str, Any]) -> Response:
    response = websocket.respond(status, json.dumps(body))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def _select_subprotocol(
    websocket: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """Choose "realtime": browsers offer it, and their key as another one."""
    return Subprotocol("realtime") if "realtime" in offered else None


def _ids() -> Ids:
    """Return what makes ids that no other connection gives out."""
    connection, numbers = secrets.token_hex(6), itertools.count()
    return lambda prefix: f"{prefix}_{connection}{next(numbers):06x}"


def _cut(socket: sockets.socket) -> None:
    """End a connection from another thread than the one that owns it: it closes the socket."""
    with contextlib.suppress(OSError):  # it is closed already
        socket.shutdown(sockets.SHUT_RDWR)
