"""A response whose end never comes is cancelled, given up, and in no way of the next."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.core.effects import Effects, RunTool, SetTimer
from realtime_actors.core.messages import ApprovalNeeded, ConnectionLost
from realtime_actors.core.responses.stalls import stall_timer
from realtime_actors.events import (
    AgentEndEvent,
    AgentStartEvent,
    AudioEvent,
    ErrorEvent,
    TextDeltaEvent,
    ToolEndEvent,
    ToolStartEvent,
    TranscriptDeltaEvent,
    UsageEvent,
)
from realtime_actors.items import McpApprovalRequestItem, McpCallItem
from tests.core.machine import (
    AGENT,
    AnyMessage,
    added,
    agent_with,
    arguments_done,
    ask,
    call_item,
    called,
    committed,
    created,
    creates,
    done,
    empty,
    finished,
    heard,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    output_done,
    published,
    say,
    sent,
    speech,
    speech_done,
    spoken,
    text,
    texts,
    transcript,
    transcript_done,
    user_speaks,
    user_stops,
    user_words,
)
from tests.core.timed import Timed

BESIDE = ask(messages.CreateResponse(conversation="none"))


def start(*trace: AnyMessage, agent: Agent = AGENT, **options: Any) -> Timed:
    """A machine that watches its responses for 30 s, and what has happened to it."""
    timed = Timed(live(agent, **{"stall_timeout": 30.0, **options}))
    timed.tell(*trace)
    return timed


def cancels(effects: Effects) -> list[str | None]:
    """The responses that the server is asked to cancel."""
    return [cancel.response_id for cancel in only(wire.ResponseCancel, effects)]


def ends(effects: Effects) -> list[tuple[str | None, str]]:
    return [(end.response_id, end.status) for end in only(AgentEndEvent, effects)]


class TestSilence:
    def test_is_cancelled_then_given_up_and_the_next_wish_is_granted(self) -> None:
        timed = start(say(), created("r1"), say())

        assert sent(timed.wait(29.9)) == []
        assert sent(timed.wait(0.1)) == [wire.ResponseCancel(response_id="r1")]
        assert sent(timed.wait(4.9)) == []
        effects = timed.wait(0.1)

        assert published(effects) == [
            *only(ErrorEvent, effects),
            AgentEndEvent(agent=AGENT, response_id="r1", status="lost", final=False),
        ]
        (error,) = only(ErrorEvent, effects)
        assert (error.error.type, error.response_id) == ("response_stalled", "r1")
        assert error.recoverable
        assert creates(effects) == 1

    def test_of_one_without_an_id_ends_that_and_not_the_next_that_is_asked_for(self) -> None:
        # A server that runs two at once, and gives an id to one of them.
        timed = start(created(None), created("r2"), done("r2"))
        timed.wait(25.0)
        timed.tell(say())

        assert cancels(timed.wait(5.0)) == [None]
        effects = timed.wait(5.0)

        assert ends(effects) == [(None, "lost")]
        assert only(AgentStartEvent, effects) == [], "it had begun"
        assert creates(timed.tell(created("r3"), say())) == 0
        assert creates(timed.tell(done("r3"))) == 1

    def test_has_the_length_that_was_set(self) -> None:
        timed = start(created("r1"), stall_timeout=7.0)

        assert cancels(timed.wait(6.9)) == []
        assert cancels(timed.wait(0.1)) == ["r1"]

    def test_may_last_for_ever_where_no_length_is_set(self) -> None:
        timed = start(created("r1"), interrupt(), stall_timeout=None)

        assert timed.wait(100_000.0) == []

    @pytest.mark.parametrize(
        "sign",
        [
            speech(),
            speech_done(),
            text("Hi"),
            transcript("Hi"),
            transcript_done("Hi"),
            output_added(empty("i1")),
            output_done(spoken("i1")),
            added(spoken("i9")),
            item_done(spoken("i9")),
            wire.ResponseFunctionCallArgumentsDelta(
                response_id="r1", item_id="i1", call_id="c1", delta="{"
            ),
            wire.ResponseMcpCallCompleted(item_id="m1"),
            wire.UnknownEvent(type="response.thinking", raw={"type": "response.thinking"}),
            wire.UnknownEvent(type="response.thinking", raw={"response_id": "r1"}),
        ],
        ids=lambda event: event.type,
    )
    def test_is_over_with_whatever_comes_of_the_response(self, sign) -> None:
        timed = start(created("r1"))
        timed.wait(25.0)
        timed.tell(sign)

        assert cancels(timed.wait(29.9)) == []
        assert cancels(timed.wait(0.2)) == ["r1"]

    @pytest.mark.parametrize(
        "sign",
        [
            user_speaks(),
            user_stops(),
            committed(),
            added(heard()),
            item_done(heard()),
            user_words("Hello?"),
            speech("x1", response_id="r0"),
            wire.RateLimitsUpdated(rate_limits=()),
            wire.ServerError(error=wire.ErrorDetail(message="no")),
            wire.MalformedEvent(reason="no"),
            wire.UnknownEvent(type="response.thinking", raw={"response_id": "r0"}),
            wire.UnknownEvent(type="ping", raw={}),
            say("Are you there?"),
        ],
        ids=lambda event: getattr(event, "type", "said"),
    )
    def test_goes_on_whatever_else_comes(self, sign) -> None:
        timed = start(created("r1"))
        timed.wait(25.0)
        timed.tell(sign)

        assert cancels(timed.wait(5.0)) == ["r1"]

    def test_is_none_when_the_response_has_ended(self) -> None:
        assert start(created("r1"), done("r1")).wait(100_000.0) == []

    def test_is_none_when_the_connection_is_lost(self) -> None:
        timed = start(created("r1"))

        timed.tell(ConnectionLost(code=1006))

        assert stall_timer("r1") not in timed.timers

    def test_of_a_response_without_an_id_is_silence_too(self) -> None:
        timed = start(say(), created(None), say())

        assert cancels(timed.wait(30.0)) == [None]
        assert creates(timed.wait(5.0)) == 1

    def test_of_a_response_that_another_one_has_replaced_is_noticed(self) -> None:
        timed = start(created("r1"), created("r2"), done("r2"))

        effects = timed.wait(35.0)

        assert (cancels(effects), ends(effects)) == (["r1"], [("r1", "lost")])

    def test_of_a_response_out_of_band_is_noticed(self) -> None:
        timed = start(BESIDE, created("side", conversation_id=None))

        effects = timed.wait(35.0)

        assert cancels(effects) == ["side"]
        assert published(effects) == only(ErrorEvent, effects)
        assert [error.response_id for error in only(ErrorEvent, effects)] == ["side"]

    def test_of_each_response_is_watched_by_itself(self) -> None:
        timed = start(BESIDE, created("side", conversation_id=None), created("r1"))
        timed.wait(20.0)
        timed.tell(speech())

        assert cancels(timed.wait(29.0)) == ["side"]
        assert cancels(timed.wait(1.0)) == ["r1"]


class TestACancelledResponse:
    def test_is_given_up_soon_when_the_server_does_not_answer(self) -> None:
        timed = start(say(), created("r1"), speech(), interrupt(), say())

        effects = timed.wait(5.0)

        assert ends(effects) == [("r1", "lost")]
        assert creates(effects) == 1

    @pytest.mark.parametrize("named", [{}, {"response_id": "r1"}, {"response_id": 7}])
    def test_is_given_up_soon_when_the_program_has_cancelled_it(self, named) -> None:
        cancel = ask(messages.SendRawEvent({"type": "response.cancel", **named}))
        timed = start(created("r1"), cancel)

        assert ends(timed.wait(5.0)) == [("r1", "lost")]

    def test_is_not_given_up_while_it_goes_on(self) -> None:
        timed = start(created("r1"), speech())
        timed.tell(interrupt())
        for _ in range(20):
            assert ends(timed.wait(4.0)) == []
            timed.tell(speech())

        assert cancels(timed.wait(30.0)) == ["r1"]

    def test_ends_as_the_server_says(self) -> None:
        timed = start(created("r1"))
        timed.wait(31.0)

        effects = timed.tell(done("r1", "cancelled", reason="client_cancelled"))

        assert ends(effects) == [("r1", "cancelled")]
        assert timed.wait(100_000.0) == []


class TestAServerThatWaits:
    def test_for_a_tool_of_ours_may_be_silent(self) -> None:
        timed = start(created("r1"), called("c1"), agent=agent_with("weather"))

        assert sent(timed.wait(600.0)) == []
        timed.tell(finished("c1"))
        assert cancels(timed.wait(29.9)) == []
        assert cancels(timed.wait(0.1)) == ["r1"]

    def test_for_another_responses_tool_may_not(self) -> None:
        timed = start(
            created("r1"), called("c1"), done("r1"), created("r2"), agent=agent_with("weather")
        )

        assert cancels(timed.wait(30.0)) == ["r2"]

    def test_for_an_approval_of_a_call_of_ours_may_be_silent(self) -> None:
        timed = start(
            created("r1"), called("c1"), ApprovalNeeded("c1"), agent=agent_with("weather")
        )

        assert sent(timed.wait(600.0)) == []

    def test_for_an_approval_of_its_own_call_may_be_silent(self) -> None:
        asks = McpApprovalRequestItem(id="m1", server_label="bank", name="pay", arguments="{}")
        timed = start(created("r1"), output_done(asks))

        assert sent(timed.wait(600.0)) == []
        timed.tell(ask(messages.Approve("m1")))
        assert cancels(timed.wait(29.9)) == []
        assert cancels(timed.wait(0.1)) == ["r1"]

    @pytest.mark.parametrize(
        ("begins", "ends"),
        [
            (
                wire.ResponseMcpCallInProgress(item_id="m1"),
                [
                    wire.ResponseMcpCallCompleted(item_id="m1"),
                    wire.ResponseMcpCallFailed(item_id="m1"),
                ],
            ),
            (
                wire.McpListToolsInProgress(item_id="m1"),
                [wire.McpListToolsCompleted(item_id="m1"), wire.McpListToolsFailed(item_id="m1")],
            ),
        ],
        ids=["a call", "a list of tools"],
    )
    def test_for_a_tool_of_its_own_may_be_silent_for_longer(self, begins, ends) -> None:
        for end in ends:
            timed = start(created("r1"), begins)
            assert cancels(timed.wait(250.0)) == []
            timed.tell(end)
            assert cancels(timed.wait(30.0)) == ["r1"]

    def test_for_a_tool_of_its_own_is_not_waited_for_for_ever(self) -> None:
        timed = start(created("r1"), wire.ResponseMcpCallInProgress(item_id="m1"))

        assert cancels(timed.wait(299.9)) == []
        assert cancels(timed.wait(0.1)) == ["r1"]

    def test_for_a_tool_that_another_response_has_called_may_not(self) -> None:
        call = McpCallItem(id="m1", server_label="bank", name="pay")
        timed = start(
            BESIDE,
            created("side", conversation_id=None),
            output_added(call, "side"),
            created("r1"),
            wire.ResponseMcpCallInProgress(item_id="m1"),
        )

        assert cancels(timed.wait(30.0)) == ["r1"]


class TestAResponseThatWasGivenUp:
    def lost(self, *trace: AnyMessage) -> Timed:
        timed = start(say(), created("r1"), *trace, agent=agent_with("weather"))
        timed.wait(35.0)
        return timed

    def test_is_neither_heard_nor_read_any_more(self) -> None:
        timed = self.lost()

        effects = timed.tell(
            created("r1"), speech(), speech_done(), transcript("Late"), text("Late"), done("r1")
        )

        assert published(effects) == []
        assert timed.wait(100_000.0) == []

    @pytest.mark.parametrize(
        "late", [called("c1"), arguments_done("c1"), done("r1", "completed", call_item("c1"))]
    )
    def test_has_its_late_calls_answered_and_not_run(self, late) -> None:
        timed = self.lost()

        effects = timed.tell(late, called("c1"), done("r1", "completed", call_item("c1")))

        (end,) = only(ToolEndEvent, effects)
        assert (end.call_id, "given up" in str(end.error)) == ("c1", True)
        assert only(RunTool, effects) == []
        outputs = [create.item for create in only(wire.ConversationItemCreate, effects)]
        assert [output.call_id for output in outputs] == ["c1"]
        assert creates(effects) == 1

    def test_is_charged_for_when_its_end_tells_what_it_used(self) -> None:
        timed = self.lost()
        late = done("r1", usage=wire.Usage(total_tokens=5))

        effects = timed.tell(late, late)

        assert [used.usage.total_tokens for used in only(UsageEvent, effects)] == [5]

    def test_leaves_what_was_said_in_the_history(self) -> None:
        timed = self.lost(added(empty("i1")), transcript("Good mor"))

        assert texts(timed.machine) == [("i1", "Good mor")]
        timed.tell(item_done(spoken("i1", "Good morning.")))
        assert texts(timed.machine) == [("i1", "Good morning.")]

    def test_has_its_calls_answered_and_spoken_of(self) -> None:
        timed = start(created("r1"), called("c1"), interrupt(), agent=agent_with("weather"))
        effects = timed.tell(finished("c1"))

        effects += timed.wait(35.0)
        assert creates(effects) == 0  # the program has interrupted
        effects += timed.tell(say())

        assert len(only(ToolEndEvent, effects)) == 1
        assert creates(effects) == 1

    def test_is_not_in_the_way_of_the_next(self) -> None:
        timed = self.lost()

        effects = timed.tell(say(), created("r2"), speech("i2", response_id="r2"), speech("i1"))

        assert [start.response_id for start in only(AgentStartEvent, effects)] == ["r2"]
        assert [heard.response_id for heard in only(AudioEvent, effects)] == ["r2"]
        assert ends(timed.tell(done("r2"))) == [("r2", "completed")]


def test_speech_that_has_come_is_heard_to_its_end_though_its_response_is_given_up() -> None:
    timed = start(created("r1"), speech("i1", ms=60_000))

    timed.wait(35.0)
    (interrupted,) = [
        event for event in published(timed.tell(interrupt())) if event.type == "audio_interrupted"
    ]

    assert interrupted.heard_ms == 35_000


def test_a_silent_response_that_asks_for_tools_runs_them() -> None:
    timed = start(created("r1"), called("c1"), agent=agent_with("weather"))

    effects = timed.tell(finished("c1")) + timed.wait(35.0)

    assert only((RunTool, ToolStartEvent), effects) == []
    assert only((TextDeltaEvent, TranscriptDeltaEvent), effects) == []
    assert creates(effects) == 1


def test_the_watch_begins_with_the_response() -> None:
    effects = start(say()).tell(created("r1"))

    assert SetTimer(stall_timer("r1"), 30.0) in effects
