"""Costs of a response: plausible counts of tokens, and the limits they count against.

No tokenizer is used. Text is about four characters a token; sound is counted by
its length, as the real service does: a token lasts 100 ms going in and 50 ms going out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from attrs import frozen

from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    MessageItem,
    OutputAudio,
    OutputText,
)
from realtime_actors.protocol import RateLimit
from realtime_actors.server.item_chain import Entry

__all__ = ["RateLimiter", "TokenCount", "count_context", "input_audio_tokens", "text_tokens"]

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_ITEM = 3
_CACHE_BLOCK = 64
_IMAGE_TOKENS: Mapping[str | None, int] = {"low": 85}
_IMAGE_TOKENS_HIGH = 765


def text_tokens(text: str | int) -> int:
    """Estimate the tokens of a text, or of that many characters."""
    length = text if isinstance(text, int) else len(text)
    return -(-length // _CHARACTERS_PER_TOKEN)


def input_audio_tokens(length_ms: float) -> int:
    """Return how many tokens the caller's speech has."""
    return -(-int(length_ms) // 100)


def output_audio_tokens(length_ms: float) -> int:
    """Return how many tokens the model's speech has."""
    return -(-int(length_ms) // 50)


@frozen(kw_only=True)
class TokenCount:
    """Tokens by kind."""

    text: int = 0
    audio: int = 0
    image: int = 0

    @property
    def total(self) -> int:
        """All kinds together."""
        return self.text + self.audio + self.image

    def __add__(self, other: TokenCount) -> TokenCount:
        return TokenCount(
            text=self.text + other.text,
            audio=self.audio + other.audio,
            image=self.image + other.image,
        )

    def cached_in(self, later: TokenCount) -> TokenCount:
        """Return how much of a later context need not be read again, in whole blocks."""
        return TokenCount(
            text=min(self.text, later.text) // _CACHE_BLOCK * _CACHE_BLOCK,
            audio=min(self.audio, later.audio) // _CACHE_BLOCK * _CACHE_BLOCK,
            image=min(self.image, later.image),
        )


def count_context(
    instructions: str, tools: Iterable[Mapping[str, object]], entries: Iterable[Entry]
) -> TokenCount:
    """Count what the model reads before it answers."""
    head = text_tokens(instructions) + sum(text_tokens(json.dumps(tool)) for tool in tools)
    return sum((_count_entry(entry) for entry in entries), TokenCount(text=head))


def _count_entry(entry: Entry) -> TokenCount:
    match entry.item:
        case FunctionCallItem(name=name, arguments=arguments):
            return TokenCount(text=_TOKENS_PER_ITEM + text_tokens(name) + text_tokens(arguments))
        case FunctionCallOutputItem(output=output):
            return TokenCount(text=_TOKENS_PER_ITEM + text_tokens(output))
        case MessageItem(content=content):
            text, image = _TOKENS_PER_ITEM, 0
            for part in content:
                match part:
                    case InputText(text=words) | OutputText(text=words):
                        text += text_tokens(words)
                    case InputImage(detail=detail):
                        image += _IMAGE_TOKENS.get(detail, _IMAGE_TOKENS_HIGH)
                    case OutputAudio(transcript=transcript):
                        text += text_tokens(transcript or entry.spoken_text)
                    case InputAudio(audio=None, transcript=str(transcript)):
                        text += text_tokens(transcript)
                    case _:
                        pass
            audio = input_audio_tokens(entry.input_audio_ms) + output_audio_tokens(entry.speech_ms)
            return TokenCount(text=text, image=image, audio=audio)
        case _:
            return TokenCount(text=_TOKENS_PER_ITEM)


class RateLimiter:
    """Requests and tokens per minute. Both come back evenly over time."""

    def __init__(self, *, requests_per_minute: int, tokens_per_minute: int) -> None:
        self._limits = {"requests": requests_per_minute, "tokens": tokens_per_minute}
        self._remaining: dict[str, float] = dict(self._limits)
        self._at: float | None = None

    def take(self, now: float, *, tokens: int) -> str | None:
        """Take a request with so many tokens. Return what is used up, or None."""
        self._refill(now)
        needed = {"requests": 1, "tokens": min(tokens, self._limits["tokens"])}
        for name, amount in needed.items():
            if self._remaining[name] < amount:
                return name
        for name, amount in needed.items():
            self._remaining[name] -= amount
        return None

    def give_back(self, tokens: int) -> None:
        """Return what was reserved for an answer and not used."""
        self._remaining["tokens"] = min(self._remaining["tokens"] + tokens, self._limits["tokens"])

    def report(self, now: float) -> tuple[RateLimit, ...]:
        """Return what is left of each limit."""
        self._refill(now)
        return tuple(
            RateLimit(
                name=name,
                limit=limit,
                remaining=int(self._remaining[name]),
                reset_seconds=round((limit - self._remaining[name]) * 60 / limit, 3),
            )
            for name, limit in self._limits.items()
        )

    def _refill(self, now: float) -> None:
        elapsed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        for name, limit in self._limits.items():
            self._remaining[name] = min(limit, self._remaining[name] + elapsed * limit / 60)
