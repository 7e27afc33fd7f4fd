"""What the input filter of a handoff gives is checked where it runs: the call goes on."""

from __future__ import annotations

from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors.events import AgentEndEvent, ErrorEvent, ToolEndEvent
from realtime_actors.items import MessageItem, user_message
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe
from tests.wrong import wrong

VOICES = {"refuse": (None, None), "reconnect": ("marin", "cedar")}
GOOD = {
    "items": lambda history: history[-1:],
    "texts": lambda history: ["The caller is Ada."],
    "mappings": lambda history: [{"role": "user", "content": "I am Ada."}],
    "a generator": lambda history: (item for item in history),
    "half of a character": lambda history: [user_message("\ud83d")],
    "nothing": lambda history: (),
}
BAD = {
    "a text": lambda history: "The caller is Ada.",
    "None": lambda history: None,
    "a list of None": lambda history: [None],
    "a wrong part": lambda history: [MessageItem(role="user", content=wrong(("text",)))],
    "no JSON": lambda history: [MessageItem(role="user", extra={"x": object()})],
    "other places": lambda history: tuple(reversed(history)),
    "an error": lambda history: history[99],
}


def hand_over(voice: Any, result: Any) -> Probe:
    """Hand over, after two items, and see that somebody answers the user."""
    source, target = VOICES[voice]
    sales = ra.agent(name="Sales", voice=target)
    handoff = ra.Handoff(sales, input_filter=result, voice=voice)
    desk = ra.agent(name="Desk", voice=source, handoffs=[handoff])
    script: list[Reply] = ["Hello.", Call("transfer_to_sales"), "Here I am.", "Here I am."]
    with (
        RealtimeServer.scripted(script) as server,
        ra.run(desk, model_config={"url": server.url}) as session,
    ):
        probe = Probe(session)
        for words in ("Hi!", "Sales, please."):
            session.send_message(words)
            probe.wait_for(AgentEndEvent, lambda event: event.final, timeout=15)
        assert session.connected
    return probe


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("result", GOOD)
def test_what_update_history_takes_is_taken(voice: str, result: str) -> None:
    probe = hand_over(voice, GOOD[result])

    assert [(end.output, end.error) for end in probe.all(ToolEndEvent)] == [
        ("Transferred to Sales", None)
    ]
    assert probe.all(ErrorEvent) == []
    assert probe.all(AgentEndEvent)[-1].agent.name == "Sales"


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("result", BAD)
def test_anything_else_fails_the_handoff_and_the_call_goes_on(voice: str, result: str) -> None:
    probe = hand_over(voice, BAD[result])

    (end,) = probe.all(ToolEndEvent)
    assert end.error is not None
    assert end.error.startswith("Error: ")
    assert probe.all(AgentEndEvent)[-1].agent.name == "Desk"
