"""What could not be sent is as if it had not been asked for: it can be tried again."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.effects import Effects, Refuse, SetTimer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import Asked, NotSent, TimerFired
from realtime_actors.core.responses.response import RETRY_TIMER
from realtime_actors.errors import TransportError
from realtime_actors.events import AudioInterruptedEvent, ErrorEvent
from realtime_actors.items import McpApprovalRequestItem
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    agent_with,
    answers,
    ask,
    called,
    created,
    creates,
    done,
    empty,
    finished,
    handed_over,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    play,
    refusal,
    say,
    sent,
    sent_types,
    speech,
    user_speaks,
)

BILLING = agent_with("refund", name="Billing")
AGENT = agent_with("weather", handoffs=[BILLING])
BUSY = TransportError("busy")
STORY = ask(messages.CreateResponse(instructions="Tell a story."))


def unsent(machine: SessionMachine, message: AnyMessage, *, keep: int = 0) -> Effects:
    """Hand over a message whose events but the first `keep` are not sent; give what follows."""
    effects = machine.handle(message, 0.0)
    count, is_told = len(sent(effects)) - keep, bool(answers(effects))
    assert count > 0, "nothing was to be sent"
    return machine.handle(NotSent(count=count, error=BUSY, is_told=is_told), 0.0)


def asked(effects: Effects) -> list[str | None]:
    """The instructions of the responses that are asked for."""
    creates = only(wire.ResponseCreate, effects)
    return [None if each.response is None else each.response.instructions for each in creates]


class TestAVerb:
    """It fails at the caller, and nothing remains of it."""

    @pytest.mark.parametrize("verb", [say(), STORY], ids=["a message", "a response"])
    def test_can_be_tried_again(self, verb) -> None:
        machine = live()

        assert sent(unsent(machine, verb)) == []
        assert creates(machine.handle(verb, 0.0)) == 1

    def test_is_not_done_half(self) -> None:
        machine = live()
        unsent(machine, say(), keep=1)

        assert sent_types(play(machine, created("vad"), done("vad"))) == []

    def test_leaves_no_wish_for_later(self) -> None:
        machine = after(live(), say(), created("r1"))
        unsent(machine, say("And this?"))

        assert creates(machine.handle(done("r1"), 0.0)) == 0

    def test_leaves_the_wishes_before_it(self) -> None:
        machine = after(live(), say(), created("r1"), STORY)
        unsent(machine, say("And this?"))

        assert asked(machine.handle(done("r1"), 0.0)) == ["Tell a story."]

    def test_is_no_error_event_besides(self) -> None:
        assert only(ErrorEvent, unsent(live(), say())) == []

    def test_update_fails_at_once(self) -> None:
        effects = unsent(live(), ask(messages.UpdateSession({"voice": "a"}), "caller"))

        assert refusal(effects) is BUSY

    def test_approval_of_a_hosted_call_can_be_given_again(self) -> None:
        call = McpApprovalRequestItem(id="m1", server_label="bank", name="pay", arguments="{}")
        machine = after(live(), item_done(call))
        unsent(machine, ask(messages.Approve("m1")))

        assert only(Refuse, machine.handle(ask(messages.Approve("m1")), 0.0)) == []

    def test_response_out_of_band_is_not_awaited(self) -> None:
        machine = live()
        unsent(machine, ask(messages.CreateResponse(conversation="none")))

        begun = machine.handle(created("r1", conversation_id=None), 0.0)

        assert len(sent(begun)) == 0
        assert creates(play(machine, done("r1"), say())) == 1


class TestAnInterruption:
    """The next one sends what this one could not."""

    @staticmethod
    def speaking() -> SessionMachine:
        return after(live(), say(), created("r1"), output_added(empty("i1")), speech("i1", 1000))

    def test_is_told_once_and_sent_again(self) -> None:
        machine = self.speaking()
        cut = machine.handle(interrupt(), 0.4)
        machine.handle(NotSent(count=len(sent(cut)), error=BUSY, is_told=True), 0.4)

        again = machine.handle(interrupt(), 0.5)

        assert (
            sent(again)
            == sent(cut)
            == [
                wire.ConversationItemTruncate(item_id="i1", audio_end_ms=400),
                wire.ResponseCancel(response_id="r1"),
            ]
        )
        assert only(AudioInterruptedEvent, again) == []
        assert sent(machine.handle(interrupt(), 0.6)) == []

    def test_does_not_cancel_what_is_over_meanwhile(self) -> None:
        machine = self.speaking()
        unsent(machine, interrupt())
        after(machine, done("r1"))

        assert "response.cancel" not in sent_types(machine.handle(interrupt(), 0.5))

    def test_by_speech_is_sent_again_too(self) -> None:
        machine = self.speaking()
        cut = machine.handle(user_speaks(), 0.4)
        machine.handle(NotSent(count=1, error=BUSY, is_told=False), 0.4)

        assert sent(machine.handle(interrupt(), 0.5))[:1] == sent(cut)


class TestWhatNobodyWaitsFor:
    """It is told as an error, and what can be sent later is."""

    def test_a_response_that_is_due_is_asked_for_later(self) -> None:
        machine = after(live(), say(), created("r1"), STORY)

        effects = unsent(machine, done("r1"))

        (error,) = only(ErrorEvent, effects)
        assert (error.error.type, error.error.message) == ("not_sent", "response.create: busy")
        assert only(SetTimer, effects) == [SetTimer(RETRY_TIMER, 1.0)]
        assert sent(effects) == []
        assert asked(machine.handle(TimerFired(RETRY_TIMER), 1.0)) == ["Tell a story."]

    def test_nobody_is_asked_to_speak_of_an_output_that_was_not_sent(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), done("r1"))

        effects = [*unsent(machine, finished("c1")), *machine.handle(TimerFired(RETRY_TIMER), 1.0)]

        assert sent(effects) == []

    def test_a_response_after_an_output_that_was_sent_is_asked_for_later(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), done("r1"))
        unsent(machine, finished("c1"), keep=1)

        assert creates(machine.handle(TimerFired(RETRY_TIMER), 1.0)) == 1

    def test_a_handoff_whose_update_was_not_sent_has_failed(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1", "transfer_to_billing"))
        after(machine, done("r1"))

        effects = unsent(machine, handed_over(BILLING, "c1"))

        assert sent_types(effects) == ["conversation.item.create", "response.create"]
        assert machine.current_agent == AGENT

    def test_an_error_is_the_answer_to_nothing_that_was_not_sent(self) -> None:
        machine = live()
        unsent(machine, say())
        after(machine, say())
        nameless = wire.ServerError(error=wire.ErrorDetail(code="inference_failed"))

        after(machine, added(empty("i1")), nameless)

        assert creates(machine.handle(say(), 0.0)) == 1


def test_a_caller_is_told_of_what_was_to_be_sent_for_it() -> None:
    effects: list[Any] = live().handle(Asked(messages.CreateResponse(), "caller"), 0.0)

    assert (answers(effects), creates(effects)) == ([None], 1)
