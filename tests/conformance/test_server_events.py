"""What the embedded server sends is what the specification says, in both dialects."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call
from tests.conformance.specification import Specification
from tests.server.talk import Client, client, silence, speech

SPECIFICATION = Specification()
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
BETA = {"OpenAI-Beta": "realtime=v1"}


def everything(caller: Client, *, beta: bool) -> None:
    """Do all that makes the server speak."""
    if beta:
        session = {"tools": [TOOL], "input_audio_transcription": {"model": "whisper-1"}}
    else:
        input_ = {"transcription": {"model": "whisper-1"}}
        session = {"type": "realtime", "tools": [TOOL], "audio": {"input": input_}}
    caller.send("session.update", session=session)
    caller.say("What is the weather?")
    item_id = caller.until("response.done")["response"]["output"][0]["id"]
    caller.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=10)
    caller.send("conversation.item.retrieve", item_id=item_id)
    caller.send("conversation.item.delete", item_id=item_id)
    caller.until("conversation.item.deleted")
    caller.append(speech(500) + silence(900))
    caller.until("response.done")
    written = {"modalities": ["text"]} if beta else {"output_modalities": ["text"]}
    metadata = {"topic": "mood"}
    caller.send(
        "response.create", response={**written, "conversation": "none", "metadata": metadata}
    )
    caller.until("response.done")
    caller.send("response.create")
    caller.until("response.done")
    caller.send("response.cancel")
    caller.send("input_audio_buffer.clear")
    caller.until("input_audio_buffer.cleared")


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_every_event_is_as_specified(beta: bool) -> None:
    replies: list[Any] = [["One moment.", Call("weather")], "Sunny.", "happy", "Good bye."]
    scripted = RealtimeServer.scripted(replies, heard=["Thank you."], character_ms=10)
    with scripted as server, client(server, additional_headers=BETA if beta else {}) as caller:
        everything(caller, beta=beta)

    kind = "BetaWireServerEvent" if beta else "RealtimeServerEvent"
    wrong = {
        event["type"]: errors
        for event in caller.received
        if (errors := SPECIFICATION.errors(event, kind))
    }
    assert wrong == {}
    assert len(set(caller.types)) >= 25
