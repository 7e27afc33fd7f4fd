"""WAV files, read as a session wants their sound, and written."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import pytest

from realtime_actors.audio import check_audio, read_wav, write_wav
from realtime_actors.errors import AudioFormatError


def wav(
    path: Path, frames: bytes, *, channels: int = 1, width: int = 2, rate: int = 24_000
) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)
    return path


def test_a_recording_is_taken_as_it_is(tmp_path: Path) -> None:
    sound = struct.pack("<3h", 1, -2, 3)

    assert read_wav(wav(tmp_path / "a.wav", sound)) == sound


def test_stereo_becomes_mono(tmp_path: Path) -> None:
    sound = struct.pack("<4h", 100, 300, -50, -50)

    assert read_wav(wav(tmp_path / "a.wav", sound, channels=2)) == struct.pack("<2h", 200, -50)


@pytest.mark.parametrize("width", [1, 3, 4])
def test_any_sample_width_becomes_sixteen_bits(tmp_path: Path, width: int) -> None:
    silence = b"\x80" * 100 if width == 1 else bytes(100 * width)

    assert read_wav(wav(tmp_path / "a.wav", silence, width=width)) == bytes(200)


def test_any_rate_becomes_that_of_the_session(tmp_path: Path) -> None:
    second = struct.pack("<h", 1000) * 8_000

    assert len(read_wav(wav(tmp_path / "a.wav", second, rate=8_000))) == 48_000


def test_what_is_no_recording_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")

    for path, told in (
        (tmp_path / "text.wav", "cannot read"),
        (wav(tmp_path / "empty.wav", b""), "has no sound in it"),
        (wav(tmp_path / "surround.wav", bytes(12), channels=6), "has 6 channels"),
    ):
        with pytest.raises(AudioFormatError, match=told) as caught:
            read_wav(path)
        assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_wav(tmp_path / "missing.wav")


def test_float_samples_are_refused(tmp_path: Path) -> None:
    path = wav(tmp_path / "float.wav", bytes(8), width=4)
    header = bytearray(path.read_bytes())
    header[20:22] = (3).to_bytes(2, "little")  # WAVE_FORMAT_IEEE_FLOAT
    path.write_bytes(header)

    with pytest.raises(AudioFormatError, match="cannot read"):
        read_wav(path)


def test_half_a_sample_at_the_end_of_a_file_is_left_out(tmp_path: Path) -> None:
    path = wav(tmp_path / "cut.wav", struct.pack("<3h", 1, 2, 3))
    path.write_bytes(path.read_bytes()[:-1])

    assert read_wav(path) == struct.pack("<2h", 1, 2)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    sound = struct.pack("<3h", 1, -2, 3)
    memory = io.BytesIO()

    write_wav(tmp_path / "a.wav", sound)
    write_wav(memory, sound)

    assert read_wav(tmp_path / "a.wav") == sound
    assert memory.getvalue() == (tmp_path / "a.wav").read_bytes()
    memory.seek(0)
    assert read_wav(memory, rate_hz=48_000)[:2] == sound[:2]


def test_a_file_with_its_header_is_not_taken_for_its_samples(tmp_path: Path) -> None:
    whole = wav(tmp_path / "a.wav", bytes(100)).read_bytes()

    with pytest.raises(AudioFormatError, match=r"a WAV file.*audio\.read_wav"):
        check_audio(whole)
    with pytest.raises(AudioFormatError, match="a WAV file"):
        write_wav(tmp_path / "b.wav", whole)
