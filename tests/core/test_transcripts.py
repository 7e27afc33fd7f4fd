"""What the user said: every turn of speech ends exactly once, and stays in its place."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, TranscriptionConfig
from realtime_actors.core.effects import CancelTimer, Publish, Send, SetTimer
from realtime_actors.core.messages import ConnectionLost, TimerFired
from realtime_actors.core.session import SessionMachine
from realtime_actors.core.transcripts import ASK_AFTER, GIVE_UP_AFTER, transcript_timer
from realtime_actors.events import InputTranscriptEvent
from tests.core.machine import (
    added,
    after,
    ask,
    committed,
    empty,
    heard,
    live,
    only,
    play,
    texts,
    updated,
    user_words,
    written,
)

TIMER = transcript_timer("u1")


def writing_down(**settings: Any) -> SessionMachine:
    """A machine whose server writes down what the user says."""
    transcription = {"input_audio_transcription": TranscriptionConfig(model="gpt-transcribe")}
    return after(live(), updated(**{**transcription, **settings}))


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


def test_where_nothing_is_written_down_a_turn_ends_at_once() -> None:
    machine = writing_down(input_audio_transcription=OFF)

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
