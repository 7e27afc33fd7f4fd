"""A voice that changes in the middle of a conversation: another connection takes over."""

from __future__ import annotations

import pytest
from attrs import evolve

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Handoff
from realtime_actors.config import (
    DEFAULT_TRANSCRIPTION,
    OFF,
    BargeIn,
    SessionModelSettings,
    default_session_settings,
)
from realtime_actors.core.connection.moving import (
    LIMIT_TIMER,
    OPEN_WITHIN,
    QUIET_TIMER,
    QUIET_WITHIN,
)
from realtime_actors.core.effects import (
    CloseStandby,
    Effects,
    OpenStandby,
    Publish,
    RunTool,
    Send,
    SetGate,
    SetTimer,
    SwitchConnection,
)
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    GuardrailsFinished,
    StandbyFailed,
    StandbyOpened,
    TimerFired,
)
from realtime_actors.core.speech.playback import LOOK_AGAIN
from realtime_actors.errors import StartCause, StartError
from realtime_actors.events import (
    AgentStartEvent,
    ConnectionEvent,
    ConnectionReport,
    ErrorEvent,
    Event,
    HandoffEvent,
    HistoryAddedEvent,
    HistoryUpdatedEvent,
    SessionUpdatedEvent,
    ToolEndEvent,
)
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputImage,
    InputText,
    Item,
    McpListToolsItem,
    MessageItem,
    OutputAudio,
    OutputText,
)
from tests.core.machine import (
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
    finished,
    handed_over,
    heard,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    output_done,
    output_item,
    play,
    refused,
    resolve,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    spoken,
    texts,
    transcript_done,
    updated,
    user_speaks,
    user_stops,
    user_words,
    words,
    written,
)

CEDAR = agent_with("refund", name="Cedar", voice="cedar")
MARIN = agent_with(
    "weather", name="Marin", voice="marin", handoffs=[Handoff(CEDAR, voice="reconnect")]
)
CALL = call_item("c1", "transfer_to_cedar")
SPEAK = ask(messages.CreateResponse())
GREETING = "Hello, this is Marin."
SECOND = wire.SessionInfo(id="s2", settings=SessionModelSettings(voice="cedar"))
OPENED = StandbyOpened(attempt=1, answer=wire.SessionUpdated(session=SECOND))
FAILED = StandbyFailed(attempt=1, error=StartError("nobody there", StartCause.NETWORK))


def talking(**options: object) -> SessionMachine:
    """Marin has greeted the user, for a second from 0.0 on, and wants to hand over."""
    machine = after(live(MARIN, **options), added(written("u1", "Hi!")), SPEAK, created("r0"))
    after(machine, output_added(spoken("i1"), "r0"), speech("i1", response_id="r0"))
    after(machine, speech_done("i1", response_id="r0"))
    after(machine, transcript_done(GREETING, response_id="r0"))
    after(machine, output_done(spoken("i1", GREETING), "r0"), done("r0"))
    return after(machine, SPEAK, created("r1"), output_done(CALL))


NOTHING_WRITTEN_DOWN = evolve(default_session_settings(), input_audio_transcription=OFF)


def opening(**options: object) -> SessionMachine:
    """The other connection is being made; Marin's response is over."""
    return after(talking(**options), handed_over(CEDAR), done("r1"))


def opened(**options: object) -> SessionMachine:
    """It is there, and all is quiet: the old server was asked for an answer, at 1.0."""
    return after(opening(**options), OPENED, at=1.0)


def switched(**options: object) -> SessionMachine:
    return after(opened(**options), updated(), at=1.0)


def told(effects: Effects) -> list[Item]:
    """The items that the new server is told, after the switch."""
    at = next(n for n, each in enumerate(effects) if isinstance(each, SwitchConnection))
    return [create.item for create in only(wire.ConversationItemCreate, effects[at:])]


class TestTheOtherConnection:
    def test_is_made_beside_the_one_in_use_with_the_whole_configuration(self) -> None:
        machine = talking()

        effects = machine.handle(handed_over(CEDAR), now=0.0)

        (another,) = only(OpenStandby, effects)
        assert (another.attempt, another.within) == (1, OPEN_WITHIN)
        assert another.update.session == SessionModelSettings(
            modalities=("text", "audio"),
            input_audio_format="pcm16",
            output_audio_format="pcm16",
            input_audio_transcription=DEFAULT_TRANSCRIPTION,
            instructions="You are Cedar.",
            voice="cedar",
            tools=resolve(CEDAR).definitions,
        )
        assert only(Send, effects) == []
        assert machine.current_agent == MARIN

    def test_is_told_what_was_changed_on_the_way(self) -> None:
        machine = after(talking(), ask(messages.UpdateSession({"speed": 1.2})), updated())
        told = wire.SessionInfo(settings=SessionModelSettings(max_output_tokens=500))
        after(machine, wire.SessionUpdated(session=told))

        (another,) = only(OpenStandby, machine.handle(handed_over(CEDAR), now=0.0))

        assert (another.update.session.speed, another.update.session.max_output_tokens) == (
            1.2,
            500,
        )

    def test_is_not_made_where_the_voice_can_still_be_changed(self) -> None:
        machine = after(live(MARIN), say(), created("r1"), output_done(CALL))

        effects = machine.handle(handed_over(CEDAR), now=0.0)

        assert only(OpenStandby, effects) == []
        assert [each.session.voice for each in sent(effects)] == ["cedar"]

    def test_is_not_made_unless_the_handoff_says_so(self) -> None:
        firm = agent_with(name="Marin", voice="marin", handoffs=[CEDAR])
        machine = after(live(firm), say(), created("r1"), speech("i1"), output_done(CALL))

        effects = machine.handle(handed_over(CEDAR), now=0.0)

        assert only(OpenStandby, effects) == []
        assert "a voice cannot change" in only(ToolEndEvent, effects)[0].output

    def test_is_not_made_for_the_same_voice(self) -> None:
        twin = agent_with(name="Twin", voice="marin")

        assert only(OpenStandby, talking().handle(handed_over(twin), now=0.0)) == []

    def test_leaves_the_answers_to_us_where_speech_stops_no_response(self) -> None:
        machine = talking(barge_in=BargeIn(mode="off"))

        (another,) = only(OpenStandby, machine.handle(handed_over(CEDAR), now=0.0))

        assert another.update.session.turn_detection.create_response is False


class TestMeanwhile:
    def test_nobody_asks_for_a_response(self) -> None:
        machine = opening()

        assert creates(play(machine, say("Hello?"))) == 0
        assert creates(after(machine, OPENED, at=1.0).handle(say("Hello?"), now=1.0)) == 0

    def test_the_old_agent_may_answer_the_user(self) -> None:
        machine = after(opening(), user_speaks("u2"), user_stops("u2"), committed("u2"))

        effects = play(machine, created("r2"))

        assert [each.agent for each in only(AgentStartEvent, effects)] == [MARIN]

    def test_another_handoff_is_told_that_it_is_too_late(self) -> None:
        machine = after(
            opening(), created("r2"), called("c2", "transfer_to_cedar", response_id="r2")
        )

        effects = machine.handle(handed_over(CEDAR, "c2"), now=0.0)

        assert [each.output for each in only(ToolEndEvent, effects)] == [
            "Error: the conversation was already handed to Cedar"
        ]


class TestQuiet:
    """Nothing is switched while something is under way."""

    def waits(self, machine: SessionMachine, now: float = 1.0) -> bool:
        """Whether the old server is not asked for an answer yet."""
        return "session.update" not in sent_types(machine.handle(OPENED, now))

    def test_when_all_is_quiet_the_old_server_is_asked_whether_it_has_heard_it_all(self) -> None:
        effects = opening().handle(OPENED, now=1.0)

        assert [each.session for each in only(wire.SessionUpdate, effects)] == [
            SessionModelSettings()
        ]
        assert SetTimer(LIMIT_TIMER, QUIET_WITHIN) in effects

    def test_a_response_in_progress_is_waited_for(self) -> None:
        machine = after(talking(), handed_over(CEDAR))

        assert self.waits(machine)
        assert "session.update" in sent_types(machine.handle(done("r1"), now=1.0))

    def test_a_response_beside_the_conversation_is_waited_for(self) -> None:
        beside = ask(messages.CreateResponse(conversation="none"))
        machine = after(opening(), beside, created("x1", conversation_id=None))

        assert self.waits(machine)
        over = done("x1", conversation_id=None)
        assert "session.update" in sent_types(machine.handle(over, now=1.0))

    def test_what_was_said_is_heard_to_its_end(self) -> None:
        machine = opening()

        effects = machine.handle(OPENED, now=0.25)
        assert SetTimer(QUIET_TIMER, 0.75) in effects
        assert only(wire.SessionUpdate, effects) == []

        effects = machine.handle(TimerFired(QUIET_TIMER), now=1.0)
        assert len(only(wire.SessionUpdate, effects)) == 1

    def test_a_player_that_reports_is_believed(self) -> None:
        machine = opening(playback_reported=True)
        position = ask(messages.PlaybackPosition("i1", 0, 999.5, absolute=True))

        assert self.waits(machine)
        after(machine, ask(messages.PlaybackPosition("i1", 0, 998.0, absolute=True)), at=1.0)
        effects = machine.handle(TimerFired(QUIET_TIMER), now=1.0)
        assert SetTimer(QUIET_TIMER, LOOK_AGAIN) in effects
        assert len(only(wire.SessionUpdate, machine.handle(position, now=1.0))) == 1

    def test_the_user_may_finish(self) -> None:
        machine = after(opening(), user_speaks("u2"))

        assert self.waits(machine)
        assert "session.update" in sent_types(machine.handle(user_stops("u2"), now=1.0))

    def test_a_turn_that_was_committed_by_hand_is_over_too(self) -> None:
        machine = after(opening(settings=NOTHING_WRITTEN_DOWN), user_speaks("u2"))

        assert self.waits(machine)
        assert "session.update" in sent_types(machine.handle(committed("u2"), now=1.0))

    @pytest.mark.parametrize(
        ("asked", "forgotten"),
        [
            ([], wire.InputAudioBufferCleared()),
            (
                [ask(messages.UpdateSession({"turn_detection": "off"}))],
                updated(turn_detection=OFF),
            ),
        ],
    )
    def test_what_is_not_listened_to_any_more_keeps_nobody_waiting(self, asked, forgotten) -> None:
        machine = after(opening(), user_speaks("u2"))

        assert self.waits(machine)
        after(machine, *asked, at=1.0)
        assert "session.update" in sent_types(machine.handle(forgotten, now=1.0))

    def test_the_words_of_the_user_are_waited_for(self) -> None:
        settings = SessionModelSettings(input_audio_transcription={"model": "gpt-transcribe"})
        machine = after(opening(settings=settings), committed("u2"), added(heard("u2")))

        assert self.waits(machine)
        assert "session.update" in sent_types(machine.handle(user_words("Yes", "u2"), now=1.0))

    def test_a_verdict_is_waited_for(self) -> None:
        strict = OutputGuardrail(name="strict", check=lambda text: False)
        machine = opening(output_guardrails=(strict,))
        verdict = GuardrailsFinished(response_id="r0", item_id="i1", text=GREETING)

        assert self.waits(machine)
        assert "session.update" in sent_types(machine.handle(verdict, now=1.0))


class TestTheSwitch:
    def test_happens_with_the_answer_and_the_new_agent_has_the_word(self) -> None:
        machine = opened()

        effects = machine.handle(updated(), now=1.0)

        assert only(SwitchConnection, effects) == [SwitchConnection(1)]
        assert [event.type for event in events_of(effects)] == [
            "session_updated",  # the old server's answer
            "connection",
            "session_updated",
            "handoff",
            "tool_end",
        ]
        assert only(SessionUpdatedEvent, effects)[1].session == SECOND
        assert only(HandoffEvent, effects) == [HandoffEvent(from_agent=MARIN, to_agent=CEDAR)]
        (moved,) = only(ConnectionEvent, effects)
        assert (moved.state, moved.reason) == ("resumed", "for the voice of Cedar")
        assert moved.report == ConnectionReport(cause="voice", items_told=3, open_calls=("c1",))
        assert machine.current_agent == CEDAR

    def test_tells_the_new_server_the_conversation_so_far(self) -> None:
        effects = opened().handle(updated(), now=1.0)

        *story, output = told(effects)
        assert story == [
            written("u1", "Hi!"),
            MessageItem(id="i1", role="assistant", content=(OutputText(GREETING),)),
            FunctionCallItem(id="item_c1", call_id="c1", name="transfer_to_cedar", arguments="{}"),
        ]
        assert output == FunctionCallOutputItem(call_id="c1", output="Transferred to Cedar")
        assert sent_types(effects)[-1] == "response.create"
        assert creates(effects) == 1

    def test_everything_goes_to_the_new_connection(self) -> None:
        effects = opened().handle(updated(), now=1.0)

        at = [isinstance(each, SwitchConnection) for each in effects].index(True)
        assert [each for each in effects[:at] if isinstance(each, Send)] == []

    @pytest.mark.parametrize("mode", ["gated", "half_duplex"])
    def test_the_echo_of_the_old_voice_dies_away_first(self, mode) -> None:
        machine = opened(barge_in=BargeIn(mode=mode, tail_ms=300))

        effects = machine.handle(updated(), now=1.1)

        # What was played until 1.0 comes back until 1.3, as the gate says already.
        assert only(SwitchConnection, effects) != []
        assert only(SetGate, effects) == []

    def test_the_new_voice_can_be_changed_until_it_has_spoken(self) -> None:
        machine = switched()

        effects = machine.handle(ask(messages.UpdateSession({"voice": "alloy"})), now=1.0)

        assert "session.update" in sent_types(effects)

    def test_and_back_again(self) -> None:
        back = Handoff(lambda: MARIN, tool_name="back", voice="reconnect")
        cedar = agent_with(name="Cedar", voice="cedar", handoffs=[back])
        machine = after(talking(), handed_over(cedar), done("r1"), OPENED, updated(), at=1.0)
        after(machine, created("r2"), speech("i2", response_id="r2"), speech_done("i2"), at=1.0)
        after(machine, called("c2", "back", response_id="r2"), done("r2"), at=2.0)
        again = StandbyOpened(attempt=2, answer=wire.SessionUpdated(session=wire.SessionInfo()))

        (another,) = only(OpenStandby, play(machine, handed_over(MARIN, "c2"), at=2.0))
        after(machine, again, updated(), at=2.0)

        assert another.update.session.voice == "marin"
        assert machine.current_agent == MARIN

    def test_an_update_made_meanwhile_is_in_force_on_the_new_connection(self) -> None:
        machine = after(opening(), ask(messages.UpdateSession({"speed": 1.2})), updated())
        after(machine, OPENED, at=1.0)

        effects = machine.handle(updated(), now=1.0)

        assert sent(effects)[0].session == SessionModelSettings(speed=1.2)

    def test_an_update_that_was_not_answered_is_sent_anew(self) -> None:
        # A server that passes over an update, and refuses what changes nothing.
        machine = after(opening(), ask(messages.UpdateSession({"speed": 1.2}), "ada"))
        (barrier,) = only(wire.SessionUpdate, machine.handle(OPENED, now=1.0))

        effects = machine.handle(refused(event_id=barrier.event_id), now=1.0)
        assert answers(effects) == []
        (again,) = only(wire.SessionUpdate, effects)
        assert again.session.speed == 1.2
        assert answers(machine.handle(updated(), now=1.0)) == [None]

    def test_a_wish_that_was_held_back_is_one_with_the_handoffs(self) -> None:
        machine = after(opening(), say("Hello?"), OPENED, at=1.0)

        assert creates(play(machine, updated(), at=1.0)) == 1

    def test_ids_may_come_again_from_another_server(self) -> None:
        machine = switched()

        effects = play(machine, created("r1"), speech("i9", response_id="r1"), at=1.0)

        assert [each.agent for each in only(AgentStartEvent, effects)] == [CEDAR]

    def test_ids_of_calls_may_come_again_too(self) -> None:
        machine = after(talking(), called("c5", "weather"), finished("c5"), handed_over(CEDAR))
        after(machine, done("r1"), OPENED, updated(), updated(), created("r2"), at=1.0)

        effects = play(machine, called("c5", "refund", response_id="r2"), called("c5"), at=1.0)

        assert [run.tool.name for run in only(RunTool, effects)] == ["refund"]


class TestTheBarrier:
    def test_what_is_sent_meanwhile_is_answered_before_the_switch(self) -> None:
        machine = after(opened(), say("One moment!"), at=1.0)

        effects = machine.handle(updated(), now=1.0)
        assert only(SwitchConnection, effects) == []
        assert [each.session for each in sent(effects)] == [SessionModelSettings()]

        after(machine, added(written("u9", "One moment!"), after="item_c1"), at=1.0)
        effects = machine.handle(updated(), now=1.0)
        assert "u9" in [item.id for item in told(effects)]

    def test_a_response_that_begins_meanwhile_is_waited_for(self) -> None:
        machine = after(opened(), created("r2"), at=1.0)

        assert sent(machine.handle(updated(), now=1.0)) == []
        effects = machine.handle(done("r2"), now=1.0)
        assert [each.session for each in sent(effects)] == [SessionModelSettings()]
        assert len(only(SwitchConnection, machine.handle(updated(), now=1.0))) == 1

    def test_a_refusal_is_an_answer(self) -> None:
        (barrier,) = only(wire.SessionUpdate, opening().handle(OPENED, now=1.0))
        machine = opened()

        effects = machine.handle(refused(event_id=barrier.event_id), now=1.0)

        assert len(only(SwitchConnection, effects)) == 1

    def test_without_an_answer_it_is_asked_again(self) -> None:
        machine = opening()
        (barrier,) = only(wire.SessionUpdate, machine.handle(OPENED, now=1.0))

        effects = machine.handle(TimerFired(("update", barrier.event_id)), now=9.0)

        assert [each.session for each in sent(effects)] == [SessionModelSettings()]
        assert len(only(SwitchConnection, machine.handle(updated(), now=9.0))) == 1


class TestRetelling:
    def story(self, *items: Item) -> list[Item]:
        """What the new server is told of these, besides what it is told in any case."""
        machine = opened(settings=NOTHING_WRITTEN_DOWN)
        after(machine, *map(added, items), at=1.0)
        usual = {"u1", "i1", "item_c1", None}
        return [each for each in told(play(machine, updated(), at=1.0)) if each.id not in usual]

    def test_speech_is_told_in_its_words(self) -> None:
        assert self.story(heard("u2", "My bill."), spoken("i2", "Of course.")) == [
            written("u2", "My bill."),
            MessageItem(id="i2", role="assistant", content=(OutputText("Of course."),)),
        ]

    def test_text_and_pictures_are_told_as_they_are(self) -> None:
        picture = InputImage(image_url="data:image/png;base64,AA==")
        items = [
            MessageItem(id="u2", role="user", content=(InputText("This one."), picture)),
            written("s1", "Be brief.", role="system"),
            MessageItem(id="i2", role="assistant", content=(OutputText("Yes."),)),
        ]

        assert self.story(*items) == items

    def test_what_has_no_words_and_what_only_servers_make_is_left_out(self) -> None:
        assert self.story(heard("u2"), McpListToolsItem(id="m1", server_label="docs")) == []

    def test_calls_are_told_with_their_outputs(self) -> None:
        pair = call_item("c0", status=None), output_item("o0", "c0", "sunny")

        assert self.story(*pair) == list(pair)

    def test_a_call_without_arguments_is_told_too(self) -> None:
        pair = call_item("c0", arguments="", status=None), output_item("o0", "c0", "sunny")

        assert self.story(*pair) == list(pair)

    def test_a_call_that_was_broken_off_is_left_out(self) -> None:
        assert self.story(call_item("c0", arguments='{"ci', status="incomplete")) == []

    def test_an_output_without_its_call_is_left_out(self) -> None:
        assert self.story(output_item("o0", "c0", "sunny")) == []

    def test_a_call_of_which_there_is_no_item_is_told_all_the_same(self) -> None:
        by_arguments = wire.ResponseFunctionCallArgumentsDone(
            response_id="r2", item_id="x", call_id="c2", name="weather", arguments='{"a": 1}'
        )
        machine = after(opened(), created("r2"), by_arguments, done("r2"), at=1.0)

        calls = [
            item
            for item in told(play(machine, updated(), at=1.0))
            if isinstance(item, FunctionCallItem)
        ]

        assert [(call.call_id, call.arguments) for call in calls] == [
            ("c1", "{}"),
            ("c2", '{"a": 1}'),
        ]

    def test_of_what_was_interrupted_only_what_was_heard_is_told(self) -> None:
        machine = after(opening(), interrupt(), at=0.5)
        after(machine, OPENED, at=0.5)

        effects = machine.handle(updated(), now=0.5)

        (said,) = [item for item in told(effects) if item.id == "i1"]
        assert said.content == (OutputText("Hello,"),)

    def test_its_echo_changes_nothing(self) -> None:
        machine = after(opening(), interrupt(), at=0.5)
        effects = play(after(machine, OPENED, at=0.5), updated(), at=0.5)
        before = machine.history

        echoes = [
            echo(item=item)
            for item in told(effects)[:-1]
            for echo in (added, item_done, wire.ConversationItemRetrieved)
        ]
        effects = play(machine, *echoes, at=0.5)

        assert only(HistoryAddedEvent, effects) + only(HistoryUpdatedEvent, effects) == []
        assert machine.history == before
        (said,) = [item for item in before if item.id == "i1"]
        assert said.content == (OutputAudio(transcript="Hello,", truncated_at_ms=500),)

    def test_what_comes_then_follows_it(self) -> None:
        machine = switched()
        output = output_item("o1", "c1", "Transferred to Cedar")

        after(machine, added(output, after="item_c1"), added(heard("u2", "So?"), after="o1"))

        assert [item_id for item_id, _ in texts(machine)] == ["u1", "i1", "item_c1", "o1", "u2"]

    def test_what_was_left_out_can_be_deleted_and_nothing_can_follow_it(self) -> None:
        machine = opened(settings=NOTHING_WRITTEN_DOWN)
        after(machine, added(heard("u2")), updated(), at=1.0)

        behind = play(machine, ask(messages.AddItem("Hi!", after="u2")))
        deleted = play(machine, ask(messages.DeleteItem("u2")))

        assert "no item 'u2'" in str(behind[0].error)
        assert sent(deleted) == []
        assert "u2" not in [item.id for item in machine.history]

    def test_what_a_filter_hides_is_not_told_to_the_new_server_at_all(self) -> None:
        machine = talking()
        kept = tuple(item for item in machine.history if item.id != "u1")
        after(machine, handed_over(CEDAR, history=kept), done("r1"), added(heard("u2", "So?")))
        after(machine, OPENED, at=1.0)

        effects = machine.handle(updated(), now=1.0)

        # What came after the filter has looked is told, and the call that it belongs to.
        assert [item.id for item in told(effects)] == ["i1", "item_c1", "u2", None]
        assert only(wire.ConversationItemDelete, effects) == []
        assert [each.item_id for each in only(HistoryUpdatedEvent, effects)] == ["u1"]
        assert "u1" not in [item.id for item in machine.history]
        assert creates(effects) == 1

    def test_what_a_filter_writes_is_told_in_its_place_and_comes_into_the_history(self) -> None:
        machine = talking()
        first, *rest = machine.history
        summary, note = (
            written(None, text, role="system") for text in ("In short.", "By the way.")
        )
        history = (summary, rest[0], note, *rest[1:])
        after(machine, handed_over(CEDAR, history=history), done("r1"), OPENED, at=1.0)

        effects = machine.handle(updated(), now=1.0)
        one, i1, two, *_ = told(effects)
        after(machine, added(one), added(i1, one.id), added(two, i1.id), at=1.0)

        assert first.id == "u1"
        assert [words(item) for item in (one, i1, two)] == ["In short.", GREETING, "By the way."]
        assert texts(machine)[:3] == [
            (one.id, "In short."),
            ("i1", GREETING),
            (two.id, "By the way."),
        ]


class TestACallBesideTheHandoff:
    def machine(self) -> SessionMachine:
        machine = after(live(MARIN), SPEAK, created("r1"), speech("i1"), speech_done("i1"))
        after(machine, output_done(spoken("i1", GREETING)), output_done(CALL))
        after(machine, called("c2", "weather"), handed_over(CEDAR), done("r1"))
        return after(machine, OPENED, at=1.0)

    def test_may_go_on_and_is_answered_on_the_new_connection(self) -> None:
        machine = self.machine()

        effects = machine.handle(updated(), now=1.0)
        assert "item_c2" in [item.id for item in told(effects)]
        assert creates(effects) == 0  # a response is asked for when both are answered

        effects = machine.handle(finished("c2"), now=2.0)
        assert sent_types(effects) == ["conversation.item.create", "response.create"]

    def test_may_end_before_the_switch(self) -> None:
        machine = after(self.machine(), finished("c2"), at=1.0)
        after(machine, updated(), added(output_item("o2", "c2", "sunny")), at=1.0)

        effects = machine.handle(updated(), now=1.0)

        assert [item.id for item in told(effects)] == ["i1", "item_c1", "item_c2", "o2", None]
        assert creates(effects) == 1

    def test_may_begin_with_the_answer_itself(self) -> None:
        machine = after(live(MARIN, async_tool_calls=False), say(), created("r1"), speech("i1"))
        after(machine, speech_done("i1"), output_done(CALL), called("c2", "weather"))
        after(machine, handed_over(CEDAR), done("r1"), OPENED, at=1.0)

        effects = machine.handle(updated(), now=1.0)

        assert [run.call_id for run in only(RunTool, effects)] == ["c2"]


class TestAFailure:
    def check(self, machine: SessionMachine, effects: Effects, why: str) -> None:
        """Nothing has changed but for the error that the model is told."""
        text = f"Error: the transfer to Cedar failed: {why}"
        assert [(event.output, event.error) for event in only(ToolEndEvent, effects)] == [
            (text, text)
        ]
        assert only(CloseStandby, effects) == [CloseStandby(1)]
        assert only(HandoffEvent, effects) + only(SwitchConnection, effects) == []
        assert sent_types(effects) == ["conversation.item.create", "response.create"]
        assert machine.current_agent == MARIN

    def test_to_connect_leaves_the_old_agent_and_tells_the_model(self) -> None:
        machine = opening()

        self.check(machine, machine.handle(FAILED, now=1.0), "nobody there")

    def test_of_a_connection_that_was_there_too(self) -> None:
        machine = opened()

        self.check(machine, machine.handle(FAILED, now=1.0), "nobody there")

    def test_to_connect_in_time(self) -> None:
        machine = opening()

        effects = machine.handle(TimerFired(LIMIT_TIMER), now=10.0)

        self.check(machine, effects, "there was no other connection within 10 s")
        assert play(machine, OPENED, updated()) == play(opening(), FAILED, OPENED, updated())[-1:]

    def test_to_come_to_rest(self) -> None:
        machine = after(opening(), user_speaks("u2"), OPENED, at=1.0)

        effects = play(machine, TimerFired(LIMIT_TIMER), user_stops("u2"), at=31.0)

        self.check(machine, effects, "the conversation did not come to rest within 30 s")

    def test_is_no_obstacle_to_the_next_try(self) -> None:
        machine = after(opening(), FAILED, created("r2"))
        after(machine, called("c2", "transfer_to_cedar", response_id="r2"), done("r2"))

        effects = play(machine, handed_over(CEDAR, "c2"))

        assert [each.attempt for each in only(OpenStandby, effects)] == [2]

    def test_that_comes_after_the_switch_is_no_news(self) -> None:
        assert play(switched(), FAILED, TimerFired(LIMIT_TIMER), TimerFired(QUIET_TIMER)) == []

    @pytest.mark.parametrize("machine", [opening, opened])
    def test_closing_the_session_closes_both(self, machine) -> None:
        effects = machine().handle(ask(messages.Close()), now=1.0)

        assert only(CloseStandby, effects) == [CloseStandby(1)]

    def test_of_the_call_itself_is_the_end_of_it(self) -> None:
        machine = opening()

        effects = machine.handle(finished("c1", "Error: no", error="Error: no"), now=0.0)

        assert only(CloseStandby, effects) == [CloseStandby(1)]
        assert len(only(ToolEndEvent, effects)) == 1
        assert creates(effects) == 1
        assert only(ErrorEvent, effects) == []


def events_of(effects: Effects) -> list[Event]:
    return [each.event for each in effects if isinstance(each, Publish)]
