"""Keys that a client gets for one session, and that run out: `ek_...`."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from realtime_actors.errors import ConfigError

__all__ = ["ClientSecret", "ClientSecrets"]

SHORTEST: Final = 10
LONGEST: Final = 7200
USUAL: Final = 600
"""Seconds that a secret may be used for, as OpenAI has them."""

MOST: Final = 10_000
"""How many there may be at once. Ours: who asks for more gets the oldest withdrawn."""


@frozen(kw_only=True)
class ClientSecret:
    """A key, and what the session that is begun with it is set to."""

    value: str = field(repr=False)
    expires_at: int
    """Seconds since 1970."""
    session: Mapping[str, Any] = field(repr=False)


class ClientSecrets:
    """Those that have been given out. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the secrets
        self._secrets: dict[str, ClientSecret] = {}

    def make(self, request: Mapping[str, Any]) -> ClientSecret:
        """Make a secret out of the body of a request. Raises `ConfigError` for a wrong one."""
        after = request.get("expires_after")
        seconds = after.get("seconds") if isinstance(after, Mapping) else None
        if seconds is None:
            seconds = USUAL
        if isinstance(seconds, bool) or not isinstance(seconds, int):
            raise ConfigError("expires_after.seconds is a whole number")
        if not SHORTEST <= seconds <= LONGEST:
            raise ConfigError(f"expires_after.seconds is from {SHORTEST} to {LONGEST}")
        session = request.get("session") or {}
        if not isinstance(session, Mapping):
            raise ConfigError("session is an object")
        secret = ClientSecret(
            value=f"ek_{secrets.token_hex(16)}",
            expires_at=int(time.time()) + seconds,
            session=session,
        )
        with self._lock:
            self._forget_old()
            self._secrets[secret.value] = secret
        return secret

    def find(self, value: str) -> ClientSecret | None:
        """Return the secret, if it was given out and has not run out."""
        with self._lock:
            self._forget_old()
            return self._secrets.get(value)

    def _forget_old(self) -> None:
        now = time.time()
        old = [each for each, secret in self._secrets.items() if secret.expires_at <= now]
        more = len(self._secrets) - len(old) - MOST + 1
        for each in (*old, *list(self._secrets)[: max(0, more)]):
            self._secrets.pop(each, None)
