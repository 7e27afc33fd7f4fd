"""Audio in other clothes: base64 as on the wire, G.711 as on the telephone.

Nothing here changes the sample rate; that is `resample`.
"""

from __future__ import annotations

import binascii

from realtime_actors.audio._audioop import audioop
from realtime_actors.audio.formats import (
    BytesLike,
    bytes_of,
    normalize_format,
    refuse_files,
    whole_samples,
)
from realtime_actors.errors import AudioFormatError

__all__ = ["base64_to_pcm16", "decode_audio", "encode_audio", "pcm16_to_base64"]


def pcm16_to_base64(audio: BytesLike) -> str:
    """Write PCM16 as base64. Raises `AudioFormatError` for what is no PCM16: see `check_audio`."""
    return binascii.b2a_base64(refuse_files(whole_samples(audio)), newline=False).decode("ascii")


def base64_to_pcm16(text: str | bytes) -> bytes:
    """Read PCM16 from base64.

    Raises `AudioFormatError` for what isn't base64 (line breaks and missing padding
    included), and for half a sample at the end.
    """
    try:
        audio = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:  # binascii.Error, or text that isn't ASCII
        raise AudioFormatError(f"audio is not valid base64: {error}") from None
    return whole_samples(audio)


def encode_audio(pcm16: BytesLike, audio_format: str) -> bytes:
    """Turn 16-bit samples into `audio_format`, at the rate that they have.

    For G.711, resample to 8 kHz first; half the bytes come out. Raises
    `AudioFormatError` for half a sample.
    """
    pcm16 = refuse_files(whole_samples(pcm16))
    match normalize_format(audio_format):
        case "pcm16":
            return pcm16
        case "g711_ulaw":
            return audioop.lin2ulaw(pcm16, 2)
        case "g711_alaw":
            return audioop.lin2alaw(pcm16, 2)


def decode_audio(audio: BytesLike, audio_format: str) -> bytes:
    """Turn `audio_format` into 16-bit samples, at the rate that they have.

    From G.711 come twice the bytes, at 8 kHz. Raises `AudioFormatError` for half a
    sample of PCM16; any bytes are G.711.
    """
    match normalize_format(audio_format):
        case "pcm16":
            return whole_samples(audio)
        case "g711_ulaw":
            return audioop.ulaw2lin(bytes_of(audio, audio_format), 2)
        case "g711_alaw":
            return audioop.alaw2lin(bytes_of(audio, audio_format), 2)
