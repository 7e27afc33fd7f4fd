"""What a subscriber receives.

A subscriber is handed `SessionEvent(session, event)` (see `realtime_actors.messages`),
where `event` is one of the classes below. Each has `.type`, a name for logs and
dispatch, and `.info.context`, the context that the session was started with.

Events are values: equal when their fields are equal, and never changed after they
are made (one object is shared by all subscribers). Their repr says how long audio,
transcripts and tool arguments are, and no word of them (see `realtime_actors.content`).
What the server sent, word for word, is a `RawModelEvent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from attrs import define, field, frozen

from realtime_actors.content import content, error_message, without_keys
from realtime_actors.errors import RealtimeError
from realtime_actors.items import Item
from realtime_actors.usage import NOTHING_USED, RateLimit, SessionUsage, Usage

if TYPE_CHECKING:
    from realtime_actors.agent import Agent, Handoff
    from realtime_actors.protocol import ServerEvent, SessionInfo
    from realtime_actors.tools import HostedMcpTool, Tool

__all__ = [
    "AgentEndEvent",
    "AgentStartEvent",
    "Audio",
    "AudioEndEvent",
    "AudioEvent",
    "AudioInterruptedEvent",
    "Change",
    "ConnectionEvent",
    "ConnectionReport",
    "ErrorEvent",
    "ErrorInfo",
    "Event",
    "EventInfo",
    "GuardrailTrippedEvent",
    "HandoffEvent",
    "HistoryAddedEvent",
    "HistoryUpdatedEvent",
    "InputAudioDroppedEvent",
    "InputAudioTimeoutTriggeredEvent",
    "InputTranscriptEvent",
    "InputTranscriptSegmentEvent",
    "LeftOut",
    "LimitReachedEvent",
    "RateLimitsEvent",
    "RawModelEvent",
    "SessionUpdatedEvent",
    "SpeechStartedEvent",
    "SpeechStoppedEvent",
    "TextDeltaEvent",
    "ToolApprovalRequiredEvent",
    "ToolEndEvent",
    "ToolProgressEvent",
    "ToolStartEvent",
    "TranscriptDeltaEvent",
    "UsageEvent",
]


@frozen
class EventInfo:
    """What is the same for every event of a session."""

    context: object = field(default=None, repr=False)
    """The `context` given to `run()`."""


NO_INFO = EventInfo()


def _class_name(error: RealtimeError | None) -> str:
    return "None" if error is None else type(error).__name__


@frozen(kw_only=True)
class AgentStartEvent:
    """The agent began a response. Comes once per response."""

    type: ClassVar[str] = "agent_start"
    agent: Agent
    response_id: str | None
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class AgentEndEvent:
    """The agent's response is over, for whatever reason. Comes once per response."""

    type: ClassVar[str] = "agent_end"
    agent: Agent
    response_id: str | None
    status: str
    """As on the wire: completed, cancelled, failed, incomplete; or "disconnected", when the
    connection was lost in the middle of it (see `Reconnect.on_cut_response`); or "lost", when the
    server has not told how it ended (see `RunConfig.stall_timeout`)."""
    reason: str | None = None
    """Why it was cancelled, failed or incomplete: turn_detected, client_cancelled,
    max_output_tokens, content_filter, or the code of the error."""
    held_ms: int = 0
    """How long the first of its speech was kept from being heard: by guardrails in the mode
    "hold", or because another response spoke."""
    final: bool = True
    """Nothing more is owed for this turn: no tool call is open, no response is wanted."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class HandoffEvent:
    """Another agent has taken over. The server has acknowledged it."""

    type: ClassVar[str] = "handoff"
    from_agent: Agent
    to_agent: Agent
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class ToolStartEvent:
    """The model called a tool. `tool` is None when the agent has none of that name."""

    type: ClassVar[str] = "tool_start"
    agent: Agent
    tool: Tool | Handoff | None
    name: str
    call_id: str
    """No other call of the session has it. It is the server's id of the call; with `#2`, `#3`
    behind it where the server has given that to another call before, and the item's where it
    gives none."""
    arguments: str = field(repr=content)
    """JSON text, as the model wrote it: it may be invalid."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class ToolApprovalRequiredEvent:
    """A call waits for `session.approve(call_id)` or `session.reject(call_id)`.

    It counts as rejected when neither comes within `RunConfig.approval_timeout`.
    """

    type: ClassVar[str] = "tool_approval_required"
    agent: Agent
    tool: Tool | HostedMcpTool | None
    """The tool, or the MCP server that the Realtime API wants to call one of."""
    name: str
    call_id: str
    arguments: str = field(repr=content)
    """JSON text, as the model wrote it."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class ToolProgressEvent:
    """A tool that is running says how far it is (`ToolContext.progress`)."""

    type: ClassVar[str] = "tool_progress"
    agent: Agent
    tool: Tool | Handoff | None
    name: str
    call_id: str
    message: str = field(repr=content)
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class ToolEndEvent:
    """A tool call has its one outcome. `output` is what the model is told."""

    type: ClassVar[str] = "tool_end"
    agent: Agent
    tool: Tool | Handoff | None
    name: str
    call_id: str
    output: str = field(repr=content)
    error: str | None = field(default=None, repr=content)
    """What went wrong, or None for a success."""
    info: EventInfo = NO_INFO


# Made for every frame of audio, so in the cheapest way that attrs has: `frozen` costs
# more than twice as much to construct. Nothing changes them all the same.
@define(kw_only=True, unsafe_hash=True)
class Audio:
    """A piece of the model's speech, in the session's output format."""

    data: bytes = field(repr=content)
    response_id: str
    item_id: str
    content_index: int


@define(kw_only=True, unsafe_hash=True)
class AudioEvent:
    """The model speaks: play `audio.data`."""

    type: ClassVar[str] = "audio"
    audio: Audio
    info: EventInfo = NO_INFO

    @property
    def response_id(self) -> str:
        return self.audio.response_id

    @property
    def item_id(self) -> str:
        return self.audio.item_id

    @property
    def content_index(self) -> int:
        return self.audio.content_index


@frozen(kw_only=True)
class AudioEndEvent:
    """All audio of this part has been received. It is usually still being played."""

    type: ClassVar[str] = "audio_end"
    response_id: str
    item_id: str
    content_index: int
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class AudioInterruptedEvent:
    """Stop playing now and throw away what is buffered.

    No audio of `response_id` follows in this subscriber's queue.
    """

    type: ClassVar[str] = "audio_interrupted"
    response_id: str | None
    item_id: str | None
    """The item that was being heard; None when no audio had come yet."""
    content_index: int = 0
    heard_ms: int = 0
    """How much of the item was heard, in milliseconds."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class ErrorInfo:
    """What went wrong, in the server's words or ours."""

    type: str
    message: str = field(repr=error_message)
    code: str | None = None
    param: str | None = None
    event_id: str | None = None
    """The client event that caused it, when the server says so."""

    def __str__(self) -> str:
        """What went wrong, in a line, without keys. May quote what somebody said."""
        return without_keys(f"{self.code or self.type}: {self.message}")


@frozen(kw_only=True)
class ErrorEvent:
    """Something went wrong. The session goes on when `recoverable`."""

    type: ClassVar[str] = "error"
    error: ErrorInfo
    recoverable: bool = True
    response_id: str | None = None
    source: str = "error"
    """Where it came from: the wire's event type, or the part of the session."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class HistoryAddedEvent:
    """The conversation has a new item."""

    type: ClassVar[str] = "history_added"
    item: Item
    previous_item_id: str | None = None
    """The id of the item that it stands behind; None: it is the first."""
    info: EventInfo = NO_INFO


Change: TypeAlias = Literal["updated", "truncated", "moved", "deleted"]
"""What became of an item. What is new is told by a `HistoryAddedEvent`."""


@frozen(kw_only=True)
class HistoryUpdatedEvent:
    """An item of the conversation changed, or is gone.

    Who shows the conversation needs the item and where it stands now. The whole of it is there
    as well, as it was when this happened.
    """

    type: ClassVar[str] = "history_updated"
    history: Sequence[Item] = field(repr=content)
    """The whole conversation, in its order: a `Snapshot`, which costs as much as the change."""
    item_id: str
    """The item that changed."""
    change: Change = "updated"
    """ "truncated": only part of it was heard. "moved": nothing but its place has changed."""
    item: Item | None = field(default=None, eq=False, repr=content)
    """The item as it is now; None when it was deleted."""
    previous_item_id: str | None = field(default=None, eq=False)
    """The id of the item that it stands behind; None when it is the first, or was deleted."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class GuardrailTrippedEvent:
    """A guardrail refused what the model was saying, what the user said, or a call of a tool.

    The model was interrupted, the tool was not run, or its output was withheld; the model
    has been told why.
    """

    type: ClassVar[str] = "guardrail_tripped"
    guardrail: str
    kind: Literal["output", "input", "tool", "tool_output"] = "output"
    """ "tool": its arguments. "tool_output": what it gave back."""
    response_id: str | None
    """What was stopped; for the user's words their answer, if there was one."""
    item_id: str | None = None
    """What the model, or the user, was saying; None for a tool."""
    call_id: str | None = None
    """The call that was refused, or None."""
    reason: str | None = field(default=None, repr=content)
    text: str = field(default="", repr=content)
    """The transcript, the arguments or the output that was judged."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class InputAudioDroppedEvent:
    """Words of the user may be lost: the network was slower than speech, so the oldest of the
    audio that waited was dropped (`ModelConfig.max_outbound_audio_ms`).

    Comes at once when that begins, and then once a second with all that was dropped since the
    last one, until a second passes without. Their sum is what is missing.
    """

    type: ClassVar[str] = "input_audio_dropped"
    dropped_ms: int
    """How much, since the last of these events."""
    audio_start_ms: int
    """Where it is missing, or the first of it: as `SpeechStartedEvent`, from the start of all
    audio sent, without what was dropped."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class InputAudioTimeoutTriggeredEvent:
    """Nobody spoke for `idle_timeout_ms`; the server makes a response by itself."""

    type: ClassVar[str] = "input_audio_timeout_triggered"
    item_id: str | None
    audio_start_ms: int
    audio_end_ms: int
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class TranscriptDeltaEvent:
    """More of the transcript of what the model says."""

    type: ClassVar[str] = "transcript_delta"
    response_id: str
    item_id: str
    content_index: int
    delta: str = field(repr=content)
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class TextDeltaEvent:
    """More of the model's text (in a session that answers in text)."""

    type: ClassVar[str] = "text_delta"
    response_id: str
    item_id: str
    content_index: int
    delta: str = field(repr=content)
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class InputTranscriptEvent:
    """What the user said, as far as it is known."""

    type: ClassVar[str] = "input_transcript"
    item_id: str
    status: Literal["partial", "completed", "failed", "timed_out", "disabled"]
    """Partial any number of times, then exactly one of the others per turn of speech."""
    content_index: int = 0
    text: str = field(default="", repr=content)
    """The words that are known, whatever the status: all of them when completed."""
    delta: str = field(default="", repr=content)
    """What is new at its end, when partial; "" when the words before have changed as well."""
    error: ErrorInfo | None = None
    """Why there is none, when failed."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class InputTranscriptSegmentEvent:
    """What one speaker said within a turn of speech. From models that tell speakers apart."""

    type: ClassVar[str] = "input_transcript_segment"
    item_id: str
    content_index: int = 0
    segment_id: str | None = None
    speaker: str | None = None
    """The model's name for who spoke, the same within a session."""
    text: str = field(default="", repr=content)
    start: float = 0.0
    """Seconds, as `end`, as the server counts them."""
    end: float = 0.0
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class SpeechStartedEvent:
    """The user began to speak."""

    type: ClassVar[str] = "speech_started"
    item_id: str | None
    audio_start_ms: int
    """From the start of all audio sent, prefix padding included."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class SpeechStoppedEvent:
    """The user stopped speaking."""

    type: ClassVar[str] = "speech_stopped"
    item_id: str | None
    audio_end_ms: int
    """From the start of all audio sent."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class UsageEvent:
    """What a response cost, and all of them so far."""

    type: ClassVar[str] = "usage"
    response_id: str | None
    usage: Usage
    cost: Decimal | None = None
    """US dollars; None when the model has no price (`RunConfig.pricing`)."""
    session: SessionUsage = NOTHING_USED
    """Of the whole session, this response included."""
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class RateLimitsEvent:
    """What is left of the account's limits."""

    type: ClassVar[str] = "rate_limits"
    rate_limits: tuple[RateLimit, ...]
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class LimitReachedEvent:
    """A limit of `RunConfig` is reached: the session ends when the model has finished speaking."""

    type: ClassVar[str] = "limit_reached"
    limit: Literal["max_cost", "max_duration", "idle_timeout"]
    info: EventInfo = NO_INFO


@frozen
class LeftOut:
    """An item that another connection could not be told."""

    item_id: str | None
    why: Literal["no_transcript", "over_context", "made_by_servers", "broken_off"]
    """no_transcript: speech whose words are not known. over_context: it is of the oldest turns,
    and the model can hold no more. made_by_servers: clients can't create such items.
    broken_off: a call that the model did not finish."""


@frozen(kw_only=True)
class ConnectionReport:
    """What a conversation has brought along to another connection, and what it has not."""

    cause: Literal["lost", "renewal", "voice"]
    """Why there is another one: the last was lost, or its time would have been over, or an agent
    has another voice (`Handoff.voice`)."""
    items_told: int
    """How many items the new connection was told."""
    left_out: tuple[LeftOut, ...] = ()
    """Those that it was not told, in their order. They stay in the history."""
    open_calls: tuple[str, ...] = ()
    """Calls that still run, or wait for approval: they are answered on the new connection."""
    hosted_calls_lost: int = 0
    """Calls that the server was making by itself. What became of them is not known."""
    cut_response: str | None = None
    """The id of the response that was cut in half, if one was."""
    cut_action: Literal["", "asked_again", "continued", "dropped", "finished"] = ""
    """What was done about it. asked_again: nothing of it was heard. continued: the model was told
    how far it came, and goes on. dropped: see `Reconnect.on_cut_response`; or it was interrupted.
    finished: only its end was missing."""
    user_cut: bool = False
    """The user was speaking when the connection was lost: what the server had of it is gone."""
    unanswered_turn: bool = False
    """The user had spoken and was not answered: a response was asked for."""
    kept_verbs: int = 0
    """Verbs that waited, and were done once it was there."""
    attempts: int = 0
    """How often it was tried."""
    down_seconds: float = 0.0
    """How long there was no connection."""


@frozen(kw_only=True)
class ConnectionEvent:
    """The connection of the session, or the end of the session.

        connecting --> connected --> closed
                         |  ^           ^
                 lost <--+  +-- resumed | (gave up)
                   |            ^       |
                   +--> reconnecting ---+

    "lost" is followed by "reconnecting" for each attempt, and then by "resumed" or "closed". A
    planned move to another connection, for a voice or because the time of the last one would have
    been over, is one "resumed" and nothing else. From then on the server counts the user's audio
    from zero. "closed" is the last event of a session.
    """

    type: ClassVar[str] = "connection"
    state: Literal["connecting", "connected", "lost", "reconnecting", "resumed", "closed"]
    code: int | None = None
    """The WebSocket close code, when there was one."""
    reason: str = ""
    attempt: int = 0
    """Which attempt it is ("reconnecting"), or was ("resumed" after a loss)."""
    delay: float = 0.0
    """In how many seconds it is tried ("reconnecting")."""
    report: ConnectionReport | None = None
    """What the conversation has brought along ("resumed")."""
    # Two exceptions are never equal, and what one says may quote anybody.
    error: RealtimeError | None = field(default=None, eq=False, repr=_class_name)
    """What ended the session; None for an end that was asked for. `session.events()` raises it."""
    usage: SessionUsage = NOTHING_USED
    """What the session has used and cost by its end ("closed")."""
    info: EventInfo = NO_INFO

    @property
    def cost(self) -> Decimal | None:
        """US dollars of all that was used by the end; None when a part of it is not known."""
        return self.usage.total_cost


@frozen(kw_only=True)
class SessionUpdatedEvent:
    """The server acknowledged a configuration: `session.settings` are in force."""

    type: ClassVar[str] = "session_updated"
    session: SessionInfo
    info: EventInfo = NO_INFO


@frozen(kw_only=True)
class RawModelEvent:
    """An event of the server that the library does not act on.

    A subscriber with `raw=True` gets every event of the server this way.
    """

    type: ClassVar[str] = "raw_model_event"
    event: ServerEvent
    info: EventInfo = NO_INFO


Event: TypeAlias = (
    AgentStartEvent
    | AgentEndEvent
    | HandoffEvent
    | ToolStartEvent
    | ToolApprovalRequiredEvent
    | ToolProgressEvent
    | ToolEndEvent
    | AudioEvent
    | AudioEndEvent
    | AudioInterruptedEvent
    | ErrorEvent
    | HistoryAddedEvent
    | HistoryUpdatedEvent
    | GuardrailTrippedEvent
    | InputAudioDroppedEvent
    | InputAudioTimeoutTriggeredEvent
    | TranscriptDeltaEvent
    | TextDeltaEvent
    | InputTranscriptEvent
    | InputTranscriptSegmentEvent
    | SpeechStartedEvent
    | SpeechStoppedEvent
    | UsageEvent
    | RateLimitsEvent
    | LimitReachedEvent
    | ConnectionEvent
    | SessionUpdatedEvent
    | RawModelEvent
)
