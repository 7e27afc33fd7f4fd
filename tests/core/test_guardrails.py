"""When guardrails judge what the model says, and what their verdicts do."""

from __future__ import annotations

import pytest
from attrs import evolve

from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import GuardrailsSettings
from realtime_actors.core.effects import Publish, RunGuardrails, Send, SetTimer
from realtime_actors.core.guardrails.guarding import guardrail_timer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ConnectionLost, GuardrailsFinished, TimerFired
from realtime_actors.events import (
    AudioInterruptedEvent,
    ErrorEvent,
    ErrorInfo,
    GuardrailTrippedEvent,
    HistoryUpdatedEvent,
)
from realtime_actors.guardrails import OutputGuardrail
from tests.core.machine import (
    after,
    created,
    creates,
    done,
    interrupt,
    live,
    only,
    play,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    text,
    transcript,
)

NO_PRICES = OutputGuardrail(name="no_prices", check=lambda text: "$" in text)
NO_NAMES = OutputGuardrail(name="no_names", check=lambda text: "Ada" in text)
AGENT = Agent(name="Guarded", output_guardrails=[NO_PRICES])


def guarded(agent: Agent = AGENT, **options):
    settings = GuardrailsSettings(debounce_text_length=10)
    return after(live(agent, guardrails_settings=settings, **options), say(), created("r1"))


def judged(effects) -> list[str]:
    """The texts that are put before the guardrails."""
    return [run.text for run in only(RunGuardrails, effects)]


def passed(text: str = "", response_id: str = "r1") -> GuardrailsFinished:
    return GuardrailsFinished(response_id=response_id, item_id="i1", text=text)


def tripped(response_id: str = "r1", item_id: str = "i1") -> GuardrailsFinished:
    return GuardrailsFinished(
        response_id=response_id,
        item_id=item_id,
        text="It costs $5.",
        guardrail="no_prices",
        reason="a price",
    )


def test_the_agents_guardrails_judge_with_those_of_the_run() -> None:
    machine = guarded(output_guardrails=(NO_NAMES,))

    effects = machine.handle(transcript("0123456789"), now=0.0)

    assert only(RunGuardrails, effects) == [
        RunGuardrails(
            response_id="r1",
            item_id="i1",
            text="0123456789",
            guardrails=(NO_PRICES, NO_NAMES),
            agent=AGENT,
        )
    ]


def test_without_guardrails_nothing_is_judged() -> None:
    machine = guarded(Agent(name="Free"))

    assert only(RunGuardrails, play(machine, transcript("0123456789"), done("r1"))) == []


@pytest.mark.parametrize("words", [transcript, text])
def test_they_judge_each_time_enough_has_come(words) -> None:
    machine = guarded()

    assert judged(play(machine, words("01234"), words("5678"))) == []
    assert judged(play(machine, words("9"))) == ["0123456789"]
    assert judged(play(machine, passed(), words("abcdefghi"))) == []
    assert judged(play(machine, words("j"))) == ["0123456789abcdefghij"]


def test_one_judgement_runs_at_a_time_and_the_rest_is_judged_after_it() -> None:
    machine = guarded()

    first = play(machine, transcript("0123456789"), transcript("0123456789"), transcript("abcdef"))
    second = play(machine, passed())

    assert judged(first) == ["0123456789"]
    assert judged(second) == ["01234567890123456789abcdef"]


def test_the_rest_is_judged_at_the_end() -> None:
    machine = after(guarded(), transcript("01234"))

    assert judged(play(machine, done("r1"))) == ["01234"]
    assert judged(play(machine, passed())) == []


def test_the_rest_is_judged_after_the_judgement_that_runs_at_the_end() -> None:
    machine = after(guarded(), transcript("0123456789"), transcript("abc"), done("r1"))

    assert judged(play(machine, passed())) == ["0123456789abc"]


def test_what_was_judged_wholly_is_not_judged_again_at_the_end() -> None:
    machine = after(guarded(), transcript("0123456789"), passed())

    assert judged(play(machine, done("r1"))) == []


def test_several_items_of_a_response_are_one_text() -> None:
    machine = after(guarded(), transcript("01234", "i1"))

    (run,) = only(RunGuardrails, play(machine, transcript("56789", "i2")))

    assert (run.text, run.item_id) == ("01234\n56789", "i2")


def test_a_tripwire_interrupts_tells_the_model_why_and_asks_for_another_answer() -> None:
    machine = after(guarded(), speech("i1", 1000), transcript("It costs $5."))

    effects = machine.handle(tripped(), now=0.4)

    interrupted = AudioInterruptedEvent(response_id="r1", item_id="i1", heard_ms=400)
    assert effects[:4] == [
        Publish(interrupted),
        Send(wire.ConversationItemTruncate(item_id="i1", audio_end_ms=400)),
        Publish(
            HistoryUpdatedEvent(history=machine.history, item_id="i1", change="truncated"),
        ),
        Send(wire.ResponseCancel(response_id="r1")),
    ]
    assert only(GuardrailTrippedEvent, effects) == [
        GuardrailTrippedEvent(
            guardrail="no_prices",
            response_id="r1",
            item_id="i1",
            reason="a price",
            text="It costs $5.",
        )
    ]
    why = sent(effects)[-1].item
    assert why.role == "system"
    assert "no_prices" in why.content[0].text
    assert "a price" in why.content[0].text
    assert creates(machine.handle(done("r1", "cancelled"), now=0.5)) == 1


def test_a_text_is_interrupted_too() -> None:
    machine = after(guarded(), text("It costs $5."))

    effects = machine.handle(tripped(), now=0.0)

    assert sent_types(effects) == ["response.cancel", "conversation.item.create"]


def test_a_response_trips_once() -> None:
    machine = after(guarded(), transcript("It costs $5."), tripped())

    effects = play(machine, transcript("0123456789"), done("r1", "cancelled"), tripped())

    assert judged(effects) == []
    assert only(GuardrailTrippedEvent, effects) == []


def test_what_is_still_being_played_is_stopped_when_the_response_is_over() -> None:
    machine = after(
        guarded(), speech("i1", 1000), speech_done(), transcript("It costs $5."), done("r1")
    )

    effects = machine.handle(tripped(), now=0.4)

    assert [event.heard_ms for event in only(AudioInterruptedEvent, effects)] == [400]
    assert sent_types(effects) == [
        "conversation.item.truncate",
        "conversation.item.create",
        "response.create",
    ]


class TestALateVerdict:
    def test_leaves_a_newer_response_alone(self) -> None:
        machine = after(guarded(), speech("i1", 1000), transcript("It costs $5."), done("r1"))
        after(machine, created("r2"), speech("i2", 500, response_id="r2"), at=0.2)

        effects = machine.handle(tripped(), now=0.4)

        assert only(AudioInterruptedEvent, effects) == []
        assert sent_types(effects) == ["conversation.item.create"]
        assert len(only(GuardrailTrippedEvent, effects)) == 1

    def test_leaves_a_newer_response_that_has_not_spoken_yet_alone(self) -> None:
        machine = after(guarded(), speech("i1", 1000), transcript("It costs $5."), done("r1"))
        after(machine, created("r2"), at=0.2)

        effects = machine.handle(tripped(), now=0.4)

        assert only(AudioInterruptedEvent, effects) == []
        assert "response.cancel" not in sent_types(effects)

    def test_leaves_a_newer_response_that_is_only_played_alone(self) -> None:
        machine = after(guarded(), speech("i1", 1000), transcript("It costs $5."), done("r1"))
        after(machine, created("r2"), speech("i2", 500, response_id="r2"), done("r2"), at=0.2)

        effects = machine.handle(tripped(), now=0.4)

        assert only(AudioInterruptedEvent, effects) == []

    def test_interrupts_nothing_when_all_was_heard(self) -> None:
        machine = after(
            guarded(), speech("i1", 1000), speech_done(), transcript("It costs $5."), done("r1")
        )

        effects = machine.handle(tripped(), now=5.0)

        assert only(AudioInterruptedEvent, effects) == []
        assert len(only(GuardrailTrippedEvent, effects)) == 1
        assert creates(effects) == 1

    def test_interrupts_nothing_twice(self) -> None:
        machine = after(guarded(), speech("i1", 1000), transcript("It costs $5."), interrupt())

        effects = machine.handle(tripped(), now=0.4)

        assert only(AudioInterruptedEvent, effects) == []
        assert "response.cancel" not in sent_types(effects)

    def test_counts_though_the_connection_was_lost_meanwhile(self) -> None:
        machine = after(guarded(), speech("i1", 1000), transcript("It costs $5."))
        after(machine, ConnectionLost(code=1006), at=0.2)

        effects = machine.handle(tripped(), now=0.4)

        assert [event.heard_ms for event in only(AudioInterruptedEvent, effects)] == [400]
        assert sent_types(effects) == []  # the next connection is told


def test_answers_that_are_stopped_in_a_row_are_not_asked_for_for_ever() -> None:
    machine = guarded()

    def stop(response_id: str):
        costly = transcript("It costs $5 again.", response_id=response_id)
        play(machine, created(response_id), costly)
        return play(machine, tripped(response_id), done(response_id, "cancelled"))

    stopped = [stop(f"r{number}") for number in range(1, 6)]
    assert [creates(effects) for effects in stopped] == [1, 1, 1, 0, 0]
    assert [event.error.message for event in only(ErrorEvent, stopped[3])] == [
        "no_prices has stopped 4 answers"
    ]
    play(machine, say("What about tomorrow?"))
    assert creates(stop("r6")) == 1


def test_a_guardrail_that_fails_lets_the_text_pass_and_is_reported() -> None:
    machine = after(guarded(), transcript("0123456789"))
    failed = GuardrailsFinished(
        response_id="r1", item_id="i1", text="0123456789", failure="KeyError: 'x'"
    )

    effects = machine.handle(failed, now=0.0)

    assert effects == [
        Publish(
            ErrorEvent(
                error=ErrorInfo(type="guardrail_failed", message="KeyError: 'x'"),
                source="guardrail",
            )
        )
    ]
    assert judged(play(machine, transcript("0123456789"))) == ["01234567890123456789"]


class TestAGuardrailThatHangs:
    """Where speech is heard as it comes."""

    def judging(self) -> SessionMachine:
        return after(guarded(), speech("i1", 1000), transcript("0123456789"))

    def test_has_a_time_limit(self) -> None:
        effects = after(guarded(), speech("i1")).handle(transcript("0123456789"), now=0.0)

        assert SetTimer(guardrail_timer("r1"), 10.0) in effects

    def test_is_reported_and_the_text_passes(self) -> None:
        effects = self.judging().handle(TimerFired(guardrail_timer("r1")), now=10.0)

        (error,) = only(ErrorEvent, effects)
        assert error.error.type == "guardrail_failed"
        assert error.error.message == "no_prices: there was no verdict within 10 s"
        assert sent(effects) == []

    def test_is_asked_again_about_what_comes_next(self) -> None:
        machine = after(self.judging(), TimerFired(guardrail_timer("r1")))

        (run,) = only(RunGuardrails, play(machine, transcript("abcdefghij")))

        assert (run.text, run.attempt) == ("0123456789abcdefghij", 1)

    def test_is_not_listened_to_any_more(self) -> None:
        machine = after(self.judging(), TimerFired(guardrail_timer("r1")))
        after(machine, transcript("abcdefghij"))

        assert machine.handle(tripped(), now=20.0) == []
        effects = machine.handle(evolve(tripped(), attempt=1), now=20.0)
        assert len(only(GuardrailTrippedEvent, effects)) == 1

    def test_may_take_as_long_as_it_likes_if_the_program_says_so(self) -> None:
        settings = GuardrailsSettings(debounce_text_length=10, verdict_timeout=None)
        machine = after(live(AGENT, guardrails_settings=settings), created("r1"))

        assert only(SetTimer, machine.handle(transcript("0123456789"), now=0.0)) == []

    def test_a_limit_that_comes_after_the_verdict_does_nothing(self) -> None:
        machine = after(self.judging(), passed())

        assert machine.handle(TimerFired(guardrail_timer("r1")), now=10.0) == []
