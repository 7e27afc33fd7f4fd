"""What a client sends: one class for each type of event.

A class has the name of its type (`session.update` is `SessionUpdate`), fields have the
names of the members. What is None is not sent.
"""

from __future__ import annotations

from attrs import field, frozen

from realtime_actors.config.settings import ResponseSettings, SessionModelSettings
from realtime_actors.content import content
from realtime_actors.items import Item
from realtime_actors.protocol.base import ClientEvent, light

__all__ = [
    "ConversationItemCreate",
    "ConversationItemDelete",
    "ConversationItemRetrieve",
    "ConversationItemTruncate",
    "InputAudioBufferAppend",
    "InputAudioBufferClear",
    "InputAudioBufferCommit",
    "OutputAudioBufferClear",
    "ResponseCancel",
    "ResponseCreate",
    "SessionUpdate",
]


@frozen(kw_only=True)
class SessionUpdate(ClientEvent):
    """Change the session's settings: what is set in `session` changes, the rest stays."""

    type = "session.update"

    session: SessionModelSettings
    session_type: str = "realtime"
    """realtime, or transcription: a session that only writes down what it hears. Of the
    settings it has those of the input and `include`; the others are not sent."""


@light(kw_only=True)
class InputAudioBufferAppend(ClientEvent):
    """Add audio, in the session's input format, to the input buffer. At most 15 MiB."""

    type = "input_audio_buffer.append"

    audio: bytes = field(repr=content)


@frozen(kw_only=True)
class InputAudioBufferCommit(ClientEvent):
    """Make a user message out of the input buffer. Asks for no response."""

    type = "input_audio_buffer.commit"


@frozen(kw_only=True)
class InputAudioBufferClear(ClientEvent):
    """Forget what is in the input buffer."""

    type = "input_audio_buffer.clear"


@frozen(kw_only=True)
class OutputAudioBufferClear(ClientEvent):
    """Stop what the server plays. For WebRTC and SIP only; cancel the response first."""

    type = "output_audio_buffer.clear"


@frozen(kw_only=True)
class ConversationItemCreate(ClientEvent):
    """Add an item to the conversation."""

    type = "conversation.item.create"

    item: Item
    previous_item_id: str | None = None
    """Insert after this one; "root" inserts at the beginning, None at the end."""


@frozen(kw_only=True)
class ConversationItemRetrieve(ClientEvent):
    """Ask for an item as the server has it, with its audio."""

    type = "conversation.item.retrieve"

    item_id: str


@frozen(kw_only=True)
class ConversationItemDelete(ClientEvent):
    """Take an item out of the conversation."""

    type = "conversation.item.delete"

    item_id: str


@frozen(kw_only=True)
class ConversationItemTruncate(ClientEvent):
    """Cut the audio of a message of the model at what was heard. Deletes its transcript."""

    type = "conversation.item.truncate"

    item_id: str
    content_index: int = 0
    audio_end_ms: int
    """How much stays. More than there is is an error."""


@frozen(kw_only=True)
class ResponseCreate(ClientEvent):
    """Ask for a response. An error while one is active, unless it is out of band."""

    type = "response.create"

    response: ResponseSettings | None = None
    """What differs from the session's settings, for this response."""


@frozen(kw_only=True)
class ResponseCancel(ClientEvent):
    """Stop a response: the active one, or an out-of-band one by its id."""

    type = "response.cancel"

    response_id: str | None = None
