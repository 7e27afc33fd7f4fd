"""What is kept while there is no connection: verbs, and what the loss has left undone.

    verbs --in their order--> done once there is a connection --or the end--> refused

Audio is kept by whoever sends it (`session.kept_audio`): it does not come here.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field, frozen

from realtime_actors import messages
from realtime_actors.core.responses.wishes import Wanted

__all__ = ["Cut", "Kept", "Outage"]


@frozen
class Kept:
    """A verb that waits."""

    verb: messages.Verb
    caller: object


@define(kw_only=True)
class Cut:
    """A response that the loss has cut in half."""

    response_id: str | None
    wanted: Wanted | None
    """What was asked for; None for one that the server has made by itself."""
    items: tuple[str, ...]
    """The messages that it was saying or writing."""
    is_finished: bool
    """All that it has made is finished: only its end is missing."""
    is_stopped: bool = False
    """It was interrupted, before or after it was cut."""
    is_wanted: bool = False
    """It was asked for again, as soon as there is a connection."""


@define(kw_only=True)
class Outage:
    """One time without a connection, from the loss to the next connection that lasts."""

    since: float
    code: int | None
    reason: str
    attempts: int = 0
    cut: Cut | None = None
    user_cut: bool = False
    owes_answer: bool = False
    """The user had spoken, and nothing had been said to that."""
    hosted_calls: int = 0
    verbs: deque[Kept] = field(factory=deque)
    last_failure: str = ""
    """Why the last attempt failed."""

    def left(self, now: float, max_seconds: float) -> float:
        """Return the seconds in which there has to be a connection."""
        return self.since + max_seconds - now
