"""How many tokens something is, estimated: a server counts them, and we can't.

    text:   a quarter of a token for a character of ASCII, a whole one for any other character
    item:   6 tokens for its role and its place
    image:  1,100 tokens

English has about four characters to a token, German and Spanish about three and a half, Chinese
and Japanese one or less: so the estimate is rather too high than too low. Of what a model can hold
a quarter is left for what is said next, and for what the estimate misses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from realtime_actors.config import SessionModelSettings
from realtime_actors.config.models import Context
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputImage,
    InputText,
    Item,
    MessageItem,
    OutputText,
)

__all__ = ["room_for", "tokens_of", "tokens_of_text"]

ASCII_PER_TOKEN: Final = 4
OF_ITEM: Final = 6
OF_IMAGE: Final = 1_100
USED: Final = 0.75
"""How much of the room the conversation so far may take."""


def tokens_of_text(text: str) -> int:
    """Estimate the tokens of a text."""
    if text.isascii():
        return -(-len(text) // ASCII_PER_TOKEN)
    others = sum(ord(each) > 127 for each in text)
    return others + -(-(len(text) - others) // ASCII_PER_TOKEN)


def tokens_of(item: Item) -> int:
    """Estimate the tokens of an item as a server is told it."""
    return OF_ITEM + sum(_parts_of(item))


def room_for(context: Context, settings: SessionModelSettings) -> int:
    """Estimate how many tokens of conversation a model can be told with these settings."""
    instructions = tokens_of_text(settings.instructions or "")
    tools = tokens_of_text(json.dumps(settings.tools, default=str)) if settings.tools else 0
    left = context.tokens - context.output_tokens - instructions - tools
    return max(0, int(left * USED))


def _parts_of(item: Item) -> Iterable[int]:
    match item:
        case MessageItem(content=content):
            for part in content:
                match part:
                    case InputText(text=text) | OutputText(text=text):
                        yield tokens_of_text(text)
                    case InputImage():
                        yield OF_IMAGE
                    case _:
                        pass  # sound is not told
        case FunctionCallItem(name=name, arguments=arguments):
            yield tokens_of_text(f"{name} {arguments}")
        case FunctionCallOutputItem(output=output):
            yield tokens_of_text(output)
        case _:
            pass  # only servers make it
