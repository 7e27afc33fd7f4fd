"""The soak, as long as a test may take; `make soak` is the same, for a million steps."""

from __future__ import annotations

import pytest

from tests.soak.driver import Figures, soak, story

STEPS = 20_000
SEED = 5

EVENTS = {
    "AgentEndEvent",
    "AudioEvent",
    "AudioInterruptedEvent",
    "GuardrailTrippedEvent",
    "HandoffEvent",
    "HistoryUpdatedEvent",
    "InputTranscriptEvent",
    "LimitReachedEvent",
    "ToolApprovalRequiredEvent",
    "ToolEndEvent",
    "UsageEvent",
}
"""What must have happened, or the stories are too quiet to mean anything."""


@pytest.mark.slow
def test_the_rules_hold_for_twenty_thousand_steps() -> None:
    *_, figures = soak(SEED, STEPS)

    assert figures.steps >= STEPS
    assert set(figures.events) >= EVENTS
    assert set(figures.endings) == {"rest", "closed", "lost", "fatal"}


def test_a_story_can_be_told_again() -> None:
    first, second = Figures(), Figures()

    traces = [story(SEED, 7, figures).trace for figures in (first, second)]

    assert traces[0] == traces[1]
    assert first == second
