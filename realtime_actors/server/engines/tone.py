"""A voice that hums: a tone as long as the text would take to read. Needs nothing."""

from __future__ import annotations

import array
import math
import sys
import zlib
from collections.abc import Iterator
from typing import Final

from realtime_actors.server.engines.interfaces import Cancelled, never
from realtime_actors.server.engines.sentences import split_sentences

__all__ = ["ToneVoice"]

_AMPLITUDE: Final = 8_000
# Whole numbers of samples, so that a tone is one wave, repeated.
_WAVELENGTHS: Final = (120, 100, 80, 75, 60, 50)


class ToneVoice:
    """One tone and a short silence per sentence; each voice has its pitch.

    `character_ms` is how long a letter lasts: 60 is about how fast people speak.
    """

    rate_hz = 24_000

    def __init__(self, *, character_ms: int = 60, pause_ms: int = 100) -> None:
        self._character_ms = character_ms
        self._pause_ms = pause_ms

    def speak(
        self, text: str, *, voice: str = "tone", speed: float = 1.0, cancelled: Cancelled = never
    ) -> Iterator[bytes]:
        wavelength = _WAVELENGTHS[zlib.crc32(voice.encode()) % len(_WAVELENGTHS)]
        wave = _wave(wavelength)
        for sentence in split_sentences(text):
            characters = sum(map(str.isalnum, sentence))
            if cancelled():
                return
            if characters:
                samples = int(characters * self._character_ms / speed) * self.rate_hz // 1000
                yield wave * (samples // wavelength) + self._pause()

    def _pause(self) -> bytes:
        return bytes(self._pause_ms * self.rate_hz // 1000 * 2)


def _wave(length: int) -> bytes:
    samples = array.array(
        "h", (round(_AMPLITUDE * math.sin(2 * math.pi * i / length)) for i in range(length))
    )
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
