"""Sound as bytes: formats and lengths, G.711, base64, resampling, frames, levels."""

from __future__ import annotations

from realtime_actors.audio.formats import (
    AudioFormat,
    BytesLike,
    bytes_per_sample,
    calculate_audio_length_ms,
    check_audio,
    normalize_format,
    sample_rate,
)

__all__ = [
    "AudioFormat",
    "BytesLike",
    "bytes_per_sample",
    "calculate_audio_length_ms",
    "check_audio",
    "normalize_format",
    "sample_rate",
]
