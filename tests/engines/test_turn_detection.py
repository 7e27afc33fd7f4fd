"""When turns begin and end, told by probabilities that the test chooses."""

from __future__ import annotations

import array
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.server.engines.energy import EnergyDetector
from realtime_actors.server.engines.tone import ToneVoice
from realtime_actors.server.turn_detection import (
    SilenceBegan,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TurnDetector,
    TurnEvent,
    TurnSettings,
)

RATE_HZ = 8_000
FRAME_MS = 20
FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1000


class LoudnessDetector:
    """As sure of speech as the samples are high: 100 is certain."""

    rate_hz = RATE_HZ
    frame_ms = FRAME_MS

    def probability(self, frame: bytes) -> float:
        return array.array("h", frame)[0] / 100

    def reset(self) -> None:
        pass


def sound(probability: float, duration_ms: int) -> bytes:
    return array.array("h", [round(probability * 100)] * (RATE_HZ * duration_ms // 1000)).tobytes()


def detector(settings: TurnSettings | None = None, *, start_ms: int = 0) -> TurnDetector:
    return TurnDetector(LoudnessDetector(), rate_hz=RATE_HZ, settings=settings, start_ms=start_ms)


def test_a_turn_begins_before_its_speech_and_ends_after_its_silence() -> None:
    events = detector().feed(sound(0, 1000) + sound(1, 800) + sound(0, 1000))

    assert events == [SpeechStarted(700), SilenceBegan(2000), SpeechStopped(2300)]


def test_a_speaker_who_goes_on_after_a_pause_has_not_finished() -> None:
    events = detector().feed(
        sound(0, 1000) + sound(1, 400) + sound(0, 300) + sound(1, 400) + sound(0, 500)
    )

    assert events == [
        SpeechStarted(700),
        SilenceBegan(1600),
        SpeechResumed(1720),
        SilenceBegan(2300),
        SpeechStopped(2600),
    ]


def test_a_click_is_no_speech_and_a_breath_between_words_is_no_pause() -> None:
    assert detector().feed(sound(0, 1000) + sound(1, 20) + sound(0, 1000)) == []
    assert detector().feed(sound(0, 400) + sound(1, 200) + sound(0, 180) + sound(1, 200)) == [
        SpeechStarted(100)
    ]


def test_what_is_unlikely_takes_longer_to_count_than_what_is_sure() -> None:
    assert detector().feed(sound(0, 400) + sound(0.9, 40)) == [SpeechStarted(100)]
    assert detector().feed(sound(0, 400) + sound(0.6, 40)) == []
    assert detector().feed(sound(0, 400) + sound(0.6, 60)) == [SpeechStarted(100)]


def test_between_the_thresholds_speech_stays_speech_and_silence_silence() -> None:
    doubtful = sound(0.4, 1000)

    assert detector().feed(doubtful) == []
    assert detector().feed(sound(1, 200) + doubtful) == [SpeechStarted(0)]


def test_the_threshold_is_the_session_s() -> None:
    strict = TurnSettings(threshold=0.8)

    assert detector(strict).feed(sound(0.7, 1000)) == []
    assert detector(strict).feed(sound(0.9, 1000)) == [SpeechStarted(0)]


def test_padding_never_reaches_back_into_the_turn_before() -> None:
    settings = TurnSettings(prefix_padding_ms=500, silence_duration_ms=200)

    events = detector(settings).feed(sound(0, 600) + sound(1, 200) + sound(0, 400) + sound(1, 200))

    assert events == [
        SpeechStarted(100),
        SilenceBegan(1000),
        SpeechStopped(1000),
        SpeechStarted(1000),
    ]


def test_a_window_shorter_than_a_pause_ends_the_turn_without_one() -> None:
    settings = TurnSettings(silence_duration_ms=100)

    assert detector(settings).feed(sound(1, 200) + sound(0, 200)) == [
        SpeechStarted(0),
        SpeechStopped(300),
    ]


def test_positions_count_from_the_start_of_all_audio() -> None:
    later = detector(start_ms=10_000)

    assert later.feed(sound(0, 400) + sound(1, 200)) == [SpeechStarted(10_100)]
    assert later.audio_ms == 10_600


def test_a_reset_forgets_the_turn_but_not_the_time() -> None:
    listening = detector()
    listening.feed(sound(1, 400))
    assert listening.speaking

    listening.reset()

    assert not listening.speaking
    assert listening.feed(sound(0, 1000) + sound(1, 100)) == [SpeechStarted(1100)]
    assert listening.feed(sound(0, 100)) == []


def test_a_reset_is_as_far_as_padding_reaches_back() -> None:
    listening = detector()
    listening.feed(sound(1, 400))
    listening.reset()

    assert listening.feed(sound(1, 100)) == [SpeechStarted(400)]


# --- by meaning -------------------------------------------------------------------------


def pause_after(settings: TurnSettings, text: str | None) -> int:
    """How long the speaker is silent before the turn is over."""
    listening = detector(settings)
    events = listening.feed(sound(1, 400) + sound(0, 200))
    assert events == [SpeechStarted(0), SilenceBegan(600)]
    if text is not None:
        events += listening.heard(text, audio_ms=600)
    events += listening.feed(sound(0, 10_000))
    stopped = events[-1]
    assert isinstance(stopped, SpeechStopped)
    return stopped.audio_end_ms - 400


@pytest.mark.parametrize(
    ("eagerness", "longest_ms"), [("low", 8000), ("medium", 4000), ("high", 2000), ("auto", 4000)]
)
def test_an_unfinished_sentence_is_waited_for_as_long_as_the_eagerness_says(
    eagerness: Any, longest_ms: int
) -> None:
    settings = TurnSettings(eagerness=eagerness)

    assert pause_after(settings, "I would like to") == longest_ms
    assert pause_after(settings, "I would like to.") == longest_ms
    assert pause_after(settings, None) < longest_ms / 2
    assert pause_after(settings, "I would like a table.") < pause_after(settings, None)


def test_a_finished_sentence_ends_a_turn_that_has_been_quiet_long_enough_at_once() -> None:
    listening = detector(TurnSettings(eagerness="high"))
    listening.feed(sound(1, 400) + sound(0, 500))

    assert listening.heard("That is all.", audio_ms=600) == [SpeechStopped(900)]


def test_words_of_an_earlier_pause_say_nothing_about_this_one() -> None:
    listening = detector(TurnSettings(eagerness="high"))
    listening.feed(sound(1, 400) + sound(0, 300) + sound(1, 200) + sound(0, 500))

    assert listening.heard("That is all.", audio_ms=600) == []
    assert listening.heard("That is all.", audio_ms=1100) == [SpeechStopped(1400)]


def test_words_change_nothing_for_a_fixed_window() -> None:
    listening = detector()
    listening.feed(sound(1, 400) + sound(0, 300))

    assert listening.heard("And then", audio_ms=600) == []
    assert listening.feed(sound(0, 300)) == [SpeechStopped(900)]


# --- whatever comes -------------------------------------------------------------------------

SOUNDS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.4, 0.6, 1.0]), st.integers(1, 60)), max_size=30
).map(lambda parts: b"".join(sound(probability, 20 * length) for probability, length in parts))


@given(SOUNDS, st.lists(st.integers(1, 5_000), max_size=40))
def test_the_same_sound_gives_the_same_events_however_it_is_cut(
    pcm: bytes, cuts: list[int]
) -> None:
    at_once = detector().feed(pcm)

    cut_up = detector()
    events: list[TurnEvent] = []
    place = 0
    for cut in [*cuts, len(pcm)]:
        events += cut_up.feed(pcm[place : place + 2 * cut])
        place += 2 * cut

    assert events == at_once


@given(SOUNDS)
def test_turns_never_overlap_and_events_come_in_their_order(pcm: bytes) -> None:
    allowed = {
        (None, SpeechStarted),
        (SpeechStarted, SilenceBegan),
        (SilenceBegan, SpeechResumed),
        (SilenceBegan, SpeechStopped),
        (SpeechResumed, SilenceBegan),
        (SpeechStopped, SpeechStarted),
    }

    events = detector().feed(pcm)

    kinds = [None, *map(type, events)]
    assert set(pairwise(kinds)) <= allowed
    turns = [
        event.audio_start_ms if isinstance(event, SpeechStarted) else event.audio_end_ms
        for event in events
        if isinstance(event, SpeechStarted | SpeechStopped)
    ]
    assert turns == sorted(turns)


# --- by level ---------------------------------------------------------------------------------


def test_the_level_alone_finds_a_voice_that_only_hums() -> None:
    speech = b"".join(ToneVoice().speak("Good morning. How are you today?"))
    silence = bytes(24_000 * 2)
    listening = TurnDetector(EnergyDetector(), rate_hz=24_000)

    events = listening.feed(silence + speech + silence)

    match events:
        case [SpeechStarted(start_ms), SilenceBegan(), SpeechStopped(end_ms)]:
            assert start_ms == 700
            assert 0 <= end_ms - (1000 + len(speech) // 48) <= 500
        case _:
            pytest.fail(f"heard {events}")


def test_the_level_of_a_quiet_background_is_no_voice() -> None:
    listening = TurnDetector(EnergyDetector(), rate_hz=8_000)

    assert listening.feed(array.array("h", [80, -80] * 40_000).tobytes()) == []
