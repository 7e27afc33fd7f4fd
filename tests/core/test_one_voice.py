"""Two responses that speak at once are heard one after the other."""

from __future__ import annotations

import pytest
from attrs import evolve

from realtime_actors import messages
from realtime_actors.config import GuardrailsSettings
from realtime_actors.core.effects import Effects
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import TimerFired
from realtime_actors.core.responses.stalls import stall_timer
from realtime_actors.events import AgentEndEvent, AudioEndEvent, AudioEvent, AudioInterruptedEvent
from tests.core.invariants import Watch
from tests.core.machine import (
    AnyMessage,
    after,
    already_active,
    ask,
    created,
    done,
    empty,
    interrupt,
    live,
    only,
    output_added,
    output_done,
    play,
    say,
    sent_types,
    speech,
    speech_done,
    spoken,
    texts,
    transcript,
    user_speaks,
)

FILLER = {"kind": "filler"}
WISH = ask(messages.CreateResponse(conversation="none", metadata=FILLER))


def beside(response_id: str) -> AnyMessage:
    return created(response_id, conversation_id=None, metadata=FILLER)


def two(**options) -> SessionMachine:
    """A machine in which a response of the conversation and one out of band may speak."""
    machine = after(live(**options), say(), created("r1"), output_added(empty("i1")))
    return after(machine, WISH, beside("side"))


def one_and_two() -> SessionMachine:
    """A machine in which two responses out of band may speak."""
    return after(live(), WISH, WISH, beside("r1"), beside("side"))


MACHINES = pytest.mark.parametrize(
    "machine", [two, one_and_two], ids=["one in the conversation", "both out of band"]
)
FIRST = speech("i1", 100)
SECOND = speech("x1", 200, response_id="side")


def stream(effects: Effects) -> list[str]:
    """What a subscriber gets of speech: the response of each piece, "." for the end of a part."""
    told = only((AudioEvent, AudioEndEvent, AudioInterruptedEvent), effects)
    marks = {AudioEvent: "", AudioEndEvent: ".", AudioInterruptedEvent: "!"}
    return [f"{event.response_id}{marks[type(event)]}" for event in told]


@MACHINES
def test_the_second_voice_waits_until_the_part_of_the_first_has_ended(machine) -> None:
    session = machine()

    effects = play(session, FIRST, SECOND, FIRST, SECOND, speech_done("i1"), SECOND)

    assert stream(effects) == ["r1", "r1", "r1.", "side", "side", "side"]


@MACHINES
def test_the_first_goes_on_when_the_part_of_the_second_has_ended(machine) -> None:
    session = after(machine(), FIRST, SECOND, speech_done("i1"))

    effects = play(
        session, speech("i2"), SECOND, speech_done("i2"), speech_done("x1", response_id="side")
    )

    assert stream(effects) == ["side", "side.", "r1", "r1."]


@pytest.mark.parametrize(
    "end",
    [done("r1"), output_done(spoken("i1", "Good day."))],
    ids=["the response", "the item"],
)
def test_the_end_of_what_the_part_belongs_to_is_its_end(end) -> None:
    session = after(two(), FIRST, SECOND)

    assert stream(session.handle(end, now=0.0)) == ["side"]


def test_a_response_that_falls_silent_in_the_middle_is_not_waited_for_any_longer() -> None:
    session = after(two(stall_timeout=30.0), FIRST, SECOND)
    after(session, TimerFired(stall_timer("r1")), at=31.0)

    effects = session.handle(TimerFired(stall_timer("r1")), now=37.0)

    assert stream(effects) == ["side"]


def test_a_response_that_was_not_told_to_begin_keeps_no_other_waiting() -> None:
    session = after(live(), WISH, beside("side"))

    assert stream(play(session, FIRST, SECOND, FIRST)) == ["r1", "side"]


def test_the_turn_of_what_waits_ends_when_it_was_published() -> None:
    session = after(one_and_two(), say(), created("r2"), FIRST)

    waits = play(session, speech("i2", response_id="r2"), done("r2"))
    goes_on = play(session, done("r1", conversation_id=None))

    assert stream(waits) == []
    assert only(AgentEndEvent, waits) == []
    assert [type(event) for event in only((AudioEvent, AgentEndEvent), goes_on)] == [
        AudioEvent,
        AgentEndEvent,
    ]


@pytest.mark.parametrize("stop", [user_speaks(), interrupt()], ids=["speech", "verb"])
@MACHINES
def test_who_is_interrupted_hears_nothing_of_what_has_waited(machine, stop) -> None:
    session = after(machine(), FIRST, SECOND)

    effects = session.handle(stop, now=0.05)
    late = play(session, SECOND, FIRST, speech_done("i1"), done("r1"))

    assert stream(effects) == ["r1!", "side!"]
    assert stream(late) == []


def test_who_was_stopped_with_another_keeps_nobody_waiting_when_it_is_said_to_begin() -> None:
    session, watch = live(), Watch()
    one, two, three = speech("i1"), speech("i2", response_id="r2"), speech("i3", response_id="r3")
    begins = transcript("Hi", "i3", response_id="r3")
    refuses = already_active()  # so that another response is asked for once r2 has ended

    effects: Effects = []
    story = say(), created("r2"), refuses, one, three, done("r2"), interrupt(), begins, two, three
    for message in story:
        what = session.handle(message, now=0.0)
        watch.step(message, what)
        effects += what

    assert stream(effects) == ["r1", "r3", "r1!", "r2"]


def test_an_item_that_has_waited_and_was_never_heard_is_deleted() -> None:
    session = after(live(), WISH, beside("side"), say(), created("r1"), output_added(empty("i1")))
    after(session, SECOND, FIRST)

    effects = session.handle(interrupt(), now=0.1)

    assert "conversation.item.delete" in sent_types(effects)
    assert "i1" not in [item_id for item_id, _ in texts(session)]


def test_when_one_alone_is_stopped_the_other_is_heard() -> None:
    session = after(one_and_two(), FIRST, SECOND)

    refuses = session.handle(ask(messages.SendRawEvent({"type": "response.cancel"})), now=0.0)
    effects = session.handle(
        done("r1", "cancelled", reason="client_cancelled", conversation_id=None), now=0.0
    )

    assert stream(refuses) == []
    assert stream(effects) == ["side"]


def test_it_holds_for_what_is_judged_as_well() -> None:
    settings = GuardrailsSettings(mode="hold")
    session = two(guardrails_settings=evolve(settings, debounce_text_length=10))

    effects = play(session, FIRST, SECOND, FIRST, speech_done("i1"))

    assert stream(effects) == ["r1", "r1", "r1.", "side"]
