"""The input buffer: positions go on counting, whatever is taken out."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.server.input_buffer import InputBuffer

MS = 48
"""Bytes of a millisecond of pcm16."""


def test_a_stretch_is_addressed_by_its_position() -> None:
    buffer = InputBuffer("pcm16")
    buffer.append(b"a" * 100 * MS)
    buffer.append(b"b" * 100 * MS)

    assert buffer.between(90, 110) == b"a" * 10 * MS + b"b" * 10 * MS
    assert (buffer.start_ms, buffer.end_ms, buffer.length_ms) == (0, 200, 200)


def test_positions_survive_forgetting_and_clearing() -> None:
    buffer = InputBuffer("pcm16")
    buffer.append(b"a" * 100 * MS)
    buffer.forget_before(60)
    assert (buffer.start_ms, buffer.end_ms, buffer.length_ms) == (60, 100, 40)
    assert buffer.between(0, 100) == b"a" * 40 * MS

    buffer.clear()
    buffer.append(b"b" * 10 * MS)
    assert (buffer.start_ms, buffer.end_ms) == (100, 110)
    assert buffer.between(100, 110) == b"b" * 10 * MS


def test_another_format_begins_where_the_old_one_ended() -> None:
    buffer = InputBuffer("pcm16")
    buffer.append(b"a" * 100 * MS)

    buffer.change_format("g711_ulaw")
    buffer.append(b"u" * 8 * 50)

    assert (buffer.start_ms, buffer.end_ms) == (100, 150)
    assert buffer.between(100, 150) == b"u" * 8 * 50


@given(
    pieces=st.lists(st.binary(max_size=300), max_size=8),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_what_is_kept_is_the_end_of_what_came(pieces: list[bytes], cuts: list[int]) -> None:
    buffer, came = InputBuffer("g711_alaw"), b""
    for piece, cut in zip(pieces, [*cuts, *[0] * 8], strict=False):
        buffer.append(piece)
        came += piece
        buffer.forget_before(cut)

        assert buffer.end_ms == len(came) // 8
        assert came.endswith(buffer.between(buffer.start_ms, buffer.end_ms + 1))
        assert buffer.start_ms <= max(buffer.end_ms, *cuts, 0) + 1


@given(audio=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_samples_that_were_cut_in_two_are_whole_again(audio: bytes, cuts: list[int]) -> None:
    buffer, taken = InputBuffer("pcm16"), []
    for start, end in pairwise([0, *sorted(cuts), len(audio)]):
        taken.append(buffer.append(audio[start:end]))

    assert all(len(piece) % 2 == 0 for piece in taken)
    assert b"".join(taken) == audio[: len(audio) // 2 * 2]
    assert buffer.length_bytes == len(audio) // 2 * 2


def test_another_recording_begins_with_a_whole_sample() -> None:
    for end in (InputBuffer.clear, InputBuffer.end_stretch):
        buffer = InputBuffer("pcm16")
        buffer.append(b"abc")
        end(buffer)

        assert buffer.append(b"de") == b"de"


def test_a_sample_of_g711_is_a_byte() -> None:
    assert InputBuffer("g711_ulaw").append(b"abc") == b"abc"
