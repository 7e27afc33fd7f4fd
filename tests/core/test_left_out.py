"""What is learnt of a response whose server leaves out that it began, its id, or how it ended."""

from __future__ import annotations

import pytest
from attrs import evolve

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.effects import CancelTimer, Effects, RunTool, SetTimer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import TimerFired
from realtime_actors.core.responses.stalls import stall_timer
from realtime_actors.events import AgentEndEvent, AgentStartEvent, AudioEvent, AudioInterruptedEvent
from realtime_actors.items import UnknownItem
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
    done,
    empty,
    interrupt,
    live,
    only,
    output_added,
    play,
    refused,
    say,
    sent,
    speech,
    text,
    texts,
    transcript,
    updated,
    user_speaks,
    user_stops,
    written,
)
from tests.wrong import wrong

BESIDE = ask(messages.CreateResponse(conversation="none", metadata={"topic": "mood"}))
GROWS: list[AnyMessage] = [
    output_added(empty()),
    wire.ResponseContentPartAdded(response_id="r1", item_id="i1", part=wrong(None)),
    speech(),
    transcript("Good "),
    text("Good "),
    wire.ResponseFunctionCallArgumentsDelta(response_id="r1", item_id="i1", delta="{"),
]
"""What says that a response is in progress."""
TURN = (user_speaks("u1"), user_stops("u1"), committed("u1"))


def begun(effects: Effects) -> list[str | None]:
    return [start.response_id for start in only(AgentStartEvent, effects)]


def ended(effects: Effects) -> list[tuple[str | None, str]]:
    return [(end.response_id, end.status) for end in only(AgentEndEvent, effects)]


class TestABeginningThatIsNotTold:
    @pytest.mark.parametrize("event", GROWS, ids=lambda event: event.type)
    def test_is_seen_in_what_the_response_makes(self, event) -> None:
        effects = after(live(), say()).handle(event, now=0.0)

        assert begun(effects) == ["r1"]

    def test_is_seen_once(self) -> None:
        assert begun(play(live(), say(), *GROWS, created("r1"))) == ["r1"]

    def test_is_seen_of_the_answer_to_the_user(self) -> None:
        assert begun(play(after(live(), *TURN), speech())) == ["r1"]

    def test_is_seen_of_the_response_for_which_ours_was_refused(self) -> None:
        machine = after(live(), say(), already_active())

        assert begun(machine.handle(speech(), now=0.0)) == ["r1"]

    def test_is_not_seen_where_no_response_is_expected(self) -> None:
        assert begun(live().handle(speech(), now=0.0)) == []

    def test_is_not_seen_where_it_may_be_that_of_another_out_of_band(self) -> None:
        machine = after(live(agent_with("weather")), say(), BESIDE)

        effects = machine.handle(output_added(call_item(item_id="x1"), "side"), now=0.0)

        assert begun(effects) == []

    def test_is_not_seen_again_when_the_response_is_over(self) -> None:
        machine = after(live(), say(), speech(), done("r1"), *TURN)

        assert begun(machine.handle(transcript("Good "), now=0.0)) == []

    def test_lets_the_response_be_stopped(self) -> None:
        machine = after(live(), say(), speech("i1", 1000))

        effects = machine.handle(interrupt(), now=0.4)

        assert [event.response_id for event in only(AudioInterruptedEvent, effects)] == ["r1"]
        assert wire.ResponseCancel(response_id="r1") in sent(effects)

    def test_is_that_of_a_stopped_response_if_it_is_told_after_the_stop(self) -> None:
        machine = after(live(), speech("i1", 1000), interrupt())

        effects = machine.handle(created("r1"), now=0.5)

        assert sent(effects) == [wire.ResponseCancel(response_id="r1")]
        assert only(AudioEvent, machine.handle(speech("i1", 1000), now=0.5)) == []

    def test_keeps_the_next_response_waiting(self) -> None:
        machine = after(live(), say(), speech())

        assert only(wire.ResponseCreate, machine.handle(say("And?"), now=0.0)) == []
        assert len(only(wire.ResponseCreate, machine.handle(done("r1"), now=0.0))) == 1


class TestAResponseThatBeginsWithoutItsId:
    def machine(self, *then: AnyMessage) -> SessionMachine:
        return after(live(stall_timeout=30.0), say(), created(None), *then)

    def test_is_cancelled_by_the_id_that_it_turned_out_to_have(self) -> None:
        effects = self.machine(speech()).handle(interrupt(), now=0.4)

        assert wire.ResponseCancel(response_id="r1") in sent(effects)

    def test_stays_stopped_when_its_id_becomes_known(self) -> None:
        machine = self.machine(interrupt())

        assert only(AudioEvent, play(machine, speech(), done("r1"), speech())) == []

    def test_is_watched_by_its_id(self) -> None:
        machine = self.machine()

        effects = machine.handle(output_added(empty()), now=10.0)

        assert CancelTimer(stall_timer(None)) in effects
        assert SetTimer(stall_timer("r1"), 30.0) in effects
        stalled = machine.handle(TimerFired(stall_timer("r1")), now=40.0)
        assert sent(stalled) == [wire.ResponseCancel(response_id="r1")]

    def test_begins_once_though_it_is_announced_twice(self) -> None:
        machine = self.machine()

        assert machine.handle(created(None), now=0.0) == []
        assert only(AgentStartEvent, machine.handle(speech(), now=0.0)) == []

    def test_ends_with_the_end_that_names_it(self) -> None:
        assert ended(self.machine().handle(done("r1"), now=0.0)) == [("r1", "completed")]

    def test_does_not_take_the_id_of_one_that_is_known(self) -> None:
        machine = after(live(), say(), created("r1"), done("r1"), say(), created(None))

        effects = play(machine, transcript("Late. ", response_id="r1"), interrupt())

        assert sent(effects) == [wire.ResponseCancel(response_id=None)]

    def test_is_no_response_of_the_conversation_where_the_server_names_those(self) -> None:
        machine = after(live(), say(), created("r1"), done("r1"), BESIDE)

        assert begun(machine.handle(created(None, conversation_id=None), now=0.0)) == []


class TestAnEndWithoutAnId:
    def test_is_that_of_the_response_in_progress(self) -> None:
        machine = after(live(), say(), created("r1"))

        assert ended(machine.handle(done(None), now=0.0)) == [("r1", "completed")]

    def test_is_that_of_the_one_out_of_band_if_it_names_no_conversation(self) -> None:
        machine = after(live(), say(), created("r1"), BESIDE)
        after(machine, created("side", conversation_id=None))

        assert ended(machine.handle(done(None, conversation_id=None), now=0.0)) == []
        assert ended(machine.handle(done("r1"), now=0.0)) == [("r1", "completed")]


@pytest.mark.parametrize(
    ("details", "status"),
    [
        (wire.StatusDetails(reason="turn_detected"), "cancelled"),
        (wire.StatusDetails(reason="client_cancelled"), "cancelled"),
        (wire.StatusDetails(reason="max_output_tokens"), "incomplete"),
        (wire.StatusDetails(reason="content_filter"), "incomplete"),
        (wire.StatusDetails(type="incomplete"), "incomplete"),
        (wire.StatusDetails(error=wire.ErrorDetail(code="server_error", message="no")), "failed"),
        (wire.StatusDetails(reason="something_new"), "completed"),
        (None, "completed"),
    ],
)
@pytest.mark.parametrize("said", [None, "in_progress"])
def test_the_reason_of_an_end_says_which_end_it_was(details, status, said) -> None:
    machine = after(live(), say(), created("r1"))
    end = done("r1")
    response = evolve(end.response, status=said if details else None, status_details=details)

    effects = machine.handle(evolve(end, response=response), now=0.0)

    assert ended(effects) == [("r1", status)]


def test_arguments_are_of_the_response_that_made_their_item() -> None:
    machine = after(live(agent_with("weather")), say(), created("r1"), BESIDE)
    after(machine, created("side", conversation_id=None))
    after(machine, output_added(call_item("c1", status="in_progress"), "side"))

    effects = play(machine, arguments_done("c1", response_id=None))

    assert only(RunTool, effects) == []


def test_a_session_that_is_created_late_changes_nothing_any_more() -> None:
    machine = after(live(), updated(output_audio_format="g711_ulaw"))
    late = wire.SessionCreated(session=updated(output_audio_format="pcm16").session)

    after(machine, late, say(), created("r1"), output_added(empty()), speech("i1", 1000))

    (interrupted,) = only(AudioInterruptedEvent, machine.handle(interrupt(), now=3.0))
    assert interrupted.heard_ms == 3000  # six times as long as in PCM16


def test_an_item_that_the_server_does_not_have_is_deleted() -> None:
    machine = after(live(), added(written("u1")))
    after(machine, ask(messages.DeleteItem("u1")))

    after(machine, refused("item_delete_invalid_item_id", message="no such item"))

    assert texts(machine) == []


def test_an_item_that_may_not_be_deleted_stays() -> None:
    machine = after(live(), added(written("u1")))
    after(machine, ask(messages.DeleteItem("u1")))

    after(machine, refused("item_delete_not_allowed"))

    assert texts(machine) == [("u1", "Hello!")]


def test_an_item_that_cannot_be_read_does_not_replace_what_is_known_of_it() -> None:
    machine = after(live(), added(written("u1")))
    unreadable = UnknownItem(id="u1", type="", raw={"id": "u1", "status": "completed"})

    effects = machine.handle(added(unreadable), now=0.0)

    assert effects == []
    assert texts(machine) == [("u1", "Hello!")]


def test_a_response_that_was_never_told_to_begin_is_given_up_when_it_falls_silent() -> None:
    machine = after(live(stall_timeout=30.0), say(), transcript("Good "))

    effects = machine.handle(TimerFired(stall_timer("r1")), now=31.0)

    assert sent(effects) == [wire.ResponseCancel(response_id="r1")]
