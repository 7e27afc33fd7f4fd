"""The default voice: hibari-tts, a small English synthesiser that runs on onnxruntime.

The package has one voice ("heart"). The others here are that one, spoken slower or
faster and resampled back, which moves the pitch: enough to tell two parties apart.
"""

from __future__ import annotations

import os
import re
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soxr  # type: ignore[import-untyped]  # it has no types
from numpy.typing import NDArray

from realtime_actors.server.engines.interfaces import Cancelled, never
from realtime_actors.server.engines.sentences import split_sentences
from realtime_actors.server.engines.weights import check_sha256

__all__ = ["HibariVoice", "speakable"]

_SHA256: Final = {
    "hibari.onnx": "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
    "oov.onnx": "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
}
_GAIN: Final = 2.0
_SILENT: Final = 0.004  # of full scale, before the gain
_LEAD_MS: Final = 20  # kept of the third of a second of silence before a sentence
_PAUSE_MS: Final = 180  # kept of the silence after it
_FADE_MS: Final = 5  # cut silence isn't quite silent: don't click

_PITCHES: Final = {
    "heart": 1.0,
    "alloy": 0.94,
    "ash": 0.82,
    "ballad": 0.88,
    "cedar": 0.8,
    "coral": 1.06,
    "echo": 0.84,
    "fable": 0.97,
    "marin": 1.0,
    "nova": 1.1,
    "onyx": 0.78,
    "sage": 1.03,
    "shimmer": 1.14,
    "verse": 0.86,
}


class HibariVoice:
    """English speech at 24 kHz. Any name is a voice; the same name always sounds the same."""

    rate_hz = 24_000

    def __init__(self) -> None:
        # onnxruntime reports to its maker by default, from its import on. A program that
        # listens to people has to be told to do that, not how to stop it.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import hibari  # type: ignore[import-untyped]  # it has no types

        assets = Path(hibari.__file__).parent / "assets"
        for name, sha256 in _SHA256.items():
            check_sha256(assets / name, sha256)
        self._engine = hibari.Hibari(threads=1)
        # Guards the text analysis, which keeps state; the model itself is thread-safe.
        self._lock = threading.Lock()
        # It loads parts of itself when they are first needed (the last for a word that is
        # in no dictionary): now, so that the first sentence isn't late.
        for _ in self.speak("Ready, Zorblatt."):
            pass

    def speak(
        self, text: str, *, voice: str = "heart", speed: float = 1.0, cancelled: Cancelled = never
    ) -> Iterator[bytes]:
        """Speak a text, sentence by sentence. What isn't English is left out."""
        pitch = _PITCHES.get(voice) or _pitch_of(voice)
        for sentence in split_sentences(speakable(text)):
            if not any(map(str.isalnum, sentence)):
                continue  # it would breathe
            with self._lock:
                phrases: list[str] = self._engine.phonemize(sentence)
            for phrase in phrases:
                if cancelled():
                    return
                if audio := self._synthesize(phrase, pitch, speed):
                    yield audio

    def _synthesize(self, phonemes: str, pitch: float, speed: float) -> bytes:
        # The seed makes the same text the same audio, to the bit.
        samples = self._engine.from_phonemes(phonemes, speed=speed / pitch, seed=0)
        loud = np.flatnonzero(np.abs(samples) > _SILENT)
        if not len(loud):
            return b""
        start = max(int(loud[0]) - self._samples(_LEAD_MS), 0)
        end = int(loud[-1]) + self._samples(_PAUSE_MS)
        samples = samples[start:end] * _GAIN
        fade = min(self._samples(_FADE_MS), len(samples) // 2)
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        samples[:fade] *= ramp
        samples[len(samples) - fade :] *= ramp[::-1]
        if pitch != 1.0:
            samples = soxr.resample(samples, self.rate_hz * pitch, self.rate_hz)
        return _pcm16(samples)

    def _samples(self, milliseconds: int) -> int:
        return self.rate_hz * milliseconds // 1000


def _pitch_of(voice: str) -> float:
    """Return a pitch for a name that is in no list: one of the 17 from 0.8 to 1.12."""
    return 0.8 + 0.02 * (zlib.crc32(voice.encode()) % 17)


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    # Loud passages are bent, not clipped: what is over 0.8 is squeezed into the rest.
    over = np.abs(samples) > 0.8
    samples[over] = np.sign(samples[over]) * (
        0.8 + 0.2 * np.tanh((np.abs(samples[over]) - 0.8) / 0.2)
    )
    return (samples * 32767.0).astype("<i2").tobytes()


_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_URL_SCHEME = re.compile(r"https?://(?:www\.)?")
_MARKUP = re.compile(r"[*_`~#|<>{}\[\]\\^]+")
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){6,}")
# Latin letters with their accents, digits, and the punctuation and signs that are read.
_UNSPEAKABLE = re.compile(r"[^\sA-Za-z0-9À-ÖØ-öø-ž.,;:!?…'’\"“”()/&%$£€@+=°–—-]")  # noqa: RUF001


def speakable(text: str) -> str:
    """Leave out of a text what can't be read aloud, or shouldn't.

    Markup, emoji and other scripts go; the digits of a long number are read one by one.
    """
    text = _LINK.sub(r"\1", text)
    text = _URL_SCHEME.sub("", text)
    text = _MARKUP.sub(" ", text)
    text = _LONG_NUMBER.sub(lambda number: " ".join(filter(str.isdigit, number[0])), text)
    return _UNSPEAKABLE.sub(" ", text)
