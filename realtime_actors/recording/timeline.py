"""What happened in a conversation, as values. All times are seconds from its start."""

from __future__ import annotations

from statistics import median
from typing import Literal

from attrs import field, frozen

__all__ = ["BargeIn", "Handoff", "Note", "Problem", "Speaker", "Timeline", "ToolCall", "Turn"]

Speaker = Literal["caller", "agent"]


@frozen(kw_only=True)
class Turn:
    """One party's stretch of speech."""

    id: str
    """The item's id on the wire."""
    speaker: Speaker
    name: str
    """Who speaks, for people: "Caller", or the agent's name."""
    starts_at: float
    ends_at: float
    text: str = field(default="", repr=False)
    """What was said, as transcribed. Of a turn that was cut short, all of it."""
    latency_ms: int | None = None
    """From the end of the caller's speech to the first sound; None for no answer to speech."""
    heard: float = 1.0
    """How much of an agent's turn was played, from 0 to 1."""
    complete: bool = True
    """Nothing of it is still to come: no sound of the agent, no transcript of the caller."""

    @property
    def cut_short(self) -> bool:
        return self.heard < 1.0

    @property
    def heard_text(self) -> str:
        """What of `text` was played, about: to the word that the cut falls into."""
        if not self.cut_short:
            return self.text
        cut = round(len(self.text) * self.heard)
        return self.text[:cut] + self.text[cut:].split(" ", 1)[0]

    @property
    def unheard_text(self) -> str:
        """What of `text` was never played, about."""
        return self.text[len(self.heard_text) :]


@frozen(kw_only=True)
class ToolCall:
    """A tool that the agent called, and what came of it."""

    id: str
    agent: str
    name: str
    starts_at: float
    ends_at: float
    arguments: str = field(repr=False)
    output: str = field(repr=False)
    error: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Handoff:
    """Another agent took over."""

    at: float
    from_agent: str
    to_agent: str


@frozen(kw_only=True)
class BargeIn:
    """The caller spoke over the agent, who fell silent."""

    at: float
    turn_id: str
    heard_ms: int


@frozen(kw_only=True)
class Note:
    """Something worth knowing that is neither sound nor a fault."""

    at: float
    kind: str
    """"approval" (a tool call waited for it) or "guardrail" (one stopped what was said)."""
    text: str = field(repr=False)


@frozen(kw_only=True)
class Problem:
    """Something went wrong on the way."""

    at: float
    message: str = field(repr=False)


@frozen(kw_only=True)
class Timeline:
    """A whole conversation, each kind of thing in the order of time."""

    length: float
    turns: tuple[Turn, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    barge_ins: tuple[BargeIn, ...] = ()
    notes: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()

    def turns_of(self, speaker: Speaker) -> tuple[Turn, ...]:
        return tuple(turn for turn in self.turns if turn.speaker == speaker)

    @property
    def median_latency_ms(self) -> int | None:
        """How long the caller waited for an answer, mostly; None when nothing was answered."""
        latencies = [turn.latency_ms for turn in self.turns if turn.latency_ms is not None]
        return round(median(latencies)) if latencies else None
