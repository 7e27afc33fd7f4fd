"""The agent's turns: what is published when a response begins and ends."""

from __future__ import annotations

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import CallHook, Effects, Publish
from realtime_actors.core.guardrails.held import Held
from realtime_actors.core.history.updates import History
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.server_errors import failure_info, is_fatal
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.protocol import Response

__all__ = ["Turns"]


@define
class Turns:
    """Once per response: its beginning, its failure, its end."""

    info: events.EventInfo
    responses: ResponseMachine
    calls: ToolCalls
    handoffs: Handoffs
    history: History
    held: Held
    _unheard: list[Response] = field(factory=list)

    def began(self, response: Response) -> Effects:
        """A response of the conversation began."""
        agent = self.handoffs.agent
        effects: Effects = [
            Publish(events.AgentStartEvent(agent=agent, response_id=response.id, info=self.info))
        ]
        if agent.hooks is not None:
            effects.append(CallHook(agent, "on_start"))
        return effects

    def failure(self, response: Response) -> Effects:
        """Why the response failed or is incomplete, if it is."""
        if response.status not in ("failed", "incomplete"):
            return []
        error = response.status_details.error if response.status_details else None
        return [
            Publish(
                events.ErrorEvent(
                    error=failure_info(response),
                    recoverable=error is None or not is_fatal(error),
                    response_id=response.id,
                    source="response.done",
                    info=self.info,
                )
            )
        ]

    def ended(self, response: Response) -> Effects:
        """The response is over, and all that it asked for is known.

        While speech of it is held, it is not over for those who hear it (see `settle`).
        """
        if response.id in self.held:
            self._unheard.append(response)
            return []
        return self._ended(response)

    def settle(self) -> Effects:
        """End the responses of which no speech is held any more."""
        effects: Effects = []
        for response in tuple(self._unheard):
            if response.id not in self.held:
                self._unheard.remove(response)
                effects += self._ended(response)
        return effects

    def _ended(self, response: Response) -> Effects:
        said = "".join(self.history.words_of(item) for item in response.output)
        return self._end(response.id, response.status or "completed", _reason(response), said)

    def broke_off(self, response_id: str | None) -> Effects:
        """The connection was lost in the middle of a response."""
        return self._end(response_id, "disconnected", None, "")

    def _end(self, response_id: str | None, status: str, reason: str | None, said: str) -> Effects:
        agent = self.handoffs.agent
        ended = events.AgentEndEvent(
            agent=agent,
            response_id=response_id,
            status=status,
            reason=reason,
            held_ms=self.held.take_wait(response_id),
            final=not self.calls.owed and not self.responses.owed,
            info=self.info,
        )
        effects: Effects = [Publish(ended)]
        if agent.hooks is not None:
            effects.append(CallHook(agent, "on_end", (said,)))
        return effects


def _reason(response: Response) -> str | None:
    details = response.status_details
    if details is None:
        return None
    if details.reason is None and details.error is not None:
        return details.error.code or details.error.type or None
    return details.reason
