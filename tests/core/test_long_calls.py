"""What is remembered in a long call, and what of that still counts."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import BargeIn
from realtime_actors.core.effects import RunGuardrails, SetTimer
from realtime_actors.core.guardrails.guarding import guardrail_timer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import GuardrailsFinished, TimerFired
from realtime_actors.core.recent import LATELY, Recent, RecentSet
from realtime_actors.events import InputTranscriptEvent, ToolStartEvent
from tests.core.joined import NO_PRICES, SILENCE
from tests.core.machine import (
    added,
    after,
    agent_with,
    ask,
    committed,
    created,
    done,
    empty,
    heard,
    live,
    only,
    output_added,
    play,
    spoken,
    transcript,
    transcript_done,
    user_words,
    written,
)
from tests.core.sizes import sizes

SOME, MANY = 200, 1_000


def silent_turns(machine: SessionMachine, turns: int) -> SessionMachine:
    """As many turns as a server tells that shows no item, ends no part and answers nothing."""
    for number in range(len(machine.history), len(machine.history) + turns):
        response, item, user = f"r{number}", f"a{number}", f"u{number}"
        after(
            machine,
            wire.InputAudioBufferSpeechStarted(item_id=user, audio_start_ms=0),
            wire.InputAudioBufferSpeechStopped(item_id=user, audio_end_ms=0),
            wire.ResponseCreated(response=wire.Response(id=response)),
            wire.ResponseOutputAudioDelta(
                response_id=response, item_id=item, content_index=0, delta=SILENCE
            ),
            wire.ResponseOutputAudioTranscriptDelta(
                response_id=response, item_id=item, content_index=0, delta="Good morning."
            ),
            wire.ResponseFunctionCallArgumentsDone(
                response_id=response,
                item_id=f"c{number}",
                call_id="call_0",
                name="time",
                arguments="{}",
            ),
            ask(messages.Interrupt()),
            wire.ResponseDone(response=wire.Response(id=response, status="cancelled")),
            wire.ResponseOutputAudioDelta(
                response_id=response, item_id=item, content_index=0, delta=SILENCE
            ),
            wire.ResponseOutputTextDelta(
                response_id=f"never {number}", item_id=f"n{number}", content_index=0, delta="..."
            ),
            wire.InputAudioBufferSpeechStopped(item_id=f"unheard {number}", audio_end_ms=0),
            *[wire.ConversationItemDeleted(item_id=f"d{number}_{each}") for each in range(5)],
            TimerFired(guardrail_timer(response)),
            at=60.0 * number,
        )
    return machine


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"output_guardrails": (NO_PRICES,)},
        {"output_guardrails": (NO_PRICES,), "guardrails_settings": {"mode": "hold"}},
        {"playback_reported": True},
        {"barge_in": BargeIn(mode="off"), "stall_timeout": 3.0},
    ],
)
def test_what_is_known_of_an_item_is_all_that_grows_where_a_server_leaves_out_what_it_can(
    options: dict[str, Any],
) -> None:
    machine = silent_turns(live(**options), SOME)
    after_some = sizes(machine, conversation=False)

    silent_turns(machine, MANY - SOME)

    assert len(machine.history) > SOME
    assert sizes(machine, conversation=False) - after_some == {}


def passed(response_id: str, text: str) -> GuardrailsFinished:
    return GuardrailsFinished(response_id=response_id, item_id="a", text=text)


class TestWhatIsLongOver:
    """More has come since than is remembered of any kind."""

    def test_a_turn_that_is_told_again_does_not_end_again(self) -> None:
        machine = after(live(), committed("u"), added(heard("u")), user_words("Hello!", "u"))
        after(machine, *[committed(f"u{each}") for each in range(2 * LATELY)])
        after(machine, *[user_words("Well.", f"u{each}") for each in range(2 * LATELY)])

        retrieved = play(machine, wire.ConversationItemRetrieved(item=heard("u", "Hello!")))
        again = play(machine, user_words("Hello!", "u"))

        assert only(InputTranscriptEvent, [*retrieved, *again]) == []

    def test_an_answer_that_is_told_again_is_not_judged_as_part_of_another_one(self) -> None:
        machine = live(output_guardrails=(NO_PRICES,))
        after(machine, created("r"), transcript("It costs $5.", "a", response_id="r"))
        after(machine, transcript_done("It costs $5.", "a", response_id="r"), done("r"))
        after(machine, passed("r", "It costs $5."))
        for each in range(2 * LATELY):
            response = f"r{each}"
            after(machine, created(response), output_added(empty(f"a{each}"), response_id=response))
            after(machine, done(response))
        after(machine, created("now"))

        again = wire.ConversationItemRetrieved(item=spoken("a", "It costs $5."))
        effects = play(machine, again, done("now"))

        assert [each for each in effects if isinstance(each, RunGuardrails)] == []

    def test_what_the_program_has_said_is_not_awaited_in_words(self) -> None:
        machine = after(live(), ask(messages.AddItem(heard("u", "Hello!"))), added(heard("u")))
        for each in range(2 * LATELY):
            after(machine, ask(messages.AddItem(written(f"u{each}"))), added(written(f"u{each}")))

        effects = play(machine, wire.ConversationItemRetrieved(item=heard("u")))

        assert only(InputTranscriptEvent, effects) == []
        assert not any(isinstance(each, SetTimer) for each in effects)

    def test_calls_that_a_server_numbers_anew_in_each_response_have_names_of_their_own(
        self,
    ) -> None:
        machine = silent_turns(live(agent_with("time")), 3 * LATELY)
        names: list[str] = []
        for each in range(3 * LATELY):
            response, item = f"s{each}", f"x{each}"
            called = wire.ResponseFunctionCallArgumentsDone(
                response_id=response, item_id=item, call_id="call_0", name="time", arguments="{}"
            )
            effects = play(machine, created(response), called, done(response))
            names += [event.call_id for event in only(ToolStartEvent, effects)]

        assert len(set(names)) == len(names) == 3 * LATELY


class TestRecent:
    def test_the_oldest_is_forgotten(self) -> None:
        gone: list[tuple[str, int]] = []
        recent: Recent[str, int] = Recent(2, forgotten=lambda key, value: gone.append((key, value)))

        for number, key in enumerate("abac"):
            recent[key] = number

        assert (recent, gone) == ({"a": 2, "c": 3}, [("b", 1)])

    def test_a_default_is_new_too(self) -> None:
        recent: Recent[str, list[int]] = Recent(2)

        for key in "abac":
            recent.setdefault(key, []).append(1)

        assert recent == {"b": [1], "c": [1]}

    def test_a_set_takes_many_at_once(self) -> None:
        recent: RecentSet[int] = RecentSet(3)

        recent.add_all(range(10))
        recent.discard(8)
        recent.discard(8)

        assert list(recent) == [7, 9]
