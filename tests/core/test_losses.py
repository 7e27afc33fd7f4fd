"""A connection that is lost: what waits, what is tried, and what the next one is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Handoff
from realtime_actors.config import Reconnect, SessionModelSettings
from realtime_actors.core.connection.backoff import delay_before
from realtime_actors.core.connection.crossing import GO_ON, SAY_AGAIN
from realtime_actors.core.connection.moving import (
    LIMIT_TIMER,
    OPEN_WITHIN,
    OUTAGE_TIMER,
    PAUSE_TIMER,
)
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import (
    CallHook,
    CancelTimer,
    CloseStandby,
    DropConnection,
    Effects,
    End,
    OpenStandby,
    Refuse,
    RunTool,
    Send,
    SendKeptAudio,
    SetTimer,
    SwitchConnection,
)
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    ApprovalNeeded,
    ConnectionLost,
    StandbyFailed,
    StandbyOpened,
    Started,
    TimerFired,
)
from realtime_actors.errors import (
    ConnectionLostError,
    NotConnectedError,
    SessionUpdateError,
    StartCause,
    StartError,
)
from realtime_actors.events import (
    AgentEndEvent,
    AudioInterruptedEvent,
    ConnectionEvent,
    ConnectionReport,
    ErrorEvent,
    HandoffEvent,
    HistoryAddedEvent,
    HistoryUpdatedEvent,
    InputTranscriptEvent,
    LeftOut,
    ToolEndEvent,
)
from realtime_actors.hooks import AgentHooks
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    McpApprovalRequestItem,
    McpCallItem,
    MessageItem,
    OutputAudio,
    OutputText,
)
from tests.core.machine import (
    AGENT,
    added,
    after,
    agent_with,
    answers,
    ask,
    call_item,
    called,
    committed,
    created,
    creates,
    done,
    empty,
    finished,
    handed_over,
    heard,
    interrupt,
    item_done,
    live,
    new,
    only,
    output_added,
    output_done,
    output_item,
    play,
    refused,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    spoken,
    texts,
    transcript,
    updated,
    user_speaks,
    user_stops,
    words,
    written,
)

LOST = ConnectionLost(code=1006, reason="gone")
SPEAK = ask(messages.CreateResponse())
NOBODY = StartError("nobody there", StartCause.NETWORK)


def opened(attempt: int = 1, **settings: Any) -> StandbyOpened:
    return StandbyOpened(attempt=attempt, answer=updated(**settings))


def failed(attempt: int = 1, error: Any = NOBODY) -> StandbyFailed:
    return StandbyFailed(attempt=attempt, error=error)


def lost(machine: SessionMachine, at: float = 0.0) -> SessionMachine:
    """The connection is lost, and the first attempt to get another one is made."""
    return after(machine, LOST, TimerFired(PAUSE_TIMER), at=at)


def resumed(machine: SessionMachine, at: float = 0.0) -> Effects:
    """What is done when the next connection is there, after a loss."""
    return lost(machine, at).handle(opened(), at)


def told(effects: Effects) -> list[Item]:
    """The items that the new server is told."""
    return [create.item for create in only(wire.ConversationItemCreate, effects)]


def report(effects: Effects) -> ConnectionReport:
    (event,) = [each for each in only(ConnectionEvent, effects) if each.state == "resumed"]
    assert event.report is not None
    return event.report


def states(effects: Effects) -> list[str]:
    return [event.state for event in only(ConnectionEvent, effects)]


class TestALoss:
    def test_is_told_and_the_next_attempt_is_announced_with_its_delay(self) -> None:
        effects = live().handle(LOST, now=0.0)

        delay = delay_before(1, Reconnect(), "/0.0")
        assert only(ConnectionEvent, effects) == [
            ConnectionEvent(state="lost", code=1006, reason="gone"),
            ConnectionEvent(state="reconnecting", attempt=1, delay=delay),
        ]
        assert SetTimer(PAUSE_TIMER, delay) in effects
        assert SetTimer(OUTAGE_TIMER, 60.0) in effects
        assert only(End, effects) + only(ErrorEvent, effects) == []

    def test_lets_go_of_the_connection_and_keeps_the_users_audio(self) -> None:
        effects = live(reconnect={"max_outage_audio_ms": 500}).handle(LOST, now=0.0)

        assert only(DropConnection, effects) == [DropConnection(keep_audio_ms=500)]

    def test_is_a_phase_of_its_own_until_there_is_another(self) -> None:
        machine = live()
        phases = [
            after(machine, message).phase for message in (LOST, TimerFired(PAUSE_TIMER), opened())
        ]

        assert phases == [Phase.RECONNECTING, Phase.RECONNECTING, Phase.LIVE]

    def test_that_is_known_is_no_news(self) -> None:
        assert play(after(live(), LOST), LOST, LOST) == []

    def test_nothing_counts_that_comes_from_the_connection_that_is_lost(self) -> None:
        machine = after(live(), created("r1"), LOST)

        late = (speech("i1"), transcript("Hi"), added(written("u9")), done("r1"), updated(), LOST)
        assert play(machine, *late) == []
        assert machine.history == ()

    @pytest.mark.parametrize("code", [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4004])
    def test_that_the_server_wanted_ends_the_session(self, code) -> None:
        effects = live().handle(ConnectionLost(code=code, reason="no more"), now=0.0)

        (end,) = only(End, effects)
        assert isinstance(end.error, ConnectionLostError)
        assert end.error.close_code == code
        assert "no more" in str(end.error)
        assert states(effects) == ["closed"]

    @pytest.mark.parametrize("code", [None, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015])
    def test_that_may_pass_is_worth_another_attempt(self, code) -> None:
        effects = live().handle(ConnectionLost(code=code), now=0.0)

        assert states(effects) == ["lost", "reconnecting"]

    def test_of_a_session_whose_time_is_over_is_one_too(self) -> None:
        effects = live().handle(refused("session_expired", message="60 minutes"), now=0.0)

        assert [error.recoverable for error in only(ErrorEvent, effects)] == [True]
        assert states(effects) == ["lost", "reconnecting"]

    def test_calls_the_agents_hooks(self) -> None:
        agent = agent_with(hooks=AgentHooks())
        machine = live(agent)

        for trace, method in (
            ((LOST,), "on_connection_lost"),
            ((TimerFired(PAUSE_TIMER), opened()), "on_connection_resumed"),
        ):
            effects = play(machine, *trace)
            assert only(CallHook, effects) == [
                CallHook(agent, method, (only(ConnectionEvent, effects)[0],))
            ]


class TestTheAttempts:
    def test_each_sends_all_that_is_in_force(self) -> None:
        machine = after(live(), ask(messages.UpdateSession({"speed": 1.2})), updated(), LOST)

        effects = machine.handle(TimerFired(PAUSE_TIMER), now=0.3)

        (standby,) = only(OpenStandby, effects)
        assert (standby.attempt, standby.within) == (1, OPEN_WITHIN)
        assert standby.update.session.instructions == "Be kind."
        assert standby.update.session.speed == 1.2
        assert only(Send, effects) == []

    def test_wait_longer_each_time_but_not_for_ever(self) -> None:
        settings = Reconnect(jitter=0, first_delay=0.5, max_delay=3, max_seconds=1000)

        assert [delay_before(n, settings, "x") for n in range(1, 6)] == [0.5, 1, 2, 3, 3]
        assert delay_before(10_000, settings, "x") == 3

    def test_of_two_sessions_do_not_come_in_the_same_moment(self) -> None:
        delays = {delay_before(1, Reconnect(), f"session {n}") for n in range(100)}

        assert len(delays) == 100
        assert all(0.125 <= delay <= 0.25 for delay in delays)
        assert delay_before(1, Reconnect(), "x") == delay_before(1, Reconnect(), "x")

    def test_go_on_with_the_reason_of_the_last(self) -> None:
        effects = lost(live()).handle(failed(), now=0.0)

        assert only(CloseStandby, effects) == [CloseStandby(1)]
        (event,) = only(ConnectionEvent, effects)
        assert (event.state, event.attempt, event.reason) == ("reconnecting", 2, "nobody there")
        assert [each.key for each in only(SetTimer, effects)] == [PAUSE_TIMER]

    def test_that_take_too_long_have_failed(self) -> None:
        effects = lost(live()).handle(TimerFired(LIMIT_TIMER), now=10.0)

        assert only(CloseStandby, effects) == [CloseStandby(1)]
        assert states(effects) == ["reconnecting"]

    def test_that_were_given_up_are_not_used_when_they_come_late(self) -> None:
        machine = after(lost(live()), failed())

        assert play(machine, opened(1), failed(1)) == []

    @pytest.mark.parametrize(
        "error",
        [
            StartError("wrong key", StartCause.AUTHENTICATION, status=401),
            StartError("no such model", StartCause.SERVER, status=404),
            StartError("no", StartCause.CONFIG),
            SessionUpdateError("no such voice", code="invalid_value"),
            SessionUpdateError("no money", code="insufficient_quota"),
        ],
        ids=str,
    )
    def test_that_can_only_fail_again_are_the_last(self, error) -> None:
        effects = lost(live()).handle(failed(error=error), now=0.0)

        (end,) = only(End, effects)
        assert isinstance(end.error, ConnectionLostError)
        assert str(error) in str(end.error)

    @pytest.mark.parametrize(
        "error",
        [
            NOBODY,
            StartError("busy", StartCause.SERVER, status=503),
            StartError("slow down", StartCause.SERVER, status=429),
            StartError("no such host", StartCause.DNS),
            StartError("too late", StartCause.TIMEOUT),
            SessionUpdateError("wait", code="rate_limit_exceeded"),
        ],
        ids=str,
    )
    def test_that_may_go_better_are_made_again(self, error) -> None:
        assert states(lost(live()).handle(failed(error=error), now=0.0)) == ["reconnecting"]

    def test_are_as_many_as_there_may_be(self) -> None:
        machine = lost(live(reconnect={"max_attempts": 2}))

        assert states(after(machine, failed(1)).handle(TimerFired(PAUSE_TIMER), now=1.0)) == []
        (end,) = only(End, machine.handle(failed(2), now=1.0))
        assert isinstance(end.error, ConnectionLostError)
        assert end.error.attempts == 2
        assert "after 2 attempts: nobody there" in str(end.error)

    def test_end_when_their_time_is_over(self) -> None:
        machine = after(lost(live()), failed())

        effects = machine.handle(TimerFired(OUTAGE_TIMER), now=60.0)

        (end,) = only(End, effects)
        assert "within 60 s: nobody there" in str(end.error)
        assert machine.phase is Phase.ENDED

    def test_of_a_connection_that_does_not_last_are_those_of_the_same_outage(self) -> None:
        machine = after(lost(live()), opened(), at=0.0)

        effects = machine.handle(LOST, now=2.0)

        assert [each.attempt for each in only(ConnectionEvent, effects)] == [0, 2]
        assert SetTimer(OUTAGE_TIMER, 58.0) in effects

    def test_begin_anew_when_a_connection_has_lasted(self) -> None:
        machine = after(lost(live()), opened(), at=0.0)

        effects = machine.handle(LOST, now=200.0)

        assert [each.attempt for each in only(ConnectionEvent, effects)] == [0, 1]
        assert SetTimer(OUTAGE_TIMER, 60.0) in effects

    def test_closing_the_session_ends_them_at_once(self) -> None:
        machine = lost(live())

        effects = machine.handle(ask(messages.Close()), now=0.0)

        assert only(CloseStandby, effects) == [CloseStandby(1)]
        assert {CancelTimer(PAUSE_TIMER), CancelTimer(OUTAGE_TIMER)} <= {
            each for each in effects if isinstance(each, CancelTimer)
        }
        assert only(End, effects) == [End(None)]


class TestMeanwhile:
    def test_verbs_wait_and_are_done_in_their_order(self) -> None:
        machine = after(live(), LOST)
        asked = [
            ask(messages.SendMessage("One"), "Ann"),
            ask(messages.AddItem("Two"), "Bob"),
            ask(messages.UpdateSession({"speed": 1.2}), "Cid"),
        ]
        assert play(machine, *asked) == []

        effects = play(machine, TimerFired(PAUSE_TIMER), opened())

        assert [words(item) for item in told(effects)] == ["One", "Two"]
        assert sent_types(effects) == [
            "conversation.item.create",
            "conversation.item.create",
            "session.update",
            "response.create",
        ]
        assert [each for each in answers(effects) if each is None] == [None]  # Ann
        assert len(answers(effects)) == 2  # Bob has an id; the server owes Cid its answer
        assert report(effects).kept_verbs == 3

    def test_no_more_of_them_than_may_wait(self) -> None:
        machine = after(live(reconnect={"max_kept_verbs": 1}), LOST, say("One"))

        (refusal,) = only(Refuse, machine.handle(say("Two", "Bob"), now=0.0))

        assert refusal.caller == "Bob"
        assert isinstance(refusal.error, NotConnectedError)

    def test_they_are_told_when_there_is_no_other_connection(self) -> None:
        machine = after(live(), LOST, say("One", "Ann"), say("Two", "Bob"))

        effects = machine.handle(TimerFired(OUTAGE_TIMER), now=60.0)

        assert [(each.caller, type(each.error)) for each in only(Refuse, effects)] == [
            ("Ann", ConnectionLostError),
            ("Bob", ConnectionLostError),
        ]

    def test_what_needs_no_connection_is_done_at_once(self) -> None:
        machine = after(live(), added(written("u1")), LOST)

        effects = play(
            machine,
            ask(messages.History()),
            ask(messages.CurrentAgent()),
            ask(messages.Interrupt()),
            ask(messages.PlaybackPosition("i1", 0, 20)),
        )

        assert answers(effects) == [(written("u1"),), AGENT, None, None]

    def test_an_update_that_was_not_answered_is_asked_of_the_next(self) -> None:
        machine = after(live(), ask(messages.UpdateSession({"speed": 1.2}), "Ann"))

        effects = resumed(machine)
        assert only(wire.SessionUpdate, effects)[0].session == SessionModelSettings(speed=1.2)
        assert answers(machine.handle(updated(speed=1.2), now=0.0)) == [None]

    def test_a_wish_that_was_not_answered_is_asked_of_the_next(self) -> None:
        wish = ask(messages.CreateResponse(instructions="Shout."))

        effects = resumed(after(live(), wish))

        (create,) = only(wire.ResponseCreate, effects)
        assert create.response is not None
        assert create.response.instructions == "Shout."

    def test_a_wish_out_of_band_too(self) -> None:
        wish = ask(messages.CreateResponse(conversation="none", metadata={"topic": "mood"}))

        effects = resumed(after(live(), wish))

        (create,) = only(wire.ResponseCreate, effects)
        assert create.response is not None
        assert create.response.metadata == {"topic": "mood"}

    def test_a_response_out_of_band_that_had_begun_is_told_to_be_lost(self) -> None:
        wish = ask(messages.CreateResponse(conversation="none", metadata={"topic": "mood"}))
        machine = after(live(), wish, created("x1", conversation_id=None))

        effects = machine.handle(LOST, now=0.0)

        (error,) = only(ErrorEvent, effects)
        assert (error.error.type, error.response_id) == ("response_lost", "x1")

    def test_the_session_is_not_idle(self) -> None:
        machine = after(live(idle_timeout=5.0), LOST)

        effects = machine.handle(TimerFired("limit.idle"), now=50.0)

        assert "limit_reached" not in [getattr(each, "type", "") for each in effects]
        assert [each.key for each in only(SetTimer, effects)] == ["limit.idle"]


class TestTheConversation:
    def story(self, *items: Item) -> Effects:
        return resumed(after(live(), *map(item_done, items)))

    def test_is_told_in_order_with_the_names_that_the_program_knows(self) -> None:
        effects = self.story(
            written("s1", "Be brief.", role="system"),
            heard("u1", "My bill."),
            spoken("i1", "Of course."),
            call_item("c0", status=None),
            output_item("o0", "c0", "sunny"),
        )

        assert told(effects) == [
            written("s1", "Be brief.", role="system"),
            written("u1", "My bill."),
            MessageItem(id="i1", role="assistant", content=(OutputText("Of course."),)),
            call_item("c0", status=None),
            output_item("o0", "c0", "sunny"),
        ]
        assert report(effects).items_told == 5
        assert report(effects).left_out == ()

    def test_follows_the_switch_and_comes_before_the_audio(self) -> None:
        effects = self.story(written("u1"))

        order = [type(each) for each in effects]
        switch, create = order.index(SwitchConnection), order.index(Send)
        assert switch < create < order.index(SendKeptAudio)

    def test_names_what_could_not_be_told(self) -> None:
        hosted = McpApprovalRequestItem(id="m1", server_label="bank", name="pay")

        effects = self.story(heard("u1"), call_item("c0", status="incomplete"), hosted)

        assert told(effects) == []
        assert report(effects).left_out == (
            LeftOut("u1", "no_transcript"),
            LeftOut("item_c0", "broken_off"),
            LeftOut("m1", "made_by_servers"),
        )

    def test_tells_calls_of_the_server_as_a_text(self) -> None:
        call = McpCallItem(
            id="m1", server_label="docs", name="find", arguments='{"q": 1}', output="Page 4"
        )

        (item,) = told(self.story(call))

        assert isinstance(item, MessageItem)
        assert (item.id, item.role) == ("m1", "system")
        assert "'find'" in words(item)
        assert "Page 4" in words(item)

    def test_leaves_out_whole_turns_that_the_model_has_no_room_for(self) -> None:
        machine = live(reconnect={"max_retold_tokens": 62})
        after(machine, item_done(written("s1", "The caller is Ada.", role="system")))
        for turn in range(6):
            after(machine, item_done(written(f"u{turn}", "Tell me a long story, please.")))
            after(machine, item_done(spoken(f"i{turn}", "Once upon a time ...")))

        effects = resumed(machine)

        assert [item.id for item in told(effects)] == ["s1", "u4", "i4", "u5", "i5"]
        assert [each.item_id for each in report(effects).left_out] == [
            f"{who}{turn}" for turn in range(4) for who in "ui"
        ]
        assert {each.why for each in report(effects).left_out} == {"over_context"}

    def test_brings_what_was_on_its_way_and_tells_of_it_when_it_is_there(self) -> None:
        machine = after(live(), added(written("u1", "Hi")), say("Are you there?"))

        effects = resumed(machine)

        assert [words(item) for item in told(effects)] == ["Hi", "Are you there?"]
        assert creates(effects) == 1
        (_, new) = told(effects)
        (news,) = only(HistoryAddedEvent, machine.handle(added(new, after="u1"), now=0.0))
        assert news.item == new
        assert texts(machine) == [("u1", "Hi"), (new.id, "Are you there?")]

    def test_what_was_shown_is_told_once(self) -> None:
        machine = after(live(), say("Hi"), added(written("u1", "Hi")))

        assert [item.id for item in told(resumed(machine))] == ["u1"]

    def test_what_was_to_be_deleted_is_gone(self) -> None:
        machine = after(live(), added(written("u1")), ask(messages.DeleteItem("u1")))

        effects = play(machine, LOST, TimerFired(PAUSE_TIMER), opened())

        assert told(effects) == []
        assert [event.change for event in only(HistoryUpdatedEvent, effects)] == ["deleted"]

    def test_its_echo_changes_nothing(self) -> None:
        machine = after(live(), item_done(heard("u1", "My bill.")), item_done(spoken("i1", "Yes.")))
        before = machine.history
        items = told(resumed(machine))

        effects = play(machine, *map(added, items), *map(item_done, items))

        assert only(HistoryAddedEvent, effects) + only(HistoryUpdatedEvent, effects) == []
        assert machine.history == before

    def test_goes_on_behind_what_only_we_have(self) -> None:
        machine = after(live(), item_done(written("u1")), item_done(heard("u2"), after="u1"))
        after(machine, *map(added, told(resumed(machine))))

        after(machine, added(written("u3"), after="u1"))

        assert [item.id for item in machine.history] == ["u1", "u2", "u3"]

    def test_keeps_its_names_with_a_server_that_gives_others(self) -> None:
        machine = after(live(), item_done(heard("u1", "My bill.")), item_done(spoken("i1", "Yes.")))
        theirs = {"u1": "x1", "i1": "x2"}
        for item in told(resumed(machine)):
            shown = {"u1": None, "i1": "x1"}[str(item.id)]
            after(machine, added(renamed(item, theirs[str(item.id)]), after=shown))

        after(machine, added(written("x3"), after="x2"))
        (deletion,) = sent(machine.handle(ask(messages.DeleteItem("i1")), now=0.0))
        after(machine, wire.ConversationItemDeleted(item_id="x2"))

        assert deletion == wire.ConversationItemDelete(item_id="x2")
        assert [item.id for item in machine.history] == ["u1", "x3"]


def renamed(item: Item, item_id: str) -> Item:
    assert isinstance(item, MessageItem)
    return MessageItem(id=item_id, role=item.role, content=item.content, status="completed")


class TestAResponse:
    """What becomes of one that the loss has cut in half."""

    def cut(self, *pieces: Any, **options: Any) -> SessionMachine:
        """It has said for a second, from 0.0 on, what is given here."""
        return after(live(**options), SPEAK, created("r1"), *pieces)

    SAID: Sequence[Any] = (
        output_added(empty("i1")),
        added(empty("i1")),
        transcript("One moment, I am"),
        speech("i1", 1000),
    )

    def test_ends_and_is_not_the_last_of_its_turn(self) -> None:
        effects = self.cut(*self.SAID).handle(LOST, now=0.5)

        (end,) = only(AgentEndEvent, effects)
        assert (end.response_id, end.status, end.final) == ("r1", "disconnected", False)

    def test_of_which_nothing_was_heard_is_asked_for_again(self) -> None:
        effects = resumed(self.cut(output_added(empty("i1")), added(empty("i1"))))

        assert told(effects) == []
        assert creates(effects) == 1
        assert (report(effects).cut_response, report(effects).cut_action) == ("r1", "asked_again")

    def test_that_was_heard_goes_on_where_it_was_cut(self) -> None:
        machine = self.cut(*self.SAID)

        effects = resumed(machine, at=0.5)

        said, note = told(effects)
        assert said == MessageItem(
            id="i1", role="assistant", content=(OutputText("One moment, I am"),)
        )
        assert (words(note), note.role) == (GO_ON, "system")
        assert creates(effects) == 1
        assert report(effects).cut_action == "continued"
        assert only(AudioInterruptedEvent, effects) == []  # what came is heard to its end

    def test_is_asked_for_in_the_words_in_which_it_was(self) -> None:
        wish = ask(messages.CreateResponse(instructions="Shout."))
        machine = after(live(), wish, created("r1"), *self.SAID)

        (create,) = only(wire.ResponseCreate, resumed(machine, at=0.5))

        assert create.response is not None
        assert create.response.instructions == "Shout."

    def test_is_given_up_where_the_program_wants_that(self) -> None:
        machine = self.cut(*self.SAID, reconnect={"on_cut_response": "drop"})

        effects = play(machine, LOST, TimerFired(PAUSE_TIMER), opened(), at=0.5)

        assert [end.final for end in only(AgentEndEvent, effects)] == [True]
        assert [item.id for item in told(effects)] == ["i1"]
        assert creates(effects) == 0
        assert report(effects).cut_action == "dropped"

    def test_of_which_only_the_end_was_missing_is_not_asked_for_again(self) -> None:
        machine = self.cut(*self.SAID, speech_done("i1"), output_done(spoken("i1", "Yes.")))

        effects = resumed(machine, at=0.5)

        assert creates(effects) == 0
        assert report(effects).cut_action == "finished"

    def test_that_was_interrupted_before_it_was_cut_is_not_asked_for_again(self) -> None:
        machine = after(self.cut(*self.SAID), user_speaks("u2"), at=0.4)

        effects = resumed(machine, at=0.5)

        assert creates(effects) == 0
        assert report(effects).cut_action == "dropped"
        assert report(effects).user_cut

    def test_that_is_interrupted_while_there_is_no_connection_is_not_either(self) -> None:
        machine = after(self.cut(*self.SAID), LOST, at=0.2)

        effects = machine.handle(interrupt(), now=0.5)
        assert [each.heard_ms for each in only(AudioInterruptedEvent, effects)] == [500]
        assert sent(effects) == []

        effects = play(machine, TimerFired(PAUSE_TIMER), opened(), at=0.6)
        (said,) = told(effects)
        assert words(said) == "One"  # as it was heard
        assert creates(effects) == 0

    def test_that_is_interrupted_on_the_next_connection_is_told_as_it_was_heard(self) -> None:
        machine = after(self.cut(*self.SAID), LOST, TimerFired(PAUSE_TIMER), opened(), at=0.2)

        effects = machine.handle(user_speaks("u2"), now=0.5)

        assert [each.heard_ms for each in only(AudioInterruptedEvent, effects)] == [500]
        deletion, creation = sent(effects)[:2]
        assert deletion == wire.ConversationItemDelete(item_id="i1")
        assert (creation.item.id, words(creation.item)) == ("i1", "One")
        assert creation.previous_item_id == "root"
        gone = machine.handle(wire.ConversationItemDeleted(item_id="i1"), now=0.5)
        assert only(HistoryUpdatedEvent, gone) == []
        assert [item.id for item in machine.history] == ["i1"]

    def test_that_the_server_owed_the_user_is_asked_for(self) -> None:
        machine = after(live(), user_speaks("u1"), user_stops("u1"), committed("u1"))
        after(machine, item_done(heard("u1", "How are you?")))

        effects = resumed(machine)

        assert [words(item) for item in told(effects)] == ["How are you?"]
        assert creates(effects) == 1
        assert report(effects).unanswered_turn

    def test_to_words_that_are_not_known_asks_the_user_to_say_them_again(self) -> None:
        machine = after(live(), user_speaks("u1"), user_stops("u1"), committed("u1"))
        after(machine, added(heard("u1")))

        effects = play(machine, LOST, TimerFired(PAUSE_TIMER), opened())

        assert [each.status for each in only(InputTranscriptEvent, effects)] == ["failed"]
        assert [words(item) for item in told(effects)] == [SAY_AGAIN]
        assert creates(effects) == 1

    def test_in_a_transcription_session_is_never_asked_for(self) -> None:
        machine = live(session_type="transcription")
        after(machine, user_speaks("u1"), user_stops("u1"), committed("u1"))

        assert creates(resumed(machine)) == 0


class TestCalls:
    DESK = agent_with("weather", "time")

    def calling(self, **options: Any) -> SessionMachine:
        return after(live(self.DESK, **options), SPEAK, created("r1"), called("c1"), done("r1"))

    def test_that_run_are_answered_on_the_next_connection(self) -> None:
        machine = self.calling()

        effects = resumed(machine)
        assert told(effects) == [call_item("c1", status=None)]
        assert report(effects).open_calls == ("c1",)
        assert (creates(effects), only(RunTool, effects)) == (0, [])

        effects = machine.handle(finished("c1", "sunny"), now=1.0)
        assert told(effects) == [FunctionCallOutputItem(call_id="c1", output="sunny")]
        assert creates(effects) == 1

    def test_that_end_while_there_is_no_connection_are_answered_then(self) -> None:
        machine = after(self.calling(), LOST)

        effects = machine.handle(finished("c1", "sunny"), now=0.1)
        assert [event.output for event in only(ToolEndEvent, effects)] == ["sunny"]
        assert sent(effects) == []

        effects = play(machine, TimerFired(PAUSE_TIMER), opened())
        call, output = told(effects)
        assert isinstance(call, FunctionCallItem)
        assert isinstance(output, FunctionCallOutputItem)
        assert (call.call_id, output.call_id, output.output) == ("c1", "c1", "sunny")
        assert creates(effects) == 1

    def test_whose_output_was_on_its_way_are_not_run_again(self) -> None:
        machine = after(self.calling(), finished("c1", "sunny"))

        effects = resumed(machine)

        assert [item.type for item in told(effects)] == ["function_call", "function_call_output"]
        assert only(RunTool, effects) == []
        assert creates(effects) == 1

    def test_that_wait_for_approval_wait_on_and_may_be_approved_meanwhile(self) -> None:
        machine = after(self.calling(approval_timeout=60.0), ApprovalNeeded("c1"), LOST)

        effects = machine.handle(ask(messages.Approve("c1")), now=0.0)

        assert [(run.call_id, run.approved) for run in only(RunTool, effects)] == [("c1", True)]
        assert answers(effects) == [None]

    def test_of_a_response_that_was_cut_go_on(self) -> None:
        machine = after(live(self.DESK), SPEAK, created("r1"), called("c1"), finished("c1"))

        effects = resumed(machine)

        assert [item.type for item in told(effects)] == ["function_call", "function_call_output"]
        assert creates(effects) == 1

    def test_of_the_server_itself_are_lost_and_asked_about(self) -> None:
        hosted = McpCallItem(id="m1", server_label="docs", name="find", arguments="{}")
        machine = after(live(), SPEAK, created("r1"), output_added(hosted), done("r1"))

        effects = resumed(machine)

        assert report(effects).hosted_calls_lost == 1
        assert "not known" in words(told(effects)[0])
        assert creates(effects) == 1


class TestHandoffs:
    BILLING = agent_with("refund", name="Billing")
    CEDAR = agent_with(name="Cedar", voice="cedar")
    DESK = agent_with(name="Desk", handoffs=[BILLING, Handoff(CEDAR, voice="reconnect")])

    def test_that_the_server_has_not_answered_are_asked_of_the_next(self) -> None:
        machine = after(live(self.DESK), SPEAK, created("r1"), called("c1", "transfer_to_billing"))
        after(machine, done("r1"), handed_over(self.BILLING))

        effects = resumed(machine)
        (update,) = only(wire.SessionUpdate, effects)
        assert update.session.instructions == "You are Billing."
        assert creates(effects) == 0

        effects = machine.handle(updated(), now=0.0)
        assert [each.to_agent.name for each in only(HandoffEvent, effects)] == ["Billing"]
        assert creates(effects) == 1

    def test_that_are_set_up_meanwhile_happen_on_the_next(self) -> None:
        machine = after(live(self.DESK), SPEAK, created("r1"), called("c1", "transfer_to_billing"))
        after(machine, done("r1"), LOST, handed_over(self.BILLING), TimerFired(PAUSE_TIMER))

        effects = play(machine, opened(), updated())

        assert [each.to_agent.name for each in only(HandoffEvent, effects)] == ["Billing"]

    def speaking(self) -> SessionMachine:
        machine = after(live(self.DESK), SPEAK, created("r1"), speech("i1", 100), speech_done("i1"))
        after(machine, called("c1", "transfer_to_cedar"), done("r1"))
        return after(machine, handed_over(self.CEDAR))

    def test_whose_connection_is_there_take_it_at_once(self) -> None:
        machine = after(self.speaking(), opened(1))

        effects = machine.handle(LOST, now=0.0)

        assert only(SwitchConnection, effects) == [SwitchConnection(1)]
        assert states(effects) == ["lost", "resumed"]
        assert [each.to_agent.name for each in only(HandoffEvent, effects)] == ["Cedar"]

    def test_whose_connection_is_being_made_take_it_when_it_is_there(self) -> None:
        machine = self.speaking()

        assert states(machine.handle(LOST, now=0.0)) == ["lost", "reconnecting"]
        effects = machine.handle(opened(1), now=1.0)

        assert states(effects) == ["resumed"]
        assert [each.to_agent.name for each in only(HandoffEvent, effects)] == ["Cedar"]

    def test_whose_connection_fails_come_to_nothing_and_the_old_agent_is_brought_back(self) -> None:
        machine = after(self.speaking(), LOST)

        effects = machine.handle(failed(1), now=1.0)
        assert "the transfer to Cedar failed" in only(ToolEndEvent, effects)[0].output
        assert states(effects) == ["reconnecting"]

        effects = play(machine, TimerFired(PAUSE_TIMER), opened(2), at=2.0)
        assert machine.current_agent.name == "Desk"
        assert creates(effects) == 1  # the old agent says that it did not work


class TestASecondLoss:
    def test_brings_all_along_once_more(self) -> None:
        machine = after(live(), item_done(written("u1", "Hi")), say("Are you there?"))
        resumed(machine)

        effects = play(machine, LOST, TimerFired(PAUSE_TIMER), opened(2), at=1.0)

        assert [words(item) for item in told(effects)] == ["Hi", "Are you there?"]
        assert creates(effects) == 1

    def test_asks_again_for_a_response_that_was_asked_for_again(self) -> None:
        machine = after(live(), SPEAK, created("r1"))
        resumed(machine)

        effects = play(machine, LOST, TimerFired(PAUSE_TIMER), opened(2), at=1.0)

        assert creates(effects) == 1


def test_parts_that_the_user_did_not_hear_stay_out_of_what_is_told() -> None:
    machine = after(live(), SPEAK, created("r1"), output_added(empty("i1")), added(empty("i1")))
    after(machine, transcript("Hello, this is Marin."), speech("i1", 1000))
    after(machine, speech_done("i1"), output_done(spoken("i1", "Hello, this is Marin.")), done())
    after(machine, interrupt(), at=0.5)

    effects = resumed(machine, at=0.6)

    (said,) = told(effects)
    assert isinstance(said, MessageItem)
    assert said.content == (OutputText("Hello,"),)
    (kept,) = machine.history
    assert isinstance(kept, MessageItem)
    assert kept.content == (OutputAudio(transcript="Hello,", truncated_at_ms=500),)


def test_the_first_connection_is_told_to_be_tried() -> None:
    effects = new().handle(Started(), now=0.0)

    assert states(effects) == ["connecting"]
