"""What may be asked of a session, and what a subscriber is told.

    session.ask(messages.SendMessage("Hi"))     # the same as session.send_message("Hi")
    session.tell(messages.Interrupt())          # the same, without waiting or raising

Each verb of a session is one of these messages; its docstring says what `ask` gives
back and what it raises. `tell` never raises: what goes wrong is an `ErrorEvent`.
`SessionEvent` goes the other way: it is what a subscriber receives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from attrs import define, field, frozen

from realtime_actors.config import SessionModelSettings
from realtime_actors.content import content
from realtime_actors.items import Item
from realtime_actors.seconds import seconds

if TYPE_CHECKING:
    from realtime_actors.agent import Agent, AnyTool, Handoff
    from realtime_actors.events import Event

__all__ = [
    "VERBS",
    "AddItem",
    "Approve",
    "ClearAudio",
    "Close",
    "CommitAudio",
    "CreateResponse",
    "CurrentAgent",
    "DeleteItem",
    "HandOff",
    "History",
    "Interrupt",
    "PlaybackPosition",
    "Reject",
    "ResponseOptions",
    "RetrieveItem",
    "SendAudio",
    "SendMessage",
    "SendRawEvent",
    "SessionEvent",
    "Subscribe",
    "TruncateItem",
    "Unsubscribe",
    "UpdateHistory",
    "UpdateSession",
    "Usage",
    "Verb",
]


# One per event and subscriber, so made the cheap way; never changed.
@define
class SessionEvent:
    """An event, and the session that it comes from."""

    session: Any = field(repr=False)
    """The `Session`: a handle that can be used right away."""
    event: Event


@frozen
class SendMessage:
    """Add a message of the user to the conversation and ask for a response.

    Raises `ConfigError` for what is no message, `NotConnectedError`.
    """

    message: str | Mapping[str, object] | Item = field(repr=content)


@frozen
class SendAudio:
    """Append audio of the user, in the session's input format.

    `session.send_audio` does the same from the caller's own thread, at a tenth of the
    cost. Raises `AudioFormatError`, `NotConnectedError`.
    """

    audio: bytes = field(repr=content)
    commit: bool = field(default=False, kw_only=True)
    """End the user's turn after this audio. Asks for no response."""


@frozen
class CommitAudio:
    """End the user's turn (without turn detection). Raises `NotConnectedError`."""


@frozen
class ClearAudio:
    """Throw away the audio that is not committed yet. Raises `NotConnectedError`."""


class ResponseOptions(TypedDict, total=False):
    """What `create_response()` takes: the fields of `CreateResponse`."""

    instructions: str | None
    modalities: Sequence[str] | None
    output_modalities: Sequence[str] | None
    tools: Sequence[Mapping[str, object] | AnyTool] | None
    tool_choice: str | Mapping[str, object] | None
    metadata: Mapping[str, str] | None
    conversation: str | None
    input: tuple[Item, ...] | None
    max_output_tokens: int | Literal["inf"] | None
    interruptible: bool
    extra: Mapping[str, object]


@frozen(kw_only=True)
class CreateResponse:
    """Ask for a response now, or after the one in progress.

    What is None is the session's. With `conversation="none"` the response runs
    beside the conversation; tell it apart by its `metadata`.
    Raises `NotConnectedError`.
    """

    instructions: str | None = field(default=None, repr=content)
    modalities: Sequence[str] | None = None
    output_modalities: Sequence[str] | None = None
    """The wire's name for `modalities`."""
    tools: Sequence[Mapping[str, object] | AnyTool] | None = None
    """Those of the agent's that it may call, or others as the wire has them."""
    tool_choice: str | Mapping[str, object] | None = None
    metadata: Mapping[str, str] | None = None
    conversation: str | None = None
    input: tuple[Item, ...] | None = field(default=None, repr=content)
    max_output_tokens: int | Literal["inf"] | None = None
    interruptible: bool = True
    """False: the user's speech does not stop it. Nobody is heard while it speaks."""
    extra: Mapping[str, object] = field(factory=dict, repr=False)


@frozen
class SendRawEvent:
    """Send a client event as it is. A `response.create` takes its turn like any other.

    Raises `ConfigError` when it has no `type`, `NotConnectedError`.
    """

    event: Mapping[str, object] = field(repr=content)


@frozen
class Interrupt:
    """Stop the model's speech now. Does nothing when it isn't speaking."""


@frozen
class Approve:
    """Let a call run that waits for approval (`ToolApprovalRequiredEvent`).

    Raises `LocalProtocolError` when none of that id waits, `NotConnectedError`.
    """

    call_id: str
    always: bool = field(default=False, kw_only=True)
    """Later calls of the same tool run without asking, as long as the session lasts."""


@frozen
class Reject:
    """Refuse a call that waits for approval; the model is told, with the reason.

    Raises `LocalProtocolError` when none of that id waits, `NotConnectedError`.
    """

    call_id: str
    reason: str | None = field(default=None, kw_only=True, repr=content)
    always: bool = field(default=False, kw_only=True)
    """Later calls of the same tool are refused without asking, as long as the session lasts."""


@frozen
class UpdateSession:
    """Change settings, and wait until the server has acknowledged them.

    Raises `ConfigError`, `SessionUpdateError`, `NotConnectedError`.
    """

    settings: SessionModelSettings | Mapping[str, object]


@frozen
class HandOff:
    """Make another agent the current one, and wait until the server has its configuration.

    Asks for no response. Raises `ConfigError` for what is no agent or can't be set up,
    `SessionUpdateError` when the server refuses it, `LocalProtocolError` while another
    handoff is under way or when the voice can't change any more, `NotConnectedError`.
    """

    agent: Agent | Handoff
    """A `Handoff` for an `input_filter`, or with `voice="reconnect"`."""


@frozen
class AddItem:
    """Add an item to the conversation, without asking for a response. Gives its id.

    Raises `ConfigError` for what is no item, or an unknown place; `NotConnectedError`.
    """

    item: str | Mapping[str, object] | Item = field(repr=content)
    """Text is a message of the user."""
    after: str | None = field(default=None, kw_only=True)
    """The id of the item that it follows; "root" puts it first, None last."""


@frozen
class DeleteItem:
    """Take an item out of the conversation. Raises `ConfigError`, `NotConnectedError`."""

    item_id: str


@frozen
class TruncateItem:
    """Keep of what the model said only the first milliseconds.

    Raises `ConfigError`, `NotConnectedError`.
    """

    item_id: str
    audio_end_ms: int
    content_index: int = field(default=0, kw_only=True)


@frozen
class RetrieveItem:
    """Ask the server for all that it has of an item. Raises `NotConnectedError`."""

    item_id: str


@frozen
class UpdateHistory:
    """Make the conversation these items: the difference to `History` is sent.

    Compared is with the history as it was when the program read it. Raises `ConfigError` for
    what is no list of items, or when items changed places; `NotConnectedError`.
    """

    items: Sequence[Mapping[str, object] | Item] = field(repr=content)


@frozen
class PlaybackPosition:
    """How much of an item's audio has been heard. `PlaybackTracker` sends these."""

    item_id: str
    content_index: int
    played_ms: float
    """Milliseconds: added to what was heard so far, or the position itself."""
    absolute: bool = field(default=False, kw_only=True)


@frozen
class Subscribe:
    """Hand events to `subscriber`: an actor's ref, or anything with `put`.

    A second subscription of the same subscriber replaces the first.
    Raises `ConfigError` for what cannot receive.
    """

    subscriber: Any
    only: Sequence[type[Any]] | type[Any] | None = field(default=None, kw_only=True)
    """Only events of these classes, or of this one; None for all."""
    raw: bool = field(default=False, kw_only=True)
    """Every event of the server too, as `RawModelEvent`."""
    direct: bool = field(default=False, kw_only=True)
    """Audio at once, from the thread that reads the socket: see `Session.subscribe`."""


@frozen
class Unsubscribe:
    """Hand no more events to `subscriber`. Does nothing for a stranger."""

    subscriber: Any


@frozen
class History:
    """Gives the conversation so far, in its order: a `Snapshot` of its items."""


@frozen
class Usage:
    """Gives the `SessionUsage` so far."""


@frozen
class CurrentAgent:
    """Gives the `Agent` that is speaking to the user."""


LONGEST_FAREWELL: Final = 60.0
"""Seconds that an end which waits for speech is put off, unless it is said otherwise. Ours: few
answers take longer."""


def _farewell(value: bool | float) -> float:
    if isinstance(value, bool):
        return LONGEST_FAREWELL if value else 0.0
    return seconds(value, "what close() waits for")


@frozen(kw_only=True)
class Close:
    """End the conversation: now, or once something is over. Answered when the end has begun.

    Both may be given as seconds: how long the end is put off for that, at most. True: 60.
    While it waits, `send_message` and `create_response` raise `SessionClosedError`.
    A connection that is lost ends it at once. Raises `ConfigError`.
    """

    after_playback: float = field(default=False, converter=_farewell)
    """Once the user has heard what the model is saying. Nothing more is asked for, a response
    that the server begins by itself is not heard. A user who speaks meanwhile interrupts the
    model as ever: what is left to be heard is gone then, and the session ends."""
    after_turn: float = field(default=False, converter=_farewell)
    """Once nothing is owed: what the user is saying is answered, calls of tools have their
    outputs and the model has spoken of them, and all of that has been heard."""

    @property
    def within(self) -> float:
        """Seconds that the end is put off, at most. 0: it is not."""
        return max(self.after_playback, self.after_turn)


Verb: TypeAlias = (
    SendMessage
    | SendAudio
    | CommitAudio
    | ClearAudio
    | CreateResponse
    | SendRawEvent
    | Interrupt
    | Approve
    | Reject
    | UpdateSession
    | HandOff
    | AddItem
    | DeleteItem
    | TruncateItem
    | RetrieveItem
    | UpdateHistory
    | PlaybackPosition
    | Subscribe
    | Unsubscribe
    | History
    | Usage
    | CurrentAgent
    | Close
)

VERBS: Final[Mapping[str, type[Verb]]] = {
    "send_message": SendMessage,
    "send_audio": SendAudio,
    "commit_audio": CommitAudio,
    "clear_audio": ClearAudio,
    "create_response": CreateResponse,
    "send_raw_event": SendRawEvent,
    "interrupt": Interrupt,
    "approve": Approve,
    "reject": Reject,
    "update_session": UpdateSession,
    "hand_off": HandOff,
    "add_item": AddItem,
    "delete_item": DeleteItem,
    "truncate_item": TruncateItem,
    "retrieve_item": RetrieveItem,
    "update_history": UpdateHistory,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "history": History,
    "usage": Usage,
    "current_agent": CurrentAgent,
    "close": Close,
}
"""What a session can be asked, by the name of the method, of the function and of the proxy's."""
