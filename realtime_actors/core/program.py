"""What the program asks of a session that is connected, and what that means to its parts."""

from __future__ import annotations

from typing import Final

from attrs import define

from realtime_actors import messages
from realtime_actors.core.connection.moving import Moving
from realtime_actors.core.contract import Phase
from realtime_actors.core.farewell import Farewell
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.life import Life
from realtime_actors.core.limits import Limits
from realtime_actors.core.outbox import Mark, Outbox
from realtime_actors.core.requests import Requests
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.speech.user_turns import UserTurns
from realtime_actors.core.tools.offers import Offers
from realtime_actors.errors import (
    ConfigError,
    LocalProtocolError,
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
)

__all__ = ["Program"]

AT_ONCE: Final = (messages.Approve, messages.Reject)
"""What needs no connection: whether a call of ours may run is nothing that a server has to hear."""


@define(kw_only=True)
class Program:
    """From a verb to its effects, or to the error that its caller gets."""

    outbox: Outbox
    life: Life
    moving: Moving
    limits: Limits
    farewell: Farewell
    requests: Requests
    responses: ResponseMachine
    turn_taking: TurnTaking
    user_turns: UserTurns
    screening: Screening
    offers: Offers

    def asked(self, verb: messages.Verb, caller: object, now: float) -> None:
        """Do what `caller` asks, or refuse it."""
        if self.life.phase is Phase.RECONNECTING and not isinstance(verb, AT_ONCE):
            if not self.moving.keep(verb, caller):
                why = "there is no connection, and as many verbs wait for one as may"
                self.outbox.refuse(caller, NotConnectedError(why))
            return
        if self.life.is_starting:
            why = "the session is not connected yet"
            self.outbox.refuse(caller, NotConnectedError(why))
            return
        if (self.limits.leaving or self.farewell.is_coming) and self.requests.speaks(verb):
            why = f"{self.limits.why}: nothing is answered any more"
            self.outbox.refuse(caller, SessionClosedError(f"the session is ending: {why}"))
            return
        self.limits.active(now)
        self.responses.mark()
        if isinstance(verb, messages.SendMessage | messages.AddItem):
            self.user_turns.spoke()
        before = self.outbox.mark()
        try:
            self.requests.send(verb, caller)
        except (ConfigError, LocalProtocolError) as error:
            self._refuse(caller, error, before)
            return
        except (TypeError, ValueError, AttributeError) as error:
            # What a caller hands over may be anything; the conversation is not to end for it.
            why = f"{type(verb).__name__} does not take these arguments: {error}"
            self._refuse(caller, ConfigError(why), before)
            return
        if isinstance(verb, messages.SendMessage):
            self.screening.written()
        if isinstance(verb, messages.UpdateSession):
            self.offers.ask()
        if self.requests.speaks(verb):
            self.turn_taking.program_spoke()

    def _refuse(self, caller: object, error: RealtimeError, before: Mark) -> None:
        """Refuse a verb: nothing of it is sent."""
        self.outbox.take_back(before)
        self.outbox.refuse(caller, error)
