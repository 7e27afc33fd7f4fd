"""Which tool a sentence asks for, if any.

Three things speak for a tool: what it does is like what was said, they have words in common,
and the sentence has something to fill the tool's parameters with. Against all of them
speaks how much the sentence is like what people say who want nothing of the kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from attrs import evolve, field, frozen

from realtime_actors.server.engines.brain.arguments import find_arguments
from realtime_actors.server.engines.brain.intent import (
    Act,
    Wish,
    act_of,
    asked_for,
    wish_for,
)
from realtime_actors.server.engines.brain.plain_words import content_stems, humanized
from realtime_actors.server.engines.brain.similarity import Embedder
from realtime_actors.server.engines.brain.tool_parameters import Kind, Parameter, parameters_of

__all__ = ["Choice", "KnownTool", "choose_tool", "known_tools"]

# In units of likeness. Found with the development half of the test data.
_SHARED_WORD: Final = 0.025
_SHARED_WORDS: Final = 3
_ARGUMENT: Final = 0.012
_NAMED_CHOICE: Final = 0.03
_MOST_ARGUMENTS: Final = 0.06
_NAMED: Final = 0.02
_NAMED_IN_DOUBT: Final = 0.001
"""Without embeddings: a word in common counts already."""
_THRESHOLD: Final = 0.07
_SMALL_TALK_SHARE: Final = 0.7
# Without embeddings, one word in common has to do.
_THRESHOLD_OF_WORDS: Final = 0.023

NOT_ASKED_FOR: Final = -1.0
"""How certain a tool is that fits, and was not asked for."""

_SMALL_TALK: Final = (
    "Hello.",
    "Good morning.",
    "Hi there.",
    "Thank you very much.",
    "Goodbye.",
    "How are you?",
    "What is your name?",
    "Who are you?",
    "Yes, please.",
    "No, thank you.",
    "Okay.",
    "Could you repeat that, please?",
    "Tell me a joke.",
    "Wait a moment, please.",
    "What can you do?",
    "When are you open?",
    "Where are you located?",
    "I like it.",
    "That's all.",
    "Never mind.",
    "Do you speak English?",
)

# What the usual description of a handoff says about every handoff.
_HANDOFF = re.compile(r"^Handoff to the (.+?) agent to handle the request\.\s*", re.IGNORECASE)


@frozen(kw_only=True)
class KnownTool:
    """A tool of the session, ready to be compared with sentences."""

    name: str
    description: str = field(default="", repr=False)
    """What it does, without what is said about every handoff."""
    parameters: tuple[Parameter, ...] = ()
    texts: tuple[str, ...] = field(default=(), repr=False)
    """What it is called and what it does, as a whole and sentence by sentence."""
    stems: frozenset[str] = field(default=frozenset(), repr=False)
    act: Act = field(repr=False)

    @property
    def words(self) -> str:
        return humanized(self.name)

    @property
    def is_handoff(self) -> bool:
        return self.name.startswith("transfer_to_")


@frozen(kw_only=True)
class Choice:
    """A tool, and how sure it is that it was meant: above 0 it was."""

    tool: KnownTool
    certainty: float


def known_tools(tools: Sequence[Mapping[str, Any]]) -> tuple[KnownTool, ...]:
    """Return the functions among wire-shaped tools. Others (MCP) are the server's own to call."""
    return tuple(
        _known_tool(tool)
        for tool in tools
        if tool.get("type") == "function" and isinstance(tool.get("name"), str)
    )


def _known_tool(tool: Mapping[str, Any]) -> KnownTool:
    words = humanized(tool["name"])
    description = _HANDOFF.sub("", str(tool.get("description") or "")).strip()
    sentences = re.split(r"(?<=[.!?])\s+|\n+", description)
    texts = dict.fromkeys(text for text in (words, description, *sentences) if text.strip())
    return KnownTool(
        name=tool["name"],
        description=description,
        parameters=parameters_of(tool),
        texts=tuple(texts),
        stems=frozenset(content_stems(f"{words} {description}")),
        act=act_of(tool["name"], description),
    )


def choose_tool(
    text: str, tools: Sequence[KnownTool], embedder: Embedder, *, today: date
) -> Choice | None:
    """Return the tool that the text is most likely to ask for. None when there are no tools."""
    if not tools:
        return None
    asked = asked_for(text)
    threshold = _THRESHOLD_OF_WORDS
    if embedder.available:
        small_talk = max(embedder.likeness(text, _SMALL_TALK))
        threshold = max(_THRESHOLD, small_talk * _SMALL_TALK_SHARE)
    scored = sorted(
        (
            (_score(asked or text, tool, embedder, today), -place, tool)
            for place, tool in enumerate(tools)
        ),
        reverse=True,
    )
    named = _NAMED if embedder.available else _NAMED_IN_DOUBT
    wishes = {tool.name: wish_for(tool.act, asked) for tool in tools}
    best = Choice(tool=scored[0][2], certainty=scored[0][0] - threshold)
    told = Wish.SPOKEN_OF in wishes.values() or wishes[best.tool.name] is Wish.PARAPHRASED
    if told and Wish.NAMED not in wishes.values():
        # Nor is anything else asked for, that may fit what was said of it.
        return evolve(best, certainty=min(best.certainty, NOT_ASKED_FOR))
    choices = [
        Choice(
            tool=tool,
            certainty=score - threshold + (named if wishes[tool.name] is Wish.NAMED else 0.0),
        )
        for score, _, tool in scored
        if wishes[tool.name] in (Wish.NAMED, Wish.POSSIBLE)
    ]
    if not choices:
        return evolve(best, certainty=min(best.certainty, NOT_ASKED_FOR))
    return max(choices, key=lambda choice: choice.certainty)


def _score(text: str, tool: KnownTool, embedder: Embedder, today: date) -> float:
    likeness = max(embedder.likeness(text, tool.texts), default=0.0)
    shared = len(set(content_stems(text)) & tool.stems)
    found = find_arguments(text, tool.parameters, today=today)
    arguments = sum(
        _worth(each, found[each.name]) for each in tool.parameters if each.name in found
    )
    return likeness + _SHARED_WORD * min(shared, _SHARED_WORDS) + min(arguments, _MOST_ARGUMENTS)


def _worth(parameter: Parameter, value: Any) -> float:
    """Return how much an argument that was found says about what was meant."""
    match parameter.kind:
        case Kind.TEXT | Kind.LIST | Kind.OBJECT:
            return 0.0  # anything can be taken for a text
        case Kind.CHOICE if len(str(value)) > 3:
            return _NAMED_CHOICE  # "classical", but not the "on" of "hold on"
        case _:
            return _ARGUMENT
