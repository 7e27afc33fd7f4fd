"""Whether a tool is enabled is asked again when the model calls it, and the model is told."""

from __future__ import annotations

import pytest
from attrs import evolve

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Handoff
from realtime_actors.config import SessionModelSettings as Settings
from realtime_actors.config import default_session_settings, merge_settings
from realtime_actors.core.effects import ResolveTools, RunHandoff, RunTool
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    ConnectionLost,
    ResolvedAgent,
    TimerFired,
    ToolDisabled,
    ToolsNotResolved,
    ToolsResolved,
)
from realtime_actors.core.tools.offers import OFFERS_TIMER
from realtime_actors.events import ErrorEvent, ToolEndEvent
from tests.core.machine import (
    after,
    agent_with,
    ask,
    called,
    created,
    creates,
    done,
    handed_over,
    live,
    only,
    play,
    resolve,
    sent,
    tool_named,
    updated,
)

BILLING = agent_with("refund", name="Billing")
PAY = evolve(tool_named("pay"), is_enabled=lambda: True)
DESK = agent_with(name="Desk").clone(
    tools=[tool_named("weather"), PAY], handoffs=[Handoff(BILLING, is_enabled=lambda: True)]
)
FIXED = agent_with("weather")


def offering(*names: str) -> ResolvedAgent:
    """The agent, with these tools enabled and no others."""
    whole = resolve(DESK)
    return evolve(
        whole,
        tools={name: tool for name, tool in whole.tools.items() if name in names},
        handoffs={name: each for name, each in whole.handoffs.items() if name in names},
        definitions=tuple(each for each in whole.definitions if each["name"] in names),
    )


WITHOUT_PAY = offering("weather", "transfer_to_billing")


def at_the_desk(**options) -> SessionMachine:
    return after(live(DESK, **options), created("r1"))


def told(effects) -> list[list[object] | None]:
    """The names of the tools in each update of the session."""
    return [
        None if update.session.tools is None else [tool["name"] for tool in update.session.tools]
        for update in only(wire.SessionUpdate, effects)
    ]


def refused(machine: SessionMachine):
    """Call a tool that is not enabled any more, up to the new list of tools."""
    return play(machine, called("c1", "pay"), ToolDisabled("c1"), ToolsResolved(WITHOUT_PAY))


@pytest.mark.parametrize("name", ["pay", "transfer_to_billing"])
def test_a_call_of_what_is_not_enabled_is_refused_in_words_that_the_model_understands(name) -> None:
    machine = after(at_the_desk(), called("c1", name), done("r1"))

    effects = machine.handle(ToolDisabled("c1"), 0.0)

    why = f"Error: {name} is not available now"
    assert [(end.output, end.error) for end in only(ToolEndEvent, effects)] == [(why, why)]
    assert only(ResolveTools, effects) == [ResolveTools(DESK)]
    assert creates(effects) == 1


def test_what_has_changed_is_told_to_the_server() -> None:
    assert told(refused(at_the_desk())) == [["weather", "transfer_to_billing"]]


def test_what_was_told_is_not_told_again() -> None:
    machine = at_the_desk()
    refused(machine)
    after(machine, updated())

    effects = play(machine, called("c2", "pay"), ToolDisabled("c2"), ToolsResolved(WITHOUT_PAY))

    assert told(effects) == []
    assert [end.output for end in only(ToolEndEvent, effects)] == [
        "Error: pay is not available now"
    ]


def test_what_is_enabled_again_runs_and_is_offered_with_the_next_update() -> None:
    machine = at_the_desk()
    refused(machine)
    after(machine, updated())

    effects = play(machine, ask(messages.UpdateSession({"max_output_tokens": 500})))
    assert only(ResolveTools, effects) == [ResolveTools(DESK)]
    assert told(effects) == [None]
    assert told(machine.handle(ToolsResolved(resolve(DESK)), 0.0)) == [
        ["weather", "pay", "transfer_to_billing"]
    ]
    assert [run.tool for run in only(RunTool, play(machine, called("c3", "pay")))] == [PAY]


def test_a_tool_of_the_agent_that_was_never_offered_is_asked_about_too() -> None:
    machine = at_the_desk()
    refused(machine)

    assert only(RunTool, play(machine, called("c2", "pay"))) != []
    assert only(RunHandoff, play(machine, called("c3", "transfer_to_billing"))) != []


def test_an_agent_whose_tools_are_always_enabled_is_not_asked() -> None:
    machine = live(FIXED)

    effects = play(machine, ask(messages.UpdateSession({"max_output_tokens": 500})))

    assert only(ResolveTools, effects) == []


def test_a_tool_that_the_model_was_told_to_call_is_not_forced_when_it_is_gone() -> None:
    chosen = Settings(tool_choice={"type": "function", "name": "pay"})
    machine = at_the_desk(settings=merge_settings(default_session_settings("ga"), chosen))

    (update,) = only(wire.SessionUpdate, refused(machine))

    assert update.session.tool_choice == "auto"


@pytest.mark.parametrize(
    "verb",
    [
        messages.UpdateSession({"tools": [{"type": "function", "name": "other"}]}),
        messages.SendRawEvent({"type": "session.update", "session": {"tools": []}}),
    ],
)
@pytest.mark.parametrize("is_answered", [True, False])
def test_tools_that_the_program_has_chosen_itself_stay(verb, is_answered) -> None:
    machine = after(at_the_desk(), ask(verb))
    if is_answered:
        after(machine, updated())

    assert told(refused(machine)) == []


def test_after_a_handoff_nothing_is_told_of_the_agent_before() -> None:
    machine = after(at_the_desk(), called("c1", "pay"), ToolDisabled("c1"))
    after(machine, called("c2", "transfer_to_billing"), handed_over(BILLING, "c2"))

    assert told(machine.handle(ToolsResolved(WITHOUT_PAY), 0.0)) == []
    after(machine, updated())
    assert told(machine.handle(ToolsResolved(WITHOUT_PAY), 0.0)) == []


class TestOneAtATime:
    def test_what_may_have_changed_meanwhile_is_asked_again(self) -> None:
        machine = after(at_the_desk(), called("c1", "pay"), called("c2", "pay"))

        effects = play(machine, ToolDisabled("c1"), ToolDisabled("c2"))
        assert len(only(ResolveTools, effects)) == 1

        effects = machine.handle(ToolsResolved(resolve(DESK)), 0.0)
        assert (len(only(ResolveTools, effects)), told(effects)) == (1, [])

        effects = machine.handle(ToolsResolved(WITHOUT_PAY), 0.0)
        assert (only(ResolveTools, effects), len(told(effects))) == ([], 1)

    @pytest.mark.parametrize(
        "failure", [ToolsNotResolved(DESK, "is_enabled failed"), TimerFired(OFFERS_TIMER)]
    )
    def test_a_function_that_fails_or_hangs_is_reported_and_asked_the_next_time(
        self, failure
    ) -> None:
        machine = after(at_the_desk(), called("c1", "pay"), ToolDisabled("c1"))

        effects = machine.handle(failure, 30.0)

        assert [event.error.type for event in only(ErrorEvent, effects)] == ["is_enabled_failed"]
        assert sent(effects) == []
        assert len(only(ResolveTools, play(machine, called("c2", "pay"), ToolDisabled("c2")))) == 1

    def test_what_comes_after_the_connection_was_lost_is_no_news(self) -> None:
        machine = after(at_the_desk(), called("c1", "pay"), ToolDisabled("c1"))

        effects = play(machine, ConnectionLost(code=1006), ToolsResolved(WITHOUT_PAY))

        assert sent(effects) == []
