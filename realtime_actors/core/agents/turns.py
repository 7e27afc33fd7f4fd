"""The agent's turns: what is published when a response begins and ends."""

from __future__ import annotations

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.guardrails.held import Held
from realtime_actors.core.history.updates import History
from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.server_errors import failure_info, is_fatal
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.protocol import Response

__all__ = ["Turns"]


@define
class Turns:
    """Once per response: its beginning, its failure, its end."""

    outbox: Outbox
    responses: ResponseMachine
    calls: ToolCalls
    handoffs: Handoffs
    history: History
    held: Held
    _unheard: list[Response] = field(factory=list)

    def began(self, response: Response) -> None:
        """A response of the conversation began."""
        agent = self.handoffs.agent
        self.outbox.publish(events.AgentStartEvent, agent=agent, response_id=response.id)
        self.outbox.call_hook(agent, "on_start")

    def failed(self, response: Response) -> None:
        """Tell why the response failed or is incomplete, if it is."""
        if response.status not in ("failed", "incomplete"):
            return
        error = response.status_details.error if response.status_details else None
        self.outbox.publish(
            events.ErrorEvent,
            error=failure_info(response),
            recoverable=error is None or not is_fatal(error),
            response_id=response.id,
            source="response.done",
        )

    def ended(self, response: Response) -> None:
        """The response is over, and all that it asked for is known.

        While speech of it is held, it is not over for those who hear it (see `settle`).
        """
        if response.id in self.held:
            self._unheard.append(response)
        else:
            self._ended(response)

    def settle(self) -> None:
        """End the responses of which no speech is held any more."""
        for response in tuple(self._unheard):
            if response.id not in self.held:
                self._unheard.remove(response)
                self._ended(response)

    def broke_off(self, response_id: str | None) -> None:
        """The connection was lost in the middle of a response."""
        self._end(response_id, "disconnected", None, "")

    def lost(self, loss: Loss) -> None:
        """The connection is gone, perhaps in the middle of a response."""
        if loss.broke_off:
            self.broke_off(loss.response_id)

    def lost_held(self, loss: Loss) -> None:
        """The connection is gone, and so is the speech that was held."""
        self.settle()

    def _ended(self, response: Response) -> None:
        said = "".join(self.history.words_of(item) for item in response.output)
        self._end(response.id, response.status or "completed", _reason(response), said)

    def _end(self, response_id: str | None, status: str, reason: str | None, said: str) -> None:
        agent = self.handoffs.agent
        self.outbox.publish(
            events.AgentEndEvent,
            agent=agent,
            response_id=response_id,
            status=status,
            reason=reason,
            held_ms=self.held.take_wait(response_id),
            final=not self.calls.owed and not self.responses.owed,
        )
        self.outbox.call_hook(agent, "on_end", said)


def _reason(response: Response) -> str | None:
    details = response.status_details
    if details is None:
        return None
    if details.reason is None and details.error is not None:
        return details.error.code or details.error.type or None
    return details.reason
