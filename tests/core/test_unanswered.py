"""An error finds what it is the answer to, whatever it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.core.effects import End, Refuse, Send
from realtime_actors.core.messages import AgentResolved, Connected, ConnectionLost, Started
from realtime_actors.core.responses.unanswered import Sent, Unanswered
from realtime_actors.errors import SessionUpdateError
from realtime_actors.events import AgentEndEvent, ErrorEvent, HandoffEvent, ToolEndEvent
from tests.core.machine import (
    AGENT,
    AnyMessage,
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
    handed_over,
    interrupt,
    live,
    new,
    only,
    play,
    published,
    refused,
    resolve,
    say,
    speech,
    times,
    updated,
    written,
)
from tests.core.timed import Timed

HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
SLOWER = ask(messages.UpdateSession({"speed": 0.9}), "Ann")


def error(message: str = "no", **said: Any) -> wire.ServerError:
    """An error that says no more than it is told to."""
    return wire.ServerError(error=wire.ErrorDetail(message=message, **said))


def raw(kind: str, event_id: str | None = None, **members: object) -> AnyMessage:
    named = {} if event_id is None else {"event_id": event_id}
    return ask(messages.SendRawEvent({"type": kind, **named, **members}))


SILENT = [
    error(),
    error("Something went wrong", type="server_error"),
    error(type="invalid_request_error", code="invalid_value"),
    error(event_id="", param=""),
]
"""Errors that don't say what they are about."""


class TestAResponse:
    @pytest.mark.parametrize("silent", SILENT)
    def test_that_is_refused_without_a_word_about_it_is_in_the_way_of_nothing(self, silent) -> None:
        machine = after(live(), say(), added(written("u1")), silent)

        assert creates(machine.handle(say(), now=0.0)) == 1

    @pytest.mark.parametrize("silent", SILENT)
    def test_is_refused_though_the_server_does_not_acknowledge_items(self, silent) -> None:
        machine = after(live(), say(), silent)

        assert creates(machine.handle(say(), now=0.0)) == 1

    @pytest.mark.parametrize(
        "said",
        [
            error("Handling of the 'response.create' event is not implemented."),
            error(type="function_call_output_pending"),
            error(code="inference_failed"),
            error(param="response"),
            error(param="response.tools[0].name"),
        ],
    )
    def test_is_refused_by_an_error_that_says_so_among_others(self, said) -> None:
        machine = after(live(), SLOWER, say(), raw("conversation.item.delete", "mine"), said)

        assert creates(machine.handle(say(), now=0.0)) == 1

    @pytest.mark.parametrize(
        "said",
        [
            error("Unknown or invalid event: conversation.item.delete"),
            error("after response.created nothing may change"),
            error(code="item_truncate_invalid_item_id"),
            error(code="input_audio_buffer_commit_empty"),
            error(code="transcription_failed"),
            error(param="item.content[0].text"),
            error(param="audio"),
            error(event_id="somebody-elses"),
        ],
    )
    def test_is_waited_for_after_an_error_about_something_else(self, said) -> None:
        machine = after(live(), SLOWER, say(), said)

        assert creates(machine.handle(say(), now=0.0)) == 0

    def test_is_waited_for_after_an_error_that_is_the_answer_to_nothing(self) -> None:
        machine = after(live(), say(), error(code="transcription_failed"))

        assert creates(machine.handle(say(), now=0.0)) == 0

    def test_that_begins_all_the_same_was_not_refused(self) -> None:
        machine = after(live(), say(), error(), created("r1"), say())

        assert creates(play(machine, done("r1"))) == 1
        assert creates(play(machine, created("r2"), done("r2"))) == 0

    def test_out_of_band_is_given_up_too(self) -> None:
        beside = ask(messages.CreateResponse(conversation="none"))
        machine = after(live(agent_with("weather")), beside, error())

        effects = play(machine, created("r1", conversation_id=None), called("c1"))

        assert len([each for each in effects if type(each).__name__ == "RunTool"]) == 1

    @pytest.mark.parametrize(
        "active",
        [
            already_active(),
            error(type="conversation_already_has_active_response"),
            error("Conversation already has an active response in progress: r9."),
        ],
    )
    def test_refused_for_an_active_one_is_wanted_again_however_that_is_said(self, active) -> None:
        machine = after(live(), say(), created("voice"), active)

        assert creates(machine.handle(done("voice"), now=0.0)) == 1


class TestAnUpdate:
    @pytest.mark.parametrize("silent", SILENT)
    def test_is_refused_when_nothing_else_comes_within_a_second(self, silent) -> None:
        timed = Timed(live())
        timed.tell(SLOWER)

        assert answers(timed.tell(silent)) == []
        (refusal,) = only(Refuse, timed.wait(1.0))

        assert refusal.caller == "Ann"
        assert isinstance(refusal.error, SessionUpdateError)
        assert silent.error.message in str(refusal.error)
        assert refusal.error.code == silent.error.code

    def test_is_taken_when_the_server_only_remarked_on_it(self) -> None:
        # As speaches does for each setting that it does not know.
        timed = Timed(live())

        effects = timed.tell(SLOWER, error("`session.speed` is not supported."), updated())

        assert answers(effects + timed.wait(100.0)) == [None]

    def test_is_refused_at_once_by_an_error_that_says_what_it_is_about(self) -> None:
        for said in (error(param="session.speed"), error("Invalid 'session.update' event")):
            assert answers(play(live(), SLOWER, said)) == [SessionUpdateError]

    def test_of_an_agent_is_undone(self) -> None:
        billing = agent_with(name="Billing")
        timed = Timed(live(Agent(name="Desk", instructions="Be kind.", handoffs=[billing])))
        timed.tell(created("r1"), called("c1", "transfer_to_billing"), done("r1"))
        timed.tell(handed_over(billing))

        effects = timed.tell(error("No, thanks")) + timed.wait(1.0)

        assert only(HandoffEvent, effects) == []
        (end,) = only(ToolEndEvent, effects)
        assert "No, thanks" in str(end.error)
        (undone,) = only(wire.SessionUpdate, effects)
        assert undone.session.instructions == "Be kind."

    @pytest.mark.parametrize("silent", SILENT)
    def test_at_the_start_ends_the_session_when_nothing_else_comes(self, silent) -> None:
        timed = Timed(new())
        timed.tell(Started(), Connected(), AgentResolved(resolve(AGENT)), silent)

        (end,) = only(End, timed.wait(1.0))

        assert isinstance(end.error, SessionUpdateError)
        assert silent.error.message in str(end.error)

    def test_at_the_start_may_be_remarked_on(self) -> None:
        timed = Timed(new())
        timed.tell(Started(), Connected(), AgentResolved(resolve(AGENT)), error(), updated())

        assert only(End, timed.wait(100.0)) == []
        assert creates(timed.tell(say())) == 1


class TestACancel:
    NO_RESPONSE = (
        refused("response_cancel_not_active"),
        error("Cancellation failed: no active response found"),
        error(type="response_cancel_not_active"),
        error(code="no_active_response", param="response_id"),
        error("no active response", code="response_cancel_failed"),
    )

    @pytest.mark.parametrize("said", NO_RESPONSE)
    @pytest.mark.parametrize(
        "cancel", [interrupt(), raw("response.cancel"), raw("response.cancel", response_id="r1")]
    )
    def test_that_finds_no_response_says_that_ours_is_over(self, cancel, said) -> None:
        machine = after(live(), created("r1"), speech(), cancel, say())

        effects = machine.handle(said, now=0.0)

        assert [(end.response_id, end.status) for end in only(AgentEndEvent, effects)] == [
            ("r1", "lost")
        ]
        assert creates(effects) == 1

    @pytest.mark.parametrize("said", NO_RESPONSE)
    def test_that_comes_too_late_says_nothing_of_the_next_response(self, said) -> None:
        machine = after(live(), created("r1"), raw("response.cancel"), done("r1"), created("r2"))

        assert only(AgentEndEvent, machine.handle(said, now=0.0)) == []

    @pytest.mark.parametrize("said", NO_RESPONSE)
    def test_of_a_response_that_was_over_says_nothing_of_the_one_in_progress(self, said) -> None:
        machine = after(live(), created("r1"), done("r1"), created("r2"))
        after(machine, raw("response.cancel", response_id="r1"))

        assert only(AgentEndEvent, machine.handle(said, now=0.0)) == []

    def test_that_is_refused_for_another_reason_says_nothing_of_its_response(self) -> None:
        refusals = [
            error("Handling of the 'response.cancel' event is not implemented."),
            error(param="response_id"),
        ]
        for said in refusals:
            machine = after(live(), created("r1"), raw("response.cancel"), say())
            effects = play(machine, said)
            assert published(effects) == only(ErrorEvent, effects)
            assert creates(effects) == 0

    def test_is_known_by_the_name_that_the_program_gave_it(self) -> None:
        machine = after(live(), created("r1"), raw("response.cancel", "mine"), say())

        assert creates(machine.handle(refused("response_cancel_not_active"), now=0.0)) == 1

    def test_may_be_answered_by_an_event_of_its_own(self) -> None:
        # As aimock does.
        cancelled = wire.UnknownEvent(type="response.cancelled", raw={"type": "response.cancelled"})
        machine = after(live(), created("r1"), speech(), interrupt(), say())

        effects = play(machine, cancelled, cancelled)

        assert [(end.response_id, end.status) for end in only(AgentEndEvent, effects)] == [
            ("r1", "cancelled")
        ]
        assert creates(effects) == 1


class TestOneOfSeveral:
    """Sent: something with a name, and a response. Which of them was refused?"""

    NAMED = raw("conversation.item.create", "mine", item=HI)

    def test_is_the_response_once_the_other_is_answered(self) -> None:
        machine = after(live(), self.NAMED, ask(messages.CreateResponse()), error())
        assert creates(machine.handle(ask(messages.CreateResponse()), now=0.0)) == 0

        assert creates(machine.handle(added(written("u1", "Hi")), now=0.0)) == 1

    def test_is_the_other_once_the_response_has_begun(self) -> None:
        machine = after(live(), self.NAMED, ask(messages.CreateResponse()), error(), created("r1"))

        assert creates(play(machine, say(), done("r1"))) == 1

    def test_is_an_update_once_a_response_has_begun(self) -> None:
        timed = Timed(live())
        timed.tell(say(), SLOWER, error())
        assert answers(timed.wait(2.0)) == []

        timed.tell(created("r1"))

        assert [type(each.error) for each in only(Refuse, timed.wait(1.0))] == [SessionUpdateError]

    def test_is_not_what_was_sent_long_ago(self) -> None:
        timed = Timed(live())
        timed.tell(raw("conversation.item.delete", "mine", item_id="i1"))
        timed.wait(15.0)

        assert creates(timed.tell(say(), error(), say())) == 2

    def test_is_not_what_has_been_waited_for_too_long_meanwhile(self) -> None:
        timed = Timed(live())
        timed.tell(raw("conversation.item.delete", "mine", item_id="i1"))
        timed.wait(10.0)
        timed.tell(say())
        timed.wait(5.0)

        assert creates(timed.tell(error(), say())) == 1

    def test_is_not_what_was_sent_before_something_that_is_answered(self) -> None:
        machine = after(live(), raw("conversation.item.delete", "mine", item_id="i1"), SLOWER)
        after(machine, updated(), say())

        assert creates(play(machine, error(), say())) == 1

    def test_is_not_what_was_sent_after_the_error(self) -> None:
        timed = Timed(live())
        timed.tell(raw("conversation.item.delete", "mine", item_id="i1"), SLOWER, error())
        timed.wait(15.0)

        timed.tell(say(), created("r1"), done("r1"), raw("response.create", "mine too"))
        timed.tell(committed("u1"), added(written("u1")))

        assert creates(timed.tell(say())) == 0

    def test_is_not_what_was_sent_after_it_either_once_both_were_waited_for_too_long(self) -> None:
        timed = Timed(live())
        timed.tell(raw("conversation.item.delete", "mine", item_id="i1"))
        timed.tell(raw("conversation.item.delete", "mine too", item_id="i2"), error())
        timed.wait(10.0)
        timed.tell(say())
        timed.wait(5.0)

        assert creates(timed.tell(added(written("u1")), say())) == 0

    def test_is_not_what_another_connection_was_sent(self) -> None:
        machine = after(live(), say(), ConnectionLost(code=1006))

        assert creates(play(machine, error())) == 0


KINDS = (
    "session.update",
    "response.create",
    "response.cancel",
    "conversation.item.create",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
)


@define
class Conversation:
    """A register, what it was told, and what it has found."""

    register: Unanswered = field(factory=Unanswered)
    now: float = 0.0
    open: list[dict[str, Any]] = field(factory=list)

    @property
    def awaited(self) -> set[str | None]:
        kinds = ("session.update", "response.create")
        return {each["event_id"] for each in self.open if each["type"] in kinds}

    def send(self, kind: str, name: str) -> None:
        payload = {"type": kind, "event_id": name, "item_id": name, "response_id": name}
        self.open.append(payload)
        self.register.sent([Send(wire.RawClientEvent(payload=payload))], None, self.now)

    def answer(self, number: int) -> None:
        """The server acknowledges one of the things that were sent.

        What its acknowledgement does not name is answered in the order in which it was sent.
        """
        if self.open:
            answered = self.open[number % len(self.open)]
            if answered["type"].startswith("input_audio_buffer."):
                answered = next(each for each in self.open if each["type"] == answered["type"])
            self.open.remove(answered)
            self.register.came(acknowledgement(answered), self.awaited)

    def refuse(self) -> str | None:
        """The server refuses one of them, and does not say which."""
        return self._found(self.register.refused(error().error, self.awaited, self.now))

    def clear_up(self) -> str | None:
        found = self.register.cleared_up(self.awaited, self.now)
        return self._found(found[0] if found else None)

    def _found(self, found: Sent | None) -> str | None:
        if found is None:
            return None
        names = [each["event_id"] for each in self.open]
        assert found.event_id in names, f"answered already: {found}"
        assert self.now - found.at < 15.0, f"too long ago: {found}"
        del self.open[names.index(found.event_id)]
        return found.event_id


@times(3)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["send", "send", "answer", "refuse", "wait"]),
            st.sampled_from(KINDS),
            st.integers(0, 9),
        ),
        max_size=60,
    )
)
def test_an_error_is_the_answer_to_nothing_that_has_one(steps) -> None:
    conversation = Conversation()
    for number, (step, kind, choice) in enumerate(steps):
        match step:
            case "send":
                conversation.send(kind, f"e{number}")
            case "answer":
                conversation.answer(choice)
            case "refuse":
                conversation.refuse()
            case "wait":
                conversation.now += choice
        conversation.clear_up()


@given(
    steps=st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), max_size=20),
    silent=st.sets(st.sampled_from(KINDS[3:])),
)
def test_an_error_is_the_answer_to_the_one_thing_that_is_unanswered(steps, silent) -> None:
    conversation = Conversation()
    for number, (kind, is_taken) in enumerate(steps):
        conversation.now += 20.0 if silent else 0.0  # what is never acknowledged is forgotten
        conversation.send(kind, f"e{number}")
        if not is_taken:
            assert conversation.refuse() == f"e{number}"
        elif kind not in silent:
            conversation.answer(-1)


def acknowledgement(payload: Mapping[str, str]) -> wire.ServerEvent:
    """What a server says to something that it takes."""
    name = payload["event_id"]
    events: dict[str, wire.ServerEvent] = {
        "session.update": updated(),
        "response.create": created(name),
        "response.cancel": done(name, "cancelled"),
        "conversation.item.create": added(written(name)),
        "conversation.item.delete": wire.ConversationItemDeleted(item_id=name),
        "conversation.item.retrieve": wire.ConversationItemRetrieved(item=written(name)),
        "conversation.item.truncate": wire.ConversationItemTruncated(item_id=name, audio_end_ms=0),
        "input_audio_buffer.commit": committed(name),
        "input_audio_buffer.clear": wire.InputAudioBufferCleared(),
    }
    return events[payload["type"]]
