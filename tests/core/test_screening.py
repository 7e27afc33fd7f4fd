"""When guardrails judge what the user said, and what their verdicts do."""

from __future__ import annotations

from typing import Literal

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import GuardrailsSettings, TranscriptionConfig
from realtime_actors.core.effects import RunTool, ScreenInput, SetTimer
from realtime_actors.core.guardrails.screening import screening_timer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ConnectionLost, InputScreened, TimerFired
from realtime_actors.events import (
    AgentEndEvent,
    AudioEvent,
    AudioInterruptedEvent,
    ErrorEvent,
    GuardrailTrippedEvent,
)
from realtime_actors.guardrails import InputGuardrail
from tests.core.machine import (
    added,
    after,
    ask,
    called,
    committed,
    created,
    creates,
    done,
    heard,
    live,
    only,
    play,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    tool_named,
    updated,
    user_words,
)

NO_PASSWORDS = InputGuardrail(name="no_passwords", check=lambda text: "password" in text)
NO_NAMES = InputGuardrail(name="no_names", check=lambda text: "Ada" in text)
AGENT = Agent(name="Guarded", input_guardrails=[NO_PASSWORDS], tools=[tool_named("weather")])


def turn(machine: SessionMachine | None = None, item_id: str = "u1", **options) -> SessionMachine:
    """A machine whose user has ended a turn."""
    machine = machine or live(AGENT, **options)
    return after(machine, committed(item_id), added(heard(item_id)))


def tripped(item_id: str = "u1") -> InputScreened:
    return InputScreened(
        item_id=item_id, text="My password is 1234.", guardrail="no_passwords", reason="a secret"
    )


def screened(effects) -> list[tuple[str, str]]:
    return [(run.item_id, run.text) for run in only(ScreenInput, effects)]


def test_what_the_user_said_is_judged_once_it_is_known() -> None:
    machine = turn(input_guardrails=(NO_NAMES,))

    effects = play(machine, user_words("I am Ada."), user_words("I am Ada."))

    assert only(ScreenInput, effects) == [
        ScreenInput(
            item_id="u1", text="I am Ada.", guardrails=(NO_PASSWORDS, NO_NAMES), agent=AGENT
        )
    ]


@pytest.mark.parametrize(("agent", "words"), [(AGENT, " "), (Agent(name="Free"), "Hello")])
def test_nothing_is_judged_without_words_or_guardrails(agent, words) -> None:
    machine = turn(live(agent))

    assert screened(play(machine, user_words(words))) == []


def test_what_passes_changes_nothing() -> None:
    machine = after(turn(), user_words("Hello"), created("r1"))

    assert machine.handle(InputScreened(item_id="u1", text="Hello"), now=0.0) == []


def test_the_answer_is_stopped_and_the_model_told_and_asked_again() -> None:
    machine = after(turn(), created("r1"), speech("i1", 1000), user_words("My password is 1234."))

    effects = machine.handle(tripped(), now=0.4)

    assert sent_types(effects) == [
        "conversation.item.truncate",
        "response.cancel",
        "conversation.item.create",
    ]
    assert only(GuardrailTrippedEvent, effects) == [
        GuardrailTrippedEvent(
            guardrail="no_passwords",
            kind="input",
            response_id="r1",
            item_id="u1",
            reason="a secret",
            text="My password is 1234.",
        )
    ]
    why = sent(effects)[-1].item
    assert why.role == "system"
    assert "a secret" in why.content[0].text
    after_it = play(machine, speech("i1", 500), done("r1", "cancelled"))
    assert only(AudioEvent, after_it) == []
    assert creates(after_it) == 1
    # The answer to the warning is not stopped.
    assert "response.cancel" not in sent_types(play(machine, created("r2"), speech("i2")))


def test_an_answer_that_is_still_being_heard_is_stopped() -> None:
    machine = after(turn(), created("r1"), speech("i1", 1000), speech_done(), done("r1"))
    after(machine, user_words("My password is 1234."))

    effects = machine.handle(tripped(), now=0.4)

    assert [event.heard_ms for event in only(AudioInterruptedEvent, effects)] == [400]
    assert creates(effects) == 1


def test_after_an_answer_that_was_heard_the_model_is_only_told() -> None:
    machine = after(turn(), created("r1"), speech("i1", 1000), speech_done(), done("r1"))
    after(machine, user_words("My password is 1234."))

    effects = machine.handle(tripped(), now=5.0)

    assert only(AudioInterruptedEvent, effects) == []
    assert sent_types(effects) == ["conversation.item.create"]


def test_an_answer_of_the_servers_own_that_begins_later_is_stopped_at_once() -> None:
    machine = after(turn(), user_words("My password is 1234."))
    assert sent_types(play(machine, tripped())) == ["conversation.item.create"]

    effects = play(machine, created("r1"), speech("i1"), done("r1", "cancelled"))

    assert only(AudioEvent, effects) == []
    assert sent_types(effects) == ["response.cancel", "response.create"]
    assert len(only(AgentEndEvent, effects)) == 1
    assert "response.cancel" not in sent_types(play(machine, created("r2")))


def test_so_is_one_that_was_asked_for_before() -> None:
    machine = after(turn(), ask(messages.CreateResponse()), user_words("My password"), tripped())

    assert "response.cancel" in sent_types(play(machine, created("r1")))


def test_one_that_is_asked_for_afterwards_knows_of_it() -> None:
    machine = after(turn(), user_words("My password"), tripped(), ask(messages.CreateResponse()))

    assert "response.cancel" not in sent_types(play(machine, created("r1"), speech()))


def test_what_follows_a_tool_call_of_the_answer_is_stopped() -> None:
    machine = after(turn(), created("r1"), called("c1"), done("r1"), user_words("My password"))
    after(machine, created("r2"), speech("i2", 1000, response_id="r2"))

    effects = machine.handle(tripped(), now=0.1)

    assert [event.response_id for event in only(AudioInterruptedEvent, effects)] == ["r2"]
    assert only(RunTool, effects) == []


@pytest.mark.parametrize("newer", [committed("u2"), say("Hello")])
def test_a_late_verdict_never_touches_the_answer_to_something_newer(newer) -> None:
    machine = after(turn(), created("r1"), user_words("My password"), done("r1"))
    after(machine, newer, created("r2"), speech("i2", 1000, response_id="r2"))

    effects = machine.handle(tripped(), now=0.1)

    assert only(AudioInterruptedEvent, effects) == []
    assert sent_types(effects) == ["conversation.item.create"]
    assert [event.response_id for event in only(GuardrailTrippedEvent, effects)] == [None]


def test_a_guardrail_that_fails_lets_the_words_pass_and_is_reported() -> None:
    machine = after(turn(), created("r1"), speech(), user_words("Hello"))

    effects = play(machine, InputScreened(item_id="u1", text="Hello", failure="KeyError: 'x'"))

    assert [event.error.type for event in only(ErrorEvent, effects)] == ["guardrail_failed"]
    assert sent(effects) == []


def test_a_verdict_counts_though_the_connection_was_lost_meanwhile() -> None:
    machine = after(turn(), created("r1"), user_words("My password"), ConnectionLost(code=1006))

    effects = machine.handle(tripped(), now=0.0)

    assert len(only(GuardrailTrippedEvent, effects)) == 1
    assert sent(effects) == []  # the next connection is told


def test_words_that_had_to_be_asked_for_are_judged_too() -> None:
    machine = live(AGENT)
    after(machine, updated(input_audio_transcription=TranscriptionConfig(model="gpt-transcribe")))
    retrieved = wire.ConversationItemRetrieved(item=heard("u1", "My password"))

    assert screened(play(turn(machine), retrieved)) == [("u1", "My password")]


class TestAGuardrailThatHangs:
    def judging(self, mode: Literal["stream", "hold"] = "stream") -> SessionMachine:
        settings = GuardrailsSettings(mode=mode)
        machine = live(AGENT, guardrails_settings=settings)
        return after(turn(machine), created("r1"), speech("i1", 1000), user_words("Hello"))

    def test_has_a_time_limit(self) -> None:
        effects = turn().handle(user_words("Hello"), now=0.0)

        assert SetTimer(screening_timer("u1"), 10.0) in effects

    def test_lets_the_words_pass_and_is_reported(self) -> None:
        effects = self.judging().handle(TimerFired(screening_timer("u1")), now=10.0)

        assert [event.error.message for event in only(ErrorEvent, effects)] == [
            "no_passwords: there was no verdict within 10 s"
        ]
        assert sent(effects) == []

    def test_has_tripped_where_what_is_not_judged_is_not_heard(self) -> None:
        machine = self.judging("hold")

        effects = machine.handle(TimerFired(screening_timer("u1")), now=0.4)

        (trip,) = only(GuardrailTrippedEvent, effects)
        assert (trip.guardrail, trip.kind, trip.reason) == (
            "no_passwords",
            "input",
            "it gave no verdict",
        )
        assert "response.cancel" in sent_types(effects)
        assert machine.handle(tripped(), now=1.0) == []  # its verdict, late

    @pytest.mark.parametrize(("mode", "trips"), [("stream", 0), ("hold", 1)])
    def test_is_like_one_that_raises(self, mode, trips) -> None:
        raised = InputScreened(
            item_id="u1", text="Hello", failure="KeyError", failed="no_passwords"
        )

        effects = self.judging(mode).handle(raised, now=0.4)

        assert len(only(ErrorEvent, effects)) == 1
        assert len(only(GuardrailTrippedEvent, effects)) == trips


def test_words_that_are_better_known_later_are_judged_again() -> None:
    machine = turn()

    assert screened(play(machine, user_words("Pass"))) == [("u1", "Pass")]
    assert screened(play(machine, user_words("Password"))) == []  # one verdict at a time
    verdict = InputScreened(item_id="u1", text="Pass")
    assert screened(play(machine, verdict)) == [("u1", "Password")]
    assert screened(play(machine, InputScreened(item_id="u1", text="Password"))) == []
    assert screened(play(machine, user_words("Password"))) == []
