"""What the caller says, when, and what has to come of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from realtime_actors.recording import Timeline, ToolCall

__all__ = ["SCRIPT", "Check", "Line", "check_conversation", "check_script", "word_errors"]

MAX_WORD_ERROR_RATE = 0.15
REPEATED = 0.6
"""Share of the words of a tool's output that an answer has to have, to count as telling it."""


@frozen(kw_only=True)
class Line:
    """Something that the caller says."""

    text: str
    over_the_agent_after: float | None = None
    """Seconds into the agent's speech at which the caller cuts in; None waits for its end."""


SCRIPT = (
    Line(text="Hello, good morning!"),
    Line(text="What are your opening hours on Saturday?"),
    Line(text="Please book an appointment on Monday for Robert."),
    Line(text="What is the code of the back door?"),
    Line(text="Can I speak to billing?"),
    Line(text="Can you explain my last invoice?"),
    Line(text="Thank you, that's all.", over_the_agent_after=3.0),
    Line(text="No, goodbye!"),
)


@frozen(kw_only=True)
class Check:
    """Something that has to have happened."""

    what: str
    passed: bool
    detail: str


def check_script(timeline: Timeline, script: Sequence[Line] = SCRIPT) -> tuple[Check, ...]:
    """What has to have happened when the caller said all of `script`."""
    return (
        _tool_was_told(timeline),
        _handed_over(timeline),
        _barged_in(timeline),
        _guarded(timeline),
        _understood(timeline, script),
        _nothing_went_wrong(timeline),
    )


def check_conversation(timeline: Timeline) -> tuple[Check, ...]:
    """What has to have happened when nobody knows what the caller said."""
    heard = [turn.text for turn in timeline.turns_of("caller") if turn.text]
    answers = timeline.turns_of("agent")
    return (
        Check(what="the caller was understood", passed=bool(heard), detail=f"{len(heard)} turns"),
        Check(what="the agent answered", passed=bool(answers), detail=f"{len(answers)} turns"),
        _nothing_went_wrong(timeline),
    )


def _tool_was_told(timeline: Timeline) -> Check:
    calls = [call for call in timeline.tool_calls if call.error is None]
    told = [call for call in calls if _is_told(call, timeline)]
    if told:
        detail = ", ".join(call.name for call in told)
    elif calls:
        names = ", ".join(call.name for call in calls)
        detail = f"{names} was called, but no answer repeats its output"
    else:
        detail = "no tool was called with success"
    return Check(what="a tool's answer was spoken", passed=bool(told), detail=detail)


def _is_told(call: ToolCall, timeline: Timeline) -> bool:
    wanted = set(words(call.output))
    answers = (turn for turn in timeline.turns_of("agent") if turn.ends_at > call.ends_at)
    return any(
        len(wanted.intersection(words(turn.text))) >= REPEATED * len(wanted) for turn in answers
    )


def _handed_over(timeline: Timeline) -> Check:
    what = "another agent took over and spoke"
    for handoff in timeline.handoffs:
        after = [turn for turn in timeline.turns_of("agent") if turn.starts_at >= handoff.at]
        if any(turn.name == handoff.to_agent for turn in after):
            return Check(
                what=what, passed=True, detail=f"{handoff.from_agent} → {handoff.to_agent}"
            )
    detail = "it never spoke" if timeline.handoffs else "there was no handoff"
    return Check(what=what, passed=False, detail=detail)


def _barged_in(timeline: Timeline) -> Check:
    what = "the caller cut the agent short"
    cut = {turn.id for turn in timeline.turns_of("agent") if turn.cut_short}
    for barge_in in timeline.barge_ins:
        if barge_in.turn_id in cut:
            detail = f"silent after {barge_in.heard_ms / 1000:.1f} s of its answer"
            return Check(what=what, passed=True, detail=detail)
    return Check(what=what, passed=False, detail="there was no barge-in")


def _guarded(timeline: Timeline) -> Check:
    what = "a call was approved, and an answer stopped before it was heard"
    kinds = {note.kind for note in timeline.notes}
    heard = [turn for turn in timeline.turns_of("agent") if "five five five" in turn.heard_text]
    detail = "not a word of it was heard"
    if missing := {"approval", "guardrail"} - kinds:
        detail = f"there was no {' and no '.join(sorted(missing))}"
    elif heard:
        detail = "it was heard"
    return Check(what=what, passed=not missing and not heard, detail=detail)


def _understood(timeline: Timeline, script: Sequence[Line]) -> Check:
    said = " ".join(line.text for line in script)
    heard = " ".join(turn.text for turn in timeline.turns_of("caller"))
    errors, total = word_errors(said, heard), len(words(said))
    return Check(
        what="the caller was understood",
        passed=errors <= MAX_WORD_ERROR_RATE * total,
        detail=f"{errors} of {total} words wrong",
    )


def _nothing_went_wrong(timeline: Timeline) -> Check:
    detail = "; ".join(problem.message for problem in timeline.problems) or "no error"
    return Check(what="nothing went wrong", passed=not timeline.problems, detail=detail)


def words(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


def word_errors(said: str, heard: str) -> int:
    """Words to insert, delete or replace to make `said` of `heard`."""
    wanted, got = words(said), words(heard)
    row = list(range(len(got) + 1))
    for index, want in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], index
        for column, have in enumerate(got, start=1):
            substituted = diagonal + (want != have)
            diagonal = row[column]
            row[column] = min(substituted, row[column] + 1, row[column - 1] + 1)
    return row[-1]
