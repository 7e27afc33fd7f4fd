"""What of the microphone gets through while the model's voice may be in it."""

from __future__ import annotations

import array
import math

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import encode_audio, level_db
from realtime_actors.core.effects import Echo
from realtime_actors.core.speech.microphone import MicrophoneFilter
from tests.core.machine import times

FORMATS = ("pcm16", "g711_ulaw", "g711_alaw")
PER_MS = {"pcm16": 48, "g711_ulaw": 8, "g711_alaw": 8}
GATED = Echo(audible_until=10.0, threshold_db=-30.0, hold_ms=100, pre_roll_ms=40)
MUTED = Echo(muted_until=10.0)


def sound(ms: int, db: float, audio_format: str = "pcm16") -> bytes:
    """A square wave, whose level is that of its amplitude."""
    amplitude = round(32767 * 10 ** (db / 20))
    samples = ms * PER_MS[audio_format] // (2 if audio_format == "pcm16" else 1)
    wave = array.array("h", (amplitude if n // 8 % 2 else -amplitude for n in range(samples)))
    return encode_audio(wave.tobytes(), audio_format)


def silence(ms: int, audio_format: str = "pcm16") -> bytes:
    return sound(ms, -math.inf, audio_format)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_silence_of_the_same_length_takes_the_place_of_what_is_kept_back(audio_format) -> None:
    heard = sound(60, -6, audio_format)

    passed = MicrophoneFilter().process(heard, audio_format, MUTED, 5.0)

    assert passed == silence(60, audio_format)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_only_what_is_louder_than_the_echo_opens_the_microphone(audio_format) -> None:
    gate = MicrophoneFilter()
    echo, word = sound(20, -36, audio_format), sound(20, -20, audio_format)

    assert gate.process(echo, audio_format, GATED, 5.0) == silence(20, audio_format)
    assert gate.process(word, audio_format, GATED, 5.02) == echo + word


def test_a_word_stays_whole_and_the_microphone_closes_after_it() -> None:
    gate, word, soft = MicrophoneFilter(), sound(20, -20), sound(20, -40)
    said = word + soft * 5

    assert gate.process(said, "pcm16", GATED, 5.0) == said
    assert level_db(gate.process(soft, "pcm16", GATED, 5.02)) == -math.inf


def test_what_was_sent_too_much_is_made_up_for_by_shorter_silence() -> None:
    gate, word, soft = MicrophoneFilter(), sound(20, -20), sound(20, -40)
    gate.process(soft * 2, "pcm16", GATED, 5.0)
    assert len(gate.process(word, "pcm16", GATED, 5.02)) == len(soft * 2 + word)
    gate.process(soft * 5, "pcm16", GATED, 5.12)

    after = [len(gate.process(soft, "pcm16", GATED, 5.2)) for _ in range(5)]

    assert after == [480, 480, 480, 480, 960]


def test_audio_of_before_the_echo_ended_is_judged_by_the_time_when_it_was_recorded() -> None:
    echo = sound(100, -6)

    passed = MicrophoneFilter().process(echo, "pcm16", MUTED, 10.05)

    # 10.05 is the time of its end: the last 40 ms were recorded when all was over.
    assert passed == silence(60) + echo[60 * 48 :]


frames = st.lists(
    st.tuples(
        st.sampled_from([1, 10, 20, 30, 100]),  # milliseconds
        st.sampled_from([-50, -36, -20, -3]),  # dB
        st.sampled_from([Echo(), MUTED, GATED]),
    ),
    max_size=60,
)


@times(4)
@given(frames, st.sampled_from(FORMATS))
def test_as_much_comes_out_as_goes_in_but_for_what_was_held(heard, audio_format) -> None:
    gate, now, ahead = MicrophoneFilter(), 1.0, 0
    per_ms = PER_MS[audio_format]
    for ms, db, echo in heard:
        now += ms / 1000
        passed = gate.process(sound(ms, db, audio_format), audio_format, echo, now)
        ahead += len(passed) - ms * per_ms

        assert passed
        assert 0 <= ahead <= GATED.pre_roll_ms * per_ms


@times(4)
@given(frames)
def test_what_is_muted_or_no_louder_than_the_echo_never_gets_through_by_itself(heard) -> None:
    gate, now = MicrophoneFilter(), 1.0
    for ms, db, echo in heard:
        now += ms / 1000
        passed = gate.process(sound(ms, min(db, -36), "pcm16"), "pcm16", echo, now)

        assert echo == Echo() or level_db(passed) == -math.inf


def test_loud_and_soft_in_quick_turns_do_not_delay_more_and_more() -> None:
    gate, echo, now, surplus = MicrophoneFilter(), evolve(GATED, hold_ms=0), 5.0, 0
    for _ in range(50):
        for frame in (sound(20, -40), sound(20, -20)):
            surplus += len(gate.process(frame, "pcm16", echo, now)) - len(frame)

    assert surplus <= echo.pre_roll_ms * 48
