"""Who may connect, and to what: decided from the path and the headers of the upgrade."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen

from realtime_actors.protocol import ErrorDetail, dialect
from realtime_actors.server.session_state import SessionType

__all__ = ["Admission", "Admitted", "BetaPolicy", "Dismissed", "TurnedAway"]

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
    """The rules of a server. `models` None: any model will do."""

    api_key: str | None = field(default=None, repr=False)
    models: Collection[str] | None = None
    beta: BetaPolicy = "serve"

    def decide(self, target: str, headers: Mapping[str, str]) -> Admitted | TurnedAway | Dismissed:
        """Decide about a request for `target` (path and query). Headers in lower case."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if not url.path.rstrip("/").endswith("/realtime"):
            return TurnedAway(
                status=HTTPStatus.NOT_FOUND,
                error=_error(f"Invalid URL ({url.path})", code=None),
            )
        if self.api_key is not None and not self._has_key(headers):
            return TurnedAway(
                status=HTTPStatus.UNAUTHORIZED,
                error=_error("Incorrect API key provided.", code="invalid_api_key"),
            )
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
        default_model = dialect("beta" if beta else "ga").default_model
        model = query.get("model") or query.get("deployment") or default_model
        if self.models is not None and model not in self.models and not transcription:
            return Dismissed(
                error=_error(
                    f"The model `{model}` does not exist or you do not have access to it.",
                    code="model_not_found",
                )
            )
        return Admitted(
            beta=beta, model=model, session_type="transcription" if transcription else "realtime"
        )

    def _has_key(self, headers: Mapping[str, str]) -> bool:
        given = [
            headers.get("api-key", ""),
            headers.get("authorization", "").removeprefix("Bearer "),
        ]
        for each in headers.get("sec-websocket-protocol", "").split(","):
            if each.strip().startswith(_KEY_IN_SUBPROTOCOL):
                given.append(each.strip().removeprefix(_KEY_IN_SUBPROTOCOL))
        expected = (self.api_key or "").encode()
        return any(hmac.compare_digest(each.encode(), expected) for each in given)


def _error(message: str, *, code: str | None) -> ErrorDetail:
    return ErrorDetail(type="invalid_request_error", message=message, code=code)
