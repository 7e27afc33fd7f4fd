"""Turns: audio in, items out, and who may speak while."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.items import InputAudio, MessageItem
from realtime_actors.protocol import (
    ConversationItemAdded,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemRetrieved,
    ErrorDetail,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCleared,
    InputAudioBufferCommit,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    InputTokenDetails,
    ResponseDone,
    ServerError,
    TranscriptionUsage,
)
from realtime_actors.server.server_effects import (
    CancelGeneration,
    CancelRecognition,
    DetectTurns,
    Generate,
    Hear,
    JudgePause,
    Recognise,
    ResetDetector,
)
from realtime_actors.server.server_messages import (
    GenerationAudio,
    GenerationEnded,
    Tick,
    Transcribed,
    TranscriptionFailed,
)
from realtime_actors.server.turn_detection import (
    SilenceBegan,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TurnSettings,
)
from tests.server.talk import Talk, doings, emit, events, only, silence, speech, types

SERVER_VAD: dict[str, Any] = {"type": "server_vad"}


def set_input(**members: Any) -> dict[str, Any]:
    return {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"input": members}},
    }


def manual(**members: Any) -> Talk:
    """A conversation in which the client says where turns end."""
    talk = Talk()
    talk(set_input(turn_detection=None, **members))
    return talk


def append(audio: bytes) -> InputAudioBufferAppend:
    return InputAudioBufferAppend(audio=audio)


def turn(talk: Talk, *, start_ms: int = 0, end_ms: int = 1000) -> None:
    """Let the caller speak for a turn."""
    talk.all(append(silence(end_ms - start_ms)), SpeechStarted(start_ms), SpeechStopped(end_ms))


# --- without turn detection ------------------------------------------------------------------


def test_a_commit_makes_an_item_and_no_response() -> None:
    talk = manual()
    audio = speech(300)
    heard = MessageItem(id="item_1", status="completed", role="user", content=(InputAudio(),))

    assert talk(append(audio)) == ()
    assert talk(InputAudioBufferCommit()) == (
        emit(InputAudioBufferCommitted(item_id="item_1", previous_item_id=None)),
        emit(ConversationItemAdded(item=heard, previous_item_id=None)),
        emit(ConversationItemDone(item=heard, previous_item_id=None)),
        Recognise(item_id="item_1", attempt=1, audio=audio, audio_format="pcm16"),
    )


@pytest.mark.parametrize(("audio", "shown"), [(b"", "0.00"), (silence(99), "99.00")])
def test_less_than_100_ms_cannot_be_committed(audio: bytes, shown: str) -> None:
    talk = manual()
    if audio:
        talk(append(audio))

    effects = talk(InputAudioBufferCommit(event_id="mine"))

    assert effects == (
        emit(
            ServerError(
                error=ErrorDetail(
                    type="invalid_request_error",
                    code="input_audio_buffer_commit_empty",
                    message="Error committing input audio buffer: buffer too small. Expected at "
                    f"least 100ms of audio, but buffer only has {shown}ms of audio.",
                    event_id="mine",
                )
            )
        ),
    )


def test_clearing_forgets_the_audio() -> None:
    talk = manual()
    talk(append(silence(500)))

    assert talk(InputAudioBufferClear()) == (emit(InputAudioBufferCleared()),)
    assert types(talk(InputAudioBufferCommit())) == ["error"]


def test_a_commit_takes_what_came_since_the_last_one() -> None:
    talk = manual()
    talk.all(append(speech(200)), InputAudioBufferCommit(), append(silence(300)))

    effects = talk(InputAudioBufferCommit())

    assert only(InputAudioBufferCommitted, effects).previous_item_id == "item_1"
    [recognise] = doings(effects)
    assert isinstance(recognise, Recognise)
    assert recognise.audio == silence(300)


def test_the_model_is_asked_once_the_words_are_known() -> None:
    talk = manual()
    talk.all(append(speech(500)), InputAudioBufferCommit())

    waiting = talk({"type": "response.create"})
    answered = talk(Transcribed(item_id="item_1", attempt=1, text="Good morning."))

    assert types(waiting) == ["response.created", "rate_limits.updated"]
    assert doings(waiting) == []
    [generate] = answered
    assert isinstance(generate, Generate)
    [item] = generate.request.items
    assert isinstance(item, MessageItem)
    assert item.content == (InputAudio(transcript="Good morning."),)


def test_a_response_that_waits_can_be_cancelled() -> None:
    talk = manual()
    talk.all(append(speech(500)), InputAudioBufferCommit(), {"type": "response.create"})

    cancelled = talk({"type": "response.cancel"})

    assert types(cancelled) == ["response.done"]
    assert doings(cancelled) == []
    assert talk(Transcribed(item_id="item_1", attempt=1, text="Good morning.")) == ()


# --- words for the client --------------------------------------------------------------------


def test_a_transcript_comes_as_deltas_and_a_whole() -> None:
    talk = manual(transcription={"model": "gpt-4o-transcribe", "language": "en", "prompt": "Oslo"})
    committed = talk.all(append(silence(1250)), InputAudioBufferCommit())
    [recognise] = doings(committed)
    assert isinstance(recognise, Recognise)
    assert (recognise.language, recognise.prompt) == ("en", "Oslo")

    effects = talk(Transcribed(item_id="item_1", attempt=1, text="Hello from Oslo."))

    assert effects == (
        emit(ConversationItemInputAudioTranscriptionDelta(item_id="item_1", delta="Hello")),
        emit(ConversationItemInputAudioTranscriptionDelta(item_id="item_1", delta=" from")),
        emit(ConversationItemInputAudioTranscriptionDelta(item_id="item_1", delta=" Oslo.")),
        emit(
            ConversationItemInputAudioTranscriptionCompleted(
                item_id="item_1",
                transcript="Hello from Oslo.",
                usage=TranscriptionUsage(
                    type="tokens",
                    total_tokens=13 + 4,
                    input_tokens=13,
                    output_tokens=4,
                    input_token_details=InputTokenDetails(audio_tokens=13),
                ),
            )
        ),
    )


def test_whisper_gives_its_transcript_at_once_and_counts_seconds() -> None:
    talk = manual(transcription={"model": "whisper-1"})
    talk.all(append(silence(1250)), InputAudioBufferCommit())

    effects = talk(Transcribed(item_id="item_1", attempt=1, text="Hello from Oslo."))

    assert [type(event) for event in events(effects)] == [
        ConversationItemInputAudioTranscriptionDelta,
        ConversationItemInputAudioTranscriptionCompleted,
    ]
    completed = only(ConversationItemInputAudioTranscriptionCompleted, effects)
    assert completed.usage == TranscriptionUsage(type="duration", seconds=1.25)


def test_a_transcript_is_part_of_the_item_from_then_on() -> None:
    talk = manual(transcription={"model": "whisper-1"})
    audio = speech(300)
    talk.all(append(audio), InputAudioBufferCommit())
    talk(Transcribed(item_id="item_1", attempt=1, text="Hello."))

    retrieved = talk({"type": "conversation.item.retrieve", "item_id": "item_1"})

    item = only(ConversationItemRetrieved, retrieved).item
    assert isinstance(item, MessageItem)
    assert item.content == (InputAudio(audio=audio, transcript="Hello."),)


def test_a_failed_transcription_is_told_and_the_response_goes_on() -> None:
    talk = manual(transcription={"model": "whisper-1"})
    talk.all(append(speech(300)), InputAudioBufferCommit(), {"type": "response.create"})

    effects = talk(TranscriptionFailed(item_id="item_1", attempt=1, message="Too noisy."))

    failed = only(ConversationItemInputAudioTranscriptionFailed, effects)
    assert failed.error == ErrorDetail(
        type="transcription_error", code="audio_unintelligible", message="Too noisy."
    )
    assert [type(effect) for effect in doings(effects)] == [Generate]


def test_the_words_of_a_deleted_item_are_not_told() -> None:
    talk = manual(transcription={"model": "whisper-1"})
    talk.all(append(speech(300)), InputAudioBufferCommit())
    talk({"type": "conversation.item.delete", "item_id": "item_1"})

    assert talk(Transcribed(item_id="item_1", attempt=1, text="Hello.")) == ()


# --- with turn detection ---------------------------------------------------------------------


def test_turns_are_looked_for_from_the_beginning() -> None:
    talk = Talk()

    assert DetectTurns(settings=TurnSettings(), audio_format="pcm16", start_ms=0) in talk.opening
    assert talk(append(silence(20))) == (Hear(silence(20)),)


def test_a_turn_becomes_an_item_and_is_answered() -> None:
    talk = Talk()
    heard = MessageItem(id="item_1", status="completed", role="user", content=(InputAudio(),))
    talk(append(silence(200) + speech(500) + silence(600)))

    started = talk(SpeechStarted(0))
    paused = talk(SilenceBegan(900))
    recognised = talk(Transcribed(item_id="item_1", attempt=1, text="Hello."))
    stopped = talk(SpeechStopped(1200))

    assert started == (emit(InputAudioBufferSpeechStarted(item_id="item_1", audio_start_ms=0)),)
    assert paused == (
        Recognise(
            item_id="item_1",
            attempt=1,
            audio=silence(200) + speech(500) + silence(200),
            audio_format="pcm16",
        ),
    )
    assert recognised == ()
    assert stopped[:4] == (
        emit(InputAudioBufferSpeechStopped(item_id="item_1", audio_end_ms=1200)),
        emit(InputAudioBufferCommitted(item_id="item_1", previous_item_id=None)),
        emit(ConversationItemAdded(item=heard, previous_item_id=None)),
        emit(ConversationItemDone(item=heard, previous_item_id=None)),
    )
    assert types(stopped)[4:] == ["response.created", "rate_limits.updated"]
    [generate] = doings(stopped)
    assert isinstance(generate, Generate)


def test_a_caller_who_goes_on_is_recognised_anew() -> None:
    talk = Talk()
    talk.all(append(silence(2000)), SpeechStarted(0), SilenceBegan(500))

    resumed = talk(SpeechResumed(600))
    late = talk(Transcribed(item_id="item_1", attempt=1, text="Half a"))
    paused = talk(SilenceBegan(1500))

    assert resumed == (CancelRecognition(item_id="item_1", attempt=1),)
    assert late == ()
    [recognise] = paused
    assert isinstance(recognise, Recognise)
    assert (recognise.attempt, recognise.audio) == (2, silence(1500))


def test_a_turn_without_a_pause_is_recognised_at_its_end() -> None:
    talk = Talk()
    talk.all(append(silence(500)), SpeechStarted(100))

    effects = talk(SpeechStopped(400))

    [recognise] = doings(effects)
    assert isinstance(recognise, Recognise)
    assert recognise.audio == silence(300)


def test_a_turn_keeps_what_came_after_it() -> None:
    talk = Talk()
    talk.all(append(silence(500) + speech(200)), SpeechStarted(0), SpeechStopped(500))

    [recognise] = doings(talk(InputAudioBufferCommit()))[-1:]

    assert isinstance(recognise, Recognise)
    assert recognise.audio == speech(200)


def test_speech_interrupts_the_response() -> None:
    talk = Talk()
    talk({"type": "response.create"})
    talk(GenerationAudio("resp_1", silence(500)))

    effects = talk(SpeechStarted(0))

    assert types(effects)[0] == "input_audio_buffer.speech_started"
    assert CancelGeneration("resp_1") in effects
    done = only(ResponseDone, effects).response
    assert done.status_details is not None
    assert (done.status, done.status_details.reason) == ("cancelled", "turn_detected")


def test_speech_leaves_the_response_alone_when_it_may_not_interrupt() -> None:
    talk = Talk()
    talk(set_input(turn_detection={**SERVER_VAD, "interrupt_response": False}))
    talk({"type": "response.create"})

    assert types(talk.all(append(silence(500)), SpeechStarted(0))) == [
        "input_audio_buffer.speech_started"
    ]


def test_a_turn_that_could_not_be_answered_is_answered_when_the_response_is_done() -> None:
    talk = Talk()
    talk(set_input(turn_detection={**SERVER_VAD, "interrupt_response": False}))
    talk({"type": "response.create"})
    turn(talk)
    talk(Transcribed(item_id="item_1", attempt=1, text="And then?"))

    effects = talk(GenerationEnded(response_id="resp_1"))

    assert types(effects) == ["response.done", "response.created", "rate_limits.updated"]


def test_turns_may_be_found_and_not_answered() -> None:
    talk = Talk()
    talk(set_input(turn_detection={**SERVER_VAD, "create_response": False}))

    effects = talk.all(append(silence(500)), SpeechStarted(0), SpeechStopped(500))

    assert "response.created" not in types(effects)
    assert types(effects)[-1] == "conversation.item.done"


def test_a_commit_in_the_middle_of_a_turn_ends_it() -> None:
    talk = Talk()
    talk.all(append(silence(1000)), SpeechStarted(0), SilenceBegan(900))

    effects = talk(InputAudioBufferCommit())

    assert only(InputAudioBufferCommitted, effects).item_id == "item_1"
    assert doings(effects)[:2] == [
        CancelRecognition(item_id="item_1", attempt=1),
        ResetDetector(),
    ]
    assert talk(SpeechStopped(1100)) == ()


def test_clearing_drops_the_turn() -> None:
    talk = Talk()
    talk.all(append(silence(1000)), SpeechStarted(0))

    assert talk(InputAudioBufferClear()) == (ResetDetector(), emit(InputAudioBufferCleared()))
    assert talk(SpeechStopped(1100)) == ()


def test_switching_turn_detection_off_drops_the_turn() -> None:
    talk = Talk()
    talk.all(append(silence(1000)), SpeechStarted(0))

    effects = talk(set_input(turn_detection=None))

    assert doings(effects) == [DetectTurns(settings=None, audio_format="pcm16", start_ms=1000)]
    assert talk(SpeechStopped(1100)) == ()
    assert talk(SpeechStarted(1200)) == ()
    assert talk(append(silence(100))) == ()


def test_another_format_starts_another_detector() -> None:
    talk = Talk()
    talk(append(silence(1000)))

    effects = talk(set_input(format={"type": "audio/pcmu"}))

    assert doings(effects) == [
        DetectTurns(settings=TurnSettings(), audio_format="g711_ulaw", start_ms=1000)
    ]
    turn(talk, start_ms=1000, end_ms=2000)


def test_long_silence_is_not_kept() -> None:
    talk = Talk()
    for _ in range(100):
        talk(append(silence(1000)))

    [recognise] = doings(talk(InputAudioBufferCommit()))[-1:]

    assert isinstance(recognise, Recognise)
    assert len(recognise.audio) == len(silence(31_000))


def test_a_turn_that_is_told_late_is_still_whole() -> None:
    talk = Talk()
    talk(append(silence(90_000)))

    [recognise] = doings(talk.all(SpeechStarted(0), SilenceBegan(80_000)))

    assert isinstance(recognise, Recognise)
    assert len(recognise.audio) == len(silence(80_000))


def test_semantic_vad_judges_the_words_before_a_pause() -> None:
    talk = Talk()
    talk(set_input(turn_detection={"type": "semantic_vad", "eagerness": "high"}))
    talk.all(append(silence(1000)), SpeechStarted(0), SilenceBegan(800))

    effects = talk(Transcribed(item_id="item_1", attempt=1, text="I'd like a room."))

    assert effects == (JudgePause(text="I'd like a room.", audio_ms=800),)


# --- waiting for the caller ------------------------------------------------------------------


def idle(**members: Any) -> Talk:
    talk = Talk()
    talk(set_input(turn_detection={**SERVER_VAD, "idle_timeout_ms": 6000, **members}))
    return talk


def is_waiting(talk: Talk) -> bool:
    """Whether it waits for the caller, and for no more than the end of the session."""
    return talk.conversation.wakes_at != 3600.0


def test_a_caller_who_says_nothing_is_answered_after_a_while() -> None:
    talk = idle()
    talk(append(silence(1000)))
    talk({"type": "response.create"})
    talk(GenerationAudio("resp_1", silence(2000)))

    talk(GenerationEnded(response_id="resp_1"))
    talk(append(silence(8000)))
    # As long as it takes to play the answer, and six seconds.
    assert talk.conversation.wakes_at == 8.0
    assert talk(Tick(), at=7.9) == ()
    timed_out = talk(Tick(), at=8.0)

    assert only(InputAudioBufferTimeoutTriggered, timed_out) == InputAudioBufferTimeoutTriggered(
        event_id="event", item_id="item_2", audio_start_ms=3000, audio_end_ms=9000
    )
    assert types(timed_out)[:4] == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert types(timed_out)[4] == "response.created"


def test_a_caller_who_speaks_is_waited_for() -> None:
    talk = idle()
    talk.all({"type": "response.create"}, GenerationEnded(response_id="resp_1"))

    talk.all(append(silence(100)), SpeechStarted(0))

    assert not is_waiting(talk)
    assert talk(Tick(), at=60.0) == ()


def test_an_interrupted_response_starts_no_waiting() -> None:
    talk = idle()
    talk({"type": "response.create"})

    effects = talk(SpeechStarted(0))

    assert "response.done" in types(effects)
    assert not is_waiting(talk)


@pytest.mark.parametrize("ending", ["response", "commit", "setting"])
def test_whatever_happens_ends_the_waiting(ending: str) -> None:
    talk = idle()
    talk.all(append(silence(200)), {"type": "response.create"})
    talk(GenerationEnded(response_id="resp_1"))
    assert is_waiting(talk)

    talk(
        {
            "response": {"type": "response.create"},
            "commit": {"type": "input_audio_buffer.commit"},
            "setting": set_input(turn_detection=None),
        }[ending]
    )

    assert not is_waiting(talk)


def test_a_response_out_of_band_does_not_end_the_waiting() -> None:
    talk = idle()
    talk({"type": "response.create"})
    talk(GenerationEnded(response_id="resp_1"))

    talk({"type": "response.create", "response": {"conversation": "none"}})

    assert is_waiting(talk)


def test_the_caller_is_not_waited_for_while_the_next_turn_is_answered() -> None:
    talk = idle(interrupt_response=False)
    talk({"type": "response.create"})
    turn(talk)

    effects = talk(GenerationEnded(response_id="resp_1"))

    assert types(effects)[:2] == ["response.done", "response.created"]
    assert not is_waiting(talk)
