"""What the core is told, beside the events of the server.

The verbs of `realtime_actors.messages` come wrapped in `Asked`; everything that a
task found out, and what happened to the connection, has a class here.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

if TYPE_CHECKING:
    from realtime_actors.agent import Agent, Handoff
    from realtime_actors.errors import RealtimeError
    from realtime_actors.items import InputImage, Item
    from realtime_actors.messages import Verb
    from realtime_actors.protocol import SessionUpdated
    from realtime_actors.tools import Tool

__all__ = [
    "AgentNotResolved",
    "AgentResolved",
    "ApprovalNeeded",
    "Asked",
    "AudioDropped",
    "ConnectFailed",
    "Connected",
    "ConnectionLost",
    "FellBehind",
    "GuardrailsFinished",
    "HandoffResolved",
    "HookFailed",
    "InputScreened",
    "Message",
    "NotSent",
    "ResolvedAgent",
    "StandbyFailed",
    "StandbyOpened",
    "Started",
    "TimerFired",
    "ToolDisabled",
    "ToolFinished",
    "ToolProgressed",
    "ToolRefused",
    "ToolsNotResolved",
    "ToolsResolved",
]


@frozen(kw_only=True)
class ResolvedAgent:
    """An agent with everything that its user code had to say."""

    agent: Agent
    instructions: str | None = field(repr=False)
    """None leaves them to the server."""
    tools: Mapping[str, Tool]
    handoffs: Mapping[str, Handoff]
    definitions: tuple[Mapping[str, object], ...] = field(repr=False)
    """Tools and handoffs as the wire has them."""
    has_instructions: bool = True
    """They are its own: its author wrote them."""
    has_tools: bool = True
    """It has tools or handoffs, whether they are enabled or not."""


@frozen
class Started:
    """The session exists. Sent once, first."""


@frozen(kw_only=True)
class Connected:
    """The connection is up."""

    unix_time: float | None = None
    """What the time of day is, now: by that the server says when a session ends."""


@frozen
class ConnectFailed:
    """The connection could not be made."""

    error: RealtimeError


@frozen(kw_only=True)
class ConnectionLost:
    """The connection is down, and we did not ask for it."""

    code: int | None = None
    reason: str = ""


@frozen
class FellBehind:
    """The session has not kept up: its socket is not read until it has."""

    waiting_bytes: int
    held_up_by: tuple[str, ...] = ()
    """The classes of subscribers whose `put` had not returned."""

    def __str__(self) -> str:
        """What happened, and why, in a line."""
        puts = [f"{name}.put() has not returned" for name in self.held_up_by]
        why = ", ".join(puts) or "a handler takes long, or the process is busy"
        waiting = f"{self.waiting_bytes / 2**20:.1f} MiB"
        return f"the server is not read while {waiting} of what it said wait: {why}"


@frozen(kw_only=True)
class StandbyOpened:
    """The standby connection is up, and its server has taken the configuration."""

    attempt: int
    answer: SessionUpdated
    unix_time: float | None = None
    """As in `Connected`."""


@frozen(kw_only=True)
class StandbyFailed:
    """The standby connection could not be made, or was lost before it was used."""

    attempt: int
    error: RealtimeError


@frozen
class Asked:
    """A caller asked for something. `caller` is handed back in the answer."""

    verb: Verb
    caller: object = None


@frozen(kw_only=True)
class AudioDropped:
    """Audio of the user waited too long for the network, and was not sent."""

    ms: float
    at_ms: float
    """After how much of the audio that was sent it is missing, or the first of it is."""


@frozen(kw_only=True)
class NotSent:
    """The last `count` events of those that the last message gave to send were not sent.

    The first of them could not be, and the others were to follow it.
    """

    count: int
    error: RealtimeError
    is_told: bool
    """A caller waited for the message to be dealt with, and the error was raised there."""


@frozen
class AgentResolved:
    """What `ResolveAgent` found."""

    resolved: ResolvedAgent


@frozen
class AgentNotResolved:
    """The instructions or the tools of an agent raised."""

    agent: Agent
    error: str


@frozen
class ToolsResolved:
    """What `ResolveTools` found. The instructions are not asked for."""

    resolved: ResolvedAgent


@frozen
class ToolsNotResolved:
    """What an agent offers could not be found out: an `is_enabled` raised."""

    agent: Agent
    error: str = field(repr=False)


@frozen
class ToolDisabled:
    """A tool or a handoff was not run: it is not enabled, or not any more."""

    call_id: str


@frozen(kw_only=True)
class ToolFinished:
    """A tool call's task ended: `output` is what the model is told."""

    call_id: str
    output: str = field(repr=False)
    images: tuple[InputImage, ...] = field(default=(), repr=False)
    error: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class ToolRefused:
    """A guardrail tripped over the arguments of a call, or over what the tool gave back."""

    call_id: str
    guardrail: str
    reason: str | None = field(default=None, repr=False)
    withheld: str | None = field(default=None, repr=False)
    """What the tool gave back; None when it was not run."""


@frozen
class ApprovalNeeded:
    """The tool was not run: the program has to approve the call first."""

    call_id: str


@frozen
class ToolProgressed:
    """A tool that is running says how far it is."""

    call_id: str
    message: str = field(repr=False)


@frozen(kw_only=True)
class HandoffResolved:
    """A handoff found its agent."""

    call_id: str
    resolved: ResolvedAgent
    history: tuple[Item, ...] | None = field(default=None, repr=False)
    """What the input filter made of the history, or None without a filter."""


@frozen(kw_only=True)
class GuardrailsFinished:
    """The guardrails have judged. `guardrail` names the one that tripped, if any."""

    response_id: str
    item_id: str
    text: str = field(repr=False)
    guardrail: str | None = None
    reason: str | None = field(default=None, repr=False)
    failure: str | None = field(default=None, repr=False)
    """What went wrong with a guardrail that could not judge."""
    failed: str = "guardrail"
    """Its name."""
    attempt: int = 0
    """That of the effect."""


@frozen(kw_only=True)
class InputScreened:
    """The guardrails have judged what the user said. `guardrail` names the one that tripped."""

    item_id: str
    text: str = field(repr=False)
    guardrail: str | None = None
    reason: str | None = field(default=None, repr=False)
    failure: str | None = field(default=None, repr=False)
    """What went wrong with a guardrail that could not judge."""
    failed: str = "guardrail"
    """Its name."""
    attempt: int = 0
    """That of the effect."""


@frozen
class HookFailed:
    """A hook raised."""

    method: str
    error: str = field(repr=False)


@frozen
class TimerFired:
    """A timer set by `SetTimer` is due."""

    key: Hashable


Message: TypeAlias = (
    Started
    | Connected
    | ConnectFailed
    | ConnectionLost
    | FellBehind
    | StandbyOpened
    | StandbyFailed
    | Asked
    | AudioDropped
    | NotSent
    | AgentResolved
    | AgentNotResolved
    | ToolsResolved
    | ToolsNotResolved
    | ToolDisabled
    | ToolFinished
    | ToolProgressed
    | ToolRefused
    | ApprovalNeeded
    | HandoffResolved
    | GuardrailsFinished
    | InputScreened
    | HookFailed
    | TimerFired
)
