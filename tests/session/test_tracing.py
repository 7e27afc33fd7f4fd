"""A conversation is written down, and played again with the same result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import realtime_actors as ra
from realtime_actors import messages
from realtime_actors.cli.app import app
from realtime_actors.cli.replay import replayed
from realtime_actors.config import BargeIn, TranscriptionConfig
from realtime_actors.core.effects import Publish
from realtime_actors.core.messages import AgentResolved, ApprovalNeeded, Connected, Started
from realtime_actors.errors import ConfigError
from realtime_actors.events import AgentEndEvent, AudioEvent, RawModelEvent
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.hooks import AgentHooks
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe
from realtime_actors.tracing import TracedMachine, as_text, describe, replay
from realtime_actors.usage import InputTokenDetails, OutputTokenDetails, Pricing, Usage
from tests.core.machine import (
    agent_with,
    ask,
    called,
    committed,
    created,
    done,
    handed_over,
    new,
    resolve,
    transcript,
    updated,
    user_speaks,
    user_stops,
    user_words,
)

TRACES = sorted((Path(__file__).parent.parent / "traces").glob("*.jsonl"))


@ra.tool
def weather(city: str) -> str:
    return f"Sunny in {city}"


def hold_a_conversation(path: Path) -> Probe:
    billing = ra.agent(name="Billing", instructions="Talk about bills.")
    agent = ra.agent(name="Desk", tools=[weather], handoffs=[billing])
    replies: list[Reply] = [
        Call("weather", {"city": "Rome"}),
        "Sunny.",
        Call("transfer_to_billing", {}),
        "Hi.",
    ]
    with (
        RealtimeServer.scripted(replies) as server,
        ra.run(agent, model_config={"url": server.url}, trace=path) as session,
    ):
        probe = Probe(session)
        for question in ("What's the weather in Rome?", "Billing, please."):
            session.send_message(question)
            probe.wait_for(AgentEndEvent, lambda event: event.final)
        session.interrupt()
    return probe


def test_a_trace_gives_the_same_events_again(tmp_path):
    probe = hold_a_conversation(tmp_path / "call.jsonl")

    lines = (tmp_path / "call.jsonl").read_text(encoding="utf-8").splitlines()
    again = [
        effect.event
        for _, _, effects in replay(lines)
        for effect in effects
        if isinstance(effect, Publish) and not isinstance(effect.event, RawModelEvent)
    ]
    # The probe came when the session was connected already.
    assert [event.type for event in again][-len(probe.events) :] == [e.type for e in probe.events]
    assert sum(len(event.audio.data) for event in again if isinstance(event, AudioEvent)) == sum(
        len(event.audio.data) for event in probe.all(AudioEvent)
    )
    ends = [event for event in again if isinstance(event, AgentEndEvent)]
    assert [event.agent.name for event in ends] == ["Desk", "Desk", "Desk", "Billing"]


KINDS = [f"{what}_{how}" for what in ("text", "audio") for how in ("input", "cached", "output")]
POLITE = OutputGuardrail(name="polite", check=lambda text: False)
TOKENS = Usage(
    input_tokens=5,
    output_tokens=5,
    total_tokens=10,
    input_token_details=InputTokenDetails(text_tokens=5),
    output_token_details=OutputTokenDetails(text_tokens=5),
)
PRICED = Pricing.from_dict({"gpt-x": dict.fromkeys(KINDS, "1000"), "ears": {"per_minute": "2"}})


@pytest.mark.parametrize(
    "options",
    [
        {"barge_in": BargeIn(mode="off")},
        {"session_type": "transcription"},
        {"approval_timeout": 5.0},
        {"max_handoffs_per_turn": 1},
        {"tool_timeout": None},
        {"stall_timeout": 3.0},
        {"max_cost": "0.000001", "model": "gpt-x", "pricing": PRICED},
        {"output_guardrails": (OutputGuardrail(name="no_prices", check=lambda text: False),)},
        {"input_guardrails": (InputGuardrail(name="no_names", check=lambda text: False),)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_the_machine_is_made_again_as_it_was(options):
    billing = agent_with(name="Billing", hooks=AgentHooks(), output_guardrails=[POLITE])
    desk = agent_with("weather", name="Desk", hooks=AgentHooks(), handoffs=[billing])
    machine = new(desk, **options)
    lines: list[str] = []
    traced = TracedMachine(machine, lambda line: lines.append(as_text(line)))
    story: list[Any] = [
        *(Started(), Connected(), AgentResolved(resolve(desk))),
        updated(input_audio_transcription=TranscriptionConfig(model="gpt-transcribe")),
        *(user_speaks("u1"), user_stops("u1"), committed("u1"), user_words("Hi.", "u1")),
        *(created("r1"), called("c1"), ApprovalNeeded("c1")),
        *(called("c2", "transfer_to_billing"), done("r1", usage=TOKENS)),
        *(handed_over(billing, "c2"), updated()),
        ask(messages.CreateResponse(), None),
        *(created("r2"), transcript("x" * 200, "i2", response_id="r2"), done("r2")),
    ]

    first = [list(describe(traced.handle(message, 0.0))) for message in story]

    assert [list(describe(effects)) for _, _, effects in replay(lines)] == first


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_an_incident_is_handled_as_it_was_found_right(trace):
    told = "\n".join(replayed(trace.read_text(encoding="utf-8").splitlines())) + "\n"

    assert told == trace.with_suffix(".txt").read_text(encoding="utf-8")


def test_the_command_prints_it_without_what_was_said(tmp_path):
    hold_a_conversation(tmp_path / "call.jsonl")
    result = CliRunner().invoke(app, ["replay", str(tmp_path / "call.jsonl")])

    assert result.exit_code == 0
    assert "publish handoff" in result.output
    assert "send session.update" in result.output
    assert "Sunny" not in result.output


@pytest.mark.parametrize("line", ["{", "[]", '{"at": 1}', '{"at": 1, "told": {"$": "Nobody"}}'])
def test_what_is_no_trace_is_refused(tmp_path, line):
    hold_a_conversation(tmp_path / "call.jsonl")
    header = (tmp_path / "call.jsonl").read_text(encoding="utf-8").splitlines()[0]

    with pytest.raises(ConfigError, match="line 2"):
        list(replay([header, line]))
