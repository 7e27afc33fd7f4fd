"""Guardrails that let no speech be heard before its transcript has passed."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import GuardrailsSettings
from realtime_actors.core.effects import End, RunGuardrails, SetTimer
from realtime_actors.core.guardrails.guarding import guardrail_timer
from realtime_actors.core.limits import DURATION_TIMER, GOODBYE_TIMER
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ConnectionLost, GuardrailsFinished, TimerFired
from realtime_actors.events import (
    AgentEndEvent,
    AudioEndEvent,
    AudioEvent,
    AudioInterruptedEvent,
    ErrorEvent,
    GuardrailTrippedEvent,
)
from realtime_actors.guardrails import OutputGuardrail
from tests.core.machine import (
    after,
    ask,
    created,
    creates,
    done,
    empty,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    play,
    published,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    texts,
    transcript,
    transcript_done,
    user_speaks,
)

AGENT = Agent(
    name="Guarded", output_guardrails=[OutputGuardrail(name="no_prices", check=lambda text: False)]
)


def holding(agent: Agent = AGENT, **options) -> SessionMachine:
    settings = GuardrailsSettings(debounce_text_length=10, mode="hold")
    return after(live(agent, guardrails_settings=settings, **options), say(), created("r1"))


def judged(effects) -> list[str]:
    return [run.text for run in only(RunGuardrails, effects)]


def passed(response_id: str = "r1") -> GuardrailsFinished:
    return GuardrailsFinished(response_id=response_id, item_id="i1", text="")


def tripped(response_id: str = "r1") -> GuardrailsFinished:
    return GuardrailsFinished(
        response_id=response_id, item_id="i1", text="$5", guardrail="no_prices"
    )


def unjudged() -> GuardrailsFinished:
    return GuardrailsFinished(
        response_id="r1",
        item_id="i1",
        text="0123456789",
        failure="KeyError: 'x'",
        failed="no_prices",
    )


def audible(effects) -> list[int]:
    """The milliseconds of each piece of speech that is heard."""
    return [len(event.audio.data) // 48 for event in only(AudioEvent, effects)]


def test_speech_waits_until_its_transcript_has_passed() -> None:
    machine = holding()

    assert audible(play(machine, speech(ms=100), transcript("0123456789"), speech(ms=200))) == []
    # What came after the words that were judged may be of words that were not.
    assert audible(play(machine, passed())) == [100]
    assert audible(play(machine, transcript("0123456789"))) == []
    assert audible(play(machine, passed())) == [200]


def test_once_the_transcript_of_a_part_is_whole_all_of_its_speech_goes_with_it() -> None:
    machine = after(holding(), transcript("01234"), speech(ms=100))

    effects = play(machine, transcript_done("01234"))
    assert judged(effects) == ["01234"]
    assert audible(effects) == []
    assert audible(play(machine, passed())) == [100]
    # What comes late was judged already.
    effects = play(machine, speech(ms=200), speech_done())
    assert audible(effects) == [200]
    assert len(only(AudioEndEvent, effects)) == 1


def test_the_end_of_the_speech_comes_after_the_speech() -> None:
    machine = after(holding(), transcript("01234"), speech(ms=100))

    assert play(machine, speech_done()) == []
    effects = play(machine, transcript_done("01234"), passed())
    assert [type(event) for event in only((AudioEvent, AudioEndEvent), effects)] == [
        AudioEvent,
        AudioEndEvent,
    ]


def test_words_that_come_only_at_the_end_are_judged_too() -> None:
    machine = after(holding(), speech(ms=100))

    assert judged(play(machine, transcript_done("It costs $5."))) == ["It costs $5."]


def test_at_its_end_all_of_a_response_waits_for_the_last_verdict() -> None:
    machine = after(holding(), transcript("01234"), speech(ms=100))

    effects = machine.handle(done("r1"), now=1.0)
    assert judged(effects) == ["01234"]
    assert only(AgentEndEvent, effects) == []

    effects = machine.handle(passed(), now=3.0)
    assert audible(effects) == [100]
    (end,) = only(AgentEndEvent, effects)
    assert (end.status, end.final, end.held_ms) == ("completed", True, 3000)
    kinds = [type(event) for event in published(effects)]
    assert kinds.index(AudioEvent) < kinds.index(AgentEndEvent)


def test_speech_without_a_transcript_is_heard_at_the_end() -> None:
    machine = after(holding(), speech(ms=100))

    effects = play(machine, done("r1"))

    assert audible(effects) == [100]
    assert len(only(AgentEndEvent, effects)) == 1


def test_without_guardrails_nothing_waits() -> None:
    machine = holding(Agent(name="Free"))

    assert audible(play(machine, speech(ms=100))) == [100]
    assert [end.held_ms for end in only(AgentEndEvent, play(machine, done("r1")))] == [0]


def test_what_is_held_was_not_played() -> None:
    machine = after(holding(), output_added(empty("i1")), speech(ms=1000), transcript("0123456789"))
    after(machine, passed(), at=10.0)

    (cut,) = only(AudioInterruptedEvent, machine.handle(user_speaks(), now=10.4))

    assert cut.heard_ms == 400


def test_blocked_speech_is_never_heard_and_never_was_said() -> None:
    machine = after(holding(), item_done(empty("i1")), speech(ms=1000), transcript("It costs $5."))

    effects = play(machine, tripped(), speech(ms=500), speech_done(), done("r1", "cancelled"))

    assert audible(effects) == []
    assert sent_types(effects) == [
        "response.cancel",
        "conversation.item.delete",
        "conversation.item.create",
        "response.create",
    ]
    assert len(only(GuardrailTrippedEvent, effects)) == 1
    assert len(only(AgentEndEvent, effects)) == 1
    assert texts(machine) == []


def test_of_a_response_that_is_blocked_late_what_had_passed_is_kept() -> None:
    machine = after(
        holding(), item_done(empty("i1")), speech(ms=1000), transcript("0123456789"), passed()
    )
    after(machine, speech(ms=500), transcript("It costs $5."), done("r1"), at=0.2)

    effects = machine.handle(tripped(), now=0.4)

    assert only(AudioInterruptedEvent, effects) == [
        AudioInterruptedEvent(response_id="r1", item_id="i1", heard_ms=400)
    ]
    assert wire.ConversationItemTruncate(item_id="i1", audio_end_ms=400) in sent(effects)


@pytest.mark.parametrize("how", [interrupt(), user_speaks()])
def test_an_interruption_throws_away_what_is_held(how) -> None:
    machine = after(holding(), speech(ms=1000), transcript("0123456789"))

    effects = play(machine, how, passed(), speech(ms=500), done("r1", "cancelled"), passed())

    assert audible(effects) == []
    assert len(only(AudioInterruptedEvent, effects)) == 1
    assert len(only(AgentEndEvent, effects)) == 1


def test_what_was_heard_is_a_share_of_all_that_came_held_or_not() -> None:
    machine = after(holding(), output_added(empty("i1")), speech(ms=1000), transcript("Good day, "))
    after(machine, passed(), speech(ms=1000), transcript("how are you?"))

    after(machine, interrupt(), at=0.8)

    assert texts(machine) == [("i1", "Good")]


def test_a_response_that_waits_for_its_verdict_can_be_interrupted() -> None:
    machine = after(holding(), item_done(empty("i1")), speech(ms=1000), transcript("0123456789"))
    after(machine, done("r1"))

    effects = machine.handle(interrupt(), now=1.0)

    assert len(only(AgentEndEvent, effects)) == 1
    assert sent(effects) == [wire.ConversationItemDelete(item_id="i1")]
    assert audible(play(machine, passed())) == []


class TestTwoResponses:
    """The second begins while the first still waits for its verdict."""

    def machine(self) -> SessionMachine:
        machine = after(
            holding(), item_done(empty("i1")), transcript("0123456789"), speech(ms=100), done("r1")
        )
        return after(
            machine,
            created("r2"),
            transcript("0123456789", "i2", response_id="r2"),
            speech("i2", 200, response_id="r2"),
            transcript("abc", "i2", response_id="r2"),
            done("r2"),
        )

    def test_they_are_heard_in_order_whichever_passes_first(self) -> None:
        machine = self.machine()

        assert audible(play(machine, passed("r2"), passed("r2"))) == []
        effects = play(machine, passed("r1"))
        assert audible(effects) == [100, 200]
        assert [end.response_id for end in only(AgentEndEvent, effects)] == ["r1", "r2"]

    def test_a_late_verdict_on_the_first_leaves_the_second_alone(self) -> None:
        machine = after(self.machine(), passed("r2"), passed("r2"))

        effects = play(machine, tripped("r1"))

        assert only(AudioInterruptedEvent, effects) == []
        assert wire.ConversationItemDelete(item_id="i1") in sent(effects)
        assert audible(effects) == [200]

    def test_what_had_passed_of_the_first_is_heard_to_its_end_and_no_more(self) -> None:
        machine = after(holding(), item_done(empty("i1")), speech(ms=1000))
        after(machine, transcript("0123456789"), passed(), speech(ms=500))
        after(machine, transcript("It costs $5."), done("r1"), created("r2"))

        effects = play(machine, tripped("r1"), at=0.4)

        assert only(AudioInterruptedEvent, effects) == []
        assert sent(effects)[0] == wire.ConversationItemTruncate(item_id="i1", audio_end_ms=1000)
        assert texts(machine) == [("i1", "0123456789It")]
        assert only(AudioInterruptedEvent, play(machine, done("r2"), interrupt(), at=5.0)) == []

    def test_a_verdict_on_the_second_leaves_the_first_alone(self) -> None:
        machine = self.machine()

        effects = play(machine, tripped("r2"), passed("r1"))

        assert audible(effects) == [100]
        assert [end.response_id for end in only(AgentEndEvent, effects)] == ["r2", "r1"]


@pytest.mark.parametrize("end", [ConnectionLost(code=1000), ask(messages.Close())])
def test_every_response_has_an_end_however_the_session_ends(end) -> None:
    machine = after(holding(), transcript("0123456789"), speech(ms=100), done("r1"))

    effects = machine.handle(end, now=1.0)

    assert [each.response_id for each in only(AgentEndEvent, effects)] == ["r1"]
    assert machine.handle(passed(), now=2.0) == []


def test_a_response_that_must_not_be_stopped_is_not_stopped_while_it_is_held() -> None:
    settings = GuardrailsSettings(debounce_text_length=10, mode="hold")
    machine = live(AGENT, guardrails_settings=settings)
    after(machine, ask(messages.CreateResponse(interruptible=False)), created("r1"))
    after(machine, transcript("0123456789"), speech(ms=100), done("r1"), user_speaks())

    assert audible(play(machine, passed())) == [100]


def test_what_a_guardrail_gave_no_verdict_on_is_never_heard() -> None:
    machine = after(holding(), transcript("0123456789"), speech(ms=100))

    effects = play(machine, unjudged())

    (error,) = only(ErrorEvent, effects)
    assert (error.error.type, error.error.message) == ("guardrail_failed", "KeyError: 'x'")
    assert only(GuardrailTrippedEvent, effects) == [
        GuardrailTrippedEvent(
            guardrail="no_prices",
            response_id="r1",
            item_id="i1",
            reason="it gave no verdict",
            text="0123456789",
        )
    ]
    assert audible(play(machine, transcript("9876543210"), speech(ms=200), done("r1"))) == []


def test_a_guardrail_that_trips_counts_for_more_than_one_that_gave_no_verdict() -> None:
    machine = after(holding(), transcript("0123456789"))

    (tripping,) = only(
        GuardrailTrippedEvent, play(machine, evolve(unjudged(), guardrail="no_names", reason="Ada"))
    )

    assert (tripping.guardrail, tripping.reason) == ("no_names", "Ada")


def test_a_session_that_is_to_end_ends_once_all_was_heard() -> None:
    machine = after(holding(max_duration=5.0), transcript("0123456789"), speech(ms=1000))
    after(machine, done("r1"))

    assert only(End, machine.handle(TimerFired(DURATION_TIMER), now=5.0)) == []
    effects = machine.handle(passed(), now=6.0)
    assert audible(effects) == [1000]
    assert SetTimer(GOODBYE_TIMER, 1.0) in effects


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_nothing_that_has_not_passed_is_heard_in_any_order(order) -> None:
    steps = [speech(ms=100), transcript("0123456789"), speech(ms=200), transcript("9876543210")]
    machine = holding()

    assert audible(play(machine, *(steps[each] for each in order))) == []
    assert audible(play(machine, tripped(), done("r1", "cancelled"))) == []
    assert creates(play(machine, created("r2"), done("r2"))) == 0


def test_what_is_not_judged_in_time_is_never_heard_and_later_answers_are() -> None:
    machine = after(holding(), transcript("0123456789"), speech(ms=100), done("r1"))

    effects = machine.handle(TimerFired(guardrail_timer("r1")), now=10.0)

    assert [error.error.message for error in only(ErrorEvent, effects)] == [
        "no_prices: there was no verdict within 10 s"
    ]
    (trip,) = only(GuardrailTrippedEvent, effects)
    assert (trip.guardrail, trip.reason, trip.text) == (
        "no_prices",
        "it gave no verdict",
        "0123456789",
    )
    assert audible(effects) == []
    assert len(only(AgentEndEvent, effects)) == 1
    assert audible(play(machine, passed())) == []  # the verdict on it, late

    after(machine, created("r2"), transcript("abc", "i2", response_id="r2"))
    after(machine, speech("i2", 200, response_id="r2"), done("r2"))
    assert audible(play(machine, evolve(passed("r2"), attempt=1))) == [200]


def test_speech_of_a_response_that_never_begins_keeps_no_other_waiting() -> None:
    machine = after(holding(), speech("i9", 100, response_id="never"))
    after(machine, transcript("0123456789"), speech(ms=200), done("r1"))

    effects = play(machine, passed())

    assert audible(effects) == [200]
    assert [end.response_id for end in only(AgentEndEvent, effects)] == ["r1"]
