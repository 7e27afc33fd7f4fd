"""One response at a time.

    Idle --wanted--> Requested --created--> InProgress --done--> Idle
                      |     ^                  |
                      |     +----- retry ------+-- refused: wanted again, after this one
                      +-- refused, by one we don't know --> Obstructed --its end--> Idle

A response is *wanted* by whoever asks for one and *sent* when nothing is in the way:
no response is active or asked for, and nobody holds them back. Wishes that ask for
nothing special are one wish. No wish is lost while the connection lives.

Responses out of band (`conversation: "none"`) run beside this and are only noted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Final, TypeAlias

from attrs import define, evolve, field, frozen

from realtime_actors.core.effects import CancelTimer, Effects, Send, SetTimer
from realtime_actors.protocol import RawClientEvent, Response, ResponseCreate

__all__ = [
    "ANSWER_TIMER",
    "IDLE",
    "RETRY_TIMER",
    "Idle",
    "InProgress",
    "Obstructed",
    "Requested",
    "ResponseMachine",
    "Wish",
]

Wish: TypeAlias = ResponseCreate | RawClientEvent

ANSWER_TIMER: Final[Hashable] = "response.answer"
RETRY_TIMER: Final[Hashable] = "response.retry"

ANSWER_WITHIN: Final = 15.0
"""Seconds for the server to answer a `response.create`. Ours: a server that says nothing
must not stop all later responses."""

RETRY_AFTER: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds until we try again when the server says a response is active and we know of none."""

PLAIN: Final = ResponseCreate()


@frozen
class Idle:
    """Nothing is active, nothing is asked for."""


@frozen
class Requested:
    """`wish` was sent and is not answered."""

    event_id: str | None
    wish: Wish


@frozen
class InProgress:
    """A response is active. `wish` is what it probably answers: another may have made it."""

    response_id: str | None
    event_id: str | None = None
    wish: Wish | None = None


@frozen
class Obstructed:
    """The server refused `wish` for a response that we know nothing of."""


Phase: TypeAlias = Idle | Requested | InProgress | Obstructed
IDLE: Final = Idle()


@define
class ResponseMachine:
    """Which response is active, and which are wanted."""

    new_id: Callable[[], str]
    phase: Phase = IDLE
    _wanted: deque[Wish] = field(factory=deque)
    _holds: set[Hashable] = field(factory=set)
    _retries: int = 0
    _unanswered_out_of_band: int = 0
    _out_of_band: set[str] = field(factory=set)

    @property
    def active_id(self) -> str | None:
        """The id of the active response, if there is one."""
        return self.phase.response_id if isinstance(self.phase, InProgress) else None

    @property
    def owed(self) -> bool:
        """Something is wanted, asked for or active."""
        return bool(self._wanted) or not isinstance(self.phase, Idle)

    @property
    def is_active(self) -> bool:
        """A response is in progress."""
        return isinstance(self.phase, InProgress)

    def want(self, wish: Wish = PLAIN) -> None:
        """Ask for a response as soon as nothing is in the way (see `flush`)."""
        if wish != PLAIN or PLAIN not in self._wanted:
            self._wanted.append(wish)

    def hold(self, why: Hashable) -> None:
        """Send no `response.create` until `release(why)`."""
        self._holds.add(why)

    def release(self, why: Hashable) -> None:
        self._holds.discard(why)

    def flush(self) -> Effects:
        """Send the next `response.create`, if one is wanted and nothing is in the way."""
        if not self._wanted or self._holds or not isinstance(self.phase, Idle):
            return []
        wish = self._wanted.popleft()
        event = self._with_event_id(wish)
        self.phase = Requested(_event_id(event), wish)
        return [Send(event), SetTimer(ANSWER_TIMER, ANSWER_WITHIN)]

    def send_out_of_band(self, wish: Wish) -> Effects:
        """Send a `response.create` that runs beside the conversation, now."""
        self._unanswered_out_of_band += 1
        return [Send(self._with_event_id(wish))]

    def created(self, response: Response) -> Effects:
        """A response began: ours, or one that the server made by itself."""
        if self._is_out_of_band(response):
            return []
        match self.phase:
            case Requested(event_id=event_id, wish=wish):
                # It may be the voice detection's: then ours is refused in a moment,
                # and the wish is wanted again.
                self.phase = InProgress(response.id, event_id, wish)
                return [CancelTimer(ANSWER_TIMER)]
            case Obstructed():
                self.phase = InProgress(response.id)
                return [CancelTimer(RETRY_TIMER)]
            case _:
                self.phase = InProgress(response.id)
                return []

    def done(self, response: Response) -> Effects:
        """A response ended. Gives what is to be done besides `flush`."""
        if response.id is not None and response.id in self._out_of_band:
            self._out_of_band.discard(response.id)
            return []
        self._retries = 0
        match self.phase:
            case InProgress(response_id=active) if active in (response.id, None):
                self.phase = IDLE
                return []
            case Obstructed():
                self.phase = IDLE
                return [CancelTimer(RETRY_TIMER)]
            case _:
                return []

    def is_out_of_band(self, response_id: str | None) -> bool:
        """Whether this response runs beside the conversation."""
        return response_id in self._out_of_band

    def refused(self, event_id: str | None) -> Effects:
        """The server says that a response is active already: wanted again, after that one."""
        match self.phase:
            case Requested(event_id=asked, wish=wish) if event_id in (asked, None):
                self._wanted.appendleft(wish)
                self.phase = Obstructed()
                delay = RETRY_AFTER[min(self._retries, len(RETRY_AFTER) - 1)]
                self._retries += 1
                return [CancelTimer(ANSWER_TIMER), SetTimer(RETRY_TIMER, delay)]
            case InProgress(response_id=response_id, event_id=asked, wish=wish) if (
                wish is not None and event_id in (asked, None)
            ):
                self._wanted.appendleft(wish)
                self.phase = InProgress(response_id)
                return []
            case _:
                return []

    def failed(self, event_id: str | None, param: str | None) -> Effects:
        """The server refused something. If it was our `response.create`, don't ask again.

        It would be refused again, for the same reason, as fast as we can send.
        """
        about_response = event_id is None and (param or "").startswith("response")
        match self.phase:
            case Requested(event_id=asked) if about_response or event_id == asked is not None:
                self.phase = IDLE
                return [CancelTimer(ANSWER_TIMER)]
            case InProgress(response_id=response_id, event_id=asked) if event_id == asked:
                self.phase = InProgress(response_id)
                return []
            case _:
                return []

    def unanswered(self) -> bool:
        """`ANSWER_TIMER` fired. Gives whether a `response.create` was given up."""
        if isinstance(self.phase, Requested):
            self.phase = IDLE
            return True
        return False

    def retry(self) -> None:
        """`RETRY_TIMER` fired."""
        if isinstance(self.phase, Obstructed):
            self.phase = IDLE

    def lost(self) -> Effects:
        """The connection is gone, and with it everything wanted."""
        self.phase = IDLE
        self._wanted.clear()
        self._holds.clear()
        self._out_of_band.clear()
        self._retries = self._unanswered_out_of_band = 0
        return [CancelTimer(ANSWER_TIMER), CancelTimer(RETRY_TIMER)]

    def _is_out_of_band(self, response: Response) -> bool:
        # Some servers never name the conversation, so its absence tells only while
        # one of ours is awaited.
        if response.conversation_id is not None or not self._unanswered_out_of_band:
            return False
        self._unanswered_out_of_band -= 1
        if response.id is not None:
            self._out_of_band.add(response.id)
        return True

    def _with_event_id(self, wish: Wish) -> Wish:
        if _event_id(wish) is not None:
            return wish
        if isinstance(wish, RawClientEvent):
            return RawClientEvent(payload={**wish.payload, "event_id": self.new_id()})
        return evolve(wish, event_id=self.new_id())


def _event_id(wish: Wish) -> str | None:
    if isinstance(wish, RawClientEvent):
        event_id = wish.payload.get("event_id")
        return event_id if isinstance(event_id, str) else None
    return wish.event_id
