"""From what the server says of calls to the calls that are run.

A call begins with the first announcement that is whole: its arguments are JSON, or its item
is completed. What was announced in any other way begins when its response has ended well: then
arguments that are no JSON are the model's mistake, and none are none. What is announced again
begins no second time (see `announcements`); a call that can't begin is reported.
"""

from __future__ import annotations

from attrs import define

from realtime_actors import protocol as wire
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.stalls import StallWatch
from realtime_actors.core.tools.announcements import (
    Announcement,
    Announcements,
    How,
    ToldCall,
    is_json,
)
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.core.tools.tool_calls import Call, ToolCalls
from realtime_actors.items import FunctionCallItem, Item, McpApprovalRequestItem, McpCallItem

__all__ = ["Calling"]


@define(kw_only=True)
class Calling:
    """What the model makes, and wants done."""

    outbox: Outbox
    responses: ResponseMachine
    calls: ToolCalls
    handoffs: Handoffs
    approvals: Approvals
    rounds: Rounds
    stalls: StallWatch
    announcements: Announcements

    # A response out of band has no place in the conversation, so neither would the output of a
    # tool have one: who asked for it answers its calls.

    def item(self, item: Item, response_id: str | None) -> None:
        """Take an item that the model has begun."""
        if self.responses.is_out_of_band(response_id):
            self._ignored(item)
            return
        if isinstance(item, FunctionCallItem):
            self._told(item, response_id, "added")
        self.hosted_call(item, response_id)

    def arguments_came(self, event: wire.ResponseFunctionCallArgumentsDelta) -> None:
        """Take a piece of the arguments of a call. It counts if nothing else says them."""
        if self.responses.is_out_of_band(event.response_id):
            return
        said = Announcement(
            how="pieces", item_id=event.item_id or None, call_id=event.call_id or None
        )
        call = self.announcements.find(event.response_id, said)
        call.take(said)
        call.pieces.append(event.delta)

    def arguments_done(self, event: wire.ResponseFunctionCallArgumentsDone) -> None:
        """Take all arguments of a call, and begin it if that is enough."""
        active_id = self.responses.active_id
        response_id = event.response_id or self.stalls.maker_of(event.item_id, active_id)
        if self.responses.is_out_of_band(response_id):
            return
        said = Announcement(
            how="arguments",
            item_id=event.item_id or None,
            call_id=event.call_id or None,
            name=event.name or None,
            arguments=event.arguments,
        )
        call = self.announcements.find(response_id, said)
        call.take(said)
        # No JSON: cut off by an interruption, wrong, or none at all. The item's status will
        # say, or the response's.
        self._go_on(call, response_id, is_whole=is_json(event.arguments))

    def item_done(self, item: Item, response_id: str | None) -> None:
        """Take a complete item of the model's, and begin the call that it is."""
        self._done(item, response_id, "item")

    def response_done(self, response: wire.Response) -> None:
        """Begin what a response of the conversation called, now that it has ended."""
        response_id = response.id
        for item in response.output:
            self._done(item, response_id, "response")
        if response.status in ("completed", None):
            self.announcements.completed(response_id)
            for call in self.announcements.of(response_id):
                self._go_on(call, response_id, is_whole=False)
        else:
            self.calls.hosted.cut_off(response_id)

    def hosted_call(
        self, item: Item, response_id: str | None = None, *, is_final: bool = False
    ) -> None:
        """Note a call that the server makes by itself, if the item is one.

        Without a response it is one of the response that is active, if any.
        """
        if isinstance(item, McpCallItem):
            response_id, late = self._place(response_id)
            self.calls.hosted.told(item, response_id, late=late, is_final=is_final)

    def hosted_call_runs(self, item_id: str, response_id: str | None = None) -> None:
        """Note that the server has begun a call of its own, or is about to."""
        response_id, late = self._place(response_id)
        if not self.responses.is_out_of_band(response_id):
            self.calls.hosted.runs(item_id, response_id, late=late)

    def hosted_call_ended(self, item_id: str) -> None:
        """Note the end of a call that the server made by itself, whether it has worked or not."""
        response_id, late = self._place(None)
        self.calls.hosted.ended(item_id, response_id, late=late)

    def _place(self, response_id: str | None) -> tuple[str | None, bool]:
        """Return the response to which a call belongs, and whether no more calls of it come."""
        if response_id is None:
            return self.responses.active_id, not self.responses.is_active
        return response_id, self.responses.is_over(response_id)

    def _ignored(self, item: Item) -> None:
        if isinstance(item, McpCallItem | McpApprovalRequestItem):
            self.calls.hosted.ignored(item.id)

    def approval_request(self, item: Item, response_id: str | None = None) -> None:
        """Ask for approval, if that is what the item is for."""
        if isinstance(item, McpApprovalRequestItem):
            response_id, late = self._place(response_id)
            self.approvals.requested(item, response_id, late=late)

    def _done(self, item: Item, response_id: str | None, how: How) -> None:
        if self.responses.is_out_of_band(response_id):
            self._ignored(item)
            return
        if isinstance(item, FunctionCallItem):
            call = self._told(item, response_id, how)
            call.is_cut = item.status == "incomplete"
            is_whole = item.status in ("completed", None)
            self._go_on(call, response_id, is_whole=is_whole)
        self.hosted_call(item, response_id)
        self.approval_request(item, response_id)

    def _told(self, item: FunctionCallItem, response_id: str | None, how: How) -> ToldCall:
        said = Announcement(
            how=how,
            item_id=item.id or None,
            call_id=item.call_id or None,
            name=item.name or None,
            arguments=item.arguments,
        )
        call = self.announcements.find(response_id, said)
        call.take(said)
        return call

    def _go_on(self, call: ToldCall, response_id: str | None, *, is_whole: bool) -> None:
        """Begin a call, if it is known well enough and has not begun."""
        if call.began_as is not None:
            self.calls.known_as(call.began_as, call.server_id)
            return
        is_due = self.announcements.is_completed(response_id) and not call.is_cut
        is_ready = is_whole and call.name is not None and call.server_id is not None
        if is_due or is_ready:
            self._begin(call, response_id)

    def _begin(self, told: ToldCall, response_id: str | None) -> None:
        if told.server_id is None:
            self._unanswerable(told, response_id)
            return
        current, name = self.handoffs.current, told.name or ""
        call = Call(
            call_id=self.calls.new_name(told.server_id),
            server_id=told.server_id,
            item_id=told.item_id,
            response_id=response_id,
            name=name,
            arguments=told.all_arguments,
            agent=current.agent,
            target=(
                current.handoffs.get(name)
                or current.tools.get(name)
                # Not offered when that was last asked. It is asked again before it is run.
                or current.agent.find_tool(name)
            ),
        )
        told.began_as = call.call_id
        is_late = self.responses.is_over(response_id)
        self.calls.called(call, late=is_late)
        if self.rounds.are_over:
            why = self.rounds.refusal
            self.calls.finish(call.call_id, why, why)
        elif self.stalls.is_given_up(response_id):
            why = "Error: the response that made this call was given up, so it was not run"
            self.calls.finish(call.call_id, why, why)
        else:
            self.handoffs.called(call)

    def _unanswerable(self, told: ToldCall, response_id: str | None) -> None:
        """Report a call that has neither an id nor an item with one. Once."""
        if told.is_reported:
            return
        told.is_reported = True
        self.outbox.publish_error(
            "call_without_id",
            f"the model called {told.name or 'a tool'}, but the server gave neither the"
            " call nor its item an id: it can't be answered, and was not run",
            response_id=response_id,
            source="tool",
        )
