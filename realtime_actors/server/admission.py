"""Admission: who may connect, and to what, by the path and the headers of the upgrade."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen

from realtime_actors.config.checks import is_text
from realtime_actors.config.hosts import is_this_machine
from realtime_actors.protocol import ErrorDetail, dialect
from realtime_actors.server.client_secrets import ClientSecret, ClientSecrets
from realtime_actors.server.session_state import SessionType

__all__ = ["Admission", "Admitted", "BetaPolicy", "Dismissed", "TurnedAway", "is_this_machine"]

BetaPolicy = Literal["serve", "retired"]
"""What becomes of clients that speak the beta dialect: they are served, or get what they
get from the real service since it retired the dialect."""

_KEY_IN_SUBPROTOCOL = "openai-insecure-api-key."


@frozen(kw_only=True)
class Admitted:
    """Come in."""

    beta: bool
    model: str
    session_type: SessionType
    model_is_open: bool = False
    """The client named no model: its first update may."""
    secret: ClientSecret | None = field(default=None, repr=False)
    """The client secret that it showed, if it did."""

    @property
    def dialect_name(self) -> Literal["ga", "beta"]:
        """What the client speaks."""
        return "beta" if self.beta else "ga"


@frozen(kw_only=True)
class TurnedAway:
    """The upgrade itself is refused."""

    status: HTTPStatus
    error: ErrorDetail


@frozen(kw_only=True)
class Dismissed:
    """The upgrade succeeds; then there is one `error` event and a close frame."""

    error: ErrorDetail
    code: int = 4000

    @property
    def reason(self) -> str:
        """Of the close frame."""
        return f"{self.error.type}.{self.error.code}"


@frozen(kw_only=True)
class Admission:
    """The rules of a server. `models` None: any model will do.

    Without an `api_key` it is for programs on this machine: not for a page of another site in
    a browser here (`Origin`), nor for a name that was made to lead here (`Host`). `origins`
    are those of pages that may connect all the same.
    """

    api_key: str | None = field(default=None, repr=False)
    models: Collection[str] | None = None
    beta: BetaPolicy = "serve"
    origins: Collection[str] = ()
    client_secrets: ClientSecrets = field(factory=ClientSecrets, repr=False, eq=False)

    def decide(self, target: str, headers: Mapping[str, str]) -> Admitted | TurnedAway | Dismissed:
        """Decide about a request for `target` (path and query). Headers in lower case."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if not url.path.rstrip("/").endswith("/realtime"):
            return TurnedAway(
                status=HTTPStatus.NOT_FOUND,
                error=_error(f"Invalid URL ({url.path})", code=None),
            )
        turned_away = self.check_sender(headers)
        if turned_away is not None:
            return turned_away
        secret = self._secret(headers)
        # Azure's dated versions speak beta without saying so in a header.
        beta = "realtime=v1" in headers.get("openai-beta", "") or "api-version" in query
        if beta and self.beta == "retired":
            return Dismissed(
                error=_error(
                    "The Realtime Beta API is no longer supported. Please use the GA API.",
                    code="beta_api_shape_disabled",
                )
            )
        transcription = query.get("intent") == "transcription"
        named = query.get("model") or query.get("deployment")
        if named is None and secret is not None and is_text(secret.session.get("model")):
            named = secret.session["model"]
        model = named or dialect("beta" if beta else "ga").default_model
        if self.models is not None and model not in self.models and not transcription:
            return Dismissed(
                error=_error(
                    f"The model `{model}` does not exist or you do not have access to it.",
                    code="model_not_found",
                )
            )
        return Admitted(
            beta=beta,
            model=model,
            session_type="transcription" if transcription else "realtime",
            model_is_open=named is None,
            secret=secret,
        )

    @property
    def default_model(self) -> str:
        """What clients get that name no model."""
        return dialect("ga").default_model

    def check_sender(
        self, headers: Mapping[str, str], *, secrets: bool = True
    ) -> TurnedAway | None:
        """Return why a request is not answered, whatever it is for. None: it is.

        `secrets`: a client secret will do for a key.
        """
        host, origin = headers.get("host"), headers.get("origin")
        # Browsers always name the host. What has none is none.
        if self.api_key is None and host and not is_this_machine(_name(f"//{host}")):
            return _forbidden(f"This server is for this machine; {host!r} is another name.")
        if origin is not None and origin not in self.origins:
            is_ours = is_this_machine(_name(origin))
            if self.api_key is None and not is_ours:
                return _forbidden(f"This server is not for pages of {origin!r}.")
        if self.api_key is None or self._has_key(headers):
            return None
        if secrets and self._secret(headers) is not None:
            return None
        return TurnedAway(
            status=HTTPStatus.UNAUTHORIZED,
            error=_error("Incorrect API key provided.", code="invalid_api_key"),
        )

    def _secret(self, headers: Mapping[str, str]) -> ClientSecret | None:
        found = (self.client_secrets.find(each) for each in _keys(headers))
        return next((each for each in found if each is not None), None)

    def _has_key(self, headers: Mapping[str, str]) -> bool:
        expected = (self.api_key or "").encode()
        return any(hmac.compare_digest(each.encode(), expected) for each in _keys(headers))


def _name(url: str) -> str | None:
    """Return the host of a URL; None for what has none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _keys(headers: Mapping[str, str]) -> list[str]:
    """Return the keys that a client shows, wherever clients put them."""
    given = [
        headers.get("api-key", ""),
        headers.get("authorization", "").removeprefix("Bearer "),
    ]
    for each in headers.get("sec-websocket-protocol", "").split(","):
        if each.strip().startswith(_KEY_IN_SUBPROTOCOL):
            given.append(each.strip().removeprefix(_KEY_IN_SUBPROTOCOL))
    return [each for each in given if each]


def _forbidden(message: str) -> TurnedAway:
    return TurnedAway(status=HTTPStatus.FORBIDDEN, error=_error(message, code="forbidden"))


def _error(message: str, *, code: str | None) -> ErrorDetail:
    return ErrorDetail(type="invalid_request_error", message=message, code=code)
