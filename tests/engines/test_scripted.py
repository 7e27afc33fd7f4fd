"""Engines that follow a script."""

from __future__ import annotations

import pytest

from realtime_actors.items import user_message
from realtime_actors.server.engines import (
    BrainOutput,
    BrainRequest,
    EngineError,
    Finished,
    TextDelta,
    ToolCallDelta,
    Transcript,
)
from realtime_actors.server.engines.scripted import Call, ScriptedBrain, ScriptedRecognizer

HELLO = BrainRequest(items=(user_message("Hello there"),))


def answers(brain: ScriptedBrain, request: BrainRequest = HELLO) -> list[BrainOutput]:
    return list(brain.respond(request))


def test_replies_come_in_their_order_and_then_it_is_over() -> None:
    brain = ScriptedBrain(
        [
            "Good morning.",
            Call("weather", {"city": "Rome"}),
            ["One moment.", Call("weather"), Call("time")],
            lambda request: f"{len(request.items)} item",
        ]
    )

    assert answers(brain) == [TextDelta("Good "), TextDelta("morning."), Finished()]
    assert answers(brain) == [
        ToolCallDelta(index=0, name="weather", arguments='{"city": "Rome"}'),
        Finished(),
    ]
    assert answers(brain) == [
        TextDelta("One "),
        TextDelta("moment."),
        ToolCallDelta(index=0, name="weather", arguments="{}"),
        ToolCallDelta(index=1, name="time", arguments="{}"),
        Finished(),
    ]
    assert answers(brain) == [TextDelta("1 "), TextDelta("item"), Finished()]
    with pytest.raises(EngineError, match="the script is over"):
        answers(brain)


def test_without_a_script_it_repeats_what_was_said() -> None:
    said = "".join(each.text for each in answers(ScriptedBrain()) if isinstance(each, TextDelta))

    assert said == "You said: Hello there"


def test_a_reply_that_is_cancelled_is_not_finished() -> None:
    assert list(ScriptedBrain(["Hello."]).respond(HELLO, cancelled=lambda: True)) == []


def test_a_recogniser_hears_what_it_was_told_to_hear() -> None:
    recognizer = ScriptedRecognizer(["Hello.", "Goodbye."])

    heard = [recognizer.transcribe(b"\0\0") for _ in range(3)]

    assert heard == [Transcript(text="Hello."), Transcript(text="Goodbye."), Transcript(text="")]
