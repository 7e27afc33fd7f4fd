"""What a journal keeps of a conversation: what has happened that must not be lost.

A fact is told to the journal before anything that follows from it is done. What is under way
(speech, words that are still coming, timers) is no fact: with the process it is gone.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import field, frozen

from realtime_actors.config import SessionModelSettings
from realtime_actors.items import Item
from realtime_actors.usage import SessionUsage

__all__ = [
    "FORMAT",
    "AgentChanged",
    "Began",
    "CallApproved",
    "CallEnded",
    "CallMade",
    "Ended",
    "Fact",
    "ItemGone",
    "ItemKept",
    "Owed",
    "SettingsChanged",
    "ToolDecided",
    "UsageCounted",
]

FORMAT: Final = 1
"""The version of all that is written. It changes when an older program could not go on with it."""


@frozen(kw_only=True)
class Began:
    """A process has begun to hold the conversation, or another one to go on with it."""

    format: int
    """`FORMAT` of the program that wrote it."""
    life: int
    """1 for the first, and one more each time."""
    agent: str
    """The name of the agent that the program has given."""
    session_type: str = "realtime"


@frozen(kw_only=True)
class ItemKept:
    """An item is in the conversation, or is now something else, or stands somewhere else."""

    item: Item
    after: str | None = None
    """The item right before it. None: it is the first."""


@frozen
class ItemGone:
    """An item is not in the conversation any more."""

    item_id: str


@frozen(kw_only=True)
class CallMade:
    """The model has called a tool, or a handoff: it is to be run."""

    call_id: str
    """Ours: no other call of the conversation has it."""
    server_id: str
    """What its output names."""
    item_id: str | None = None
    name: str
    arguments: str = field(repr=False)
    agent: str
    """The name of the one that was speaking."""


@frozen
class CallApproved:
    """Somebody has approved a call: it is not asked about again."""

    call_id: str


@frozen
class CallEnded:
    """A call has its one outcome: it is not run again. What the model is told is an item."""

    call_id: str


@frozen(kw_only=True)
class ToolDecided:
    """All later calls of a tool are approved, or rejected, without asking."""

    name: str
    server_label: str | None = None
    """Of a hosted tool."""
    approve: bool


@frozen
class AgentChanged:
    """Another agent speaks to the user."""

    name: str


@frozen
class SettingsChanged:
    """What the program has changed of the settings, in all."""

    settings: SessionModelSettings


@frozen
class UsageCounted:
    """What the conversation has used so far."""

    usage: SessionUsage


@frozen
class Owed:
    """Whether an answer of the model is owed to the user."""

    is_owed: bool


@frozen
class Ended:
    """The conversation was ended on purpose."""

    reason: str = ""


Fact: TypeAlias = (
    Began
    | ItemKept
    | ItemGone
    | CallMade
    | CallApproved
    | CallEnded
    | ToolDecided
    | AgentChanged
    | SettingsChanged
    | UsageCounted
    | Owed
    | Ended
)
