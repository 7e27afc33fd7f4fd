"""What a session makes of a server that says what nobody understands."""

from __future__ import annotations

import json
import queue
import random
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors.events import AudioEvent, ErrorEvent, RawModelEvent
from realtime_actors.protocol import MalformedEvent
from realtime_actors.testing import ScriptedTransport
from tests.session.wire import Wire, audio_delta, item_added, response_created, transcript_delta

COUNT = 10_000
UNKNOWN_TYPES = ("response.dance", "conversation.item.smell", "ping", "session.mood.updated", "")
KNOWN = (
    item_added("i9", "assistant", {"type": "output_audio", "transcript": None}),
    transcript_delta("Hi", "i9", "r9"),
    audio_delta("i9", 20, "r9"),
    {"type": "conversation.item.done", "item": {"id": "i9", "type": "message", "role": "user"}},
    {"type": "conversation.item.deleted", "item_id": "i9"},
    {"type": "conversation.item.truncated", "item_id": "i9", "audio_end_ms": 5},
    {"type": "conversation.item.retrieved", "item": {"id": "i9", "type": "hologram"}},
    {"type": "conversation.item.input_audio_transcription.delta", "item_id": "i9", "delta": "H"},
    {"type": "conversation.item.input_audio_transcription.failed", "item_id": "i9", "error": {}},
    {"type": "input_audio_buffer.committed", "item_id": "i9", "previous_item_id": "i8"},
    {"type": "input_audio_buffer.speech_started", "item_id": "i9", "audio_start_ms": 1},
    {"type": "input_audio_buffer.speech_stopped", "item_id": "i9", "audio_end_ms": 2},
    {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "limit": 1}]},
    {"type": "response.output_audio.done", "response_id": "r9", "item_id": "i9"},
    {"type": "response.output_item.done", "response_id": "r9", "item": {"type": "function_call"}},
    {"type": "response.function_call_arguments.done", "call_id": "c9", "arguments": None},
    {"type": "response.done", "response": {"id": "r9", "status": "vanished", "output": []}},
    {"type": "error", "error": {"type": "odd", "code": "unheard_of", "message": "no"}},
)
ODD_VALUES: tuple[Any, ...] = (None, "", "nobody_knows", -1, 1.5, True, [], {}, [None], {"x": 1})


def strange(chance: random.Random) -> Wire:
    """An event of a type that nobody knows, or a known one with a part that is odd."""
    if chance.random() < 0.2:
        return {"type": chance.choice(UNKNOWN_TYPES), "value": chance.choice(ODD_VALUES)}
    event: Wire = json.loads(json.dumps(chance.choice(KNOWN)))
    inner = chance.choice([event, *(each for each in event.values() if isinstance(each, dict))])
    names = [name for name in inner if name != "type" or inner is not event]
    match chance.randrange(3):
        case 0 if names:
            del inner[chance.choice(names)]
        case 1 if names:
            inner[chance.choice(names)] = chance.choice(ODD_VALUES)
        case _:
            inner["invented"] = chance.choice(ODD_VALUES)
    return event


@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_strange_events_hold_up_nothing(seed: int) -> None:
    chance = random.Random(seed)
    said = [strange(chance) for _ in range(COUNT)]
    raw: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with ScriptedTransport(strict=False) as script:
        session = ra.run(ra.agent(), transport=script, model_config={"url": "ws://127.0.0.1:1/"})
        with session:
            session.subscribe(raw, raw=True)

            script.emit(*said)
            script.emit(response_created("real"), audio_delta("i1", 20, "real"))

            told: list[object] = []
            while not is_audio_of("real", told[-1:]):
                told.append(raw.get(timeout=20).event)
            assert session.is_alive()
            session.send_message("Still there?")
            assert "conversation.item.create" in script.sent_types

    handed_on = [event.event for event in told if isinstance(event, RawModelEvent)]
    assert len(handed_on) == COUNT + 2
    in_order = zip(said, handed_on, strict=False)
    assert all(event.type == given["type"] for given, event in in_order if is_event(event))
    # What is wrong is told once for each kind, however much of it comes in a minute.
    malformed = [event for event in handed_on if isinstance(event, MalformedEvent)]
    kinds = {event.kind for event in malformed}
    kinds |= {f"{event.type}: ignored" for event in handed_on if event.ignored}
    invalid = [e for e in told if isinstance(e, ErrorEvent) and e.error.type == "invalid_event"]
    assert len(invalid) == len(kinds) < 40
    # Only what could be no event at all is called one that is not valid.
    assert len(malformed) < COUNT / 4


def is_event(event: object) -> bool:
    return not isinstance(event, MalformedEvent)


def is_audio_of(response_id: str, events: list[object]) -> bool:
    return any(
        isinstance(event, AudioEvent) and event.response_id == response_id for event in events
    )


def test_what_is_no_json_holds_up_nothing_either_and_each_kind_is_told_once() -> None:
    junk: list[str | bytes] = [
        "{",
        "[]",
        "null",
        '"response.created"',
        b"\xff\xfe",
        '{"type": 7}',
        "{}",
    ]
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with ScriptedTransport(strict=False) as script:
        session = ra.run(ra.agent(), transport=script, model_config={"url": "ws://127.0.0.1:1/"})
        with session:
            session.subscribe(told, only=(AudioEvent, ErrorEvent))
            script.emit(*junk * 100)
            script.emit(response_created(), audio_delta())

            heard: list[Any] = []
            while not heard or not isinstance(heard[-1], AudioEvent):
                heard.append(told.get(timeout=10).event)

    # Not JSON; no object (three of them); no type (the last two).
    assert [(each.error.type, each.error.message.split(":")[0]) for each in heard[:-1]] == [
        ("invalid_event", "it is not JSON"),
        ("invalid_event", "an event is a JSON object, not a list"),
        ("invalid_event", "it has no type"),
    ]
