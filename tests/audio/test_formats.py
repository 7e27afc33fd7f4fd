"""Names of formats, lengths, and what can't be audio."""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import (
    Resampler,
    bytes_per_sample,
    calculate_audio_length_ms,
    check_audio,
    decode_audio,
    encode_audio,
    level_db,
    normalize_format,
    pcm16_to_base64,
    sample_rate,
    split_frames,
    write_wav,
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


@pytest.mark.parametrize("make", [lambda it: it, memoryview])
def test_an_array_of_16_bit_samples_is_audio(make: Callable[[object], object]) -> None:
    assert check_audio(make(array("h", [1, -1]))) == b"\x01\x00\xff\xff"


def test_an_array_of_numpy_is_audio_if_it_has_16_bit_samples() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy, of the extra [resample], is not installed")

    assert check_audio(numpy.array([1, -1], "int16")) == b"\x01\x00\xff\xff"
    assert check_audio(numpy.array([[1], [-1]], "<i2")) == b"\x01\x00\xff\xff"
    with pytest.raises(AudioFormatError, match="float32 samples"):
        check_audio(numpy.array([0.5, 0.5], "float32"))
    with pytest.raises(AudioFormatError, match=r"mono.*\(3, 2\)"):
        check_audio(numpy.zeros((3, 2), "int16"))


FLOATS = array("f", [0.5, 0.5])


@pytest.mark.parametrize(
    "use",
    [
        pcm16_to_base64,
        level_db,
        split_frames,
        calculate_audio_length_ms,
        lambda audio: encode_audio(audio, "g711_ulaw"),
        lambda audio: decode_audio(audio, "pcm16"),
        lambda audio: decode_audio(audio, "g711_ulaw"),
        Resampler(24_000, 8_000, engine="audioop").process,
        Resampler(24_000, 24_000, engine="audioop").process,
        lambda audio: write_wav(io.BytesIO(), audio),
    ],
)
def test_no_function_takes_other_numbers_for_samples(use: Callable[[object], object]) -> None:
    with pytest.raises(AudioFormatError, match="float32 samples"):
        use(FLOATS)


def test_a_big_endian_array_is_refused() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy, of the extra [resample], is not installed")

    with pytest.raises(AudioFormatError, match="'>h'"):
        check_audio(numpy.array([1, -1], ">i2"))


@pytest.mark.parametrize(
    ("audio", "name", "message"),
    [
        (b"", "pcm16", "empty"),
        (bytearray(), "g711_ulaw", "empty"),
        (b"\0\0\0", "pcm16", "3 bytes are no whole number of pcm16 samples"),
        ("AAAA", "pcm16", "must be bytes, not str"),
        ([0, 0], "pcm16", "must be bytes, not list"),
        (None, "pcm16", "must be bytes, not NoneType"),
        (7, "pcm16", "must be bytes, not int"),
        (array("f", [0.5, 0.5]), "pcm16", "float32 samples .*multiply them by 32767"),
        (memoryview(array("d", [0.5, 0.5])), "pcm16", "float64 samples .*multiply them by 32767"),
        (array("i", [1, 2]), "pcm16", "int32 samples: shift them right by 16"),
        (array("H", [1, 2]), "pcm16", "uint16 samples"),
        (array("h", [1, 2]), "g711_ulaw", "16-bit samples are no g711_ulaw"),
        (memoryview(bytes(12)).cast("h", [2, 3]), "pcm16", r"mono.*\(2, 3\)"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "pcm16", "a WAV file with its header"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "g711_alaw", "a WAV file with its header"),
        (b"OggS\0\x02" + bytes(20), "pcm16", "an Ogg file"),
        (b"fLaC\0\0\0\x22" + bytes(34), "pcm16", "a FLAC file"),
        (b"ID3\x04\0\0" + bytes(20), "pcm16", "an MP3 file"),
        (b"\x1aE\xdf\xa3" + bytes(20), "pcm16", "a WebM file"),
    ],
)
def test_what_cannot_be_audio_is_refused(audio: object, name: str, message: str) -> None:
    with pytest.raises(AudioFormatError, match=message):
        check_audio(audio, name)


def test_an_odd_number_of_bytes_is_fine_for_g711() -> None:
    assert check_audio(b"abc", "g711_alaw") == b"abc"
