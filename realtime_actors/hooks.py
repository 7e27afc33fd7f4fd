"""What a program is told about an agent's life, if it wants to know.

Subclass `AgentHooks` and override what interests you. Hooks run one after the other,
in the order in which things happened, in one task per session: they may block without
holding up the conversation, but a slow hook delays the ones behind it. They are for
watching (logs, metrics, a screen): what they return is ignored, and one that raises is
reported as an `ErrorEvent`. A hook may be a coroutine function.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from realtime_actors.agent import Agent, Handoff, Hooks
from realtime_actors.errors import ConfigError, did_you_mean
from realtime_actors.events import ConnectionEvent, ErrorInfo
from realtime_actors.items import Item
from realtime_actors.tools import Tool

__all__ = ["AgentHooks"]


class AgentHooks(Hooks):
    """Callbacks that do nothing. Override some, and give an instance to the agent.

    `context` is always what was given to `run(context=...)`, and `agent` the agent
    whose hooks these are. A method whose name begins with `on_` and is no hook is a
    `ConfigError`, where the class is made: it would never be called.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _check(cls)

    def check_hooks(self) -> None:
        """Raise `ConfigError` for a hook that can't be called, or would never be."""
        _check(self)

    def on_start(self, context: Any, agent: Agent, /) -> object:
        """A response of this agent begins."""

    def on_end(self, context: Any, agent: Agent, output: str, /) -> object:
        """A response of this agent is over. `output` is what it said or wrote, as text."""

    def on_handoff(self, context: Any, agent: Agent, source: Agent, /) -> object:
        """This agent has taken over from `source`."""

    def on_tool_start(
        self, context: Any, agent: Agent, tool: Tool | Handoff | None, arguments: str, /
    ) -> object:
        """The model called `tool`, or one that isn't there (None), or asked for a handoff.

        `arguments` is the JSON text that it sent.
        """

    def on_tool_end(
        self, context: Any, agent: Agent, tool: Tool | Handoff | None, output: str, /
    ) -> object:
        """A call has its outcome. `output` is what the model is given, errors included."""

    def on_error(self, context: Any, agent: Agent, error: ErrorInfo, /) -> object:
        """Something went wrong while this agent was the current one."""

    def on_connection_lost(self, context: Any, agent: Agent, event: ConnectionEvent, /) -> object:
        """The connection is gone, and another one is tried: play a tone, say "one moment".

        Called once for each loss. `on_connection_resumed` follows, or the end of the session.
        """

    def on_connection_resumed(
        self, context: Any, agent: Agent, event: ConnectionEvent, /
    ) -> object:
        """There is another connection, and it knows the conversation: see `event.report`."""

    def on_history(self, context: Any, agent: Agent, history: Sequence[Item], /) -> object:
        """The conversation has changed. `history` is all of it, oldest first."""


def _check(hooks: Any) -> None:
    """Raise `ConfigError` for a method that is no hook, or can't be called as one.

    `hooks` is a subclass of `AgentHooks`, or an instance, which may have members of its own.
    """
    known = {name: value for name, value in vars(AgentHooks).items() if name.startswith("on_")}
    cls = hooks if isinstance(hooks, type) else type(hooks)
    for name in dir(hooks):
        hook = getattr(hooks, name, None) if name.startswith("on_") else None
        if not callable(hook):
            continue
        what = f"{cls.__name__}.{name}"
        if name not in known:
            raise ConfigError(f"{what} is no hook: {did_you_mean(name, known)}")
        offered = [*inspect.signature(known[name]).parameters][1:]
        # A plain function of a class is given the instance as well.
        own = [hooks] if hook is inspect.getattr_static(hooks, name) and hooks is cls else []
        try:
            inspect.signature(hook, follow_wrapped=False).bind(*own, *offered)
        except TypeError as error:
            raise ConfigError(f"{what} is called with {', '.join(offered)}: {error}") from None
