"""Calls that somebody has to approve, and calls that a guardrail stops."""

from __future__ import annotations

import itertools
from typing import cast

import pytest
from attrs import evolve

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import ToolTexts
from realtime_actors.core.effects import (
    Answer,
    CancelTimer,
    Publish,
    Refuse,
    RunTool,
    Send,
    SetTimer,
)
from realtime_actors.core.messages import (
    ApprovalNeeded,
    ConnectionLost,
    TimerFired,
    ToolRefused,
)
from realtime_actors.core.tools.approvals import approval_timer
from realtime_actors.core.tools.tool_calls import tool_timer
from realtime_actors.errors import ConfigError, LocalProtocolError, SessionClosedError
from realtime_actors.events import (
    AgentEndEvent,
    GuardrailTrippedEvent,
    ToolApprovalRequiredEvent,
    ToolEndEvent,
)
from realtime_actors.items import McpApprovalRequestItem, McpApprovalResponseItem
from realtime_actors.tools import HostedMcpTool, Tool
from tests.core.machine import (
    after,
    agent_with,
    answers,
    ask,
    called,
    created,
    creates,
    done,
    finished,
    interrupt,
    item_done,
    live,
    only,
    output_done,
    play,
    sent,
)

AGENT = agent_with("pay", "look")
PAY = cast(Tool, AGENT.find_tool("pay"))
MCP = HostedMcpTool(server_label="bank", server_url="https://bank.example/mcp")
BANKER = Agent(name="Banker", tools=[MCP])
REQUEST = McpApprovalRequestItem(
    id="m1", server_label="bank", name="transfer", arguments='{"to": "Ada"}'
)


def test_a_rejection_is_told_in_the_words_of_the_run() -> None:
    texts = ToolTexts(rejected="{tool} is not for you: {reason}")
    machine = after(live(AGENT, tool_texts=texts), created("r1"), called("c1", "pay"))
    after(machine, ApprovalNeeded("c1"))

    effects = machine.handle(ask(messages.Reject("c1", reason="too much")), now=0.0)

    assert [(event.output, event.error) for event in only(ToolEndEvent, effects)] == [
        ("pay is not for you: too much", "Error: the call of pay was not approved: too much")
    ]


def approve(call_id: str = "c1"):
    return ask(messages.Approve(call_id))


def reject(call_id: str = "c1", reason: str | None = None):
    return ask(messages.Reject(call_id, reason=reason))


def out_of_time(call_id: str = "c1") -> TimerFired:
    return TimerFired(approval_timer(call_id))


def waiting(**options):
    """A machine with a call that waits for approval."""
    machine = live(AGENT, approval_timeout=60.0, **options)
    return after(machine, created("r1"), called("c1", "pay"), ApprovalNeeded("c1"))


def runs(effects) -> list[tuple[str, bool]]:
    return [(run.call_id, run.approved) for run in only(RunTool, effects)]


def outcomes(effects) -> list[str | None]:
    return [event.error for event in only(ToolEndEvent, effects)]


def test_a_call_that_needs_approval_is_announced_and_waits() -> None:
    machine = after(live(AGENT, approval_timeout=60.0), created("r1"), called("c1", "pay"))

    assert machine.handle(ApprovalNeeded("c1"), now=0.0) == [
        CancelTimer(tool_timer("c1")),
        Publish(
            ToolApprovalRequiredEvent(
                agent=AGENT, tool=PAY, name="pay", call_id="c1", arguments="{}"
            )
        ),
        SetTimer(approval_timer("c1"), 60.0),
    ]


def test_once_approved_it_runs() -> None:
    machine = waiting(tool_timeout=5.0)

    effects = machine.handle(approve(), now=0.0)

    assert effects[:2] == [CancelTimer(approval_timer("c1")), Answer("caller")]
    assert runs(effects) == [("c1", True)]
    assert only(SetTimer, effects) == [SetTimer(tool_timer("c1"), 5.0)]
    assert creates(play(machine, finished("c1"), done("r1"))) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reject(), "Error: the call of pay was not approved"),
        (reject(reason="too much"), "Error: the call of pay was not approved: too much"),
        (
            out_of_time(),
            "Error: the call of pay was not approved: nobody answered within 60 s",
        ),
    ],
)
def test_once_rejected_the_model_is_told(answer, why) -> None:
    machine = after(waiting(), done("r1"))

    effects = machine.handle(answer, now=0.0)

    assert outcomes(effects) == [why]
    assert [event.item.output for event in sent(effects)[:1]] == [why]
    assert creates(effects) == 1


@pytest.mark.parametrize(
    "order", list(itertools.permutations([approve(), reject(), out_of_time(), finished("c1")]))
)
def test_whatever_comes_in_whatever_order_there_is_one_outcome(order) -> None:
    machine = waiting()

    effects = play(machine, *order, finished("c1"), done("r1"))

    assert len(outcomes(effects)) == 1
    assert creates(effects) == 1


def test_a_call_that_waits_for_approval_holds_up_no_other() -> None:
    machine = waiting(max_concurrency=1)

    assert runs(play(machine, called("c2", "look"))) == [("c2", False)]
    # And once it is approved, it waits for its turn like any other.
    assert runs(machine.handle(approve(), now=0.0)) == []
    assert runs(machine.handle(finished("c2"), now=0.0)) == [("c1", True)]


def test_the_turn_is_not_over_while_a_call_waits() -> None:
    (end,) = only(AgentEndEvent, waiting().handle(done("r1"), now=0.0))

    assert not end.final


@pytest.mark.parametrize("approves", [True, False])
def test_who_says_always_is_not_asked_again(approves) -> None:
    said = messages.Approve("c1", always=True)
    machine = waiting(tool_timeout=5.0)
    after(machine, ask(said if approves else messages.Reject("c1", reason="no", always=True)))
    after(machine, finished("c1"), done("r1"), created("r2"), called("c2", "pay"))

    effects = machine.handle(ApprovalNeeded("c2"), now=0.0)

    assert only(ToolApprovalRequiredEvent, effects) == []
    if approves:
        assert runs(effects) == [("c2", True)]
    else:
        why = "calls of this tool are always rejected"
        assert outcomes(effects) == [f"Error: the call of pay was not approved: {why}"]


def test_always_is_said_of_one_tool_and_the_last_word_counts() -> None:
    machine = after(waiting(), ask(messages.Approve("c1", always=True)), called("c2", "look"))
    (asked,) = only(ToolApprovalRequiredEvent, machine.handle(ApprovalNeeded("c2"), now=0.0))
    assert asked.name == "look"

    after(machine, ask(messages.Reject("c2", always=True)))
    after(machine, called("c3", "look"), called("c4", "pay"))
    effects = play(machine, ApprovalNeeded("c3"), ApprovalNeeded("c4"))

    assert len(outcomes(effects)) == 1
    assert runs(effects) == [("c4", True)]


def test_calls_that_wait_already_are_asked_about_all_the_same() -> None:
    machine = after(waiting(), called("c2", "pay"), ApprovalNeeded("c2"))

    assert runs(machine.handle(ask(messages.Approve("c1", always=True)), now=0.0)) == [("c1", True)]
    assert runs(machine.handle(approve("c2"), now=0.0)) == [("c2", True)]


def test_of_two_words_for_good_about_a_tool_the_last_one_counts() -> None:
    machine = after(waiting(), called("c2", "pay"), ApprovalNeeded("c2"))
    after(machine, ask(messages.Approve("c1", always=True)))
    after(machine, ask(messages.Reject("c2", always=True)), called("c3", "pay"))

    effects = machine.handle(ApprovalNeeded("c3"), now=0.0)

    assert runs(effects) == []
    assert len(outcomes(effects)) == 1


def test_nobody_answering_in_time_is_no_word_for_good() -> None:
    machine = after(waiting(), out_of_time(), called("c2", "pay"))

    effects = machine.handle(ApprovalNeeded("c2"), now=0.0)

    assert len(only(ToolApprovalRequiredEvent, effects)) == 1


@pytest.mark.parametrize("approves", [True, False])
def test_always_holds_for_a_tool_that_the_server_runs_as_well(approves) -> None:
    machine = after(live(BANKER), created("r1"), item_done(REQUEST))
    said = messages.Approve if approves else messages.Reject
    after(machine, ask(said("m1", always=True)))

    effects = play(machine, item_done(evolve(REQUEST, id="m2")))

    assert [event.item for event in sent(effects)] == [
        McpApprovalResponseItem(
            id="item_ra_3",
            approval_request_id="m2",
            approve=approves,
            reason=None if approves else "calls of this tool are always rejected",
        )
    ]
    (asked,) = only(
        ToolApprovalRequiredEvent, play(machine, item_done(evolve(REQUEST, id="m3", name="look")))
    )
    assert asked.name == "look"


def test_an_output_that_a_guardrail_withholds_is_not_told() -> None:
    machine = after(live(AGENT), created("r1"), called("c1", "look"))
    refused = ToolRefused(
        call_id="c1", guardrail="no_addresses", reason="an address", withheld="ada@example.com"
    )

    effects = machine.handle(refused, now=0.0)

    why = "Error: the guardrail 'no_addresses' withheld the output of look: an address"
    assert only(GuardrailTrippedEvent, effects) == [
        GuardrailTrippedEvent(
            guardrail="no_addresses",
            kind="tool_output",
            response_id="r1",
            call_id="c1",
            reason="an address",
            text="ada@example.com",
        )
    ]
    assert [event.item.output for event in sent(effects)] == [why]
    assert outcomes(effects) == [why]


def test_what_does_not_wait_can_be_neither_approved_nor_rejected() -> None:
    machine = after(waiting(), called("c2", "look"))

    for verb in (approve("c2"), reject("c2"), approve("c9"), reject("c9")):
        assert answers(machine.handle(verb, now=0.0)) == [LocalProtocolError]
    assert answers(play(machine, approve(), approve())) == [None, LocalProtocolError]


def test_a_rejection_that_can_not_be_put_into_words_leaves_the_call_as_it_was() -> None:
    machine = waiting(tool_texts=ToolTexts(rejected="{tool} is not for you: {reason}"))

    effects = machine.handle(reject(reason=cast(str, 5)), now=0.0)

    assert [type(effect) for effect in effects] == [Refuse]
    assert answers(effects) == [ConfigError]
    assert runs(machine.handle(approve(), now=0.0)) == [("c1", True)]


def test_a_need_that_is_found_too_late_is_dropped() -> None:
    machine = after(live(AGENT, tool_timeout=5.0), created("r1"), called("c1", "pay"))
    after(machine, TimerFired(tool_timer("c1")))

    assert machine.handle(ApprovalNeeded("c1"), now=6.0) == []


def test_the_end_of_the_session_ends_what_waits() -> None:
    machine = waiting()

    effects = machine.handle(ask(messages.Close()), now=0.0)

    assert outcomes(effects) == ["Error: the session was closed"]
    assert CancelTimer(approval_timer("c1")) in effects
    assert answers(machine.handle(approve(), now=0.0)) == [SessionClosedError]
    assert machine.handle(out_of_time(), now=0.0) == []


def test_a_call_of_a_response_that_is_stopped_is_not_asked_about_any_more() -> None:
    effects = waiting().handle(interrupt(), now=0.0)

    assert only(CancelTimer, effects)[0] == CancelTimer(approval_timer("c1"))
    why = "Error: pay was not run: the response that called it was interrupted"
    assert outcomes(effects) == [why]


def test_without_a_limit_it_waits_for_ever() -> None:
    machine = after(live(AGENT), created("r1"), called("c1", "pay"))

    assert only(SetTimer, machine.handle(ApprovalNeeded("c1"), now=0.0)) == []


class TestHostedTools:
    """Those of MCP servers, which the Realtime API calls itself."""

    def machine(self):
        return after(live(BANKER, approval_timeout=60.0), created("r1"))

    @pytest.mark.parametrize(
        "say",
        [
            output_done(REQUEST),
            item_done(REQUEST),
            done("r1", "completed", REQUEST),
        ],
    )
    def test_a_request_is_announced_once(self, say) -> None:
        machine = self.machine()

        effects = play(machine, say, output_done(REQUEST), item_done(REQUEST))

        assert only(ToolApprovalRequiredEvent, effects) == [
            ToolApprovalRequiredEvent(
                agent=BANKER,
                tool=MCP,
                name="transfer",
                call_id="m1",
                arguments='{"to": "Ada"}',
            )
        ]
        assert only(SetTimer, effects) == [SetTimer(approval_timer("m1"), 60.0)]

    @pytest.mark.parametrize(
        ("answer", "approved", "reason"),
        [
            (approve("m1"), True, None),
            (reject("m1", "too much"), False, "too much"),
            (out_of_time("m1"), False, "nobody answered within 60 s"),
        ],
    )
    def test_it_is_answered_by_an_item(self, answer, approved, reason) -> None:
        machine = after(self.machine(), output_done(REQUEST))

        effects = play(machine, answer)

        item = McpApprovalResponseItem(
            id="item_ra_2", approval_request_id="m1", approve=approved, reason=reason
        )
        assert only(Send, effects) == [
            Send(wire.ConversationItemCreate(event_id="approval_m1", item=item))
        ]
        assert CancelTimer(approval_timer("m1")) in effects
        assert only(Send, play(machine, out_of_time("m1"))) == []

    def test_the_turn_is_not_over_meanwhile(self) -> None:
        machine = after(self.machine(), output_done(REQUEST))

        assert [end.final for end in only(AgentEndEvent, play(machine, done("r1")))] == [False]

    def test_a_lost_connection_forgets_it(self) -> None:
        machine = after(self.machine(), output_done(REQUEST))

        effects = machine.handle(ConnectionLost(code=1006), now=0.0)

        assert CancelTimer(approval_timer("m1")) in effects
        assert only(Send, play(machine, out_of_time("m1"))) == []


def test_a_guardrail_that_trips_over_the_arguments_is_the_outcome() -> None:
    machine = after(live(AGENT), created("r1"), called("c1", "pay", '{"euros": 500}'), done("r1"))

    effects = machine.handle(
        ToolRefused(call_id="c1", guardrail="small_sums", reason="100 at most"), now=0.0
    )

    why = "Error: the guardrail 'small_sums' stopped the call of pay: 100 at most"
    assert effects[0] == Publish(
        GuardrailTrippedEvent(
            guardrail="small_sums",
            kind="tool",
            response_id="r1",
            call_id="c1",
            reason="100 at most",
            text='{"euros": 500}',
        )
    )
    assert outcomes(effects) == [why]
    assert creates(effects) == 1
    assert machine.handle(ToolRefused(call_id="c1", guardrail="small_sums"), now=0.0) == []
