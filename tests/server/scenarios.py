"""Conversations whose every frame is known: what a client does, and all that it is sent.

The frames are under `frames/`, one file for each scenario, a line for each. When the server
is meant to send something else, write them anew, and read the difference:

    python -m tests.server.scenarios
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from websockets.exceptions import ConnectionClosed

from realtime_actors.audio import encode_audio
from realtime_actors.server import ConversationOptions, RealtimeServer
from realtime_actors.server.engines import (
    BrainOutput,
    BrainRequest,
    Cancelled,
    Engines,
    TextDelta,
    never,
)
from realtime_actors.server.engines.energy import EnergyDetector
from realtime_actors.server.engines.scripted import Call, ScriptedRecognizer
from realtime_actors.server.engines.tone import ToneVoice
from tests.server.talk import Client, client, silence, speech

__all__ = ["SCENARIOS", "Scenario", "frames_of", "recorded"]

FOLDER: Final = Path(__file__).parent / "frames"

TURN: Final = speech(400) + silence(1000)


SPOKEN_PIECES: Final = 10
"""Of 100 ms: what the sentence of a `HoldingBrain` is sent in."""


class HoldingBrain:
    """Says one sentence, and then nothing until it is cancelled."""

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        yield TextDelta("One moment, please. ")
        while not cancelled():
            threading.Event().wait(0.01)


def holding() -> RealtimeServer:
    engines = Engines(
        detector=EnergyDetector,
        recognizer=ScriptedRecognizer(["Stop."]),
        brain=HoldingBrain(),
        voice=ToneVoice(),
    )
    return RealtimeServer(engines=engines)


def set_session(caller: Client, **session: Any) -> None:
    caller.send("session.update", session={"type": "realtime", **session})
    caller.until("session.updated")


def set_input(caller: Client, **members: Any) -> None:
    set_session(caller, audio={"input": members})


# --- what the clients do ---------------------------------------------------------------------


def write(caller: Client) -> None:
    caller.say("Hi!")
    caller.until("response.done")


def write_for_a_text(caller: Client) -> None:
    set_session(caller, output_modalities=["text"], instructions="Be short.")
    caller.say("Hi!")
    caller.until("response.done")


def speak(caller: Client) -> None:
    set_input(caller, transcription={"model": "gpt-4o-transcribe"})
    for _ in range(2):
        caller.append(TURN)
        caller.until("response.done")


def speak_for_whisper_without_an_answer(caller: Client) -> None:
    detection = {"type": "server_vad", "create_response": False, "silence_duration_ms": 300}
    set_input(caller, transcription={"model": "whisper-1"}, turn_detection=detection)
    caller.append(TURN)
    caller.until("conversation.item.input_audio_transcription.completed")


def speak_in_turns_by_meaning(caller: Client) -> None:
    set_input(caller, turn_detection={"type": "semantic_vad", "eagerness": "high"})
    caller.append(speech(400) + silence(1200))
    caller.until("response.done")


def commit_by_hand(caller: Client) -> None:
    set_input(caller, turn_detection=None, transcription={"model": "whisper-1"})
    caller.send("input_audio_buffer.commit")
    caller.append(speech(300))
    caller.send("input_audio_buffer.clear")
    caller.append(speech(500))
    caller.send("input_audio_buffer.commit")
    caller.until("conversation.item.input_audio_transcription.completed")
    caller.send("response.create")
    caller.until("response.done")


def telephone(caller: Client) -> None:
    wire = {"format": {"type": "audio/pcmu"}}
    set_session(caller, audio={"input": wire, "output": wire})
    sound = speech(500, rate_hz=8000) + silence(900, rate_hz=8000)
    caller.append(encode_audio(sound, "g711_ulaw"))
    caller.until("response.done")


def call_tools(caller: Client) -> None:
    caller.say("Weather in Oslo and Rome?")
    _, *calls = caller.until("response.done")["response"]["output"]
    for call in calls:
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        caller.send("conversation.item.create", item=output)
        caller.until("conversation.item.done")
    caller.send("response.create")
    caller.until("response.done")


def cancel(caller: Client) -> None:
    caller.say("Talk!")
    for _ in range(SPOKEN_PIECES):
        caller.until("response.output_audio.delta")
    caller.send("response.cancel")
    caller.until("response.done")
    caller.send("response.cancel")
    caller.until("error")


def barge_in(caller: Client) -> None:
    set_input(caller, turn_detection={"type": "server_vad", "create_response": False})
    caller.say("Talk!")
    for _ in range(SPOKEN_PIECES):
        caller.until("response.output_audio.delta")
    caller.append(TURN)
    caller.until("conversation.item.done")
    item_id = caller.of("response.output_item.added")[0]["item"]["id"]
    caller.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=350)
    caller.until("conversation.item.truncated")
    caller.send("conversation.item.retrieve", item_id=item_id)
    caller.until("conversation.item.retrieved")


def edit(caller: Client) -> None:
    content = [{"type": "input_text", "text": "one"}]
    message = {"type": "message", "role": "user", "content": content}
    caller.send("conversation.item.create", item={**message, "id": "mine"})
    caller.send("conversation.item.create", item=message, previous_item_id="root")
    caller.send("conversation.item.create", item=message, previous_item_id="nowhere")
    caller.send("conversation.item.retrieve", item_id="mine")
    caller.send("conversation.item.delete", item_id="mine")
    caller.send("conversation.item.delete", item_id="mine")
    caller.until("conversation.item.deleted")
    caller.until("error")


def respond_out_of_band(caller: Client) -> None:
    content = [{"type": "input_text", "text": "What is this about?"}]
    given = [{"type": "message", "role": "user", "content": content}]
    caller.send(
        "response.create",
        response={"conversation": "none", "metadata": {"topic": "yes"}, "input": given},
    )
    caller.until("response.done")


def reach_the_limit(caller: Client) -> None:
    caller.send("response.create", response={"max_output_tokens": 20})
    caller.until("response.done")


def send_nonsense(caller: Client) -> None:
    caller.until("session.created")
    for nonsense in ("{", "[]", '{"type": "unheard.of"}', b"\x00\x01"):
        caller.socket.send(nonsense)
        caller.until("error")
    caller.send("session.update", session={"type": "realtime", "speed": 7})
    caller.until("error")


def wait_for_the_end(caller: Client) -> None:
    while True:
        caller.next()


@frozen
class Scenario:
    """A server, and what its client does."""

    server: Callable[[], RealtimeServer]
    act: Callable[[Client], None]
    headers: dict[str, str] | None = None


def scripted(*replies: Any, heard: tuple[str, ...] = (), **options: Any) -> Any:
    """Make a server that answers with these; without any, it repeats what was said."""
    return lambda: RealtimeServer.scripted(replies or None, heard=heard, **options)


_CALLS = (
    ["Let me see.", Call("weather", {"city": "Oslo"}), Call("weather", {"city": "Rome"})],
    "It is sunny.",
)
_BETA = {"OpenAI-Beta": "realtime=v1"}

SCENARIOS: Final = {
    "barge_in": Scenario(holding, barge_in),
    "beta": Scenario(scripted("Hello."), write, _BETA),
    "beta_tools": Scenario(scripted(*_CALLS), write, _BETA),
    "by_hand": Scenario(scripted(heard=("Good morning.",)), commit_by_hand),
    "by_meaning": Scenario(scripted(heard=("Good morning.",)), speak_in_turns_by_meaning),
    "cancelled": Scenario(holding, cancel),
    "edited": Scenario(scripted(), edit),
    "expired": Scenario(
        scripted(options=ConversationOptions(max_session_seconds=0.1)), wait_for_the_end
    ),
    "failed": Scenario(lambda: RealtimeServer.scripted([]), write),
    "nonsense": Scenario(scripted(), send_nonsense),
    "out_of_band": Scenario(scripted("About frames."), respond_out_of_band),
    "spoken": Scenario(scripted(heard=("Good morning.", "Good bye."), character_ms=10), speak),
    "spoken_for_whisper": Scenario(
        scripted(heard=("Good morning.",)), speak_for_whisper_without_an_answer
    ),
    "telephone": Scenario(scripted("Hello.", heard=("Hi.",), character_ms=100), telephone),
    "tools": Scenario(scripted(*_CALLS), call_tools),
    "too_long": Scenario(scripted("A very long story, told slowly. " * 20), reach_the_limit),
    "written": Scenario(scripted("Hello there. How are you?"), write),
    "written_for_a_text": Scenario(scripted("Hello there."), write_for_a_text),
}


# --- the frames ------------------------------------------------------------------------------


def frames_of(scenario: Scenario) -> list[Any]:
    """Let a scenario happen. Return all that the client was sent, without what changes."""
    with scenario.server() as server:
        ending = []
        with client(server, additional_headers=scenario.headers) as caller:
            try:
                scenario.act(caller)
            except ConnectionClosed as closed:
                ending = [{"closed": closed.rcvd and [closed.rcvd.code, closed.rcvd.reason]}]
    known: dict[str, str] = {}
    return [_plain(each, known) for each in [*caller.received, *ending]]


def recorded(name: str) -> list[Any]:
    """Return the frames that a scenario has had."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


_ID = re.compile(r"\b(item|resp|call|conv|sess)_([0-9a-f]{18})\b")


def _plain(value: Any, known: dict[str, str], name: str = "") -> Any:
    """A part of a frame with ids by the order in which they come, and audio by its length."""
    match value:
        case dict():
            return {key: _plain(each, known, key) for key, each in value.items()}
        case list():
            return [_plain(each, known, name) for each in value]
        case str() if name == "event_id":
            return "event"
        case str() if (name == "delta" and len(value) > 500) or name == "audio":
            return f"<{len(value)} characters of audio>"
        case str():
            return _ID.sub(lambda found: _numbered(found, known), value)
        case int() | float() if name in ("expires_at", "remaining", "reset_seconds"):
            return "<by the clock>"
        case _:
            return value


def _numbered(found: re.Match[str], known: dict[str, str]) -> str:
    kind = found[1]
    order = sum(each.startswith(kind) for each in known) + 1
    return known.setdefault(found[0], f"{kind}_{order}")


def main() -> None:
    """Write all frames anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, scenario in SCENARIOS.items():
        lines = [json.dumps(frame) for frame in frames_of(scenario)]
        (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
