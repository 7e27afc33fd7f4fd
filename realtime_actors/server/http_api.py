"""The HTTP API: answers to requests that are no WebSocket, as JSON.

Client secrets (`POST .../realtime/client_secrets`), the same by their beta name
(`POST .../realtime/sessions`), and the list of models (`GET .../models`).
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, cast
from urllib.parse import urlsplit

from attrs import asdict, frozen

from realtime_actors.errors import ConfigError
from realtime_actors.protocol import ErrorDetail
from realtime_actors.server.admission import Admission, TurnedAway
from realtime_actors.server.client_secrets import ClientSecrets

__all__ = ["Answer", "HttpApi", "error_body"]

LONGEST_BODY: Final = 2**20
"""Bytes of a request: a session's configuration is a few kilobytes."""
LONGEST_PASSED_OVER: Final = 16 * 2**20
"""Bytes of a longer one that are read, and thrown away."""


@frozen
class Answer:
    """Of one request."""

    status: HTTPStatus
    body: Mapping[str, Any]


def error_body(error: ErrorDetail) -> dict[str, Any]:
    """Return an error as clients expect it in a body."""
    return {"error": asdict(error)}


@frozen(kw_only=True)
class HttpApi:
    """The requests of one server."""

    admission: Admission
    client_secrets: ClientSecrets

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Answer a request. Headers in lower case."""
        path = urlsplit(target).path.rstrip("/")
        turned_away = self.admission.check_sender(headers, secrets=False)
        if turned_away is not None:
            return _refused(turned_away)
        make = self._routes().get((method, path.rpartition("/v1")[2] or path))
        if make is not None:
            try:
                return Answer(HTTPStatus.OK, make(body))
            except ConfigError as error:
                return _error(HTTPStatus.BAD_REQUEST, str(error))
        if path.endswith("/realtime"):
            return _error(
                HTTPStatus.UPGRADE_REQUIRED, "This is a WebSocket: connect to it with ws://."
            )
        return _error(HTTPStatus.NOT_FOUND, f"Invalid URL ({method} {path})")

    def serve(self, sock: socket.socket, address: object, timeout: float) -> None:
        """Answer the one request that a client makes on a connection."""
        api, time_limit = self, timeout

        class Handler(BaseHTTPRequestHandler):
            timeout = time_limit
            server_version, sys_version = "realtime-actors", ""

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):  # any method: which ones there are, the routes say
                    return self._answer
                raise AttributeError(name)

            def _pass_over(self, length: int) -> None:
                """Read a body that is too long, so that its sender reads the answer."""
                left = min(length, LONGEST_PASSED_OVER)
                while left > 0 and (piece := self.rfile.read(min(left, 65536))):
                    left -= len(piece)

            def _answer(self) -> None:
                length = self.headers.get("content-length", "0")
                if not length.isdecimal() or int(length) > LONGEST_BODY:
                    self._pass_over(int(length) if length.isdecimal() else 0)
                    self._send(
                        _error(
                            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {LONGEST_BODY} bytes."
                        )
                    )
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(length))
                self._send(api.answer(self.command, self.path, headers, body))

            def _send(self, answer: Answer) -> None:
                body = json.dumps(answer.body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def send_error(
                self, code: int, message: str | None = None, explain: str | None = None
            ) -> None:
                status = HTTPStatus(code)
                self.command = getattr(self, "command", None) or "GET"
                self._send(_error(status, message or status.phrase))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
                """Log nothing: paths and headers may have keys in them."""

        with contextlib.suppress(OSError):  # it left, or took too long
            Handler(sock, address, cast("Any", None))

    def _routes(self) -> Mapping[tuple[str, str], Callable[[bytes], dict[str, Any]]]:
        return {
            ("POST", "/realtime/client_secrets"): self._client_secret,
            ("POST", "/realtime/sessions"): self._beta_session,
            ("POST", "/realtime/transcription_sessions"): self._beta_session,
            ("GET", "/models"): self._models,
        }

    def _client_secret(self, body: bytes) -> dict[str, Any]:
        secret = self.client_secrets.make(_object(body))
        session = {"type": "realtime", "object": "realtime.session", **secret.session}
        return {"value": secret.value, "expires_at": secret.expires_at, "session": session}

    def _beta_session(self, body: bytes) -> dict[str, Any]:
        session = _object(body)
        secret = self.client_secrets.make({"session": session})
        key = {"value": secret.value, "expires_at": secret.expires_at}
        return {"object": "realtime.session", **session, "client_secret": key}

    def _models(self, body: bytes) -> dict[str, Any]:
        models = sorted(self.admission.models or {self.admission.default_model})
        return {
            "object": "list",
            "data": [{"id": model, "object": "model", "owned_by": "here"} for model in models],
        }


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise ConfigError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise ConfigError("the body is a JSON object")
    return found


def _refused(turned_away: TurnedAway) -> Answer:
    return Answer(turned_away.status, error_body(turned_away.error))


def _error(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, error_body(ErrorDetail(type="invalid_request_error", message=message)))
