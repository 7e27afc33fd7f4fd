"""Nothing that a server sends ends a session: every event, damaged, in every state.

`test_anything` (protocol) shows that reading never raises, and `test_random_orders` that no
order of sound events breaks a rule. Here events have indices that no list has, numbers that
are none, other types and other lengths, and meet a session that is in the middle of something.
What was found is kept as an example.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import BargeIn, GuardrailsSettings, TranscriptionConfig
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import Effects, End, Send
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ConnectionLost, StandbyOpened, TimerFired
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.items import McpApprovalRequestItem, user_message
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    agent_with,
    answers,
    ask,
    call_item,
    called,
    committed,
    created,
    done,
    empty,
    handed_over,
    heard,
    interrupt,
    live,
    new,
    only,
    output_added,
    output_done,
    say,
    speech,
    speech_done,
    spoken,
    times,
    transcript,
    updated,
    user_speaks,
    written,
)
from tests.protocol.samples import BETA_STANDARD, GA, GA_STANDARD, SERVER_SAMPLES, places

CEDAR = agent_with(name="Cedar", voice="cedar")
BILLING = agent_with(name="Billing")
DESK = Agent(
    name="Desk",
    tools=agent_with("weather").tools,
    voice="marin",
    handoffs=[BILLING, Handoff(CEDAR, voice="reconnect")],
    output_guardrails=[OutputGuardrail(name="no_prices", check=lambda text: False)],
    input_guardrails=[InputGuardrail(name="no_names", check=lambda text: False)],
)
REQUEST = McpApprovalRequestItem(id="m1", server_label="bank", name="pay", arguments="{}")
OPENED = StandbyOpened(attempt=1, answer=updated(voice="cedar"))
SPEAKING = (created("r1"), output_added(spoken("i1", "right")), speech("i1"), transcript("Hi"))


def state(*trace: AnyMessage, **options: Any) -> Callable[[], SessionMachine]:
    """A session in the middle of something."""
    whole = {"max_duration": 600.0, "idle_timeout": 60.0, **options}
    return lambda: after(live(DESK, **whole), added(written("u1", "Hi")), *trace)


STATES: dict[str, Callable[[], SessionMachine]] = {
    "nothing has happened": lambda: new(DESK),
    "at rest": state(),
    "a response is asked for": state(say()),
    "a response in progress": state(say(), created("r1")),
    "an item without content": state(created("r1"), output_added(empty("i1"))),
    "the model speaks": state(*SPEAKING),
    "speech that is held back": state(
        *SPEAKING, guardrails_settings=GuardrailsSettings(mode="hold", debounce_text_length=1)
    ),
    "the echo is followed": state(*SPEAKING, barge_in=BargeIn(mode="gated")),
    "an answer that was interrupted": state(*SPEAKING, interrupt()),
    "half of a sample waits": state(*SPEAKING, evolve(speech("i1"), delta=b"abc")),
    "out of band": state(
        ask(messages.CreateResponse(conversation="none", metadata={"a": "b"})),
        created("r1", conversation_id=None, metadata={"a": "b"}),
    ),
    "a call is open": state(created("r1"), called("c1"), done("r1")),
    "a call that is being made": state(
        created("r1"), output_added(call_item("c1", arguments="", status="in_progress"))
    ),
    "a call waits for approval": state(created("r1"), output_done(REQUEST)),
    "a handoff is under way": state(
        created("r1"), called("c1", "transfer_to_billing"), handed_over(BILLING, history=())
    ),
    "a handoff to another connection": state(
        *SPEAKING,
        speech_done("i1"),
        called("c1", "transfer_to_cedar"),
        done("r1"),
        handed_over(CEDAR, history=()),
        OPENED,
    ),
    "the user speaks": state(user_speaks("u2")),
    "words are awaited": state(
        updated(input_audio_transcription=TranscriptionConfig(model="whisper-1")),
        user_speaks("u2"),
        committed("u2", "u1"),
        added(heard("u2"), "u1"),
    ),
    "the conversation is being edited": state(
        ask(messages.AddItem(user_message("New."))), ask(messages.UpdateHistory(()))
    ),
    "the settings are being changed": state(ask(messages.UpdateSession({"speed": 1.2}))),
    "the connection is lost": state(*SPEAKING, ConnectionLost(code=1006)),
}

NUMBERS: list[Any] = [
    *[-1, -(2**31), 2**31, 10**9, 2**53, 2**63, 2**64, 10**400, -(10**400), 65_536],
    *[math.nan, math.inf, -math.inf, 1e308, -1e308, 0.5, -0.0, True],
]
OTHERS: list[Any] = [
    None,
    "",
    "0",
    "-1",
    "\ud83d",
    "x" * 5_000,
    [],
    [[]],
    [None] * 300,
    {},
    {"a": 1},
]
IDS: dict[str, list[Any]] = {
    "response_id": ["r1", "r2"],
    "item_id": ["i1", "u1", "u2", "item_c1", "m1"],
    "previous_item_id": ["i1", "u1", None],
    "call_id": ["c1", "c2"],
}


def at_home(value: Any, draw: st.DrawFn) -> None:
    """Make what a sample is about something that the session knows."""
    if isinstance(value, dict):
        for name in value:
            if name in IDS:
                value[name] = draw(st.sampled_from(IDS[name]))
            at_home(value[name], draw)
        if value.get("object") in ("realtime.item", "realtime.response"):
            known = IDS["item_id" if value["object"] == "realtime.item" else "response_id"]
            value["id"] = draw(st.sampled_from(known))
    elif isinstance(value, list):
        for each in value:
            at_home(each, draw)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """An event about what the session knows, of which something is wrong."""
    event = copy.deepcopy(draw(st.sampled_from(SERVER_SAMPLES)))
    at_home(event, draw)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(event) or [("type",)]))
        inner = event
        for key in way:
            inner = inner[key]
        was_number = isinstance(inner[last], int | float)
        worse = draw(st.sampled_from(NUMBERS if was_number else NUMBERS + OTHERS))
        inner[last] = copy.deepcopy(worse)  # it may be damaged in turn
    return json.dumps(event)


def check_alive(machine: SessionMachine, effects: Effects) -> None:
    """Check that it can be asked for all that it knows, and that what it sends can be sent."""
    for each in only(Send, effects):
        json.loads(GA.encode_client(each.event), parse_constant=pytest.fail)
        json.loads(GA_STANDARD.encode_client(each.event), parse_constant=pytest.fail)
    looks: list[messages.Verb] = [messages.History(), messages.Usage(), messages.CurrentAgent()]
    for look in looks if machine.phase is not Phase.ENDED else []:
        (answer,) = answers(machine.handle(ask(look), 1.0))
        assert answer is not None
    for item in machine.history:
        GA_STANDARD.encode_client(wire.ConversationItemCreate(item=item))


TIMERS = st.sampled_from([TimerFired(("tool", "c1")), TimerFired("response.answer")])
told = st.lists(damaged() | TIMERS, min_size=1, max_size=12)
INDEX = (
    '{"type": "response.output_audio_transcript.delta", "response_id": "r1", "item_id": "i1",'
    ' "output_index": 0, "content_index": -1, "delta": "hello"}'
)
USAGE = (
    '{"type": "response.done", "response": {"id": "r1", "status": "completed",'
    f' "usage": {{"total_tokens": 1{"0" * 400}, "input_tokens": NaN, "output_tokens": -1}}}}}}'
)
CUT = '{"type": "conversation.item.truncated", "item_id": "i1", "audio_end_ms": -1}'


@pytest.mark.parametrize("name", STATES)
@times(1)
@given(told=told)
@example(told=[INDEX])
@example(told=[USAGE])
@example(told=[CUT])
def test_whatever_comes_in_any_state_the_session_lives(name: str, told: list[Any]) -> None:
    for dialect in (GA, GA_STANDARD, BETA_STANDARD):
        machine, now = STATES[name](), 1.0
        for each in told:
            now += 0.5
            message = each if isinstance(each, TimerFired) else dialect.decode_server(each)
            effects = machine.handle(message, now)
            check_alive(machine, effects)
            for end in only(End, effects):  # the server may say that it is over
                assert end.error is None or isinstance(
                    message, wire.ServerError | wire.ResponseDone
                )


@times(4)
@given(st.sampled_from(SERVER_SAMPLES), st.sampled_from(NUMBERS), st.data())
def test_both_decoders_read_a_damaged_event_alike(sample: Any, number: Any, data: Any) -> None:
    event = copy.deepcopy(sample)
    *way, last = data.draw(st.sampled_from(places(event)))
    inner = event
    for key in way:
        inner = inner[key]
    inner[last] = number

    read = [dialect.decode_server(json.dumps(event)) for dialect in (GA, GA_STANDARD)]

    assert read[0] == read[1]
    assert [type(each) for each in read] == [type(read[0])] * 2
    assert read[0].ignored == read[1].ignored


def test_a_mistake_in_every_event_of_a_flood_is_told_once_a_minute() -> None:
    machine = STATES["the model speaks"]()
    bad = GA.decode_server(INDEX)

    reports = [
        only(events.ErrorEvent, machine.handle(bad, 1.0 + number / 50)) for number in range(6_000)
    ]

    assert [number for number, report in enumerate(reports) if report] == [0, 3_000]
    assert "2999 more like it" in reports[3_000][0].error.message
