"""Frames and levels."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import frame_length_bytes, level_db, split_frames
from realtime_actors.errors import AudioFormatError, ConfigError


@pytest.mark.parametrize(
    ("frame_ms", "name", "size"),
    [(20, "pcm16", 960), (20, "g711_ulaw", 160), (2.5, "pcm16", 120), (0.1, "pcm16", 4)],
)
def test_a_frame_holds_whole_samples(frame_ms: float, name: str, size: int) -> None:
    assert frame_length_bytes(frame_ms, name) == size


@pytest.mark.parametrize("frame_ms", [0, -20, 0.01])
def test_a_frame_without_a_sample_is_refused(frame_ms: float) -> None:
    with pytest.raises(ConfigError, match="no sample"):
        frame_length_bytes(frame_ms)


@given(
    st.binary(max_size=5000),
    st.floats(1, 100),
    st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"]),
)
def test_frames_put_together_are_the_audio(audio: bytes, frame_ms: float, name: str) -> None:
    frames = list(split_frames(bytearray(audio), frame_ms, name))

    assert b"".join(frames) == audio
    assert all(len(frame) == frame_length_bytes(frame_ms, name) for frame in frames[:-1])
    assert all(frames)


def test_levels_are_decibels_below_full_scale() -> None:
    square = struct.pack("<4h", 32767, -32768, 32767, -32768)
    sine = struct.pack(
        "<480h", *(round(32767 * math.sin(2 * math.pi * index / 48)) for index in range(480))
    )

    assert level_db(square) == pytest.approx(0, abs=0.001)
    assert level_db(sine) == pytest.approx(-3.01, abs=0.01)
    assert level_db(struct.pack("<2h", 3277, -3277)) == pytest.approx(-20, abs=0.01)
    assert level_db(bytes(960)) == level_db(b"") == -math.inf


def test_the_level_of_half_a_sample_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="1 bytes"):
        level_db(b"a")
