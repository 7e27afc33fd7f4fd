"""A model server that leaves things out: events and members, one by one.

The protocol calls many members optional, and servers that speak nearly the protocol leave out
more. Here the embedded server's half speaks as it always does, and on the way to the client an
event is dropped, repeated or late, a member is missing or null. What the client does then is held
to what can still be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from attrs import define, field, frozen

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.core.contract import Phase
from realtime_actors.core.messages import TimerFired
from realtime_actors.items import FunctionCallItem, Item, MessageItem
from realtime_actors.server import server_messages
from tests.core.joined import ALLOWED_ERRORS, SILENCE, World
from tests.core.machine import words

__all__ = ["Change", "SparseWorld", "Switch", "merge"]

Change: TypeAlias = Literal["missing", "null", "dropped", "twice", "late"]


DECIDES: Final = frozenset(
    {"instructions", "voice", "turn_detection", "transcription", "input_audio_transcription"}
)
"""Settings by which a session is told what the server does."""


NEEDED: Final = frozenset(
    {
        *("arguments", "call_id", "delta", "error", "item", "item_id", "message", "name", "part"),
        *("response", "response_id", "role", "session", "text", "transcript", "type"),
    }
)
NEEDED_INSIDE: Final = frozenset(
    {("item", "content"), ("item", "id"), ("response", "id"), ("response", "output")}
)
"""What says what an event is about, or is all that it is for."""

LONGEST: Final = 40.0
"""Seconds after which the end of a response is not waited for any more."""

TOO_FAST: Final = "decimal_above_max_value"

REFUSED: Final = ALLOWED_ERRORS | {
    TOO_FAST,
    # Items that the server has not named are edited by a name that is ours.
    "item_retrieve_invalid_item_id",
    "unsupported_content_type",
}


@frozen
class Switch:
    """One thing that a server does otherwise, whenever it could."""

    change: Change
    kind: str
    """The type of the events that it is about."""
    path: tuple[str, ...] = ()
    """The member; () for the whole event."""

    @property
    def is_optional(self) -> bool:
        """Whether it is about a member that a server can do without."""
        if not self.path:
            return False
        return self.path == ("error", "type") or not (
            self.path[-1] in NEEDED or self.path[-2:] in NEEDED_INSIDE
        )

    @property
    def is_handed_on(self) -> bool:
        """Whether it is about a member by which nothing is decided."""
        if self.kind == "session.created" or self.path[:1] == ("rate_limits",):
            return bool(self.path)
        if self.path[:1] == ("session",):
            return not {*self.path} & DECIDES
        names = {*self.path[:-1]} & {"audio", "usage"} or {*self.path[-1:]} & {"event_id", "object"}
        return bool(names) and self.path[0] != "error"

    def __str__(self) -> str:
        return f"{'.'.join((self.kind, *self.path))} {self.change}"

    def apply(self, event: dict[str, Any]) -> None:
        """Take the member out, or make it null."""
        holder: Any = event
        for name in self.path[:-1]:
            holder = holder.get(name) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and self.path[-1] in holder:
            if self.change == "null":
                holder[self.path[-1]] = None
            else:
                del holder[self.path[-1]]


@define(kw_only=True)
class SparseWorld(World):
    """A world whose server leaves out, nulls, repeats or delays what the switches say."""

    switches: tuple[Switch, ...] = ()
    seen: dict[str, dict[str, Any]] = field(factory=dict)
    """An event of each type that the server has sent, with all members that any had."""
    late: list[bytes] = field(factory=list)
    said: dict[str, str] = field(factory=dict)
    """What the model said, by item, as the server has it."""
    ended: list[str] = field(factory=list)
    """How the responses of the conversation ended."""
    told_calls: set[str] = field(factory=set)
    """Calls that the client was told of as a whole."""
    cut: set[str] = field(factory=set)
    """Items of which not all was heard."""

    def carry(self, said: bytes) -> None:
        event = json.loads(said)
        kind = event["type"]
        merge(self.seen.setdefault(kind, {}), event)
        changes = [each for each in self.switches if each.kind == kind]
        if self.client.phase is Phase.CONFIGURING and kind == "session.updated":
            changes = [each for each in changes if len(each.path) > 1]  # or nothing begins at all
        for each in changes:
            if each.path:
                each.apply(event)
        whole = {each.change for each in changes if not each.path}
        if "dropped" in whole:
            return
        data = json.dumps(event).encode()
        self._told_of(self._dialect.decode_server(data))
        if "late" in whole:
            self.late.append(data)
            return
        self.to_client.append(data)
        if "twice" in whole:
            self.to_client.append(data)
        # What is late comes after the next event of another type.
        self.to_client.extend(self.late)
        self.late.clear()

    def _note(self, event: wire.ServerEvent) -> None:
        super()._note(event)
        match event:
            case wire.ResponseOutputItemDone(item=MessageItem(id=str(item_id)) as item):
                if event.response_id not in self.out_of_band:
                    self.said[item_id] = words(item)
            case wire.ConversationItemTruncated(item_id=item_id):
                self.cut.add(item_id)
            case wire.ResponseDone(response=response) if response.id not in self.out_of_band:
                self.ended.append(str(response.status))
            case wire.ConversationItemDeleted(item_id=item_id):
                self.said.pop(item_id, None)

    def _told_of(self, event: wire.ServerEvent) -> None:
        """Keep the calls of which the client learns all that it needs."""
        match event:
            case wire.ResponseFunctionCallArgumentsDone(call_id=str(call_id), arguments="{}"):
                if event.response_id and event.response_id not in self.out_of_band:
                    self.told_calls.add(call_id)
            case wire.ResponseOutputItemDone(item=item):
                self._told_of_items(event.response_id, item)
            case wire.ResponseDone(response=response) if response.id is not None:
                self._told_of_items(response.id, *response.output)

    def _told_of_items(self, response_id: str | None, *items: Item) -> None:
        for item in items:
            if not isinstance(item, FunctionCallItem) or item.status not in ("completed", None):
                continue
            if response_id not in self.out_of_band and item.call_id is not None:
                self.told_calls.add(item.call_id)

    # --- what a story is made of ------------------------------------------------------------

    def flow(self) -> None:
        """Let everything arrive."""
        while self.to_server or self.to_client or self.late:
            self.to_client.extend(self.late)
            self.late.clear()
            self.server_reads(7)
            self.client_reads(7)

    def say(self, text: str = "Hello!") -> None:
        self.ask(messages.SendMessage(text))
        self.flow()

    def speaks(self, *pieces: str) -> None:
        """The model says something."""
        for response_id in list(self.generations)[-1:]:
            for piece in pieces:
                self.serve(server_messages.GenerationText(response_id, piece))
                self.serve(server_messages.GenerationAudio(response_id, SILENCE))
        self.flow()

    def calls_tools(self, *names: str) -> None:
        """The model calls tools, all in one response."""
        for response_id in list(self.generations)[-1:]:
            for index, name in enumerate(names):
                call = server_messages.GenerationToolCall(
                    response_id=response_id, index=index, name=name, arguments="{}"
                )
                self.serve(call)
        self.flow()

    def ends(self) -> None:
        """The model has said all."""
        for response_id in list(self.generations)[-1:]:
            self.end_of_answer(response_id)
        self.flow()

    def fails(self) -> None:
        for response_id in list(self.generations)[-1:]:
            del self.generations[response_id]
            failed = server_messages.GenerationFailed(response_id=response_id, message="no")
            self.serve(failed)
        self.flow()

    def passes(self, seconds: float) -> None:
        """Let time pass, and what was set for it happen."""
        until = self.now + seconds
        while due := [key for key, at in self.client_timers.items() if at <= until]:
            key = min(due, key=lambda each: self.client_timers[each])
            self.now = max(self.now, self.client_timers.pop(key))
            self.tell(TimerFired(key))
            self.flow()
        self.now = until

    def user_talks(self) -> None:
        """The user begins to speak, or stops."""
        self.turn(20)
        self.flow()

    def user_is_understood(self) -> None:
        while self.recognitions:
            self.words(0)
        self.flow()

    def tools_finish(self) -> None:
        while self.tasks:
            self.task(1)
        self.flow()

    def _fire_next_timer(self) -> bool:
        if self.late:  # nothing follows that it could be later than
            self.flow()
            return True
        return super()._fire_next_timer()

    # --- what must hold, whatever is left out ----------------------------------------------

    def check_at_rest(self) -> None:
        self.refusals = [error for error in self.refusals if error.code != TOO_FAST]
        super().check_at_rest()

    def touches(self, *parts: str) -> bool:
        """Whether a switch is about one of these types, or members of them."""
        names = [str(each).rpartition(" ")[0] for each in self.switches]
        return any(name.startswith(part) for name in names for part in parts)

    def check(self) -> None:
        """Check all that can still be right."""
        self._check_that_all_ended()
        self._check_wishes()
        if self.out_of_band and self.touches("response.created"):
            return  # it can't be known which response is out of band
        self._check_calls()
        self._check_history()
        self._check_turns()

    def _check_that_all_ended(self) -> None:
        watch = self.watch
        assert watch.answered == watch.asking, "a caller waits"
        assert watch.finished == watch.begun, "a turn without an end"
        assert watch.ended == watch.started, "a call without an end"
        assert not watch.unapproved, "an approval is waited for"
        assert self.now <= LONGEST * (1 + self.log.count("response")), f"it took {self.now:g} s"

    def _check_calls(self) -> None:
        assert set(self.outputs) >= self.told_calls, "a call without an answer"
        assert set(self.outputs) <= self.calls, "an answer to no call"
        assert all(count == 1 for count in self.outputs.values()), "answered twice"
        assert {error.code for error in self.refusals} <= REFUSED, self.refusals

    def _check_wishes(self) -> None:
        if not self.touches("error", "response.created"):
            assert all(self.answered[name] == 1 for name in self.wishes), self.answered
        before = self.log.count("response")
        self.say("Are you still there?")
        self.settle()
        assert self.log.count("response") > before, "the last wish is not granted"

    def _check_history(self) -> None:
        known = {item.id: words(item) for item in self.client.history}
        if not self.touches("conversation.item", "response.output_item"):
            assert list(known) == self.order
        for item_id, said in self.said.items():
            if item_id not in self.cut:
                assert known.get(item_id) == said, f"{item_id}: {known.get(item_id)} for {said}"

    def _check_turns(self) -> None:
        if not self.touches("response.done"):
            ends = [end.status for end in self.published(events.AgentEndEvent)]
            assert ends == self.ended, f"{ends} for {self.ended}"


def merge(known: dict[str, Any], event: Mapping[str, Any]) -> None:
    """Add the members of an event that are not known yet."""
    for name, value in event.items():
        if isinstance(value, dict):
            inner = known.setdefault(name, {})
            if isinstance(inner, dict):
                merge(inner, value)
        else:
            known.setdefault(name, value)
