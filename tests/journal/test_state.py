"""What all facts of a journal say together, and how they are written down."""

from __future__ import annotations

import inspect
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import config, items, messages, usage
from realtime_actors.config import SessionModelSettings
from realtime_actors.core import messages as core_messages
from realtime_actors.core import records
from realtime_actors.core.journaling import facts
from realtime_actors.core.journaling.chain import Chain
from realtime_actors.core.journaling.facts import (
    AgentChanged,
    Began,
    CallApproved,
    CallEnded,
    CallMade,
    Ended,
    Fact,
    ItemGone,
    ItemKept,
    Owed,
    SettingsChanged,
    ToolDecided,
    UsageCounted,
)
from realtime_actors.core.journaling.state import KeptState
from realtime_actors.errors import ConfigError
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    McpListToolsItem,
    MessageItem,
    OutputAudio,
    UnknownItem,
    UnknownPart,
)
from realtime_actors.usage import SessionUsage, Usage

FORMAT_1 = Path(__file__).with_name("format_1.jsonl")
"""A journal as the first version of the format has it, and what later ones may add."""


def message(item_id: str, words: str = "") -> MessageItem:
    return MessageItem(id=item_id, role="assistant", content=(OutputAudio(transcript=words),))


def call(call_id: str) -> CallMade:
    return CallMade(
        call_id=call_id,
        server_id="call_0",
        item_id="item_call",
        name="weather",
        arguments='{"city": "Oslo"}',
        agent="Desk",
    )


EVERY_FACT: tuple[Fact, ...] = (
    Began(format=1, life=1, agent="Desk"),
    ItemKept(item=MessageItem(id="item_1", role="user", content=(InputText("Hi"),))),
    ItemKept(item=message("item_2", "Hello"), after="item_1"),
    ItemKept(item=message("item_3"), after="item_2"),
    ItemGone("item_3"),
    call("call_0"),
    CallApproved("call_0"),
    ToolDecided(name="weather", approve=True),
    ToolDecided(name="search", server_label="docs", approve=False),
    CallEnded("call_0"),
    call("call_0#2"),
    AgentChanged("Billing"),
    SettingsChanged(SessionModelSettings(voice="cedar", speed=1.25)),
    UsageCounted(SessionUsage(responses=2, tokens=Usage(total_tokens=7), cost=Decimal("0.012"))),
    Owed(True),
    Ended(),
)


def state_of(*facts: Fact) -> KeptState:
    state = KeptState()
    for fact in facts:
        state.take(fact)
    return state


# --- the state ------------------------------------------------------------------------------


def test_every_kind_of_fact_has_an_example():
    assert {type(each).__name__ for each in EVERY_FACT} == records.FACTS


def test_the_facts_of_a_state_make_the_same_state():
    state = state_of(*EVERY_FACT)

    assert state_of(*state.facts()) == state
    assert len([*state.facts()]) < len(EVERY_FACT)


def test_a_conversation_that_never_began_has_no_facts():
    assert [*KeptState().facts()] == []


def test_an_item_stands_behind_the_one_that_it_follows():
    state = state_of(
        ItemKept(item=message("b")),
        ItemKept(item=message("a")),
        ItemKept(item=message("c"), after="b"),
        ItemKept(item=message("d"), after="never heard of"),
        ItemKept(item=message("a", "moved"), after="c"),
    )

    assert state.items == (message("b"), message("c"), message("a", "moved"), message("d"))


def test_an_item_without_an_id_gets_one():
    state = state_of(ItemKept(item=UnknownItem(type="odd", raw={})), ItemKept(item=message("a")))

    assert [each.id for each in state.items] == ["a", "item_unnamed_1"]


def test_a_call_is_open_until_it_has_ended():
    state = state_of(call("one"), call("two"), CallApproved("one"), CallEnded("one"))

    assert (state.calls, state.approved) == ({"two": call("two")}, set())


def test_another_life_goes_on_with_the_agent_that_speaks():
    state = state_of(Began(format=1, life=1, agent="Desk"), AgentChanged("Billing"), Ended())
    state.take(Began(format=1, life=2, agent="Desk"))

    assert (state.agent, state.ended, state.began) == (
        "Billing",
        None,
        Began(format=1, life=2, agent="Desk"),
    )


ids = st.sampled_from("abcdefgh")


@given(st.lists(st.one_of(st.tuples(ids, st.none() | ids), st.tuples(ids))))
def test_a_chain_is_a_list_in_which_names_are_moved_and_taken_out(steps):
    chain = Chain()
    expected: list[str] = []
    for name, *after in steps:
        if not after:
            chain.remove(name)
            expected = [each for each in expected if each != name]
        elif after != [name]:
            chain.put(name, after[0])
            expected = [each for each in expected if each != name]
            at = 0 if after[0] is None else len(expected)
            if after[0] in expected:
                at = expected.index(after[0]) + 1
            expected.insert(at, name)
        elif name not in expected:
            chain.put(name, name)
        assert [*chain] == expected
        assert chain.last == (expected[-1] if expected else None)
        assert [chain.before(each) for each in expected] == [None, *expected][:-1]


# --- records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fact", EVERY_FACT)
def test_a_fact_that_was_written_is_read_as_it_was(fact):
    text = records.fact_as_text(fact, 1764383123.25)

    assert "\n" not in text
    assert json.loads(text)["at"] == 1764383123.25
    assert records.fact_from_text(text) == fact


ODD_ITEMS: tuple[Item, ...] = (
    MessageItem(
        id="a", role="user", content=(InputAudio(transcribed=False),), extra={"$": "Began"}
    ),
    MessageItem(id="b", role="user", content=(InputImage(image_url="data:image/png;base64,AA=="),)),
    MessageItem(
        id="c",
        role="assistant",
        content=(OutputAudio(transcript="half a \ud83d character", truncated_at_ms=400),),
        extra={"notes": [{"$agent": "nobody's"}, ["list"]], "$bytes": "no"},
    ),
    FunctionCallItem(id="d", call_id="call_0", name="weather", arguments="{no JSON"),
    FunctionCallOutputItem(id="e", call_id="call_0", output="line\nline\0"),
    McpListToolsItem(id="f", server_label="docs", tools=({"name": "x", "tags": ["a", "b"]},)),
    UnknownItem(id="g", type="odd", raw={"type": "odd", "list": [1, [2], {"$": 3}]}),
    MessageItem(id="h", role="user", content=(UnknownPart(type="x", raw={"type": "x", "l": []}),)),
)


@pytest.mark.parametrize("item", ODD_ITEMS, ids=lambda item: item.id)
def test_an_item_is_read_as_it_was_whatever_a_server_has_put_into_it(item):
    text = records.fact_as_text(ItemKept(item=item), 0.0)
    read = records.fact_from_text(text)

    if item.id == "c":  # halves of characters can't be written
        text = text.replace("\\ud83d", "\ufffd")
        assert records.fact_from_text(text).item.id == "c"
    else:
        assert read == ItemKept(item=item)
    text.encode()


def test_no_two_classes_of_the_vocabulary_have_one_name():
    """But verbs, which stand in a place of their own."""
    names: dict[str, type] = {}
    for module in (config, core_messages, facts, items, usage):
        for name, cls in inspect.getmembers(module, inspect.isclass):
            if hasattr(cls, "__attrs_attrs__"):
                assert names.setdefault(name, cls) is cls, name


def test_a_verb_is_read_as_a_verb_where_a_value_has_its_name():
    asked = core_messages.Asked(messages.Usage())

    assert records.Cast().decode(records.encode(asked)) == asked


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", '{"at": 1}', '{"$": "ItemKept", "item": {"$": "?"}}']
)
def test_what_is_no_record_is_refused(text):
    with pytest.raises(ConfigError, match="not a record of a journal"):
        records.fact_from_text(text)


def test_a_journal_of_the_first_format_is_read_and_what_it_has_besides_is_skipped():
    read = [records.fact_from_text(line) for line in FORMAT_1.read_text().splitlines()]
    known = [each for each in read if each is not None]

    assert len(read) - len(known) == 1
    assert known == [*EVERY_FACT]
