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
    "bytes_of",
    "bytes_per_sample",
    "calculate_audio_length_ms",
    "check_audio",
    "normalize_format",
    "refuse_files",
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
    length_bytes = audio if isinstance(audio, int) else len(bytes_of(audio))
    return (length_bytes // _SAMPLE_BYTES[name]) * 1000 / _RATES_HZ[name]


def check_audio(audio: object, audio_format: str = "pcm16") -> bytes:
    """Return `audio` as bytes, or raise `AudioFormatError` when it can't be sent.

    Bytes, and arrays of 16-bit samples (numpy's int16, `array("h")`) for pcm16. Refused are:
    nothing at all, half a sample, a file with its header (see `read_wav`), and what isn't
    bytes: numbers of another kind, as floats, would be heard as noise.
    """
    if not isinstance(audio, bytes):
        audio = _bytes_of(audio, audio_format)
    if not audio:
        raise AudioFormatError("audio is empty: there is nothing to send")
    size = _SAMPLE_BYTES.get(audio_format) or bytes_per_sample(audio_format)  # type: ignore[call-overload]
    if len(audio) % size:
        raise AudioFormatError(
            f"{len(audio)} bytes are no whole number of {audio_format} samples of {size} bytes"
        )
    return refuse_files(audio)


def bytes_of(audio: object, audio_format: str = "pcm16") -> bytes:
    """Return the bytes of samples. Raises `AudioFormatError` for what has none, or others.

    Unlike `check_audio` it takes nothing at all, and whatever the bytes are: they may be
    another party's.
    """
    return audio if isinstance(audio, bytes) else _bytes_of(audio, audio_format)


def whole_samples(pcm16: BytesLike) -> bytes:
    """Return 16-bit samples as bytes. Raises `AudioFormatError` for half a one at the end."""
    audio = bytes_of(pcm16)
    if len(audio) % 2:
        raise AudioFormatError(f"{len(audio)} bytes are no whole number of 16-bit samples")
    return audio


def refuse_files(audio: bytes) -> bytes:
    """Return the audio, or raise `AudioFormatError` when it is a file with its header."""
    if audio[:4] in _HEADERS:
        more, at, what = _HEADERS[audio[:4]]
        if audio[at : at + len(more)] == more:
            mend = "audio.read_wav gives its samples" if "WAV" in what else "decode it first"
            raise AudioFormatError(
                f"this is {what} with its header, which would be heard as noise: {mend}"
            )
    return audio


_HEADERS: Final = {
    b"RIFF": (b"WAVE", 8, "a WAV file"),
    b"OggS": (b"\0\x02", 4, "an Ogg file"),
    b"fLaC": (b"\0\0\0\x22", 4, "a FLAC file"),
    b"ID3\x03": (b"\0", 4, "an MP3 file"),
    b"ID3\x04": (b"\0", 4, "an MP3 file"),
    b"\x1aE\xdf\xa3": (b"", 4, "a WebM file"),
}
"""How files begin: four bytes, more bytes that must follow at an offset, and what it is then."""


def _bytes_of(audio: object, audio_format: str) -> bytes:
    """The bytes of what has some, if they are samples."""
    if isinstance(audio, bytearray):
        return bytes(audio)
    if isinstance(audio, str):
        raise AudioFormatError("audio must be bytes, not str: audio.base64_to_pcm16 reads base64")
    try:
        view = memoryview(audio)  # type: ignore[arg-type]  # whatever it is
    except TypeError:
        raise _not_bytes(audio) from None
    kind = view.format.lstrip("@=<")
    if view.ndim != 1 and 1 not in (view.shape or ()):
        raise AudioFormatError(
            f"audio is mono: an array of one dimension, not of the shape {view.shape}"
        )
    if kind in _SAMPLES and normalize_format(audio_format) != "pcm16":
        raise AudioFormatError(f"16-bit samples are no {audio_format}: see audio.encode_audio")
    if kind in (*_BYTES, *_SAMPLES):
        return view.tobytes()
    raise AudioFormatError(
        f"audio must be bytes or 16-bit samples, not {_KINDS.get(kind, f'an array of {kind!r}')}"
    )


def _not_bytes(audio: object) -> AudioFormatError:
    return AudioFormatError(
        f"audio must be bytes, not {type(audio).__name__}:"
        " pass the bytes of the samples (an array's tobytes(), a file's read())"
    )


# The letters of the module struct.
_BYTES: Final = ("B", "b", "c")
_SAMPLES: Final = ("h",)
_FLOATS: Final = "(from -1 to 1): multiply them by 32767, and turn them into int16"
_KINDS: Final = {
    "e": f"float16 samples {_FLOATS}",
    "f": f"float32 samples {_FLOATS}",
    "d": f"float64 samples {_FLOATS}",
    "i": "int32 samples: shift them right by 16, and turn them into int16",
    "l": "int64 samples: turn them into int16",
    "q": "int64 samples: turn them into int16",
    "H": "uint16 samples: subtract 32768, and turn them into int16",
}
