"""From the items that the model makes to the calls that are in them.

A call is announced several times: by its arguments, by its item, and in the response that
made it. Here each of these is turned into a `Call`; `tool_calls` starts it once.
"""

from __future__ import annotations

from attrs import define, field

from realtime_actors import protocol as wire
from realtime_actors.core.approvals import Approvals
from realtime_actors.core.effects import Effects
from realtime_actors.core.handoffs import Handoffs
from realtime_actors.core.history import History
from realtime_actors.core.response import ResponseMachine
from realtime_actors.core.rounds import Rounds
from realtime_actors.core.stalls import StallWatch
from realtime_actors.core.tool_calls import Call, ToolCalls, is_json
from realtime_actors.items import FunctionCallItem, Item, McpApprovalRequestItem

__all__ = ["Calling"]


@define(kw_only=True)
class Calling:
    """What the model makes, and wants done."""

    history: History
    responses: ResponseMachine
    calls: ToolCalls
    handoffs: Handoffs
    approvals: Approvals
    rounds: Rounds
    stalls: StallWatch
    _names: dict[str, str] = field(factory=dict)  # of tools, by call id

    def item(self, item: Item, response_id: str | None) -> Effects:
        """The model has begun an item."""
        if isinstance(item, FunctionCallItem) and item.call_id is not None:
            # Beta servers leave the name out of `function_call_arguments.done`.
            self._names[item.call_id] = item.name
        if self.responses.is_out_of_band(response_id):
            return []
        return self.history.item(item, None)

    def arguments_done(self, event: wire.ResponseFunctionCallArgumentsDone) -> Effects:
        """All arguments of a call are known."""
        if not is_json(event.arguments):
            # Cut off by an interruption, or wrong: the item's status will say.
            return []
        name = event.name or self._names.get(event.call_id or "")
        return self._call(event.call_id, name, event.arguments, event.response_id)

    def item_done(self, item: Item, response_id: str | None) -> Effects:
        """An item of the model is complete."""
        effects = self.item(item, response_id)
        if isinstance(item, FunctionCallItem) and item.status in ("completed", None):
            call_id = item.call_id or item.id
            effects += self._call(call_id, item.name, item.arguments, response_id)
        return effects + self.approval_request(item, response_id)

    def approval_request(self, item: Item, response_id: str | None = None) -> Effects:
        """Ask for approval, if that is what the item is for."""
        if not isinstance(item, McpApprovalRequestItem):
            return []
        if self.responses.is_out_of_band(response_id):
            return []
        return self.approvals.requested(item)

    def _call(
        self, call_id: str | None, name: str | None, arguments: str, response_id: str | None
    ) -> Effects:
        # A response out of band has no place in the conversation, so neither would the
        # tool's output: who asked for it answers its calls.
        if call_id is None or name is None or self.responses.is_out_of_band(response_id):
            return []
        current = self.handoffs.current
        call = Call(
            call_id=call_id,
            response_id=response_id,
            name=name,
            arguments=arguments,
            agent=current.agent,
            target=current.handoffs.get(name) or current.tools.get(name),
        )
        effects = self.calls.called(call, late=self.responses.is_over(response_id))
        if effects and self.rounds.are_over:
            why = self.rounds.refusal
            return effects + self.calls.finish(call.call_id, why, why)
        if effects and self.stalls.is_given_up(response_id):
            why = "Error: the response that made this call was given up, so it was not run"
            return effects + self.calls.finish(call_id, why, why)
        return effects + self.handoffs.called(call) if effects else []
