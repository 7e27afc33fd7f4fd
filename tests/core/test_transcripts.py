"""What the user said: every turn of speech ends exactly once, and stays in its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, SessionModelSettings, TranscriptionConfig
from realtime_actors.core.effects import CancelTimer, Publish, Send, SetTimer
from realtime_actors.core.history.transcripts import (
    ASK_AFTER,
    GIVE_UP_AFTER,
    OPEN_FOR,
    transcript_timer,
)
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ConnectionLost, TimerFired
from realtime_actors.events import InputTranscriptEvent, InputTranscriptSegmentEvent
from realtime_actors.items import InputAudio, InputText, MessageItem
from realtime_actors.usage import SessionUsage
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    answers,
    ask,
    committed,
    empty,
    heard,
    item_done,
    live,
    long_lists,
    only,
    play,
    sent,
    sent_types,
    texts,
    times,
    updated,
    user_speaks,
    user_stops,
    user_words,
    written,
)

TIMER = transcript_timer("u1")


def writing_down(**asked: Any) -> SessionMachine:
    """A machine whose server writes down what the user says."""
    settings: dict[str, Any] = {"input_audio_transcription": TranscriptionConfig(model="whisper-1")}
    return live(settings=SessionModelSettings(**settings, **asked.pop("settings", {})), **asked)


def failed(item_id: str = "u1") -> wire.ConversationItemInputAudioTranscriptionFailed:
    error = wire.ErrorDetail(code="audio_unintelligible", message="unclear")
    return wire.ConversationItemInputAudioTranscriptionFailed(item_id=item_id, error=error)


def partial(delta: str) -> wire.ConversationItemInputAudioTranscriptionDelta:
    return wire.ConversationItemInputAudioTranscriptionDelta(item_id="u1", delta=delta)


def ends(effects: Any) -> list[tuple[str, str]]:
    """How turns of speech ended, and with which words."""
    told = only(InputTranscriptEvent, effects)
    return [(event.status, event.text) for event in told if event.status != "partial"]


def test_a_turn_of_speech_waits_for_its_words() -> None:
    machine = writing_down()

    effects = machine.handle(committed("u1"), now=0.0)

    assert SetTimer(TIMER, ASK_AFTER) in effects
    assert ends(effects) == []


def test_words_come_in_pieces_and_then_as_a_whole() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")))

    effects = play(machine, partial("Good "), partial("mor"), user_words("Good morning.", "u1"))

    told = [(each.status, each.text, each.delta) for each in only(InputTranscriptEvent, effects)]
    assert told == [
        ("partial", "Good ", "Good "),
        ("partial", "Good mor", "mor"),
        ("completed", "Good morning.", ""),
    ]
    assert CancelTimer(TIMER) in effects
    assert texts(machine) == [("u1", "Good morning.")]


@pytest.mark.parametrize(
    "late", [user_words("Late.", "u1"), failed(), TimerFired(TIMER), partial("L")]
)
@pytest.mark.parametrize(
    ("first", "status"), [(user_words("Hello.", "u1"), "completed"), (failed(), "failed")]
)
def test_a_turn_ends_once_whatever_comes_late(first, status, late) -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")))

    assert [each for each, _ in ends(machine.handle(first, now=0.0))] == [status]
    assert only(InputTranscriptEvent, machine.handle(late, now=1.0)) == []
    assert only(InputTranscriptEvent, machine.handle(committed("u1"), now=2.0)) == []


def test_where_transcription_is_switched_off_a_turn_ends_at_once() -> None:
    machine = live(settings=SessionModelSettings(input_audio_transcription=OFF))

    effects = machine.handle(committed("u1"), now=0.0)

    assert ends(effects) == [("disabled", "")]
    assert only(SetTimer, effects) == []


def test_words_that_do_not_come_are_asked_for_once_and_then_given_up() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")))

    asking = machine.handle(TimerFired(TIMER), now=ASK_AFTER)
    giving_up = machine.handle(TimerFired(TIMER), now=ASK_AFTER + GIVE_UP_AFTER)

    assert asking == [
        Send(wire.ConversationItemRetrieve(item_id="u1")),
        SetTimer(TIMER, GIVE_UP_AFTER),
    ]
    assert ends(giving_up) == [("timed_out", "")]
    assert machine.handle(TimerFired(TIMER), now=100.0) == []


def test_what_is_retrieved_fills_in_the_words() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")), TimerFired(TIMER))

    retrieved = wire.ConversationItemRetrieved(item=heard("u1", "Found."))

    assert ends(machine.handle(retrieved, now=1.0)) == [("completed", "Found.")]
    assert texts(machine) == [("u1", "Found.")]


def test_the_words_of_a_lost_connection_are_lost_with_it() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")))

    effects = machine.handle(ConnectionLost(code=1006, reason="gone"), now=0.0)

    (event,) = only(InputTranscriptEvent, effects)
    assert (event.item_id, event.status) == ("u1", "failed")
    assert event.error is not None
    assert event.error.type == "connection_lost"
    closing = machine.handle(ask(messages.Close()), now=1.0)
    assert only(InputTranscriptEvent, closing) == []


def test_a_turn_that_was_spoken_earlier_stands_before_the_answer_that_came_first() -> None:
    machine = after(
        writing_down(),
        added(written("u0")),
        committed("u1", "u0"),
        added(empty("a1"), "u1"),
        added(heard("u1"), "u0"),
        user_words("First.", "u1"),
    )

    assert [item_id for item_id, _ in texts(machine)] == ["u0", "u1", "a1"]


def test_an_item_comes_to_stand_behind_the_one_it_follows_when_that_comes() -> None:
    trace = [added(written("u0")), added(written("u2"), "u1"), added(written("u3"), "u2")]
    machine = after(live(), *trace, added(written("u1"), "u0"), added(written("u4"), "u0"))

    assert [item_id for item_id, _ in texts(machine)] == ["u0", "u4", "u1", "u2", "u3"]


def test_progress_puts_off_the_asking() -> None:
    machine = after(writing_down(), committed("u1"))

    effects = machine.handle(partial("Good "), now=10.0)

    assert isinstance(effects[0], Publish)
    assert effects[1:] == [SetTimer(TIMER, ASK_AFTER)]


# --- transcripts as servers really send them ----------------------------------------------------


def delta(text: str, index: int = 0, item_id: str = "u1") -> AnyMessage:
    return wire.ConversationItemInputAudioTranscriptionDelta(
        item_id=item_id, content_index=index, delta=text
    )


def completed(text: str | None, **more: Any) -> AnyMessage:
    return wire.ConversationItemInputAudioTranscriptionCompleted(
        item_id="u1", transcript=text, **more
    )


def segment(text: str, speaker: str = "A", item_id: str = "u1") -> AnyMessage:
    return wire.ConversationItemInputAudioTranscriptionSegment(
        item_id=item_id, text=text, speaker=speaker, id="seg_1", start=0.5, end=1.25
    )


def told(effects: Any) -> list[tuple[str, str]]:
    return [(event.status, event.text) for event in only(InputTranscriptEvent, effects)]


def test_words_that_come_while_the_user_still_speaks_are_all_words_so_far() -> None:
    effects = play(writing_down(), delta("Hey"), delta(" you"), committed("u1"), completed("Hey!"))

    assert told(effects) == [("partial", "Hey"), ("partial", "Hey you"), ("completed", "Hey!")]


def test_servers_that_send_all_words_again_count_how_often_they_did() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")))

    effects = play(
        machine,
        delta("Hey", 0),
        delta("Hey you", 1),
        delta("Hay", 1),  # more of the same count is more of the same words
        delta("Hello", 3),
        delta("Hey", 2),  # overtaken
    )

    events = only(InputTranscriptEvent, effects)
    assert [(event.text, event.delta, event.content_index) for event in events] == [
        ("Hey", "Hey", 0),
        ("Hey you", " you", 0),
        ("Hey youHay", "Hay", 0),
        ("Hello", "", 0),
        ("Hello", "", 0),
    ]
    assert texts(machine) == [("u1", "Hello")]


@pytest.mark.parametrize("first", [[delta("Hey")], []])
def test_words_find_their_part_wherever_the_speech_is_in_the_item(first) -> None:
    item = MessageItem(id="u1", role="user", content=(InputText("Listen:"), InputAudio()))
    machine = after(writing_down(), committed("u1"), *first, added(item))

    effects = play(machine, delta(" you", 0 if first else 1), completed("Hey you."))

    assert told(effects)[-1] == ("completed", "Hey you.")
    (kept,) = machine.history
    assert kept.content == (InputText("Listen:"), InputAudio(transcript="Hey you."))


def test_words_that_came_when_the_item_was_no_speech_are_kept() -> None:
    machine = after(writing_down(), added(written("u1", "Listen:")), delta("Hey you", 2))
    after(machine, item_done(heard("u1")))

    assert told(machine.handle(completed(None), now=0.0)) == [("completed", "Hey you")]
    assert texts(machine) == [("u1", "Hey you")]


@pytest.mark.parametrize("silence", [completed(None), completed("")])
def test_silence_ends_a_turn_at_once(silence) -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")))

    assert told(machine.handle(silence, now=0.0)) == [("completed", "")]


def test_an_end_without_words_keeps_those_that_are_known() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")), delta("Hey you"))

    assert told(machine.handle(completed(None), now=0.0)) == [("completed", "Hey you")]
    assert texts(machine) == [("u1", "Hey you")]


def test_a_turn_that_times_out_keeps_the_words_that_are_known() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")), delta("Hey you"))

    effects = play(machine, TimerFired(TIMER), TimerFired(TIMER))

    assert ends(effects) == [("timed_out", "Hey you")]
    assert texts(machine) == [("u1", "Hey you")]


@pytest.mark.parametrize("end", [failed(), ConnectionLost(code=1006)])
def test_so_does_one_that_fails(end) -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")), delta("Hey you"))

    assert ends(machine.handle(end, now=0.0)) == [("failed", "Hey you")]


@pytest.mark.parametrize(
    "sign",
    [
        [committed("u1")],
        [added(heard("u1"))],
        [user_stops("u1")],
        [user_speaks("u2")],
        [committed("u2")],
        [delta("And", item_id="u2")],
        [],
    ],
)
def test_a_turn_without_a_commit_has_an_end_too(sign) -> None:
    machine = after(writing_down(), delta("Hey you"), *sign)

    effects = [
        effect
        for _ in range(2)
        if (effects := machine.handle(TimerFired(TIMER), now=60.0))
        for effect in effects
    ]

    assert ends(effects) == [("timed_out", "Hey you")]
    assert ("u1", "Hey you") in texts(machine)


def test_the_server_is_not_asked_for_an_item_that_it_has_never_told() -> None:
    machine = after(writing_down(), delta("Hey you"))

    assert sent(machine.handle(TimerFired(TIMER), now=60.0)) == []


def test_a_turn_that_the_server_never_ends_is_not_waited_for_for_ever() -> None:
    effects = after(writing_down(), user_speaks("u1")).handle(delta("Hey you"), now=0.0)

    assert SetTimer(TIMER, OPEN_FOR) in effects


def test_where_the_program_ends_the_turns_it_may_take_its_time() -> None:
    machine = writing_down(settings={"turn_detection": OFF})

    effects = machine.handle(delta("Hey you"), now=0.0)

    assert only(SetTimer, effects) == []
    assert only(SetTimer, machine.handle(committed("u1"), now=600.0)) == [
        SetTimer(TIMER, ASK_AFTER)
    ]


def test_what_is_thrown_away_has_an_end() -> None:
    machine = after(writing_down(), delta("Hey you"))

    (event,) = only(InputTranscriptEvent, machine.handle(wire.InputAudioBufferCleared(), now=0.0))

    assert (event.status, event.text) == ("failed", "Hey you")
    assert event.error is not None
    assert event.error.type == "input_cleared"


def test_a_transcription_is_paid_once_however_often_it_comes() -> None:
    usage = wire.TranscriptionUsage(type="duration", seconds=3.0)
    machine = after(writing_down(), committed("u1"), added(heard("u1")))

    after(machine, completed("Hey.", usage=usage), completed("Hey.", usage=usage))

    (answer,) = answers(machine.handle(ask(messages.Usage()), now=0.0))
    assert isinstance(answer, SessionUsage)
    assert answer.transcribed_seconds == 3.0


def test_words_that_are_better_known_later_go_into_the_history_without_a_second_end() -> None:
    machine = after(writing_down(), committed("u1"), added(heard("u1")), delta("Hay"))
    after(machine, TimerFired(TIMER), TimerFired(TIMER))

    effects = machine.handle(completed("Hey you."), now=30.0)

    assert only(InputTranscriptEvent, effects) == []
    assert texts(machine) == [("u1", "Hey you.")]


class TestSpeakers:
    def test_what_each_of_them_says_is_told(self) -> None:
        machine = after(writing_down(), committed("u1"), added(heard("u1")))

        effects = machine.handle(segment("Hey you.", "B"), now=0.0)

        assert only(InputTranscriptSegmentEvent, effects) == [
            InputTranscriptSegmentEvent(
                item_id="u1",
                segment_id="seg_1",
                speaker="B",
                text="Hey you.",
                start=0.5,
                end=1.25,
            )
        ]

    def test_it_is_what_is_known_when_nothing_else_comes(self) -> None:
        machine = after(writing_down(), committed("u1"), added(heard("u1")))
        after(machine, segment("Hey you."), segment(" Hello.", "B"))

        effects = play(machine, TimerFired(TIMER), TimerFired(TIMER))

        assert ends(effects) == [("timed_out", "Hey you. Hello.")]

    def test_words_that_stream_in_say_it_more_finely(self) -> None:
        machine = after(writing_down(), committed("u1"), added(heard("u1")))

        effects = play(machine, segment("Hey you."), delta("Hey"), segment("Hello."), delta(" you"))

        assert told(effects) == [("partial", "Hey"), ("partial", "Hey you")]


# --- what the server does counts more than what it says of itself -------------------------------


@pytest.mark.parametrize("echo", [{"input_audio_transcription": OFF}, {}], ids=["null", "absent"])
def test_words_come_though_the_server_says_that_it_writes_nothing_down(echo) -> None:
    asked = SessionModelSettings(input_audio_transcription={"model": "whisper-1"})
    machine = after(live(settings=asked), updated(**echo), committed("u1"), added(heard("u1")))

    effects = play(machine, delta("Hey"), completed("Hey you."))

    assert told(effects) == [("partial", "Hey"), ("completed", "Hey you.")]
    # From then on they are waited for.
    after(machine, committed("u2"))
    assert sent_types(machine.handle(TimerFired(transcript_timer("u2")), now=20.0)) == [
        "conversation.item.retrieve"
    ]


def test_if_none_come_it_was_right_and_is_not_asked() -> None:
    asked = SessionModelSettings(input_audio_transcription={"model": "whisper-1"})
    machine = after(live(settings=asked), updated(input_audio_transcription=OFF), committed("u1"))
    after(machine, added(heard("u1")))

    effects = machine.handle(TimerFired(TIMER), now=ASK_AFTER)

    assert sent(effects) == []
    assert ends(effects) == [("disabled", "")]
    (item,) = machine.history
    assert item.content == (InputAudio(transcribed=False),)


def test_words_come_though_the_program_has_switched_them_off() -> None:
    machine = live(settings=SessionModelSettings(input_audio_transcription=OFF))
    after(machine, committed("u1"), added(heard("u1")), completed("Hey you."))

    effects = play(machine, committed("u2"), delta("And", item_id="u2"))

    assert told(effects) == [("partial", "And")]
    assert texts(machine) == [("u1", "Hey you.")]


# --- in any order -------------------------------------------------------------------------------

U1_EVENTS = [
    committed("u1"),
    added(heard("u1")),
    item_done(heard("u1")),
    user_speaks("u1"),
    user_stops("u1"),
    delta("Hey"),
    delta(" you"),
    delta("Hey you", 1),
    segment("Hey"),
    completed("Hey you."),
    completed(None),
    failed(),
    wire.ConversationItemRetrieved(item=heard("u1", "Hey you.")),
    wire.InputAudioBufferCleared(),
    TimerFired(TIMER),
]


@times(3)
@given(trace=long_lists(st.sampled_from(U1_EVENTS), 20), asked=st.sampled_from([None, OFF, {}]))
def test_a_turn_ends_once_with_the_words_that_are_known_in_any_order(trace, asked) -> None:
    machine = live(settings=SessionModelSettings(input_audio_transcription=asked))
    effects = play(machine, *trace, ConnectionLost(code=1006))

    finals = ends(effects)
    thrown_away = [
        event.error.type == "input_cleared"
        for event in only(InputTranscriptEvent, effects)
        if event.error is not None
    ]
    begun = any(
        not isinstance(each, TimerFired | wire.InputAudioBufferCleared)
        and not isinstance(
            each, wire.InputAudioBufferSpeechStarted | wire.InputAudioBufferSpeechStopped
        )
        for each in trace
    )
    assert len(finals) == begun
    partial_at = [index for index, (status, _) in enumerate(told(effects)) if status == "partial"]
    assert partial_at == list(range(len(partial_at)))
    for status, text in finals:
        if status != "disabled" and partial_at:
            assert text
        if text and not any(thrown_away):
            assert [item_id for item_id, words in texts(machine) if words] == ["u1"]
