"""Whatever a server leaves out, nulls, repeats or delays, what can still be right is right.

Each switch alone, and a sample of the pairs; all pairs are tried by the soak.
"""

from __future__ import annotations

import json
import random

import pytest

from realtime_actors import protocol as wire
from tests.core.sparse import LIKE_OTHERS, pairs, paths, switches, tell_story, vocabulary
from tests.core.sparse_world import Switch
from tests.core.stories import STORIES, Story

PAIRS = 100
AT_ONCE = 100
"""So many members, or more, are left out at once."""
UNREADABLE = {("item", "type"), ("item", "role"), ("part", "type")}
"""Without these an item or a part is kept as it came."""


def names(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
@pytest.mark.parametrize("story", STORIES, ids=names)
def test_a_server_that_leaves_nothing_out_is_understood(story: Story, beta: bool) -> None:
    world = tell_story(story, beta=beta)

    world.check_at_rest()
    world.check()


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_each_switch_alone(beta: bool) -> None:
    told_in = vocabulary(beta=beta)
    for number, switch in enumerate(switches(beta=beta)):
        fitting = [story for story in STORIES if switch.kind in told_in[story]]
        tell(fitting[number % len(fitting)], switch, beta=beta)


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_a_sample_of_the_pairs(beta: bool) -> None:
    every = pairs(beta=beta)
    random.Random("pairs").shuffle(every)
    for story, first, second in every[:PAIRS]:
        tell(story, first, second, beta=beta)


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
@pytest.mark.parametrize("change", ["missing", "null"])
@pytest.mark.parametrize("story", STORIES, ids=names)
def test_a_server_that_says_only_what_it_must(story: Story, change: str, beta: bool) -> None:
    chosen = [each for each in switches(beta=beta, null=True) if each.is_optional]
    assert len(chosen) > AT_ONCE

    tell(story, *[each for each in chosen if each.change == change], beta=beta)


@pytest.mark.parametrize("like", LIKE_OTHERS)
@pytest.mark.parametrize("story", STORIES, ids=names)
def test_a_server_that_speaks_as_others_do(story: Story, like: str) -> None:
    tell(story, *LIKE_OTHERS[like])


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_null_says_as_much_as_nothing(beta: bool) -> None:
    dialect = wire.dialect("beta" if beta else "ga")
    said = {kind: event for told in vocabulary(beta=beta).values() for kind, event in told.items()}
    for kind, event in said.items():
        for path in paths(event):
            if path[0] == "session" or path in UNREADABLE or "metadata" in path[:-1]:
                continue  # it turns something off, or the item is kept as it came
            without, null = json.loads(json.dumps([event, event]))
            Switch("missing", kind, path).apply(without)
            Switch("null", kind, path).apply(null)
            read = [dialect.decode_server(json.dumps(each)) for each in (without, null)]
            if path[-1] in getattr(getattr(read[1], "item", None), "extra", {}):
                continue  # no member of this item: it is kept as it came
            assert read[0] == read[1] or is_unreadable(*read), f"{kind}: {path}"


def is_unreadable(*events: wire.ServerEvent) -> bool:
    """Both lack what is needed; only the reasons differ."""
    return all(isinstance(event, wire.MalformedEvent) for event in events)


def tell(story: Story, *chosen: Switch, beta: bool = False) -> None:
    told = f"{story.__name__}, {' and '.join(map(str, chosen[:2]))}"
    try:
        tell_story(story, *chosen, beta=beta).check()
    except Exception as error:
        raise AssertionError(f"{told}: {error}") from error
