"""Calls that wait for somebody's approval, and calls that a guardrail stops."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors import messages
from realtime_actors.errors import LocalProtocolError
from realtime_actors.events import (
    AgentEndEvent,
    GuardrailTrippedEvent,
    ToolApprovalRequiredEvent,
    ToolEndEvent,
)
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session import heavy
from tests.session.wire import call_done, item_done, response_created, response_done


def run(
    script: ScriptedTransport,
    *tools: ra.Tool | ra.HostedMcpTool,
    context: object = None,
    **config: object,
):
    return ra.run(
        ra.agent(tools=tools),
        transport=script,
        context=context,
        model_config={"url": "ws://127.0.0.1:1/"},
        config=config,
    )


def paying(paid: list[int], **options: Any) -> ra.Tool:
    @ra.tool(**options)
    def pay(euros: int) -> str:
        paid.append(euros)
        return f"paid {euros}"

    return pay


def call(script: ScriptedTransport, name: str = "pay", **arguments: object) -> None:
    script.emit(response_created(), call_done(name, json.dumps(arguments)), response_done())


@pytest.mark.parametrize("form", ["function", "method", "message"])
def test_a_call_runs_once_it_is_approved(form):
    paid: list[int] = []
    script = ScriptedTransport(strict=False)
    with run(script, paying(paid, needs_approval=True)) as session:
        probe = Probe(session)
        call(script, euros=5)

        asked = probe.wait_for(ToolApprovalRequiredEvent)
        assert (asked.name, json.loads(asked.arguments), paid) == ("pay", {"euros": 5}, [])
        match form:
            case "function":
                ra.approve(session, asked.call_id)
            case "method":
                session.approve(asked.call_id)
            case "message":
                session.ask(messages.Approve(asked.call_id))
        assert probe.wait_for(ToolEndEvent).output == "paid 5"
        script.wait_for("response.create")
        assert paid == [5]
        with pytest.raises(LocalProtocolError, match="waits for approval"):
            session.approve(asked.call_id)


@pytest.mark.parametrize("form", ["function", "method", "message", "proxy"])
@pytest.mark.parametrize("approves", [True, False])
def test_a_word_for_good_is_asked_for_once(form, approves):
    paid: list[int] = []
    script = ScriptedTransport(strict=False)
    with run(script, paying(paid, needs_approval=True)) as session:
        probe = Probe(session)
        call(script, euros=5)
        asked = probe.wait_for(ToolApprovalRequiredEvent)
        verb = "approve" if approves else "reject"
        match form:
            case "function":
                getattr(ra, verb)(session, asked.call_id, always=True)
            case "method":
                getattr(session, verb)(asked.call_id, always=True)
            case "message":
                session.ask(getattr(messages, verb.title())(asked.call_id, always=True))
            case "proxy":
                getattr(session.proxy(), verb)(asked.call_id, always=True).get()
        probe.wait_for(ToolEndEvent)
        script.emit(
            response_created("r2"), call_done("pay", '{"euros": 7}', call_id="c2", response_id="r2")
        )

        end = probe.wait_for(ToolEndEvent)
        assert end.output.startswith("paid 7" if approves else "Error: the call of pay was not")
        assert len(probe.all(ToolApprovalRequiredEvent)) == 1
        assert paid == ([5, 7] if approves else [])


@ra.tool_output_guardrail
def no_addresses(output: str, context: object, agent: ra.Agent) -> ra.GuardrailVerdict:
    return ra.GuardrailVerdict(tripped="@" in output, reason=f"an address, in {context}")


WITHHELD = (
    "Error: the guardrail 'no_addresses' withheld the output of look_up: an address, in call 17"
)


@ra.tool_output_guardrail
def undecided(output: str) -> None:
    """Judge nothing: the `return` is missing."""


@pytest.mark.parametrize(
    ("guardrails", "contact", "told"),
    [
        ([no_addresses], "ring twice", "ring twice"),
        (
            [no_addresses],
            "ada@example.com",
            WITHHELD,
        ),
        ([undecided], "ring twice", "Error: look_up failed"),
    ],
)
def test_a_guardrail_sees_what_a_tool_gives_back_before_the_model(guardrails, contact: str, told):
    @ra.tool(output_guardrails=guardrails)
    def look_up() -> str:
        return contact

    script = ScriptedTransport(strict=False)
    with run(script, look_up, context="call 17") as session:
        probe = Probe(session)
        call(script, "look_up")

        assert probe.wait_for(ToolEndEvent).output == told
        sent = script.wait_for("conversation.item.create")
        assert sent["item"]["output"] == told
        assert [event.text for event in probe.all(GuardrailTrippedEvent)] == (
            [contact] if "withheld" in told else []
        )


def test_a_call_that_is_rejected_never_runs():
    paid: list[int] = []
    script = ScriptedTransport(strict=False)
    with run(script, paying(paid, needs_approval=True)) as session:
        probe = Probe(session)
        call(script, euros=5)
        ra.reject(session, probe.wait_for(ToolApprovalRequiredEvent).call_id, reason="no money")

        assert probe.wait_for(ToolEndEvent).output.endswith("was not approved: no money")
        script.wait_for("response.create")
        assert paid == []


def test_a_call_that_nobody_answers_is_rejected():
    script = ScriptedTransport(strict=False)
    with run(script, paying([], needs_approval=True), approval_timeout=0.1) as session:
        probe = Probe(session)
        call(script, euros=5)

        assert probe.wait_for(ToolEndEvent).output.endswith("nobody answered within 0.1 s")


def test_a_function_says_which_calls_need_approval():
    paid: list[int] = []
    script = ScriptedTransport(strict=False)
    pay = paying(paid, needs_approval=lambda context, arguments: arguments["euros"] > context)
    with run(script, pay, context=100) as session:
        probe = Probe(session)
        call(script, euros=100)
        assert probe.wait_for(ToolEndEvent).output == "paid 100"
        assert probe.all(ToolApprovalRequiredEvent) == []
        script.emit(response_created("r2"))
        script.emit(call_done("pay", '{"euros": 101}', call_id="c2", response_id="r2"))
        assert probe.wait_for(ToolApprovalRequiredEvent).call_id == "c2"
        assert paid == [100]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"euros": "many"}, "Error: Wrong arguments"), ({"euros": 0}, "Error: ")],
)
def test_nobody_is_asked_about_a_call_that_cannot_run(arguments, said):
    def ask(context: object, values: dict[str, int]) -> bool:
        return bool(1 / values["euros"])

    script = ScriptedTransport(strict=False)
    with run(script, paying([], needs_approval=ask)) as session:
        probe = Probe(session)
        call(script, **arguments)

        assert probe.wait_for(ToolEndEvent).output.startswith(said)
        assert probe.all(ToolApprovalRequiredEvent) == []


def test_a_tool_in_a_process_can_need_approval_too():
    add = ra.tool(run_in="process", needs_approval=True)(heavy.subtract)
    script = ScriptedTransport(strict=False)
    with run(script, add) as session:
        probe = Probe(session)
        call(script, "subtract", one=3, other=1)
        session.approve(probe.wait_for(ToolApprovalRequiredEvent).call_id)

        assert probe.wait_for(ToolEndEvent, timeout=20).output == "2"


def test_a_hosted_tool_is_approved_by_an_item():
    bank = ra.HostedMcpTool(server_label="bank", server_url="https://bank.example/mcp")
    request = {
        "id": "m1",
        "type": "mcp_approval_request",
        "server_label": "bank",
        "name": "transfer",
        "arguments": "{}",
    }
    script = ScriptedTransport(strict=False)
    with run(script, bank) as session:
        probe = Probe(session)
        script.emit(
            response_created(), item_done(request), response_done("r1", "completed", request)
        )

        asked = probe.wait_for(ToolApprovalRequiredEvent)
        assert (asked.tool, asked.name) == (bank, "transfer")
        assert not probe.wait_for(AgentEndEvent).final
        session.approve(asked.call_id)
        item = script.wait_for("conversation.item.create")["item"]
        assert item == {
            "id": item["id"],
            "type": "mcp_approval_response",
            "approval_request_id": "m1",
            "approve": True,
        }


@ra.tool_guardrail
def small_sums(arguments: dict[str, Any], limit: int) -> ra.GuardrailVerdict:
    return ra.GuardrailVerdict(tripped=arguments["euros"] > limit, reason=f"{limit} at most")


@ra.tool_guardrail
def broken(arguments: dict[str, object]) -> bool:
    raise LookupError("the list of customers is gone")


@pytest.mark.parametrize(
    ("guardrails", "euros", "said"),
    [
        ([small_sums], 100, "paid 100"),
        ([small_sums], 101, "Error: the guardrail 'small_sums' stopped the call of pay: 100 at"),
        ([broken], 1, "Error: pay failed"),
    ],
)
def test_a_guardrail_sees_the_arguments_before_the_tool(guardrails, euros, said):
    paid: list[int] = []
    script = ScriptedTransport(strict=False)
    with run(script, paying(paid, input_guardrails=guardrails), context=100) as session:
        probe = Probe(session)
        call(script, euros=euros)

        assert probe.wait_for(ToolEndEvent).output.startswith(said)
        tripped = probe.all(GuardrailTrippedEvent)
        assert [(each.kind, each.reason) for each in tripped] == (
            [("tool", "100 at most")] if euros == 101 else []
        )
        assert paid == ([100] if euros == 100 else [])


def test_a_guardrail_goes_before_approval():
    script = ScriptedTransport(strict=False)
    pay = paying([], needs_approval=True, input_guardrails=[small_sums])
    with run(script, pay, context=100) as session:
        probe = Probe(session)
        call(script, euros=101)

        probe.wait_for(ToolEndEvent)
        assert probe.all(ToolApprovalRequiredEvent) == []


def test_a_slow_guardrail_holds_up_nothing():
    let_go = threading.Event()
    slow = ra.ToolGuardrail(name="slow", check=lambda arguments: not let_go.wait(10))
    script = ScriptedTransport(strict=False)
    with run(script, paying([], input_guardrails=[slow])) as session:
        probe = Probe(session)
        call(script, euros=1)
        probe.wait_for(AgentEndEvent)
        session.interrupt()
        let_go.set()
        assert probe.wait_for(ToolEndEvent).output == "paid 1"


def test_wrong_options_are_refused():
    with pytest.raises(ra.ConfigError, match="needs_approval"):
        paying([], needs_approval=lambda one, two, three: True)
    with pytest.raises(ra.ConfigError, match="in a list"):
        paying([], input_guardrails=small_sums)
    with pytest.raises(ra.ConfigError, match="no ToolGuardrail"):
        paying([], input_guardrails=[print])
    with pytest.raises(ra.ConfigError, match="approval_timeout"):
        ra.RunConfig(approval_timeout=0)


def test_approval_and_rejection_in_a_conversation_with_a_server():
    paid: list[int] = []
    replies: list[Reply] = [
        [Call("pay", {"euros": 5}), Call("pay", {"euros": 500})],
        "One is paid, the other is not.",
    ]
    with (
        RealtimeServer.scripted(replies) as server,
        ra.run(
            ra.agent(tools=[paying(paid, needs_approval=True)]), model_config={"url": server.url}
        ) as session,
    ):
        probe = Probe(session)
        session.send_message("Pay both bills.")
        for _ in range(2):
            asked = probe.wait_for(ToolApprovalRequiredEvent)
            if json.loads(asked.arguments)["euros"] > 100:
                session.reject(asked.call_id, reason="too much")
            else:
                session.approve(asked.call_id)

        assert probe.wait_for(AgentEndEvent, lambda event: event.final).status == "completed"
        outputs = {each.output for each in probe.all(ToolEndEvent)}
        assert outputs == {"paid 5", "Error: the call of pay was not approved: too much"}
        assert paid == [5]
