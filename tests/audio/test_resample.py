"""Resampling in pieces: the same sound as in one piece, and as long as it should be."""

from __future__ import annotations

import importlib.util
import math
import struct
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_actors.audio import Resampler, ResamplerEngine, level_db
from realtime_actors.errors import AudioFormatError, ConfigError, MissingExtraError

HAS_SOXR = importlib.util.find_spec("soxr") is not None
ENGINES: list[object] = [
    pytest.param("soxr", marks=pytest.mark.skipif(not HAS_SOXR, reason="soxr is not installed")),
    "audioop",
]
RATES = [
    (24000, 8000),
    (8000, 24000),
    (24000, 16000),
    (16000, 24000),
    (48000, 24000),
    (44100, 24000),
]


def tone(rate_hz: int, samples: int, *, tone_hz: float = 440, amplitude: int = 16000) -> bytes:
    step = 2 * math.pi * tone_hz / rate_hz
    return struct.pack(
        f"<{samples}h", *(round(amplitude * math.sin(step * index)) for index in range(samples))
    )


def cut(audio: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The audio in pieces of so many samples, and the rest."""
    start = 0
    for size in sizes:
        yield audio[start : start + 2 * size]
        start += 2 * size
    yield audio[start:]


def resampled(engine: ResamplerEngine, rates: tuple[int, int], pieces: list[bytes]) -> bytes:
    resampler = Resampler(*rates, engine=engine)
    *before, end = pieces
    return b"".join(map(resampler.process, before)) + resampler.process(end, last=True)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    rates=st.sampled_from(RATES),
    length=st.integers(0, 3000),
    sizes=st.lists(st.integers(0, 700), max_size=12),
)
@example(rates=(24000, 8000), length=1, sizes=[1])  # a third of a sample, rounded to none
def test_however_the_sound_is_cut_the_same_comes_out(
    engine: ResamplerEngine, rates: tuple[int, int], length: int, sizes: list[int]
) -> None:
    audio = tone(rates[0], length)

    whole = resampled(engine, rates, [audio])
    pieces = resampled(engine, rates, list(cut(audio, sizes)))

    assert pieces == whole
    assert len(whole) == 2 * math.floor(length * rates[1] / rates[0] + 0.5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rates", RATES)
def test_a_tone_comes_out_as_the_same_tone_without_clicks(
    engine: ResamplerEngine, rates: tuple[int, int]
) -> None:
    source_hz, target_hz = rates
    audio = tone(source_hz, source_hz // 2)

    out = resampled(engine, rates, list(cut(audio, [source_hz // 50] * 24)))

    samples = struct.unpack(f"<{len(out) // 2}h", out)
    wanted = struct.unpack(f"<{target_hz // 2}h", tone(target_hz, target_hz // 2))
    edge = target_hz // 50  # a filter has no future at the end, and no past at the start
    inner = slice(edge, -edge)
    # audioop lags by a sample of the source: that is a shift in time, not a click.
    tolerance = 150 if engine == "soxr" else 16000 * 2 * math.pi * 440 / source_hz * 1.2
    assert (
        max(abs(one - other) for one, other in zip(samples[inner], wanted[inner], strict=True))
        <= tolerance
    )
    steepest = 16000 * 2 * math.pi * 440 / target_hz
    steps = [abs(b - a) for a, b in zip(samples[edge:], samples[edge + 1 : -edge], strict=False)]
    assert max(steps) <= steepest * 1.6 + 2


@pytest.mark.skipif(not HAS_SOXR, reason="soxr is not installed")
def test_soxr_leaves_out_what_the_lower_rate_cannot_carry() -> None:
    too_high = tone(24000, 24000, tone_hz=6000)

    assert level_db(resampled("soxr", (24000, 8000), [too_high])) < -50


@pytest.mark.parametrize("engine", ENGINES)
def test_loud_sound_is_clipped_and_does_not_wrap_around(engine: ResamplerEngine) -> None:
    square = struct.pack("<2400h", *([32767] * 50 + [-32768] * 50) * 24)

    out = resampled(engine, (24000, 48000), [square])

    samples = struct.unpack(f"<{len(out) // 2}h", out)
    # In the middle of each half of the wave, the sign is the wave's.
    assert all(samples[start + 40] > 30000 for start in range(0, 4600, 200))
    assert all(samples[start + 140] < -30000 for start in range(0, 4600, 200))


@pytest.mark.parametrize("engine", ENGINES)
def test_after_the_last_piece_another_sound_begins(engine: ResamplerEngine) -> None:
    audio = tone(24000, 1000)
    resampler = Resampler(24000, 8000, engine=engine)

    first = resampler.process(audio, last=True)
    second = resampler.process(audio, last=True)

    assert first == second


@pytest.mark.parametrize("engine", ENGINES)
def test_no_sound_at_all_is_no_sound(engine: ResamplerEngine) -> None:
    resampler = Resampler(8000, 24000, engine=engine)

    assert resampler.process(b"") == b""
    assert resampler.process(b"", last=True) == b""


def test_equal_rates_pass_everything_at_once() -> None:
    assert Resampler(24000, 24000).process(b"abcd") == b"abcd"


def test_the_engine_is_the_best_that_is_installed_and_can_be_chosen() -> None:
    assert Resampler(24000, 8000).engine == ("soxr" if HAS_SOXR else "audioop")
    assert Resampler(24000, 8000, engine="audioop").engine == "audioop"
    assert repr(Resampler(24000, 8000, engine="audioop")) == (
        "Resampler(24000, 8000, engine='audioop')"
    )


def test_without_soxr_asking_for_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert Resampler(24000, 8000).engine == "audioop"
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[resample\]'"):
        Resampler(24000, 8000, engine="soxr")


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="3 bytes"):
        Resampler(24000, 8000).process(b"abc")


@pytest.mark.parametrize("rates", [(0, 8000), (24000, -1), (24000.0, 8000), (True, 8000)])
def test_a_rate_that_is_none_is_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="sample rate"):
        Resampler(*rates)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'soxr'"):
        Resampler(24000, 8000, engine="sox")  # type: ignore[arg-type]  # that is the test
