"""One response at a time.

    Idle --wanted--> Requested --created--> InProgress --done--> Idle
                      |  |
                      |  +-- refused for one that we don't know --> Obstructed
                      |          Obstructed --that one ends, or time passes--> Idle
                      +-- refused for another reason, or not answered --> Idle

A response is *wanted* once it is asked for and *sent* when nothing is in the way: no response
is active or requested, and no reason to hold them back is given (`hold`). Wishes that ask for
nothing special are one wish. No wish is lost while the connection lives: one that was
sent while the server began a response by itself is refused, and wanted again after it. What
calls are owed is honoured by any response, and asked for when there is none (see `claims`).

A response that is asked for may be stopped: then it is when it begins. Who may stop which, and
when one may be asked for at all, is decided in `turn_taking`.

A response may be one that the user's speech must not stop. If a server stops it all the
same, for speech that was on its way to it, it is wanted again.

Responses out of band (`conversation: "none"`) run beside this: see `out_of_band`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final, TypeAlias

from attrs import define, evolve, field, frozen

from realtime_actors.config import ResponseSettings
from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import RecentSet
from realtime_actors.core.responses.claims import Claims
from realtime_actors.core.responses.ends import was_talked_over
from realtime_actors.core.responses.out_of_band import OutOfBand
from realtime_actors.core.responses.wishes import (
    PLAIN,
    Asked,
    Wanted,
    Wish,
    Wishes,
    event_id_of,
    metadata_of,
    with_event_id,
)
from realtime_actors.protocol import Response, ResponseCreate

__all__ = [
    "ANSWER_TIMER",
    "IDLE",
    "RETRY_TIMER",
    "Idle",
    "InProgress",
    "Obstructed",
    "Requested",
    "ResponseMachine",
]

ANSWER_TIMER: Final[Hashable] = "response.answer"
RETRY_TIMER: Final[Hashable] = "response.retry"

ANSWER_WITHIN: Final = 15.0
"""Seconds for the server to answer a `response.create`. Ours: a server that says nothing
must not stop all later responses."""

RETRY_AFTER: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds until we try again when the server says a response is active and we know of none."""


@frozen
class Idle:
    """Nothing is active, nothing is asked for."""


@frozen
class Requested:
    """A `response.create` was sent and is not answered."""

    interruptible: bool = True


@frozen
class InProgress:
    """A response is active: the one we asked for, or one that the server made by itself."""

    response_id: str | None
    interruptible: bool = True
    stopped: bool = False
    """It was stopped before it began."""


@frozen
class Obstructed:
    """The server refused a `response.create` for a response that we know nothing of."""


Phase: TypeAlias = Idle | Requested | InProgress | Obstructed
IDLE: Final = Idle()
OBSTRUCTED: Final = Obstructed()

IN_DOUBT: Final = 8
"""How many of the last creates may still turn out to be refused."""


@define
class ResponseMachine:
    """Which response is active, and which are wanted."""

    outbox: Outbox
    phase: Phase = IDLE
    _asked: deque[Asked] = field(factory=lambda: deque(maxlen=IN_DOUBT))
    protected: RecentSet[str] = field(factory=RecentSet)
    """The responses that the user's speech must not stop, as far as they are known."""
    _wishes: Wishes = field(factory=Wishes)
    _holds: set[Hashable] = field(factory=set)
    _retries: int = 0
    _begun: RecentSet[str] = field(factory=RecentSet)
    _over: RecentSet[str] = field(factory=RecentSet)
    out_of_band: OutOfBand = field(init=False)
    claims: Claims = field(factory=Claims)
    """What calls are owed."""
    _active_wish: Wanted | None = None  # what the active response was asked for by, if it was

    def __attrs_post_init__(self) -> None:
        self.out_of_band = OutOfBand(self.outbox)

    @property
    def active_id(self) -> str | None:
        """The id of the active response, if there is one."""
        return self.phase.response_id if isinstance(self.phase, InProgress) else None

    @property
    def owed(self) -> bool:
        """Something is wanted, asked for or active."""
        return bool(self._wishes.wanted or self.claims.open) or not isinstance(self.phase, Idle)

    @property
    def is_idle(self) -> bool:
        """Nothing is active, nothing is asked for."""
        return isinstance(self.phase, Idle)

    @property
    def is_requested(self) -> bool:
        """A `response.create` was sent and is not answered."""
        return isinstance(self.phase, Requested)

    @property
    def is_active(self) -> bool:
        """A response is in progress."""
        return isinstance(self.phase, InProgress)

    @property
    def waits(self) -> bool:
        """Something is wanted, and not asked for yet."""
        return self._wishes.any or bool(self.claims.open)

    @property
    def is_stopped(self) -> bool:
        """The response in progress was stopped before it began."""
        return isinstance(self.phase, InProgress) and self.phase.stopped

    @property
    def at_rest(self) -> bool:
        """Nothing is asked for or active, beside the conversation as well."""
        return isinstance(self.phase, Idle) and not self.out_of_band.open

    @property
    def is_expected(self) -> bool:
        """A response of the conversation that begins now is no surprise, and no other may begin.

        It is asked for, or in the way of one that was, or the user has had a turn.
        """
        if self.out_of_band.awaited:
            return False
        match self.phase:
            case Idle():
                return self.out_of_band.user_had_turn
            case Requested() | Obstructed():
                return True
            case InProgress():
                return False

    @property
    def awaited(self) -> frozenset[str | None]:
        """The names of what was sent for responses, and is not answered."""
        asked = {self._asked[-1].event_id} if self._asked and self.is_requested else set()
        return self.out_of_band.awaited | asked

    @property
    def protects(self) -> bool:
        """What is asked for or in progress must not be stopped by the user's speech."""
        return isinstance(self.phase, Requested | InProgress) and not self.phase.interruptible

    @property
    def is_closed(self) -> bool:
        """Nothing more is wanted."""
        return self._wishes.is_closed

    @property
    def spoken_beside(self) -> tuple[str, ...]:
        """The responses out of band that are made to be heard, and are not over."""
        return tuple(self.out_of_band.spoken)

    def is_over(self, response_id: str | None) -> bool:
        """Whether this response is done."""
        return response_id in self._over

    def is_known(self, response_id: str | None) -> bool:
        """Whether this response has begun, and perhaps ended."""
        return response_id in self._begun or response_id in self._over

    def has_begun(self, response_id: str | None) -> bool:
        """Whether the server has said that this response began. None: the one without an id."""
        return self.is_active if response_id is None else self.is_known(response_id)

    def learn_id(self, response_id: str) -> bool:
        """Take an id for that of the active response, if it has none and the id is new."""
        phase = self.phase
        if not isinstance(phase, InProgress) or phase.response_id is not None:
            return False
        if self.is_known(response_id):
            return False
        self.phase = evolve(phase, response_id=response_id)
        self._begun.add(response_id)
        return True

    def may_be_of_conversation(self, response: Response) -> bool:
        """Whether the server may mean a response of the conversation, by what it says of it."""
        return response.conversation_id is not None or not self.out_of_band.names_conversations

    def id_of_end(self, response: Response) -> str | None:
        """The id of a response whose end may have come without it."""
        if response.id is not None:
            return response.id
        if not self.may_be_of_conversation(response):
            running = sorted(self.out_of_band.open)
            if len(running) == 1:
                return running[0]
        return self.active_id

    def is_out_of_band(self, response_id: str | None) -> bool:
        """Whether this response runs beside the conversation."""
        return response_id in self.out_of_band

    def want(self, wish: Wish = PLAIN, *, interruptible: bool = True) -> None:
        """Ask for a response as soon as nothing is in the way (see `flush`)."""
        self._wishes.add(Wanted(wish, interruptible))

    def close(self, *, drop: bool) -> None:
        """Take no more wishes. What was wanted before is asked for, unless it is to be dropped."""
        self._wishes.is_closed = True
        if drop:
            self._wishes.clear()
            self.claims.open.clear()

    def hold(self, why: Hashable) -> None:
        """Send no `response.create` until `release(why)`."""
        self._holds.add(why)

    def holds(self, why: Hashable) -> bool:
        """Whether responses are held for this."""
        return why in self._holds

    def release(self, why: Hashable) -> None:
        self._holds.discard(why)

    def flush(self, *, claims: bool = True) -> None:
        """Send the next `response.create`, if one is wanted and nothing is in the way.

        `claims`: also for calls that have a claim to one, and nothing else.
        """
        if self._holds or not isinstance(self.phase, Idle):
            return
        wanted = self._wishes.next()
        if wanted is not None:
            wish = wanted.wish
        elif claims and self.claims.open:
            choice = self.claims.tool_choice
            plain = ResponseSettings(tool_choice=choice)
            wish = PLAIN if choice is None else ResponseCreate(response=plain)
        else:
            return
        event = with_event_id(wish, self.outbox.new_id)
        self.phase = Requested(wanted is None or wanted.interruptible)
        asked = Asked(event_id=event_id_of(event), wanted=wanted, claims=self.claims.taken())
        self._asked.append(asked)
        self.outbox.send(event)
        self.outbox.set_timer(ANSWER_TIMER, ANSWER_WITHIN)

    def want_out_of_band(self, wish: Wish, *, is_spoken: bool) -> None:
        """Ask for a response beside the conversation.

        That is sent at once; one that `is_spoken` when the model may speak (see `flush`).
        """
        self._wishes.beside.append((wish, is_spoken))

    def flush_out_of_band(self, *, may_speak: bool) -> None:
        """Send the wishes for responses beside the conversation."""
        if self.outbox.keeps_back:
            return
        for wish, is_spoken in self._wishes.next_beside(may_speak=may_speak):
            event = with_event_id(wish, self.outbox.new_id)
            event_id, metadata = event_id_of(event), metadata_of(event)
            self.outbox.send(event)
            self.out_of_band.asked(event_id, metadata, event, is_spoken=is_spoken)

    def stop_asked(self, *, for_good: bool) -> None:
        """Let the response that is asked for be stopped when it begins.

        `for_good`: if the server refuses it for one that is active, it is not wanted again. That
        counts for all of which it is not sure yet what became of them.
        """
        self.out_of_band.stop_asked()
        if self.is_requested:
            self._asked[-1].stopped = True
        for asked in self._asked if for_good else ():
            asked.stopped = asked.for_good = True

    def user_had_turn(self) -> None:
        """A turn of the user's is over, and the server answers it by itself."""
        for asked in self._asked:
            asked.doubtful = True

    def created(self, response: Response) -> None:
        """A response began: ours, or one that the server made by itself."""
        if not self._begins_out_of_band(response):
            self._began(response)

    def began_unannounced(self, response: Response) -> None:
        """Something came that only a response of the conversation can have made."""
        if response.id is not None:
            self._begun.add(response.id)
        self.out_of_band.user_had_turn = False
        self._began(response)

    def _began(self, response: Response) -> None:
        phase = self.phase
        stopped = self._is_stopped(response)
        asked = self._asked[-1] if self.is_requested else None
        self._active_wish = None if asked is None else asked.wanted
        if not stopped:
            self.claims.began(None if asked is None else asked.claims)
        elif asked is not None:
            self.claims.refused(asked.claims)
        self.phase = InProgress(response.id, not self.protects, stopped)
        if self.protects and response.id is not None:
            self.protected.add(response.id)
        match phase:
            case Requested():
                # It may be the voice detection's: then ours is refused in a moment.
                self.outbox.cancel_timer(ANSWER_TIMER)
            case Obstructed():
                self.outbox.cancel_timer(RETRY_TIMER)
            case _:
                pass

    def done(self, response: Response, *, has_begun: bool = False) -> None:
        """A response ended. `has_begun`: the server has said that it began, with an id or not."""
        is_older = has_begun or self.is_known(response.id)
        if not is_older:
            self._begins_out_of_band(response)
        if response.id is not None:
            self._over.add(response.id)
            self.out_of_band.over(response.id)
        if self.is_out_of_band(response.id):
            return
        active, phase = self.active_id, self.phase
        if active is not None and response.id not in (active, None):
            return
        if is_older and isinstance(phase, Requested):
            return  # it began before this one was asked for, and another took its place
        if self.protects and self._asked and was_talked_over(response):
            asked = self._asked.pop()
            if not asked.stopped:
                self._want_again(asked)
        self._retries = 0
        self.phase = IDLE
        match phase:
            case Requested():
                self.outbox.cancel_timer(ANSWER_TIMER)  # its beginning was not told
            case Obstructed():
                self.outbox.cancel_timer(RETRY_TIMER)
            case _:
                pass

    def refused(self, event_id: str | None) -> None:
        """The server says that a response is active already: wanted again, after that one."""
        if event_id is not None and self.out_of_band.refused(event_id):
            return
        asked, is_newest = self._taken_back(event_id)
        if asked is None:
            return
        self._want_again(asked)
        if is_newest and isinstance(self.phase, InProgress) and self.protects:
            # The one that began then was not ours.
            self.protected.discard(self.phase.response_id or "")
            self.phase = evolve(self.phase, interruptible=True)
        if is_newest and isinstance(self.phase, Requested):
            self._try_later()

    def failed(self, event_id: str | None) -> None:
        """The server refused something. If it was our `response.create`, don't ask again.

        It would be refused again, for the same reason, as fast as we can send.
        """
        if self.out_of_band.refused(event_id) or event_id is None:
            return
        _, is_newest = self._taken_back(event_id)
        if is_newest and isinstance(self.phase, Requested):
            self.phase = IDLE
            self.outbox.cancel_timer(ANSWER_TIMER)

    def mark(self) -> None:
        """Keep what is wanted, before a verb asks for more (see `take_back`)."""
        self._wishes.mark()

    def take_back(self) -> None:
        """Drop what was wanted since the mark: the caller was told that it failed."""
        self._wishes.take_back()

    def not_sent(self, event_id: str | None, *, is_told: bool) -> None:
        """A `response.create` was not sent. It is sent later, unless a caller was told of it."""
        if self.out_of_band.refused(event_id):
            return
        asked, is_newest = self._taken_back(event_id)
        if asked is None or not is_newest or not isinstance(self.phase, Requested):
            return
        if is_told:
            self.claims.refused(asked.claims)
            self.phase = IDLE
            self.outbox.cancel_timer(ANSWER_TIMER)
        else:
            self._want_again(asked)
            self._try_later()

    def unanswered(self) -> bool:
        """`ANSWER_TIMER` fired. Gives whether a `response.create` was given up."""
        if isinstance(self.phase, Requested):
            self.phase = IDLE
            self._asked.pop()
            return True
        return False

    def retry(self) -> None:
        """`RETRY_TIMER` fired."""
        if isinstance(self.phase, Obstructed):
            self.phase = IDLE

    def moved(self) -> None:
        """Another connection is in use. What is wanted is wanted there; ids may come again."""
        for ids in (self._begun, self._over, self.protected):
            ids.clear()
        self._asked.clear()
        self.out_of_band.moved()
        self.claims.moved()

    def went_down(self) -> Wanted | None:
        """The connection is lost. What was asked for and has not begun is wanted of the next one.

        Gives what the response in progress was asked for by, if one was, and it was asked for.
        """
        phase, wanted = self.phase, self._active_wish
        if isinstance(phase, Requested) and self._asked:
            asked = self._asked.pop()
            if asked.stopped:
                self.claims.refused(asked.claims)
            else:
                self._want_again(asked)
        self.phase, self._retries, self._active_wish = IDLE, 0, None
        self.outbox.cancel_timer(ANSWER_TIMER)
        self.outbox.cancel_timer(RETRY_TIMER)
        self._wishes.beside = [*self.out_of_band.went_down(), *self._wishes.beside]
        return wanted if isinstance(phase, InProgress) else None

    def want_again(self, wanted: Wanted | None) -> None:
        """Want a response once more that was cut; None: one that the server made by itself."""
        if not self._wishes.is_closed:
            self._wishes.add_again(wanted or Wanted(PLAIN))

    def want_no_more(self, wanted: Wanted | None) -> None:
        """Take back what `want_again` was told."""
        self._wishes.drop(wanted or Wanted(PLAIN))

    def lost(self, loss: Loss) -> None:
        """The connection is gone, and with it everything wanted."""
        self.phase = IDLE
        self._asked.clear()
        self._wishes.clear()
        self.claims.lost()
        self._holds.clear()
        self._retries = 0
        self.outbox.cancel_timer(ANSWER_TIMER)
        self.outbox.cancel_timer(RETRY_TIMER)
        self.out_of_band.lost()

    def _try_later(self) -> None:
        self.phase = OBSTRUCTED
        delay = RETRY_AFTER[min(self._retries, len(RETRY_AFTER) - 1)]
        self._retries += 1
        self.outbox.cancel_timer(ANSWER_TIMER)
        self.outbox.set_timer(RETRY_TIMER, delay)

    def _want_again(self, asked: Asked) -> None:
        """What was asked for was refused, or is to be asked for once more."""
        self.claims.refused(asked.claims)
        wanted = asked.wanted
        if wanted is None or asked.for_good:
            return
        self._wishes.add_again(wanted)

    def _taken_back(self, event_id: str | None) -> tuple[Asked | None, bool]:
        """The `response.create` that was refused, and whether it is the newest.

        Servers that don't name it mean the newest, as far as anybody can know.
        """
        newest = self._asked[-1] if self._asked else None
        if event_id is None:
            return (self._asked.pop() if self._asked else None), newest is not None
        asked = next((each for each in reversed(self._asked) if each.event_id == event_id), None)
        while asked is not None and self._asked.popleft() is not asked:
            pass  # those before it were answered before it
        return asked, asked is not None and asked is newest

    def _begins_out_of_band(self, response: Response) -> bool:
        """Return whether a response that is seen for the first time is out of band."""
        if response.id is not None:
            self._begun.add(response.id)
        asked = self._asked[-1] if self._asked and self.is_requested else None
        return self.out_of_band.begins(response, None if asked is None else asked.metadata)

    def _is_stopped(self, response: Response) -> bool:
        """Whether a response that begins was stopped while it was only asked for."""
        surely = next((each for each in reversed(self._asked) if each.is_for(response)), None)
        if surely is not None:
            return surely.stopped
        return self.is_requested and self._asked[-1].stopped and not self._asked[-1].doubtful
