"""A conversation as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from realtime_actors.items import (
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
)

__all__ = ["render_transcript"]

_SPEAKER: Final = {"user": "User", "assistant": "Assistant", "system": "System"}


def render_transcript(items: Iterable[Item]) -> str:
    """Write down who said what, a line each, in conversation order.

    What was cut short by an interruption ends with a dash; speech without a transcript
    is "(inaudible)", or "(not transcribed)" where that was switched off; tool calls and
    their answers stand in brackets.
    """
    return "\n".join(line for item in items for line in _lines(item))


def _lines(item: Item) -> Iterator[str]:
    match item:
        case MessageItem(role=role, content=content):
            words = " ".join(filter(None, map(_words, content)))
            if words:
                yield f"{_SPEAKER.get(role, role)}: {words}"
        case FunctionCallItem(name=name, arguments=arguments):
            yield f"[{name} {arguments or '{}'}]"
        case FunctionCallOutputItem(output=output):
            yield f"[-> {output}]"
        case _:
            pass  # the others say nothing that is spoken


def _words(part: ContentPart) -> str:
    match part:
        case InputText(text=words) | OutputText(text=words):
            return words
        case OutputAudio(transcript=words, truncated_at_ms=cut):
            return f"{words or ''} —".lstrip() if cut is not None else words or "(inaudible)"
        case InputAudio(transcript=words, transcribed=transcribed):
            return words or ("(inaudible)" if transcribed else "(not transcribed)")
        case InputImage():
            return "(an image)"
        case _:
            return ""
