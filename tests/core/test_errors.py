"""Errors are told apart: those that end a session, those of its life, and nonsense."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import End, Gate, Publish, Refuse, SetGate
from realtime_actors.core.messages import ConnectionLost, TimerFired
from realtime_actors.core.server_errors import MEANINGS
from realtime_actors.errors import ConnectionLostError, SessionClosedError, SessionFailedError
from realtime_actors.events import (
    AgentEndEvent,
    AudioEvent,
    ConnectionEvent,
    ErrorEvent,
    ErrorInfo,
    EventInfo,
    InputAudioTimeoutTriggeredEvent,
    RateLimitsEvent,
    RawModelEvent,
    SpeechStartedEvent,
    ToolEndEvent,
)
from realtime_actors.items import MessageItem, UnknownItem, UnknownPart
from tests.core.machine import (
    AGENT,
    AnyMessage,
    added,
    after,
    agent_with,
    answers,
    ask,
    called,
    committed,
    created,
    creates,
    done,
    finished,
    live,
    only,
    output_added,
    play,
    published,
    refused,
    say,
    sent,
    speech,
    spoken,
    transcript,
    updated,
    user_speaks,
    user_stops,
    written,
)
from tests.wrong import wrong

FATAL = [
    "insufficient_quota",
    "invalid_api_key",
    "account_deactivated",
    "billing_hard_limit_reached",
    "session_expired",
    "beta_api_shape_disabled",
]
BENIGN = [
    "conversation_already_has_active_response",
    "response_cancel_not_active",
    "input_audio_buffer_commit_empty",
    "invalid_value",
    "rate_limit_exceeded",
    None,
]


class TestFatalErrors:
    @pytest.mark.parametrize("code", FATAL)
    def test_end_the_session(self, code) -> None:
        machine = live(reconnect=None)

        effects = machine.handle(refused(code, message="over"), now=0.0)

        assert [error.recoverable for error in only(ErrorEvent, effects)] == [False]
        (end,) = only(End, effects)
        assert isinstance(end.error, SessionFailedError)
        assert (end.error.code, "over" in str(end.error)) == (code, True)
        assert machine.phase is Phase.ENDED

    def test_may_be_told_by_their_type_as_well(self) -> None:
        error = wire.ErrorDetail(type="insufficient_quota", message="over")

        assert only(End, live().handle(wire.ServerError(error=error), now=0.0))

    def test_reach_everybody_who_waits(self) -> None:
        machine = after(live(agent_with("weather")), created("r1"), called("c1"))
        update = messages.UpdateSession({"speed": 1.1})
        after(machine, ask(update, "Ann"), ask(update, "Bob"))

        effects = machine.handle(refused("insufficient_quota"), now=0.0)

        assert [(each.caller, type(each.error)) for each in only(Refuse, effects)] == [
            ("Ann", SessionFailedError),
            ("Bob", SessionFailedError),
        ]
        assert [event.call_id for event in only(ToolEndEvent, effects)] == ["c1"]
        assert [event.status for event in only(AgentEndEvent, effects)] == ["disconnected"]
        assert isinstance(published(effects)[-1], ConnectionEvent)

    def test_may_be_the_reason_of_a_failed_response(self) -> None:
        machine = after(live(), created("r1"))
        error = wire.ErrorDetail(type="insufficient_quota", code="insufficient_quota")

        effects = machine.handle(done("r1", "failed", error=error), now=0.0)

        assert [event.recoverable for event in only(ErrorEvent, effects)] == [False]
        assert [event.status for event in only(AgentEndEvent, effects)] == ["failed"]
        assert [type(end.error) for end in only(End, effects)] == [SessionFailedError]

    def test_may_be_the_reason_of_a_failed_response_beside_the_conversation(self) -> None:
        beside = ask(messages.CreateResponse(conversation="none"))
        machine = after(live(), beside, created("side", conversation_id=None))
        error = wire.ErrorDetail(code="insufficient_quota")

        effects = machine.handle(done("side", "failed", error=error), now=0.0)

        assert [type(end.error) for end in only(End, effects)] == [SessionFailedError]


@pytest.mark.parametrize("code", BENIGN)
def test_benign_errors_leave_the_session_usable(code) -> None:
    machine = live()

    effects = machine.handle(refused(code, message="no", param="x"), now=0.0)

    assert effects == [
        Publish(
            ErrorEvent(
                error=ErrorInfo(type="invalid_request_error", message="no", code=code, param="x")
            )
        )
    ]
    assert creates(machine.handle(say(), now=0.0)) == 1


class TestAResponseThatFails:
    def test_tells_the_servers_reason(self) -> None:  # S71
        machine = after(live(), created("r1"))
        error = wire.ErrorDetail(type="rate_limit_exceeded", code="tokens", message="slow down")

        effects = machine.handle(done("r1", "failed", error=error), now=0.0)

        assert published(effects) == [
            ErrorEvent(
                error=ErrorInfo(type="rate_limit_exceeded", code="tokens", message="slow down"),
                response_id="r1",
                source="response.done",
            ),
            AgentEndEvent(agent=AGENT, response_id="r1", status="failed", reason="tokens"),
        ]

    def test_tells_why_it_is_incomplete(self) -> None:
        machine = after(live(), created("r1"))

        effects = machine.handle(done("r1", "incomplete", reason="max_output_tokens"), now=0.0)

        (error,) = only(ErrorEvent, effects)
        assert error.error == ErrorInfo(
            type="response_incomplete",
            code="max_output_tokens",
            message="the response is incomplete: it reached max_output_tokens: raise that, or ask"
            " for less at once (max_output_tokens)",
        )

    def test_tells_that_there_is_no_reason(self) -> None:
        machine = after(live(), created("r1"))

        (error,) = only(ErrorEvent, machine.handle(done("r1", "failed"), now=0.0))

        assert error.error.type == "response_failed"
        assert "no reason given" in error.error.message
        assert error.error.code is None

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (
                {"type": "server_error", "code": "inference_rate_limit_exceeded"},
                (
                    "the response failed: the service is asked for more than it can do now: wait,"
                    " and ask again (inference_rate_limit_exceeded, server_error)"
                ),
            ),
            (
                {"type": "server_error", "code": "tea_is_cold"},
                (
                    "the response failed: the server had a fault of its own: ask again, and wait"
                    " longer each time (tea_is_cold, server_error)"
                ),
            ),
            (
                {"type": "rate_limit_exceeded"},
                (
                    "the response failed: more requests or tokens in a minute than the account may"
                    " use: wait, and ask again (RateLimitsEvent says when) (rate_limit_exceeded)"
                ),
            ),
            (
                {"code": "tea_is_cold"},
                "the response failed: the server gave no other reason than that (tea_is_cold)",
            ),
            (
                {},
                (
                    "the response failed: no reason given by the server: ask again, or look at what"
                    " it logs"
                ),
            ),
            ({"code": "tea_is_cold", "message": " Brew again. "}, "Brew again."),
        ],
    )
    def test_says_what_it_means_when_the_server_does_not(self, error, message) -> None:
        machine = after(live(), created("r1"))
        detail = wire.ErrorDetail(**error)

        (told,) = only(ErrorEvent, machine.handle(done("r1", "failed", error=detail), now=0.0))

        assert (told.error.message, told.error.code) == (message, error.get("code"))

    @pytest.mark.parametrize("status", ["failed", "incomplete"])
    @pytest.mark.parametrize("reason", [None, "content_filter", "max_output_tokens", "else"])
    @pytest.mark.parametrize("message", ["", "No."])
    @pytest.mark.parametrize("code", [None, *MEANINGS])
    def test_always_says_something_and_its_code_is_no_sentence(
        self, status, reason, message, code
    ) -> None:
        for error in (None, wire.ErrorDetail(code=code, message=message)):
            machine = after(live(), created("r1"))
            ended = done("r1", status, reason=reason, error=error)

            (told,) = only(ErrorEvent, machine.handle(ended, now=0.0))

            assert told.error.message
            assert told.error.code in (None, code, reason)

    def test_is_no_error_when_it_was_cancelled(self) -> None:
        machine = after(live(), created("r1"))

        effects = machine.handle(done("r1", "cancelled", reason="client_cancelled"), now=0.0)

        assert only(ErrorEvent, effects) == []


def test_an_error_without_words_says_what_its_code_means() -> None:
    said = wire.ErrorDetail(type="invalid_request_error", code="session_expired")

    effects = live(reconnect=None).handle(wire.ServerError(error=said), now=0.0)

    meaning = (
        "the session has lasted as long as it may: start a new one"
        " (session_expired, invalid_request_error)"
    )
    (told,) = only(ErrorEvent, effects)
    assert told.error.message == meaning
    (end,) = only(End, effects)
    assert str(end.error) == f"the server ended the session: {meaning}"


class TestNonsense:
    def test_what_is_no_event_is_an_error_that_the_session_survives(self) -> None:
        effects = live().handle(wire.MalformedEvent(reason="not JSON: line 1"), now=0.0)

        assert published(effects) == [
            ErrorEvent(
                error=ErrorInfo(type="invalid_event", message="not JSON: line 1: it was skipped"),
                source="protocol",
            )
        ]

    def test_is_told_once_a_minute_for_each_kind_and_counted_meanwhile(self) -> None:
        machine = live()

        def told(kind: str, at: float) -> list[str]:
            event = wire.MalformedEvent(reason=f"{kind} at {at}", kind=kind)
            return [each.error.message for each in only(ErrorEvent, machine.handle(event, at))]

        assert told("a", 10.0) == ["a at 10.0: it was skipped"]
        assert told("b", 11.0) == ["b at 11.0: it was skipped"]
        assert [told("a", at) for at in (12.0, 30.0, 69.9)] == [[], [], []]
        assert told("a", 70.0) == [
            "a at 70.0: it was skipped (and 3 more like it since the last report)"
        ]
        assert told("a", 130.0) == ["a at 130.0: it was skipped"]

    def test_has_no_more_kinds_than_can_be_kept(self) -> None:
        machine = live()

        for number in range(3_000):
            machine.handle(wire.MalformedEvent(reason=f"kind {number}"), now=0.0)
        again = machine.handle(wire.MalformedEvent(reason="kind 2999"), now=1.0)
        forgotten = machine.handle(wire.MalformedEvent(reason="kind 0"), now=1.0)

        assert (len(published(again)), len(published(forgotten))) == (0, 1)

    @pytest.mark.parametrize(
        "event",
        [
            speech(content_index=-1),
            speech(content_index=10**9),
            transcript("Hi", content_index=-1),
            transcript("Hi", content_index=10**400),
            wire.ResponseOutputTextDelta(
                response_id="r1", item_id="i1", output_index=-2, delta="Hi"
            ),
            wire.ConversationItemTruncated(item_id="i1", content_index=65_536),
        ],
        ids=lambda event: event.type,
    )
    def test_that_points_nowhere_is_told_and_skipped(self, event) -> None:
        machine = after(live(), created("r1"), output_added(spoken("i1", "right")))
        before = machine.history

        effects = machine.handle(event, now=1.0)

        assert [each.error.type for each in only(ErrorEvent, effects)] == ["invalid_event"]
        assert len(effects) == 1
        assert machine.history == before

    def test_in_one_member_leaves_the_rest_of_the_event(self) -> None:
        event = wire.InputAudioBufferSpeechStarted(
            item_id="u1", ignored=("audio_start_ms is not a number of milliseconds",)
        )

        effects = live().handle(event, now=0.0)

        assert [type(each) for each in published(effects)] == [SpeechStartedEvent, ErrorEvent]
        assert only(ErrorEvent, effects)[0].error.message == (
            "input_audio_buffer.speech_started: audio_start_ms is not a number of milliseconds:"
            " ignored"
        )

    @pytest.mark.parametrize(
        "event",
        [
            wire.UnknownEvent(type="response.dance", raw={"type": "response.dance"}),
            wire.ConversationCreated(),
            wire.InputAudioBufferCleared(),
            wire.OutputAudioBufferStarted(response_id="r9"),
            wire.ResponseMcpCallFailed(item_id="i9"),
            wire.InputAudioBufferDtmfEventReceived(event="#"),
        ],
        ids=lambda event: event.type,
    )
    def test_what_is_not_acted_on_is_handed_on(self, event) -> None:  # S74
        assert live().handle(event, now=0.0) == [Publish(RawModelEvent(event=event))]

    def test_items_and_responses_that_nobody_knows_do_no_harm(self) -> None:
        machine = live()
        trace: list[AnyMessage] = [
            done("r9"),
            speech("i9", 20, response_id="r9"),
            committed(wrong(None)),
            user_speaks(wrong(None)),
            user_stops("u9"),
            added(UnknownItem(type="hologram", raw={}, id="h1")),
            added(MessageItem(role="narrator", content=(UnknownPart(type="smell", raw={}),))),
            finished("c9"),
            TimerFired("whatever"),
            wire.ConversationItemTruncated(item_id="i9"),
            wire.ResponseCreated(response=wire.Response()),
            wire.ResponseDone(response=wire.Response(status="vanished")),
        ]

        play(machine, *trace)

        assert creates(machine.handle(say(), now=0.0)) == 1

    def test_ten_thousand_of_it_do_not_hold_up_the_audio(self) -> None:
        machine = after(live(), created("r1"))
        nonsense = wire.UnknownEvent(type="spam", raw={"type": "spam"})
        after(machine, *[nonsense] * 10_000)

        assert len(only(AudioEvent, machine.handle(speech("i1", 20), now=0.0))) == 1


class TestALostConnection:
    """Without `reconnect` a session ends with its connection. With it: see `test_losses`."""

    LOST = ConnectionLost(code=1006, reason="gone")

    def test_ends_the_session_and_says_why(self) -> None:
        effects = live(reconnect=None).handle(self.LOST, now=0.0)

        why = "the connection was lost: gone"
        (told,) = only(ErrorEvent, effects)
        assert (told.error.type, told.error.message, told.recoverable) == (
            "connection_lost",
            why,
            False,
        )
        (closed,) = only(ConnectionEvent, effects)
        (end,) = only(End, effects)
        assert (closed.state, closed.reason) == ("closed", why)
        assert closed.error is end.error
        assert isinstance(end.error, ConnectionLostError)
        assert (str(end.error), end.error.close_code, end.error.code) == (why, 1006, "1006")
        assert SetGate(Gate(False, why)) in effects

    @pytest.mark.parametrize(
        ("reason", "said"),
        [
            ("the connection was lost", "the connection was lost"),
            ("the connection was lost: no route", "the connection was lost: no route"),
            ("", "the connection was lost: 1006"),
        ],
    )
    def test_is_said_once(self, reason, said) -> None:
        effects = live(reconnect=None).handle(ConnectionLost(code=1006, reason=reason), now=0.0)

        assert [str(end.error) for end in only(End, effects)] == [said]

    def test_ends_whatever_was_under_way(self) -> None:
        machine = live(agent_with("weather"), reconnect=None)
        after(machine, say(), created("r1"), called("c1"))
        after(machine, ask(messages.UpdateSession({"speed": 1.1}), "Ann"))

        effects = machine.handle(self.LOST, now=0.0)

        assert [event.call_id for event in only(ToolEndEvent, effects)] == ["c1"]
        assert [(end.status, end.final) for end in only(AgentEndEvent, effects)] == [
            ("disconnected", True)
        ]
        assert [(each.caller, type(each.error)) for each in only(Refuse, effects)] == [
            ("Ann", ConnectionLostError)
        ]
        assert sent(effects) == []

    def test_leaves_what_is_known_to_be_read(self) -> None:
        machine = after(live(reconnect=None), added(written("u1")), self.LOST)

        effects = play(machine, ask(messages.History()), ask(messages.CurrentAgent()), say())

        assert answers(effects) == [(written("u1"),), AGENT, SessionClosedError]


def test_rate_limits_and_idle_timeouts_are_told() -> None:
    machine = after(live(), wire.RateLimitsUpdated())
    limits = (wire.RateLimit(name="tokens", limit=100, remaining=7, reset_seconds=1.5),)
    idle = wire.InputAudioBufferTimeoutTriggered(item_id="u1", audio_start_ms=5, audio_end_ms=9)

    effects = play(machine, wire.RateLimitsUpdated(rate_limits=limits), idle)

    assert published(effects) == [
        RateLimitsEvent(rate_limits=limits),
        InputAudioTimeoutTriggeredEvent(item_id="u1", audio_start_ms=5, audio_end_ms=9),
    ]


def test_every_event_carries_the_context_of_its_session() -> None:
    info = EventInfo(context={"name": "Ada"})
    machine = live(agent_with("weather"), info=info)
    trace: list[AnyMessage] = [
        say(),
        created("r1"),
        speech(),
        user_speaks(),
        called("c1"),
        called("c2", "dance"),
        finished("c1"),
        added(written("u1")),
        done("r1", "failed"),
        refused(),
        wire.MalformedEvent(reason="no"),
        updated(speed=1.1),
        ask(messages.Close()),
    ]

    events = published(play(machine, *trace))

    assert len({type(event) for event in events}) > 8
    assert all(event.info is info for event in events)
