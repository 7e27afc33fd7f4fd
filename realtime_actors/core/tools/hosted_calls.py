"""Calls that the server makes by itself, of the tools of an MCP server.

    Asked --approved--> Open --completed, failed, nothing for too long--> closed
      |                  ^                                                  ^
      +--rejected--------|--------------------------------------------------+
                         +-- announced, where no approval is needed

The server runs such a call and tells the model its result, but the model does not speak of it
before a response is asked for. So it belongs to the round of its response (see `rounds`) as one
of ours does. Some servers tell the end of a call by its item alone, some by an event, many by both.
"""

from __future__ import annotations

from collections.abc import Hashable, Set
from typing import Final

from attrs import define, field

from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import RecentSet
from realtime_actors.core.reports import Reports
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.items import Item, McpApprovalRequestItem, McpCallItem, McpListToolsItem

__all__ = ["GIVEN_UP", "HOSTED_WITHIN", "HostedCalls", "hosted_timer"]

GIVEN_UP: Final = "hosted_call_timeout"

HOSTED_WITHIN: Final = 300.0
"""Seconds for a call of the server's where tools have no limit. Ours: such tools may take
minutes, but one whose end is never told must not be waited for for ever."""


def hosted_timer(call_id: str) -> Hashable:
    """The key of the timer that limits a call of the server's."""
    return ("hosted", call_id)


@define(kw_only=True)
class _Hosted:
    """A call that is not closed. Its key is the id of its item, or of the request for it."""

    response_id: str | None
    item_id: str | None
    """None for a request of which no call has come yet."""
    server_label: str = ""
    name: str = ""
    is_approved: bool = True
    is_running: bool = False
    """Its arguments are known: an interruption of its response does not stop it any more."""


@define(kw_only=True)
class HostedCalls:
    """The calls that the server has announced, and of whose end it has not told."""

    outbox: Outbox
    reports: Reports
    rounds: Rounds
    timeout: float = HOSTED_WITHIN
    """Seconds for a call."""
    _open: dict[str, _Hosted] = field(factory=dict)
    _closed: RecentSet[str] = field(factory=RecentSet)

    @property
    def unapproved(self) -> Set[str]:
        """The requests that the program has not answered."""
        return {key for key, call in self._open.items() if not call.is_approved}

    @property
    def owed(self) -> bool:
        """Some call has not ended."""
        return bool(self._open)

    @property
    def count(self) -> int:
        """How many calls have not ended."""
        return len(self._open)

    def is_open(self, item_id: str | None) -> bool:
        """Whether an item is one of a call that has not ended."""
        return item_id is not None and self._key(item_id) is not None

    def requested(
        self, item: McpApprovalRequestItem, response_id: str | None, *, late: bool
    ) -> bool:
        """The server asks whether it may make a call. Gives False when it has asked before."""
        if item.id is None or item.id in self._open or item.id in self._closed:
            return False
        call = _Hosted(
            response_id=response_id,
            item_id=None,
            server_label=item.server_label,
            name=item.name,
            is_approved=False,
            is_running=True,
        )
        self._begin(item.id, call, late=late)
        return True

    def approved(self, request_id: str) -> None:
        """The server may make the call, and is expected to."""
        self._open[request_id].is_approved = True
        self._limit(request_id)

    def not_approved(self, request_id: str) -> None:
        """The server was not told that it may make the call: it still waits for that."""
        call = self._open.get(request_id)
        if call is not None:
            call.is_approved = False
            self.outbox.cancel_timer(hosted_timer(request_id))

    def rejected(self, request_id: str) -> None:
        """The server may not make the call: the model is to say so."""
        self._close(request_id)

    def told(
        self, item: McpCallItem, response_id: str | None, *, late: bool, is_final: bool = False
    ) -> None:
        """A call is announced, or there is more of it. `is_final`: nothing more comes of its item.

        `late`: the response that made it is done.
        """
        if item.id is None:
            return
        self._announced(item.id, response_id, late=late, item=item)
        key = self._key(item.id)
        if key is not None and _is_over(item, is_final=is_final):
            self._close(key)

    def runs(self, item_id: str, response_id: str | None, *, late: bool) -> None:
        """The arguments of a call are known, or the server has begun to make it."""
        self._announced(item_id, response_id, late=late)
        key = self._key(item_id)
        if key is not None:
            self._open[key].is_running = True

    def ended(self, item_id: str, response_id: str | None, *, late: bool) -> None:
        """A call has worked, or it has not. One that nothing was said of before asks for nothing,
        unless a response is active that may have made it."""
        if late and self._key(item_id) is None:
            return
        self._announced(item_id, response_id, late=late)
        key = self._key(item_id)
        if key is not None:
            self._close(key)

    def time_out(self, call_id: str) -> None:
        """The server has not told of the end of a call: go on without it."""
        call = self._open.get(call_id)
        if call is None or not call.is_approved:
            return
        what = f"the call of {call.name}" if call.name else "a call"
        self.outbox.publish_error(
            GIVEN_UP,
            f"the server has not told within {self.timeout:g} s how {what} ended, which it"
            " makes by itself: it is not waited for any longer",
            response_id=call.response_id,
            source="mcp",
        )
        self._close(call_id)

    def cut_off(self, response_id: str | None) -> None:
        """A response was interrupted, or failed. What had not begun of it will not."""
        for key, call in tuple(self._open.items()):
            if call.response_id == response_id and not call.is_running:
                self.rounds.answered(response_id, hosted_timer(key))
                self._forget(key)

    def ignored(self, item_id: str | None) -> None:
        """A call is beside the conversation: who asked for it sees to it."""
        if item_id is not None:
            self._closed.add(item_id)

    def went_down(self) -> None:
        """The connection is lost, and with it what the server was doing by itself."""
        for key, call in tuple(self._open.items()):
            self.rounds.answered(call.response_id, hosted_timer(key))
            self._forget(key)

    def lost(self) -> None:
        """The connection is gone, and nothing comes of the calls any more."""
        for key in tuple(self._open):
            self._forget(key)

    def moved(self) -> None:
        """Another connection is in use: ids may come again."""
        self._closed.clear()

    def not_listed(self, item: Item | None, now: float) -> None:
        """Report an MCP server whose tools the model can't be offered."""
        label = item.server_label if isinstance(item, McpListToolsItem) else ""
        what = f"the MCP server {label!r}" if label else "an MCP server"
        self.reports.report(
            f"mcp_list_tools.failed: {label}",
            f"the server could not get the tools of {what}: the model can't call any of them. Look"
            " at its URL and its authorization, and whether it can be reached from outside",
            now,
            type="mcp_list_tools_failed",
            source="mcp",
        )

    def _announced(
        self,
        item_id: str,
        response_id: str | None,
        *,
        late: bool,
        item: McpCallItem | None = None,
    ) -> None:
        """Open a call that was not known. One that was approved has been known by its request."""
        if self._key(item_id) is not None or item_id in self._closed:
            return
        request_id = None if item is None else self._request_of(item)
        if request_id is not None:
            self._open[request_id].item_id = item_id
            return
        call = _Hosted(response_id=response_id, item_id=item_id)
        if item is not None:
            call.server_label, call.name = item.server_label, item.name
        self._begin(item_id, call, late=late)
        self._limit(item_id)

    def _request_of(self, item: McpCallItem) -> str | None:
        """The request for a call, once it is approved: not every server names it."""
        approved = {key: call for key, call in self._open.items() if call.is_approved}
        if item.approval_request_id in approved:
            return item.approval_request_id
        of_its_kind = (
            key
            for key, call in approved.items()
            if call.item_id is None
            and (call.server_label, call.name) == (item.server_label, item.name)
        )
        return next(of_its_kind, None)

    def _begin(self, key: str, call: _Hosted, *, late: bool) -> None:
        self._open[key] = call
        self.rounds.called(call.response_id, hosted_timer(key), late=late)

    def _key(self, item_id: str) -> str | None:
        if item_id in self._open:
            return item_id
        of_item = (key for key, call in self._open.items() if call.item_id == item_id)
        return next(of_item, None)

    def _limit(self, key: str) -> None:
        self.outbox.set_timer(hosted_timer(key), self.timeout)

    def _close(self, key: str) -> None:
        response_id, timer = self._open[key].response_id, hosted_timer(key)
        self.rounds.answered(response_id, timer, f"hosted {key}", is_there=True)
        self._forget(key)

    def _forget(self, key: str) -> None:
        call = self._open.pop(key)
        self._closed.add_all((key, call.item_id or key))
        if call.is_approved:
            self.outbox.cancel_timer(hosted_timer(key))


def _is_over(item: McpCallItem, *, is_final: bool) -> bool:
    """Whether an item tells how its call ended."""
    if item.output is not None or item.error is not None:
        return True
    return item.status in ("failed", "incomplete") or (is_final and item.status == "completed")
