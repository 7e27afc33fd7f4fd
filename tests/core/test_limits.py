"""What a session may cost and how long it may last: told, and ended politely."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, GuardrailsSettings
from realtime_actors.core.effects import Effects, End, Publish, SetTimer
from realtime_actors.core.limits import (
    DURATION_TIMER,
    FINISH_WITHIN,
    GOODBYE_TIMER,
    IDLE_TIMER,
    LONGEST_SENTENCE,
    LONGEST_VERDICT,
)
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    AgentResolved,
    ApprovalNeeded,
    Connected,
    ConnectionLost,
    Started,
    TimerFired,
)
from realtime_actors.core.responses.response import ANSWER_WITHIN
from realtime_actors.core.speech.playback import LATE
from realtime_actors.core.tools.hosted_calls import HOSTED_WITHIN
from realtime_actors.errors import SessionClosedError
from realtime_actors.events import (
    AudioEvent,
    ErrorEvent,
    ErrorInfo,
    LimitReachedEvent,
    UsageEvent,
)
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.items import McpApprovalRequestItem, McpCallItem
from realtime_actors.usage import OutputTokenDetails, Pricing, TranscriptionUsage, Usage
from tests.core.machine import (
    AGENT,
    AnyMessage,
    Timers,
    after,
    agent_with,
    ask,
    called,
    committed,
    created,
    creates,
    done,
    finished,
    interrupt,
    item_done,
    live,
    new,
    only,
    output_added,
    output_done,
    play,
    refusal,
    resolve,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    transcript,
    updated,
    user_speaks,
    user_stops,
)

KINDS = ("text_input", "text_cached", "text_output", "audio_input", "audio_cached", "audio_output")
PRICING = Pricing.from_dict({"mine": {**dict.fromkeys(KINDS, 0), "audio_output": 10}})
ONE_DOLLAR = Usage(
    output_tokens=100_000, output_token_details=OutputTokenDetails(audio_tokens=100_000)
)


def priced(**options: Any) -> SessionMachine:
    return live(model="mine", pricing=PRICING, **options)


def turn(machine: SessionMachine, response_id: str, at: float = 0.0) -> Effects:
    """A response that costs a dollar."""
    return play(machine, created(response_id), done(response_id, usage=ONE_DOLLAR), at=at)


def test_every_response_is_counted_and_the_session_is_their_sum() -> None:
    machine = priced()

    told = only(UsageEvent, [*turn(machine, "r1"), *turn(machine, "r2")])

    assert [(event.response_id, event.cost) for event in told] == [
        ("r1", Decimal(1)),
        ("r2", Decimal(1)),
    ]
    assert [event.session.cost for event in told] == [Decimal(1), Decimal(2)]
    assert told[-1].session.tokens.output_token_details.audio_tokens == 200_000


def test_what_an_unknown_model_costs_is_not_guessed() -> None:
    machine = live(model="theirs", pricing=PRICING, max_cost=Decimal("0.01"))

    effects = turn(machine, "r1")

    (told,) = only(UsageEvent, effects)
    assert (told.cost, told.session.cost) == (None, None)
    assert only(LimitReachedEvent, effects) == []


def test_transcription_is_counted_too() -> None:
    machine = priced()
    used = TranscriptionUsage(type="duration", seconds=2.5)
    heard = wire.ConversationItemInputAudioTranscriptionCompleted(
        item_id="u1", transcript="Hi", usage=used
    )

    after(machine, heard)

    (told,) = only(UsageEvent, turn(machine, "r1"))
    assert told.session.transcribed_seconds == 2.5


TOTALS = Usage(total_tokens=1500, input_tokens=1000, output_tokens=500)
MINUTE = TranscriptionUsage(type="duration", seconds=60.0)


def user_said(usage: TranscriptionUsage | None, item_id: str = "u1") -> AnyMessage:
    return wire.ConversationItemInputAudioTranscriptionCompleted(
        item_id=item_id, transcript="Hi", usage=usage
    )


def cannot_be_kept(why: str) -> ErrorEvent:
    return ErrorEvent(
        error=ErrorInfo(
            type="cost_unknown",
            message=f"max_cost of $2 can't be kept exactly: {why}. What is known counts; give"
            " prices in RunConfig(pricing=...), or set max_duration as well",
        ),
        source="session",
    )


@pytest.mark.parametrize(
    ("model", "usage", "why"),
    [
        pytest.param(
            "mine",
            TOTALS,
            "a response cost an unknown amount: 1000 input tokens are counted, and 0 of a kind",
            id="totals only",
        ),
        pytest.param(
            "theirs",
            ONE_DOLLAR,
            "a response cost an unknown amount: 'theirs' has no price",
            id="no price",
        ),
        pytest.param("mine", None, "the server has not said what a response used", id="nothing"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_told_once(model, usage, why) -> None:
    machine = live(model=model, pricing=PRICING, max_cost=Decimal(2))

    effects = [
        *play(machine, created("r1"), done("r1", usage=usage)),
        *play(machine, created("r2"), done("r2", usage=usage)),
    ]

    assert only(ErrorEvent, effects) == [cannot_be_kept(why)]


def test_who_set_no_limit_is_told_nothing_of_what_is_not_known() -> None:
    machine = live(model="theirs", pricing=PRICING)

    effects = play(machine, created("r1"), done("r1", usage=TOTALS), created("r2"), done("r2"))

    assert only(ErrorEvent, [*effects, *machine.handle(user_said(MINUTE), 0.0)]) == []


def test_what_is_known_counts_beside_what_is_not() -> None:
    machine = priced(max_cost=Decimal(2))

    effects = [
        *turn(machine, "r1"),
        *play(machine, created("r2"), done("r2", usage=TOTALS)),
        *turn(machine, "r3"),
    ]

    assert [event.session.cost for event in only(UsageEvent, effects)] == [1, None, None]
    assert [event.limit for event in only(LimitReachedEvent, effects)] == ["max_cost"]


def test_what_is_written_down_costs_money_too() -> None:
    prices = PRICING | Pricing.from_dict({"ears": {"per_minute": 1}})
    machine = live(model="mine", pricing=prices, max_cost=Decimal(2))
    after(machine, updated(input_audio_transcription={"model": "ears"}))

    first = [*turn(machine, "r1"), *machine.handle(user_said(None, "u0"), 0.0)]
    effects = machine.handle(user_said(MINUTE), 0.0)

    assert only(LimitReachedEvent, first) == []
    assert [event.limit for event in only(LimitReachedEvent, effects)] == ["max_cost"]


@pytest.mark.parametrize(
    ("usage", "why"),
    [
        (MINUTE, "'theirs' has no price per minute"),
        (TranscriptionUsage(type="tokens", total_tokens=40), "'theirs' has no price per minute"),
    ],
)
def test_a_transcription_of_unknown_cost_is_told_once(usage, why) -> None:
    machine = priced(max_cost=Decimal(2))
    after(machine, updated(input_audio_transcription={"model": "theirs"}))

    effects = play(machine, user_said(usage, "u1"), user_said(usage, "u2"))

    assert only(ErrorEvent, effects) == [
        cannot_be_kept(f"a transcription is not counted in it: {why}")
    ]


@pytest.mark.parametrize(
    ("named", "cost"),
    [
        (None, Decimal(1)),
        ("mine", Decimal(1)),
        ("mine-2026-10-01", Decimal(1)),
        ("mine-mini", None),
        ("mine-mini-2026-10-01", None),
        ("yours", None),
    ],
)
def test_a_snapshot_has_the_price_of_the_name_that_was_asked_for(named, cost) -> None:
    machine = after(priced(), updated(model=named))

    assert [event.cost for event in only(UsageEvent, turn(machine, "r1"))] == [cost]


def test_a_session_ends_when_it_has_cost_as_much_as_it_may() -> None:
    machine = priced(max_cost=Decimal(2))

    assert only(LimitReachedEvent, turn(machine, "r1")) == []
    effects = turn(machine, "r2")

    assert [event.limit for event in only(LimitReachedEvent, effects)] == ["max_cost"]
    assert only(End, effects) == [End(None)]


def test_what_the_model_is_saying_is_heard_to_its_end() -> None:
    machine = after(priced(max_duration=10.0), created("r1"))

    reached = machine.handle(TimerFired(DURATION_TIMER), now=10.0)
    after(machine, speech("i1", 2000), speech_done("i1"), at=10.0)
    over = machine.handle(done("r1"), now=10.5)
    end = machine.handle(TimerFired(GOODBYE_TIMER), now=12.0)

    assert only(LimitReachedEvent, reached) == [LimitReachedEvent(limit="max_duration")]
    assert only(End, [*reached, *over]) == []
    assert SetTimer(GOODBYE_TIMER, 1.5) in over
    assert only(End, end) == [End(None)]


def test_once_a_limit_is_reached_no_response_is_asked_for() -> None:
    machine = after(priced(max_duration=10.0), created("r1"), TimerFired(DURATION_TIMER), say())

    after(machine, speech("i1", 2000), at=10.0)
    effects = machine.handle(done("r1"), now=10.5)

    assert creates(effects) == 0
    assert only(LimitReachedEvent, machine.handle(TimerFired(DURATION_TIMER), now=11.0)) == []


def test_the_time_begins_when_the_conversation_does() -> None:
    machine = new(AGENT, max_duration=10.0, idle_timeout=5.0)

    effects = play(machine, Started(), Connected(), AgentResolved(resolve(AGENT)), updated())

    limits = [each for each in only(SetTimer, effects) if str(each.key).startswith("limit")]
    assert limits == [SetTimer(DURATION_TIMER, 10.0), SetTimer(IDLE_TIMER, 5.0)]


# --- every end comes -----------------------------------------------------------------------


def when_it_ends(
    machine: SessionMachine, *trace: tuple[AnyMessage, float], start: float = 0.0
) -> float:
    """The time at which a session ends: after the trace nothing comes but its timers."""
    timers, waiting = Timers(), list(trace)
    limits = {
        DURATION_TIMER: machine.setup.config.max_duration,
        IDLE_TIMER: machine.setup.config.idle_timeout,
    }
    timers.due.update({key: start + after for key, after in limits.items() if after})
    while True:
        timer = timers.next()
        assert timer is not None, "it never ends"
        message: AnyMessage
        message, now = timer
        if waiting and waiting[0][1] <= now:
            timers.due[timer[0].key] = now
            message, now = waiting.pop(0)
        assert now < 1000.0, "it goes on for ever"
        if only(End, timers.note(machine.handle(message, now), now)):
            return now


SAYS = [(created("r1"), 1.0), (speech("i1", 2000), 1.0), (speech_done("i1"), 1.0)]
SAID = [*SAYS, (done("r1"), 1.0)]
REPORTED = messages.PlaybackPosition("i1", 0, 300, absolute=True)
ALMOST = messages.PlaybackPosition("i1", 0, 1999, absolute=True)


def guarded(*, verdict_timeout: float | None = 10.0, **options: Any) -> SessionMachine:
    guardrail = OutputGuardrail(name="no_prices", check=lambda text: "$" in text)
    hold = GuardrailsSettings(mode="hold", debounce_text_length=1, verdict_timeout=verdict_timeout)
    return live(output_guardrails=(guardrail,), guardrails_settings=hold, **options)


@pytest.mark.parametrize(
    ("options", "trace", "ends_at"),
    [
        pytest.param({}, SAID, 3.0, id="it is heard"),
        pytest.param({"playback_reported": True}, SAID, 3.0 + LATE, id="no player reports"),
        pytest.param({}, [*SAID, (ask(REPORTED), 1.5)], 3.2 + LATE, id="the player dies"),
        pytest.param(
            {"playback_reported": True},
            [*SAID, (ask(ALMOST), 3.0)],
            3.001 + LATE,
            id="a millisecond is missing",
        ),
        pytest.param({}, SAYS, 2.0 + FINISH_WITHIN, id="the response never ends"),
        pytest.param(
            {},
            [*SAYS, (speech("i2", 50_000), 2.0)],
            53.0,
            id="the response never ends, and much has come",
        ),
        pytest.param({}, [(say(), 1.0)], 1.0 + ANSWER_WITHIN, id="the response never begins"),
        pytest.param(
            {}, [*SAID, (user_speaks(), 1.5)], 2.0, id="the user talks on, over the model"
        ),
        pytest.param({}, [*SAID, (interrupt(), 2.25)], 2.25, id="it is interrupted"),
        pytest.param({}, [*SAYS, (interrupt(), 2.25)], 2.25, id="it is interrupted half-way"),
        pytest.param({}, [(ConnectionLost(code=1006, reason=""), 1.0)], 2.0, id="nobody is there"),
    ],
)
def test_a_limit_ends_a_session_in_time_whatever_is_missing(options, trace, ends_at) -> None:
    machine = live(max_duration=2.0, **options)

    assert when_it_ends(machine, *trace) == pytest.approx(ends_at, abs=0.05)


def test_a_limit_ends_a_session_whose_guardrail_never_judges() -> None:
    trace = [SAYS[0], (transcript("Hello"), 1.0), *SAYS[1:], (done("r1"), 1.0)]

    assert when_it_ends(guarded(max_duration=2.0), *trace) <= 2.0 + FINISH_WITHIN


def test_a_guardrail_that_never_judges_keeps_no_session_from_being_idle() -> None:
    trace = [SAYS[0], (transcript("Hello"), 1.0), *SAYS[1:], (done("r1"), 1.0)]

    in_time = when_it_ends(guarded(idle_timeout=5.0), *trace)
    without_limit = when_it_ends(guarded(idle_timeout=5.0, verdict_timeout=None), *trace)

    assert in_time <= 1.0 + 10.0 + 5.0 + FINISH_WITHIN
    assert without_limit <= 1.0 + LONGEST_VERDICT + 5.0 + FINISH_WITHIN


def test_what_the_server_says_by_itself_after_a_limit_is_not_heard() -> None:
    machine = after(live(max_duration=2.0), *(message for message, _ in SAID), at=1.0)
    after(machine, TimerFired(DURATION_TIMER), at=2.0)

    effects = play(machine, created("r2"), speech("i2", response_id="r2"), at=2.5)

    assert only(AudioEvent, effects) == []
    assert sent(effects) == [wire.ResponseCancel(response_id="r2")]
    assert only(End, machine.handle(TimerFired(GOODBYE_TIMER), 3.0)) == [End(None)]


def test_what_was_asked_for_before_a_limit_is_heard() -> None:
    machine = after(live(max_duration=2.0), say(), at=1.9)
    after(machine, TimerFired(DURATION_TIMER), at=2.0)

    effects = play(machine, created("r1"), speech("i1", 1000), speech_done("i1"), at=2.5)
    effects += play(machine, done("r1"), at=3.0)

    assert len(only(AudioEvent, effects)) == 1
    assert SetTimer(GOODBYE_TIMER, 0.5) in effects


# --- idle ----------------------------------------------------------------------------------


HOSTED = McpApprovalRequestItem(id="m1", server_label="bank", name="pay", arguments="{}")
PAID = McpCallItem(
    id="m2", server_label="bank", name="pay", output="paid", approval_request_id="m1"
)
UNPAID = McpCallItem(id="m2", server_label="bank", name="pay")
CALLED = [(created("r1"), 1.0), (called(), 1.0), (done("r1"), 1.0)]
ANSWERED = [(created("r2"), 8.0), (done("r2"), 9.0)]


@pytest.mark.parametrize(
    ("trace", "ends_at"),
    [
        pytest.param([(say(), 2.0), (created("r1"), 2.0), (done("r1"), 3.0)], 8.0, id="written"),
        pytest.param([*SAID], 8.0, id="what was said is heard until 3"),
        pytest.param([*CALLED, (finished(), 7.5), *ANSWERED], 14.0, id="a tool runs"),
        pytest.param(
            [*CALLED, (ApprovalNeeded("c1"), 2.0), (ask(messages.Reject("c1")), 7.5), *ANSWERED],
            14.0,
            id="an approval waits",
        ),
        pytest.param(
            [
                (created("r1"), 1.0),
                (output_done(HOSTED), 1.0),
                (done("r1"), 1.0),
                (ask(messages.Approve("m1")), 7.5),
                (item_done(PAID), 7.5),
                *ANSWERED,
            ],
            14.0,
            id="a hosted call waits for approval",
        ),
        pytest.param(
            [(created("r1"), 1.0), (output_added(UNPAID), 1.0), (done("r1"), 1.0)],
            1.0 + HOSTED_WITHIN + ANSWER_WITHIN + 5.0,
            id="a hosted call whose end is never told",
        ),
        pytest.param([(user_speaks(), 1.0), (user_stops(), 17.0)], 22.0, id="one long sentence"),
        pytest.param(
            [(user_speaks(), 1.0)], 6.0 + LONGEST_SENTENCE, id="a sentence without an end"
        ),
        pytest.param(
            [(user_speaks(), 1.0), (user_speaks("u2"), 301.0), (user_stops("u2"), 309.0)],
            314.0,
            id="a sentence after one without an end",
        ),
        pytest.param(
            [*CALLED, (interrupt(), 2.0), (finished(), 3.0)],
            8.0,
            id="nothing is said until the user or the program speaks",
        ),
        pytest.param([(user_speaks(), 1.0), (committed(), 9.0)], 14.0, id="a turn"),
        pytest.param([(created("r1"), 1.0), (done("r1"), 12.0)], 17.0, id="a slow response"),
        pytest.param([(say(), 1.0)], 6.0 + ANSWER_WITHIN, id="a response that is given up"),
    ],
)
def test_a_session_is_idle_when_nobody_speaks_and_nothing_is_owed(trace, ends_at) -> None:
    machine = live(agent_with("weather"), idle_timeout=5.0)

    assert when_it_ends(machine, *trace) == pytest.approx(ends_at, abs=0.05)


@pytest.mark.parametrize(
    ("trace", "ends_at"),
    [
        pytest.param(SAID, 3.0 + LATE + 5.0, id="no player reports"),
        pytest.param([*SAID, (ask(REPORTED), 1.5)], 3.2 + LATE + 5.0, id="the player dies"),
        pytest.param(
            [*SAID, (ask(ALMOST), 3.0)], 3.001 + LATE + 5.0, id="a millisecond is missing"
        ),
    ],
)
def test_a_player_keeps_no_session_from_being_idle(trace, ends_at) -> None:
    machine = live(idle_timeout=5.0, playback_reported=True)

    assert when_it_ends(machine, *trace) == pytest.approx(ends_at, abs=0.05)


def test_a_session_in_which_nobody_says_anything_ends() -> None:
    machine = live(idle_timeout=5.0)
    after(machine, say(), at=2.0)
    after(machine, created("r1"), done("r1"), at=2.0)

    early = machine.handle(TimerFired(IDLE_TIMER), now=5.0)
    due = machine.handle(TimerFired(IDLE_TIMER), now=7.0)

    assert early == [SetTimer(IDLE_TIMER, 2.0)]
    assert Publish(LimitReachedEvent(limit="idle_timeout")) in due
    assert only(End, due) == [End(None)]


# --- the goodbye ---------------------------------------------------------------------------


def saying_goodbye(*before: AnyMessage) -> SessionMachine:
    """A machine that has reached its limit while the model says something that takes long."""
    machine = after(priced(max_duration=10.0), created("r1"), speech("i1", 20_000), *before)
    return after(machine, TimerFired(DURATION_TIMER), at=10.0)


@pytest.mark.parametrize("stop", [user_speaks(), interrupt()], ids=["speech", "verb"])
@pytest.mark.parametrize(
    "before", [(), (done("r1"),), (say(),)], ids=["being made", "made", "more is wanted"]
)
def test_a_goodbye_that_is_interrupted_is_over(stop, before) -> None:
    assert only(End, saying_goodbye(*before).handle(stop, now=11.0)) == [End(None)]


def test_speech_that_interrupts_nothing_does_not_end_the_goodbye() -> None:
    off = ask(messages.UpdateSession({"turn_detection": "off"}))
    machine = saying_goodbye(done("r1"), off, updated(turn_detection=OFF))

    assert only(End, machine.handle(user_speaks(), now=11.0)) == []


@pytest.mark.parametrize(
    "verb",
    [
        messages.SendMessage("One more thing..."),
        messages.CreateResponse(),
        messages.CreateResponse(conversation="none"),
        messages.SendRawEvent({"type": "response.create"}),
    ],
    ids=["a message", "a response", "one out of band", "a raw event"],
)
def test_what_would_not_be_answered_any_more_is_an_error(verb) -> None:
    effects = saying_goodbye().handle(ask(verb), now=11.0)

    assert isinstance(refusal(effects), SessionClosedError)
    assert str(refusal(effects)) == (
        "the session is ending: max_duration of the run is reached: nothing is answered any more"
    )
    assert sent(effects) == []


def test_other_verbs_go_on_until_the_end() -> None:
    effects = saying_goodbye().handle(ask(messages.AddItem("By the way.")), now=11.0)

    assert sent_types(effects) == ["conversation.item.create"]


@pytest.mark.parametrize(
    "wish", [say(), ask(messages.CreateResponse())], ids=["a message", "a response"]
)
def test_what_was_asked_for_just_before_is_said(wish) -> None:
    machine = after(priced(max_duration=10.0), wish, TimerFired(DURATION_TIMER), at=10.0)

    speaks = play(machine, created("r1"), speech("i1", 1000), done("r1"), at=11.0)

    assert len(only(AudioEvent, speaks)) == 1
    assert only(End, speaks) == []
    assert only(End, machine.handle(TimerFired(GOODBYE_TIMER), now=12.0)) == [End(None)]


def test_what_was_wanted_just_before_is_asked_for() -> None:
    machine = saying_goodbye(say())

    assert creates(machine.handle(done("r1"), now=11.0)) == 1


def test_what_would_cost_more_than_it_may_is_not() -> None:
    machine = after(priced(max_cost=Decimal(1)), created("r1"), speech("i1", 5000), say())

    effects = machine.handle(done("r1", usage=ONE_DOLLAR), now=1.0)

    assert creates(effects) == 0
    assert only(End, machine.handle(TimerFired(GOODBYE_TIMER), now=5.0)) == [End(None)]
