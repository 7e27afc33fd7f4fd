"""Calls that the server makes by itself: each is spoken of, and none is waited for for ever."""

from __future__ import annotations

import itertools

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.core.effects import CancelTimer, SetTimer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ConnectionLost, TimerFired
from realtime_actors.core.tools.hosted_calls import HOSTED_WITHIN, hosted_timer
from realtime_actors.events import AgentEndEvent, ErrorEvent, RawModelEvent
from realtime_actors.items import (
    Item,
    McpApprovalRequestItem,
    McpCallItem,
    McpListToolsItem,
)
from realtime_actors.tools import HostedMcpTool
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    agent_with,
    ask,
    called,
    created,
    creates,
    done,
    finished,
    item_done,
    live,
    only,
    output_added,
    output_done,
    play,
    sent_types,
)

MCP = HostedMcpTool(server_label="docs", server_url="https://docs.example/mcp")
LIBRARIAN = agent_with("weather").clone(tools=[*agent_with("weather").tools, MCP])
REQUEST = McpApprovalRequestItem(id="q1", server_label="docs", name="search", arguments="{}")


def mcp_call(item_id: str = "m1", **members) -> McpCallItem:
    return McpCallItem(id=item_id, server_label="docs", name="search", arguments="{}", **members)


FOUND = mcp_call(output="found")
NOT_FOUND = mcp_call(error={"type": "http_error", "code": 500, "message": "no"})


def arguments(item_id: str = "m1", response_id: str = "r1") -> wire.ResponseMcpCallArgumentsDone:
    return wire.ResponseMcpCallArgumentsDone(
        response_id=response_id, item_id=item_id, arguments="{}"
    )


def runs(item_id: str = "m1") -> wire.ResponseMcpCallInProgress:
    return wire.ResponseMcpCallInProgress(item_id=item_id)


def worked(item_id: str = "m1") -> wire.ResponseMcpCallCompleted:
    return wire.ResponseMcpCallCompleted(item_id=item_id)


def failed(item_id: str = "m1") -> wire.ResponseMcpCallFailed:
    return wire.ResponseMcpCallFailed(item_id=item_id)


def out_of_time(call_id: str = "m1") -> TimerFired:
    return TimerFired(hosted_timer(call_id))


def librarian(**options) -> SessionMachine:
    return after(live(LIBRARIAN, **{"tool_timeout": 60.0, **options}), created("r1"))


def finals(effects) -> list[bool]:
    return [end.final for end in only(AgentEndEvent, effects)]


def speaks(machine: SessionMachine, response_id: str = "r2") -> list[bool]:
    """Let the model speak; give whether that was the end of the turn."""
    return finals(play(machine, created(response_id), done(response_id)))


WAYS_TO_END = [worked(), failed(), output_done(FOUND), item_done(FOUND), output_done(NOT_FOUND)]


@pytest.mark.parametrize("end", WAYS_TO_END)
@pytest.mark.parametrize("in_time", [True, False])
def test_after_a_call_of_the_servers_the_model_is_asked_to_speak_of_it(end, in_time) -> None:
    machine = after(librarian(), output_added(mcp_call()), arguments(), runs())
    over = done("r1", "completed", mcp_call())

    effects = play(machine, *((end, over) if in_time else (over, end)))

    assert finals(effects) == [False]
    assert creates(effects) == 1
    assert speaks(machine) == [True]


@pytest.mark.parametrize(
    "order",
    list(itertools.permutations([worked(), output_done(FOUND), item_done(FOUND), done("r1")])),
)
def test_it_is_asked_once_whatever_tells_of_the_end_in_whatever_order(order) -> None:
    machine = after(librarian(), output_added(mcp_call()), added(mcp_call()), runs())

    effects = play(machine, *order, *order)

    assert creates(effects) == 1


@pytest.mark.parametrize(
    "only_told_by",
    [
        [done("r1", "completed", FOUND)],
        [output_done(FOUND), done("r1")],
        [item_done(FOUND), done("r1")],
        [runs(), done("r1"), worked()],
        [worked(), done("r1")],
        [done("r1"), item_done(mcp_call(status="completed"))],
        [done("r1"), output_done(mcp_call(status="failed"))],
    ],
)
def test_a_server_may_say_little_of_it(only_told_by) -> None:
    machine = librarian()

    effects = play(machine, *only_told_by)

    assert creates(effects) == 1
    assert speaks(machine) == [True]


def test_an_item_that_is_done_before_the_call_was_made_is_not_its_end() -> None:
    machine = after(librarian(), output_added(mcp_call()), output_done(mcp_call()))

    assert creates(machine.handle(done("r1", "completed", mcp_call()), 0.0)) == 0
    assert creates(machine.handle(worked(), 0.0)) == 1


def test_calls_of_both_kinds_in_one_response_are_spoken_of_together() -> None:
    machine = after(librarian(), called("c1"), output_added(mcp_call("m1")))
    after(machine, output_added(mcp_call("m2")), done("r1"))

    steps: list[AnyMessage] = [worked("m2"), finished("c1"), worked("m1")]

    assert [creates(machine.handle(step, 0.0)) for step in steps] == [0, 0, 1]


def test_a_round_of_them_is_a_round() -> None:
    machine = librarian(max_tool_rounds_per_turn=1)

    effects = play(machine, output_done(FOUND), done("r1"))

    assert [event.error.type for event in only(ErrorEvent, effects)] == ["too_many_tool_rounds"]


def test_a_call_beside_the_conversation_is_the_business_of_who_asked() -> None:
    machine = live(LIBRARIAN, tool_timeout=60.0)
    after(machine, ask(messages.CreateResponse(conversation="none", metadata={"a": "b"})))
    after(machine, created("r1", conversation_id=None, metadata={"a": "b"}))

    effects = play(
        machine, output_added(mcp_call()), arguments(), runs(), worked(), output_done(FOUND)
    )

    assert only(SetTimer, effects) == []
    assert creates(play(machine, done("r1", conversation_id=None))) == 0


class TestTime:
    def test_a_call_whose_end_is_never_told_is_given_up(self) -> None:
        machine = librarian()
        assert only(SetTimer, play(machine, output_added(mcp_call()), runs())) == [
            SetTimer(hosted_timer("m1"), 60.0)
        ]
        after(machine, done("r1"))

        effects = machine.handle(out_of_time(), 60.0)

        assert [(each.error.type, each.source) for each in only(ErrorEvent, effects)] == [
            ("hosted_call_timeout", "mcp")
        ]
        assert creates(effects) == 1
        assert speaks(machine) == [True]

    @pytest.mark.parametrize("late", [worked(), failed(), runs(), item_done(FOUND), out_of_time()])
    def test_what_comes_of_it_then_asks_for_nothing(self, late) -> None:
        machine = after(librarian(), output_added(mcp_call()), done("r1"), out_of_time())
        speaks(machine)

        assert creates(machine.handle(late, 70.0)) == 0
        assert speaks(machine, "r3") == [True]

    def test_the_limit_ends_with_the_call(self) -> None:
        machine = after(librarian(), output_added(mcp_call()))

        assert CancelTimer(hosted_timer("m1")) in machine.handle(worked(), 0.0)

    def test_without_a_limit_for_tools_there_is_one_for_these(self) -> None:
        machine = librarian(tool_timeout=None)

        assert only(SetTimer, play(machine, output_added(mcp_call()), runs())) == [
            SetTimer(hosted_timer("m1"), HOSTED_WITHIN)
        ]

    def test_a_lost_connection_ends_them(self) -> None:
        machine = after(librarian(), output_added(mcp_call()))

        effects = play(machine, ConnectionLost(code=1006), out_of_time())

        assert CancelTimer(hosted_timer("m1")) in effects
        assert only(ErrorEvent, effects)[1:] == []


class TestInterrupted:
    @pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete"])
    def test_a_call_whose_arguments_were_cut_off_is_never_made(self, status) -> None:
        machine = after(librarian(), output_added(mcp_call()))

        effects = machine.handle(done("r1", status), 0.0)

        assert creates(effects) == 0
        assert finals(effects) == [True]

    def test_a_call_that_runs_goes_on(self) -> None:
        machine = after(librarian(), output_added(mcp_call()), arguments())

        assert finals(machine.handle(done("r1", "cancelled"), 0.0)) == [False]


class TestApproval:
    """A request, its answer, the call."""

    def asked(self) -> SessionMachine:
        machine = librarian(approval_timeout=60.0)
        return after(machine, output_done(REQUEST), done("r1", "completed", REQUEST))

    def test_once_approved_the_call_is_waited_for_and_spoken_of(self) -> None:
        machine = self.asked()
        effects = machine.handle(ask(messages.Approve("q1")), 0.0)
        assert sent_types(effects) == ["conversation.item.create"]
        assert only(SetTimer, effects) == [SetTimer(hosted_timer("q1"), 60.0)]

        after(machine, added(mcp_call(approval_request_id="q1")), runs())

        assert creates(machine.handle(worked(), 0.0)) == 1
        assert speaks(machine) == [True]

    def test_a_call_that_does_not_name_its_request_is_known_by_what_it_calls(self) -> None:
        machine = after(self.asked(), ask(messages.Approve("q1")))

        effects = play(machine, added(mcp_call()), runs(), item_done(FOUND), worked())

        assert creates(effects) == 1
        assert speaks(machine) == [True]

    def test_a_call_in_a_response_of_the_servers_own_is_spoken_of_once(self) -> None:
        machine = after(self.asked(), ask(messages.Approve("q1")), created("r2"))
        call = mcp_call(approval_request_id="q1", output="found")

        effects = play(machine, output_done(call, "r2"), done("r2", "completed", call))

        assert creates(effects) == 1

    def test_once_rejected_the_model_is_asked_to_say_so(self) -> None:
        machine = self.asked()

        effects = machine.handle(ask(messages.Reject("q1")), 0.0)

        assert sent_types(effects) == ["conversation.item.create", "response.create"]
        assert speaks(machine) == [True]

    def test_while_nobody_has_answered_nothing_is_asked_for(self) -> None:
        machine = librarian(approval_timeout=60.0)

        effects = play(machine, output_done(REQUEST), done("r1"))

        assert (creates(effects), finals(effects)) == (0, [False])

    def test_a_call_that_never_comes_is_given_up(self) -> None:
        machine = after(self.asked(), ask(messages.Approve("q1")))

        effects = machine.handle(out_of_time("q1"), 60.0)

        assert [each.error.message.split(",")[0] for each in only(ErrorEvent, effects)] == [
            "the server has not told within 60 s how the call of search ended"
        ]
        assert creates(effects) == 1

    def test_an_interruption_leaves_the_question_open(self) -> None:
        machine = after(librarian(), output_done(REQUEST), done("r1", "cancelled"))

        assert creates(machine.handle(ask(messages.Reject("q1")), 0.0)) == 1


class TestListsOfTools:
    def told(self, item: Item | None = None):
        machine = live(Agent(name="Librarian", tools=[MCP]))
        if item is not None:
            after(machine, added(item))
        return machine.handle(wire.McpListToolsFailed(item_id="l1"), 0.0)

    def test_one_that_could_not_be_had_is_an_error(self) -> None:
        effects = self.told(McpListToolsItem(id="l1", server_label="docs"))

        (event,) = only(ErrorEvent, effects)
        assert (event.error.type, event.source) == ("mcp_list_tools_failed", "mcp")
        assert "the MCP server 'docs'" in event.error.message
        assert len(only(RawModelEvent, effects)) == 1

    def test_it_is_one_too_where_nothing_says_whose_it_was(self) -> None:
        (event,) = only(ErrorEvent, self.told())

        assert "an MCP server" in event.error.message
