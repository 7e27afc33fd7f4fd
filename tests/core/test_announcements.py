"""However a server announces its calls, and however badly it numbers them, each runs once."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import protocol as wire
from realtime_actors.core.effects import RunTool
from realtime_actors.core.machine import SessionMachine
from realtime_actors.events import ErrorEvent, ToolEndEvent, ToolStartEvent
from realtime_actors.items import FunctionCallItem, FunctionCallOutputItem
from tests.core.invariants import Watch
from tests.core.machine import (
    AnyMessage,
    after,
    agent_with,
    arguments_done,
    call_item,
    created,
    creates,
    done,
    finished,
    live,
    only,
    output_added,
    output_done,
    play,
    sent,
    times,
)

AGENT = agent_with("weather")
KINDS = ("added", "pieces", "arguments", "item", "response")
IDS = ("both", "item", "call")


def item(
    item_id: str | None, call_id: str | None, arguments: str, status: str | None = "completed"
) -> FunctionCallItem:
    return FunctionCallItem(
        id=item_id, call_id=call_id, name="weather", arguments=arguments, status=status
    )


def runs(effects) -> list[str]:
    """The arguments with which the tool is run."""
    return [run.arguments for run in only(RunTool, effects)]


def outputs(effects) -> list[str]:
    """What the outputs call the calls."""
    return [
        event.item.call_id
        for event in sent(effects)
        if isinstance(event, wire.ConversationItemCreate)
        and isinstance(event.item, FunctionCallOutputItem)
    ]


def finish_all(machine: SessionMachine, effects):
    return play(machine, *[finished(run.call_id) for run in only(RunTool, effects)])


@frozen
class ToldBy:
    """A server, as far as it matters here."""

    kinds: frozenset[str]
    """How it announces a call."""
    ids: dict[str, str]
    """Which ids are in each kind of announcement."""
    numbering: str
    """Of its calls: unique, anew in each response, or all the same."""
    numbers_items_anew: bool

    def call_id(self, response: int, call: int) -> str:
        return {
            "unique": f"call_{response}_{call}",
            "anew": f"call_{call}",
            "the same": "call_0",
        }[self.numbering]

    def item_id(self, response: int, call: int) -> str:
        return f"item_{call}" if self.numbers_items_anew else f"item_{response}_{call}"

    def known_as(self, response: int, call: int) -> str:
        """What the output has to say: the call's own id, where any announcement has it."""
        if any(self.ids[kind] != "item" for kind in self.kinds):
            return self.call_id(response, call)
        return self.item_id(response, call)

    def announce(self, response: int, call: int) -> dict[str, Any]:
        """Give all announcements of a call, by kind; for `response` the item."""
        response_id, arguments = f"r{response}", f'{{"k": {call}}}'

        def ids(kind: str) -> tuple[str | None, str | None]:
            of_item, of_call = self.item_id(response, call), self.call_id(response, call)
            which = self.ids[kind]
            return (None if which == "call" else of_item, None if which == "item" else of_call)

        item_id, call_id = ids("arguments")
        pieces = ids("pieces")
        ways = {
            "added": output_added(item(*ids("added"), "", "in_progress"), response_id),
            "pieces": wire.ResponseFunctionCallArgumentsDelta(
                response_id=response_id, item_id=pieces[0] or "", call_id=pieces[1], delta=arguments
            ),
            "arguments": wire.ResponseFunctionCallArgumentsDone(
                response_id=response_id,
                item_id=item_id,
                call_id=call_id,
                name="weather",
                arguments=arguments,
            ),
            "item": output_done(item(*ids("item"), arguments), response_id),
            "response": item(*ids("response"), arguments),
        }
        return {kind: way for kind, way in ways.items() if kind in self.kinds}


@st.composite
def servers(draw) -> ToldBy:
    """Servers whose announcements of one call can be known to be of one call."""
    kinds = draw(st.frozensets(st.sampled_from(KINDS), min_size=1))
    if not kinds & {"arguments", "item", "response"}:
        kinds |= {draw(st.sampled_from(["arguments", "item", "response"]))}
    ids = {kind: draw(st.sampled_from(IDS)) for kind in KINDS}
    numbering = draw(st.sampled_from(["unique", "anew", "the same"]))
    if numbering == "the same" and kinds & {"added", "pieces"}:
        # What has no arguments can be told apart by the item alone then.
        ids = dict.fromkeys(KINDS, "both")
    return ToldBy(kinds, ids, numbering, draw(st.booleans()))


@times(5)
@given(
    server=servers(),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_each_call_of_each_response_runs_once_and_is_answered_by_its_name(
    server, counts, seed
) -> None:
    chance, machine, watch = random.Random(seed), live(AGENT), Watch()
    for response, count in enumerate(counts, 1):
        response_id = f"r{response}"
        calls = [server.announce(response, call) for call in range(count)]
        listed = [call.pop("response") for call in calls if "response" in call]
        trace: list[AnyMessage] = []
        for call in calls:
            told = list(call.values())
            # Again, or in another order: a careless server, an interrupted way.
            order = [*told, *(told if chance.random() < 0.3 else ())]
            if not {"added", "pieces"} & server.kinds or all(
                each == "both" for each in server.ids.values()
            ):
                chance.shuffle(order)
            trace += order
        trace = [created(response_id), *trace, done(response_id, "completed", *listed)]
        effects = []
        for message in trace:
            step = machine.handle(message, 0.0)
            watch.step(message, step)
            effects += step
        ended = finish_all(machine, effects)

        assert Counter(runs(effects)) == Counter(f'{{"k": {call}}}' for call in range(count))
        assert Counter(outputs(ended)) == Counter(
            server.known_as(response, call) for call in range(count)
        )
        assert creates(ended) == 1


class TestNamesThatComeAgain:
    def test_in_another_response_mean_another_call(self) -> None:
        machine = after(live(AGENT), created("r1"), output_done(item("f1", "call_0", "{}")))
        after(machine, done("r1"), finished("call_0"), created("r2"))

        effects = machine.handle(output_done(item("f2", "call_0", '{"k": 2}'), "r2"), 0.0)

        assert [start.call_id for start in only(ToolStartEvent, effects)] == ["call_0#2"]
        assert outputs(machine.handle(finished("call_0#2"), 0.0)) == ["call_0"]

    def test_mean_another_call_while_the_first_is_open_too(self) -> None:
        machine = after(live(AGENT), created("r1"))
        calls = [item("f1", "call_0", '{"k": 1}'), item("f2", "call_0", '{"k": 2}')]

        effects = play(machine, *map(output_done, calls), done("r1", "completed", *calls))

        assert runs(effects) == ['{"k": 1}', '{"k": 2}']
        ended = play(machine, finished("call_0", "one"), finished("call_0#2", "two"))
        assert [(end.call_id, end.output) for end in only(ToolEndEvent, ended)] == [
            ("call_0", "one"),
            ("call_0#2", "two"),
        ]
        assert outputs(ended) == ["call_0", "call_0"]

    def test_are_not_answered_by_the_late_end_of_the_first(self) -> None:
        machine = after(live(AGENT), created("r1"), output_done(item("f1", "call_0", "{}")))
        after(machine, done("r1"), finished("call_0"), created("r2"))
        after(machine, output_done(item("f2", "call_0", "{}"), "r2"))

        assert machine.handle(finished("call_0"), 0.0) == []

    @pytest.mark.parametrize("again", ["call_0#2", "call_0"])
    def test_get_a_name_here_that_no_other_call_has(self, again) -> None:
        machine = after(live(AGENT), created("r1"))
        calls = [item(f"f{n}", name, f'{{"k": {n}}}') for n, name in enumerate(["call_0", again])]
        calls.append(item("f9", "call_0", '{"k": 9}'))

        starts = only(ToolStartEvent, play(machine, *map(output_done, calls)))

        assert len({start.call_id for start in starts}) == 3

    def test_come_again_in_responses_without_an_id_too(self) -> None:
        machine = live(AGENT)
        for _ in range(2):
            effects = play(machine, created(None), done(None, "completed", call_item("call_0")))
            assert len(runs(effects)) == 1
            finish_all(machine, effects)


class TestIdsThatAreMissing:
    BY_ITEM = item("f1", None, "{}")
    BY_ARGUMENTS = arguments_done("c1", item_id="f1")

    @pytest.mark.parametrize("in_order", [True, False])
    def test_the_output_has_the_calls_own_id_as_soon_as_it_is_known(self, in_order) -> None:
        announcements = [self.BY_ARGUMENTS, output_done(self.BY_ITEM)]
        machine = after(live(AGENT), created("r1"))

        effects = play(machine, *(announcements if in_order else reversed(announcements)))

        assert runs(effects) == ["{}"]
        assert outputs(finish_all(machine, effects)) == ["c1"]

    def test_an_empty_id_is_none(self) -> None:
        machine = after(live(AGENT), created("r1"), output_done(item("f1", "", "{}")))

        effects = play(machine, done("r1", "completed", item("f1", "", "{}")), finished("f1"))

        assert outputs(effects) == ["f1"]

    def test_calls_whose_items_have_one_id_are_told_apart_by_their_own(self) -> None:
        machine = after(live(AGENT), created("r1"))
        calls = [item("f", f"c{n}", f'{{"k": {n}}}') for n in (1, 2)]

        effects = play(machine, *map(output_done, calls), done("r1", "completed", *calls))

        assert runs(effects) == ['{"k": 1}', '{"k": 2}']

    def test_a_server_that_makes_up_items_for_each_announcement_is_understood(self) -> None:
        machine = after(live(AGENT), created("r1"), arguments_done("c1", item_id="x"))

        effects = play(
            machine,
            output_done(item("y", "c1", "{}")),
            done("r1", "completed", item("z", "c1", "{ }")),
        )

        assert runs(effects) == []

    def test_a_response_without_an_id_is_the_active_one(self) -> None:
        machine = after(live(AGENT), created("r1"), arguments_done("c1", response_id=None))

        effects = play(machine, done(None, "completed", call_item("c1")), finished("c1"))

        assert runs(effects) == []
        assert creates(effects) == 1

    def test_a_call_without_any_is_reported_since_nothing_could_answer_it(self) -> None:
        machine = after(live(AGENT), created("r1"))
        nameless = item(None, None, "{}")

        effects = play(machine, output_done(nameless), done("r1", "completed", nameless))

        assert runs(effects) == []
        assert [event.error.type for event in only(ErrorEvent, effects)] == ["call_without_id"]


class TestArgumentsThatAreNoJson:
    @pytest.mark.parametrize("arguments", ["", "  ", '{"city": "Ro'])
    def test_run_once_their_response_has_ended_well(self, arguments) -> None:
        machine = after(live(AGENT), created("r1"))

        assert runs(machine.handle(arguments_done("c1", arguments=arguments), 0.0)) == []
        assert runs(machine.handle(done("r1"), 0.0)) == [arguments]

    @pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
    def test_do_not_run_when_it_was_cut_off(self, status) -> None:
        machine = after(live(AGENT), created("r1"), arguments_done("c1", arguments=""))

        assert runs(machine.handle(done("r1", status), 0.0)) == []

    def test_do_not_run_when_their_item_was_cut_off(self) -> None:
        machine = after(live(AGENT), created("r1"), arguments_done("c1", arguments=""))
        after(machine, output_done(call_item("c1", arguments="", status="incomplete")))

        assert runs(machine.handle(done("r1"), 0.0)) == []

    def test_run_when_they_come_after_their_response(self) -> None:
        machine = after(live(AGENT), created("r1"), done("r1"))

        assert runs(machine.handle(arguments_done("c1", arguments=""), 0.0)) == [""]


def test_a_call_that_is_told_in_pieces_alone_is_run_at_the_end() -> None:
    machine = after(live(AGENT), created("r1"), output_added(item("f1", "c1", "", "in_progress")))
    pieces = [
        wire.ResponseFunctionCallArgumentsDelta(response_id="r1", item_id="f1", delta=delta)
        for delta in ('{"city":', ' "Rome"}')
    ]

    assert runs(play(machine, *pieces, done("r1"))) == ['{"city": "Rome"}']


def test_a_call_whose_item_is_never_said_to_be_completed_is_run_at_the_end() -> None:
    call = call_item("c1", status="in_progress")
    machine = after(live(AGENT), created("r1"), output_done(call))

    assert runs(machine.handle(done("r1", "completed", call), 0.0)) == ["{}"]


def test_a_call_that_names_no_tool_is_answered() -> None:
    machine = after(live(AGENT), created("r1"), arguments_done("c1", name=None))

    effects = machine.handle(done("r1"), 0.0)

    assert [end.output for end in only(ToolEndEvent, effects)] == ["Error: the call names no tool"]
    assert creates(effects) == 1
