"""What was said in a conversation, as plain words."""

from __future__ import annotations

from collections.abc import Sequence

from realtime_actors.items import (
    InputAudio,
    InputImage,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
    UnknownPart,
)

__all__ = ["last_words", "words_of"]


def words_of(item: Item) -> str:
    """Return what a message says, spoken or written; "" for what isn't a message."""
    if not isinstance(item, MessageItem):
        return ""
    words = []
    for part in item.content:
        match part:
            case InputText(text) | OutputText(text):
                words.append(text)
            case InputAudio(transcript=transcript) | OutputAudio(transcript=transcript):
                words.append(transcript or "")
            case InputImage() | UnknownPart():
                pass
    return " ".join(each.strip() for each in words if each.strip())


def last_words(items: Sequence[Item]) -> str:
    """Return what the user said last, "" if that was nothing."""
    for item in reversed(items):
        if isinstance(item, MessageItem) and item.role == "user":
            return words_of(item)
    return ""
