"""What was said, as a repr shows it: how long it is, and no word of it.

Reprs end up in logs, so they keep texts, sound and arguments to themselves. While you look
for a fault on your own machine, `show_content()` has them shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["content", "error_message", "is_content_shown", "show_content", "without_keys"]

_NAMED = "|".join(
    f"(?<={name}={quote})"
    for name in ("key", "token", "secret", "password")
    for quote in ("", "'", '"')
)
_IDS = r"(?:resp|item|event|evt|sess|call|conv|req|msg|rs|fc|mcp)[_-]"
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
_KEY: Final = re.compile(
    r"\b(?:sk|ek|vk|pk)[-_][\w*-]{3,}(?:\.[\w*-]+)*"  # as OpenAI and those like it make them
    r"|(?<=Bearer )\S+"
    rf"|(?i:{_NAMED})[^\s&,\"']+"
    r"|(?<=://)[^\s/@]+(?=@)"  # the user's part of a URL
    # Long, of letters and numbers, and none of the ids that servers give.
    rf"|(?<![\w-])(?!{_IDS}|{_UUID})(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{{32,}}"
)

_is_shown = False


def show_content(shown: bool = True) -> None:
    """Have the reprs of events, items and messages show what was said, in this process.

    For looking for a fault, and not for production: logs may have it then. Sound stays a
    length, and keys stay out in any case. `show_content(False)` hides it again.
    """
    global _is_shown
    _is_shown = shown


def is_content_shown() -> bool:
    """Whether reprs show what was said."""
    return _is_shown


def content(value: object) -> str:
    """The repr of what was said: its length, or itself if `show_content` says so."""
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if value is None or _is_shown:
        return without_keys(repr(value))
    if isinstance(value, str):
        return f"<{len(value)} chars>"
    if isinstance(value, Collection):
        return f"<{len(value)} items>"
    return f"<{type(value).__name__}>"


def error_message(text: object) -> str:
    """The repr of an error's message, which is shown: without the keys in it."""
    return without_keys(repr(text))


def without_keys(text: str) -> str:
    """The text without what looks like a key, a token or a password."""
    return _KEY.sub("***", text)
