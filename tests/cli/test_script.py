from __future__ import annotations

from attrs import evolve

from realtime_actors.cli.demo.script import (
    Line,
    check_conversation,
    check_script,
    word_errors,
)
from realtime_actors.recording import BargeIn, Handoff, Note, Problem, Timeline, ToolCall, Turn

SCRIPT = (Line(text="When are you open on Saturday?"), Line(text="Thank you!"))


def caller(text: str, at: float) -> Turn:
    return Turn(
        id=f"u{at}", speaker="caller", name="Caller", starts_at=at, ends_at=at + 1, text=text
    )


def agent(name: str, text: str, at: float, *, heard: float = 1.0) -> Turn:
    return Turn(
        id=f"a{at}",
        speaker="agent",
        name=name,
        starts_at=at,
        ends_at=at + 2,
        text=text,
        heard=heard,
    )


CALL = ToolCall(
    id="c1",
    agent="Desk",
    name="hours",
    starts_at=1.5,
    ends_at=1.6,
    arguments="{}",
    output="On Saturday from ten to two.",
)
GOOD = Timeline(
    length=20.0,
    turns=(
        caller("when are you open on Saturday", 0.0),
        agent("Desk", "We are open on Saturday from ten to two.", 2.0),
        agent("Billing", "A very long answer", 6.0, heard=0.5),
        caller("thank you", 8.0),
    ),
    tool_calls=(CALL,),
    handoffs=(Handoff(at=5.0, from_agent="Desk", to_agent="Billing"),),
    barge_ins=(BargeIn(at=8.0, turn_id="a6.0", heard_ms=2000),),
    notes=(
        Note(at=1.5, kind="approval", text="hours waits for somebody to approve it"),
        Note(at=4.0, kind="guardrail", text="no_codes stopped what the agent was saying"),
    ),
)


def failed(timeline: Timeline) -> list[str]:
    return [f"{c.what}: {c.detail}" for c in check_script(timeline, SCRIPT) if not c.passed]


def test_a_conversation_in_which_all_happened_passes() -> None:
    assert failed(GOOD) == []


def test_a_tool_that_nobody_called_is_missed() -> None:
    assert failed(evolve(GOOD, tool_calls=())) == [
        "a tool's answer was spoken: no tool was called with success"
    ]


def test_a_tool_whose_output_was_kept_secret_is_missed() -> None:
    secret = evolve(CALL, output="The code is four seven eleven.")

    assert failed(evolve(GOOD, tool_calls=(secret,))) == [
        "a tool's answer was spoken: hours was called, but no answer repeats its output"
    ]


def test_an_agent_that_took_over_and_never_spoke_is_missed() -> None:
    mute = evolve(GOOD, handoffs=(Handoff(at=5.0, from_agent="Desk", to_agent="Sales"),))

    assert failed(mute) == ["another agent took over and spoke: it never spoke"]
    assert failed(evolve(GOOD, handoffs=())) == [
        "another agent took over and spoke: there was no handoff"
    ]


def test_an_agent_that_talks_on_is_missed() -> None:
    assert failed(evolve(GOOD, barge_ins=())) == [
        "the caller cut the agent short: there was no barge-in"
    ]


def test_a_secret_that_was_heard_is_told() -> None:
    what = "a call was approved, and an answer stopped before it was heard"
    secret = (*GOOD.turns, agent("Desk", "It is five five five one.", 12.0))

    assert failed(evolve(GOOD, turns=secret)) == [f"{what}: it was heard"]
    assert failed(evolve(GOOD, notes=GOOD.notes[:1])) == [f"{what}: there was no guardrail"]
    assert failed(evolve(GOOD, notes=())) == [f"{what}: there was no approval and no guardrail"]


def test_a_caller_who_was_misheard_is_missed() -> None:
    turns = (caller("went argue hoping on Saturn day", 0.0), *GOOD.turns[1:])

    assert failed(evolve(GOOD, turns=turns)) == ["the caller was understood: 6 of 8 words wrong"]


def test_an_error_is_told() -> None:
    problem = Problem(at=1.0, message="Out of tokens.")

    assert failed(evolve(GOOD, problems=(problem,))) == ["nothing went wrong: Out of tokens."]


def test_of_a_strangers_conversation_only_the_outline_is_known() -> None:
    assert all(check.passed for check in check_conversation(GOOD))
    assert [check.passed for check in check_conversation(Timeline(length=1.0))] == [
        False,
        False,
        True,
    ]


def test_word_errors_count_insertions_deletions_and_replacements() -> None:
    assert word_errors("Hello, who's there?", "hello who's there") == 0
    assert word_errors("one two three", "one three") == 1
    assert word_errors("one two", "one and two") == 1
    assert word_errors("one two", "one too") == 1
    assert word_errors("", "one") == word_errors("one", "") == 1
