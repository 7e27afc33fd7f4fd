"""What a session may cost and how long it may last, and its polite end.

    Open --a limit is reached--> Leaving --the model has finished speaking--> over
                                    |---- FINISH_WITHIN, and what has come by then is heard --^

While leaving, nothing more is asked for, and a response that the server begins by itself is
not heard. What the model is saying is heard to its end, and what was asked for before as well
(unless it would cost more than it may), if neither the user nor the program interrupts. That end
does not depend on a player that reports, on a guardrail that judges, or on the user's silence.

A session is idle while the user does not speak, nothing that the model says waits to be
heard, and nothing is owed: no tool runs, no approval, response or verdict is awaited. The
time is counted anew after the last of these. A sentence of the user counts for
`LONGEST_SENTENCE` at most, the wait for a verdict for `LONGEST_VERDICT`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from decimal import Decimal
from typing import Final, Literal

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.speech.playback import LOOK_AGAIN
from realtime_actors.core.speech.speech import Speech

__all__ = [
    "DURATION_TIMER",
    "FINISH_WITHIN",
    "GOODBYE_TIMER",
    "IDLE_TIMER",
    "LONGEST_SENTENCE",
    "LONGEST_VERDICT",
    "Limits",
]

DURATION_TIMER: Final[Hashable] = "limit.duration"
IDLE_TIMER: Final[Hashable] = "limit.idle"
GOODBYE_TIMER: Final[Hashable] = "limit.goodbye"

FINISH_WITHIN: Final = 30.0
"""Seconds, once a limit is reached, for the rest of what is being said to come. Ours: speech
is made faster than it is heard, so that nearly every answer is there long before."""

LONGEST_SENTENCE: Final = 300.0
"""Seconds for which the user may speak without a pause and not be idle. Ours: a server that never
says when a sentence is over must not keep a session for ever."""

LONGEST_VERDICT: Final = 60.0
"""Seconds for which a session is not idle because a guardrail judges. Ours: one that hangs must
not keep a session for ever."""

Limit = Literal["max_cost", "max_duration", "idle_timeout"]


@define(kw_only=True)
class Limits:
    """What a session may use, and whether it has done so."""

    outbox: Outbox
    responses: ResponseMachine
    speech: Speech
    turn_taking: TurnTaking
    max_cost: Decimal | None = None
    max_duration: float | None = None
    idle_timeout: float | None = None
    reached: Limit | None = None
    """The limit that ends the session."""
    _is_closing: bool = False  # the program wants it to end
    _last_activity: float = field(default=0.0)
    _owed: bool = False  # at the last look: see `looked`
    _user_since: float | None = None  # since when the user has been speaking
    _judged_since: float | None = None  # since when a verdict has been awaited
    _finish_by: float | None = None  # when nothing that is still to come is waited for
    _over_by: float | None = None  # when nothing that has come is waited for
    _look_at: float | None = None  # when `GOODBYE_TIMER` fires

    def start(self, now: float) -> None:
        """Set the timers of a conversation that begins."""
        self._last_activity = now
        if self.max_duration is not None:
            self.outbox.set_timer(DURATION_TIMER, self.max_duration)
        if self.idle_timeout is not None:
            self.outbox.set_timer(IDLE_TIMER, self.idle_timeout)

    def active(self, now: float) -> None:
        """Note that the user or the program said or wrote something."""
        self._last_activity = now

    def user_began(self, now: float) -> None:
        """Note that the user begins to speak."""
        self._last_activity = self._user_since = now

    def looked(self, now: float, *, user_speaks: bool, judged: bool, owed: bool) -> None:
        """Note whether the user still speaks, and whether anything is owed, after a message.

        `judged`: a verdict is awaited, or speech is held back for one.
        """
        if owed or self._owed:
            self._last_activity = now
        self._owed = owed
        last = max(self._last_activity, self._busy_until(now))
        if not user_speaks:
            self._user_since = None
        if not judged:
            self._judged_since = None
        elif self._judged_since is None:
            self._judged_since = now
        self._last_activity = last

    def spent(self, dollars: Decimal) -> None:
        """Look whether the session has cost what it may, at least."""
        if self.max_cost is not None and dollars >= self.max_cost:
            self._reach("max_cost")

    def out_of_time(self) -> None:
        """Take the session's time for over: `DURATION_TIMER` fired."""
        self._reach("max_duration")

    def idle(self, now: float) -> None:
        """`IDLE_TIMER` fired. Look whether the session has been idle for so long."""
        if self.idle_timeout is None:
            return
        heard_until = self.speech.ledger.ends_at(now)
        last = max(self._last_activity, heard_until, self._busy_until(now))
        quiet = 0.0 if self._owed else max(0.0, now - last)
        if quiet < self.idle_timeout:
            self.outbox.set_timer(IDLE_TIMER, max(self.idle_timeout - quiet, LOOK_AGAIN))
        else:
            self._reach("idle_timeout")

    def _busy_until(self, now: float) -> float:
        """Return until when the user spoke or a verdict was awaited, as far as that counts."""
        user, judged = self._user_since, self._judged_since
        return max(
            -math.inf if user is None else min(now, user + LONGEST_SENTENCE),
            -math.inf if judged is None else min(now, judged + LONGEST_VERDICT),
        )

    @property
    def leaving(self) -> bool:
        """Whether nothing more is asked for, since the session is about to end."""
        return self._is_closing or self.reached is not None

    @property
    def why(self) -> str:
        """Why it is about to end."""
        if self.reached is None:
            return "the session was closed"
        return f"{self.reached} of the run is reached"

    def finish(self) -> None:
        """Leave as if a limit was reached: the program wants that."""
        self._is_closing = True
        self.responses.close(drop=False)

    def ends_now(self, now: float) -> bool:
        """Look whether a session that is leaving may end. If not yet, look again."""
        if not self.leaving:
            return False
        ends_at = self._ends_at(now)
        if ends_at <= now:
            return True
        if ends_at != self._look_at:
            self._look_at = ends_at
            self.outbox.set_timer(GOODBYE_TIMER, max(ends_at - now, LOOK_AGAIN))
        return False

    def looks(self) -> None:
        """`GOODBYE_TIMER` fired."""
        self._look_at = None

    def _ends_at(self, now: float) -> float:
        """Return when a session that is leaving ends, as far as it is known."""
        if self._finish_by is None:
            self._finish_by = now + FINISH_WITHIN
        if self._over_by is None:
            if self._speaks and now < self._finish_by:
                return self._finish_by
            self._over_by = self.speech.ledger.ends_by
        return min(self.speech.ledger.ends_at(now), self._over_by)

    @property
    def _speaks(self) -> bool:
        """More of what the model says is to come."""
        active_id = self.responses.active_id
        is_audible = active_id is None or not self.speech.is_silenced(active_id)
        is_coming = self.responses.is_requested or self.responses.is_active
        if self.turn_taking.wants_to_speak or self.speech.held or self.speech.speaks_beside:
            return True
        return is_coming and is_audible

    def _reach(self, limit: Limit) -> None:
        if self.reached is not None:
            return
        self.reached = limit
        # What was asked for before is still said; but not what would cost still more.
        self.responses.close(drop=limit == "max_cost")
        self.outbox.publish(events.LimitReachedEvent, limit=limit)
