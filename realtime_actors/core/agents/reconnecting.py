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

from collections.abc import Callable, Hashable
from typing import Final, TypeAlias

from attrs import define, evolve, frozen

from realtime_actors import events
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import (
    CancelTimer,
    CloseAnother,
    Effects,
    OpenAnother,
    Publish,
    Send,
    SetTimer,
    SwitchConnection,
)
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.history.retelling import retold
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.history.updates import History
from realtime_actors.core.messages import AnotherFailed, AnotherOpened, HandoffResolved
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
from realtime_actors.core.tools.announcements import Announcements
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

    info: events.EventInfo
    new_id: Callable[[], str]
    configuration: Configuration
    responses: ResponseMachine
    handoffs: Handoffs
    history: History
    speech: Speech
    calls: ToolCalls
    announcements: Announcements
    turn_taking: TurnTaking
    guarding: Guarding
    transcripts: Transcripts
    _phase: Phase = None

    def begin(self, handoff: HandoffResolved) -> Effects:
        """Make a connection for the agent of a handoff, beside the one in use."""
        told = self._wanted(handoff)
        self._phase = Opening(handoff=handoff, told=told)
        first = self.configuration.first(told)
        return [
            OpenAnother(call_id=handoff.call_id, update=first, within=OPEN_WITHIN),
            SetTimer(LIMIT_TIMER, OPEN_WITHIN),
        ]

    def opened(self, opened: AnotherOpened) -> Effects:
        """The other connection is there, and configured."""
        phase = self._phase
        if not isinstance(phase, Opening) or phase.handoff.call_id != opened.call_id:
            return []  # it was given up, and is closed
        self._phase = Waiting(handoff=phase.handoff, told=phase.told, session=opened.answer.session)
        return [SetTimer(LIMIT_TIMER, QUIET_WITHIN)]

    def failed(self, failed: AnotherFailed) -> Effects:
        """The other connection could not be made, or was lost."""
        handoff = self._handoff
        if handoff is None or handoff.call_id != failed.call_id:
            return []
        return self._give_up(handoff, str(failed.error))

    def out_of_time(self) -> Effects:
        """`LIMIT_TIMER` fired."""
        handoff = self._handoff
        if handoff is None:
            return []
        if isinstance(self._phase, Opening):
            why = f"there was no other connection within {OPEN_WITHIN:g} s"
        else:
            why = f"the conversation did not come to rest within {QUIET_WITHIN:g} s"
        return self._give_up(handoff, why)

    def answered(self) -> None:
        """The server has answered the update that changes nothing. A refusal is an answer."""
        if isinstance(self._phase, Asking):
            then = self._phase.then
            self._phase = Answered(then) if self._phase.clean else then

    def unanswered(self) -> None:
        """The server has not answered it: it is asked again."""
        if isinstance(self._phase, Asking):
            self._phase = self._phase.then

    def lost(self) -> Effects:
        """The connection in use is gone. The call itself is ended with all the others."""
        handoff = self._handoff
        return [] if handoff is None else self._settle(handoff)

    def go_on(self, effects: Effects, now: float) -> Effects:
        """Look whether the time has come, after a message and all that followed from it."""
        handoff = self._handoff
        if handoff is not None and not self.handoffs.is_open(handoff.call_id):
            return self._give_up(handoff, "its call has ended")
        match self._phase:
            case None | Opening():
                return []
            case Asking() as asking:
                if _send(effects):
                    self._phase = evolve(asking, clean=False)
                return []
            case Waiting() as waiting:
                is_answered = False
            case Answered(then=waiting):
                self._phase = waiting
                is_answered = not _send(effects)
        rest = self._rest(now)
        if rest is None:
            return []
        if rest > 0:
            return [SetTimer(QUIET_TIMER, max(rest, LOOK_AGAIN))]
        if is_answered:
            return self._switch(waiting)
        self._phase = Asking(waiting)
        return self.configuration.update(SessionModelSettings(), ForBarrier())

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

    def _switch(self, waiting: Waiting) -> Effects:
        handoff, session = waiting.handoff, waiting.session
        changed = difference(waiting.told, self._wanted(handoff))  # meanwhile
        name = handoff.resolved.agent.name
        effects: Effects = [SwitchConnection(handoff.call_id), *self._timers()]
        self._phase = None
        self.turn_taking.moved()  # first: it asks the others what was stopped
        self.responses.moved()
        self.calls.moved()
        self.announcements.moved()
        self.speech.moved()
        self.guarding.lost()
        effects += self.configuration.moved(waiting.told, session.settings)
        if changed != SessionModelSettings():
            effects += self.configuration.update(changed, ForNobody())
        effects += [
            Publish(
                events.ConnectionEvent(
                    state="connected", reason=f"for the voice of {name}", info=self.info
                )
            ),
            Publish(events.SessionUpdatedEvent(session=session, info=self.info)),
        ]
        filtered, items, new = self.handoffs.told_to_another(handoff)
        told = retold(items, self.calls.open, lambda: f"item_{self.new_id()}")
        self.history.retold(item.id for item in told if item.id not in new)
        effects += filtered
        effects += [Send(ConversationItemCreate(item=item)) for item in told]
        return effects + self.handoffs.acknowledged(evolve(handoff, history=None))

    def _wanted(self, handoff: HandoffResolved) -> SessionModelSettings:
        agent = self.configuration.of_agent(handoff.resolved, self.handoffs.current)
        return self.configuration.whole(agent)

    def _give_up(self, handoff: HandoffResolved, why: str) -> Effects:
        return [*self._settle(handoff), *self.handoffs.refused(handoff, why)]

    def _settle(self, handoff: HandoffResolved) -> Effects:
        self._phase = None
        return [CloseAnother(handoff.call_id), *self._timers()]

    def _timers(self) -> Effects:
        return [CancelTimer(LIMIT_TIMER), CancelTimer(QUIET_TIMER)]

    @property
    def _handoff(self) -> HandoffResolved | None:
        match self._phase:
            case Opening(handoff=handoff) | Waiting(handoff=handoff):
                return handoff
            case Asking(then=waiting) | Answered(then=waiting):
                return waiting.handoff
            case None:
                return None


def _send(effects: Effects) -> bool:
    return any(isinstance(each, Send) for each in effects)
