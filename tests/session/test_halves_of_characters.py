"""No text of anybody ends a session: halves of characters, from every side, through every door."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors.events import (
    AgentEndEvent,
    ErrorEvent,
    ToolApprovalRequiredEvent,
    ToolEndEvent,
    TranscriptDeltaEvent,
)
from realtime_actors.items import assistant_message, user_message
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call
from realtime_actors.testing import Probe

HALF = "caf\udce9"
"""As Python reads the name of a file that is no UTF-8."""
WHOLE = "caf\ufffd"
GO_ON = "Go on."

Act = Callable[[ra.Session, Probe], object]


@ra.tool
def order(drink: str = "tea") -> str:
    """Order a drink."""
    return f"{drink} is coming"


@ra.tool
def read_name() -> str:
    """Read the name of a file."""
    return HALF


@ra.tool
def read_names() -> dict[str, list[str]]:
    """Read the names of files."""
    return {HALF: [HALF]}


@ra.tool
def fail() -> str:
    """Fail."""
    raise ValueError(HALF)


@ra.tool
def count(number: int) -> str:
    """Count."""
    return str(number)


@ra.tool_guardrail
def trips(arguments: dict[str, Any]) -> ra.GuardrailVerdict:
    return ra.GuardrailVerdict(tripped=True, reason=HALF)


@ra.tool_guardrail
def raises(arguments: dict[str, Any]) -> ra.GuardrailVerdict:
    raise ValueError(HALF)


@ra.output_guardrail
def stops(text: str) -> ra.GuardrailVerdict:
    return ra.GuardrailVerdict(tripped="secret" in text, reason=HALF)


def described(parameter: str = HALF) -> str:
    return parameter


def reject(session: ra.Session, probe: Probe) -> None:
    session.send_message(GO_ON)
    session.reject(probe.wait_for(ToolApprovalRequiredEvent).call_id, reason=HALF)


def ask(session: ra.Session, probe: Probe) -> None:
    session.send_message(GO_ON)


def agent(*tools: Any, **options: Any) -> ra.Agent:
    return ra.agent(name="Desk", tools=list(tools), **options)


THE_PROGRAM: dict[str, tuple[ra.Agent, Act]] = {
    "a message": (agent(), lambda session, probe: session.send_message(HALF)),
    "a message as the wire has it": (
        agent(),
        lambda session, probe: session.send_message(
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": HALF}]}
        ),
    ),
    "an item": (agent(), lambda session, probe: session.add_item(assistant_message(HALF))),
    "the history": (
        agent(),
        lambda session, probe: session.update_history([user_message(HALF)]),
    ),
    "a response": (
        agent(),
        lambda session, probe: session.create_response(instructions=HALF, metadata={HALF: HALF}),
    ),
    "settings": (
        agent(),
        lambda session, probe: session.update_session({"instructions": HALF}),
    ),
    "a raw event": (
        agent(),
        lambda session, probe: session.send_raw_event(
            {"type": "conversation.item.create", "item": {"type": HALF}, HALF: HALF}
        ),
    ),
    "the name of an agent": (
        ra.agent(name=HALF, handoffs=[ra.agent(name="a" + HALF, handoff_description=HALF)]),
        ask,
    ),
    "instructions": (agent(instructions=HALF), ask),
    "instructions of a function": (agent(instructions=lambda: HALF), ask),
    "the description of a tool": (agent(ra.tool(description=HALF)(order.function)), ask),
    "the default of a parameter": (agent(ra.tool(described)), ask),
}
THE_MODEL: dict[str, tuple[ra.Agent, Call | str, Act]] = {
    "the text of a tool": (agent(read_name), Call("read_name", {}), ask),
    "the object of a tool": (agent(read_names), Call("read_names", {}), ask),
    "the error of a tool": (agent(fail), Call("fail", {}), ask),
    "arguments": (agent(order), Call("order", {"drink": HALF}), ask),
    "arguments of another type": (agent(count), Call("count", {"number": HALF}), ask),
    "the name of an argument": (agent(order), Call("order", {HALF: 1}), ask),
    "the name of a tool": (agent(order), Call(f"order{HALF}", {}), ask),
    "a guardrail that trips": (
        agent(ra.tool(input_guardrails=[trips])(order.function)),
        Call("order", {}),
        ask,
    ),
    "a guardrail that raises": (
        agent(ra.tool(input_guardrails=[raises])(order.function)),
        Call("order", {}),
        ask,
    ),
    "a rejection": (
        agent(ra.tool(needs_approval=True)(order.function)),
        Call("order", {}),
        reject,
    ),
    "an answer": (agent(), HALF, ask),
    "a guardrail of the output": (agent(output_guardrails=[stops]), "A secret.", ask),
}


def hold(
    agent: ra.Agent, act: Act, *script: Call | str, **options: Any
) -> tuple[Probe, Sequence[ra.Item]]:
    """Let it happen, and see that the conversation goes on afterwards."""
    with (
        RealtimeServer.scripted([*script, *["Fine."] * 5]) as server,
        ra.run(agent, model_config={"url": server.url}, **options) as session,
    ):
        probe = Probe(session)
        act(session, probe)
        session.send_message("Are you still there?")
        probe.wait_for(AgentEndEvent, lambda event: event.final)
        assert session.connected
        return probe, session.history()


@pytest.mark.parametrize("door", THE_PROGRAM)
def test_what_the_program_says_goes_out_with_a_replacement(door: str) -> None:
    agent, act = THE_PROGRAM[door]

    probe, _ = hold(agent, act)

    assert [each for each in probe.all(ErrorEvent) if each.source != "error"] == []


@pytest.mark.parametrize("door", THE_MODEL)
def test_what_the_model_and_its_tools_say_has_its_outcome(door: str) -> None:
    agent, said, act = THE_MODEL[door]

    probe, history = hold(agent, act, said)

    if isinstance(said, Call):
        (end,) = probe.all(ToolEndEvent)
        outputs = [each.output for each in history if each.type == "function_call_output"]
        assert outputs == [end.output]
        end.output.encode()
    for delta in probe.all(TranscriptDeltaEvent):
        delta.delta.encode()


def test_a_tool_is_given_what_can_be_printed() -> None:
    probe, _ = hold(agent(order), ask, Call("order", {"drink": HALF}))

    assert probe.all(ToolEndEvent)[0].output == f"{WHOLE} is coming"


def test_a_trace_holds_what_was_said(tmp_path: Path) -> None:
    trace = tmp_path / "call.jsonl"

    hold(agent(fail), lambda session, _: session.send_message(HALF), Call("fail", {}), trace=trace)

    assert r"caf\udce9" in trace.read_text(encoding="utf-8")


def test_the_name_of_a_model_may_have_one() -> None:
    probe, _ = hold(agent(model=HALF), ask)

    assert len(probe.all(AgentEndEvent)) > 0


def test_what_cannot_be_written_at_all_ends_no_conversation() -> None:
    strange = ra.HostedMcpTool(
        server_label="a", server_url="https://a.example", extra={"x": object()}
    )
    sales = ra.agent(name="Sales", tools=[strange])
    with (
        RealtimeServer.scripted([Call("transfer_to_sales", {}), "Fine."]) as server,
        ra.run(agent(handoffs=[sales]), model_config={"url": server.url}) as session,
    ):
        probe = Probe(session)
        session.send_message(GO_ON)

        assert "can't be written as JSON" in probe.wait_for(ErrorEvent).error.message
        assert session.connected
        assert session.current_agent().name == "Desk"


@pytest.mark.slow
def test_all_of_this_holds_without_the_fast_libraries_too() -> None:
    here = "tests/session/test_halves_of_characters.py"
    without = "import sys; sys.modules['orjson'] = sys.modules['pybase64'] = None; import pytest; "
    run = f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-m', 'not slow', {here!r}]))"

    done = subprocess.run(
        [sys.executable, "-c", without + run],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:]
