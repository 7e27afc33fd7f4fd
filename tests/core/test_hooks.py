"""Hooks are called for what happens, in the order in which it happens."""

from __future__ import annotations

from realtime_actors import messages
from realtime_actors.core.effects import CallHook
from realtime_actors.core.messages import ConnectionLost, HookFailed
from realtime_actors.events import ErrorEvent, ErrorInfo
from realtime_actors.hooks import AgentHooks
from tests.core.machine import (
    added,
    after,
    agent_with,
    ask,
    called,
    created,
    done,
    finished,
    handed_over,
    live,
    only,
    play,
    refused,
    speech,
    spoken,
    updated,
    written,
)

HOOKS = AgentHooks()
BILLING = agent_with(name="Billing", hooks=HOOKS)
DESK = agent_with("weather", handoffs=[BILLING], hooks=HOOKS)


def hooks(effects) -> list[tuple[str, str, tuple[object, ...]]]:
    return [(call.agent.name, call.method, call.arguments) for call in only(CallHook, effects)]


def test_a_turn_is_told_at_its_beginning_and_at_its_end_with_what_was_said() -> None:
    effects = play(live(DESK), created("r1"), done("r1", "completed", spoken("i1", "Good day.")))

    assert hooks(effects)[0] == ("Receptionist", "on_start", ())
    assert ("Receptionist", "on_end", ("Good day.",)) in hooks(effects)


def test_a_turn_that_the_connection_cuts_ends_for_the_hooks_too() -> None:
    effects = after(live(DESK), created("r1")).handle(ConnectionLost(code=1006), now=0.0)

    assert ("Receptionist", "on_end", ("",)) in hooks(effects)


def test_tools_are_told_with_their_arguments_and_their_output() -> None:
    weather = DESK.find_tool("weather")
    machine = after(live(DESK), created("r1"))

    effects = play(machine, called("c1", "weather", '{"a": 1}'), finished("c1", "sunny"))

    assert [call for call in hooks(effects) if "tool" in call[1]] == [
        ("Receptionist", "on_tool_start", (weather, '{"a": 1}')),
        ("Receptionist", "on_tool_end", (weather, "sunny")),
    ]


def test_unknown_tools_are_told_as_none() -> None:
    effects = after(live(DESK), created("r1")).handle(called("c1", "dance"), now=0.0)

    assert [call for call in hooks(effects) if "tool" in call[1]] == [
        ("Receptionist", "on_tool_start", (None, "{}")),
        ("Receptionist", "on_tool_end", (None, "Error: Unknown tool dance")),
    ]


def test_a_handoff_is_told_to_the_agent_that_takes_over() -> None:
    machine = after(live(DESK), created("r1"), called("c1", "transfer_to_billing"))
    after(machine, handed_over(BILLING))

    effects = machine.handle(updated(), now=0.0)

    assert ("Billing", "on_handoff", (DESK,)) in hooks(effects)


def test_errors_are_told() -> None:
    effects = live(DESK).handle(refused("invalid_value", message="no"), now=0.0)

    info = ErrorInfo(type="invalid_request_error", message="no", code="invalid_value")
    assert hooks(effects) == [("Receptionist", "on_error", (info,))]


def test_a_hook_that_fails_is_an_error_that_no_hook_is_told_of() -> None:
    effects = live(DESK).handle(HookFailed("on_start", "KeyError: 'x'"), now=0.0)

    (error,) = only(ErrorEvent, effects)
    assert (error.error.message, error.source) == ("on_start: KeyError: 'x'", "hook")
    assert hooks(effects) == []


def test_the_conversation_is_told_whenever_it_changes() -> None:
    machine = live(DESK)

    effects = machine.handle(added(written("u1")), now=0.0)

    assert hooks(effects) == [("Receptionist", "on_history", ((written("u1"),),))]


def test_audio_is_nobodys_business() -> None:
    assert hooks(after(live(DESK), created("r1")).handle(speech(), now=0.0)) == []


def test_without_hooks_none_are_called() -> None:
    machine = live(agent_with("weather"))

    effects = play(
        machine,
        created("r1"),
        called("c1"),
        finished("c1"),
        done("r1", "failed"),
        added(written("u1")),
        ask(messages.Close()),
    )

    assert hooks(effects) == []
