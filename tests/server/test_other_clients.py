"""Clients of others hold a conversation with the server: OpenAI's own, and its agents."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_actors.audio import calculate_audio_length_ms
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call
from tests.server.talk import silence, speech

openai = pytest.importorskip("openai")
agents = pytest.importorskip("agents")
realtime = pytest.importorskip("agents.realtime")

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    scripted = RealtimeServer.scripted(
        [
            [Call("get_weather", {"city": "Oslo"})],
            "It is sunny in Oslo, and twelve degrees.",
            "You are welcome.",
        ],
        heard=["Thank you."],
        character_ms=20,
    )
    with scripted as server:
        yield server


def turn() -> bytes:
    """Somebody speaks, and is silent for long enough."""
    return silence(300) + speech(700) + silence(900)


def test_openais_client_holds_a_spoken_conversation(server: RealtimeServer) -> None:
    client = openai.OpenAI(api_key="unused", websocket_base_url=server.base_url)
    with client, client.realtime.connect(model="gpt-realtime") as connection:
        events = iter(connection)

        def until(type_: str) -> list[Any]:
            received = []
            for event in events:
                received.append(event)
                assert event.type != "error", event
                if event.type == type_:
                    return received
            raise AssertionError(f"no {type_}")

        until("session.created")
        connection.session.update(
            session={
                "type": "realtime",
                "instructions": "You know the weather.",
                "tools": [WEATHER],
                "audio": {"input": {"transcription": {"model": "whisper-1"}}},
            }
        )
        assert until("session.updated")[-1].session.tools[0].name == "get_weather"

        # A text, and a tool call.
        connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "What is the weather in Oslo?"}],
            }
        )
        connection.response.create()
        [call] = until("response.done")[-1].response.output
        assert (call.type, call.name, call.arguments) == (
            "function_call",
            "get_weather",
            '{"city": "Oslo"}',
        )

        # Its output, and an answer in speech.
        connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 12"}
        )
        connection.response.create()
        received = until("response.done")
        audio = b"".join(
            base64.b64decode(event.delta)
            for event in received
            if event.type == "response.output_audio.delta"
        )
        [message] = received[-1].response.output
        assert message.content[0].transcript == "It is sunny in Oslo, and twelve degrees."
        assert calculate_audio_length_ms(audio) > 500
        assert received[-1].response.usage.total_tokens > 0

        # Speech in, and an answer that nobody had to ask for.
        connection.input_audio_buffer.append(audio=base64.b64encode(turn()).decode())
        heard = until("response.done")
        types = [event.type for event in heard]
        assert types.index("input_audio_buffer.speech_started") < types.index(
            "input_audio_buffer.speech_stopped"
        )
        [transcript] = [
            event.transcript
            for event in heard
            if event.type == "conversation.item.input_audio_transcription.completed"
        ]
        assert transcript == "Thank you."
        assert heard[-1].response.output[0].content[0].transcript == "You are welcome."


def test_openais_client_is_told_what_it_did_wrong(server: RealtimeServer) -> None:
    client = openai.OpenAI(api_key="unused", websocket_base_url=server.base_url)
    with client, client.realtime.connect(model="gpt-realtime") as connection:
        connection.recv()
        connection.send({"type": "response.cancel", "event_id": "mine"})

        error = connection.recv().error

    assert (error.code, error.event_id) == ("response_cancel_not_active", "mine")


def test_openais_agents_hold_a_spoken_conversation(server: RealtimeServer) -> None:
    agents.set_tracing_disabled(True)
    asked: list[str] = []

    @agents.function_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny, 12"

    agent = realtime.RealtimeAgent(
        name="Weather", instructions="You know the weather.", tools=[get_weather]
    )
    config = {
        "api_key": "unused",
        "url": server.url,
        "initial_model_settings": {
            "model_name": "gpt-realtime",
            "turn_detection": {"type": "server_vad", "interrupt_response": True},
        },
    }

    async def talk() -> tuple[bytes, list[Any]]:
        session = await realtime.RealtimeRunner(agent).run(model_config=config)
        audio, history = b"", []
        async with asyncio.timeout(20), session:
            await session.send_message("What is the weather in Oslo?")
            answers = 0
            async for event in session:
                assert event.type != "error", event
                if event.type == "audio":
                    audio += event.audio.data
                if event.type == "history_updated":
                    history = event.history
                if event.type == "agent_end":
                    answers += 1
                    if answers == 2:
                        await session.send_audio(turn())
                    if answers == 3:
                        break
        return audio, history

    audio, history = asyncio.run(talk())

    assert asked == ["Oslo"]
    assert calculate_audio_length_ms(audio) > 1000
    said = [
        (item.role, part.transcript if part.type in ("audio", "input_audio") else part.text)
        for item in history
        if item.type == "message"
        for part in item.content
    ]
    assert said == [
        ("user", "What is the weather in Oslo?"),
        ("assistant", "It is sunny in Oslo, and twelve degrees."),
        ("user", "Thank you."),
        ("assistant", "You are welcome."),
    ]
