"""Audio cut into frames, and how loud it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from realtime_actors.audio._audioop import audioop
from realtime_actors.audio.formats import (
    BytesLike,
    bytes_of,
    bytes_per_sample,
    sample_rate,
    whole_samples,
)
from realtime_actors.errors import ConfigError

__all__ = ["frame_length_bytes", "level_db", "split_frames"]

_FULL_SCALE: Final = 32768


def frame_length_bytes(frame_ms: float, audio_format: str = "pcm16") -> int:
    """Bytes of a frame of `frame_ms` milliseconds, rounded down to whole samples.

    Raises `ConfigError` for a frame that is shorter than one sample.
    """
    samples = int(sample_rate(audio_format) * frame_ms / 1000)
    if samples < 1:
        raise ConfigError(f"a frame of {frame_ms} ms holds no sample of {audio_format}")
    return samples * bytes_per_sample(audio_format)


def split_frames(
    audio: BytesLike, frame_ms: float = 20, audio_format: str = "pcm16"
) -> Iterator[bytes]:
    """Cut audio into frames of `frame_ms` milliseconds. The last one may be shorter."""
    size = frame_length_bytes(frame_ms, audio_format)
    view = memoryview(bytes_of(audio, audio_format))
    return (bytes(view[start : start + size]) for start in range(0, len(view), size))


def level_db(pcm16: BytesLike) -> float:
    """How loud 16-bit samples are, in dB below the loudest there can be (dBFS).

    0.0 is a square wave at full scale, about -3 a sine, -60 a quiet room, and minus
    infinity is silence (and no samples at all). Raises `AudioFormatError` for half a
    sample.
    """
    loudness = audioop.rms(whole_samples(pcm16), 2)
    return 20 * math.log10(loudness / _FULL_SCALE) if loudness else -math.inf
