"""Anything in any order: the core never raises, and its rules hold.

What the server says here makes no sense as a whole: responses end that never began,
calls come twice, items follow each other in circles. (What a server does that makes
sense is in `test_joined`.)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import OFF, BargeIn, GuardrailsSettings, TurnDetectionConfig
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import Effects, Refuse
from realtime_actors.core.guardrails.guarding import guardrail_timer
from realtime_actors.core.guardrails.screening import screening_timer
from realtime_actors.core.history.transcripts import transcript_timer
from realtime_actors.core.limits import DURATION_TIMER
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    ApprovalNeeded,
    Asked,
    AudioDropped,
    ConnectionLost,
    GuardrailsFinished,
    HookFailed,
    InputScreened,
    TimerFired,
    ToolDisabled,
    ToolRefused,
    ToolsNotResolved,
    ToolsResolved,
)
from realtime_actors.core.responses.response import ANSWER_TIMER, RETRY_TIMER
from realtime_actors.core.responses.stalls import stall_timer
from realtime_actors.core.responses.turn_taking import TURN_TIMER
from realtime_actors.core.speech.audio_losses import LOSSES_TIMER
from realtime_actors.core.tools.approvals import approval_timer
from realtime_actors.core.tools.hosted_calls import hosted_timer
from realtime_actors.core.tools.offers import OFFERS_TIMER
from realtime_actors.core.tools.tool_calls import tool_timer
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.hooks import AgentHooks
from realtime_actors.items import McpApprovalRequestItem, McpCallItem, OutputAudio
from tests.core.invariants import Watch
from tests.core.machine import (
    AnyMessage,
    Timers,
    added,
    agent_with,
    already_active,
    answers,
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
    long_lists,
    only,
    output_added,
    output_done,
    output_item,
    play,
    refused,
    resolve,
    say,
    speech,
    speech_done,
    spoken,
    text,
    times,
    tool_named,
    transcript,
    transcript_done,
    updated,
    user_speaks,
    user_stops,
    user_timed_out,
    user_words,
    written,
)
from tests.core.timed import Timed

T = TypeVar("T")

SILENCE = 90.0
"""Seconds in which each thing that is wanted is answered or given up, with the settings below."""

BILLING = agent_with("weather", name="Billing")
DESK = Agent(
    name="Desk",
    tools=[evolve(tool_named("weather"), is_enabled=lambda: True)],
    handoffs=[BILLING],
    output_guardrails=[OutputGuardrail(name="no_prices", check=lambda text: "$" in text)],
    input_guardrails=[InputGuardrail(name="no_names", check=lambda text: "Ada" in text)],
    hooks=AgentHooks(),
)

RESPONSES = ("r1", "r2", "r3")
ITEMS = ("i1", "i2", "u1", "u2")
CALLS = ("c1", "c2", "c3")
OUR_CALLS = (*CALLS, "c1#2", "c2#2", "c3#2", "item_None")
"""What they are called here: of a name that comes again, the second is `#2`."""
HOSTED = ("m1", "m2")
"""Calls that the server would run, once they are approved."""
NAMES = ("weather", "transfer_to_billing", "dance")
SENTENCES = ("Hi", "It costs $5. ", "Good morning, how are you?", "")
OUTPUT_IDS = tuple(f"output_{call_id}" for call_id in OUR_CALLS)
EVENT_IDS = (None, *(f"ra_{number}" for number in range(1, 13)))
ITEMS_OR_NONE = (None, *ITEMS)


Transcription = wire.ConversationItemInputAudioTranscriptionCompleted


def each(make: Callable[..., T], *choices: Iterable[Any]) -> list[T]:
    """Everything that can be made of the choices."""
    return [make(*chosen) for chosen in itertools.product(*choices)]


CALL_ITEMS = each(
    call_item,
    (None, *CALLS),
    NAMES,
    ("{}", '{"city": "Ro', ""),
    ("completed", "incomplete", "in_progress", None),
    (None, "f1"),
)
MESSAGE_ITEMS = [
    *each(empty, ITEMS),
    *each(spoken, ITEMS, (None, *SENTENCES)),
    *each(heard, ITEMS, (None, *SENTENCES)),
    *each(written, (None, *ITEMS), SENTENCES),
]
HOSTED_ITEMS = [
    McpApprovalRequestItem(id=call_id, server_label="bank", name="transfer", arguments="{}")
    for call_id in HOSTED
]
MCP_EVENTS = (
    wire.ResponseMcpCallInProgress,
    wire.ResponseMcpCallCompleted,
    wire.ResponseMcpCallFailed,
    wire.McpListToolsFailed,
)
HOSTED_CALLS = [
    McpCallItem(
        id=item_id,
        server_label="bank",
        name="transfer",
        arguments="{}",
        output=output,
        approval_request_id=request_id,
        status=status,
    )
    for item_id in ("m3", "m4")
    for output in (None, "done")
    for request_id in (None, *HOSTED)
    for status in (None, "completed")
]
TURN_DETECTION = (None, OFF, TurnDetectionConfig(), TurnDetectionConfig(interrupt_response=False))

# One of these is chosen, and then one of its messages: what comes in many kinds comes no
# more often for that.
SERVER_EVENTS: list[Sequence[AnyMessage]] = [
    each(
        lambda response_id, named, metadata: created(
            response_id, conversation_id=named, metadata=metadata
        ),
        RESPONSES,
        ("conv1", "conv1", None),
        (None, {"topic": "mood"}),
    ),
    each(done, RESPONSES, ("completed", "cancelled", "failed", "incomplete")),
    each(done, RESPONSES, ("completed",), MESSAGE_ITEMS),
    each(done, RESPONSES, ("completed",), CALL_ITEMS),
    each(
        lambda item_id, ms, response_id, index: speech(
            item_id, ms, response_id=response_id, content_index=index
        ),
        ITEMS,
        (0, 1, 20, 700),
        RESPONSES,
        (0, 1),
    ),
    each(
        lambda item_id, response_id: speech_done(item_id, response_id=response_id), ITEMS, RESPONSES
    ),
    *[
        each(
            lambda *args, make=make: make(*args[:2], response_id=args[2]),
            SENTENCES,
            ITEMS,
            RESPONSES,
        )
        for make in (transcript, transcript_done, text)
    ],
    *[
        each(make, items, RESPONSES)
        for make in (output_added, output_done)
        for items in (MESSAGE_ITEMS, CALL_ITEMS)
    ],
    *[
        each(make, items, ITEMS_OR_NONE)
        for make in (added, item_done)
        for items in (MESSAGE_ITEMS, CALL_ITEMS)
    ],
    [*each(output_done, HOSTED_ITEMS, RESPONSES), *each(item_done, HOSTED_ITEMS, ITEMS_OR_NONE)],
    [
        *each(output_added, HOSTED_CALLS, RESPONSES),
        *each(output_done, HOSTED_CALLS, RESPONSES),
        *each(item_done, HOSTED_CALLS, ITEMS_OR_NONE),
    ],
    [
        *each(lambda kind, item_id: kind(item_id=item_id), MCP_EVENTS, ("m3", "m4")),
        *each(
            lambda response_id, item_id: wire.ResponseMcpCallArgumentsDone(
                response_id=response_id, item_id=item_id, arguments="{}"
            ),
            RESPONSES,
            ("m3", "m4"),
        ),
    ],
    each(
        arguments_done,
        (None, *CALLS),
        (None, *NAMES),
        ("{}", "{", ""),
        (None, *RESPONSES),
        (None, "f1"),
    ),
    each(committed, ITEMS, ITEMS_OR_NONE),
    each(user_words, SENTENCES, ITEMS),
    each(
        lambda item_id, words, index: Transcription(
            item_id=item_id, content_index=index, transcript=words
        ),
        ITEMS,
        (None, *SENTENCES),
        (0, 1),
    ),
    each(
        lambda item_id, words, index: wire.ConversationItemInputAudioTranscriptionDelta(
            item_id=item_id, content_index=index, delta=words
        ),
        ITEMS,
        SENTENCES,
        (0, 0, 1, 2),
    ),
    [
        *each(
            lambda item_id, words: wire.ConversationItemInputAudioTranscriptionSegment(
                item_id=item_id, text=words
            ),
            ITEMS,
            SENTENCES,
        ),
        *each(
            lambda item_id: wire.ConversationItemInputAudioTranscriptionFailed(item_id=item_id),
            ITEMS,
        ),
    ],
    each(lambda item: wire.ConversationItemRetrieved(item=item), MESSAGE_ITEMS),
    each(
        lambda kind, item_id, response_id, words: kind(
            item_id=item_id, response_id=response_id, part=OutputAudio(transcript=words)
        ),
        (wire.ResponseContentPartAdded, wire.ResponseContentPartDone),
        ITEMS,
        RESPONSES,
        (None, *SENTENCES),
    ),
    each(lambda response_id: done(response_id, "cancelled", reason="turn_detected"), RESPONSES),
    [wire.InputAudioBufferCleared()],
    [*each(user_speaks, ITEMS_OR_NONE), *each(user_stops, ITEMS_OR_NONE)],
    [wire.InputAudioBufferCleared(), *each(user_timed_out, ITEMS)],
    each(lambda how: updated(turn_detection=how), TURN_DETECTION),
    each(already_active, EVENT_IDS),
    each(
        lambda event_id, param: refused(event_id=event_id, param=param),
        (*EVENT_IDS, *OUTPUT_IDS),
        (None, "session.voice", "response.tools", "item"),
    ),
    each(lambda item_id: wire.ConversationItemDeleted(item_id=item_id), ITEMS),
    each(
        lambda item_id, ms: wire.ConversationItemTruncated(item_id=item_id, audio_end_ms=ms),
        ITEMS,
        (0, 300),
    ),
    [wire.MalformedEvent(reason="no"), wire.UnknownEvent(type="x", raw={})],
]
EDITED = [
    (),
    (written("u1", "Hi"),),
    (written(None, "In short: hello"), heard("u2", "Hi")),
    (call_item("c1"), written(None, "In short: hello"), spoken("i1", "Hi")),
    (spoken("i1"), spoken("i2"), written("u1", "Good morning, how are you?")),
    (call_item("c1"), output_item("o1", "c1", "rain"), written("u1", "Hi")),
    (output_item("o1", "c1", "rain"),),
]
"""Conversations as a program may want to have them."""

VERBS: list[list[AnyMessage]] = [
    [ask(messages.SendMessage(sentence)) for sentence in SENTENCES],
    [ask(messages.Interrupt())],
    [ask(messages.CreateResponse(instructions=sentence)) for sentence in (None, *SENTENCES)],
    [ask(messages.CreateResponse(conversation="none", metadata={"topic": "mood"}))],
    [
        ask(messages.SendRawEvent({"type": kind}))
        for kind in ("response.create", "session.update", "response.cancel")
    ],
    [ask(messages.CreateResponse(interruptible=False, metadata={"protected": "yes"}))],
    [ask(messages.UpdateSession({"voice": voice})) for voice in ("a", "b")],
    each(
        lambda call_id, always: ask(messages.Approve(call_id, always=always)),
        (*OUR_CALLS, *HOSTED, "c9"),
        (False, True),
    ),
    each(
        lambda call_id, why, always: ask(messages.Reject(call_id, reason=why, always=always)),
        (*OUR_CALLS, *HOSTED, "c9"),
        (None, "no"),
        (False, True),
    ),
    [ask(messages.HandOff(agent)) for agent in (DESK, BILLING)],
    [ask(messages.History())],
    each(
        lambda item, after: ask(messages.AddItem(item, after=after)),
        ("By the way.", written("u1"), written("u3"), output_item("o1", "c2", "snow")),
        (None, "root", "u1", "u3", "item_c1"),
    ),
    each(lambda item_id: ask(messages.DeleteItem(item_id)), (*ITEMS, "u3", "item_c1", "item_c2")),
    each(lambda item_id: ask(messages.TruncateItem(item_id, audio_end_ms=0)), (*ITEMS, "u3")),
    each(lambda items: ask(messages.UpdateHistory(items)), EDITED),
    each(
        lambda item_id, index, ms, absolute: ask(
            messages.PlaybackPosition(item_id, index, ms, absolute=absolute)
        ),
        ITEMS,
        (0, 1),
        (-100.0, 0.0, 33.3, 1000.0),
        (True, False),
    ),
]
FINDINGS: list[list[AnyMessage]] = [
    each(finished, OUR_CALLS),
    each(
        handed_over,
        (DESK, BILLING),
        OUR_CALLS,
        (None, (), (written("u1", "Hi"),), (written(None, "In short: hello"),)),
    ),
    each(
        lambda response_id, item_id, guardrail: GuardrailsFinished(
            response_id=response_id, item_id=item_id, text="It costs $5.", guardrail=guardrail
        ),
        RESPONSES,
        ITEMS,
        (None, "no_prices"),
    ),
    each(ApprovalNeeded, OUR_CALLS),
    each(ToolDisabled, OUR_CALLS),
    [
        ToolsResolved(resolve(DESK)),
        ToolsResolved(evolve(resolve(DESK), tools={}, definitions=())),
        ToolsNotResolved(DESK, "no"),
        TimerFired(OFFERS_TIMER),
    ],
    each(lambda call_id: ToolRefused(call_id=call_id, guardrail="late"), OUR_CALLS),
    each(
        lambda item_id, guardrail: InputScreened(
            item_id=item_id, text="I am Ada.", guardrail=guardrail
        ),
        ITEMS,
        (None, "no_names"),
    ),
    each(TimerFired, (ANSWER_TIMER, RETRY_TIMER, TURN_TIMER, *map(tool_timer, OUR_CALLS))),
    [TimerFired(approval_timer(call_id)) for call_id in (*OUR_CALLS, *HOSTED)],
    [TimerFired(hosted_timer(call_id)) for call_id in (*HOSTED, "m3", "m4")],
    each(TimerFired, map(guardrail_timer, RESPONSES)),
    each(TimerFired, (*map(screening_timer, ITEMS), *map(transcript_timer, ITEMS))),
    [TimerFired(("update", event_id)) for event_id in EVENT_IDS[1:]],
    each(TimerFired, map(stall_timer, RESPONSES)),
    [HookFailed("on_start", "no")],
    [AudioDropped(ms=20.0, at_ms=400.0), TimerFired(LOSSES_TIMER)],
]
steps = st.tuples(
    st.one_of([st.sampled_from(group) for group in (*SERVER_EVENTS, *VERBS, *FINDINGS)]),
    st.sampled_from([0.0, 0.02, 0.3]),
)
traces = long_lists(steps, 120)
modes = st.fixed_dictionaries(
    {
        "guards": st.sampled_from(["stream", "stream", "hold"]),
        "async_tool_calls": st.booleans(),
        "max_tool_rounds_per_turn": st.sampled_from([None, 1, 3]),
        "playback_reported": st.booleans(),
        "stall_timeout": st.sampled_from([None, 2.0]),
        "barge_in": st.sampled_from(
            [BargeIn(mode=mode) for mode in ("full", "gated", "half_duplex", "off")]
        ),
    }
)


pytestmark = [
    # To shrink a failing trace takes longer than to find it.
    pytest.mark.timeout(600),
    # All that may happen is a long list.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


def machine(*, guards: Literal["stream", "hold"] = "stream", **options: Any) -> SessionMachine:
    return live(
        DESK,
        tool_timeout=5.0,
        approval_timeout=60.0,
        guardrails_settings=GuardrailsSettings(debounce_text_length=8, mode=guards),
        **options,
    )


def run(
    trace: list[tuple[AnyMessage, float]], watch: Watch, **options: Any
) -> tuple[SessionMachine, list[Effects]]:
    """Play a trace, each caller a different one; check every step."""
    session, now, history = machine(**options), 0.0, []
    watch.holds = options.get("guards") == "hold"
    for number, (message, pause) in enumerate(trace):
        now += pause
        if isinstance(message, Asked):
            message = Asked(message.verb, number)
        effects = session.handle(message, now)
        watch.step(message, effects, now)
        history.append(effects)
    return session, history


def told(history: list[Effects]) -> list[object]:
    """Effects that can be compared: two exceptions are never equal."""
    return [
        (effect.caller, str(effect.error)) if isinstance(effect, Refuse) else effect
        for effects in history
        for effect in effects
    ]


@times(3)
@given(trace=traces, mode=modes, close=st.booleans())
def test_the_rules_hold_in_any_order(trace, mode, close) -> None:
    watch = Watch(names_conversations=False)
    session, _ = run(trace, watch, **mode)
    ids = [item.id for item in session.history if item.id is not None]
    assert len(ids) == len(set(ids))

    ends: list[AnyMessage] = [ask(messages.Close(), "the end")]
    if not close:
        ends.insert(0, ConnectionLost(code=1006, reason="gone"))
    for end in ends:
        watch.step(end, session.handle(end, 100.0), 100.0)

    last = session.history, session.current_agent, session.usage
    for late in (say(), finished(), speech(), created(), updated(), done()):
        watch.step(late, session.handle(late, 101.0), 101.0)
    reading = [
        ask(verb(), verb) for verb in (messages.History, messages.CurrentAgent, messages.Usage)
    ]
    assert tuple(answers(play(session, *reading, at=102.0))) == last

    watch.at_the_end()


@given(trace=traces, mode=modes)
def test_the_same_trace_gives_the_same_effects(trace, mode) -> None:
    first, second = (run(trace, Watch(names_conversations=False), **mode) for _ in range(2))

    assert told(first[1]) == told(second[1])
    assert first[0].history == second[0].history


@given(trace=traces, mode=modes)
def test_whatever_happened_a_limit_ends_the_session_in_time(trace, mode) -> None:
    watch, timers, now = Watch(names_conversations=False), Timers(), 0.0
    session = machine(**mode)
    for number, (message, pause) in enumerate([*trace, (TimerFired(DURATION_TIMER), 0.0)]):
        now += pause
        if isinstance(message, Asked):
            message = Asked(message.verb, number)
        watch.step(message, timers.note(session.handle(message, now), now), now)
    # Nothing comes any more, from nobody.
    while timer := timers.next():
        message, due = timer
        now = max(now, due)
        watch.step(message, timers.note(session.handle(message, now), now), now)

    watch.at_the_end()


@given(
    before=traces,
    after=traces,
    mode=modes,
    close=st.sampled_from([messages.Close(after_playback=9.0), messages.Close(after_turn=9.0)]),
)
def test_whatever_happens_an_end_that_was_put_off_comes_in_time(before, after, mode, close) -> None:
    watch, timers, now = Watch(names_conversations=False), Timers(), 0.0
    session, ends_by = machine(**mode), math.inf
    for number, (message, pause) in enumerate([*before, (ask(close), 0.0), *after]):
        now += pause
        while (timer := timers.next()) is not None and timer[1] <= now:
            watch.step(timer[0], timers.note(session.handle(*timer), timer[1]), timer[1])
        if timer is not None:
            timers.due[timer[0].key] = timer[1]
        if isinstance(message, Asked):
            if message.verb is close:
                ends_by = now + close.within
            message = Asked(message.verb, number)
        watch.step(message, timers.note(session.handle(message, now), now), now)
        assert session.phase is Phase.ENDED or now < ends_by
    while timer := timers.next():  # and nothing comes any more, but time goes on
        message, due = timer
        now = max(now, due)
        watch.step(message, timers.note(session.handle(message, now), now), now)
        assert session.phase is Phase.ENDED or now < ends_by

    assert session.phase is Phase.ENDED
    watch.at_the_end()


@times(2)
@given(trace=traces, mode=modes)
def test_whatever_happened_the_next_wish_is_granted(trace, mode) -> None:
    watch = Watch(names_conversations=False)
    session, _ = run(trace, watch, **mode)

    def go(*ends: AnyMessage) -> int:
        effects = [(end, session.handle(end, 900.0)) for end in ends]
        for end, each in effects:
            watch.step(end, each, 900.0)
        return sum(creates(each) for _, each in effects)

    # Everything that is open comes to its end: then nothing is in the way any more.
    go(*[updated() for _ in range(len(trace))])
    for number in range(len(trace)):
        asked = go(user_stops(), *[done(response_id) for response_id in RESPONSES])
        asked += go(
            *[finished(call_id) for call_id in watch.open_calls],
            *[TimerFired(approval_timer(call_id)) for call_id in HOSTED],
            *[TimerFired(hosted_timer(call_id)) for call_id in (*HOSTED, "m3", "m4")],
            updated(),
            TimerFired(RETRY_TIMER),
            created(f"x{number}"),
            done(f"x{number}"),
        )
        if asked == 0:
            break

    assert creates(play(session, created("y"), done("y"))) == 0, "something is wanted for ever"
    assert creates(session.handle(say(), 1000.0)) == 1


@times(2)
@given(trace=traces, mode=modes)
def test_whatever_happened_a_server_that_falls_silent_is_in_no_wishs_way(trace, mode) -> None:
    watch = Watch(names_conversations=False)
    timed = Timed(machine(**mode | {"stall_timeout": 5.0}))
    timed.after = lambda message, effects: watch.step(message, effects, timed.now)
    for number, (message, pause) in enumerate(trace):
        timed.wait(pause)
        timed.tell(Asked(message.verb, number) if isinstance(message, Asked) else message)

    effects = timed.wait(SILENCE * (1 + len(trace)))

    assert timed.timers == {}, "something is waited for for ever"
    assert watch.finished == watch.begun
    assert watch.ended == watch.started
    assert not watch.unapproved
    last = timed.tell(Asked(messages.SendMessage("Hello?"), "at last")) + timed.wait(1.0)
    # What was to be said out of band may have waited for a word, too.
    beside = [each for each in only(wire.ResponseCreate, last) if _is_out_of_band(each)]
    assert creates(last) - len(beside) == 1
    assert creates(effects) <= len(trace)


def _is_out_of_band(create: wire.ResponseCreate) -> bool:
    return create.response is not None and create.response.conversation == "none"
