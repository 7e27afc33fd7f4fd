"""Base64 and G.711, there and back."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import base64_to_pcm16, decode_audio, encode_audio, pcm16_to_base64
from realtime_actors.errors import AudioFormatError, ConfigError

SAMPLES = st.lists(st.integers(-32768, 32767), max_size=500)
LAWS = ["g711_ulaw", "g711_alaw"]


def pcm(*samples: int) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def samples_of(audio: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(audio) // 2}h", audio))


@given(SAMPLES)
def test_base64_gives_back_what_it_was_given(samples: list[int]) -> None:
    audio = pcm(*samples)

    text = pcm16_to_base64(audio)

    assert text == base64.b64encode(audio).decode()
    assert base64_to_pcm16(text) == base64_to_pcm16(text.encode()) == audio


def test_the_reference_example_of_base64() -> None:
    assert pcm16_to_base64(b"\x00\x00\xff\x7f") == "AAD/fw=="


@pytest.mark.parametrize("text", ["AAD", "AAD/fw", "AA==AA==", "A\nAA", "####", "äAAA", "="])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(AudioFormatError, match="not valid base64"):
        base64_to_pcm16(text)


def test_half_a_sample_is_refused_both_ways() -> None:
    with pytest.raises(AudioFormatError, match="3 bytes"):
        pcm16_to_base64(b"abc")
    with pytest.raises(AudioFormatError, match="3 bytes"):
        base64_to_pcm16(base64.b64encode(b"abc"))
    with pytest.raises(AudioFormatError, match="3 bytes"):
        encode_audio(b"abc", "g711_ulaw")
    with pytest.raises(AudioFormatError, match="3 bytes"):
        decode_audio(b"abc", "pcm16")


def test_g711_has_the_codes_of_the_standard() -> None:
    # ITU-T G.711: silence is 0xFF and 0xD5, the extremes 0x80 / 0x00 and 0xAA / 0x2A.
    assert encode_audio(pcm(0, 32767, -32768), "g711_ulaw") == bytes([0xFF, 0x80, 0x00])
    assert encode_audio(pcm(0, 32767, -32768), "g711_alaw") == bytes([0xD5, 0xAA, 0x2A])
    assert samples_of(decode_audio(b"\xff\x80\x00", "g711_ulaw")) == [0, 32124, -32124]
    assert samples_of(decode_audio(b"\xd5\xaa\x2a", "g711_alaw")) == [8, 32256, -32256]


@pytest.mark.parametrize("law", LAWS)
def test_every_g711_code_survives_a_round_trip(law: str) -> None:
    codes = bytes(range(256))

    again = encode_audio(decode_audio(codes, law), law)

    # u-law has two zeroes, which sound the same.
    assert decode_audio(again, law) == decode_audio(codes, law)
    assert sum(one != other for one, other in zip(codes, again, strict=True)) <= 1


@pytest.mark.parametrize("law", LAWS)
@given(samples=SAMPLES)
def test_g711_keeps_samples_within_its_step(law: str, samples: list[int]) -> None:
    encoded = encode_audio(pcm(*samples), law)

    assert len(encoded) == len(samples)
    for sample, decoded in zip(samples, samples_of(decode_audio(encoded, law)), strict=True):
        # Steps grow with the sample, up to 1024 of its 16 bits; u-law clips at 32635.
        assert abs(sample - decoded) <= max(16, abs(sample) / 16 + 1)


@given(SAMPLES)
def test_pcm16_stays_as_it_is(samples: list[int]) -> None:
    audio = pcm(*samples)

    assert encode_audio(bytearray(audio), "pcm16") == decode_audio(audio, "audio/pcm") == audio


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="opus"):
        encode_audio(b"", "opus")
    with pytest.raises(ConfigError, match="opus"):
        decode_audio(b"", "opus")
