"""Who may speak: the user first, and the model when it is its turn.

    Silent --speech_started--> Speaking --the turn is over, and the server answers it--> Owed
       ^                          |                                                       |
       +--it is not, out of time--+----------------------a response begins----------------+

Every `response.create` waits while the user speaks, and every stop goes through here: it stops
what is heard, what is being said, and what was asked for and has not begun.

The turn is over when the server says so (`speech_stopped`, `committed`, `timeout_triggered`),
when what was said is thrown away (`cleared`), when turns are not detected any more, and after
`SPEAKS_AT_MOST`.

After the program's `interrupt()` nothing is asked for, and the answer that the server owes is
not heard, until the user or the program has spoken, or the server has by itself.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Final, TypeAlias

from attrs import define, field, frozen

from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import RecentSet
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.settings import Configuration
from realtime_actors.core.speech.playback import LOOK_AGAIN
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.items import FunctionCallOutputItem, Item
from realtime_actors.protocol import Response

__all__ = ["TURN_TIMER", "TurnTaking"]

TURN_TIMER: Final[Hashable] = "turn"

SPEAKS_AT_MOST: Final = 30.0
"""Seconds of the user's speech, as the server has it, for which the model is kept waiting.
Ours: few people speak for so long without the pause that ends a turn, and a server that never
says when they stop must not silence the model for good."""

ANSWERED_WITHIN: Final = 2.0
"""Seconds for the server to begin the answer to a turn, before what calls are owed is asked for.
Ours: a server that answers turns begins at once, or when it has recognised what was said. One
that takes longer refuses what we ask for, or its own: it makes one response at a time."""

_USER: Final = "the user speaks"
_INTERRUPTED: Final = "the program has interrupted"


@frozen(eq=False)
class Silent:
    """The user does not speak, as far as the server has heard."""


@frozen(eq=False)
class Speaking:
    """The server has heard the user begin, and not end."""

    until: float
    """When the model is not kept waiting any longer."""


@frozen(eq=False)
class Owed:
    """The user's turn is over, and the server will answer it by itself."""

    until: float
    """When that is not waited for any longer."""
    stopped: bool = False
    """The program has stopped the answer."""


User: TypeAlias = Silent | Speaking | Owed
SILENT: Final = Silent()


@define(kw_only=True)
class TurnTaking:
    """Who speaks, and who has to wait or stop for that."""

    outbox: Outbox
    configuration: Configuration
    responses: ResponseMachine
    speech: Speech
    calls: ToolCalls
    approvals: Approvals
    _user: User = SILENT
    _timed: User = SILENT  # whose end `TURN_TIMER` is
    _found: RecentSet[str | None] = field(
        factory=RecentSet
    )  # turns that the server has found the end of
    _cancelled: RecentSet[str | None] = field(factory=RecentSet)  # responses that ended so
    _stopped_calls: RecentSet[str] = field(factory=RecentSet)  # of responses by a connection before

    @property
    def user_speaks(self) -> bool:
        """The server has heard the user begin, and not end."""
        return isinstance(self._user, Speaking)

    @property
    def answered_until(self) -> float:
        """Until when the server may begin to answer the user by itself. Past: it need not."""
        if isinstance(self._user, Owed) and not self._user.stopped:
            return self._user.until
        return -math.inf

    @property
    def owed(self) -> bool:
        """A response is owed, and does not wait for the user or the program to speak."""
        return not self.responses.is_idle or self.wants_to_speak

    @property
    def wants_to_speak(self) -> bool:
        """A response is wanted, and will be asked for when it is the model's turn."""
        return self.responses.waits and not self.responses.holds(_INTERRUPTED)

    def is_stopped(self, response_id: str | None) -> bool:
        """Whether a response was interrupted or cancelled: none of its calls begins any more."""
        return response_id in self._cancelled or self.speech.is_silenced(response_id)

    # -- the user ----------------------------------------------------------------------

    def user_began(self, now: float) -> None:
        """The server has heard the user begin to speak. Stop what the user may interrupt."""
        self._user = Speaking(now + SPEAKS_AT_MOST)
        self.responses.hold(_USER)
        self.responses.release(_INTERRUPTED)
        if not self.configuration.interrupts_on_speech:
            return
        if self.speech.protected_until(now) is not None:
            return
        if self.responses.is_closed:
            self.responses.close(drop=True)  # it is saying goodbye
        # The server stops its response by itself; but not one that it has not begun.
        self.responses.stop_asked(for_good=False)
        self.speech.interrupt(now, cancel=False)

    def user_stopped(self, item_id: str | None, now: float) -> None:
        """The server has found that the user's turn is over; it commits the turn next."""
        self._found.add(item_id)
        self._turn_is_over(now, found=True)

    def user_committed(self, item_id: str | None, now: float) -> None:
        """A turn is part of the conversation.

        If it is we who ask for the answers, and it was not committed by hand, it wants one.
        """
        found = item_id in self._found
        self._found.discard(item_id)
        self._turn_is_over(now, found=found or self.user_speaks)
        if self.configuration.answers_turns and found:
            self.responses.want()

    def not_listening(self) -> None:
        """What the user was saying is not listened to any more."""
        self._user = SILENT
        self.responses.release(_USER)

    def _turn_is_over(self, now: float, *, found: bool) -> None:
        """The user has said something; the server has `found` out by itself, or was told."""
        self.not_listening()
        self.responses.release(_INTERRUPTED)
        if self.configuration.server_answers_turns:
            self.responses.user_had_turn()
            if found:
                self._user = Owed(now + ANSWERED_WITHIN)

    # -- the program -------------------------------------------------------------------

    def interrupt(self, now: float) -> None:
        """Stop the model, and let nothing be asked for until the user or the program speaks."""
        self.responses.hold(_INTERRUPTED)
        if isinstance(self._user, Owed):
            self._user = Owed(self._user.until, stopped=True)
        self.responses.stop_asked(for_good=True)
        self.speech.interrupt(now, cancel=True)

    def program_spoke(self) -> None:
        """The program has said something, or asks for a response."""
        self.responses.release(_INTERRUPTED)

    # -- responses ---------------------------------------------------------------------

    def began(self, now: float) -> None:
        """A response of the conversation began. Stop it if that was decided before."""
        response_id = self.responses.active_id
        self.speech.began(response_id)
        stopped = self.responses.is_stopped
        if isinstance(self._user, Owed):
            stopped, self._user = stopped or self._user.stopped, SILENT
        if stopped:
            self.speech.interrupt(now, cancel=True)
        elif response_id is not None and self.speech.is_silenced(response_id):
            self.speech.refuse(response_id)  # heard, and stopped, before that
        else:
            self.responses.release(_INTERRUPTED)

    def began_out_of_band(self, response_id: str, now: float) -> None:
        """A response out of band began. Stop it if that was decided before."""
        if response_id in self.responses.out_of_band.stopped:
            self.speech.stop_out_of_band(response_id, now)

    def done(self, response: Response) -> None:
        """A response ended. If it was cancelled, none of its calls begins any more."""
        if response.status == "cancelled":
            self._cancelled.add(response.id)

    def shown(self, item: Item) -> None:
        """The server has shown an item of the conversation."""
        if isinstance(item, FunctionCallOutputItem):
            self.responses.claims.shown(item.call_id)

    def end_calls(self) -> None:
        """Answer the calls that will not be run, since their responses were stopped."""
        for call in self.calls.not_begun:
            if call.call_id in self._stopped_calls or self.is_stopped(call.response_id):
                self.approvals.withdraw(call.call_id)
                self.calls.interrupt(call)

    def ask(self, now: float) -> None:
        """Ask for the next response, if one is wanted and it is the model's turn."""
        waited_for = None if isinstance(self._user, Silent) else self._user
        if waited_for is not None and waited_for.until - now < LOOK_AGAIN:
            waited_for = None
            self.responses.release(_USER)
        is_hushed = self.responses.holds(_INTERRUPTED)
        self.responses.flush_out_of_band(
            may_speak=not (is_hushed or isinstance(waited_for, Speaking))
        )
        # What calls are owed is honoured by the server's answer: it may be there in a moment.
        self.responses.flush(claims=waited_for is None)
        if waited_for is not None and self.responses.waits and self._timed is not waited_for:
            self._timed = waited_for
            self.outbox.set_timer(TURN_TIMER, waited_for.until - now)

    def went_down(self) -> bool:
        """The connection is lost. Return whether the server owed the user an answer."""
        owed = isinstance(self._user, Owed) and not self._user.stopped
        self.not_listening()
        self._found.clear()
        return owed and self.configuration.session_type == "realtime"

    def moved(self) -> None:
        """Another connection is in use: ids of responses may come again.

        The calls of those that were stopped are not begun there either.
        """
        self._stopped_calls.add_all(
            call.call_id for call in self.calls.open if self.is_stopped(call.response_id)
        )
        self._cancelled.clear()

    def lost(self, loss: Loss) -> None:
        """The connection is gone, and with it all that was to be waited for."""
        self._user = SILENT
        self._found.clear()
        self._cancelled.clear()
        self._stopped_calls.clear()
