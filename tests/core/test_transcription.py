"""A session that only listens: told to the server so, and without responses."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.messages import AgentResolved, Connected, Started
from realtime_actors.errors import ConfigError
from realtime_actors.items import system_message
from tests.core.machine import (
    AGENT,
    after,
    ask,
    committed,
    live,
    new,
    only,
    play,
    refusal,
    resolve,
    say,
    sent_types,
    updated,
)


def test_every_update_says_of_what_type_the_session_is() -> None:
    machine = new(session_type="transcription")

    start = play(machine, Started(), Connected(), AgentResolved(resolve(AGENT)))
    after(machine, updated())
    change = ask(messages.UpdateSession({"turn_detection": "off"}))

    for effects in (start, machine.handle(change, now=0.0)):
        (update,) = only(wire.SessionUpdate, effects)
        assert update.session_type == "transcription"


@pytest.mark.parametrize(
    "wish",
    [
        say(),
        ask(messages.CreateResponse()),
        ask(messages.CreateResponse(conversation="none")),
        ask(messages.SendRawEvent({"type": "response.create"})),
    ],
)
def test_who_asks_for_a_response_is_refused(wish) -> None:
    effects = live(session_type="transcription").handle(wish, now=0.0)

    assert isinstance(refusal(effects), ConfigError)
    assert sent_types(effects) == []


def test_everything_else_goes_on() -> None:
    machine = live(session_type="transcription")

    assert sent_types(machine.handle(ask(messages.CommitAudio()), now=0.0)) == [
        "input_audio_buffer.commit"
    ]
    assert sent_types(machine.handle(ask(messages.AddItem(system_message("x"))), now=0.0)) == [
        "conversation.item.create"
    ]
    assert sent_types(machine.handle(committed("u1"), now=0.0)) == []
