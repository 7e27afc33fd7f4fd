"""A call is answered within limits, and once more when the server refuses the answer."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.effects import Refuse, Send
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ToolFinished
from realtime_actors.errors import LocalProtocolError
from realtime_actors.events import AgentEndEvent, ErrorEvent, ToolEndEvent
from realtime_actors.items import (
    FunctionCallOutputItem,
    InputImage,
    McpApprovalRequestItem,
    user_message,
)
from tests.core.invariants import Watch
from tests.core.machine import (
    added,
    after,
    agent_with,
    ask,
    called,
    created,
    creates,
    done,
    finished,
    live,
    only,
    output_done,
    play,
    refused,
    say,
    sent,
    sent_types,
)
from tests.wrong import wrong

AGENT = agent_with("weather")
TOO_LONG = "string_above_max_length"


def output(text: str, call_id: str = "c1", again: str = "") -> wire.ConversationItemCreate:
    return wire.ConversationItemCreate(
        event_id=f"output_{call_id}{again}",
        item=FunctionCallOutputItem(call_id=call_id, output=text),
    )


def image(size: int) -> InputImage:
    return InputImage(image_url="data:image/png;base64," + "A" * size)


def calling(**options) -> SessionMachine:
    """A machine whose model has called a tool, and nothing else."""
    return after(live(AGENT, **options), created("r1"), called("c1"), done("r1"))


def finish(machine: SessionMachine, text: str = "sunny", *images: InputImage):
    return machine.handle(ToolFinished(call_id="c1", output=text, images=images), 0.0)


def ends(effects) -> list[tuple[str, str | None]]:
    return [(end.output, end.error) for end in only(ToolEndEvent, effects)]


class TestLength:
    def test_an_output_that_is_too_long_is_not_sent_and_the_model_is_told(self) -> None:
        why = (
            "Error: the output of weather is 1,001 characters long, at most 1,000 are allowed:"
            " ask for less, or for a part of it"
        )

        effects = finish(calling(max_tool_output_chars=1000), "x" * 1001)

        assert sent(effects)[0] == output(why)
        assert ends(effects) == [(why, why)]
        assert creates(effects) == 1

    def test_one_that_is_as_long_as_allowed_is_sent(self) -> None:
        effects = finish(calling(max_tool_output_chars=1000), "x" * 1000)

        assert sent(effects)[0] == output("x" * 1000)

    @pytest.mark.parametrize("text", ["x" * 10_000, "\0" * 2_000, "\N{PILE OF POO}" * 3_000])
    def test_without_a_limit_it_has_to_fit_into_a_message(self, text) -> None:
        effects = finish(calling(max_message_bytes=10_000), text)

        assert ends(effects)[0][0].startswith("Error: the output of weather is ")
        assert len(sent(effects)[0].item.output) < 200

    def test_what_fits_is_sent_however_it_is_escaped(self) -> None:
        effects = finish(calling(max_message_bytes=10_000), "\N{PILE OF POO}" * 600)

        assert ends(effects) == [("\N{PILE OF POO}" * 600, None)]


class TestImages:
    def test_one_that_does_not_fit_into_a_message_is_left_out_and_the_model_is_told(self) -> None:
        effects = finish(calling(max_message_bytes=10_000), "a map", image(10_000))

        why = "Error: an image of weather can't be shown: more than fits into a message"
        assert sent_types(effects) == ["conversation.item.create", "response.create"]
        assert ends(effects) == [(f"a map\n{why}", why)]

    def test_those_that_fit_one_by_one_are_sent_so(self) -> None:
        images = image(6_000), image(6_001)

        effects = finish(calling(max_message_bytes=10_000), "two maps", *images)

        assert [event.item for event in sent(effects)[1:3]] == [
            user_message((each,)) for each in images
        ]
        assert ends(effects) == [("two maps", None)]


class TestARefusal:
    """By the server, of an output."""

    def test_is_answered_by_a_short_error_and_spoken_of(self) -> None:
        machine = calling()
        finish(machine, "x" * 50_000)

        effects = machine.handle(refused(TOO_LONG, event_id="output_c1", message="too long"), 0.0)

        assert sent(effects) == [
            output("Error: the output of weather could not be sent: too long", again="_again")
        ]
        assert [event.error.code for event in only(ErrorEvent, effects)] == [TOO_LONG]
        # The response that was asked for with the output does not know of the error.
        assert creates(play(machine, created("r2"), done("r2"))) == 1
        assert [e.final for e in only(AgentEndEvent, play(machine, created("r3"), done("r3")))] == [
            True
        ]

    def test_that_names_no_event_is_understood(self) -> None:
        machine = calling()
        finish(machine)

        effects = machine.handle(refused(TOO_LONG, param="item.output"), 0.0)

        assert len(sent(effects)) == 1

    def test_of_the_error_as_well_is_the_end_of_it(self) -> None:
        machine = calling()
        finish(machine)
        after(machine, refused(TOO_LONG, event_id="output_c1"))

        assert sent(machine.handle(refused(TOO_LONG, event_id="output_c1_again"), 0.0)) == []
        assert sent(machine.handle(refused(TOO_LONG, event_id="output_c1"), 0.0)) == []

    def test_that_comes_without_a_name_and_then_with_it_is_one_refusal(self) -> None:
        machine, watch = live(AGENT), Watch()
        trace = created("r1"), called("c1"), done("r1"), finished("c1")

        told = []
        for message in (*trace, refused(param="item"), refused(event_id="output_c1")):
            effects = machine.handle(message, 0.0)
            watch.step(message, effects)
            told += [event.event_id for event in only(wire.ConversationItemCreate, effects)]

        assert told == ["output_c1", "output_c1_again"]

    def test_while_other_calls_are_open_asks_for_one_response_after_the_last(self) -> None:
        machine = after(live(AGENT), created("r1"), called("c1"), called("c2"), done("r1"))
        finish(machine)

        effects = machine.handle(refused(TOO_LONG, event_id="output_c1"), 0.0)

        assert sent_types(effects) == ["conversation.item.create"]
        assert creates(machine.handle(finished("c2"), 0.0)) == 1
        assert creates(play(machine, created("r2"), done("r2"))) == 0

    def test_quotes_the_server_no_further_than_makes_sense(self) -> None:
        machine = calling()
        finish(machine)

        effects = machine.handle(refused(event_id="output_c1", message="x" * 10_000), 0.0)

        assert len(sent(effects)[0].item.output) < 300

    def test_of_something_else_is_not_one_of_an_output(self) -> None:
        machine = calling()
        finish(machine)
        after(machine, added(FunctionCallOutputItem(id="o1", call_id="c1", output="sunny")))

        assert only(Send, machine.handle(refused(event_id="ra_99"), 0.0)) == []

    def test_of_an_answer_to_the_server_ends_its_call(self) -> None:
        request = McpApprovalRequestItem(id="q1", server_label="bank", name="pay", arguments="{}")
        machine = after(live(AGENT), created("r1"), output_done(request), done("r1"))
        (answer,) = sent(machine.handle(ask(messages.Approve("q1")), 0.0))

        effects = machine.handle(refused(event_id=answer.event_id), 0.0)

        assert creates(effects) == 1


@pytest.mark.parametrize(
    "verb",
    [
        messages.SendMessage("x" * 10_000),
        messages.SendMessage(user_message((image(10_000),))),
        messages.AddItem("x" * 10_000),
        messages.UpdateHistory([user_message("x" * 10_000)]),
        messages.CreateResponse(instructions="x" * 10_000),
        messages.CreateResponse(conversation="none", input=wrong(["x" * 10_000])),
        messages.UpdateSession({"instructions": "x" * 10_000}),
        messages.SendRawEvent({"type": "session.update", "session": {"x": "x" * 10_000}}),
        messages.SendRawEvent({"type": "input_audio_buffer.append", "audio": "A" * 10_000}),
    ],
)
def test_a_verb_refuses_what_is_too_large_to_be_sent(verb) -> None:
    machine = live(AGENT, max_message_bytes=10_000)

    effects = machine.handle(ask(verb), 0.0)

    assert sent(effects) == []
    (refusal,) = only(Refuse, effects)
    assert isinstance(refusal.error, LocalProtocolError)
    assert "ModelConfig.max_message_size" in str(refusal.error)
    assert creates(machine.handle(say(), 0.0)) == 1
