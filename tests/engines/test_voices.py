"""Text becomes speech."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.server.engines import Voice
from tests.engines import sounds

pytestmark = pytest.mark.local


def length_ms(pcm: bytes, rate_hz: int = 24_000) -> float:
    return len(pcm) / 2 / rate_hz * 1000


def leading_silence_ms(pcm: bytes) -> float:
    speech = abs(sounds.samples_of(pcm))
    return float((speech > 0.02).argmax()) / 24


def test_sentences_come_one_by_one_and_begin_at_once(voice: Voice) -> None:
    chunks = list(voice.speak("Good evening. How can I help you?", voice="heart"))

    assert len(chunks) == 2
    for chunk in chunks:
        assert 500 < length_ms(chunk) < 3000
        assert leading_silence_ms(chunk) < 60
        assert 0.2 < abs(sounds.samples_of(chunk)).max() <= 1.0


def test_the_same_text_is_the_same_sound(voice: Voice) -> None:
    assert list(voice.speak("Good evening.", voice="ash")) == list(
        voice.speak("Good evening.", voice="ash")
    )


def test_any_name_is_a_voice_and_they_sound_different(voice: Voice) -> None:
    names = ("heart", "alloy", "ash", "coral", "onyx", "somebody else")

    spoken = {name: b"".join(voice.speak("Good evening.", voice=name)) for name in names}

    assert len(set(spoken.values())) == len(names)
    usual = length_ms(spoken["heart"])
    assert all(0.85 * usual < length_ms(pcm) < 1.15 * usual for pcm in spoken.values())


def test_voices_differ_in_pitch(voice: Voice) -> None:
    def pitch_hz(name: str) -> float:
        speech = sounds.samples_of(b"".join(voice.speak("Oh no, no, no.", voice=name)))
        spectrum = abs(sounds.np.fft.rfft(speech))
        lags = sounds.np.fft.irfft(spectrum**2)[60:300]  # 80 to 400 Hz
        return 24_000 / (60 + int(lags.argmax()))

    assert pitch_hz("onyx") < 0.9 * pitch_hz("heart") < 0.9 * 1.02 * pitch_hz("shimmer")


def test_speed_is_speed(voice: Voice) -> None:
    text = "This sentence takes some seconds to say, unless one hurries."
    usual, slow, fast = (
        length_ms(b"".join(voice.speak(text, voice="heart", speed=speed)))
        for speed in (1.0, 0.5, 1.5)
    )

    assert 1.6 * usual < slow < 2.4 * usual
    assert 0.6 * usual < fast < 0.8 * usual


@pytest.mark.parametrize("text", ["", "   ", "...", "😀🎉", "你好", "Привет", "¯\\_(ツ)_/¯"])
def test_what_cannot_be_spoken_is_left_out(voice: Voice, text: str) -> None:
    assert list(voice.speak(text, voice="heart")) == []
    assert list(voice.speak(f"Hello {text} there.", voice="heart")) != []


def test_markup_is_not_read_aloud(voice: Voice) -> None:
    plain = b"".join(voice.speak("Read the manual.", voice="heart"))

    assert b"".join(voice.speak("Read **the** [manual](http://a.b/c).", voice="heart")) == plain


@settings(max_examples=60)
@given(
    st.text(max_size=60)
    | st.text(st.sampled_from("0123456789.,-/$%&'@ abcABC"), max_size=40)
    | st.text(st.characters(max_codepoint=0x24F), max_size=60)
)
def test_no_text_makes_it_fail(voice: Voice, text: str) -> None:
    for chunk in voice.speak(text, voice="heart"):
        assert chunk
        assert len(chunk) % 2 == 0


def test_a_very_long_sentence_is_spoken_in_parts_and_can_be_stopped(voice: Voice) -> None:
    endless = "and then they went on " * 100
    started = time.process_time()
    chunks = voice.speak(endless, voice="heart", cancelled=lambda: enough)
    enough = False

    assert length_ms(next(chunks)) < 20_000
    assert time.process_time() - started < 2.0  # a tenth of it, on any machine
    enough = True
    assert list(chunks) == []
