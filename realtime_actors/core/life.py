"""The life of a session: how it begins, is cut off, and ends.

    STARTING --connected, and the agent resolved--> CONFIGURING --session.updated--> LIVE
    LIVE --connection lost--> RECONNECTING --another one is in use--> LIVE
    any of them --closed, or the server said that it is over, or there is no other--> ENDED

How a session comes to another connection is said in `core.connection`. At its end, every open
matter gets its own end here, in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import End, Gate, Ready, SetGate
from realtime_actors.core.farewell import Farewell
from realtime_actors.core.limits import Limits
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import ResolvedAgent
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.server_errors import session_failure
from realtime_actors.core.settings import Configuration, ForStart
from realtime_actors.core.speech.echo import EchoPolicy
from realtime_actors.errors import (
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionFailedError,
)
from realtime_actors.messages import Close

__all__ = ["START", "Life"]

START: Final = "start"
"""Why no response is asked for before the server has taken the configuration."""

ABNORMAL_CLOSURE: Final = 1006
"""RFC 6455: the connection broke, nobody closed it."""


@define(kw_only=True)
class Life:
    """Where a session is in its life, and how it gets there."""

    outbox: Outbox
    configuration: Configuration
    responses: ResponseMachine
    handoffs: Handoffs
    accounting: Accounting
    limits: Limits
    farewell: Farewell
    echo: EchoPolicy
    on_loss: Sequence[Callable[[Loss], None]]
    """What gives each open matter its end when the session ends, in this order."""
    phase: Phase = Phase.STARTING
    last_error: wire.ErrorDetail | None = None
    """What the server objected to last."""
    _gate: Gate | None = field(default=None, init=False)  # the open one, as it was published
    _resolved: ResolvedAgent | None = field(default=None, init=False)
    _is_connected: bool = field(default=False, init=False)
    _why_down: str = field(default="", init=False)

    def connected(self) -> None:
        """Note that the connection is there, and configure the session if its agent is."""
        self._is_connected = True
        self._configure()

    def agent_resolved(self, resolved: ResolvedAgent) -> None:
        """Note what the first agent is, and configure the session if it is connected."""
        self._resolved = resolved
        self._configure()

    def begin(self, resolved: ResolvedAgent, now: float) -> None:
        """Go live: the server has taken the first configuration."""
        self.phase = Phase.LIVE
        self.handoffs.current = resolved
        self.responses.release(START)
        self.outbox.publish(events.ConnectionEvent, state="connected")
        self.outbox.do(Ready())
        self.limits.start(now)

    @property
    def is_starting(self) -> bool:
        """The server has not taken the configuration yet."""
        return self.phase in (Phase.STARTING, Phase.CONFIGURING)

    def did_not_start(self, code: int | None, reason: str) -> None:
        """End the session: its connection was lost before it could begin."""
        self.end(self._hung_up(code, reason))

    def went_down(self, why: str) -> None:
        """There is no connection, for a while."""
        self.phase, self._why_down = Phase.RECONNECTING, why

    def is_back(self) -> None:
        """There is a connection again."""
        self.phase = Phase.LIVE

    def leave(self, now: float, *, owed: bool) -> None:
        """End what is leaving, once it may: a limit is reached, or the program has closed it."""
        if self.phase is Phase.ENDED:
            return
        if self.farewell.ends_now(now, owed=owed):
            self.end(None)
        elif self.limits.ends_now(now):
            self.end(None, self.limits.why)

    def close(self, verb: Close, caller: object, now: float) -> None:
        """End because the program wants it: now, or once something is over."""
        if verb.within and self.phase is Phase.LIVE:
            self.farewell.begin(verb, caller, now)  # `leave` looks whether it is over already
        else:
            self.end(None)
            self.outbox.answer(caller)

    def end(self, error: RealtimeError | None, reason: str = "the session was closed") -> None:
        """End the session: leave nothing open, and no caller waiting."""
        why = str(error) if error else reason
        waiting = error or SessionClosedError(why)
        self.outbox.do(SetGate(Gate(False, why)))
        self._abandon(waiting)
        self.outbox.publish(
            events.ConnectionEvent,
            state="closed",
            reason=why,
            error=error,
            usage=self.accounting.usage,
        )
        self.farewell.answer()
        self.outbox.do(End(error))
        self.phase = Phase.ENDED

    def open_gate(self, now: float) -> None:
        """Say what the microphone has to mind, if that has changed."""
        gate = None
        if self.phase in (Phase.LIVE, Phase.RECONNECTING):
            is_down = self.phase is Phase.RECONNECTING
            gate = Gate(
                True,
                self._why_down if is_down else "",
                audio_format=self.configuration.settings.input_audio_format or "pcm16",
                echo=self.echo.echo(now),
                is_down=is_down,
            )
        before, self._gate = self._gate, gate
        if gate is not None and gate != before:
            self.outbox.do_first(SetGate(gate))  # what is sent may rely on it

    def _configure(self) -> None:
        """Send the whole configuration, once we know it and can."""
        if not self._is_connected or self._resolved is None or self.phase is not Phase.STARTING:
            return
        self.phase = Phase.CONFIGURING
        whole = self.configuration.at_start(self._resolved)
        self.configuration.update(whole, ForStart(self._resolved))

    def _hung_up(self, code: int | None, reason: str) -> RealtimeError:
        """Why the server didn't let us start: what it said last, or how it closed."""
        if self.last_error is not None:
            return session_failure(self.last_error)
        if code is not None and code != ABNORMAL_CLOSURE:
            return SessionFailedError(f"the server hung up: {reason or code}", code=str(code))
        return NotConnectedError(f"the connection was lost while starting: {reason or code}")

    def _abandon(self, error: RealtimeError) -> None:
        """Give every open matter its end."""
        loss = Loss(
            error=error, broke_off=self.responses.is_active, response_id=self.responses.active_id
        )
        for lost in self.on_loss:
            lost(loss)
