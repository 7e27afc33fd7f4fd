"""A voice detector by level alone: needs nothing, and takes every loud sound for speech."""

from __future__ import annotations

from typing import Final

from realtime_actors.audio import level_db

__all__ = ["EnergyDetector"]

_QUIETEST_SPEECH_DB: Final = -48.0
_OVER_NOISE_DB: Final = 24.0  # the rise over the background that is surely speech
_DRIFT_DB: Final = 0.02  # how fast the background may rise, per frame: 1 dB a second


class EnergyDetector:
    """For quiet lines, for tests and for machines without the extra [local].

    Half way to certain at 12 dB over the background, which is the quietest it has heard,
    slowly forgotten.
    """

    rate_hz = 8_000
    frame_ms = 20

    def __init__(self) -> None:
        self._background_db = _QUIETEST_SPEECH_DB - _OVER_NOISE_DB / 2

    def probability(self, frame: bytes) -> float:
        level = max(level_db(frame), -96.0)
        self._background_db = min(level, self._background_db + _DRIFT_DB)
        if level < _QUIETEST_SPEECH_DB:
            return 0.0
        return min((level - self._background_db) / _OVER_NOISE_DB, 1.0)

    def reset(self) -> None:
        self._background_db = _QUIETEST_SPEECH_DB - _OVER_NOISE_DB / 2
