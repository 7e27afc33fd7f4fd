"""An end that the program has asked for, and that is put off until something is over.

    close(after_playback) --what the model is saying has been heard--> the end
    close(after_turn) --nothing is owed, and all that was said has been heard--> the end
    either --so many seconds are over, or the connection is lost--> the end

After playback a session leaves as one does that has reached a limit (`limits`). After the
turn it goes on as ever: the user is answered, tools are run and spoken of. Only the program
asks for nothing more in either case.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Final

from attrs import define, field

from realtime_actors.core.limits import Limits
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.speech.playback import LOOK_AGAIN
from realtime_actors.core.speech.speech import Speech
from realtime_actors.messages import Close

__all__ = ["FAREWELL_TIMER", "Farewell"]

FAREWELL_TIMER: Final[Hashable] = "farewell"


@define(kw_only=True)
class Farewell:
    """What an end waits for that was asked for, and for how long."""

    outbox: Outbox
    limits: Limits
    turn_taking: TurnTaking
    speech: Speech
    _callers: list[object] = field(factory=list)  # who are answered when the end begins
    _by: float = math.inf  # when it ends, whatever is
    _after_turn: bool = False
    _look_at: float | None = None  # when `FAREWELL_TIMER` fires

    @property
    def is_coming(self) -> bool:
        """Whether an end was asked for."""
        return bool(self._callers)

    def begin(self, verb: Close, caller: object, now: float) -> None:
        """Put the end off as `verb` says. Asked for twice, what is over first counts."""
        self._after_turn = not verb.after_playback and (self._after_turn or not self.is_coming)
        self._callers.append(caller)
        self._by = min(self._by, now + verb.within)
        if not self._after_turn:
            self.limits.finish()

    def ends_now(self, now: float, *, owed: bool) -> bool:
        """Look whether it is time. If not yet, look again."""
        if not self.is_coming:
            return False
        ends_at = min(self._by, self._turn_ends_at(now, owed=owed))
        if ends_at <= now:
            return True
        if ends_at != self._look_at:
            self._look_at = ends_at
            self.outbox.set_timer(FAREWELL_TIMER, max(ends_at - now, LOOK_AGAIN))
        return False

    def looks(self) -> None:
        """`FAREWELL_TIMER` fired."""
        self._look_at = None

    def answer(self) -> None:
        """Answer those who asked for the end: it has begun."""
        callers, self._callers = self._callers, []
        for caller in callers:
            self.outbox.answer(caller)

    def _turn_ends_at(self, now: float, *, owed: bool) -> float:
        """Return when the turn is over, as far as that is known."""
        if not self._after_turn or owed or self.turn_taking.user_speaks:
            return math.inf
        return max(self.speech.ledger.ends_at(now), self.turn_taking.answered_until)
