"""Guardrails on what the user says."""

from __future__ import annotations

import pytest

import realtime_actors as ra
from realtime_actors.events import (
    AgentEndEvent,
    AudioInterruptedEvent,
    ErrorEvent,
    GuardrailTrippedEvent,
)
from realtime_actors.items import MessageItem
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.interfaces import BrainRequest
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.test_with_a_server import speak
from tests.session.wire import audio_delta, item_added, response_created, response_done
from tests.wrong import wrong


@ra.input_guardrail
def no_passwords(text: str) -> ra.GuardrailVerdict:
    return ra.GuardrailVerdict(tripped="password" in text, reason="a secret")


@ra.input_guardrail(name="broken")
async def broken(text: str, context: object, agent: ra.Agent) -> bool:
    raise LookupError(agent.name)


def run(script: ScriptedTransport, *guardrails: ra.InputGuardrail, **config: object) -> ra.Session:
    return ra.run(
        ra.agent(input_guardrails=guardrails),
        transport=script,
        model_config={"url": "ws://127.0.0.1:1/"},
        config=config,
    )


def user_says(script: ScriptedTransport, text: str) -> None:
    script.emit(
        {"type": "input_audio_buffer.committed", "item_id": "u1", "previous_item_id": None},
        item_added("u1", "user", {"type": "input_audio"}),
        response_created(),
        audio_delta(ms=5000),
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "u1",
            "content_index": 0,
            "transcript": text,
        },
    )


@pytest.mark.parametrize("whose", ["agent", "run"])
def test_an_answer_to_what_is_refused_is_stopped(whose):
    script = ScriptedTransport(strict=False)
    guardrails = [no_passwords]
    with (
        run(script, *guardrails)
        if whose == "agent"
        else run(script, input_guardrails=guardrails) as session
    ):
        probe = Probe(session)
        user_says(script, "My password is 1234.")

        assert probe.wait_for(AudioInterruptedEvent).response_id == "r1"
        tripped = probe.wait_for(GuardrailTrippedEvent)
        assert (tripped.kind, tripped.item_id, tripped.reason) == ("input", "u1", "a secret")
        assert script.wait_for("conversation.item.create")["item"]["role"] == "system"
        script.emit(response_done("r1", "cancelled"))
        script.wait_for("response.create")


def test_a_guardrail_that_raises_lets_the_words_pass_and_is_reported():
    script = ScriptedTransport(strict=False)
    with run(script, broken) as session:
        probe = Probe(session)
        user_says(script, "Hello")

        assert probe.wait_for(ErrorEvent).error.message == (
            "guardrail 'broken' failed: LookupError: Agent"
        )
        script.emit(response_done())
        assert probe.wait_for(AgentEndEvent).final


def test_wrong_guardrails_are_refused():
    with pytest.raises(ra.ConfigError, match="no InputGuardrail"):
        ra.agent(input_guardrails=wrong([print]))
    with pytest.raises(ra.ConfigError, match="list of InputGuardrail"):
        ra.RunConfig(input_guardrails=wrong([print]))


def test_what_a_user_says_to_a_server_is_refused_before_it_is_answered():
    def answer(request: BrainRequest) -> str:
        warned = any(
            isinstance(item, MessageItem) and item.role == "system" for item in request.items
        )
        return "I can't help with that." if warned else "Thank you for your password. " * 20

    with (
        RealtimeServer.scripted([answer] * 4, heard=["My password is 1234."], pace=2.0) as server,
        ra.run(
            ra.agent(input_guardrails=[no_passwords]),
            model_config={
                "url": server.url,
                "initial_model_settings": {
                    "input_audio_transcription": {"model": "gpt-transcribe"}
                },
            },
        ) as session,
    ):
        probe = Probe(session)
        speak(session)

        assert probe.wait_for(GuardrailTrippedEvent).text == "My password is 1234."
        probe.wait_for(AgentEndEvent, lambda event: event.status == "completed", timeout=20)
        said = [
            str(item.content[0].transcript)
            for item in session.history()
            if isinstance(item, MessageItem) and item.role == "assistant"
        ]
        assert said[-1] == "I can't help with that."
        assert not any(len(each) > 300 for each in said)
