"""Why a connection could not be made, and what to do about it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

from realtime_actors.errors import StartCause, StartError

__all__ = ["answer_of", "explain", "host_of", "refused"]

_LONGEST_ANSWER = 300

_MENDS = {
    400: "check the model and the query of the url",
    404: "check the path and the model in the url",
    407: "check the user and the password of the proxy",
    426: "check that this url speaks WebSocket",
    429: "too many requests, or no quota left: wait, or look at the account",
}


def host_of(url: str) -> str:
    """Return the host of a URL, or the URL itself when it has none."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # brackets that don't match
        return url


def explain(error: Exception, url: str) -> StartError:
    """Return the `StartError` for what went wrong while connecting."""
    import websocket

    parts = urlsplit(url)
    host = parts.hostname or url
    match error:
        case socket.gaierror():
            return StartError(
                f"no address is known for {host}, or for the proxy before it"
                f" ({error.strerror or error}): check the spelling and the network",
                StartCause.DNS,
            )
        case TimeoutError() | websocket.WebSocketTimeoutException():
            return StartError(
                f"{host} did not answer in time: is the network up, and is that the right host?",
                StartCause.TIMEOUT,
            )
        case ssl.SSLCertVerificationError():
            return StartError(
                f"the certificate of {host} is not trusted ({error.verify_message}): name its"
                " CA with ca_bundle, and the host as the certificate does",
                StartCause.TLS,
            )
        case ssl.SSLError():
            return StartError(
                f"no TLS with {host} ({error.reason or error}): does that port speak TLS?"
                " (ws:// is without)",
                StartCause.TLS,
            )
        case ConnectionRefusedError():
            port = parts.port or (443 if parts.scheme == "wss" else 80)
            return StartError(
                f"{host} refused the connection: does a server listen on port {port}"
                " (or the proxy on its own)?",
                StartCause.REFUSED,
            )
        case (
            websocket.WebSocketConnectionClosedException()
            | http.client.RemoteDisconnected()
            | ConnectionResetError()
            | BrokenPipeError()
        ):
            return StartError(
                f"{host} closed the connection before it was made: does that port speak"
                f" {'WebSocket' if parts.scheme == 'wss' else 'WebSocket without TLS'}?"
            )
        case websocket.WebSocketException() | http.client.HTTPException() | ValueError():
            return StartError(
                f"{host} did not answer as a WebSocket server does ({error}): check the url"
            )
        case OSError():
            return StartError(
                f"no way to {host} ({error.strerror or error}): is the network up?",
                StartCause.NETWORK,
            )
        case _:
            return StartError(
                f"connecting to {host} failed with {type(error).__name__}: {error}",
                StartCause.NETWORK,
            )


def refused(
    status: int, *, answer: str = "", location: str | None = None, has_key: bool = True
) -> StartError:
    """Return the `StartError` for an HTTP status in place of the upgrade."""
    if status in (401, 403) and not has_key:
        return StartError(
            f"the server wants a key (status {status}), and none was sent: give it as"
            " ModelConfig(api_key=...). OPENAI_API_KEY goes to OpenAI's own hosts only",
            StartCause.AUTHENTICATION,
            status=status,
        )
    if status in (401, 403):
        # Without the answer: it may quote parts of the key.
        return StartError(
            f"the server does not accept the key (status {status}): check the api key, and"
            " that its account may use this model",
            StartCause.AUTHENTICATION,
            status=status,
        )
    if location is not None:
        mend = f"it redirects to {location}: put that into the url, if you trust it"
    else:
        mend = _MENDS.get(status, "try again later" if status >= 500 else "check the url")
    said = f" {answer!r}" if answer else ""
    return StartError(
        f"the server refused the connection with status {status}{said}: {mend}", status=status
    )


def answer_of(body: bytes, secrets: Iterable[str]) -> str:
    """Return the server's own words out of a body, short, without `secrets`."""
    text = body.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["error"]["message"])
    for secret in secrets:
        for word in secret.split():
            if len(word) >= 8:
                text = text.replace(word, "***")
    return text if len(text) <= _LONGEST_ANSWER else text[:_LONGEST_ANSWER] + "..."
