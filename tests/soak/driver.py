"""Conversation after conversation, each with its own seed, each held to the rules.

hypothesis looks for the smallest story that breaks a rule; this looks for a rule that
breaks, in as many stories as there is time for. Nothing is kept of a story that went well.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from attrs import define, field

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, BargeIn, SessionModelSettings, TurnDetectionConfig
from realtime_actors.core.contract import Phase
from tests.core.joined import NO_NAMES
from tests.core.machine import ask
from tests.soak.world import RoughWorld

__all__ = ["BrokenRuleError", "Figures", "soak", "story"]

MOVES = (
    *["server reads"] * 8,
    *["client reads"] * 8,
    *["model"] * 12,
    *["call"] * 4,
    *["time"] * 3,
    *["task"] * 4,
    *["turn"] * 3,
    *["say"] * 2,
    *["repeat"] * 2,
    *["reorder"] * 2,
    *["decide"] * 3,
    *["microphone"] * 3,
    *["words"] * 3,
    "wish",
    "beside",
    "protected",
    "interrupt",
    "hand over",
    "manual",
    "update",
    "report",
    "edit",
    "edit twice",
    "look",
    "lose",
    "renew",
    *["dial"] * 3,
)
ENDINGS = (*["rest"] * 7, "closed", "lost", "fatal")
DETECTION = (
    None,
    None,
    OFF,
    TurnDetectionConfig(interrupt_response=False),
    TurnDetectionConfig(create_response=False),
)
CHOSEN = {"type": "function", "name": "weather"}


class BrokenRuleError(AssertionError):
    """A rule broke. Says which story it was, and how it is told again."""

    def __init__(self, seed: int, number: int, world: RoughWorld | None, moves: int) -> None:
        step = len(world.trace) if world else 0
        super().__init__(f"story {number} of seed {seed} broke at move {moves}, step {step}")
        self.seed, self.number, self.world = seed, number, world


@define
class Figures:
    """What was tried."""

    steps: int = 0
    """Messages that the core took; after each of them the rules were checked."""
    stories: int = 0
    moves: int = 0
    """Things that happened by chance: each makes any number of messages, or none."""
    endings: Counter[str] = field(factory=Counter)
    events: Counter[str] = field(factory=Counter)
    """What the subscribers were told, by class: so that nobody soaks in a quiet corner."""


def soak(seed: int, steps: int) -> Iterator[Figures]:
    """Tell stories until the core has taken so many steps; give the figures after each.

    Raises `BrokenRuleError`, from the rule that broke.
    """
    figures = Figures()
    number = 0
    while figures.steps < steps:
        story(seed, number, figures)
        number += 1
        yield figures


def story(seed: int, number: int, figures: Figures) -> RoughWorld:
    """Tell one story: the same one for the same seed and number."""
    chance = random.Random(f"{seed}/{number}")
    world, moves = None, 0
    try:
        world = a_world(chance)
        for _ in range(chance.choice((20, 100, 200, 400))):
            moves += 1
            world.happen(chance.choice(MOVES), chance.randrange(256))
        ending = chance.choice(ENDINGS)
        end(world, ending)
    except Exception as error:
        raise BrokenRuleError(seed, number, world, moves) from error
    figures.steps += len(world.trace)
    figures.stories += 1
    figures.moves += moves
    figures.endings[ending] += 1
    figures.events.update(type(event).__name__ for event in world.published(object))
    return world


def a_world(chance: random.Random) -> RoughWorld:
    """Any configuration that changes how a conversation goes."""
    return RoughWorld(
        chance=chance,
        settings=SessionModelSettings(
            turn_detection=chance.choice(DETECTION),
            tool_choice=chance.choice((None, None, "required", CHOSEN)),
            input_audio_transcription=chance.choice(
                (None, OFF, *[{"model": "gpt-transcribe"}] * 2)
            ),
        ),
        beta=chance.random() < 0.5,
        hold=chance.random() < 0.3,
        by_ear=chance.random() < 0.5,
        options={
            "async_tool_calls": chance.random() < 0.7,
            "max_tool_rounds_per_turn": chance.choice((None, 10, 1)),
            "max_concurrency": chance.choice((None, None, 2)),
            "playback_reported": chance.random() < 0.5,
            "barge_in": BargeIn(
                mode=chance.choice(("full", "full", "gated", "half_duplex", "off"))
            ),
            "max_duration": chance.choice((None, None, None, 20.0)),
            "idle_timeout": chance.choice((None, None, None, 5.0)),
            "approval_timeout": chance.choice((None, 2.0, 20.0)),
            "stall_timeout": chance.choice((None, 3.0, 30.0)),
            "input_guardrails": chance.choice(((), (NO_NAMES,), (NO_NAMES,))),
        },
    )


def end(world: RoughWorld, ending: str) -> None:
    """Bring a story to its end, and hold it to what must be true then."""
    match ending:
        case "rest":
            world.settle()
        case "lost":
            world.lose()
            world.tell(ask(messages.Close(), "the end"))
        case "fatal":
            world.settle()  # a server that is there has to say so
            error = wire.ErrorDetail(code="insufficient_quota", message="over")
            world.tell(wire.ServerError(error=error))
        case "closed":
            world.tell(ask(messages.Close(), "the end"))
    if world.client.phase is Phase.ENDED:
        world.watch.at_the_end()
    else:
        world.check_at_rest()
