"""What a session is set up with: everything that a machine is given before its first message."""

from __future__ import annotations

from attrs import field, frozen

from realtime_actors import events
from realtime_actors.agent import Agent
from realtime_actors.config import RunConfig, SessionModelSettings
from realtime_actors.core.responses.sending import MAX_MESSAGE_BYTES

__all__ = ["Setup"]


@frozen(kw_only=True)
class Setup:
    """What does not change while the session lives."""

    agent: Agent
    """The agent that the conversation starts with."""
    settings: SessionModelSettings
    """What the program configured (defaults included), before any agent."""
    config: RunConfig = field(factory=RunConfig)
    """What holds for all agents. Its `model_settings` are in `settings` already."""
    session_type: str = "realtime"
    """realtime, or transcription: it only listens."""
    attached: bool = False
    """The server's session has settings of its own: see `Configuration.attached`."""
    info: events.EventInfo = events.NO_INFO
    """What is the same for every event."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """How large a message may be, either way."""
    playback_reported: bool = False
    """A `PlaybackTracker` reports what was heard."""
    model: str | None = None
    """The model that we asked for, until the server says which it is."""
    seed: str = ""
    """Tells sessions apart that lose their connections in the same moment: see
    `core.connection.backoff`."""
