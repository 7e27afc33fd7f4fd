"""One response at a time, and no wish for one is lost."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import ResponseSettings
from realtime_actors.core.effects import Answer, CancelTimer, Publish, Send, SetTimer
from realtime_actors.core.messages import ConnectionLost, TimerFired
from realtime_actors.core.responses.response import ANSWER_TIMER, RETRY_TIMER
from realtime_actors.errors import ConfigError
from realtime_actors.events import (
    AgentEndEvent,
    AgentStartEvent,
    ErrorEvent,
    RawModelEvent,
    UsageEvent,
)
from realtime_actors.items import user_message
from tests.core.machine import (
    AGENT,
    added,
    after,
    agent_with,
    already_active,
    answers,
    ask,
    called,
    committed,
    created,
    creates,
    done,
    finished,
    heard,
    interrupt,
    live,
    only,
    play,
    published,
    refusal,
    refused,
    say,
    sent,
    sent_types,
    speech,
    text,
    user_speaks,
    user_stops,
)


def test_a_message_goes_out_and_a_response_is_asked_for() -> None:  # S20
    effects = live().handle(say("Hello!"), now=0.0)

    assert effects == [
        Send(wire.ConversationItemCreate(item=user_message("Hello!"))),
        Answer("caller"),
        Send(wire.ResponseCreate(event_id="ra_2")),
        SetTimer(ANSWER_TIMER, 15.0),
    ]


def test_while_a_response_is_active_only_the_message_goes_out() -> None:  # S30
    machine = after(live(), say("first"), created("r1"))

    assert sent_types(machine.handle(say("second"), now=0.0)) == ["conversation.item.create"]


def test_what_was_wanted_meanwhile_is_asked_for_when_the_response_is_done() -> None:  # S31
    machine = after(live(), say("first"), created("r1"), say("second"))

    effects = machine.handle(done("r1"), now=0.0)

    assert effects == [
        Publish(
            AgentEndEvent(agent=AGENT, response_id="r1", status="completed", final=False),
        ),
        Send(wire.ResponseCreate(event_id="ra_3")),
        SetTimer(ANSWER_TIMER, 15.0),
    ]


def test_while_one_is_asked_for_no_second_one_is() -> None:
    assert creates(play(live(), say("first"), say("second"))) == 1


def test_a_response_of_the_servers_own_is_in_the_way_too() -> None:  # S35
    machine = after(live(), created("r1"))

    assert creates(machine.handle(say(), now=0.0)) == 0
    assert creates(machine.handle(done("r1"), now=0.0)) == 1


def test_many_plain_wishes_are_one() -> None:
    machine = after(live(), created("r1"), *[say() for _ in range(50)])

    assert creates(play(machine, done("r1"))) == 1
    assert creates(play(machine, created("r2"), done("r2"))) == 0


def test_a_wish_for_something_special_is_a_wish_of_its_own() -> None:
    special = ask(messages.CreateResponse(instructions="Shout."))
    machine = after(live(), created("r1"), say(), special, say())

    first = play(machine, done("r1"), created("r2"), done("r2"))
    second = play(machine, created("r3"), done("r3"))

    assert [create.response for create in sent(first)] == [
        None,
        ResponseSettings(instructions="Shout."),
    ]
    assert [end.final for end in only(AgentEndEvent, second)] == [True]


def test_the_wishes_of_a_response_are_sent_as_they_are() -> None:
    verb = messages.CreateResponse(
        instructions="Be brief.",
        modalities=("text",),
        tools=({"type": "function", "name": "spell"},),
        tool_choice="none",
        metadata={"topic": "weather"},
        input=(user_message("Hi"),),
        max_output_tokens=20,
    )

    (create,) = sent(live().handle(ask(verb), now=0.0))

    assert create.response == ResponseSettings(
        instructions="Be brief.",
        modalities=("text",),
        tools=({"type": "function", "name": "spell"},),
        tool_choice="none",
        metadata={"topic": "weather"},
        input=(user_message("Hi"),),
        max_output_tokens=20,
    )


def test_a_wish_that_cannot_be_is_refused_and_nothing_is_sent() -> None:
    verb = messages.CreateResponse(max_output_tokens=0)

    effects = live().handle(ask(verb), now=0.0)

    assert isinstance(refusal(effects), ConfigError)
    assert sent(effects) == []


def test_a_raw_response_create_takes_its_turn() -> None:
    raw = {"type": "response.create", "response": {"instructions": "Sing."}}
    machine = after(live(), created("r1"))

    assert sent(machine.handle(ask(messages.SendRawEvent(raw)), now=0.0)) == []
    assert sent(machine.handle(done("r1"), now=0.0)) == [
        wire.RawClientEvent(payload={**raw, "event_id": "ra_2"})
    ]


def test_any_other_raw_event_goes_out_at_once_as_it_is() -> None:  # S25
    raw = {"type": "input_audio_buffer.commit", "event_id": "mine"}
    machine = after(live(), created("r1"))

    effects = machine.handle(ask(messages.SendRawEvent(raw)), now=0.0)

    assert effects == [Send(wire.RawClientEvent(payload=raw)), Answer("caller")]


@pytest.mark.parametrize("raw", [{}, {"type": ""}, {"type": 7}])
def test_a_raw_event_without_a_type_is_refused(raw) -> None:
    effects = live().handle(ask(messages.SendRawEvent(raw)), now=0.0)

    assert answers(effects) == [ConfigError]


def test_committing_and_clearing_ask_for_no_response() -> None:
    effects = play(live(), ask(messages.CommitAudio()), ask(messages.ClearAudio()))

    assert sent_types(effects) == ["input_audio_buffer.commit", "input_audio_buffer.clear"]


def test_the_users_speech_is_no_turn_of_the_agent() -> None:
    machine = after(live(), say("first"), created("r1"), say("second"))

    effects = play(machine, user_speaks(), user_stops())

    assert only((AgentStartEvent, AgentEndEvent), effects) == []
    assert creates(effects) == 0
    assert creates(machine.handle(done("r1", "cancelled", reason="turn_detected"), now=0.0)) == 1


def test_a_turn_of_the_user_is_the_servers_to_answer() -> None:
    effects = play(
        live(), user_speaks("u1"), user_stops("u1"), committed("u1"), added(heard("u1", "Hello?"))
    )

    assert sent(effects) == []


class TestARefusedCreate:
    """The server began a response by itself while ours was on its way."""

    @pytest.mark.parametrize("event_id", ["ra_2", None])
    def test_is_sent_again_after_the_response_in_the_way(self, event_id) -> None:
        machine = after(live(), say(), created("voice"), already_active(event_id))

        assert creates(machine.handle(done("voice"), now=0.0)) == 1

    @pytest.mark.parametrize("event_id", ["ra_2", None])
    def test_is_sent_again_when_the_refusal_comes_before_that_response(self, event_id) -> None:
        machine = after(live(), say())

        refusing = play(machine, already_active(event_id), created("voice"))

        assert creates(refusing) == 0
        assert creates(machine.handle(done("voice"), now=0.0)) == 1

    @pytest.mark.parametrize("event_id", ["ra_2", None])
    def test_is_sent_again_when_the_refusal_comes_after_that_response(self, event_id) -> None:
        machine = after(live(), say(), created("voice"), done("voice"))

        assert creates(machine.handle(already_active(event_id), now=0.0)) == 1

    def test_is_sent_again_when_the_one_in_the_way_is_only_seen_ending(self) -> None:
        machine = after(live(), say(), already_active("ra_2"))

        effects = machine.handle(done("older"), now=0.0)

        assert creates(effects) == 1
        assert CancelTimer(RETRY_TIMER) in effects

    def test_is_sent_once_however_often_it_is_refused(self) -> None:
        machine = after(live(), say(), created("voice"), already_active(), already_active("ra_2"))

        assert creates(play(machine, done("voice"), created("r2"), done("r2"))) == 1

    def test_keeps_what_it_asked_for(self) -> None:
        special = ask(messages.CreateResponse(instructions="Shout."))
        machine = after(live(), special, created("voice"), already_active("ra_2"))

        (create,) = sent(machine.handle(done("voice"), now=0.0))

        assert create.response == ResponseSettings(instructions="Shout.")

    def test_of_a_raw_event_is_sent_again_under_its_own_name(self) -> None:
        raw = {"type": "response.create", "event_id": "mine"}
        machine = after(
            live(), ask(messages.SendRawEvent(raw)), created("voice"), already_active("mine")
        )

        assert sent(machine.handle(done("voice"), now=0.0)) == [wire.RawClientEvent(payload=raw)]

    def test_is_one_with_the_plain_wishes_that_came_meanwhile(self) -> None:
        machine = after(live(), say(), created("voice"), say(), already_active("ra_2"))

        assert creates(play(machine, done("voice"), created("r2"), done("r2"))) == 1

    def test_is_tried_again_after_a_while_when_nothing_is_known_to_be_in_the_way(self) -> None:
        machine = after(live(), say())
        waits = []
        for number in range(2, 8):
            effects = machine.handle(already_active(f"ra_{number}"), now=0.0)
            assert creates(effects) == 0
            waits += [effect.delay for effect in only(SetTimer, effects)]

            assert creates(machine.handle(TimerFired(RETRY_TIMER), now=0.0)) == 1

        assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]

    def test_is_tried_again_soon_when_a_response_has_come_through_meanwhile(self) -> None:
        machine = after(live(), say(), already_active("ra_2"), TimerFired(RETRY_TIMER))
        after(machine, already_active("ra_3"), TimerFired(RETRY_TIMER), created("r1"), done("r1"))

        effects = play(machine, say(), already_active("ra_5"))

        assert [timer.delay for timer in only(SetTimer, effects)] == [15.0, 1.0]

    def test_is_sent_again_even_when_it_was_long_on_its_way(self) -> None:
        # Two responses of the server's own, and each time we took it for the answer.
        special = ask(messages.CreateResponse(instructions="Shout."))
        machine = after(live(), special, created("voice"), say(), done("voice"), created("voice2"))

        effects = play(machine, already_active("ra_2"), done("voice2"))

        assert [create.response for create in sent(effects)] == [
            ResponseSettings(instructions="Shout.")
        ]

    def test_under_a_name_that_was_used_before_is_the_newest(self) -> None:
        raw = ask(messages.SendRawEvent({"type": "response.create", "event_id": "mine"}))
        machine = after(live(), raw, created("r1"), done("r1"), raw)

        assert only(SetTimer, machine.handle(already_active("mine"), now=0.0))
        assert creates(machine.handle(TimerFired(RETRY_TIMER), now=0.0)) == 1

    def test_that_was_given_up_is_not_sent_again(self) -> None:
        machine = after(live(), say(), TimerFired(ANSWER_TIMER))

        assert creates(play(machine, already_active("ra_2"), created("r1"), done("r1"))) == 0

    def test_is_not_tried_again_while_the_one_in_the_way_goes_on(self) -> None:
        machine = after(live(), say(), already_active("ra_2"))

        assert CancelTimer(RETRY_TIMER) in machine.handle(created("voice"), now=0.0)
        assert creates(machine.handle(TimerFired(RETRY_TIMER), now=0.0)) == 0

    def test_is_an_error_that_the_session_survives(self) -> None:
        machine = after(live(), say(), created("voice"))

        (error,) = only(ErrorEvent, machine.handle(already_active("ra_2"), now=0.0))

        assert error.recoverable
        assert error.error.code == "conversation_already_has_active_response"

    @pytest.mark.parametrize(
        "refusal_", [refused(event_id="ra_2"), refused(param="response.tools")]
    )
    def test_for_another_reason_is_not_sent_again(self, refusal_) -> None:
        machine = after(live(), say())

        assert CancelTimer(ANSWER_TIMER) in machine.handle(refusal_, now=0.0)
        assert creates(play(machine, created("voice"), done("voice"))) == 0
        assert creates(machine.handle(say(), now=0.0)) == 1

    def test_for_another_reason_is_forgotten_when_another_response_came_first(self) -> None:
        machine = after(live(), say(), created("voice"), refused(event_id="ra_2"))

        effects = play(machine, already_active("ra_2"), done("voice"))

        assert creates(effects) == 0

    def test_of_something_else_does_not_count(self) -> None:
        machine = after(live(), say(), refused(param="item.content"), refused(event_id="other"))

        assert creates(machine.handle(say(), now=0.0)) == 0

    def test_for_a_cancel_does_not_count(self) -> None:
        machine = after(live(), say(), refused("response_cancel_not_active", param="response_id"))

        assert creates(machine.handle(say(), now=0.0)) == 0

    def test_by_a_stranger_is_no_wish_of_ours(self) -> None:
        machine = after(live(), say(), created("r1"), already_active("somebody-elses"))

        assert creates(machine.handle(done("r1"), now=0.0)) == 0


def test_a_create_that_is_never_answered_is_given_up_and_said_so() -> None:
    machine = after(live(), say(), say())

    effects = machine.handle(TimerFired(ANSWER_TIMER), now=15.0)

    (error,) = only(ErrorEvent, effects)
    assert (error.error.type, error.recoverable) == ("response_unanswered", True)
    assert creates(effects) == 1  # the second wish


def test_an_answer_ends_the_waiting_for_it() -> None:
    machine = after(live(), say())

    assert CancelTimer(ANSWER_TIMER) in machine.handle(created("r1"), now=0.0)
    assert published(machine.handle(TimerFired(ANSWER_TIMER), now=0.0)) == []


def test_a_server_that_never_says_that_a_response_begins_is_understood_all_the_same() -> None:
    machine = after(live(), say())

    effects = machine.handle(done("r1"), now=0.0)

    assert CancelTimer(ANSWER_TIMER) in effects
    assert creates(machine.handle(say(), now=0.0)) == 1


def test_a_response_that_is_only_seen_ending_begins_and_ends() -> None:
    assert published(after(live(), say()).handle(done("r1"), now=0.0)) == [
        AgentStartEvent(agent=AGENT, response_id="r1"),
        AgentEndEvent(agent=AGENT, response_id="r1", status="completed"),
    ]


@pytest.mark.parametrize(("begun", "over"), [("r1", None), (None, "r1"), (None, None)])
def test_a_server_that_does_not_name_its_responses_is_understood(begun, over) -> None:
    machine = after(live(), say(), created(begun), say())

    assert creates(machine.handle(done(over), now=0.0)) == 1


def test_an_older_response_that_ends_late_is_not_the_active_one() -> None:
    machine = after(live(), say(), created("r1"), created("r2"), say())

    assert creates(machine.handle(done("r1"), now=0.0)) == 0
    assert creates(machine.handle(done("r2"), now=0.0)) == 1


def test_an_older_response_that_ends_late_is_not_the_answer_to_the_next_wish() -> None:
    machine = after(live(), created("r1"), created("r2"), done("r2"), say(), say())

    assert creates(machine.handle(done("r1"), now=0.0)) == 0
    assert creates(play(machine, created("r3"), done("r3"))) == 1


class TestTurns:
    """AgentStartEvent and AgentEndEvent come once per response."""

    def test_a_response_begins_and_ends_once(self) -> None:
        machine = live()

        effects = play(machine, created("r1"), done("r1"))

        assert published(effects) == [
            AgentStartEvent(agent=AGENT, response_id="r1"),
            AgentEndEvent(agent=AGENT, response_id="r1", status="completed"),
        ]

    def test_what_comes_twice_counts_once(self) -> None:
        usage = wire.Usage(total_tokens=3)
        machine = after(live(), say())
        over = done("r1", usage=usage)

        effects = play(machine, created("r1"), created("r1"), over, over, created("r1"))

        assert [type(event) for event in published(effects)] == [
            AgentStartEvent,
            UsageEvent,
            AgentEndEvent,
        ]
        assert creates(machine.handle(say(), now=0.0)) == 1

    def test_the_end_is_final_when_nothing_is_owed(self) -> None:
        machine = after(live(agent_with("weather")), say())

        first = play(machine, created("r1"), called("c1"), done("r1"))
        second = play(machine, finished("c1"), created("r2"), done("r2"))

        assert [end.final for end in only(AgentEndEvent, first + second)] == [False, True]

    def test_the_end_is_not_final_when_a_tool_has_answered_before_it(self) -> None:
        machine = after(live(agent_with("weather")), created("r1"), called("c1"), finished("c1"))

        effects = machine.handle(done("r1"), now=0.0)

        assert [end.final for end in only(AgentEndEvent, effects)] == [False]
        assert creates(effects) == 1

    def test_the_end_tells_how_and_why(self) -> None:
        machine = after(live(), created("r1"))

        effects = machine.handle(done("r1", "cancelled", reason="turn_detected"), now=0.0)

        assert published(effects) == [
            AgentEndEvent(agent=AGENT, response_id="r1", status="cancelled", reason="turn_detected")
        ]

    def test_what_it_cost_is_published(self) -> None:
        usage = wire.Usage(total_tokens=12, input_tokens=5, output_tokens=7)
        machine = after(live(), created("r1"))

        effects = machine.handle(done("r1", usage=usage), now=0.0)

        assert [(cost.response_id, cost.usage) for cost in only(UsageEvent, effects)] == [
            ("r1", usage)
        ]

    def test_a_response_that_was_cut_by_the_connection_ends_too(self) -> None:
        machine = after(live(), created("r1"))

        effects = machine.handle(ConnectionLost(code=1006), now=0.0)

        assert only(AgentEndEvent, effects) == [
            AgentEndEvent(agent=AGENT, response_id="r1", status="disconnected", final=False)
        ]


class TestOutOfBand:
    """Responses with `conversation: "none"` run beside the others."""

    WISH = ask(messages.CreateResponse(conversation="none", metadata={"topic": "mood"}))
    BEGUN = created("side", conversation_id=None, metadata={"topic": "mood"})

    def test_they_are_asked_for_at_once(self) -> None:
        machine = after(live(), say(), created("r1"))

        (create,) = sent(machine.handle(self.WISH, now=0.0))

        assert create.response == ResponseSettings(conversation="none", metadata={"topic": "mood"})

    def test_raw_ones_too(self) -> None:
        raw = {"type": "response.create", "response": {"conversation": "none"}}
        machine = after(live(), say(), created("r1"))

        effects = machine.handle(ask(messages.SendRawEvent(raw)), now=0.0)

        assert sent(effects) == [wire.RawClientEvent(payload={**raw, "event_id": "ra_3"})]

    def test_they_are_in_nobodys_way(self) -> None:
        machine = after(live(), self.WISH, self.BEGUN)

        assert creates(machine.handle(say(), now=0.0)) == 1
        assert creates(play(machine, created("r1"), say())) == 0
        assert creates(machine.handle(done("side", conversation_id=None), now=0.0)) == 0
        assert creates(machine.handle(done("r1"), now=0.0)) == 1

    def test_they_are_no_turns_but_can_be_followed_by_their_metadata(self) -> None:
        machine = after(live(), self.WISH)
        over = done("side", conversation_id=None)

        effects = play(machine, self.BEGUN, text("sad", "x1", response_id="side"), over)

        events = published(effects)
        assert (events[0], events[-1]) == (
            RawModelEvent(event=self.BEGUN),
            RawModelEvent(event=over),
        )
        assert only((AgentStartEvent, AgentEndEvent), effects) == []

    def test_their_failure_and_their_cost_are_published(self) -> None:
        machine = after(live(), self.WISH, self.BEGUN)
        usage = wire.Usage(total_tokens=1)

        effects = machine.handle(
            done("side", "incomplete", reason="content_filter", usage=usage), now=0.0
        )

        assert [error.error.code for error in only(ErrorEvent, effects)] == ["content_filter"]
        assert [(cost.response_id, cost.usage) for cost in only(UsageEvent, effects)] == [
            ("side", usage)
        ]

    def test_they_leave_the_conversation_alone(self) -> None:
        machine = after(live(agent_with("weather")), self.WISH, self.BEGUN)

        effects = play(
            machine,
            called("c1", response_id="side"),
            speech("x1", 500, response_id="side"),
            done("side", conversation_id=None),
            interrupt(),
        )

        assert sent(effects) == []
        assert machine.history == ()

    def test_they_are_told_by_metadata_where_no_conversation_is_ever_named(self) -> None:
        machine = after(live(), say(), self.WISH)

        effects = play(machine, created("r1", conversation_id=None), self.BEGUN)

        assert [start.response_id for start in only(AgentStartEvent, effects)] == ["r1"]
        assert creates(play(machine, say(), done("side"))) == 0
        assert creates(machine.handle(done("r1"), now=0.0)) == 1

    @pytest.mark.parametrize(
        "wish",
        [
            ask(messages.CreateResponse(conversation="none", metadata={"topic": "mood"})),
            ask(
                messages.SendRawEvent(
                    {
                        "type": "response.create",
                        "response": {"conversation": "none", "metadata": {"topic": "mood"}},
                    }
                )
            ),
        ],
        ids=["a verb", "a raw event"],
    )
    def test_they_may_begin_while_another_is_only_asked_for(self, wish) -> None:
        machine = after(live(), say(), wish)

        effects = play(machine, self.BEGUN, created("r1", conversation_id=None))

        assert [start.response_id for start in only(AgentStartEvent, effects)] == ["r1"]

    def test_each_is_answered_once(self) -> None:
        machine = after(live(), self.WISH, self.BEGUN, done("side", conversation_id=None))

        effects = machine.handle(created("r1", conversation_id=None), now=0.0)

        assert [start.response_id for start in only(AgentStartEvent, effects)] == ["r1"]

    def test_the_only_one_that_is_awaited_is_known_even_without_metadata(self) -> None:
        machine = after(live(), self.WISH)

        effects = machine.handle(created("side", conversation_id=None), now=0.0)

        assert only(AgentStartEvent, effects) == []

    def test_one_that_was_refused_is_not_awaited_any_more(self) -> None:
        machine = after(live(), self.WISH, refused(event_id="ra_2"))

        effects = machine.handle(created("r1", conversation_id=None), now=0.0)

        assert [start.response_id for start in only(AgentStartEvent, effects)] == ["r1"]

    def test_its_late_words_and_calls_stay_out_of_the_conversation(self) -> None:
        machine = after(
            live(agent_with("weather")),
            self.WISH,
            self.BEGUN,
            done("side", conversation_id=None),
        )

        assert play(machine, called("c1", response_id="side"), self.BEGUN) == []
