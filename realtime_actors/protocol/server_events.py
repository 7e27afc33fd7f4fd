"""What a server sends: one class for each type of event.

A class has the name of its type (`response.output_audio.delta` is
`ResponseOutputAudioDelta`; only `error` is `ServerError`), fields have the names of the
members. These are GA's names, whichever dialect the server speaks.
"""

from __future__ import annotations

from attrs import field, frozen

from realtime_actors.content import content
from realtime_actors.items import ContentPart, Item
from realtime_actors.protocol.base import Cut, Index, Milliseconds, ServerEvent, light
from realtime_actors.protocol.objects import (
    ConversationInfo,
    ErrorDetail,
    LogProb,
    RateLimit,
    Response,
    SessionInfo,
    TranscriptionLanguage,
    TranscriptionUsage,
)
from realtime_actors.protocol.struct import NULL

__all__ = [
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemCreated",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemInputAudioTranscriptionCompleted",
    "ConversationItemInputAudioTranscriptionDelta",
    "ConversationItemInputAudioTranscriptionFailed",
    "ConversationItemInputAudioTranscriptionSegment",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputAudioBufferDtmfEventReceived",
    "InputAudioBufferSpeechStarted",
    "InputAudioBufferSpeechStopped",
    "InputAudioBufferTimeoutTriggered",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "RateLimitsUpdated",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseFunctionCallArgumentsDelta",
    "ResponseFunctionCallArgumentsDone",
    "ResponseMcpCallArgumentsDelta",
    "ResponseMcpCallArgumentsDone",
    "ResponseMcpCallCompleted",
    "ResponseMcpCallFailed",
    "ResponseMcpCallInProgress",
    "ResponseOutputAudioDelta",
    "ResponseOutputAudioDone",
    "ResponseOutputAudioTranscriptDelta",
    "ResponseOutputAudioTranscriptDone",
    "ResponseOutputItemAdded",
    "ResponseOutputItemDone",
    "ResponseOutputTextDelta",
    "ResponseOutputTextDone",
    "ServerError",
    "SessionCreated",
    "SessionUpdated",
]


# --- errors and the session ---------------------------------------------------------------------


@frozen(kw_only=True)
class ServerError(ServerEvent):
    """Something went wrong. Nearly always the session goes on."""

    type = "error"

    error: ErrorDetail = field(factory=ErrorDetail)


@frozen(kw_only=True)
class SessionCreated(ServerEvent):
    """The first event of a connection: the session, with its default settings."""

    type = "session.created"

    session: SessionInfo


@frozen(kw_only=True)
class SessionUpdated(ServerEvent):
    """A `session.update` was accepted: the session, with all its settings."""

    type = "session.updated"

    session: SessionInfo


@frozen(kw_only=True)
class RateLimitsUpdated(ServerEvent):
    """What may still be asked for, once the output tokens of this response are set aside."""

    type = "rate_limits.updated"

    rate_limits: tuple[RateLimit, ...] = ()


# --- the conversation ---------------------------------------------------------------------------


@frozen(kw_only=True)
class ConversationCreated(ServerEvent):
    """The conversation of the session exists."""

    type = "conversation.created"

    conversation: ConversationInfo = field(factory=ConversationInfo)


@frozen(kw_only=True)
class ConversationItemAdded(ServerEvent):
    """An item is in the conversation. One of the model has no content yet."""

    type = "conversation.item.added"

    item: Item
    previous_item_id: str | None = field(default=None, metadata={NULL: True})
    """None: it is the first."""


@frozen(kw_only=True)
class ConversationItemDone(ServerEvent):
    """An item is final. Without its audio."""

    type = "conversation.item.done"

    item: Item
    previous_item_id: str | None = field(default=None, metadata={NULL: True})


@frozen(kw_only=True)
class ConversationItemCreated(ServerEvent):
    """An item is in the conversation, as the beta interface says it."""

    type = "conversation.item.created"

    item: Item
    previous_item_id: str | None = field(default=None, metadata={NULL: True})


@frozen(kw_only=True)
class ConversationItemRetrieved(ServerEvent):
    """An item that we asked for, with its audio."""

    type = "conversation.item.retrieved"

    item: Item


@frozen(kw_only=True)
class ConversationItemDeleted(ServerEvent):
    """An item is no longer in the conversation."""

    type = "conversation.item.deleted"

    item_id: str


@frozen(kw_only=True)
class ConversationItemTruncated(ServerEvent):
    """A message of the model was cut at what the user heard."""

    type = "conversation.item.truncated"

    item_id: str
    content_index: Index = 0
    audio_end_ms: Cut = 0


@frozen(kw_only=True)
class ConversationItemInputAudioTranscriptionDelta(ServerEvent):
    """A piece of what the user said. Comes in its own time, before or after the response."""

    type = "conversation.item.input_audio_transcription.delta"

    item_id: str
    content_index: Index = 0
    delta: str = field(default="", repr=content)
    logprobs: tuple[LogProb, ...] | None = None


@frozen(kw_only=True)
class ConversationItemInputAudioTranscriptionCompleted(ServerEvent):
    """What the user said."""

    type = "conversation.item.input_audio_transcription.completed"

    item_id: str
    content_index: Index = 0
    transcript: str | None = field(default=None, repr=content)
    """None from servers that say so of silence."""
    usage: TranscriptionUsage | None = None
    logprobs: tuple[LogProb, ...] | None = None
    languages: tuple[TranscriptionLanguage, ...] | None = None


@frozen(kw_only=True)
class ConversationItemInputAudioTranscriptionSegment(ServerEvent):
    """What one speaker said. From models that tell speakers apart."""

    type = "conversation.item.input_audio_transcription.segment"

    item_id: str
    content_index: Index = 0
    text: str = field(repr=content)
    id: str | None = None
    speaker: str | None = None
    start: float = 0.0
    """Seconds, as `end`."""
    end: float = 0.0


@frozen(kw_only=True)
class ConversationItemInputAudioTranscriptionFailed(ServerEvent):
    """What the user said could not be written down."""

    type = "conversation.item.input_audio_transcription.failed"

    item_id: str
    content_index: Index = 0
    error: ErrorDetail = field(factory=ErrorDetail)


# --- audio in and out ---------------------------------------------------------------------------


@frozen(kw_only=True)
class InputAudioBufferCommitted(ServerEvent):
    """The input buffer has become a user message."""

    type = "input_audio_buffer.committed"

    item_id: str | None = None
    """The message to come."""
    previous_item_id: str | None = field(default=None, metadata={NULL: True})


@frozen(kw_only=True)
class InputAudioBufferCleared(ServerEvent):
    """The input buffer is empty."""

    type = "input_audio_buffer.cleared"


@frozen(kw_only=True)
class InputAudioBufferSpeechStarted(ServerEvent):
    """The user has begun to speak."""

    type = "input_audio_buffer.speech_started"

    item_id: str | None = None
    """The message that this will become."""
    audio_start_ms: Milliseconds = 0
    """Counted from the start of all audio; the padding before the speech is in it."""


@frozen(kw_only=True)
class InputAudioBufferSpeechStopped(ServerEvent):
    """The user has stopped speaking."""

    type = "input_audio_buffer.speech_stopped"

    item_id: str | None = None
    audio_end_ms: Milliseconds = 0


@frozen(kw_only=True)
class InputAudioBufferTimeoutTriggered(ServerEvent):
    """The user said nothing for `idle_timeout_ms`: the silence was committed as a turn."""

    type = "input_audio_buffer.timeout_triggered"

    item_id: str | None = None
    audio_start_ms: Milliseconds = 0
    audio_end_ms: Milliseconds = 0


@frozen(kw_only=True)
class InputAudioBufferDtmfEventReceived(ServerEvent):
    """A key of the telephone was pressed. SIP only, and the only event without an id."""

    type = "input_audio_buffer.dtmf_event_received"

    event: str
    """One of 0-9 * # A-D."""
    received_at: float | None = None
    """Unix time in seconds."""


@frozen(kw_only=True)
class OutputAudioBufferStarted(ServerEvent):
    """The server plays audio. WebRTC and SIP only, as the next two."""

    type = "output_audio_buffer.started"

    response_id: str | None = None


@frozen(kw_only=True)
class OutputAudioBufferStopped(ServerEvent):
    """The server has played all there is."""

    type = "output_audio_buffer.stopped"

    response_id: str | None = None


@frozen(kw_only=True)
class OutputAudioBufferCleared(ServerEvent):
    """The server has thrown away what it had to play."""

    type = "output_audio_buffer.cleared"

    response_id: str | None = None


# --- responses ----------------------------------------------------------------------------------


@frozen(kw_only=True)
class ResponseCreated(ServerEvent):
    """A response has begun."""

    type = "response.created"

    response: Response


@frozen(kw_only=True)
class ResponseDone(ServerEvent):
    """A response has ended, one way or another."""

    type = "response.done"

    response: Response


@frozen(kw_only=True)
class ResponseOutputItemAdded(ServerEvent):
    """The response has a new item."""

    type = "response.output_item.added"

    response_id: str
    output_index: Index = 0
    item: Item


@frozen(kw_only=True)
class ResponseOutputItemDone(ServerEvent):
    """An item of the response is final, or will not be finished."""

    type = "response.output_item.done"

    response_id: str
    output_index: Index = 0
    item: Item


@frozen(kw_only=True)
class ResponseContentPartAdded(ServerEvent):
    """A message of the response has a new part."""

    type = "response.content_part.added"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0
    part: ContentPart


@frozen(kw_only=True)
class ResponseContentPartDone(ServerEvent):
    """A part of a message is final."""

    type = "response.content_part.done"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0
    part: ContentPart


@light(kw_only=True)
class ResponseOutputTextDelta(ServerEvent):
    """A piece of the model's text."""

    type = "response.output_text.delta"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0
    delta: str = field(repr=content)


@frozen(kw_only=True)
class ResponseOutputTextDone(ServerEvent):
    """All of the model's text."""

    type = "response.output_text.done"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0
    text: str = field(repr=content)


@light(kw_only=True)
class ResponseOutputAudioDelta(ServerEvent):
    """A piece of the model's speech."""

    type = "response.output_audio.delta"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0
    delta: bytes = field(repr=content)
    """Audio, in the session's output format."""


@frozen(kw_only=True)
class ResponseOutputAudioDone(ServerEvent):
    """All of the model's speech has been sent."""

    type = "response.output_audio.done"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0


@light(kw_only=True)
class ResponseOutputAudioTranscriptDelta(ServerEvent):
    """A piece of what the model says, in words."""

    type = "response.output_audio_transcript.delta"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0
    delta: str = field(repr=content)


@frozen(kw_only=True)
class ResponseOutputAudioTranscriptDone(ServerEvent):
    """All of what the model says, in words."""

    type = "response.output_audio_transcript.done"

    response_id: str
    item_id: str
    output_index: Index = 0
    content_index: Index = 0
    transcript: str = field(repr=content)


@frozen(kw_only=True)
class ResponseFunctionCallArgumentsDelta(ServerEvent):
    """A piece of the arguments of a function call."""

    type = "response.function_call_arguments.delta"

    response_id: str
    item_id: str
    output_index: Index = 0
    call_id: str | None = None
    delta: str = field(repr=content)


@frozen(kw_only=True)
class ResponseFunctionCallArgumentsDone(ServerEvent):
    """A function call is complete."""

    type = "response.function_call_arguments.done"

    response_id: str | None = None
    item_id: str | None = None
    output_index: Index = 0
    call_id: str | None = None
    name: str | None = None
    """GA only. The beta interface has it in the item alone."""
    arguments: str = field(default="", repr=content)
    """JSON text, as the model wrote it. Not every server sends `{}` for none."""


# --- MCP: calls that the server makes by itself -------------------------------------------------


@frozen(kw_only=True)
class ResponseMcpCallArgumentsDelta(ServerEvent):
    """A piece of the arguments of an MCP call."""

    type = "response.mcp_call_arguments.delta"

    response_id: str
    item_id: str
    output_index: Index = 0
    delta: str = field(repr=content)
    obfuscation: str | None = field(default=None, repr=False)
    """Padding against guessing from lengths."""


@frozen(kw_only=True)
class ResponseMcpCallArgumentsDone(ServerEvent):
    """The arguments of an MCP call are complete."""

    type = "response.mcp_call_arguments.done"

    response_id: str
    item_id: str
    output_index: Index = 0
    arguments: str = field(repr=content)


@frozen(kw_only=True)
class ResponseMcpCallInProgress(ServerEvent):
    """An MCP call has begun."""

    type = "response.mcp_call.in_progress"

    item_id: str
    output_index: Index = 0


@frozen(kw_only=True)
class ResponseMcpCallCompleted(ServerEvent):
    """An MCP call has worked."""

    type = "response.mcp_call.completed"

    item_id: str
    output_index: Index = 0


@frozen(kw_only=True)
class ResponseMcpCallFailed(ServerEvent):
    """An MCP call has not worked."""

    type = "response.mcp_call.failed"

    item_id: str
    output_index: Index = 0


@frozen(kw_only=True)
class McpListToolsInProgress(ServerEvent):
    """The server asks an MCP server for its tools."""

    type = "mcp_list_tools.in_progress"

    item_id: str


@frozen(kw_only=True)
class McpListToolsCompleted(ServerEvent):
    """The tools of an MCP server are known: they are in the item."""

    type = "mcp_list_tools.completed"

    item_id: str


@frozen(kw_only=True)
class McpListToolsFailed(ServerEvent):
    """The tools of an MCP server could not be had."""

    type = "mcp_list_tools.failed"

    item_id: str
