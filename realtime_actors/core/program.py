"""What the program asks of a session that is connected, and what that means to its parts."""

from __future__ import annotations

from attrs import define

from realtime_actors import messages
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import Effects, Refuse
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.life import Life
from realtime_actors.core.limits import Limits
from realtime_actors.core.requests import Requests
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.speech.user_turns import UserTurns
from realtime_actors.core.tools.offers import Offers
from realtime_actors.errors import (
    ConfigError,
    LocalProtocolError,
    NotConnectedError,
    SessionClosedError,
)

__all__ = ["Program"]


@define(kw_only=True)
class Program:
    """From a verb to its effects, or to the error that its caller gets."""

    life: Life
    limits: Limits
    requests: Requests
    responses: ResponseMachine
    turn_taking: TurnTaking
    user_turns: UserTurns
    screening: Screening
    offers: Offers

    def asked(self, verb: messages.Verb, caller: object, now: float) -> Effects:
        """Do what `caller` asks, or refuse it."""
        if self.life.phase is not Phase.LIVE:
            return [Refuse(caller, NotConnectedError(self.life.why_not_live))]
        if self.limits.reached is not None and self.requests.speaks(verb):
            why = f"{self.limits.reached} of the run is reached: nothing is answered any more"
            return [Refuse(caller, SessionClosedError(f"the session is ending: {why}"))]
        self.limits.active(now)
        self.responses.mark()
        if isinstance(verb, messages.SendMessage | messages.AddItem):
            self.user_turns.spoke()
        try:
            effects = self.requests.send(verb, caller)
        except (ConfigError, LocalProtocolError) as error:
            return [Refuse(caller, error)]
        except (TypeError, ValueError, AttributeError) as error:
            # What a caller hands over may be anything; the conversation is not to end for it.
            why = f"{type(verb).__name__} does not take these arguments: {error}"
            return [Refuse(caller, ConfigError(why))]
        if isinstance(verb, messages.SendMessage):
            self.screening.written()
        if isinstance(verb, messages.UpdateSession):
            effects += self.offers.ask()
        if self.requests.speaks(verb):
            self.turn_taking.program_spoke()
        return effects
