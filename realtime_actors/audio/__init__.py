"""Sound as bytes: formats and lengths, base64, G.711, resampling, frames and levels.

Everything is mono. What is called PCM16 has 16 bits, little-endian, as on the wire
and in every WAV file.
"""

from __future__ import annotations

from realtime_actors.audio.convert import (
    base64_to_pcm16,
    decode_audio,
    encode_audio,
    pcm16_to_base64,
)
from realtime_actors.audio.formats import (
    AudioFormat,
    BytesLike,
    bytes_per_sample,
    calculate_audio_length_ms,
    check_audio,
    normalize_format,
    sample_rate,
)
from realtime_actors.audio.framing import frame_length_bytes, level_db, split_frames
from realtime_actors.audio.resample import Resampler, ResamplerEngine
from realtime_actors.audio.wav import read_wav, write_wav

__all__ = [
    "AudioFormat",
    "BytesLike",
    "Resampler",
    "ResamplerEngine",
    "base64_to_pcm16",
    "bytes_per_sample",
    "calculate_audio_length_ms",
    "check_audio",
    "decode_audio",
    "encode_audio",
    "frame_length_bytes",
    "level_db",
    "normalize_format",
    "pcm16_to_base64",
    "read_wav",
    "sample_rate",
    "split_frames",
    "write_wav",
]
