"""How a conversation moves to another connection: for a voice, before its time is over, or by loss.

Another connection is made beside the one in use (a *standby*), is configured, and takes its place:

    Settled --begin--> Opening --opened--> Waiting --all is quiet--> Asking --answered--> switched
       ^                  |                  |  ^                      |
       |                  |                  |  +-- something was sent, or said, meanwhile
       +--failed, given up+------------------+-- out of time: a renewal switches, a voice fails

    lost, in any of these:
       a standby is there --> switched at once
       one is being made  --> it goes on, and is switched to as soon as it is there
       there is none      --> Pausing --the delay is over--> Opening --opened--> switched at once
                                 ^                              |
                                 +------------ failed ----------+--> given up: the session ends

A connection keeps its voice once the model has spoken, so an agent with another voice needs
another connection. A server ends a session when its time is over, so the conversation has left it
by then. For both, the conversation goes on where it was until the switch: then nothing is under way
that could be lost. Nobody speaks, all speech has been heard and its words are known, and the server
has answered all that was sent to it. A renewal that does not find such a moment before the last one
switches then.

After a loss nothing is in use, and everything waits (see `outage`). What the conversation brings
along, and what becomes of what the loss has cut off, is said in `crossing`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final, TypeAlias

from attrs import define, evolve, frozen

from realtime_actors import events, messages
from realtime_actors.config import Reconnect, SessionModelSettings
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.connection.backoff import delay_before
from realtime_actors.core.connection.causes import is_worth_an_attempt, may_come_back
from realtime_actors.core.connection.crossing import Cause, Crossing
from realtime_actors.core.connection.outage import Kept, Outage
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import (
    CloseStandby,
    DropConnection,
    OpenStandby,
    Publish,
    Send,
    SwitchConnection,
)
from realtime_actors.core.life import Life
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import HandoffResolved, StandbyFailed, StandbyOpened
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.server_errors import is_expiry, message_of, session_failure
from realtime_actors.core.settings import Configuration, ForBarrier
from realtime_actors.core.speech.playback import LOOK_AGAIN
from realtime_actors.errors import ConnectionLostError
from realtime_actors.protocol import ErrorDetail, SessionInfo

__all__ = ["LIMIT_TIMER", "OUTAGE_TIMER", "PAUSE_TIMER", "QUIET_TIMER", "RENEW_TIMER", "Moving"]

LIMIT_TIMER: Final[Hashable] = "moving.limit"
QUIET_TIMER: Final[Hashable] = "moving.quiet"
PAUSE_TIMER: Final[Hashable] = "moving.pause"
OUTAGE_TIMER: Final[Hashable] = "moving.outage"
RENEW_TIMER: Final[Hashable] = "moving.renew"

OPEN_WITHIN: Final = 10.0
"""Seconds for a standby to be there and configured. Ours: as long as a session may take to start
by default."""

QUIET_WITHIN: Final = 30.0
"""Seconds after that for the conversation to come to rest, for a voice. Ours: longer than a
transcript may be late, or an answer usually is; and then the model can say that it did not work."""

LAST_MOMENT: Final = 5.0
"""Seconds before the server ends the session, when a renewal waits no longer for a pause. Ours: the
clocks of two machines differ by less than that, mostly."""

LASTS_AFTER: Final = 5.0
"""Seconds after which a connection that took the place of a lost one counts as one that lasts. One
that is lost sooner was one more attempt. Ours."""


@frozen(kw_only=True)
class Standby:
    """Another connection, and what it is made for."""

    attempt: int
    told: SessionModelSettings
    handoff: HandoffResolved | None = None
    """For its agent's voice. None: to renew, or in place of one that was lost."""


@frozen
class Opening:
    """It is being made."""

    standby: Standby


@frozen
class Waiting:
    """It is there. The conversation has to come to rest."""

    standby: Standby
    session: SessionInfo
    expires_at: float | None = None


@frozen
class Asking:
    """All is quiet, and the server was asked for an answer."""

    then: Waiting
    clean: bool = True
    """Nothing was sent since."""


@frozen
class Answered:
    """The answer has come, in this very moment."""

    then: Waiting


@frozen
class Pausing:
    """The connection is lost, and the next attempt has to wait."""


Stage: TypeAlias = Opening | Waiting | Asking | Answered | Pausing | None
PAUSING: Final = Pausing()


@define(kw_only=True, repr=False)
class Moving:
    """The move under way, if any, and the outage, if there is one."""

    outbox: Outbox
    configuration: Configuration
    handoffs: Handoffs
    crossing: Crossing
    life: Life
    settings: Reconnect | None
    """None: a lost connection ends the session."""
    seed: str = ""
    """Tells sessions apart that are lost in the same moment (see `backoff`)."""
    outage: Outage | None = None
    """What waits for a connection; None while there is one."""
    _stage: Stage = None
    _attempts: int = 0  # of the session, for whatever reason
    _before: Outage | None = None  # the last one, until its connection has lasted
    _resumed_at: float = 0.0
    _expires_at: float | None = None  # when the server ends the session, by our clock
    _clock_offset: float | None = None  # the time of day, less our clock
    _renewal_is_due: bool = False
    _renewals_failed: int = 0
    _released: Sequence[Kept] = ()  # verbs that have waited, and may be done now

    # -- reasons to move -----------------------------------------------------------------

    def begin(self, handoff: HandoffResolved) -> None:
        """Make a connection for the agent of a handoff, beside the one in use."""
        self._give_standby_up()  # of a renewal: this one renews as well
        self._open(self._wanted(handoff), OPEN_WITHIN, handoff)

    def renew(self, now: float) -> None:
        """`RENEW_TIMER` fired: the server will end the session. Move before it does."""
        self._renewal_is_due = True
        if self._stage is None and self.outage is None:
            self._open(self._wanted(None), OPEN_WITHIN)

    def lost(self, code: int | None, reason: str, now: float) -> None:
        """The connection in use is gone. Try to get another one, if that makes sense."""
        if self.outage is not None:
            return  # it is known
        if self.life.farewell.is_coming:
            self.life.end(None)  # that is what the program wants
            return
        why = _said_once(reason or str(code or "without a word"))
        if self.settings is None:
            self._end(ConnectionLostError(why, close_code=code))
            return
        if not may_come_back(code):
            why = f"{why} (close code {code}, after which the next one would be closed as well)"
            self._end(ConnectionLostError(why, close_code=code))
            return
        self.outage = outage = self._new_outage(code, reason, now)
        self.life.went_down(why)
        self._tell("on_connection_lost", state="lost", code=code, reason=reason)
        self.outbox.do(DropConnection(keep_audio_ms=self.settings.max_outage_audio_ms))
        self.outbox.cancel_timer(RENEW_TIMER)
        self.outbox.cancel_timer(QUIET_TIMER)
        self.crossing.leave(outage, now)
        left = outage.left(now, self.settings.max_seconds)
        self.outbox.set_timer(OUTAGE_TIMER, max(LOOK_AGAIN, left))
        match self._stage:
            case Waiting() as waiting:
                self._switch(waiting, "lost", outage, now)
            case Asking(then=waiting) | Answered(then=waiting):
                self._switch(waiting, "lost", outage, now)
            case Opening():  # it is switched to as soon as it is there
                outage.attempts += 1
                self._tell(state="reconnecting", attempt=outage.attempts)
            case Pausing() | None:
                self._pause(now)

    def survives(self, error: ErrorDetail) -> bool:
        """Whether the session goes on elsewhere after an error that ends it at its server."""
        return is_expiry(error) and self.settings is not None and self.life.phase is Phase.LIVE

    def server_ended(self, error: ErrorDetail, now: float) -> None:
        """The server has said that its session is over. If only its time is, go on elsewhere."""
        if self.survives(error):
            self.lost(None, message_of(error), now)
        else:
            self.life.end(session_failure(error))

    # -- the standby -----------------------------------------------------------------------

    def opened(self, opened: StandbyOpened, now: float) -> None:
        """The standby is there, and configured."""
        stage = self._stage
        if not isinstance(stage, Opening) or stage.standby.attempt != opened.attempt:
            return  # it was given up, and is closed
        session = opened.answer.session
        expires_at = _by_our_clock(session.expires_at, opened.unix_time, now)
        waiting = Waiting(stage.standby, session, expires_at)
        if opened.unix_time is not None:
            self._clock_offset = opened.unix_time - now
        if self.outage is not None:
            self._switch(waiting, "lost", self.outage, now)
            return
        self._stage = waiting
        self.outbox.set_timer(LIMIT_TIMER, self._rest_within(stage.standby, now))

    def failed(self, failed: StandbyFailed, now: float) -> None:
        """The standby could not be made, or was lost."""
        standby = self._standby
        if standby is not None and standby.attempt == failed.attempt:
            is_final = not is_worth_an_attempt(failed.error)
            self._failed(standby, str(failed.error), now, is_final=is_final)

    def out_of_time(self, now: float) -> None:
        """`LIMIT_TIMER` fired."""
        match self._stage:
            case Opening(standby=standby):
                why = f"there was no other connection within {OPEN_WITHIN:g} s"
                self._failed(standby, why, now)
                return
            case Waiting() as waiting:
                pass
            case Asking(then=waiting) | Answered(then=waiting):
                pass
            case _:
                return
        if waiting.standby.handoff is None:
            self._force(waiting, now)
        else:
            why = f"the conversation did not come to rest within {QUIET_WITHIN:g} s"
            self._failed(waiting.standby, why, now)

    def pause_is_over(self, now: float) -> None:
        """`PAUSE_TIMER` fired: try again."""
        if isinstance(self._stage, Pausing) and self.outage is not None and self.settings:
            left = self.outage.left(now, self.settings.max_seconds)
            self._open(self._wanted(None), min(OPEN_WITHIN, max(left, LOOK_AGAIN)))

    def outage_is_over(self) -> None:
        """`OUTAGE_TIMER` fired: there was no other connection in time."""
        if self.outage is not None and self.settings is not None:
            within = f"there was no other within {self.settings.max_seconds:g} s"
            last = self.outage.last_failure
            self._give_up(self.outage, f"{within}: {last}" if last else within)

    def answered(self) -> None:
        """The server has answered the update that changes nothing. A refusal is an answer."""
        if isinstance(self._stage, Asking):
            then = self._stage.then
            self._stage = Answered(then) if self._stage.clean else then

    def unanswered(self) -> None:
        """The server has not answered it: it is asked again."""
        if isinstance(self._stage, Asking):
            self._stage = self._stage.then

    def ended(self, loss: Loss) -> None:
        """The session ends, and with it everything that was under way."""
        self._give_standby_up()
        self._stage = None
        outage, self.outage = self.outage, None
        for timer in (PAUSE_TIMER, OUTAGE_TIMER, RENEW_TIMER):
            self.outbox.cancel_timer(timer)
        for kept in outage.verbs if outage else ():
            if not isinstance(kept.verb, messages.Interrupt):  # who has asked was answered then
                self.outbox.refuse(kept.caller, loss.error)

    # -- what waits ------------------------------------------------------------------------

    def keep(self, verb: messages.Verb, caller: object) -> bool:
        """Keep a verb until there is a connection. Return whether there is room for it."""
        outage = self.outage
        if outage is None or self.settings is None:
            return False
        if len(outage.verbs) >= self.settings.max_kept_verbs:
            return False
        outage.verbs.append(Kept(verb, caller))
        return True

    def take_verbs(self) -> Sequence[Kept]:
        """Return the verbs that have waited, once there is a connection."""
        released, self._released = self._released, ()
        return released

    def interrupted(self) -> None:
        """The program has stopped the model: what the loss has cut is not asked for again."""
        if self.outage is not None:
            self.crossing.interrupted(self.outage)
            if self.outage.verbs:  # it holds for what they ask for, too
                self.outage.verbs.append(Kept(messages.Interrupt(), None))

    # -- the end of the server's session -----------------------------------------------------

    def connected(self, unix_time: float | None, now: float) -> None:
        """The first connection is there; `unix_time` is the time of day."""
        if unix_time is not None:
            self._clock_offset = unix_time - now

    def expires(self, unix_time: int | None, now: float) -> None:
        """The server has said when it ends the session."""
        if unix_time is None or self._clock_offset is None:
            return
        self._expire_at(unix_time - self._clock_offset, now)

    # -- the time to switch --------------------------------------------------------------------

    def go_on(self, now: float) -> bool:
        """Look whether the time has come, after a message and all that followed from it.

        Return whether anything was done.
        """
        standby = self._standby
        handoff = standby.handoff if standby is not None else None
        if handoff is not None and not self.handoffs.is_open(handoff.call_id):
            self._abandoned("its call has ended", now)
            return True
        match self._stage:
            case None | Opening() | Pausing():
                return False
            case Asking() as asking:
                if self._has_sent:
                    self._stage = evolve(asking, clean=False)
                return False
            case Waiting() as waiting:
                is_answered = False
            case Answered(then=waiting):
                self._stage = waiting
                is_answered = not self._has_sent
        rest = self.crossing.rest(now)
        if rest is None:
            return False
        if rest > 0:
            self.outbox.set_timer(QUIET_TIMER, max(rest, LOOK_AGAIN))
        elif is_answered:
            self._switch(waiting, _cause_of(waiting.standby), _no_outage(now), now)
        else:
            self._stage = Asking(waiting)
            self.configuration.update(SessionModelSettings(), ForBarrier())
        return True

    @property
    def _has_sent(self) -> bool:
        """Something has gone to the server since the message came."""
        return any(isinstance(each, Send) for each in self.outbox.to_server)

    def _open(
        self, told: SessionModelSettings, within: float, handoff: HandoffResolved | None = None
    ) -> None:
        self._attempts += 1
        standby = Standby(attempt=self._attempts, told=told, handoff=handoff)
        self._stage = Opening(standby)
        first = self.configuration.first(told)
        self.outbox.do(OpenStandby(attempt=self._attempts, update=first, within=within))
        self.outbox.set_timer(LIMIT_TIMER, within)

    def _switch(self, waiting: Waiting, cause: Cause, outage: Outage, now: float) -> None:
        standby = waiting.standby
        self.outbox.do(SwitchConnection(standby.attempt))
        for timer in (LIMIT_TIMER, QUIET_TIMER, OUTAGE_TIMER, PAUSE_TIMER, RENEW_TIMER):
            self.outbox.cancel_timer(timer)
        self._stage, self.outage, self._released = None, None, tuple(outage.verbs)
        self.life.is_back()
        self._renewal_is_due, self._renewals_failed, self._expires_at = False, 0, None
        if cause == "lost":
            self._before, self._resumed_at = outage, now
        if waiting.expires_at is not None:
            self._expire_at(waiting.expires_at, now)
        self.crossing.arrive(
            cause,
            outage,
            told=standby.told,
            wanted=self._wanted(standby.handoff),
            session=waiting.session,
            handoff=standby.handoff,
            now=now,
        )

    def _force(self, waiting: Waiting, now: float) -> None:
        """Switch though something is under way: in a moment the server ends the session."""
        outage = _no_outage(now)
        self.crossing.leave(outage, now)
        self._switch(waiting, _cause_of(waiting.standby), outage, now)

    def _failed(self, standby: Standby, why: str, now: float, *, is_final: bool = False) -> None:
        """Go on without a standby that could not be had. `is_final`: nor would the next one."""
        self._give_standby_up()
        if standby.handoff is not None:
            self.handoffs.refused(standby.handoff, why)
        if self.outage is None:
            if self._renewal_is_due:
                self._renew_later(now)
            return
        self.outage.last_failure = why
        if is_final and standby.handoff is None:
            self._give_up(self.outage, why)
        else:
            self._pause(now)

    def _abandoned(self, why: str, now: float) -> None:
        """The handoff that a standby is for has come to nothing."""
        standby = self._standby
        self._give_standby_up()
        if standby is not None and standby.handoff is not None:
            self.handoffs.refused(standby.handoff, why)
        if self.outage is not None:
            self._pause(now)
        elif self._renewal_is_due:
            self._renew_later(now)

    def _pause(self, now: float) -> None:
        """Wait for the next attempt, or give up if there is none."""
        outage, settings = self.outage, self.settings
        if outage is None or settings is None:
            return
        if settings.max_attempts is not None and outage.attempts >= settings.max_attempts:
            self._give_up(outage, outage.last_failure or "no attempt is left")
            return
        outage.attempts += 1
        delay = delay_before(outage.attempts, settings, f"{self.seed}/{outage.since}")
        self._stage = PAUSING
        self._tell(
            state="reconnecting", attempt=outage.attempts, delay=delay, reason=outage.last_failure
        )
        self.outbox.set_timer(PAUSE_TIMER, delay)

    def _tell(self, hook: str | None = None, **members: Any) -> None:
        """Tell the subscribers what becomes of the connection, and the agent's hook."""
        event = events.ConnectionEvent(**members, info=self.outbox.info)
        self.outbox.do(Publish(event))
        if hook is not None:
            self.outbox.call_hook(self.handoffs.agent, hook, event)

    def _give_up(self, outage: Outage, why: str) -> None:
        """End the session: there is no other connection to be had."""
        lost = _said_once(outage.reason or str(outage.code or "without a word"))
        tried = "1 attempt" if outage.attempts == 1 else f"{outage.attempts} attempts"
        self._end(
            ConnectionLostError(
                f"{lost}. There is no other after {tried}: {why}",
                close_code=outage.code,
                attempts=outage.attempts,
            )
        )

    def _end(self, error: ConnectionLostError) -> None:
        info = events.ErrorInfo(type="connection_lost", message=str(error), code=error.code)
        self.outbox.publish(events.ErrorEvent, error=info, recoverable=False, source="session")
        self.life.end(error)

    def _new_outage(self, code: int | None, reason: str, now: float) -> Outage:
        """Begin an outage; or go on with the last one, if what ended it did not last."""
        before, self._before = self._before, None
        outage = Outage(since=now, code=code, reason=reason)
        if before is not None and now - self._resumed_at < LASTS_AFTER:
            outage.since, outage.attempts = before.since, before.attempts
        return outage

    def _wanted(self, handoff: HandoffResolved | None) -> SessionModelSettings:
        """Return what is to be in force: what is, or what an agent that takes over needs."""
        if handoff is None:
            return self.configuration.whole(SessionModelSettings())
        agent = self.configuration.of_agent(handoff.resolved, self.handoffs.current)
        return self.configuration.whole(agent)

    def _expire_at(self, expires_at: float, now: float) -> None:
        settings = self.settings
        if expires_at <= now or settings is None or settings.renew_before is None:
            return  # a clock is wrong, or that is not wanted: the server will say when it is over
        if self._expires_at is not None and abs(self._expires_at - expires_at) < 1:
            return
        self._expires_at = expires_at
        left = expires_at - now
        # Of a session that is short, half is for the renewal at most.
        self.outbox.set_timer(RENEW_TIMER, max(left - settings.renew_before, left / 2))

    def _renew_later(self, now: float) -> None:
        """Try to renew again, as long as the session lasts."""
        if self._expires_at is None or self.settings is None:
            return
        self._renewals_failed += 1
        delay = delay_before(self._renewals_failed, self.settings, f"{self.seed}/renewal")
        if now + delay < self._expires_at - LOOK_AGAIN:
            self.outbox.set_timer(RENEW_TIMER, delay)

    def _rest_within(self, standby: Standby, now: float) -> float:
        """Return the seconds in which the conversation has to come to rest."""
        if standby.handoff is not None or self._expires_at is None:
            return QUIET_WITHIN
        return max(LOOK_AGAIN, self._expires_at - LAST_MOMENT - now)

    def _give_standby_up(self) -> None:
        standby = self._standby
        if standby is not None:
            self._stage = None
            self.outbox.do(CloseStandby(standby.attempt))
            self.outbox.cancel_timer(LIMIT_TIMER)
            self.outbox.cancel_timer(QUIET_TIMER)

    @property
    def _standby(self) -> Standby | None:
        match self._stage:
            case Opening(standby=standby) | Waiting(standby=standby):
                return standby
            case Asking(then=waiting) | Answered(then=waiting):
                return waiting.standby
            case _:
                return None


def _cause_of(standby: Standby) -> Cause:
    return "renewal" if standby.handoff is None else "voice"


def _no_outage(now: float) -> Outage:
    """Return what a planned move has left behind: nothing, unless it is forced."""
    return Outage(since=now, code=None, reason="")


def _said_once(reason: str) -> str:
    """Return what is said of a loss. A transport may say that it is one, too."""
    lost = "the connection was lost"
    return reason if reason.startswith(lost) else f"{lost}: {reason}"


def _by_our_clock(unix_time: int | None, unix_now: float | None, now: float) -> float | None:
    return None if unix_time is None or unix_now is None else now + unix_time - unix_now
