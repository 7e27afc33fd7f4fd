from __future__ import annotations

import struct
import wave
from pathlib import Path

import pytest

from realtime_actors.cli.demo.caller import read_wav
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
        (tmp_path / "missing.wav", "cannot read"),
        (wav(tmp_path / "empty.wav", b""), "has no sound in it"),
        (wav(tmp_path / "surround.wav", bytes(12), channels=6), "has 6 channels"),
    ):
        with pytest.raises(AudioFormatError, match=told) as caught:
            read_wav(path)
        assert str(path) in str(caught.value)
