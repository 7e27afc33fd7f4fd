"""The three audio formats of the Realtime API, by name, and how long their bytes last.

All are mono. ``"pcm16"`` is 24 kHz, 16 bits, little-endian; ``"g711_ulaw"`` and
``"g711_alaw"`` are the 8 kHz of the telephone, one byte a sample. Converting one
into another is `convert` and `resample`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from realtime_actors.errors import AudioFormatError, ConfigError, did_you_mean

__all__ = [
    "AudioFormat",
    "BytesLike",
    "bytes_per_sample",
    "calculate_audio_length_ms",
    "check_audio",
    "normalize_format",
    "sample_rate",
    "whole_samples",
]

AudioFormat: TypeAlias = Literal["pcm16", "g711_ulaw", "g711_alaw"]
BytesLike: TypeAlias = bytes | bytearray | memoryview

_RATES_HZ: Final[dict[AudioFormat, int]] = {"pcm16": 24_000, "g711_ulaw": 8_000, "g711_alaw": 8_000}
_SAMPLE_BYTES: Final[dict[AudioFormat, int]] = {"pcm16": 2, "g711_ulaw": 1, "g711_alaw": 1}
_NAMES: Final[dict[str, AudioFormat]] = {
    "pcm16": "pcm16",
    "g711_ulaw": "g711_ulaw",
    "g711_alaw": "g711_alaw",
    # What the GA interface calls them.
    "audio/pcm": "pcm16",
    "audio/pcmu": "g711_ulaw",
    "audio/pcma": "g711_alaw",
}


def normalize_format(audio_format: object) -> AudioFormat:
    """Find the format's name, whichever way it is written.

    Takes the flat names (``"pcm16"``), the GA types (``"audio/pcm"``) and the GA
    objects (``{"type": "audio/pcm", "rate": 24000}``). Raises `ConfigError` for
    anything else, and for a rate that the format doesn't have.
    """
    if isinstance(audio_format, str):
        name = _NAMES.get(audio_format)
        if name is None:
            raise ConfigError(
                f"unknown audio format {audio_format!r}: {did_you_mean(audio_format, _NAMES)}"
            )
        return name
    if not isinstance(audio_format, Mapping):
        raise ConfigError(
            f"an audio format is a name or an object with a type, not {audio_format!r}: "
            f"{did_you_mean('', _NAMES)}"
        )
    if not isinstance(audio_format.get("type"), str):
        raise ConfigError(
            f"audio format {dict(audio_format)!r} has no type: {did_you_mean('', _NAMES)}"
        )
    name = normalize_format(audio_format["type"])
    rate_hz = audio_format.get("rate")
    if rate_hz not in (None, _RATES_HZ[name]):
        raise ConfigError(
            f"audio format {audio_format['type']!r} has {_RATES_HZ[name]} samples a second, "
            f"not {rate_hz!r}"
        )
    return name


def sample_rate(audio_format: str) -> int:
    """Samples per second: 24,000 for pcm16, 8,000 for both G.711 laws."""
    return _RATES_HZ[normalize_format(audio_format)]


def bytes_per_sample(audio_format: str) -> int:
    """Two for pcm16, one for both G.711 laws."""
    return _SAMPLE_BYTES[normalize_format(audio_format)]


def calculate_audio_length_ms(audio: BytesLike | int, audio_format: str = "pcm16") -> float:
    """Milliseconds that `audio`, or that many bytes of it, lasts.

    A float, because pieces are added up: a piece's length rounded to whole
    milliseconds would drift from what was heard. An unfinished sample at the end
    doesn't count.
    """
    name = normalize_format(audio_format)
    length_bytes = audio if isinstance(audio, int) else memoryview(audio).nbytes
    return (length_bytes // _SAMPLE_BYTES[name]) * 1000 / _RATES_HZ[name]


def check_audio(audio: object, audio_format: str = "pcm16") -> bytes:
    """Return `audio` as bytes, or raise `AudioFormatError` when it can't be sent.

    Refused are: nothing at all, half a sample, and what isn't bytes. Arrays are
    refused as well, since their numbers may be of any kind (floats, most often):
    hand over the bytes of 16-bit samples.
    """
    if not isinstance(audio, bytes):
        if isinstance(audio, bytearray) or (
            isinstance(audio, memoryview) and audio.format in ("B", "b", "c", "h")
        ):
            audio = bytes(audio)
        else:
            raise AudioFormatError(
                f"audio must be bytes, not {type(audio).__name__}: "
                "pass the bytes of the samples (an array's tobytes(), a file's read())"
            )
    if not audio:
        raise AudioFormatError("audio is empty: there is nothing to send")
    size = bytes_per_sample(audio_format)
    if len(audio) % size:
        raise AudioFormatError(
            f"{len(audio)} bytes are no whole number of {audio_format} samples of {size} bytes"
        )
    return audio


def whole_samples(pcm16: BytesLike) -> bytes:
    """Return 16-bit samples as bytes. Raises `AudioFormatError` for half a one at the end."""
    audio = bytes(pcm16)
    if len(audio) % 2:
        raise AudioFormatError(f"{len(audio)} bytes are no whole number of 16-bit samples")
    return audio
