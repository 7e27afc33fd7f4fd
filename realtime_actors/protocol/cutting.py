"""A short way through the one event that comes in a flood: a piece of the model's speech.

Nearly all of its text is base64, in which a JSON parser has nothing to find. So that is
cut out, and only what is left is parsed. What doesn't look as usual is not cut.
"""

from __future__ import annotations

from typing import Final

__all__ = ["cut_speech"]

_KEY: Final = b'"delta":'
_BACKSLASH: Final = ord("\\")


def cut_speech(text: bytes | bytearray) -> tuple[bytes | bytearray, str] | None:
    """The text with `"delta":""`, and what was in the quotes. None when that is not certain.

    In JSON this key can't be inside of a string: its quotes would have backslashes. And
    no quote can be inside of base64: what comes with one is no JSON without its middle, or
    no base64. Whether the key is the event's own, or some inner object's, is to be seen
    from the rest. Raises `ValueError` when it is not ASCII.
    """
    at = text.find(_KEY)
    after = at + len(_KEY)
    start = text.find(b'"', after, after + 2) + 1  # there may be a blank before it
    end = text.find(b'"', start)
    if at <= 0 or text[at - 1] == _BACKSLASH or not start or end < 0:
        return None
    if text.find(_KEY, end) >= 0:
        return None
    return text[:start] + text[end:], str(text[start:end], "ascii")
