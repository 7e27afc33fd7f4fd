"""After calls the model goes on by itself: free to speak, and not for ever."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import ResponseSettings, default_session_settings, merge_settings
from realtime_actors.config import SessionModelSettings as Settings
from realtime_actors.core.machine import SessionMachine
from realtime_actors.events import ErrorEvent, ToolEndEvent
from tests.core.machine import (
    after,
    agent_with,
    ask,
    called,
    committed,
    created,
    creates,
    done,
    finished,
    live,
    only,
    play,
    say,
    sent,
    updated,
    user_speaks,
    user_stops,
)

AGENT = agent_with("weather")
WEATHER = {"type": "function", "name": "weather"}
FORCED = ("required", WEATHER, {"type": "mcp", "server_label": "docs"})


def choosing(choice, **options) -> SessionMachine:
    """A machine whose session has this `tool_choice`."""
    settings = merge_settings(default_session_settings("ga"), Settings(tool_choice=choice))
    return live(AGENT, settings=settings, **options)


def asked(effects) -> list[ResponseSettings | None]:
    """What the responses are asked for with."""
    return [event.response for event in sent(effects) if isinstance(event, wire.ResponseCreate)]


def a_round(machine: SessionMachine, number: int):
    """The model calls a tool, which gives something."""
    response_id, call_id = f"r{number}", f"c{number}"
    return play(
        machine,
        created(response_id),
        called(call_id, response_id=response_id),
        finished(call_id),
        done(response_id),
    )


def errors(effects) -> list[str]:
    return [event.error.type for event in only(ErrorEvent, effects)]


@pytest.mark.parametrize("choice", FORCED)
def test_a_model_that_had_to_call_is_free_to_speak_once_it_has_the_output(choice) -> None:
    machine = choosing(choice)

    assert asked(machine.handle(say(), 0.0)) == [None]
    assert asked(a_round(machine, 1)) == [ResponseSettings(tool_choice="auto")]


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_nothing_is_said_of_a_choice_that_forces_nothing(choice) -> None:
    assert asked(a_round(choosing(choice), 1)) == [None]


def test_a_program_may_want_every_response_to_call() -> None:
    machine = choosing("required", reset_tool_choice=False)

    assert asked(a_round(machine, 1)) == [None]


def test_what_a_running_session_was_changed_to_counts() -> None:
    machine = choosing("auto")
    update = messages.UpdateSession({"tool_choice": "required"})
    after(machine, ask(update), updated())

    assert asked(a_round(machine, 1)) == [ResponseSettings(tool_choice="auto")]


def test_a_message_of_the_user_may_force_a_call_again() -> None:
    machine = choosing("required")
    after(machine, created("r1"), called("c1"), say(), finished("c1"))

    # One response for both, and what the user wrote since decides how.
    assert asked(machine.handle(done("r1"), 0.0)) == [None]
    assert creates(play(machine, created("r2"), done("r2"))) == 0


def test_a_message_after_the_output_joins_the_wish_to_go_on() -> None:
    machine = choosing("required")
    after(machine, created("r1"), called("c1"), done("r1"), created("r2"), finished("c1"), say())

    assert asked(machine.handle(done("r2"), 0.0)) == [None]
    assert creates(play(machine, created("r3"), done("r3"))) == 0


def test_a_wish_to_go_on_that_lost_a_race_is_sent_again_as_it_was() -> None:
    machine = choosing("required")
    (create,) = [
        event for event in sent(a_round(machine, 1)) if isinstance(event, wire.ResponseCreate)
    ]
    detail = wire.ErrorDetail(
        code="conversation_already_has_active_response", event_id=create.event_id
    )
    after(machine, created("r2"), wire.ServerError(error=detail))

    assert asked(machine.handle(done("r2"), 0.0)) == [ResponseSettings(tool_choice="auto")]


class TestTheBound:
    """`max_tool_rounds_per_turn`"""

    def test_a_model_that_calls_and_calls_is_asked_to_answer_without_tools(self) -> None:
        machine = choosing("auto", max_tool_rounds_per_turn=3)

        rounds = [a_round(machine, number) for number in (1, 2, 3)]

        assert [asked(each) for each in rounds] == [
            [None],
            [None],
            [ResponseSettings(tool_choice="none")],
        ]
        assert [errors(each) for each in rounds] == [[], [], ["too_many_tool_rounds"]]

    def test_if_it_calls_all_the_same_nothing_runs_and_nothing_more_is_asked_for(self) -> None:
        machine = choosing("auto", max_tool_rounds_per_turn=1)
        a_round(machine, 1)

        effects = a_round(machine, 2)

        why = (
            "Error: no more tools may be called before the user says something: answer the user"
            " with what you know"
        )
        assert [(end.output, end.error) for end in only(ToolEndEvent, effects)] == [(why, why)]
        assert (creates(effects), errors(effects)) == (0, [])

    @pytest.mark.parametrize(
        "words",
        [
            [say()],
            [user_speaks(), user_stops()],
            [committed()],
            [ask(messages.CreateResponse())],
            [ask(messages.SendRawEvent({"type": "response.create"}))],
        ],
    )
    def test_a_word_of_the_user_or_the_program_begins_a_turn(self, words) -> None:
        machine = choosing("auto", max_tool_rounds_per_turn=1)
        a_round(machine, 1)

        after(machine, created("r2"), done("r2"), *words, created("r3"), done("r3"))

        assert asked(a_round(machine, 4))[-1:] == [ResponseSettings(tool_choice="none")]

    def test_an_item_that_a_tool_adds_is_no_word_of_the_user(self) -> None:
        machine = choosing("auto", max_tool_rounds_per_turn=1)
        after(machine, ask(messages.AddItem("by the way")))
        a_round(machine, 1)
        after(machine, ask(messages.AddItem("by the way")))

        assert creates(a_round(machine, 2)) == 0

    def test_without_a_bound_the_model_may_go_on(self) -> None:
        machine = choosing("auto", max_tool_rounds_per_turn=None)

        assert [asked(a_round(machine, number)) for number in range(50)] == [[None]] * 50
