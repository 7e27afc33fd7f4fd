"""What engines do for a response: words, then their sound, in pieces of the right size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import define, evolve

from realtime_actors.audio import decode_audio
from realtime_actors.server.answering import answer, transcribe
from realtime_actors.server.engines.energy import EnergyDetector
from realtime_actors.server.engines.interfaces import (
    BrainOutput,
    BrainRequest,
    Cancelled,
    EngineError,
    Engines,
    Finished,
    TextDelta,
    ToolCallDelta,
    Transcript,
    never,
)
from realtime_actors.server.engines.tone import ToneVoice
from realtime_actors.server.server_effects import Generate, Recognise, Speech
from realtime_actors.server.server_messages import (
    GenerationAudio,
    GenerationEnded,
    GenerationFailed,
    GenerationFinding,
    GenerationText,
    GenerationToolCall,
    Transcribed,
    TranscriptionFailed,
)
from tests.server.talk import silence

SPEECH = Speech(voice="alloy", speed=1.0, audio_format="pcm16")


@define
class Brain:
    """Says what it is given; an exception is raised in its place."""

    outputs: list[BrainOutput | Exception]
    closed: bool = False

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        try:
            for output in self.outputs:
                if isinstance(output, Exception):
                    raise output
                yield output
        finally:
            self.closed = True


@define
class Recognizer:
    """Remembers what it heard."""

    result: Transcript | Exception
    heard: bytes = b""
    rate_hz: int = 16_000

    def transcribe(
        self,
        pcm: bytes,
        *,
        language: str | None = None,
        prompt: str | None = None,
        cancelled: Cancelled = never,
    ) -> Transcript:
        self.heard = pcm
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def engines(brain: Brain, recognizer: Recognizer | None = None) -> Engines:
    # 100 ms for each letter, and none between sentences.
    voice = ToneVoice(character_ms=100, pause_ms=0)
    return Engines(detector=EnergyDetector, recognizer=recognizer, brain=brain, voice=voice)


def findings(
    *outputs: BrainOutput | Exception, speech: Speech | None = SPEECH
) -> list[GenerationFinding]:
    effect = Generate(response_id="r", request=BrainRequest(), speech=speech)
    return list(answer(effect, engines(Brain(list(outputs))), never))


def kinds(found: list[GenerationFinding]) -> str:
    """t for text, a for audio, c for a call, e for the end."""
    letters = {
        GenerationText: "t",
        GenerationAudio: "a",
        GenerationToolCall: "c",
        GenerationEnded: "e",
        GenerationFailed: "f",
    }
    return "".join(letters[type(each)] for each in found)


def test_a_sentence_is_spoken_as_soon_as_it_is_over() -> None:
    found = findings(TextDelta("Hi. "), TextDelta("You"), TextDelta("?"), Finished())

    assert kinds(found) == "t" + "aa" + "tt" + "aaa" + "e"


@pytest.mark.parametrize(("law", "size"), [("pcm16", 4800), ("g711_ulaw", 800), ("g711_alaw", 800)])
def test_speech_comes_in_pieces_of_100_ms(law: str, size: int) -> None:
    found = findings(TextDelta("Hello."), Finished(), speech=evolve(SPEECH, audio_format=law))

    audio = [each.audio for each in found if isinstance(each, GenerationAudio)]
    assert [len(piece) for piece in audio] == [size] * 5
    assert any(decode_audio(audio[2], law))


def test_a_call_waits_until_all_is_said() -> None:
    call = ToolCallDelta(index=0, name="weather", arguments="{}", call_id="c")

    found = findings(TextDelta("Wait"), call, Finished(reason="stop", input_tokens=5))

    assert kinds(found) == "t" + "aaaa" + "c" + "e"
    assert found[-2:] == [
        GenerationToolCall(response_id="r", index=0, name="weather", arguments="{}", call_id="c"),
        GenerationEnded(response_id="r", reason="stop", input_tokens=5),
    ]


def test_text_alone_needs_no_voice() -> None:
    assert kinds(findings(TextDelta("Hi."), Finished(), speech=None)) == "te"


def test_a_text_that_cannot_be_spoken_comes_without_sound() -> None:
    assert kinds(findings(TextDelta("😀"), Finished())) == "te"


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([EngineError("out of order")], "out of order"),
        ([TextDelta("Well")], "The model stopped in the middle of its answer."),
    ],
)
def test_an_answer_that_fails_says_why(
    outputs: list[BrainOutput | Exception], message: str
) -> None:
    assert findings(*outputs)[-1] == GenerationFailed(response_id="r", message=message)


def test_a_fault_of_an_engine_is_logged_and_kept_from_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = findings(ZeroDivisionError("an inner matter"))

    assert found == [GenerationFailed(response_id="r", message="The model failed.")]
    assert "an inner matter" in caplog.text


def test_closing_an_answer_closes_the_brain() -> None:
    brain = Brain([TextDelta("One. "), TextDelta("Two. "), Finished()])
    effect = Generate(response_id="r", request=BrainRequest(), speech=SPEECH)

    found = answer(effect, engines(brain), never)
    next(found)
    found.close()

    assert brain.closed


def heard(recognizer: Recognizer | None, law: str = "pcm16") -> Transcribed | TranscriptionFailed:
    audio = silence(1000) if law == "pcm16" else bytes(8000)
    effect = Recognise(item_id="i", attempt=1, audio=audio, audio_format=law)
    return transcribe(effect, engines(Brain([]), recognizer), never)


@pytest.mark.parametrize("law", ["pcm16", "g711_ulaw"])
def test_a_recogniser_gets_its_own_rate(law: str) -> None:
    recognizer = Recognizer(Transcript(text="Hello."))

    assert heard(recognizer, law) == Transcribed(item_id="i", attempt=1, text="Hello.")
    assert len(recognizer.heard) == 16_000 * 2


@pytest.mark.parametrize(
    ("recognizer", "message"),
    [
        (None, "This server has no speech recognition."),
        (Recognizer(EngineError("no model")), "no model"),
        (Recognizer(ZeroDivisionError()), "The speech recognition failed."),
    ],
)
def test_what_cannot_be_recognised_fails_with_a_reason(
    recognizer: Recognizer | None, message: str
) -> None:
    assert heard(recognizer) == TranscriptionFailed(item_id="i", attempt=1, message=message)
