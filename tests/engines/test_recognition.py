"""What is said is what is understood, whoever says it and over whichever line."""

from __future__ import annotations

import threading

import pytest

from realtime_actors.server.engines import Recognizer, Transcript, Voice
from tests.engines import sounds

jiwer = pytest.importorskip("jiwer", reason="the extra [dev] is not installed: jiwer")
pytestmark = pytest.mark.local


def word_error_rate(recognizer: Recognizer, speech: list[tuple[str, bytes]]) -> float:
    heard = [sounds.plain(recognizer.transcribe(pcm).text) for _, pcm in speech]
    rate: float = jiwer.wer([sounds.plain(text) for text, _ in speech], heard)
    return rate


def spoken(voice: Voice, text: str, name: str = "heart") -> bytes:
    return b"".join(voice.speak(text, voice=name))


def over_the_telephone(speech: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [
        (text, sounds.resampled(sounds.by_telephone(pcm, 16_000), 8_000, 16_000))
        for text, pcm in speech
    ]


def test_synthesised_speech_is_understood(recognizer: Recognizer, voice: Voice) -> None:
    speech = [
        (text, sounds.resampled(spoken(voice, text), 24_000, 16_000)) for text in sounds.SENTENCES
    ]

    assert word_error_rate(recognizer, speech) <= 0.05
    assert word_error_rate(recognizer, over_the_telephone(speech)) <= 0.06


@pytest.mark.parametrize("name", ["ash", "shimmer"])
def test_other_voices_are_understood_as_well(
    recognizer: Recognizer, voice: Voice, name: str
) -> None:
    speech = [
        (text, sounds.resampled(spoken(voice, text, name), 24_000, 16_000))
        for text in sounds.SENTENCES[::2]
    ]

    assert word_error_rate(recognizer, speech) <= 0.06


def test_people_reading_aloud_are_understood(recognizer: Recognizer) -> None:
    speech = sounds.readings(16_000)

    assert word_error_rate(recognizer, speech) <= 0.06
    assert word_error_rate(recognizer, over_the_telephone(speech)) <= 0.06


def test_recorded_telephone_prompts_are_understood(recognizer: Recognizer) -> None:
    speech = sounds.prompts(16_000, count=40)

    assert word_error_rate(recognizer, speech) <= 0.06
    assert word_error_rate(recognizer, over_the_telephone(speech)) <= 0.06


def test_nothing_is_heard_in_sounds_that_are_no_speech(recognizer: Recognizer) -> None:
    heard = {
        name: recognizer.transcribe(sounds.pcm16(sound)).text
        for name, sound in sounds.not_speech(16_000, seconds=3).items()
    }

    assert heard == dict.fromkeys(heard, "")


@pytest.mark.parametrize("length_bytes", [0, 2, 160])
def test_hardly_any_sound_is_no_error(recognizer: Recognizer, length_bytes: int) -> None:
    assert recognizer.transcribe(bytes(length_bytes)).text == ""


def test_a_cancelled_recognition_ends_without_a_text(recognizer: Recognizer, voice: Voice) -> None:
    pcm = sounds.resampled(spoken(voice, sounds.SENTENCES[0]), 24_000, 16_000)

    assert recognizer.transcribe(pcm, cancelled=lambda: True) == Transcript(text="")


def test_speech_longer_than_the_model_can_look_at_is_cut_where_it_is_quiet(
    recognizer: Recognizer, voice: Voice
) -> None:
    pcm = sounds.resampled(spoken(voice, " ".join(sounds.SENTENCES)), 24_000, 16_000)
    assert len(pcm) > 45 * 32_000

    assert word_error_rate(recognizer, [(" ".join(sounds.SENTENCES), pcm)]) <= 0.05


def test_a_prompt_tells_how_a_name_is_written(recognizer: Recognizer, voice: Voice) -> None:
    pcm = sounds.resampled(spoken(voice, "Please call Katharyne."), 24_000, 16_000)

    assert "Katharyne" not in recognizer.transcribe(pcm).text
    assert "Katharyne" in recognizer.transcribe(pcm, prompt="Katharyne Smythe, Katharyne").text


def test_several_threads_get_their_own_texts(recognizer: Recognizer, voice: Voice) -> None:
    speech = {
        text: sounds.resampled(spoken(voice, text), 24_000, 16_000) for text in sounds.SENTENCES[:4]
    }
    heard: dict[str, str] = {}

    def listen(text: str) -> None:
        heard[text] = recognizer.transcribe(speech[text]).text

    threads = [threading.Thread(target=listen, args=(text,)) for text in speech]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    alone = {text: recognizer.transcribe(pcm).text for text, pcm in speech.items()}
    assert heard == alone
