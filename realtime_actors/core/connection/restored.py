"""A conversation that begins where another life of it has ended.

    machine = SessionMachine(Setup(agent=agent, settings=settings, restored=Restored(items=...)))

The machine has these items as its history from the start, with these ids, and these calls as open
ones. When its first connection is configured, it tells the server the conversation, as it does
after a loss, and publishes "resumed" with a report right behind "connected". Then it runs the open
calls again, whose tools the agent has to have, and asks for a response if one is owed.

Everything here is plain: items go to JSON by `items.item_to_wire`, settings and usage by
`to_jsonable`. The agent is the one that was the current one: who restores finds it by its name.
"""

from __future__ import annotations

from attrs import field, frozen

from realtime_actors.config import SessionModelSettings
from realtime_actors.items import Item
from realtime_actors.usage import NOTHING_USED, SessionUsage

__all__ = ["Restored", "RestoredCall"]


@frozen(kw_only=True)
class RestoredCall:
    """A call that had no outcome."""

    call_id: str
    """Ours, as `ToolStartEvent` has it. It is what the tool is told again."""
    item_id: str | None
    name: str
    arguments: str = field(repr=False)
    is_approved: bool = False
    """Somebody has approved it. One that waits for that is asked about again."""


@frozen(kw_only=True)
class Restored:
    """What is known of a conversation that goes on."""

    items: tuple[Item, ...] = field(default=(), repr=False)
    """In their order. Each has an id."""
    calls: tuple[RestoredCall, ...] = ()
    """Oldest first."""
    usage: SessionUsage = NOTHING_USED
    settings: SessionModelSettings = field(factory=SessionModelSettings)
    """What the program has changed by `update_session`, in all."""
    owes_response: bool = False
    """The user has spoken, or a tool has answered, and the model has not said anything since."""
