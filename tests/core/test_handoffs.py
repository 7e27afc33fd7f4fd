"""A handoff is whole or not at all, and the new agent's first words follow its instructions."""

from __future__ import annotations

from typing import ClassVar

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import SessionModelSettings, TurnDetectionConfig
from realtime_actors.core.effects import (
    CancelTimer,
    Effects,
    Publish,
    RunHandoff,
    RunTool,
    Send,
    SetTimer,
)
from realtime_actors.core.messages import AgentResolved, Connected, ConnectionLost, TimerFired
from realtime_actors.core.settings import ANSWER_WITHIN
from realtime_actors.core.tools.tool_calls import tool_timer
from realtime_actors.events import (
    AgentEndEvent,
    AgentStartEvent,
    ErrorEvent,
    HandoffEvent,
    HistoryUpdatedEvent,
    SessionUpdatedEvent,
    ToolEndEvent,
    ToolStartEvent,
)
from realtime_actors.items import FunctionCallOutputItem
from tests.core.machine import (
    added,
    after,
    agent_with,
    ask,
    call_item,
    called,
    committed,
    created,
    creates,
    done,
    finished,
    handed_over,
    live,
    new,
    only,
    output_done,
    output_item,
    play,
    refused,
    resolve,
    say,
    sent,
    sent_types,
    speech,
    texts,
    updated,
    user_speaks,
    user_stops,
    written,
)

BILLING = agent_with("refund", name="Billing")
SALES = agent_with(name="Sales")
DESK = agent_with("weather", handoffs=[BILLING, SALES])
TO_BILLING, TO_SALES = DESK.handoffs


def at_the_desk(**options):
    """A live machine in the middle of a response; the server has told all settings."""
    configured = SessionModelSettings(
        voice="marin",
        output_audio_format="g711_ulaw",
        turn_detection=TurnDetectionConfig(threshold=0.7),
    )
    return after(live(DESK, settings=configured, **options), say(), created("r1"))


def asked_to_hand_over(call_id: str = "c1", name: str = "transfer_to_billing", **options):
    return after(at_the_desk(**options), called(call_id, name))


def test_a_call_of_a_handoff_runs_its_code_in_a_task() -> None:  # S57
    machine = after(at_the_desk(), added(written("u1", "My bill is wrong")))

    effects = machine.handle(called("c1", "transfer_to_billing", '{"a": 1}'), now=0.0)

    assert only(ToolStartEvent, effects) == [
        ToolStartEvent(
            agent=DESK,
            tool=TO_BILLING,
            name="transfer_to_billing",
            call_id="c1",
            arguments='{"a": 1}',
        )
    ]
    assert only(RunHandoff, effects) == [
        RunHandoff(
            call_id="c1",
            handoff=TO_BILLING,
            arguments='{"a": 1}',
            agent=DESK,
            history=machine.history,
        )
    ]


def test_the_switch_is_one_update_with_only_what_differs() -> None:  # S58
    machine = asked_to_hand_over()

    effects = machine.handle(handed_over(BILLING), now=0.0)

    assert effects == [
        CancelTimer(tool_timer("c1")),
        Send(
            wire.SessionUpdate(
                event_id="ra_3",
                session=SessionModelSettings(
                    instructions="You are Billing.", tools=resolve(BILLING).definitions
                ),
            )
        ),
        SetTimer(("update", "ra_3"), ANSWER_WITHIN),
    ]
    assert machine.current_agent == DESK


def test_with_the_acknowledgement_the_new_agent_has_the_word() -> None:  # S58
    machine = after(asked_to_hand_over(), handed_over(BILLING))

    effects = machine.handle(updated(), now=0.0)

    events = [type(effect.event) for effect in effects if isinstance(effect, Publish)]
    assert events == [SessionUpdatedEvent, HandoffEvent, ToolEndEvent]
    assert only(HandoffEvent, effects) == [HandoffEvent(from_agent=DESK, to_agent=BILLING)]
    assert only(ToolEndEvent, effects) == [
        ToolEndEvent(
            agent=BILLING,
            tool=TO_BILLING,
            name="transfer_to_billing",
            call_id="c1",
            output="Transferred to Billing",
        )
    ]
    assert sent(effects) == [
        wire.ConversationItemCreate(
            event_id="output_c1",
            item=FunctionCallOutputItem(call_id="c1", output="Transferred to Billing"),
        )
    ]
    assert machine.current_agent == BILLING


def test_no_response_is_asked_for_between_the_switch_and_its_acknowledgement() -> None:
    machine = after(asked_to_hand_over(), handed_over(BILLING))

    meanwhile = play(machine, done("r1"), say("Hello?"))
    assert creates(meanwhile) == 0

    effects = play(machine, updated())
    assert sent_types(effects) == ["conversation.item.create", "response.create"]
    assert [start.agent for start in only(AgentStartEvent, play(machine, created("r2")))] == [
        BILLING
    ]


def test_the_end_of_the_old_agents_response_is_not_final() -> None:
    machine = after(asked_to_hand_over(), handed_over(BILLING))

    assert [end.final for end in only(AgentEndEvent, play(machine, done("r1")))] == [False]


def test_the_new_agents_tools_are_the_ones_that_count() -> None:
    machine = after(asked_to_hand_over(), handed_over(BILLING), updated(), done("r1"))

    effects = play(machine, created("r2"), called("c2", "refund"), called("c3", "weather"))

    assert [run.call_id for run in only(RunTool, effects)] == ["c2"]
    assert [event.output for event in only(ToolEndEvent, effects)] == [
        "Error: Unknown tool weather"
    ]


def test_an_agent_without_instructions_does_not_speak_with_those_of_the_one_before() -> None:
    silent = Agent(name="Billing", instructions=None)
    machine = asked_to_hand_over()

    (update,) = sent(machine.handle(handed_over(silent), now=0.0))

    assert update.session.instructions == ""


def test_what_is_the_same_for_both_agents_is_not_sent() -> None:
    twin = Agent(name="Billing", instructions=DESK.instructions)

    (update,) = sent(asked_to_hand_over().handle(handed_over(twin), now=0.0))

    assert update.session == SessionModelSettings(tools=())


def test_an_update_that_is_not_answered_yet_makes_everything_differ() -> None:
    # What the desk says now is what billing is to say; but it is about to change.
    twin = Agent(name="Billing", instructions=DESK.instructions)
    change = ask(messages.UpdateSession({"instructions": "Sing!"}))
    machine = after(asked_to_hand_over(), change)

    (update,) = sent(machine.handle(handed_over(twin), now=0.0))

    assert update.session == SessionModelSettings(instructions=str(DESK.instructions), tools=())


def test_what_was_changed_on_the_way_survives_a_handoff_except_what_belongs_to_the_agent() -> None:
    mcp = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.test"}
    changes = {"speed": 1.2, "instructions": "Sing!", "tools": [mcp]}
    machine = after(asked_to_hand_over(), ask(messages.UpdateSession(changes)), updated())

    (update,) = sent(machine.handle(handed_over(BILLING), now=0.0))
    after(machine, updated(), done("r1"), created("r2"), called("c2", "refund"))

    assert update.session == SessionModelSettings(
        instructions="You are Billing.", tools=resolve(BILLING).definitions
    )


def test_a_handoff_that_fails_leaves_the_agent_and_tells_the_model() -> None:  # S60
    machine = asked_to_hand_over()
    why = "Error: handoff transfer_to_billing has no agent to hand over to: None"

    effects = play(machine, finished("c1", why, error=why), done("r1"))

    assert [event.output for event in only(ToolEndEvent, effects)] == [why]
    assert machine.current_agent == DESK
    assert sent_types(effects) == ["conversation.item.create", "response.create"]


class TestARefusal:
    REFUSED = refused("invalid_value", event_id="ra_3", message="too many tools")

    def test_leaves_the_old_agent_and_tells_the_model(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), done("r1"))

        effects = machine.handle(self.REFUSED, now=0.0)

        assert [(event.output, event.error) for event in only(ToolEndEvent, effects)] == [
            ("Error: the transfer to Billing failed: too many tools",) * 2
        ]
        assert only(HandoffEvent, effects) == []
        assert machine.current_agent == DESK
        assert creates(effects) == 1
        assert CancelTimer(("update", "ra_3")) in effects

    def test_holds_nothing_back_afterwards(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), self.REFUSED, done("r1"))
        after(machine, created("r2"), called("c2", "transfer_to_billing"), done("r2"))

        effects = play(machine, handed_over(BILLING, "c2"), updated())

        assert machine.current_agent == BILLING
        assert creates(effects) == 1

    def test_lets_the_next_call_run_when_they_run_one_by_one(self) -> None:
        machine = after(asked_to_hand_over(async_tool_calls=False), called("c2", "weather"))

        effects = play(machine, handed_over(BILLING), self.REFUSED)

        assert [run.call_id for run in only(RunTool, effects)] == ["c2"]


class TestNoAnswer:
    TIMER = TimerFired(("update", "ra_3"))

    def test_what_the_server_may_have_taken_is_put_back(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), done("r1"))

        effects = machine.handle(self.TIMER, now=8.0)

        undo, output, create = sent(effects)
        assert undo.session == SessionModelSettings(
            instructions="You are Receptionist.", tools=resolve(DESK).definitions
        )
        assert "the server did not answer" in output.item.output
        assert isinstance(create, wire.ResponseCreate)
        assert machine.current_agent == DESK

    def test_instructions_that_were_changed_on_the_way_are_put_back_too(self) -> None:
        change = ask(messages.UpdateSession({"instructions": "Sing!"}))
        machine = after(asked_to_hand_over(), change, updated(), handed_over(BILLING))

        undo, *_ = sent(machine.handle(TimerFired(("update", "ra_4")), now=8.0))

        assert undo.session.instructions == "Sing!"

    def test_an_acknowledgement_that_comes_late_changes_nothing(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), done("r1"), self.TIMER)

        effects = play(machine, updated(), updated())

        assert only(HandoffEvent, effects) == []
        assert machine.current_agent == DESK

    def test_an_acknowledgement_that_comes_late_is_not_that_of_the_next_handoff(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), self.TIMER, updated())
        after(machine, done("r1"), created("r2"), called("c2", "transfer_to_sales"))
        after(machine, handed_over(SALES, "c2"))

        late = play(machine, updated(instructions="You are Billing."))
        after(machine, updated(instructions="You are Sales."))

        assert only(HandoffEvent, late) == []
        assert machine.current_agent == SALES

    def test_nothing_is_left_out_afterwards_since_the_answer_may_come_late(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), self.TIMER)
        after(machine, updated(instructions="You are Billing.", tools=resolve(BILLING).definitions))
        after(machine, done("r1"), created("r2"), called("c2", "transfer_to_billing"))

        (update,) = sent(machine.handle(handed_over(BILLING, "c2"), now=9.0))

        assert update.session == SessionModelSettings(
            instructions="You are Billing.", tools=resolve(BILLING).definitions
        )

    def test_what_is_put_back_the_next_time_is_the_agents_own_and_no_late_answer(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), self.TIMER)
        after(machine, done("r1"), created("r2"), called("c2", "transfer_to_billing"))
        after(machine, updated(instructions="You are Billing."), handed_over(BILLING, "c2"))

        undo, *_ = sent(machine.handle(TimerFired(("update", "ra_6")), now=17.0))

        assert undo.session == SessionModelSettings(
            instructions="You are Receptionist.", tools=resolve(DESK).definitions
        )

    def test_the_next_handoff_is_a_new_one(self) -> None:
        machine = after(asked_to_hand_over(), handed_over(BILLING), self.TIMER, updated())
        after(machine, done("r1"), created("r2"), called("c2", "transfer_to_sales"))

        after(machine, handed_over(SALES, "c2"), updated())

        assert machine.current_agent == SALES


class TestTwoAtOnce:
    def test_the_first_wins_and_the_second_is_told(self) -> None:
        machine = after(asked_to_hand_over(), called("c2", "transfer_to_sales"))

        first = play(machine, handed_over(BILLING))
        second = play(machine, handed_over(SALES, "c2"))
        end = play(machine, done("r1"), updated())

        assert sent_types(first) == ["session.update"]
        assert [event.output for event in only(ToolEndEvent, second)] == [
            "Error: the conversation was already handed to Billing"
        ]
        assert machine.current_agent == BILLING
        assert creates(end) == 1

    def test_the_second_is_told_after_the_switch_too(self) -> None:
        machine = after(asked_to_hand_over(), called("c2", "transfer_to_sales"))
        after(machine, handed_over(BILLING), updated())

        effects = machine.handle(handed_over(SALES, "c2"), now=0.0)

        assert [event.call_id for event in only(ToolEndEvent, effects)] == ["c2"]
        assert machine.current_agent == BILLING

    def test_one_by_one_the_calls_behind_it_still_run(self) -> None:
        machine = after(
            asked_to_hand_over(async_tool_calls=False),
            called("c2", "transfer_to_sales"),
            called("c3", "weather"),
        )

        effects = play(machine, handed_over(BILLING), updated(), handed_over(SALES, "c2"))

        assert [run.call_id for run in only(RunTool, effects)] == ["c3"]


def test_a_handoff_that_took_too_long_is_not_done_afterwards() -> None:
    machine = asked_to_hand_over(tool_timeout=5.0)
    after(machine, TimerFired(tool_timer("c1")), done("r1"))

    assert machine.handle(handed_over(BILLING), now=6.0) == []
    assert machine.current_agent == DESK


def test_a_connection_lost_for_good_in_between_ends_the_call_and_keeps_the_agent() -> None:
    machine = after(asked_to_hand_over(reconnect=None), handed_over(BILLING))

    effects = machine.handle(ConnectionLost(code=1006, reason="gone"), now=0.0)

    assert [event.call_id for event in only(ToolEndEvent, effects)] == ["c1"]
    assert only(HandoffEvent, effects) == []
    assert machine.current_agent == DESK


def test_the_voice_is_left_alone() -> None:
    machine = after(asked_to_hand_over(), speech("i1"))

    (update,) = sent(machine.handle(handed_over(BILLING), now=0.0))

    assert update.session.voice is None


class TestInputFilter:
    """What the new agent is to know of the conversation."""

    U1, U2 = written("u1", "My name is Ada"), written("u2", "My bill is wrong")

    def machine(self):
        """The model was told two things, looked at the weather, and hands over."""
        pair = call_item("c0", "weather"), output_item("o0", "c0", "sunny")
        machine = after(at_the_desk(), added(self.U1), added(self.U2, after="u1"))
        after(machine, *[added(item) for item in pair])
        return after(machine, output_done(call_item("c1", "transfer_to_billing")))

    def test_what_it_leaves_out_is_deleted_before_the_model_is_told(self) -> None:
        machine = self.machine()
        kept = tuple(item for item in machine.history if item.id != "u1")
        after(machine, handed_over(BILLING, history=kept))

        effects = machine.handle(updated(), now=0.0)

        assert sent(effects)[0] == wire.ConversationItemDelete(item_id="u1")
        assert sent_types(effects) == ["conversation.item.delete", "conversation.item.create"]
        assert [event.item_id for event in only(HistoryUpdatedEvent, effects)] == ["u1"]
        assert "u1" not in [item.id for item in machine.history]

    def test_the_call_itself_stays_so_that_it_can_be_answered(self) -> None:
        machine = self.machine()
        after(machine, handed_over(BILLING, history=()))

        effects = machine.handle(updated(), now=0.0)

        assert [delete.item_id for delete in only(wire.ConversationItemDelete, effects)] == [
            "u1",
            "u2",
            "item_c0",
            "o0",
        ]
        assert [item.id for item in machine.history] == ["item_c1"]

    def test_what_it_has_not_seen_is_not_deleted(self) -> None:
        machine = self.machine()
        shown = machine.history
        after(machine, added(written("u3", "Are you there?")), handed_over(BILLING, history=shown))

        effects = machine.handle(updated(), now=0.0)

        assert only(wire.ConversationItemDelete, effects) == []
        assert "u3" in [item.id for item in machine.history]

    def test_what_it_adds_is_created_in_its_place(self) -> None:
        machine = self.machine()
        summary = written(None, "Ada has a wrong bill.", role="system")
        after(machine, handed_over(BILLING, history=(summary, *machine.history[1:])))

        effects = machine.handle(updated(), now=0.0)
        create = only(wire.ConversationItemCreate, effects)[0]
        after(machine, added(create.item))

        assert create.previous_item_id == "root"
        assert texts(machine)[:2] == [
            (create.item.id, "Ada has a wrong bill."),
            ("u2", "My bill is wrong"),
        ]

    def test_what_it_adds_behind_something_follows_that(self) -> None:
        machine = self.machine()
        notes = [written(None, text, role="system") for text in ("one", "two")]
        first, *rest = machine.history
        after(machine, handed_over(BILLING, history=(first, *notes, *rest)))

        one, two, _output = only(wire.ConversationItemCreate, machine.handle(updated(), now=0.0))
        after(machine, added(one.item, "u1"), added(two.item, one.item.id))

        assert (one.previous_item_id, two.previous_item_id) == ("u1", one.item.id)
        assert [words for _, words in texts(machine)][:4] == [
            "My name is Ada",
            "one",
            "two",
            "My bill is wrong",
        ]

    def test_several_that_it_puts_first_keep_their_order(self) -> None:
        machine = self.machine()
        notes = tuple(written(None, text, role="system") for text in ("one", "two"))
        after(machine, handed_over(BILLING, history=(*notes, *machine.history)))

        one, two, _output = only(wire.ConversationItemCreate, machine.handle(updated(), now=0.0))
        after(machine, added(one.item), added(two.item, one.item.id))

        assert [words for _, words in texts(machine)][:3] == ["one", "two", "My name is Ada"]

    def test_what_it_rewrites_is_replaced(self) -> None:
        machine = self.machine()
        _first, *rest = machine.history
        redacted = written("u1", "My name is ***")
        after(machine, handed_over(BILLING, history=(redacted, *rest)))

        delete, create, _output = sent(machine.handle(updated(), now=0.0))

        assert delete == wire.ConversationItemDelete(item_id="u1")
        assert create.item.content == redacted.content
        assert create.item.id not in (None, "u1")

    def test_a_filter_that_changes_the_order_is_an_error_and_the_handoff_stands(self) -> None:
        machine = self.machine()
        after(machine, handed_over(BILLING, history=tuple(reversed(machine.history))))

        effects = machine.handle(updated(), now=0.0)

        assert [error.error.type for error in only(ErrorEvent, effects)] == ["input_filter"]
        assert sent_types(effects) == ["conversation.item.create"]
        assert machine.current_agent == BILLING

    def test_a_filter_that_keeps_everything_sends_nothing(self) -> None:
        machine = self.machine()
        after(machine, handed_over(BILLING, history=machine.history))

        assert sent_types(machine.handle(updated(), now=0.0)) == ["conversation.item.create"]

    def test_what_the_program_has_deleted_meanwhile_does_not_come_back(self) -> None:
        machine = self.machine()
        shown = machine.history
        after(machine, ask(messages.DeleteItem("u1")), wire.ConversationItemDeleted(item_id="u1"))
        after(machine, handed_over(BILLING, history=shown))

        creates = only(wire.ConversationItemCreate, machine.handle(updated(), now=0.0))

        assert [create.item.type for create in creates] == ["function_call_output"]
        assert "u1" not in [item.id for item in machine.history]

    def test_what_was_deleted_meanwhile_is_not_deleted_twice(self) -> None:
        machine = self.machine()
        deleted = wire.ConversationItemDeleted(item_id="u1")
        after(machine, handed_over(BILLING, history=()), deleted)

        effects = machine.handle(updated(), now=0.0)

        assert "u1" not in [each.item_id for each in only(wire.ConversationItemDelete, effects)]


@pytest.mark.parametrize("target", [DESK, BILLING])
def test_a_handoff_may_lead_anywhere_even_back(target) -> None:
    machine = asked_to_hand_over()

    effects = play(machine, handed_over(target), updated())

    assert machine.current_agent == target
    assert len(only(HandoffEvent, effects)) == 1


def test_a_handoff_is_known_by_the_name_its_tool_has() -> None:
    agent = agent_with(handoffs=[Handoff(BILLING, tool_name="money_matters")])

    effects = play(live(agent), created("r1"), called("c1", "money_matters"))

    assert len(only(RunHandoff, effects)) == 1


class TestVoices:
    def hand_over(self, voice: str | None, *, spoken: bool, own: str | None = None):
        target = BILLING.clone(voice=voice)
        desk = DESK.clone(voice=own, handoffs=[target])
        configured = SessionModelSettings(voice="marin")
        machine = after(live(desk, settings=configured), say(), created("r1"))
        if spoken:
            after(machine, speech("i1", 100))
        after(machine, called("c1", "transfer_to_billing"))
        return machine, machine.handle(handed_over(target), now=0.0)

    @pytest.mark.parametrize(("written", "speaks"), [(None, "cedar"), ("marin", "marin")])
    def test_the_first_agent_speaks_with_its_own_voice_unless_the_settings_name_one(
        self, written, speaks
    ) -> None:
        effects = play(
            new(DESK.clone(voice="cedar"), settings=SessionModelSettings(voice=written)),
            Connected(),
            AgentResolved(resolve(DESK.clone(voice="cedar"))),
        )

        assert only(wire.SessionUpdate, effects)[0].session.voice == speaks

    def test_before_the_model_has_spoken_the_voice_changes(self) -> None:
        _, effects = self.hand_over("cedar", spoken=False)

        assert only(wire.SessionUpdate, effects)[0].session.voice == "cedar"

    def test_after_that_the_model_is_told_why_it_cannot(self) -> None:
        machine, effects = self.hand_over("cedar", spoken=True)

        (end,) = only(ToolEndEvent, effects)
        assert end.error is not None
        assert "cedar" in end.error
        assert sent_types(effects) == ["conversation.item.create"]
        assert machine.current_agent.name == "Receptionist"
        assert creates(machine.handle(done("r1"), now=0.1)) == 1

    @pytest.mark.parametrize("voice", [None, "marin"])
    def test_an_agent_that_sounds_the_same_takes_over_without_saying_so(self, voice) -> None:
        _, effects = self.hand_over(voice, spoken=True)

        assert only(wire.SessionUpdate, effects)[0].session.voice is None

    def test_who_has_none_speaks_with_the_sessions(self) -> None:
        back = agent_with(name="Back")
        billing = BILLING.clone(voice="cedar", handoffs=[back])
        desk = DESK.clone(handoffs=[billing])
        machine = live(desk, settings=SessionModelSettings(voice="marin"))
        after(machine, say(), created("r1"), called("c1", "transfer_to_billing"), done("r1"))
        after(machine, handed_over(billing), updated(), created("r2"))
        after(machine, called("c2", "transfer_to_back", response_id="r2"))

        effects = machine.handle(handed_over(back, "c2"), now=0.0)

        assert only(wire.SessionUpdate, effects)[0].session.voice == "marin"

    def test_what_a_server_that_is_silent_may_have_taken_is_put_back(self) -> None:
        machine, _ = self.hand_over("cedar", spoken=False)

        effects = machine.handle(TimerFired(("update", "ra_3")), now=ANSWER_WITHIN)

        # By itself: it may be too late for it, but not for the rest.
        assert [undo.session for undo in only(wire.SessionUpdate, effects)] == [
            SessionModelSettings(
                instructions="You are Receptionist.",
                tools=resolve(machine.current_agent).definitions,
            ),
            SessionModelSettings(voice="marin"),
        ]

    def test_a_voice_that_was_not_changed_is_not_put_back(self) -> None:
        machine = after(live(DESK, settings=SessionModelSettings(voice="marin")), say())
        (update,) = sent(machine.handle(ask(messages.UpdateSession({"voice": "cedar"})), now=0.0))
        after(machine, TimerFired(("update", update.event_id)))
        after(machine, created("r1"), called("c1", "transfer_to_billing"))
        (update,) = sent(machine.handle(handed_over(BILLING), now=0.0))

        # The answer to the first comes late.
        after(machine, updated(voice="cedar", instructions="You are Receptionist."))
        effects = machine.handle(TimerFired(("update", update.event_id)), now=ANSWER_WITHIN)

        assert [undo.session.voice for undo in only(wire.SessionUpdate, effects)] == [None]


class TestToAndFro:
    """Two agents that keep passing the conversation to each other."""

    HERE: ClassVar[Agent] = agent_with(
        name="Here", handoffs=[Handoff(lambda: TestToAndFro.THERE, tool_name="to_there")]
    )
    THERE: ClassVar[Agent] = agent_with(name="There", handoffs=[Handoff(HERE, tool_name="to_here")])

    def passed_on(self, machine, times: int, first: int = 1):
        """The conversation is passed on so often; gives what the last call led to."""
        effects: Effects = []
        for number in range(first, first + times):
            here = machine.current_agent.name == "Here"
            target, name = (self.THERE, "to_there") if here else (self.HERE, "to_here")
            call, response = f"c{number}", f"r{number}"
            after(machine, created(response))
            effects = machine.handle(called(call, name, response_id=response), now=0.0)
            effects += play(machine, handed_over(target, call), updated(), done(response))
        return effects

    def test_is_ended_by_an_error_that_the_model_and_the_program_are_told(self) -> None:
        machine = live(self.HERE, max_handoffs_per_turn=3)

        assert len(only(HandoffEvent, self.passed_on(machine, 3))) == 1
        refusal = self.passed_on(machine, 1, first=4)

        assert only(RunHandoff, refusal) == []
        assert only(HandoffEvent, refusal) == []
        assert [each.error.type for each in only(ErrorEvent, refusal)] == ["too_many_handoffs"]
        (end,) = only(ToolEndEvent, refusal)
        assert "3 times" in end.output
        assert creates(refusal) == 1  # the agent that has the word is to use it

    @pytest.mark.parametrize("words", [[say()], [user_speaks(), user_stops()], [committed("u9")]])
    def test_goes_on_when_the_user_has_said_something(self, words) -> None:
        machine = live(self.HERE, max_handoffs_per_turn=3)
        self.passed_on(machine, 3)
        after(machine, *words)

        assert len(only(HandoffEvent, self.passed_on(machine, 1, first=4))) == 1
