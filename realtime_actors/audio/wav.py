"""WAV files: their sound as a session wants it, and the other way round."""

from __future__ import annotations

import sys
import wave
from pathlib import Path
from typing import IO, Final

from realtime_actors.audio._audioop import audioop
from realtime_actors.audio.formats import BytesLike, refuse_files, whole_samples
from realtime_actors.audio.resample import Resampler
from realtime_actors.errors import AudioFormatError

__all__ = ["read_wav", "write_wav"]

_RATE_HZ: Final = 24_000


def read_wav(file: str | Path | IO[bytes], rate_hz: int = _RATE_HZ) -> bytes:
    """Return the sound of a WAV file as PCM16, mono, at `rate_hz` (24 kHz: a session's).

    Whatever rate it has, of 8, 16, 24 or 32 bits, mono or stereo (which is mixed). Raises
    `AudioFormatError` for a file that is none, is compressed or has float samples, and for
    one with more channels or without any sound; `OSError` for one that can't be opened.
    """
    name = str(file) if isinstance(file, str | Path) else getattr(file, "name", "the file")
    try:
        with wave.open(_opened(file), "rb") as wav:
            channels, width, rate = wav.getnchannels(), wav.getsampwidth(), wav.getframerate()
            sound = wav.readframes(wav.getnframes())
    except (EOFError, wave.Error) as error:
        raise AudioFormatError(f"cannot read {name}: {error or 'it ends too soon'}") from error
    if channels > 2:
        raise AudioFormatError(f"{name} has {channels} channels: mono or stereo is needed")
    if rate < 1:
        raise AudioFormatError(f"{name} has {rate} samples a second")
    sound = sound[: len(sound) // (width * channels) * width * channels]
    if width == 1:  # 8 bits are unsigned in a WAV file
        sound = audioop.bias(sound, 1, 128)
    elif sys.byteorder == "big":  # it reads samples as this machine has them
        sound = audioop.byteswap(sound, width)
    sound = audioop.lin2lin(sound, width, 2)
    if channels == 2:
        sound = audioop.tomono(sound, 2, 0.5, 0.5)
    if not sound:
        raise AudioFormatError(f"{name} has no sound in it")
    return Resampler(rate, rate_hz).process(sound, last=True)


def write_wav(file: str | Path | IO[bytes], pcm16: BytesLike, rate_hz: int = _RATE_HZ) -> None:
    """Write PCM16, mono, as a WAV file. Raises `AudioFormatError` for what is no PCM16."""
    samples = refuse_files(whole_samples(pcm16))
    with wave.open(_opened(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes(samples)


def _opened(file: str | Path | IO[bytes]) -> str | IO[bytes]:
    return str(file) if isinstance(file, Path) else file
