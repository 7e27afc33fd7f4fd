"""Sentences to be spoken: what a tool answered, what is still missing, what can be done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from realtime_actors.server.engines.brain.choosing import KnownTool
from realtime_actors.server.engines.brain.plain_words import humanized, listed, word_set
from realtime_actors.server.engines.brain.tool_parameters import Kind, Parameter

__all__ = ["abilities", "question_for", "spoken", "tool_results"]

_TELLING_KEYS = ("message", "answer", "result", "text", "output", "content")


def spoken(output: str) -> str:
    """Turn a tool's output into what can be said: a text as it is, an object in sentences."""
    try:
        value = json.loads(output)
    except ValueError:
        value = output
    text = " ".join(_sentences("", value)).strip()
    return text or "Done."


def _sentences(key: str, value: Any) -> Iterable[str]:
    subject = f"The {key}" if key else ""
    match value:
        case None | "":
            return
        case dict():
            if not key and len(value) == 1 and next(iter(value)) in _TELLING_KEYS:
                yield from _sentences("", next(iter(value.values())))
                return
            for name, each in value.items():
                yield from _sentences(f"{key} {humanized(str(name))}".strip(), each)
        case list() if any(isinstance(each, dict | list) for each in value):
            for each in value:
                yield from _sentences(key, each)
        case list():
            words = listed([_plain(each) for each in value], "and")
            yield f"{subject} {'are' if len(value) > 1 else 'is'} {words}." if key else f"{words}."
        case _ if key:
            text = _plain(value)
            verb = "are" if key.endswith("s") and not key.endswith(("ss", "us")) else "is"
            stop = "" if text.endswith((".", "!", "?")) else "."
            yield f"{subject} {verb} {text}{stop}"
        case _:
            yield _plain(value)


def _plain(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def question_for(parameter: Parameter) -> str:
    """Return the question for an argument."""
    words = parameter.words
    if parameter.kind is Kind.CHOICE:
        choices = [str(each).replace("_", " ") for each in parameter.choices]
        return f"Which {words}: {listed(choices, 'or')}?"
    if parameter.kind is Kind.NUMBER and "how many" in parameter.description.lower():
        return "How many?"
    if parameter.kind is Kind.BOOLEAN:
        return f"{words.capitalize()}: yes or no?"
    description = parameter.description.split("\n")[0].split("(")[0].split(". ")[0].strip(" .:")
    first = description.split(" ")[0].lower()
    if not description or len(description.split()) > 9 or ":" in description:
        return f"What is the {words}?"
    small = description[0].lower() + description[1:]
    if first in ("who", "what", "when", "where", "why", "how", "which", "whether"):
        return f"Could you tell me {small}?"
    if first in ("the", "a", "an", "your", "my"):
        return f"What is {small}?"
    return f"What is the {small}?"


_VERBS = word_set(
    "add answer book buy calculate call cancel change check close confirm convert create delete "
    "explain find give list look make open order play put remind remove report reserve schedule "
    "search send set show start stop switch take tell track translate turn update write"
)
_MOST_ABILITIES = 5


def abilities(tools: Sequence[KnownTool]) -> str:
    """Say what the tools can do, in a sentence. "" without any."""
    phrases = [_ability(tool) for tool in tools[:_MOST_ABILITIES]]
    return f"I can {listed(phrases, 'or')}." if phrases else ""


def _ability(tool: KnownTool) -> str:
    if tool.is_handoff:
        return f"connect you with {tool.words.removeprefix('transfer to ')}"
    first = tool.description.split(". ")[0].split("\\n")[0].rstrip(".")
    if first.split(" ")[0].lower() in _VERBS and len(first.split()) <= 9:
        return first[0].lower() + first[1:]
    verb, _, rest = tool.words.partition(" ")
    if verb == "get" and rest:
        return f"tell you the {rest}"
    if verb in _VERBS and rest:
        return tool.words
    return f"tell you about {tool.words}" if tool.act.looks_up else f"help with {tool.words}"


def tool_results(outputs: Iterable[str]) -> str:
    """Say what several tools answered, one after the other."""
    return " ".join(spoken(output) for output in outputs)
