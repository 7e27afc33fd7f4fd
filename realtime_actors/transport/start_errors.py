"""Why a connection could not be made, and what to do about it."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

from realtime_actors.errors import StartCause, StartError

__all__ = ["explain", "refused"]

_LONGEST_ANSWER = 300

_MENDS = {
    400: "check the model and the query of the url",
    404: "check the path and the model in the url",
    407: "check the user and the password of the proxy",
    426: "check that this url speaks WebSocket",
    429: "too many requests, or no quota left: wait, or look at the account",
}


def explain(error: Exception, url: str, *, secrets: Iterable[str] = ()) -> StartError:
    """The `StartError` for what websocket-client raised. Nothing of `secrets` is in it."""
    import websocket

    parts = urlsplit(url)
    host = parts.hostname or url
    match error:
        case websocket.WebSocketBadStatusException():
            return refused(error.status_code, answer=_answer(error.resp_body or b"", secrets))
        case websocket.WebSocketAddressException():
            return StartError(
                f"no address is known for {host}, or for the proxy before it ({error}):"
                " check the spelling and the network",
                StartCause.DNS,
            )
        case websocket.WebSocketProxyException():
            return StartError(
                f"the proxy did not connect us to {host} ({error}): check its address and"
                " credentials, and whether it lets that host through",
                StartCause.NETWORK,
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
            | ConnectionResetError()
            | BrokenPipeError()
        ):
            return StartError(
                f"{host} closed the connection before it was made: does that port speak"
                f" {'WebSocket' if parts.scheme == 'wss' else 'WebSocket without TLS'}?"
            )
        # The last two: some versions of websocket-client fall over what is no HTTP.
        case websocket.WebSocketException() | ValueError() | LookupError():
            return StartError(
                f"{host} did not answer as a WebSocket server does ({error}): check the url"
            )
        case OSError():
            return StartError(
                f"no way to {host} ({error.strerror or error}): is the network up?",
                StartCause.NETWORK,
            )
    return StartError(
        f"connecting to {host} failed with {type(error).__name__}: {error}", StartCause.NETWORK
    )


def refused(status: int, *, answer: str = "", location: str | None = None) -> StartError:
    """The `StartError` for an HTTP status in place of the upgrade."""
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


def _answer(body: bytes, secrets: Iterable[str]) -> str:
    """The server's own words, short, without our keys."""
    text = body.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["error"]["message"])
    for secret in secrets:
        for word in secret.split():
            if len(word) >= 8:
                text = text.replace(word, "***")
    return text if len(text) <= _LONGEST_ANSWER else text[:_LONGEST_ANSWER] + "..."
