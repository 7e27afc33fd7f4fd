"""Hooks: what is overridden is called, what isn't does nothing."""

from __future__ import annotations

import inspect
from typing import Any

from realtime_actors.agent import Agent
from realtime_actors.hooks import AgentHooks

HOOKS = [name for name in vars(AgentHooks) if name.startswith("on_")]


def test_there_is_a_hook_for_every_turn_of_events() -> None:
    assert HOOKS == [
        "on_start",
        "on_end",
        "on_handoff",
        "on_tool_start",
        "on_tool_end",
        "on_error",
        "on_history",
    ]


def test_every_hook_takes_the_context_and_the_agent_and_does_nothing() -> None:
    hooks = AgentHooks()

    for name in HOOKS:
        hook = getattr(hooks, name)
        parameters = list(inspect.signature(hook).parameters)
        assert parameters[:2] == ["context", "agent"]
        assert hook(*[None] * len(parameters)) is None


def test_an_agent_carries_its_hooks() -> None:
    class Log(AgentHooks):
        def __init__(self) -> None:
            self.seen: list[object] = []

        def on_end(self, context: Any, agent: Agent, output: str) -> None:
            self.seen.append((context, agent.name, output))

    log = Log()
    desk = Agent(name="Desk", hooks=log)

    assert desk.hooks is log
    desk.hooks.on_start("Ann", desk)
    desk.hooks.on_end("Ann", desk, "Goodbye.")
    assert log.seen == [("Ann", "Desk", "Goodbye.")]
