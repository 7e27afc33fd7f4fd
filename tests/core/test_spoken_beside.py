"""Speech out of band is heard like any other: it waits for the user, and can be stopped."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import BargeIn, TurnDetectionConfig
from realtime_actors.core.effects import Effects
from realtime_actors.core.machine import SessionMachine
from realtime_actors.events import AudioEvent, AudioInterruptedEvent
from tests.core.machine import (
    AnyMessage,
    after,
    ask,
    created,
    creates,
    done,
    empty,
    interrupt,
    live,
    only,
    output_added,
    play,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    text,
    updated,
    user_speaks,
    user_stops,
)

FILLER = {"kind": "filler"}
WISH = ask(messages.CreateResponse(conversation="none", metadata=FILLER))
RAW = ask(
    messages.SendRawEvent(
        {"type": "response.create", "response": {"conversation": "none", "metadata": FILLER}}
    )
)
WRITTEN = ask(
    messages.CreateResponse(conversation="none", metadata=FILLER, output_modalities=["text"])
)
BEGUN = created("side", conversation_id=None, metadata=FILLER)
OVER = done("side", conversation_id=None)
WORDS = speech("x1", 1000, response_id="side")
STOPS = pytest.mark.parametrize("stop", [user_speaks(), interrupt()], ids=["speech", "verb"])


def interruptions(effects: Effects) -> list[tuple[str | None, str | None, int]]:
    return [
        (event.response_id, event.item_id, event.heard_ms)
        for event in only(AudioInterruptedEvent, effects)
    ]


def heard(effects: Effects) -> list[str]:
    return [event.response_id for event in only(AudioEvent, effects)]


def beside(*then: AnyMessage) -> SessionMachine:
    """A machine in which the model speaks out of band, and nowhere else."""
    return after(live(), WISH, BEGUN, *then)


@STOPS
def test_it_is_stopped_where_it_was_heard_and_cancelled_by_its_id(stop) -> None:
    machine = beside(WORDS)

    effects = machine.handle(stop, now=0.4)

    assert interruptions(effects) == [("side", "x1", 400)]
    assert sent(effects) == [wire.ResponseCancel(response_id="side")]
    assert heard(play(machine, WORDS, speech("x2", response_id="side"), at=0.5)) == []


@STOPS
def test_it_is_stopped_before_its_first_word(stop) -> None:
    machine = beside()

    assert interruptions(machine.handle(stop, now=0.4)) == [("side", None, 0)]
    assert heard(machine.handle(WORDS, now=0.5)) == []


@STOPS
def test_what_is_made_and_not_heard_yet_is_stopped_and_not_cancelled(stop) -> None:
    effects = beside(WORDS, OVER).handle(stop, now=0.4)

    assert interruptions(effects) == [("side", "x1", 400)]
    assert sent(effects) == []


@STOPS
def test_what_was_heard_to_its_end_is_not_stopped(stop) -> None:
    machine = beside(WORDS, speech_done("x1", response_id="side"), OVER)

    assert interruptions(machine.handle(stop, now=1.5)) == []


@STOPS
def test_both_are_stopped_where_both_speak(stop) -> None:
    machine = after(live(), say(), created("r1"), output_added(empty("i1")))
    after(machine, speech("i1", 1000), WISH, BEGUN, WORDS)

    effects = machine.handle(stop, now=0.4)

    assert [response_id for response_id, _, _ in interruptions(effects)] == ["r1", "side"]
    assert "side" in [each.response_id for each in only(wire.ResponseCancel, effects)]
    late = play(machine, WORDS, speech("i1"), at=0.5)
    assert heard(late) == []


@STOPS
def test_it_is_stopped_when_it_begins_if_it_was_only_asked_for(stop) -> None:
    machine = after(live(), WISH, stop)

    effects = play(machine, BEGUN, WORDS)

    assert interruptions(effects) == [("side", None, 0)]
    assert sent(effects) == [wire.ResponseCancel(response_id="side")]
    assert heard(effects) == []


@STOPS
def test_what_is_only_written_is_not_stopped(stop) -> None:
    machine = after(live(), WRITTEN, BEGUN, text("Sad.", "x1", response_id="side"))

    effects = machine.handle(stop, now=0.4)

    assert interruptions(effects) == []
    assert "response.cancel" not in sent_types(effects)


@pytest.mark.parametrize("wish", [WISH, RAW], ids=["a verb", "a raw event"])
def test_it_is_not_asked_for_while_the_user_speaks(wish) -> None:
    machine = after(live(), user_speaks())

    assert creates(machine.handle(wish, now=1.0)) == 0
    assert creates(machine.handle(user_stops(), now=2.0)) == 1


def test_what_is_only_written_is_asked_for_at_any_time() -> None:
    assert creates(after(live(), user_speaks()).handle(WRITTEN, now=1.0)) == 1


def test_what_a_session_only_writes_is_asked_for_at_any_time() -> None:
    machine = after(live(), updated(modalities=("text",)), user_speaks())

    assert creates(machine.handle(WISH, now=1.0)) == 1


def test_after_the_programs_interruption_it_is_a_word_of_the_programs() -> None:
    assert creates(after(live(), interrupt()).handle(WISH, now=1.0)) == 1


@pytest.mark.parametrize(
    ("options", "detection"),
    [
        ({"barge_in": BargeIn(mode="off")}, None),
        ({}, TurnDetectionConfig(interrupt_response=False)),
    ],
    ids=["off", "told not to"],
)
def test_speech_that_interrupts_nothing_does_not_stop_it(options, detection) -> None:
    machine = after(live(**options), updated(turn_detection=detection), WISH, BEGUN, WORDS)

    assert interruptions(machine.handle(user_speaks(), now=0.4)) == []


def test_it_leaves_the_items_of_the_conversation_alone() -> None:
    effects = beside(WORDS).handle(interrupt(), now=0.0)

    assert sent_types(effects) == ["response.cancel"]


def test_a_response_without_an_id_is_stopped_too() -> None:
    machine = after(live(), say(), created(None))

    effects = play(machine, interrupt(), speech("i1"))

    assert sent(effects) == [wire.ResponseCancel(response_id=None)]
    assert heard(effects) == []
    assert heard(play(machine, done(None), say(), created(None), speech("i2"))) == ["r1"]
