"""What the core wants done. The shell does these in order, and decides nothing.

User code is never run by the core: it asks for a task, and the task's result comes
back as a message (see `realtime_actors.core.messages`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen

from realtime_actors.config import ToolTexts
from realtime_actors.core.responses.sending import MAX_MESSAGE_BYTES
from realtime_actors.core.speech.gate import Echo, Gate

if TYPE_CHECKING:
    from realtime_actors.agent import Agent, Handoff
    from realtime_actors.errors import RealtimeError
    from realtime_actors.events import Event
    from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
    from realtime_actors.items import Item
    from realtime_actors.protocol import ClientEvent, SessionUpdate
    from realtime_actors.tools import Tool

__all__ = [
    "Answer",
    "CallHook",
    "CancelTimer",
    "CancelTool",
    "CloseStandby",
    "DropConnection",
    "Echo",
    "Effect",
    "Effects",
    "End",
    "Gate",
    "OpenStandby",
    "Publish",
    "Ready",
    "Refuse",
    "ResolveAgent",
    "ResolveTools",
    "RunGuardrails",
    "RunHandoff",
    "RunTool",
    "ScreenInput",
    "Send",
    "SendKeptAudio",
    "SetGate",
    "SetTimer",
    "SwitchConnection",
]


@frozen
class Send:
    """Write an event to the server."""

    event: ClientEvent


# Made for every frame of audio, hence not frozen. Never changed.
@define
class Publish:
    """Hand an event to the subscribers, in order."""

    event: Event


@frozen
class Answer:
    """Give `caller` what it asked for."""

    caller: object
    value: object = field(default=None, repr=False)


@frozen
class Refuse:
    """Raise a foreseen error at `caller`."""

    caller: object
    error: RealtimeError


@frozen
class ResolveAgent:
    """Find out the agent's instructions and tools in a task. Answered by `AgentResolved`."""

    agent: Agent


@frozen
class ResolveTools:
    """Find out what an agent offers now in a task. Answered by `ToolsResolved`, or not so."""

    agent: Agent


@frozen(kw_only=True)
class RunTool:
    """Run a tool in a task, if it is enabled.

    Answered by `ToolFinished`, `ToolRefused`, `ToolDisabled` or `ApprovalNeeded`.
    """

    call_id: str
    tool: Tool
    arguments: str = field(repr=False)
    agent: Agent
    approved: bool = False
    """Its guardrails have passed, and the program has approved the call."""
    texts: ToolTexts = field(factory=ToolTexts)


@frozen(kw_only=True)
class RunHandoff:
    """Find the agent of a handoff in a task. Answered by `HandoffResolved` or `ToolFinished`."""

    call_id: str
    handoff: Handoff
    arguments: str = field(repr=False)
    agent: Agent
    history: Sequence[Item] = field(repr=False)
    texts: ToolTexts = field(factory=ToolTexts)
    by_model: bool = True
    """The model asks for it, so it has to be enabled."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """How large an item may be, that a filter adds."""


@frozen
class CancelTool:
    """Tell the task of a call that its result is not waited for any more."""

    call_id: str


@frozen(kw_only=True)
class RunGuardrails:
    """Judge what the model has said so far in a task. Answered by `GuardrailsFinished`."""

    response_id: str
    item_id: str
    text: str = field(repr=False)
    guardrails: tuple[OutputGuardrail, ...]
    agent: Agent
    attempt: int = 0
    """Comes back with the verdict: one that was given up is told by it."""


@frozen(kw_only=True)
class ScreenInput:
    """Judge what the user said in a turn in a task. Answered by `InputScreened`."""

    item_id: str
    text: str = field(repr=False)
    guardrails: tuple[InputGuardrail, ...]
    agent: Agent
    attempt: int = 0


@frozen
class CallHook:
    """Call a method of the agent's hooks, after the ones called before."""

    agent: Agent
    method: str
    arguments: tuple[object, ...] = field(default=(), repr=False)


@frozen
class SetTimer:
    """Send `TimerFired(key)` in `delay` seconds. Replaces a timer of the same key."""

    key: Hashable
    delay: float


@frozen
class CancelTimer:
    """Forget a timer. Does nothing when it has fired."""

    key: Hashable


@frozen
class SetGate:
    """Open or close the microphone."""

    gate: Gate


@frozen(kw_only=True)
class OpenStandby:
    """Make another connection in a task, and send it `update`.

    Answered by `StandbyOpened` or `StandbyFailed`. Nothing else goes to it, and nothing of
    what it says comes to the machine, before `SwitchConnection`. There is one at a time.
    """

    attempt: int
    """No other attempt of the session has this number."""
    update: SessionUpdate
    within: float
    """Seconds until the attempt is given up."""


@frozen
class SwitchConnection:
    """Use the standby connection from here on, and close the one that was in use, if any."""

    attempt: int


@frozen
class CloseStandby:
    """Close the standby connection, or give up making it. Does nothing when it failed."""

    attempt: int


@frozen
class DropConnection:
    """Close the connection in use, which is lost: nothing of what it says counts any more.

    Audio of the user is kept from here on, until `SendKeptAudio`.
    """

    keep_audio_ms: int
    """How much of it; the oldest goes for what is new."""


@frozen
class SendKeptAudio:
    """Send the audio that was kept, and keep no more."""


@frozen
class Ready:
    """The server has taken the configuration: callers that wait for the start can go on."""


@frozen
class End:
    """End the session; `error` when it was not asked for."""

    error: RealtimeError | None = None


Effect: TypeAlias = (
    Send
    | Publish
    | Answer
    | Refuse
    | ResolveAgent
    | ResolveTools
    | RunTool
    | RunHandoff
    | CancelTool
    | RunGuardrails
    | ScreenInput
    | CallHook
    | SetTimer
    | CancelTimer
    | SetGate
    | OpenStandby
    | SwitchConnection
    | CloseStandby
    | DropConnection
    | SendKeptAudio
    | Ready
    | End
)
Effects: TypeAlias = list[Effect]
