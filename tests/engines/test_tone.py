"""The voice that needs nothing."""

from __future__ import annotations

import pytest

from realtime_actors.server.engines.tone import ToneVoice


def length_ms(pcm: bytes) -> float:
    return len(pcm) / 48


def test_a_tone_lasts_as_long_as_its_text() -> None:
    short, long = (
        length_ms(b"".join(ToneVoice(pause_ms=0).speak(text))) for text in ("abcde", "abcdefghij")
    )

    assert 290 <= short <= 300
    assert 590 <= long <= 600


def test_every_sentence_is_a_tone_and_silence_says_nothing() -> None:
    assert len(list(ToneVoice().speak("One. Two. Three."))) == 3
    assert list(ToneVoice().speak("... !")) == []


def test_tones_have_the_pitch_of_their_voice_and_the_speed_that_was_asked_for() -> None:
    def spoken(voice: str, speed: float = 1.0) -> bytes:
        return b"".join(ToneVoice(pause_ms=0).speak("Hello there", voice=voice, speed=speed))

    assert spoken("alloy") == spoken("alloy")
    assert len({spoken(name) for name in ("alloy", "ash", "coral", "verse")}) > 1
    assert length_ms(spoken("alloy", 2.0)) == pytest.approx(
        length_ms(spoken("alloy")) / 2, rel=0.05
    )


def test_a_tone_that_is_cancelled_ends_after_its_sentence() -> None:
    chunks = ToneVoice().speak("One. Two. Three.", cancelled=lambda: enough)
    enough = False
    next(chunks)
    enough = True

    assert list(chunks) == []
