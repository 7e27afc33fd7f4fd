"""Responses out of band (`conversation: "none"`): which they are, and which were asked for.

They run beside the conversation, and many may run at once. Servers name the conversation of
all other responses; then one without a conversation is out of band. Some servers never name
it: there a response is out of band when its metadata are those of a wish, or when nothing
else is asked for and the user has said nothing that the server may be answering by itself.
A wish claims nothing that could be another's, and is given up when nothing answers it.

    asked --its response begins, or is seen to end--> answered
      |-----refused, or nothing comes within `ANSWER_WITHIN`--> given up
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

from attrs import define, field

from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import RecentSet
from realtime_actors.core.responses.wishes import Wish
from realtime_actors.protocol import Response

__all__ = ["OutOfBand", "out_of_band_timer"]

ANSWER_WITHIN: Final = 15.0
"""Seconds for the server to begin a response out of band. Ours: a wish that was lost must not
claim a response that is asked for later."""


def out_of_band_timer(event_id: str | None) -> Hashable:
    """The key of the timer that limits the wait for a response out of band."""
    return ("out_of_band", event_id)


@define
class _Wish:
    metadata: Mapping[str, Any]
    event: Wish
    is_spoken: bool
    is_stopped: bool = False


@define
class OutOfBand:
    """The responses that run beside the conversation, and the wishes for more of them."""

    outbox: Outbox
    names_conversations: bool = False
    """The server has named the conversation of a response, so it does for all of them."""
    stopped: RecentSet[str] = field(factory=RecentSet)
    """Responses that were stopped before they began."""
    spoken: dict[str, None] = field(factory=dict)
    """Responses that are made to be heard and not over, oldest first."""
    open: dict[str, None] = field(factory=dict)
    """Those that have begun and are not over."""
    _wishes: dict[str | None, _Wish] = field(factory=dict)
    _responses: RecentSet[str] = field(factory=RecentSet)
    user_had_turn: bool = False
    """Since the latest response of the conversation began: the server may be answering it."""

    def __contains__(self, response_id: object) -> bool:
        return response_id in self._responses

    @property
    def awaited(self) -> frozenset[str | None]:
        """The names of the wishes that are not answered."""
        return frozenset(self._wishes)

    def asked(
        self, event_id: str | None, metadata: Mapping[str, Any], event: Wish, *, is_spoken: bool
    ) -> None:
        """A response out of band was asked for. `is_spoken`: it is made to be heard."""
        self._wishes[event_id] = _Wish(metadata, event, is_spoken)
        self.outbox.set_timer(out_of_band_timer(event_id), ANSWER_WITHIN)

    def give_up(self, event_id: str | None) -> bool:
        """Wait no longer for the answer to a wish. Return whether it was waited for."""
        return self._wishes.pop(event_id, None) is not None

    def refused(self, event_id: str | None) -> bool:
        """Wait no longer for a wish that was refused. Return whether it was waited for."""
        is_known = self.give_up(event_id)
        if is_known:
            self.outbox.cancel_timer(out_of_band_timer(event_id))
        return is_known

    def stop_asked(self) -> None:
        """Let those that are made to be heard be stopped when they begin."""
        for wish in self._wishes.values():
            wish.is_stopped = wish.is_stopped or wish.is_spoken

    def begins(self, response: Response, asked_for: Mapping[str, Any] | None) -> bool:
        """Return whether a response that is seen for the first time is out of band.

        `asked_for` has the metadata of the response of the conversation that is asked for;
        None when none is.
        """
        if response.conversation_id is not None:
            self.names_conversations = True
        event_id, is_out_of_band = self._claim(response, asked_for)
        if response.id is None or not is_out_of_band:
            self.user_had_turn = False
            return False
        self._responses.add(response.id)
        self.open[response.id] = None
        wish = self._wishes.pop(event_id, None)
        if wish is None or wish.is_spoken:
            self.spoken[response.id] = None
        if wish is None:
            return True  # its wish was given up
        if wish.is_stopped:
            self.stopped.add(response.id)
        self.outbox.cancel_timer(out_of_band_timer(event_id))
        return True

    def over(self, response_id: str) -> None:
        """A response has ended."""
        self.open.pop(response_id, None)
        self.spoken.pop(response_id, None)

    def moved(self) -> None:
        """Another connection is in use: no response of the one before is known there."""
        for known in (self._responses, self._wishes, self.stopped, self.spoken, self.open):
            known.clear()
        self.names_conversations = self.user_had_turn = False

    def went_down(self) -> list[tuple[Wish, bool]]:
        """The connection is lost. Gives the wishes that were not answered, for the next one.

        Responses that had begun are told of: the program has asked for them, and nothing comes.
        """
        for response_id in self.open:
            self.outbox.publish_error(
                "response_lost",
                "the connection was lost in the middle of a response out of band: ask for it again"
                " if you still need it",
                response_id=response_id,
                source="response",
            )
        left = [
            (wish.event, wish.is_spoken) for wish in self._wishes.values() if not wish.is_stopped
        ]
        self.lost()
        self.open.clear()
        self.spoken.clear()
        return left

    def lost(self) -> None:
        """The connection is gone, and with it everything asked for."""
        for event_id in self._wishes:
            self.outbox.cancel_timer(out_of_band_timer(event_id))
        self._wishes.clear()

    def _claim(
        self, response: Response, asked_for: Mapping[str, Any] | None
    ) -> tuple[str | None, bool]:
        """The wish that a response answers, and whether it is out of band."""
        if response.conversation_id is not None:
            return None, False
        said = response.metadata or {}
        fits = [event_id for event_id, wish in self._wishes.items() if wish.metadata == said]
        first = next(iter(fits or self._wishes), None)
        if self.names_conversations:
            return first, True
        if not self._wishes:
            return None, False
        if said and fits and said != asked_for:
            return first, True
        return first, asked_for is None and not self.user_had_turn
