"""Halves of characters: lone surrogates, which Python's text can hold and UTF-8 can't.

They come of texts that were cut within an emoji, of names of files, of `\\ud83d` in JSON. No
text with one can be sent, stored or printed, so they are replaced wherever text comes in or
goes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["replace_surrogates", "replace_surrogates_within"]


def replace_surrogates(text: str) -> str:
    """Put U+FFFD in the place of each half of a character.

    Two halves that make a whole one become that one. Everything else is as it was.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        # UTF-16 has halves: it joins those that belong together, and sees which are alone.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def replace_surrogates_within(value: Any) -> Any:
    """Replace them in all texts of a JSON value, names of members included."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, Mapping):
        return {
            replace_surrogates_within(name): replace_surrogates_within(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [replace_surrogates_within(each) for each in value]
    return value
