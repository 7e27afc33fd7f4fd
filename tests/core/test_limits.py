"""What a session may cost and how long it may last: told, and ended politely."""

from __future__ import annotations

from decimal import Decimal

from realtime_actors import protocol as wire
from realtime_actors.core.effects import End, Publish, SetTimer
from realtime_actors.core.limits import DURATION_TIMER, GOODBYE_TIMER, IDLE_TIMER
from realtime_actors.core.messages import AgentResolved, Connected, Started, TimerFired
from realtime_actors.core.session import SessionMachine
from realtime_actors.events import LimitReachedEvent, UsageEvent
from realtime_actors.usage import OutputTokenDetails, Pricing, TranscriptionUsage, Usage
from tests.core.machine import (
    AGENT,
    after,
    created,
    creates,
    done,
    live,
    new,
    only,
    play,
    resolve,
    say,
    speech,
    speech_done,
    updated,
)

KINDS = ("text_input", "text_cached", "text_output", "audio_input", "audio_cached", "audio_output")
PRICING = Pricing.from_dict({"mine": {**dict.fromkeys(KINDS, 0), "audio_output": 10}})
ONE_DOLLAR = Usage(
    output_tokens=100_000, output_token_details=OutputTokenDetails(audio_tokens=100_000)
)


def priced(**options: object) -> SessionMachine:
    return live(model="mine", pricing=PRICING, **options)


def turn(machine: SessionMachine, response_id: str, at: float = 0.0) -> list[object]:
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


def test_a_session_in_which_nobody_says_anything_ends() -> None:
    machine = live(idle_timeout=5.0)
    after(machine, say(), at=2.0)
    after(machine, created("r1"), done("r1"), at=2.0)

    early = machine.handle(TimerFired(IDLE_TIMER), now=5.0)
    due = machine.handle(TimerFired(IDLE_TIMER), now=7.0)

    assert early == [SetTimer(IDLE_TIMER, 2.0)]
    assert Publish(LimitReachedEvent(limit="idle_timeout")) in due
    assert only(End, due) == [End(None)]
