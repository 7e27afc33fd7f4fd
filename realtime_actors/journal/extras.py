"""What the stores that need an extra have in common: importing it, and keeping secrets."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from realtime_actors.errors import MissingExtraError

__all__ = ["Secrets", "needed"]

SHOWN_CHARS: Final = 300
"""Of what a store says of an error. Ours: enough for the reason."""


def needed(module: str, *, feature: str, extra: str) -> Any:
    """Return an optional module. Raises `MissingExtraError` where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(feature, extra, missing=error.name or module) from error


class Secrets:
    """Texts that must not be shown, cut out of what others say."""

    def __init__(self, *secrets: str | None) -> None:
        self._secrets = sorted((each for each in secrets if each), key=len, reverse=True)

    def cut_from(self, error: BaseException) -> str:
        """Say what an error says, in one line, without the secrets."""
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, "...")
        return text[:SHOWN_CHARS]

    def __repr__(self) -> str:
        return f"<{len(self._secrets)} secrets>"
