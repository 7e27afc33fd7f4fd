from __future__ import annotations

import io

from attrs import evolve
from rich.console import Console

from realtime_actors.cli.demo.script import Check
from realtime_actors.cli.demo.view import View, show_checks
from realtime_actors.recording import Handoff, Problem, Timeline, ToolCall, Turn

QUESTION = Turn(
    id="u1", speaker="caller", name="Caller", starts_at=0.5, ends_at=1.5, text="Are you [open]?"
)
ANSWER = Turn(
    id="a1",
    speaker="agent",
    name="Desk",
    starts_at=2.25,
    ends_at=5.0,
    text="Yes, from ten to four.",
    latency_ms=750,
)
CALL = ToolCall(
    id="c1",
    agent="Desk",
    name="hours",
    starts_at=1.8,
    ends_at=1.9,
    arguments='{"day": "Monday"}',
    output="Ten to four.",
)


def shown(*timelines: Timeline) -> list[str]:
    """The lines of a view, without a terminal, that is shown these one after the other."""
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    with View(console) as view:
        for timeline in timelines:
            view.update(timeline)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_a_conversation_is_told_in_the_order_of_time_each_thing_once() -> None:
    timeline = Timeline(
        length=9.0,
        turns=(QUESTION, ANSWER),
        tool_calls=(CALL,),
        handoffs=(Handoff(at=6.0, from_agent="Desk", to_agent="Billing"),),
        problems=(Problem(at=7.0, message="Out of tokens."),),
    )

    assert shown(timeline, evolve(timeline, length=10.0)) == [
        "0:00.5 Caller Are you [open]?",
        "0:01.8 tool hours(day='Monday') → Ten to four.",
        "0:02.2 Desk Yes, from ten to four. 0.75 s",
        "0:06.0 handoff Desk → Billing",
        "0:07.0 problem Out of tokens.",
    ]


def test_a_turn_is_told_when_it_was_heard_to_its_end() -> None:
    half = Timeline(length=3.0, turns=(QUESTION, ANSWER))
    unfinished = Timeline(length=6.0, turns=(QUESTION, evolve(ANSWER, complete=False)))

    assert shown(half) == shown(unfinished) == ["0:00.5 Caller Are you [open]?"]


def test_a_turn_that_was_cut_short_says_so() -> None:
    cut = Timeline(length=6.0, turns=(evolve(ANSWER, heard=0.5, latency_ms=None),))

    assert shown(cut) == ["0:02.2 Desk Yes, from ten… ✂ barge-in"]


def test_arguments_that_are_no_object_are_told_as_they_came() -> None:
    calls = [evolve(CALL, id=text, arguments=text) for text in ('{"day', "[1]", "")]

    assert [
        line.split(" → ")[0] for line in shown(Timeline(length=9.0, tool_calls=tuple(calls)))
    ] == [
        '0:01.8 tool hours({"day)',
        "0:01.8 tool hours([1])",
        "0:01.8 tool hours()",
    ]


def test_a_long_output_is_cut_since_the_agent_says_it_anyway() -> None:
    call = evolve(CALL, output="word " * 100)

    told = "".join(shown(Timeline(length=9.0, tool_calls=(call,))))

    assert told.endswith("word…")
    assert len(told) < 180


def test_checks_say_what_is_missing() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)

    show_checks(
        console,
        (
            Check(what="a handoff", passed=True, detail="Desk → Billing"),
            Check(what="a barge-in", passed=False, detail="none"),
        ),
    )

    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "  ✓ a handoff: Desk → Billing\n  ✗ a barge-in: none\n"
