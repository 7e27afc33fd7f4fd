"""The life of a session: how it begins, is cut off, and ends.

    STARTING --connected, and the agent resolved--> CONFIGURING --session.updated--> LIVE
    LIVE --connection lost--> DISCONNECTED
    any of them --closed, or the server said that it is over--> ENDED

When the connection is gone, every open matter gets its end here, in one order.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.agents.reconnecting import Reconnecting
from realtime_actors.core.agents.turns import Turns
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import (
    CancelTimer,
    Effects,
    End,
    Gate,
    Publish,
    Ready,
    Refuse,
    SetGate,
)
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.limits import Limits
from realtime_actors.core.messages import ResolvedAgent
from realtime_actors.core.reports import Reports
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.stalls import StallWatch
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.responses.unanswered import Unanswered
from realtime_actors.core.server_errors import session_failure
from realtime_actors.core.settings import Configuration, ForCaller, ForStart
from realtime_actors.core.speech.audio_losses import AudioLosses
from realtime_actors.core.speech.echo import EchoPolicy
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.offers import Offers
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.errors import (
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionFailedError,
)

__all__ = ["START", "Life"]

START: Final = "start"
"""Why no response is asked for before the server has taken the configuration."""

ABNORMAL_CLOSURE: Final = 1006
"""RFC 6455: the connection broke, nobody closed it."""

LOST: Final = "the connection was lost"
"""What a transport says too, of a connection that broke without a word."""


@define(kw_only=True)
class Life:
    """Where a session is in its life, and how it gets there."""

    info: events.EventInfo
    reports: Reports
    configuration: Configuration
    responses: ResponseMachine
    stalls: StallWatch
    unanswered: Unanswered
    speech: Speech
    calls: ToolCalls
    handoffs: Handoffs
    offers: Offers
    approvals: Approvals
    turn_taking: TurnTaking
    guarding: Guarding
    screening: Screening
    transcripts: Transcripts
    turns: Turns
    reconnecting: Reconnecting
    accounting: Accounting
    audio_losses: AudioLosses
    limits: Limits
    echo: EchoPolicy
    phase: Phase = Phase.STARTING
    last_error: wire.ErrorDetail | None = None
    """What the server objected to last."""
    _gate: Gate | None = field(default=None, init=False)  # the open one, as it was published
    _resolved: ResolvedAgent | None = field(default=None, init=False)
    _is_connected: bool = field(default=False, init=False)

    def connected(self) -> Effects:
        """Note that the connection is there, and configure the session if its agent is."""
        self._is_connected = True
        return self._configure()

    def agent_resolved(self, resolved: ResolvedAgent) -> Effects:
        """Note what the first agent is, and configure the session if it is connected."""
        self._resolved = resolved
        return self._configure()

    def begin(self, resolved: ResolvedAgent, now: float) -> Effects:
        """Go live: the server has taken the first configuration."""
        self.phase = Phase.LIVE
        self.handoffs.current = resolved
        self.responses.release(START)
        connected = events.ConnectionEvent(state="connected", info=self.info)
        return [Publish(connected), Ready(), *self.limits.start(now)]

    @property
    def why_not_live(self) -> str:
        """Why nothing can be sent now."""
        if self.phase is Phase.DISCONNECTED:
            return f"{LOST}: close this session and run a new one"
        return "the session is not connected yet"

    def connection_lost(self, code: int | None, reason: str) -> Effects:
        """End what is open; end the session too if it was only starting."""
        if self.phase in (Phase.STARTING, Phase.CONFIGURING):
            return self.end(self._hung_up(code, reason))
        self.phase = Phase.DISCONNECTED
        lost = events.ConnectionEvent(
            state="disconnected", code=code, reason=reason, info=self.info
        )
        why = f"{LOST}: {(reason or str(code)).removeprefix(f'{LOST}: ')}"
        if reason == LOST:
            why = LOST
        return [
            SetGate(Gate(False, why)),
            Publish(lost),
            self.reports.error("connection_lost", why, code=str(code) if code else None),
            *self._abandon(NotConnectedError(why)),
        ]

    def leave(self, now: float) -> Effects:
        """End because a limit is reached, once what the model says has been heard."""
        if self.phase is Phase.ENDED:
            return []
        effects = self.limits.leave(now)
        if effects is None:
            return self.end(None, f"{self.limits.reached} of the run is reached")
        return effects

    def end(self, error: RealtimeError | None, reason: str = "the session was closed") -> Effects:
        """End the session: leave nothing open, and no caller waiting."""
        why = str(error) if error else reason
        waiting = error or SessionClosedError(why)
        effects: Effects = [SetGate(Gate(False, why)), *self._abandon(waiting)]
        closed = events.ConnectionEvent(
            state="closed", reason=why, error=error, usage=self.accounting.usage, info=self.info
        )
        self.phase = Phase.ENDED
        return [*effects, Publish(closed), End(error)]

    def open_gate(self, now: float) -> Effects:
        """Say what the microphone has to mind, if that has changed."""
        gate = None
        if self.phase is Phase.LIVE:
            audio_format = self.configuration.settings.input_audio_format or "pcm16"
            gate = Gate(True, audio_format=audio_format, echo=self.echo.echo(now))
        before, self._gate = self._gate, gate
        return [] if gate is None or gate == before else [SetGate(gate)]

    @property
    def owed(self) -> bool:
        """Something is owed: an answer, an outcome, a decision."""
        return self.phase is Phase.LIVE and (
            self.turn_taking.owed or not self.responses.at_rest or self.calls.owed
        )

    @property
    def judged(self) -> bool:
        """A verdict is awaited, or speech is held back for one."""
        return self.phase is Phase.LIVE and (
            bool(self.speech.held) or self.guarding.judges or self.screening.judges
        )

    def _configure(self) -> Effects:
        """Send the whole configuration, once we know it and can."""
        if not self._is_connected or self._resolved is None or self.phase is not Phase.STARTING:
            return []
        self.phase = Phase.CONFIGURING
        whole = self.configuration.at_start(self._resolved)
        return self.configuration.update(whole, ForStart(self._resolved))

    def _hung_up(self, code: int | None, reason: str) -> RealtimeError:
        """Why the server didn't let us start: what it said last, or how it closed."""
        if self.last_error is not None:
            return session_failure(self.last_error)
        if code is not None and code != ABNORMAL_CLOSURE:
            return SessionFailedError(f"the server hung up: {reason or code}", code=str(code))
        return NotConnectedError(f"the connection was lost while starting: {reason or code}")

    def _abandon(self, error: RealtimeError) -> Effects:
        """Give every open matter its end: the server can't any more."""
        effects: Effects = [
            *self.audio_losses.tell_the_rest(),
            *self.reconnecting.lost(),
            *self.approvals.lost(),
            *self.offers.lost(),
            *self.calls.cancel_all(f"Error: {error}"),
        ]
        active, started = self.responses.active_id, self.responses.is_active
        effects += [*self.responses.lost(), *self.stalls.lost()]
        self.unanswered.clear()
        if started:
            effects += self.turns.broke_off(active)
        effects += self.handoffs.lost(error)
        self.guarding.lost()
        self.screening.lost()
        effects += self.transcripts.lost()
        self.speech.lost()
        self.turn_taking.lost()
        effects += self.turns.settle()
        for pending in self.configuration.lost():
            effects.append(CancelTimer(pending.timer))
            if isinstance(pending.purpose, ForCaller):
                effects.append(Refuse(pending.purpose.caller, error))
        return effects
