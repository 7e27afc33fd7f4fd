"""Anything in any order: the core never raises, and its rules hold.

What the server says here makes no sense as a whole: responses end that never began,
calls come twice, items follow each other in circles. (What a server does that makes
sense is in `test_joined`.)
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import OFF, GuardrailsSettings, TurnDetectionConfig
from realtime_actors.core.effects import Effects, Refuse
from realtime_actors.core.messages import (
    Asked,
    ConnectionLost,
    GuardrailsFinished,
    HookFailed,
    TimerFired,
)
from realtime_actors.core.response import ANSWER_TIMER, RETRY_TIMER
from realtime_actors.core.session import SessionMachine
from realtime_actors.core.tool_calls import tool_timer
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.hooks import AgentHooks
from tests.core.invariants import Watch
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    agent_with,
    already_active,
    arguments_done,
    ask,
    call_item,
    committed,
    created,
    creates,
    done,
    empty,
    finished,
    handed_over,
    heard,
    item_done,
    live,
    output_added,
    output_done,
    play,
    refused,
    say,
    speech,
    speech_done,
    spoken,
    text,
    times,
    transcript,
    transcript_done,
    updated,
    user_speaks,
    user_stops,
    user_words,
    written,
)

BILLING = agent_with("weather", name="Billing")
DESK = Agent(
    name="Desk",
    tools=agent_with("weather").tools,
    handoffs=[BILLING],
    output_guardrails=[OutputGuardrail(name="no_prices", check=lambda text: "$" in text)],
    hooks=AgentHooks(),
)

responses = st.sampled_from(["r1", "r2", "r3"])
items = st.sampled_from(["i1", "i2", "u1", "u2"])
calls = st.sampled_from(["c1", "c2", "c3"])
names = st.sampled_from(["weather", "transfer_to_billing", "dance"])
sentences = st.sampled_from(["Hi", "It costs $5. ", "Good morning, how are you?", ""])
milliseconds = st.integers(0, 800)
event_ids = st.one_of(st.none(), st.integers(1, 12).map("ra_{}".format))


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


call_items = st.builds(
    call_item,
    maybe(calls),
    names,
    st.sampled_from(["{}", '{"city": "Ro', ""]),
    st.sampled_from(["completed", "incomplete", "in_progress", None]),
)
any_item = st.one_of(
    call_items,
    st.builds(empty, items),
    st.builds(spoken, items, maybe(sentences)),
    st.builds(heard, items, maybe(sentences)),
    st.builds(written, maybe(items), sentences),
)
turn_detection = st.sampled_from(
    [None, OFF, TurnDetectionConfig(), TurnDetectionConfig(interrupt_response=False)]
)

server_events = st.one_of(
    st.builds(
        created,
        responses,
        conversation_id=st.sampled_from(["conv1", "conv1", None]),
        metadata=st.sampled_from([None, {"topic": "mood"}]),
    ),
    st.builds(
        done,
        responses,
        st.sampled_from(["completed", "cancelled", "failed", "incomplete"]),
    ),
    st.builds(lambda response_id, item: done(response_id, "completed", item), responses, any_item),
    st.builds(speech, items, milliseconds, response_id=responses, content_index=st.integers(0, 1)),
    st.builds(speech_done, items, response_id=responses),
    st.builds(transcript, sentences, items, response_id=responses),
    st.builds(transcript_done, sentences, items, response_id=responses),
    st.builds(text, sentences, items, response_id=responses),
    st.builds(output_added, any_item, responses),
    st.builds(output_done, any_item, responses),
    st.builds(arguments_done, maybe(calls), maybe(names), response_id=responses),
    st.builds(added, any_item, maybe(items)),
    st.builds(item_done, any_item, maybe(items)),
    st.builds(committed, items, maybe(items)),
    st.builds(user_words, sentences, items),
    st.builds(user_speaks, maybe(items)),
    st.builds(user_stops, maybe(items)),
    st.builds(updated, turn_detection=turn_detection),
    st.builds(already_active, event_ids),
    st.builds(
        refused,
        event_id=event_ids,
        param=st.sampled_from([None, "session.voice", "response.tools", "item"]),
    ),
    st.builds(wire.ConversationItemDeleted, item_id=items),
    st.builds(wire.ConversationItemTruncated, item_id=items, audio_end_ms=milliseconds),
    st.builds(wire.MalformedEvent, reason=st.just("no")),
    st.builds(wire.UnknownEvent, type=st.just("x"), raw=st.just({})),
)
verbs = st.one_of(
    st.builds(messages.SendMessage, sentences),
    st.just(messages.Interrupt()),
    st.just(messages.History()),
    st.builds(messages.CreateResponse, instructions=maybe(sentences)),
    st.just(messages.CreateResponse(conversation="none", metadata={"topic": "mood"})),
    st.just(messages.SendRawEvent({"type": "response.create"})),
    st.just(messages.SendRawEvent({"type": "session.update"})),
    st.builds(
        messages.UpdateSession, st.fixed_dictionaries({"voice": st.sampled_from(["a", "b"])})
    ),
    st.builds(
        messages.PlaybackPosition,
        items,
        st.integers(0, 1),
        st.floats(-100, 1000),
        absolute=st.booleans(),
    ),
).map(lambda verb: Asked(verb, None))
findings = st.one_of(
    st.builds(finished, calls),
    st.builds(
        handed_over,
        st.sampled_from([DESK, BILLING]),
        calls,
        maybe(st.lists(any_item, max_size=3).map(tuple)),
    ),
    st.builds(
        GuardrailsFinished,
        response_id=responses,
        item_id=items,
        text=sentences,
        guardrail=st.sampled_from([None, "no_prices"]),
    ),
    st.builds(
        TimerFired,
        st.one_of(
            st.sampled_from([ANSWER_TIMER, RETRY_TIMER]),
            calls.map(tool_timer),
            st.tuples(st.just("update"), event_ids.filter(bool)),
        ),
    ),
    st.just(HookFailed("on_start", "no")),
)
steps = st.tuples(st.one_of(server_events, server_events, verbs, findings), st.floats(0, 0.5))
traces = st.lists(steps, max_size=80)
modes = st.fixed_dictionaries({"parallel_tools": st.booleans(), "playback_reported": st.booleans()})


def machine(**options: bool) -> SessionMachine:
    return live(
        DESK,
        tool_timeout=5.0,
        guardrails_settings=GuardrailsSettings(debounce_text_length=8),
        **options,
    )


def run(
    trace: list[tuple[AnyMessage, float]], watch: Watch, **options: bool
) -> tuple[SessionMachine, list[Effects]]:
    """Play a trace, each caller a different one; check every step."""
    session, now, history = machine(**options), 0.0, []
    for number, (message, pause) in enumerate(trace):
        now += pause
        if isinstance(message, Asked):
            message = Asked(message.verb, number)
        effects = session.handle(message, now)
        watch.step(message, effects)
        history.append(effects)
    return session, history


def told(history: list[Effects]) -> list[object]:
    """Effects that can be compared: two exceptions are never equal."""
    return [
        (effect.caller, str(effect.error)) if isinstance(effect, Refuse) else effect
        for effects in history
        for effect in effects
    ]


@times(5)
@given(trace=traces, mode=modes, close=st.booleans())
def test_the_rules_hold_in_any_order(trace, mode, close) -> None:
    watch = Watch()
    session, _ = run(trace, watch, **mode)
    ends: list[AnyMessage] = [ask(messages.Close(), "the end")]
    if not close:
        ends.insert(0, ConnectionLost(code=1006, reason="gone"))
    for end in ends:
        watch.step(end, session.handle(end, 100.0))

    for late in (say(), finished(), speech(), created(), updated(), done()):
        watch.step(late, session.handle(late, 101.0))

    watch.at_the_end()


@given(trace=traces, mode=modes)
def test_the_same_trace_gives_the_same_effects(trace, mode) -> None:
    first, second = (run(trace, Watch(), **mode) for _ in range(2))

    assert told(first[1]) == told(second[1])
    assert first[0].history == second[0].history


@times(4)
@given(trace=traces, mode=modes)
def test_whatever_happened_the_next_wish_is_granted(trace, mode) -> None:
    session, _ = run(trace, Watch(), **mode)

    # Everything that is open comes to its end: then nothing is in the way any more.
    for number in range(20):
        after(session, *[finished(call_id) for call_id in ("c1", "c2", "c3", "item_None")])
        after(session, *[updated() for _ in range(len(trace))])
        after(session, *[done(response_id) for response_id in ("r1", "r2", "r3")])
        after(session, TimerFired(RETRY_TIMER), created(f"x{number}"), done(f"x{number}"))

    assert creates(play(session, created("y"), done("y"))) == 0, "something is wanted for ever"
    assert creates(session.handle(say(), 1000.0)) == 1


@given(trace=traces, mode=modes)
def test_the_history_has_each_item_once(trace, mode) -> None:
    session, _ = run(trace, Watch(), **mode)

    ids = [item.id for item in session.history if item.id is not None]

    assert len(ids) == len(set(ids))
