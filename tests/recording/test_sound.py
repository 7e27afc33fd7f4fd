from __future__ import annotations

import math
import struct

from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.recording.sound import Channel, audible_span, peaks, stereo


def pcm(*samples: int) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def tone(seconds: float, *, rate_hz: int = 8000) -> bytes:
    return pcm(*(round(9000 * math.sin(index)) for index in range(round(seconds * rate_hz))))


def test_silence_lies_between_two_sounds() -> None:
    channel = Channel(10)

    channel.add(pcm(1, 2), at=0.1)
    channel.add(pcm(3), at=0.5)

    assert channel.between(0, 0.7) == pcm(0, 1, 2, 0, 0, 3, 0)


def test_a_sound_that_comes_too_early_waits_for_the_one_before_it() -> None:
    channel = Channel(10)
    channel.add(pcm(1, 2, 3), at=0.0)

    began = channel.add(pcm(4, 5), at=0.1)

    assert began == 0.3
    assert channel.between(0, 0.5) == pcm(1, 2, 3, 4, 5)
    assert channel.ends_at == 0.5


def test_what_is_cut_was_never_heard() -> None:
    channel = Channel(10)
    channel.add(pcm(1, 2, 3), at=0.0)
    channel.add(pcm(4), at=0.3)

    channel.cut(0.2)

    assert channel.between(0, 0.4) == pcm(1, 2, 0, 0)
    assert channel.add(pcm(9), at=0.0) == 0.2


def test_an_empty_channel_is_silent() -> None:
    assert Channel(10).ends_at == 0
    assert Channel(10).between(0.1, 0.3) == pcm(0, 0)


@given(
    pieces=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 30)), max_size=8),
    cut=st.floats(0, 8),
)
def test_no_sound_is_lost_or_doubled_but_what_is_cut(
    pieces: list[tuple[float, int]], cut: float
) -> None:
    channel = Channel(10)
    for at, length in pieces:
        channel.add(pcm(*[7] * length), at)
    total = sum(length for _, length in pieces)
    whole = channel.between(0, channel.ends_at)

    channel.cut(cut)

    assert whole.count(pcm(7)) == total
    assert channel.between(0, 40).rstrip(b"\0") == whole[: round(cut * 10) * 2].rstrip(b"\0")


def test_each_party_has_an_ear_of_its_own() -> None:
    assert stereo(pcm(1, 2), pcm(-1)) == pcm(1, -1, 2, 0)


def test_peaks_are_the_loudest_of_each_stretch() -> None:
    assert peaks(pcm(0, -16384, 8192, 0), 2) == [0.5, 0.25]
    assert peaks(b"", 3) == [0.0, 0.0, 0.0]


def test_speech_is_found_between_silences() -> None:
    sound = bytes(8000) + tone(0.2) + bytes(4000)

    span = audible_span(sound, 8000)

    assert span is not None
    assert [round(edge, 2) for edge in span] == [0.5, 0.7]
    assert audible_span(bytes(8000), 8000) is None
