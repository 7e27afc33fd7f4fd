"""Hooks: what is overridden is called, what isn't does nothing."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from realtime_actors.agent import Agent
from realtime_actors.errors import ConfigError
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
        "on_connection_lost",
        "on_connection_resumed",
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


def test_a_misspelt_hook_is_refused_with_the_right_name() -> None:
    with pytest.raises(ConfigError, match=r"Log\.on_strat is no hook: did you mean 'on_start'\?"):

        class Log(AgentHooks):
            def on_strat(self, context: Any, agent: Agent) -> None: ...

    with pytest.raises(ConfigError, match="on_llm_start is no hook"):
        type("Other", (AgentHooks,), {"on_llm_start": lambda self: None})


def test_a_hook_of_another_class_or_of_one_instance_is_looked_at_too() -> None:
    class Mixin:
        def on_tool_started(self) -> None: ...

    with pytest.raises(ConfigError, match="did you mean 'on_tool_start'"):
        type("Log", (Mixin, AgentHooks), {})

    hooks: Any = AgentHooks()
    hooks.on_eror = print
    with pytest.raises(ConfigError, match="did you mean 'on_error'"):
        Agent(hooks=hooks)


@pytest.mark.parametrize(
    "hook",
    [
        lambda self, context, agent: None,
        lambda self, context, agent, output, more: None,
        lambda self, context, agent, *, output: None,
        staticmethod(lambda self, context, agent, output: None),
    ],
)
def test_a_hook_that_cannot_be_called_is_refused_where_it_is_made(hook) -> None:
    with pytest.raises(ConfigError, match=r"Log\.on_end is called with context, agent, output"):
        type("Log", (AgentHooks,), {"on_end": hook})


def test_hooks_may_take_what_they_are_given_in_any_way() -> None:
    seen: list[object] = []

    class Log(AgentHooks):
        def on_start(self, *arguments: Any) -> None:
            seen.append(arguments)

        @staticmethod
        def on_end(context: Any, agent: Agent, output: str = "") -> None:
            seen.append(output)

        @classmethod
        async def on_error(cls, ctx: Any, who: Agent, what: object) -> None: ...

        def _on_wire(self) -> None: ...

        on_air = False

    log = Log()
    log.on_handoff = lambda context, agent, source: seen.append(source)  # type: ignore[method-assign] # as a program may
    desk = Agent(hooks=log)

    log.on_start(1, desk)
    log.on_end(1, desk, "bye")
    assert seen == [(1, desk), "bye"]
