"""Calls that the program has to approve: of our own tools, and of those that the server runs.

    asked --approved--> run
      |-----rejected, or not answered in time--> the model is told

Who says `always` is not asked about later calls of the same tool.

A call of ours stays open meanwhile (`ToolCalls`) and has its one outcome in any case. A
hosted MCP tool's call is the server's: it asks by an item, and is answered by one.
"""

from __future__ import annotations

from collections.abc import Hashable, Set
from typing import Final

from attrs import define, field

from realtime_actors import events
from realtime_actors.config import ToolTexts
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import Recent
from realtime_actors.core.tools.outputs import ID_CHARS
from realtime_actors.core.tools.tool_calls import ToolCalls, tool_timer
from realtime_actors.errors import LocalProtocolError
from realtime_actors.items import McpApprovalRequestItem, McpApprovalResponseItem
from realtime_actors.protocol import ConversationItemCreate
from realtime_actors.tools import HostedMcpTool, Tool

__all__ = ["Approvals", "approval_timer"]


ALWAYS: Final = "calls of this tool are always rejected"
"""Why a call was rejected without asking the program."""


def approval_timer(call_id: str) -> Hashable:
    """The key of the timer that limits how long a call waits for approval."""
    return ("approval", call_id)


def _hosted_tool(item: McpApprovalRequestItem) -> tuple[str, str]:
    return item.server_label, item.name


@define(kw_only=True)
class Approvals:
    """The calls that wait for approval."""

    outbox: Outbox
    calls: ToolCalls
    handoffs: Handoffs
    timeout: float | None
    """Seconds until a call that is not answered counts as rejected."""
    _hosted: dict[str, McpApprovalRequestItem] = field(factory=dict)  # by call id
    _answered: McpApprovalRequestItem | None = None  # the last one
    _answers: Recent[str, str] = field(factory=Recent)  # calls, by the event that answered them
    _always: list[tuple[object, bool]] = field(factory=list)  # tools, and what was said of them

    def needed(self, call_id: str) -> None:
        """A call of one of our tools has to be approved."""
        call = self.calls.suspend(call_id)
        if call is None:
            return  # it has its outcome
        self.outbox.cancel_timer(tool_timer(call_id))
        decided = self._decided(call.target)
        if decided is not None:
            self._decide(call_id, approve=decided, reason=ALWAYS)
            return
        self.outbox.publish(
            events.ToolApprovalRequiredEvent,
            agent=call.agent,
            tool=call.target if isinstance(call.target, Tool) else None,
            name=call.name,
            call_id=call_id,
            arguments=call.arguments,
        )
        self._limit(call_id)

    def requested(
        self, item: McpApprovalRequestItem, response_id: str | None, *, late: bool
    ) -> None:
        """The server asks whether it may call a tool of an MCP server."""
        if item.id is None or not self.calls.hosted.requested(item, response_id, late=late):
            return
        self._hosted[item.id] = item
        decided = self._decided(_hosted_tool(item))
        if decided is not None:
            self._decide(item.id, approve=decided, reason=ALWAYS)
            return
        agent = self.handoffs.agent
        servers = (each for each in agent.tools if isinstance(each, HostedMcpTool))
        self.outbox.publish(
            events.ToolApprovalRequiredEvent,
            agent=agent,
            tool=next((each for each in servers if each.server_label == item.server_label), None),
            name=item.name,
            call_id=item.id,
            arguments=item.arguments,
        )
        self._limit(item.id)

    def approve(self, call_id: str, *, always: bool = False) -> None:
        """Let a call run. Raises `LocalProtocolError` when it doesn't wait for that."""
        self._check_waits(call_id)
        self._remember(call_id, approve=True, always=always)
        self.outbox.cancel_timer(approval_timer(call_id))
        self._decide(call_id, approve=True)

    def reject(self, call_id: str, reason: str | None, *, always: bool = False) -> None:
        """Refuse a call. Raises `LocalProtocolError` when it doesn't wait for approval."""
        self._check_waits(call_id)
        self._remember(call_id, approve=False, always=always)
        self.outbox.cancel_timer(approval_timer(call_id))
        self._decide(call_id, approve=False, reason=reason)

    def withdraw(self, call_id: str) -> None:
        """Ask for approval of a call of ours no longer."""
        if call_id in self.calls.suspended:
            self.outbox.cancel_timer(approval_timer(call_id))

    def not_answered(self, answer: McpApprovalResponseItem) -> None:
        """What was decided of a call of the server's was not sent."""
        call_id = answer.approval_request_id
        if self._answered is None or self._answered.id != call_id or not answer.approve:
            return
        self._hosted[call_id] = self._answered
        self.calls.hosted.not_approved(call_id)

    def time_out(self, call_id: str) -> None:
        """The program has not answered in time."""
        if call_id in self._waiting:
            self.reject(call_id, f"nobody answered within {self.timeout:g} s")

    def refused(self, event_id: str | None) -> bool:
        """The server refused an event. A call whose approval it refused is not made.

        Return whether it was the approval of a call.
        """
        call_id = self._answers.pop(event_id or "", None)
        if call_id is None or not self.calls.hosted.is_open(call_id):
            return False
        self.calls.hosted.rejected(call_id)
        return True

    def went_down(self) -> None:
        """The connection is lost: what the server has asked about is void. Our own calls wait."""
        for call_id in sorted(self.calls.hosted.unapproved):
            self.outbox.cancel_timer(approval_timer(call_id))
        self._hosted.clear()
        self._answers.clear()
        self.calls.hosted.went_down()

    def lost(self, loss: Loss) -> None:
        """The connection is gone. Our own calls are ended with all others."""
        waiting = sorted(self._waiting)
        self._hosted.clear()
        self._answers.clear()
        for call_id in waiting:
            self.outbox.cancel_timer(approval_timer(call_id))
        self.calls.hosted.lost()

    @property
    def _waiting(self) -> Set[str]:
        return self.calls.hosted.unapproved | self.calls.suspended

    def _check_waits(self, call_id: str) -> None:
        if call_id not in self._waiting:
            raise LocalProtocolError(f"no call {call_id!r} waits for approval (any more)")

    def _remember(self, call_id: str, *, approve: bool, always: bool) -> None:
        if always:
            call, item = self.calls.get(call_id), self._hosted.get(call_id)
            tool = call.target if call is not None else _hosted_tool(item) if item else None
            others = [each for each in self._always if each[0] != tool]
            self._always = [(tool, approve), *others]  # the last word counts

    def _decided(self, tool: object) -> bool | None:
        return next((approve for known, approve in self._always if known == tool), None)

    def _decide(self, call_id: str, *, approve: bool, reason: str | None = None) -> None:
        hosted = self.calls.hosted
        if call_id in hosted.unapproved:
            self._answer(call_id, approve=approve, reason=None if approve else reason)
            if approve:
                hosted.approved(call_id)
            else:
                hosted.rejected(call_id)
            return
        if approve:
            self.calls.resume(call_id)
            return
        call = self.calls.get(call_id)
        assert call is not None  # it is suspended
        told = self.calls.texts_of(call).after_rejection(call.name, reason)
        why = ToolTexts().after_rejection(call.name, reason)
        self.calls.finish(call_id, told, why)

    def _answer(self, call_id: str, *, approve: bool, reason: str | None = None) -> None:
        self._answered = self._hosted.pop(call_id, None)
        answer = McpApprovalResponseItem(
            id=self.outbox.new_item_id(),
            approval_request_id=call_id,
            approve=approve,
            reason=reason,
        )
        event_id = f"approval_{call_id[-ID_CHARS:]}"
        self._answers[event_id] = call_id
        self.outbox.send(ConversationItemCreate(event_id=event_id, item=answer))

    def _limit(self, call_id: str) -> None:
        if self.timeout is not None:
            self.outbox.set_timer(approval_timer(call_id), self.timeout)
