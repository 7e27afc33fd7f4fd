"""Text to tokens and back, from nothing but a model's list of tokens (byte-level BPE)."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from realtime_actors.server.engines.interfaces import EngineError

__all__ = ["Vocabulary"]

# How the tokeniser of GPT-2 cuts a text before it looks for tokens: contractions, then
# words, numbers and the rest, each with the blank before it.
_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def _byte_alphabet() -> dict[int, str]:
    """Return the printable character that stands for each byte in a token."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(0x100 + place) for place, byte in enumerate(rest)
    }


_TO_CHARACTER = _byte_alphabet()
_TO_BYTE = {character: byte for byte, character in _TO_CHARACTER.items()}


class Vocabulary:
    """The tokens of a Whisper model."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._ids = {token: place for place, token in enumerate(tokens)}
        self._end_of_text = self.special("<|endoftext|>")

    @classmethod
    def load(cls, model: Path) -> Vocabulary:
        """Read `vocabulary.txt` or `vocabulary.json`. Raises `EngineError` without either."""
        if (path := model / "vocabulary.txt").exists():
            return cls(path.read_text(encoding="utf-8").split("\n"))
        if (path := model / "vocabulary.json").exists():
            return cls(json.loads(path.read_text(encoding="utf-8")))
        raise EngineError(f"{model} is no model for ctranslate2: it has no vocabulary")

    def special(self, token: str) -> int:
        """Return the id of a token like `<|startoftranscript|>`."""
        try:
            return self._ids[token]
        except KeyError:
            raise EngineError(f"the model's vocabulary has no {token}") from None

    def has(self, token: str) -> bool:
        return token in self._ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some tokens; special ones have none."""
        text = "".join(self._tokens[each] for each in ids if each < self._end_of_text)
        return bytes(_TO_BYTE[character] for character in text).decode("utf-8", "replace")

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, as the model's own tokeniser would choose them."""
        return [token for word in _WORDS.findall(text) for token in self._encode_word(word)]

    def _encode_word(self, word: str) -> list[int]:
        """Join the pair whose token comes first in the list, as long as there is one: tokens
        are numbered in the order in which training joined them."""
        parts = [_TO_CHARACTER[byte] for byte in word.encode("utf-8")]
        while True:
            joined = [
                (self._ids[left + right], place)
                for place, (left, right) in enumerate(itertools.pairwise(parts))
                if left + right in self._ids
            ]
            if not joined:
                return [self._ids[part] for part in parts]
            _, place = min(joined)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
