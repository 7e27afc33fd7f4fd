"""Another voice in the middle of a conversation: a connection that takes the other's place.

A connection keeps its voice once the model has spoken. So the new agent gets one of its
own, made before the one in use is let go:

    Settled --begin--> Opening --opened--> Waiting --all is quiet--> Asking --answered--> Settled
                          |                  |  ^                      |                (switched)
                          |                  |  +-- something was sent, or said, meanwhile
                          +------------------+-- failed, lost, or it took too long --> Settled

Until the switch the conversation goes on where it was: the user is heard, and may be
answered by the old agent. At the switch nothing is under way that could be lost: nobody
speaks, all speech has been heard and its words are known, and the server has answered all
that was sent to it. Then the new server is told the conversation so far.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeAlias

from attrs import define, evolve, frozen

from realtime_actors import events
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import CloseAnother, OpenAnother, Send, SwitchConnection
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.history.retelling import retold
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.history.updates import History
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import AnotherFailed, AnotherOpened, HandoffResolved
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.settings import (
    Configuration,
    ForBarrier,
    ForNobody,
    difference,
)
from realtime_actors.core.speech.playback import LOOK_AGAIN
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.protocol import ConversationItemCreate, SessionInfo

__all__ = ["LIMIT_TIMER", "QUIET_TIMER", "Reconnecting"]

LIMIT_TIMER: Final[Hashable] = "reconnect.limit"
QUIET_TIMER: Final[Hashable] = "reconnect.quiet"

OPEN_WITHIN: Final = 10.0
"""Seconds for the other connection to be there and configured. Ours: as long as a session
may take to start by default."""

QUIET_WITHIN: Final = 30.0
"""Seconds after that for the conversation to come to rest. Ours: longer than a transcript
may be late, or an answer usually is; and then the model can say that it did not work."""


@frozen(kw_only=True)
class Opening:
    """The other connection is being made."""

    handoff: HandoffResolved
    told: SessionModelSettings


@frozen(kw_only=True)
class Waiting:
    """It is there. The conversation has to come to rest."""

    handoff: HandoffResolved
    told: SessionModelSettings
    session: SessionInfo


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


Phase: TypeAlias = Opening | Waiting | Asking | Answered | None


@define(kw_only=True)
class Reconnecting:
    """The change of connections under way, if any."""

    outbox: Outbox
    configuration: Configuration
    responses: ResponseMachine
    handoffs: Handoffs
    history: History
    speech: Speech
    calls: ToolCalls
    on_move: Sequence[Callable[[], None]]
    """What else is told that another connection is in use, in this order."""
    turn_taking: TurnTaking
    guarding: Guarding
    transcripts: Transcripts
    _phase: Phase = None

    def begin(self, handoff: HandoffResolved) -> None:
        """Make a connection for the agent of a handoff, beside the one in use."""
        told = self._wanted(handoff)
        self._phase = Opening(handoff=handoff, told=told)
        first = self.configuration.first(told)
        self.outbox.do(OpenAnother(call_id=handoff.call_id, update=first, within=OPEN_WITHIN))
        self.outbox.set_timer(LIMIT_TIMER, OPEN_WITHIN)

    def opened(self, opened: AnotherOpened) -> None:
        """The other connection is there, and configured."""
        phase = self._phase
        if not isinstance(phase, Opening) or phase.handoff.call_id != opened.call_id:
            return  # it was given up, and is closed
        self._phase = Waiting(handoff=phase.handoff, told=phase.told, session=opened.answer.session)
        self.outbox.set_timer(LIMIT_TIMER, QUIET_WITHIN)

    def failed(self, failed: AnotherFailed) -> None:
        """The other connection could not be made, or was lost."""
        handoff = self._handoff
        if handoff is not None and handoff.call_id == failed.call_id:
            self._give_up(handoff, str(failed.error))

    def out_of_time(self) -> None:
        """`LIMIT_TIMER` fired."""
        handoff = self._handoff
        if handoff is None:
            return
        if isinstance(self._phase, Opening):
            why = f"there was no other connection within {OPEN_WITHIN:g} s"
        else:
            why = f"the conversation did not come to rest within {QUIET_WITHIN:g} s"
        self._give_up(handoff, why)

    def answered(self) -> None:
        """The server has answered the update that changes nothing. A refusal is an answer."""
        if isinstance(self._phase, Asking):
            then = self._phase.then
            self._phase = Answered(then) if self._phase.clean else then

    def unanswered(self) -> None:
        """The server has not answered it: it is asked again."""
        if isinstance(self._phase, Asking):
            self._phase = self._phase.then

    def lost(self, loss: Loss) -> None:
        """The connection in use is gone. The call itself is ended with all the others."""
        handoff = self._handoff
        if handoff is not None:
            self._settle(handoff)

    def go_on(self, now: float) -> bool:
        """Look whether the time has come, after a message and all that followed from it.

        Return whether anything was done.
        """
        handoff = self._handoff
        if handoff is not None and not self.handoffs.is_open(handoff.call_id):
            self._give_up(handoff, "its call has ended")
            return True
        match self._phase:
            case None | Opening():
                return False
            case Asking() as asking:
                if self._has_sent:
                    self._phase = evolve(asking, clean=False)
                return False
            case Waiting() as waiting:
                is_answered = False
            case Answered(then=waiting):
                self._phase = waiting
                is_answered = not self._has_sent
        rest = self._rest(now)
        if rest is None:
            return False
        if rest > 0:
            self.outbox.set_timer(QUIET_TIMER, max(rest, LOOK_AGAIN))
        elif is_answered:
            self._switch(waiting)
        else:
            self._phase = Asking(waiting)
            self.configuration.update(SessionModelSettings(), ForBarrier())
        return True

    @property
    def _has_sent(self) -> bool:
        """Something has gone to the server since the message came."""
        return any(isinstance(each, Send) for each in self.outbox.to_server)

    def _rest(self, now: float) -> float | None:
        """Seconds until all that came has been heard. None while more may come."""
        is_busy = (
            not self.responses.at_rest
            or self.turn_taking.user_speaks
            or self.transcripts.awaited
            or self.guarding.judges
            or self.speech.held
            or self.calls.hosted.owed  # the other server knows nothing of what it is asked
        )
        return None if is_busy else max(0.0, self.speech.ledger.ends_at(now) - now)

    def _switch(self, waiting: Waiting) -> None:
        handoff, session = waiting.handoff, waiting.session
        changed = difference(waiting.told, self._wanted(handoff))  # meanwhile
        name = handoff.resolved.agent.name
        self.outbox.do(SwitchConnection(handoff.call_id))
        self._cancel_timers()
        self._phase = None
        for moved in self.on_move:
            moved()
        self.configuration.moved(waiting.told, session.settings)
        if changed != SessionModelSettings():
            self.configuration.update(changed, ForNobody())
        self.outbox.publish(
            events.ConnectionEvent, state="connected", reason=f"for the voice of {name}"
        )
        self.outbox.publish(events.SessionUpdatedEvent, session=session)
        items, new = self.handoffs.told_to_another(handoff)
        told = retold(items, self.calls.open, self.outbox.new_item_id)
        self.history.retold(item.id for item in told if item.id not in new)
        for item in told:
            self.outbox.send(ConversationItemCreate(item=item))
        self.handoffs.acknowledged(evolve(handoff, history=None))

    def _wanted(self, handoff: HandoffResolved) -> SessionModelSettings:
        agent = self.configuration.of_agent(handoff.resolved, self.handoffs.current)
        return self.configuration.whole(agent)

    def _give_up(self, handoff: HandoffResolved, why: str) -> None:
        self._settle(handoff)
        self.handoffs.refused(handoff, why)

    def _settle(self, handoff: HandoffResolved) -> None:
        self._phase = None
        self.outbox.do(CloseAnother(handoff.call_id))
        self._cancel_timers()

    def _cancel_timers(self) -> None:
        self.outbox.cancel_timer(LIMIT_TIMER)
        self.outbox.cancel_timer(QUIET_TIMER)

    @property
    def _handoff(self) -> HandoffResolved | None:
        match self._phase:
            case Opening(handoff=handoff) | Waiting(handoff=handoff):
                return handoff
            case Asking(then=waiting) | Answered(then=waiting):
                return waiting.handoff
            case None:
                return None
