"""Names of formats, lengths, and what can't be audio."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import (
    bytes_per_sample,
    calculate_audio_length_ms,
    check_audio,
    normalize_format,
    sample_rate,
)
from realtime_actors.errors import AudioFormatError, ConfigError

FORMATS = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("pcm16", "pcm16"),
        ("g711_ulaw", "g711_ulaw"),
        ("g711_alaw", "g711_alaw"),
        ("audio/pcm", "pcm16"),
        ("audio/pcmu", "g711_ulaw"),
        ("audio/pcma", "g711_alaw"),
        ({"type": "audio/pcm", "rate": 24000}, "pcm16"),
        ({"type": "audio/pcm"}, "pcm16"),
        ({"type": "audio/pcma", "rate": None}, "g711_alaw"),
    ],
)
def test_a_format_has_one_name_however_it_is_written(written: object, name: str) -> None:
    assert normalize_format(written) == name


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("pcm61", "did you mean 'pcm16'?"),
        ("mp3", "allowed: audio/pcm"),
        ({"type": "audio/pcm", "rate": 16000}, "24000 samples a second, not 16000"),
        ({"rate": 24000}, "has no type"),
        (16, "not 16"),
        (None, "not None"),
    ],
)
def test_an_unknown_format_is_refused_with_what_is_allowed(written: object, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        normalize_format(written)


@pytest.mark.parametrize(
    ("name", "rate_hz", "size"),
    [("pcm16", 24000, 2), ("g711_ulaw", 8000, 1), ("g711_alaw", 8000, 1)],
)
def test_each_format_has_a_rate_and_a_size(name: str, rate_hz: int, size: int) -> None:
    assert (sample_rate(name), bytes_per_sample(name)) == (rate_hz, size)


@pytest.mark.parametrize("name", ["pcm16", "g711_ulaw", "g711_alaw"])
def test_nothing_lasts_no_time(name: str) -> None:
    assert calculate_audio_length_ms(b"", name) == 0


def test_a_second_of_each_format_lasts_a_second() -> None:
    assert calculate_audio_length_ms(bytes(48000), "pcm16") == 1000
    assert calculate_audio_length_ms(bytes(8000), "g711_ulaw") == 1000
    assert calculate_audio_length_ms(bytearray(8000), "audio/pcma") == 1000


def test_an_unfinished_sample_does_not_count() -> None:
    assert calculate_audio_length_ms(bytes(49), "pcm16") == 1


@given(FORMATS, st.lists(st.integers(0, 1000).map(lambda samples: bytes(2 * samples))))
def test_pieces_last_as_long_as_the_whole(name: str, pieces: list[bytes]) -> None:
    apart = sum(calculate_audio_length_ms(piece, name) for piece in pieces)

    assert apart == pytest.approx(calculate_audio_length_ms(b"".join(pieces), name))
    assert calculate_audio_length_ms(sum(map(len, pieces)), name) == pytest.approx(apart)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_whatever_holds_bytes_is_audio(make: type) -> None:
    checked = check_audio(make(b"\x01\x02"), "pcm16")

    assert (type(checked), checked) == (bytes, b"\x01\x02")


def test_a_view_of_16_bit_samples_is_audio() -> None:
    assert check_audio(memoryview(array("h", [1, -1]))) == b"\x01\x00\xff\xff"


@pytest.mark.parametrize(
    ("audio", "name", "message"),
    [
        (b"", "pcm16", "empty"),
        (bytearray(), "g711_ulaw", "empty"),
        (b"\0\0\0", "pcm16", "3 bytes are no whole number of pcm16 samples"),
        ("AAAA", "pcm16", "must be bytes, not str"),
        ([0, 0], "pcm16", "must be bytes, not list"),
        (None, "pcm16", "must be bytes, not NoneType"),
        (array("f", [0.5, 0.5]), "pcm16", "must be bytes, not array"),
        (memoryview(array("f", [0.5, 0.5])), "pcm16", "must be bytes, not memoryview"),
    ],
)
def test_what_cannot_be_audio_is_refused(audio: object, name: str, message: str) -> None:
    with pytest.raises(AudioFormatError, match=message):
        check_audio(audio, name)


def test_an_odd_number_of_bytes_is_fine_for_g711() -> None:
    assert check_audio(b"abc", "g711_alaw") == b"abc"
