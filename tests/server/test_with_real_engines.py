"""A spoken conversation with the engines of the extra [local]: real speech in, real speech out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from realtime_actors.audio import Resampler, decode_audio, encode_audio
from realtime_actors.server import RealtimeServer
from tests.server.talk import Client, client, silence

if TYPE_CHECKING:
    from realtime_actors.server.engines import Engines

pytestmark = [pytest.mark.local, pytest.mark.slow]

INSTRUCTIONS = (
    "You are the receptionist of a hotel. Breakfast is from seven to ten in the morning. "
    "The swimming pool is on the roof."
)
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "The name of the city."}},
        "required": ["city"],
    },
}


@pytest.fixture(scope="module")
def engines() -> Engines:
    from realtime_actors.server.engines import load_engines

    return load_engines()


@pytest.fixture
def server(engines: Engines) -> Iterator[RealtimeServer]:
    with RealtimeServer(engines=engines) as server:
        yield server


def turn(engines: Engines, text: str) -> bytes:
    """Somebody says that, and is silent then."""
    speech = b"".join(engines.voice.speak(text, voice="caller"))
    resampled = Resampler(engines.voice.rate_hz, 24_000).process(speech, last=True)
    return silence(300) + resampled + silence(900)


def send(caller: Client, audio: bytes) -> dict[str, Any]:
    """Say it in pieces, and wait for the answer."""
    for start in range(0, len(audio), 4800):
        caller.append(audio[start : start + 4800])
    response: dict[str, Any] = caller.until("response.done")["response"]
    return response


def heard(caller: Client) -> str:
    completed = caller.of("conversation.item.input_audio_transcription.completed")
    return str(completed[-1]["transcript"])


def hears(engines: Engines, caller: Client, response: dict[str, Any], law: str = "pcm16") -> str:
    """What the answer sounds like to somebody who listens to it."""
    audio = b"".join(
        base64.b64decode(event["delta"])
        for event in caller.of("response.output_audio.delta")
        if event["response_id"] == response["id"]
    )
    rate_hz = 24_000 if law == "pcm16" else 8_000
    assert engines.recognizer is not None
    resampler = Resampler(rate_hz, engines.recognizer.rate_hz)
    pcm = resampler.process(decode_audio(audio, law), last=True)
    return engines.recognizer.transcribe(pcm).text


def configure(caller: Client, **audio: Any) -> None:
    transcription = {"model": "whisper-1"}
    caller.send(
        "session.update",
        session={
            "type": "realtime",
            "instructions": INSTRUCTIONS,
            "tools": [WEATHER],
            "audio": {"input": {"transcription": transcription, **audio}, "output": {**audio}},
        },
    )
    caller.until("session.updated")


def test_a_spoken_question_is_understood_and_answered_aloud(
    engines: Engines, server: RealtimeServer
) -> None:
    with client(server) as caller:
        configure(caller)

        response = send(caller, turn(engines, "When is breakfast?"))

        assert "breakfast" in heard(caller).lower()
        [item] = response["output"]
        assert "seven to ten" in item["content"][0]["transcript"]
        assert "breakfast" in hears(engines, caller, response).lower()


def test_a_spoken_wish_becomes_a_tool_call_and_its_output_is_spoken(
    engines: Engines, server: RealtimeServer
) -> None:
    with client(server) as caller:
        configure(caller)

        response = send(caller, turn(engines, "What is the weather like in London?"))
        call = response["output"][-1]
        assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "London"})

        output = {"type": "function_call_output", "call_id": call["call_id"]}
        caller.send("conversation.item.create", item={**output, "output": "It is raining."})
        caller.send("response.create")
        answer = caller.until("response.done")["response"]
        assert "raining" in hears(engines, caller, answer).lower()


def test_a_conversation_on_the_telephone(engines: Engines, server: RealtimeServer) -> None:
    with client(server) as caller:
        configure(caller, format={"type": "audio/pcmu"})
        narrow = Resampler(24_000, 8_000).process(turn(engines, "Where is the pool?"), last=True)

        response = send(caller, encode_audio(narrow, "g711_ulaw"))

        assert "pool" in heard(caller).lower()
        assert "roof" in hears(engines, caller, response, "g711_ulaw").lower()


def test_openais_client_speaks_and_is_understood(engines: Engines, server: RealtimeServer) -> None:
    openai = pytest.importorskip("openai")
    api = openai.OpenAI(api_key="unused", websocket_base_url=server.base_url)
    with api, api.realtime.connect(model="gpt-realtime") as connection:
        connection.session.update(session={"type": "realtime", "instructions": INSTRUCTIONS})
        audio = turn(engines, "Where is the swimming pool?")
        connection.input_audio_buffer.append(audio=base64.b64encode(audio).decode())

        response = next(event for event in connection if event.type == "response.done").response

    assert "roof" in response.output[0].content[0].transcript


def test_openais_agents_speak_and_are_understood(engines: Engines, server: RealtimeServer) -> None:
    agents = pytest.importorskip("agents")
    realtime = pytest.importorskip("agents.realtime")
    agents.set_tracing_disabled(True)

    @agents.function_tool
    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return f"It is raining in {city}."

    agent = realtime.RealtimeAgent(
        name="Receptionist", instructions=INSTRUCTIONS, tools=[get_weather]
    )
    config = {"api_key": "unused", "url": f"{server.url}?model=gpt-realtime"}
    settings = {
        "model_name": "gpt-realtime",
        "turn_detection": {"type": "server_vad", "interrupt_response": True},
    }

    async def talk() -> list[Any]:
        runner = realtime.RealtimeRunner(agent)
        session = await runner.run(model_config={**config, "initial_model_settings": settings})
        history: list[Any] = []
        answers = 0
        async with asyncio.timeout(30), session:
            await session.send_audio(turn(engines, "What is the weather like in London?"))
            async for event in session:
                assert event.type != "error", event
                if event.type == "history_updated":
                    history = event.history
                if event.type == "agent_end":
                    answers += 1
                    if answers == 2:
                        break
        return history

    messages = [item for item in asyncio.run(talk()) if item.type == "message"]

    assert [(item.role, item.content[0].transcript) for item in messages] == [
        ("user", "What is the weather like in London?"),
        ("assistant", "It is raining in London."),
    ]
