"""Every call has exactly one outcome, and the last of them asks for one response."""

from __future__ import annotations

import itertools
from typing import cast

import pytest
from attrs import evolve

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import ToolTexts
from realtime_actors.core.effects import (
    CancelTimer,
    CancelTool,
    Publish,
    RunTool,
    Send,
    SetTimer,
)
from realtime_actors.core.messages import (
    ConnectionLost,
    TimerFired,
    ToolFinished,
    ToolProgressed,
)
from realtime_actors.core.tools.tool_calls import tool_timer
from realtime_actors.events import (
    AgentEndEvent,
    ToolEndEvent,
    ToolProgressEvent,
    ToolStartEvent,
)
from realtime_actors.items import FunctionCallOutputItem, InputImage, user_message
from realtime_actors.tools import Tool
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    agent_with,
    arguments_done,
    ask,
    call_item,
    called,
    created,
    creates,
    done,
    finished,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    output_done,
    play,
    say,
    sent,
    sent_types,
    speech,
    tool_named,
)

AGENT = agent_with("weather", "time")
WEATHER = cast(Tool, AGENT.find_tool("weather"))


def ended(effects) -> list[tuple[str, str]]:
    """Which calls have their outcome, and what it is."""
    return [(event.call_id, event.output) for event in only(ToolEndEvent, effects)]


def started(effects) -> list[str]:
    """Which calls are run."""
    return [run.call_id for run in only(RunTool, effects)]


def output(call_id: str, text: str) -> Send:
    item = FunctionCallOutputItem(call_id=call_id, output=text)
    return Send(wire.ConversationItemCreate(event_id=f"output_{call_id}", item=item))


def test_a_call_is_announced_and_run() -> None:  # S45
    machine = after(live(AGENT), created("r1"))

    effects = machine.handle(arguments_done("c1", "weather", '{"city": "Rome"}'), now=0.0)

    assert effects == [
        Publish(
            ToolStartEvent(
                agent=AGENT,
                tool=WEATHER,
                name="weather",
                call_id="c1",
                arguments='{"city": "Rome"}',
            )
        ),
        RunTool(call_id="c1", tool=WEATHER, arguments='{"city": "Rome"}', agent=AGENT),
    ]


def test_its_outcome_goes_to_the_model_and_to_the_subscribers() -> None:  # S45
    machine = after(live(AGENT), created("r1"), called("c1"))

    effects = machine.handle(finished("c1", "sunny"), now=0.0)

    assert effects == [
        CancelTimer(tool_timer("c1")),
        output("c1", "sunny"),
        Publish(
            ToolEndEvent(agent=AGENT, tool=WEATHER, name="weather", call_id="c1", output="sunny")
        ),
    ]


def test_a_failure_is_an_outcome_too() -> None:
    machine = after(live(AGENT), created("r1"), called("c1"))

    effects = machine.handle(finished("c1", "Error: no", error="Error: no"), now=0.0)

    assert sent(effects) == [output("c1", "Error: no").event]
    assert [event.error for event in only(ToolEndEvent, effects)] == ["Error: no"]


@pytest.mark.parametrize("result_first", [True, False])
def test_the_response_and_its_last_outcome_together_ask_for_one_response(result_first) -> None:
    steps: list[AnyMessage] = [finished("c1"), done("r1")]
    machine = after(live(AGENT), created("r1"), called("c1"))
    first, second = steps if result_first else reversed(steps)

    assert creates(machine.handle(first, now=0.0)) == 0
    assert creates(machine.handle(second, now=0.0)) == 1


@pytest.mark.parametrize(
    "order", list(itertools.permutations([finished("c1"), finished("c2"), done("r1")]))
)
def test_parallel_calls_ask_for_one_response(order) -> None:
    machine = after(live(AGENT), created("r1"))
    assert started(play(machine, called("c1"), called("c2", "time"))) == ["c1", "c2"]

    effects = play(machine, *order)

    assert sorted(ended(effects)) == [("c1", "sunny"), ("c2", "sunny")]
    assert creates(effects) == 1
    assert sent_types(effects)[-1] == "response.create"


def test_calls_of_two_responses_ask_for_one_response_each() -> None:
    machine = after(live(AGENT), created("r1"), called("c1"), done("r1"))
    after(machine, created("r2"), called("c2", response_id="r2"), done("r2"))

    first = play(machine, finished("c2"))
    second = play(machine, finished("c1"), created("r3"), done("r3"))

    assert [creates(first), creates(second)] == [1, 1]


WAYS_TO_NAME_A_CALL = [
    output_added(call_item("c1", status="in_progress")),
    arguments_done("c1"),
    arguments_done("c1", name=None),
    output_done(call_item("c1")),
    output_done(call_item("c1", status=None)),
    added(call_item("c1", status="in_progress")),
    item_done(call_item("c1")),
]


@pytest.mark.parametrize("order", list(itertools.permutations(WAYS_TO_NAME_A_CALL, 3)))
def test_a_call_starts_once_whichever_events_name_it_in_whatever_order(order) -> None:
    machine = after(live(AGENT), created("r1"))

    effects = play(machine, *order, done("r1", "completed", call_item("c1")), *order)

    assert started(effects) == ["c1"]
    assert len(only(ToolStartEvent, effects)) == 1
    assert ended(play(machine, finished("c1"), finished("c1", "rainy"))) == [("c1", "sunny")]


def test_the_beta_interface_names_the_tool_in_the_item_alone() -> None:
    machine = after(live(AGENT), created("r1"), output_added(call_item("c1", "time")))

    (start,) = only(ToolStartEvent, machine.handle(arguments_done("c1", name=None), now=0.0))

    assert start.name == "time"


def test_without_any_name_a_call_waits_for_its_item() -> None:
    machine = after(live(AGENT), created("r1"))

    assert machine.handle(arguments_done("c1", name=None), now=0.0) == []
    assert started(machine.handle(output_done(call_item("c1")), now=0.0)) == ["c1"]


def test_a_call_without_an_id_goes_by_its_items_id() -> None:
    machine = after(live(AGENT), created("r1"))
    item = call_item(call_id=None, item_id="item_1")

    assert started(machine.handle(output_done(item), now=0.0)) == ["item_1"]


def test_a_call_that_is_only_in_the_finished_response_is_run() -> None:
    machine = after(live(AGENT), created("r1"))

    effects = machine.handle(done("r1", "completed", call_item("c1")), now=0.0)

    assert started(effects) == ["c1"]
    assert [end.final for end in only(AgentEndEvent, effects)] == [False]


def test_a_call_that_comes_after_its_response_is_answered_in_speech_too() -> None:
    machine = after(live(AGENT), created("r1"), done("r1"))

    effects = play(machine, called("c1"), finished("c1"))

    assert ended(effects) == [("c1", "sunny")]
    assert creates(effects) == 1


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_an_incomplete_call_does_not_run(status) -> None:
    machine = after(live(AGENT), created("r1"))
    cut = call_item("c1", arguments='{"city": "Ro', status=status)

    effects = play(
        machine,
        arguments_done("c1", arguments='{"city": "Ro'),
        output_done(cut),
        done("r1", "cancelled", cut, reason="turn_detected"),
    )

    assert started(effects) == []
    assert creates(effects) == 0
    assert only(ToolStartEvent, effects) == []


def test_arguments_that_are_wrong_and_whole_are_the_tools_to_refuse() -> None:
    machine = after(live(AGENT), created("r1"), arguments_done("c1", arguments="{"))

    (run,) = only(RunTool, machine.handle(called("c1", arguments="{"), now=0.0))

    assert run.arguments == "{"


def test_arguments_nested_beyond_all_reason_are_the_tools_to_refuse_too() -> None:
    deep = "[" * 100_000
    machine = after(live(AGENT), created("r1"), arguments_done("c1", arguments=deep))

    assert started(machine.handle(called("c1", arguments=deep), now=0.0)) == ["c1"]


def test_an_unknown_tool_is_answered_at_once() -> None:  # S46, S47
    machine = after(live(AGENT), created("r1"))
    why = "Error: Unknown tool dance"

    effects = machine.handle(called("c1", "dance"), now=0.0)

    assert [event.tool for event in only(ToolStartEvent, effects)] == [None]
    assert only(ToolEndEvent, effects) == [
        ToolEndEvent(agent=AGENT, tool=None, name="dance", call_id="c1", output=why, error=why)
    ]
    assert sent(effects) == [output("c1", why).event]
    assert creates(machine.handle(done("r1"), now=0.0)) == 1


def test_a_tool_that_runs_holds_up_nothing() -> None:  # S48
    machine = after(live(AGENT), created("r1"), called("c1"))

    assert len(machine.handle(speech("i1"), now=0.0)) == 1


class TestTimeLimits:
    def test_a_tools_own_limit_goes_before_the_sessions(self) -> None:
        slow, plain = tool_named("slow", timeout=3.0), tool_named("plain")
        machine = live(AGENT.clone(tools=[slow, plain]), tool_timeout=60.0)

        effects = play(machine, created("r1"), called("c1", "slow"), called("c2", "plain"))

        assert only(SetTimer, effects) == [
            SetTimer(tool_timer("c1"), 3.0),
            SetTimer(tool_timer("c2"), 60.0),
        ]

    def test_a_tool_that_takes_too_long_is_told_and_the_model_too(self) -> None:
        machine = after(live(AGENT, tool_timeout=2.5), created("r1"), called("c1"), done("r1"))

        effects = machine.handle(TimerFired(tool_timer("c1")), now=2.5)

        assert only(CancelTool, effects) == [CancelTool("c1")]
        assert ended(effects) == [("c1", "Error: weather took longer than 2.5 s")]
        assert creates(effects) == 1

    def test_the_model_is_told_in_the_words_of_the_tool_or_else_of_the_run(self) -> None:
        own = evolve(tool_named("slow"), texts={"timed_out": "{tool} is slow today."})
        machine = live(
            AGENT.clone(tools=[own, tool_named("plain")]),
            tool_timeout=2.5,
            tool_texts=ToolTexts(timed_out="Gave up after {seconds} s."),
        )
        after(machine, created("r1"), called("c1", "slow"), called("c2", "plain"))

        effects = play(machine, *(TimerFired(tool_timer(call_id)) for call_id in ("c1", "c2")))

        assert [(event.output, event.error) for event in only(ToolEndEvent, effects)] == [
            ("slow is slow today.", "Error: slow took longer than 2.5 s"),
            ("Gave up after 2.5 s.", "Error: plain took longer than 2.5 s"),
        ]

    def test_its_late_result_is_dropped(self) -> None:
        machine = after(live(AGENT, tool_timeout=2.5), created("r1"), called("c1"), done("r1"))
        after(machine, TimerFired(tool_timer("c1")))

        assert machine.handle(finished("c1"), now=3.0) == []

    def test_a_limit_that_fires_late_does_nothing(self) -> None:
        machine = after(live(AGENT, tool_timeout=2.5), created("r1"), called("c1"), finished("c1"))

        assert machine.handle(TimerFired(tool_timer("c1")), now=3.0) == []


class TestOneByOne:
    """`async_tool_calls=False`"""

    def test_a_call_waits_for_the_one_before(self) -> None:
        machine = after(live(AGENT, async_tool_calls=False, tool_timeout=5.0), created("r1"))

        first = play(machine, called("c1"), called("c2", "time"), called("c3"))
        assert started(first) == ["c1"]
        assert [event.call_id for event in only(ToolStartEvent, first)] == ["c1", "c2", "c3"]

        assert started(machine.handle(finished("c1"), now=0.0)) == ["c2"]
        assert started(machine.handle(TimerFired(tool_timer("c2")), now=0.0)) == ["c3"]
        assert creates(play(machine, finished("c3"), done("r1"))) == 1

    def test_a_limit_runs_only_while_the_tool_does(self) -> None:
        machine = after(live(AGENT, async_tool_calls=False, tool_timeout=5.0), created("r1"))

        assert len(only(SetTimer, play(machine, called("c1"), called("c2")))) == 1

    def test_unknown_tools_hold_up_nothing(self) -> None:
        machine = after(live(AGENT, async_tool_calls=False), created("r1"), called("c1"))

        play(machine, called("c2", "dance"), called("c3"))

        effects = machine.handle(finished("c1"), now=0.0)
        assert [call_id for call_id, _ in ended(effects)] == ["c1", "c2"]
        assert started(effects) == ["c3"]


class TestSoManyAtOnce:
    """`max_concurrency`"""

    def test_the_others_wait_in_order(self) -> None:
        machine = after(live(AGENT, max_concurrency=2), created("r1"))

        first = play(machine, called("c1"), called("c2", "time"), called("c3"), called("c4"))
        assert started(first) == ["c1", "c2"]

        assert started(machine.handle(finished("c2"), now=0.0)) == ["c3"]
        assert started(play(machine, finished("c1"), finished("c3"))) == ["c4"]
        assert creates(play(machine, finished("c4"), done("r1"))) == 1

    def test_a_call_that_waits_is_ended_with_the_others(self) -> None:
        machine = after(live(AGENT, max_concurrency=1), created("r1"), called("c1"), called("c2"))

        effects = machine.handle(ask(messages.Close()), now=0.0)

        assert [call_id for call_id, _ in ended(effects)] == ["c1", "c2"]

    def test_one_by_one_means_one_at_a_time_whatever_the_limit(self) -> None:
        machine = after(live(AGENT, async_tool_calls=False, max_concurrency=5), created("r1"))

        assert started(play(machine, called("c1"), called("c2"))) == ["c1"]


def test_progress_is_published_until_the_call_has_its_outcome() -> None:
    machine = after(live(AGENT), created("r1"), called("c1"))

    effects = machine.handle(ToolProgressed("c1", "half of it"), now=0.0)

    assert effects == [
        Publish(
            ToolProgressEvent(
                agent=AGENT, tool=WEATHER, name="weather", call_id="c1", message="half of it"
            )
        )
    ]
    after(machine, finished("c1"))
    assert machine.handle(ToolProgressed("c1", "all of it"), now=0.0) == []


def test_what_a_tool_shows_follows_its_output_and_comes_before_the_response() -> None:
    image = InputImage(image_url="data:image/png;base64,AAAA")
    machine = after(live(AGENT), created("r1"), called("c1"), done("r1"))

    effects = machine.handle(ToolFinished(call_id="c1", output="a map", images=(image,)), now=0.0)

    assert sent(effects)[:2] == [
        output("c1", "a map").event,
        wire.ConversationItemCreate(item=user_message(image)),
    ]
    assert sent_types(effects)[2:] == ["response.create"]


class TestTheEnd:
    @pytest.mark.parametrize("parallel", [True, False])
    def test_closing_ends_all_calls_and_tells_their_tasks(self, parallel) -> None:
        machine = after(
            live(AGENT, async_tool_calls=parallel), created("r1"), called("c1"), called("c2")
        )

        effects = machine.handle(ask(messages.Close()), now=0.0)

        why = "Error: the session was closed"
        assert ended(effects) == [("c1", why), ("c2", why)]
        assert only(CancelTool, effects) == [CancelTool("c1"), CancelTool("c2")]
        assert sent(effects) == []

    def test_a_connection_that_is_lost_for_good_ends_all_calls_too(self) -> None:
        machine = after(live(AGENT, reconnect=None), created("r1"), called("c1"))

        effects = machine.handle(ConnectionLost(code=1006, reason="gone"), now=0.0)

        assert ended(effects) == [("c1", "Error: the connection was lost: gone")]
        assert machine.handle(finished("c1"), now=0.0) == []

    def test_calls_that_a_lost_connection_ends_ask_for_no_response(self) -> None:
        machine = after(live(AGENT), created("r1"), called("c1"), done("r1"))

        effects = play(machine, ConnectionLost(code=1006), finished("c1"))

        assert sent(effects) == []

    def test_an_interruption_does_not_end_them(self) -> None:
        machine = after(live(AGENT), created("r1"), called("c1"), interrupt(), done("r1"))

        effects = machine.handle(finished("c1"), now=0.0)

        assert ended(effects) == [("c1", "sunny")]
        assert creates(effects) == 0  # the program has stopped it
        assert creates(machine.handle(say(), now=0.0)) == 1
