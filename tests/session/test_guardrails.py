"""Guardrails on what is said: while it is heard, and before it is heard."""

from __future__ import annotations

import threading

import pytest

import realtime_actors as ra
from realtime_actors.events import (
    AgentEndEvent,
    AudioEvent,
    AudioInterruptedEvent,
    ErrorEvent,
    GuardrailTrippedEvent,
    TranscriptDeltaEvent,
)
from realtime_actors.server import RealtimeServer
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import audio_delta, response_created, response_done, transcript_delta
from tests.wrong import wrong

HOLD = {"guardrails_settings": {"mode": "hold", "debounce_text_length": 10}}


@ra.output_guardrail
def no_prices(text: str) -> ra.GuardrailVerdict:
    return ra.GuardrailVerdict(tripped="dollars" in text, reason="we don't tell prices")


def run(script: ScriptedTransport, *guardrails: ra.OutputGuardrail) -> ra.Session:
    return ra.run(
        ra.agent(output_guardrails=guardrails),
        transport=script,
        model_config={"url": "ws://127.0.0.1:1/"},
        config=HOLD,
    )


def test_speech_is_heard_once_a_slow_guardrail_has_let_it_pass():
    let_go = threading.Event()
    patient = ra.OutputGuardrail(name="patient", check=lambda text: not let_go.wait(10))
    script = ScriptedTransport(strict=False)
    with run(script, patient) as session:
        probe = Probe(session)
        script.emit(response_created(), audio_delta(ms=100), transcript_delta("Good morning!"))
        script.emit(response_done())
        probe.wait_for(TranscriptDeltaEvent)
        session.history()
        assert (probe.all(AudioEvent), probe.all(AgentEndEvent)) == ([], [])
        let_go.set()

        assert len(probe.wait_for(AudioEvent).audio.data) == 4800
        assert probe.wait_for(AgentEndEvent).held_ms >= 0


def forgets(text: str) -> None:
    """Judge nothing: the `return` is missing."""


def raises(text: str) -> bool:
    raise LookupError("no list of words")


def gives_up(text: str) -> bool:
    raise SystemExit


@pytest.mark.parametrize("check", [forgets, raises, gives_up])
def test_without_a_verdict_nothing_is_heard_when_speech_is_held(check):
    script = ScriptedTransport(strict=False)
    with run(script, ra.OutputGuardrail(name="no_prices", check=check)) as session:
        probe = Probe(session)
        script.emit(response_created(), audio_delta(ms=100), transcript_delta("Good morning!"))
        tripped = probe.wait_for(GuardrailTrippedEvent)
        script.emit(audio_delta(ms=100), response_done())
        probe.wait_for(AgentEndEvent)

        assert (tripped.guardrail, tripped.reason) == ("no_prices", "it gave no verdict")
        assert [event.error.type for event in probe.all(ErrorEvent)] == ["guardrail_failed"]
        assert probe.all(AudioEvent) == []


def test_an_unknown_mode_is_refused():
    with pytest.raises(ra.ConfigError, match=r"mode.*did you mean 'hold'"):
        ra.GuardrailsSettings(mode=wrong("holt"))


@pytest.mark.parametrize("pace", [None, 4.0])
def test_blocked_speech_is_never_heard_from_a_server(pace):
    replies = [
        "Let me see what I can find for you in our long list. It costs five dollars.",
        "I can't tell.",
    ]
    with (
        RealtimeServer.scripted(replies, pace=pace, character_ms=20) as server,
        ra.run(
            ra.agent(output_guardrails=[no_prices]),
            model_config={"url": server.url},
            config=HOLD,
        ) as session,
    ):
        probe = Probe(session)
        session.send_message("What does it cost?")

        tripped = probe.wait_for(GuardrailTrippedEvent)
        assert (tripped.kind, tripped.reason) == ("output", "we don't tell prices")
        end = probe.wait_for(AgentEndEvent, lambda event: event.final, timeout=20)
        assert end.response_id != tripped.response_id
        heard_ms = dict.fromkeys({tripped.response_id, end.response_id}, 0)
        for event in probe.all(AudioEvent):
            heard_ms[event.response_id] += len(event.audio.data) // 48
        # "five dollars." is 13 letters, of 20 ms each.
        assert heard_ms[tripped.response_id] <= 20 * len(replies[0]) - 20 * 13
        assert heard_ms[end.response_id] >= 20 * len(replies[1])
        cut = probe.all(AudioInterruptedEvent)
        assert {each.response_id for each in cut} <= {tripped.response_id}
