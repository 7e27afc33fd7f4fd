from __future__ import annotations

import struct

from realtime_actors.agent import Agent
from realtime_actors.agent import Handoff as HandoffTool
from realtime_actors.audio import encode_audio
from realtime_actors.events import (
    AgentStartEvent,
    Audio,
    AudioEndEvent,
    AudioEvent,
    AudioInterruptedEvent,
    ConnectionEvent,
    ErrorEvent,
    ErrorInfo,
    Event,
    GuardrailTrippedEvent,
    HandoffEvent,
    InputAudioDroppedEvent,
    InputTranscriptEvent,
    SpeechStartedEvent,
    SpeechStoppedEvent,
    ToolApprovalRequiredEvent,
    ToolEndEvent,
    ToolStartEvent,
    TranscriptDeltaEvent,
)
from realtime_actors.recording import (
    BargeIn,
    Handoff,
    Note,
    Problem,
    Recorder,
    Timeline,
    ToolCall,
    Turn,
)

DESK, BILLING = Agent(name="Desk"), Agent(name="Billing")


def loud(seconds: float, *, rate_hz: int = 24_000) -> bytes:
    return struct.pack("<2h", 8000, -8000) * round(seconds * rate_hz / 2)


def quiet(seconds: float) -> bytes:
    return bytes(round(seconds * 24_000) * 2)


def spoken(item_id: str, pcm: bytes, *, response_id: str = "r1") -> AudioEvent:
    return AudioEvent(
        audio=Audio(data=pcm, response_id=response_id, item_id=item_id, content_index=0)
    )


def caller_says(recorder: Recorder, text: str, *, item_id: str = "u1") -> None:
    """From second 100: half a second of room, one of speech, half a second of room."""
    for index, frame in enumerate((quiet(0.5), loud(1.0), quiet(0.5))):
        recorder.sent(frame, 100.0 + (0, 0.5, 1.5)[index])
    # The server's bounds take in silence on both sides.
    received(
        recorder,
        102.0,
        SpeechStartedEvent(item_id=item_id, audio_start_ms=200),
        SpeechStoppedEvent(item_id=item_id, audio_end_ms=2000),
        InputTranscriptEvent(item_id=item_id, status="completed", text=text),
    )


def received(recorder: Recorder, now: float, *events: Event) -> None:
    for event in events:
        recorder.received(event, now)


def test_a_question_and_its_answer_make_two_turns_with_the_time_between_them() -> None:
    recorder = Recorder(100.0)

    caller_says(recorder, "When are you open?")
    received(recorder, 102.1, AgentStartEvent(agent=DESK, response_id="r1"))
    received(
        recorder,
        102.2,
        spoken("a1", loud(1.0)),
        TranscriptDeltaEvent(response_id="r1", item_id="a1", content_index=0, delta="At "),
        TranscriptDeltaEvent(response_id="r1", item_id="a1", content_index=0, delta="ten."),
        AudioEndEvent(response_id="r1", item_id="a1", content_index=0),
    )

    assert recorder.timeline(104.0) == Timeline(
        length=4.0,
        turns=(
            Turn(
                id="u1",
                speaker="caller",
                name="Caller",
                starts_at=0.5,
                ends_at=1.5,
                text="When are you open?",
            ),
            Turn(
                id="a1",
                speaker="agent",
                name="Desk",
                starts_at=2.2,
                ends_at=3.2,
                text="At ten.",
                latency_ms=700,
            ),
        ),
    )


def test_sound_that_comes_faster_than_it_is_played_is_heard_in_real_time() -> None:
    recorder = Recorder(100.0)
    received(recorder, 100.5, spoken("a1", loud(1.0)), spoken("a1", loud(2.0)))

    assert recorder.playing_until == 103.5

    recording = recorder.finish(104.0)
    assert recording.agent == quiet(0.5) + loud(3.0) + quiet(0.5)
    assert recording.caller == quiet(4.0)


def test_what_the_caller_talked_over_was_never_heard() -> None:
    recorder = Recorder(100.0)
    received(recorder, 100.0, AgentStartEvent(agent=DESK, response_id="r1"))
    received(recorder, 101.0, spoken("a1", loud(4.0)))

    received(recorder, 102.0, AudioInterruptedEvent(response_id="r1", item_id="a1", heard_ms=1000))

    recording = recorder.finish(103.0)
    assert recording.agent == quiet(1.0) + loud(1.0) + quiet(1.0)
    assert recording.timeline.barge_ins == (BargeIn(at=2.0, turn_id="a1", heard_ms=1000),)
    assert [(turn.heard, turn.ends_at) for turn in recording.timeline.turns] == [(0.25, 2.0)]


def test_another_connection_counts_the_callers_audio_from_zero() -> None:
    recorder = Recorder(100.0)
    recorder.sent(quiet(3.0), 100.0)
    received(recorder, 103.0, ConnectionEvent(state="connected", reason="for a voice"))
    recorder.sent(quiet(0.5), 103.0)
    recorder.sent(loud(1.0), 103.5)

    received(
        recorder,
        104.5,
        SpeechStartedEvent(item_id="u2", audio_start_ms=400),
        SpeechStoppedEvent(item_id="u2", audio_end_ms=1500),
    )

    (turn,) = recorder.timeline(105.0).turns
    assert (round(turn.starts_at, 1), round(turn.ends_at, 1)) == (3.5, 4.5)


def test_an_interruption_after_the_last_sound_cuts_nothing() -> None:
    recorder = Recorder(100.0)
    received(recorder, 100.0, spoken("a1", loud(1.0)))

    received(recorder, 102.0, AudioInterruptedEvent(response_id="r1", item_id="a1", heard_ms=1000))

    timeline = recorder.timeline(103.0)
    assert timeline.barge_ins == ()
    assert not timeline.turns[0].cut_short


def test_what_follows_an_interruption_is_played_at_once() -> None:
    recorder = Recorder(100.0)
    received(recorder, 100.0, spoken("a1", loud(60.0)))
    received(recorder, 101.0, AudioInterruptedEvent(response_id="r1", item_id="a1", heard_ms=1000))

    received(recorder, 102.0, spoken("a2", loud(1.0), response_id="r2"))

    assert recorder.playing_until == 103.0


def test_only_the_first_sound_answers_a_question() -> None:
    recorder = Recorder(100.0)
    caller_says(recorder, "Hello?")

    received(recorder, 102.5, spoken("a1", loud(0.5)), spoken("a2", loud(0.5)))

    turns = recorder.timeline(104.0).turns_of("agent")
    assert [turn.latency_ms for turn in turns] == [1000, None]


def test_a_turn_is_complete_when_nothing_more_of_it_can_come() -> None:
    recorder = Recorder(100.0)
    recorder.sent(loud(1.0), 100.0)
    received(
        recorder,
        101.0,
        SpeechStartedEvent(item_id="u1", audio_start_ms=0),
        SpeechStoppedEvent(item_id="u1", audio_end_ms=1000),
        spoken("a1", loud(0.5)),
    )

    assert [turn.complete for turn in recorder.timeline(101.0).turns] == [False, False]

    received(
        recorder,
        101.5,
        InputTranscriptEvent(item_id="u1", status="failed"),
        AudioEndEvent(response_id="r1", item_id="a1", content_index=0),
    )

    assert [turn.complete for turn in recorder.timeline(101.5).turns] == [True, True]


def test_tool_calls_handoffs_and_problems_are_kept_with_their_times() -> None:
    recorder = Recorder(100.0)
    received(
        recorder,
        101.0,
        ToolStartEvent(agent=DESK, tool=None, name="hours", call_id="c1", arguments="{}"),
    )
    received(
        recorder,
        101.25,
        ToolEndEvent(agent=DESK, tool=None, name="hours", call_id="c1", output="Ten to four."),
    )
    received(recorder, 102.0, HandoffEvent(from_agent=DESK, to_agent=BILLING))
    received(recorder, 103.0, ErrorEvent(error=ErrorInfo(type="server_error", message="Oh.")))

    assert recorder.timeline(104.0) == Timeline(
        length=4.0,
        tool_calls=(
            ToolCall(
                id="c1",
                agent="Desk",
                name="hours",
                starts_at=1.0,
                ends_at=1.25,
                arguments="{}",
                output="Ten to four.",
            ),
        ),
        handoffs=(Handoff(at=2.0, from_agent="Desk", to_agent="Billing"),),
        problems=(Problem(at=3.0, message="Oh."),),
    )


def test_approvals_and_guardrails_are_noted() -> None:
    recorder = Recorder(100.0)
    waits = ToolApprovalRequiredEvent(
        agent=DESK, tool=None, name="book", call_id="c1", arguments="{}"
    )
    stopped = GuardrailTrippedEvent(guardrail="no_codes", response_id="r1", item_id="i1")
    received(recorder, 101.0, waits)
    received(recorder, 102.0, stopped)

    assert recorder.timeline(104.0).notes == (
        Note(at=1.0, kind="approval", text="book waits for somebody to approve it"),
        Note(at=2.0, kind="guardrail", text="no_codes stopped what the agent was saying"),
    )


def test_a_handoff_is_no_tool_call_unless_it_fails() -> None:
    recorder = Recorder(100.0)
    tool = HandoffTool(BILLING)

    for call_id, error in (("c1", None), ("c2", "nobody there")):
        received(
            recorder,
            101.0,
            ToolEndEvent(
                agent=DESK,
                tool=tool,
                name=tool.tool_name,
                call_id=call_id,
                output="",
                error=error,
            ),
        )

    assert [call.id for call in recorder.timeline(102.0).tool_calls] == ["c2"]


def test_a_telephone_call_is_recorded_at_the_recordings_own_rate() -> None:
    recorder = Recorder(100.0, input_format="g711_ulaw", output_format="g711_alaw")

    recorder.sent(encode_audio(loud(1.0, rate_hz=8000), "g711_ulaw"), 100.0)
    received(recorder, 100.5, spoken("a1", encode_audio(loud(1.0, rate_hz=8000), "g711_alaw")))

    recording = recorder.finish(102.0)
    assert recorder.playing_until == 101.5
    assert (len(recording.caller), len(recording.agent)) == (96_000, 96_000)


def test_a_turn_after_lost_audio_stands_where_the_caller_said_it() -> None:
    recorder = Recorder(100.0)
    recorder.sent(quiet(1.0) + loud(1.0) + quiet(1.0), 100.0)
    # Of these three seconds, the server never got 400 ms of the first one.
    received(
        recorder,
        103.0,
        InputAudioDroppedEvent(dropped_ms=400, audio_start_ms=300),
        SpeechStartedEvent(item_id="u1", audio_start_ms=500),
        SpeechStoppedEvent(item_id="u1", audio_end_ms=1900),
    )

    timeline = recorder.timeline(103.0)

    (turn,) = timeline.turns
    assert (round(turn.starts_at, 1), round(turn.ends_at, 1)) == (1.0, 2.0)
    assert timeline.problems == (
        Problem(
            at=3.0, message="400 ms of what the caller said were lost: the network was too slow"
        ),
    )
