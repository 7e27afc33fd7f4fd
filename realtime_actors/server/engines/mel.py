"""What a Whisper model sees of a sound: its log-mel spectrogram, ten milliseconds a column."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLOOR", "FRAMES_PER_SECOND", "RATE_HZ", "log_mel"]

RATE_HZ: Final = 16_000
FRAMES_PER_SECOND: Final = 100
_WINDOW: Final = 400
_HOP: Final = RATE_HZ // FRAMES_PER_SECOND

# The models were trained on log10 of the power, cut 8 below its peak, then (x + 4) / 4.
# Here the peak is moved to one place first, as if everybody spoke equally loud, so that
# the floor is always the same: silence has to be encoded once, not for every speaker.
_PEAK: Final = 1.5
_RANGE: Final = 8.0
_QUIETEST_PEAK: Final = -2.0  # what is quieter than this is not raised any further
FLOOR: Final = (_PEAK - _RANGE + 4.0) / 4.0
"""The value of silence in a spectrogram."""


def log_mel(pcm: bytes, bands: int) -> NDArray[np.float32]:
    """Return the spectrogram of PCM16 at 16 kHz: `bands` rows, a column for every 10 ms."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
    padded = np.pad(samples, _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(windows * _hann(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mel = np.log10(np.maximum(_filters(bands) @ power.T, 1e-10))
    mel += _PEAK - max(float(mel.max()), _QUIETEST_PEAK)
    scaled: NDArray[np.float32] = (np.maximum(mel, _PEAK - _RANGE) + 4.0) / 4.0
    return scaled


@functools.cache
def _hann() -> NDArray[np.float32]:
    phase = 2.0 * np.pi * np.arange(_WINDOW) / _WINDOW
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


@functools.cache
def _filters(bands: int) -> NDArray[np.float32]:
    """Return triangles of equal area, evenly spaced on Slaney's mel scale."""
    edges = _mel_to_hz(np.linspace(0.0, _NYQUIST_MEL, bands + 2))
    bins = np.linspace(0.0, RATE_HZ / 2, _WINDOW // 2 + 1)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


# Linear up to 1000 Hz (15 mel), logarithmic above.
_LOG_STEP: Final = np.log(6.4) / 27.0
_NYQUIST_MEL: Final = 15.0 + np.log(RATE_HZ / 2 / 1000.0) / _LOG_STEP


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15.0, mel * (200.0 / 3.0), 1000.0 * np.exp(_LOG_STEP * (mel - 15.0)))
