"""Every pair of things that a server leaves out, repeats or says late (`tests.core.sparse`)."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.core.sparse import pairs, switches, tell_story, vocabulary
from tests.core.sparse_world import Switch
from tests.core.stories import STORIES, Story

__all__ = ["BrokenPairError", "try_pairs"]


class BrokenPairError(AssertionError):
    """What can still be right is not. Says which switches, and in which story."""

    def __init__(self, story: Story, chosen: tuple[Switch, ...], *, beta: bool) -> None:
        dialect = "beta" if beta else "GA"
        super().__init__(f"{story.__name__} ({dialect}): {' and '.join(map(str, chosen))}")


def try_pairs(seed: int, most: int) -> Iterator[int]:
    """Try each switch in each story, then at most so many pairs. Give how many were tried so far.

    Raises `BrokenPairError`, from the rule that broke.
    """
    alone = [
        (beta, story, (switch,))
        for beta in (False, True)
        for switch in switches(beta=beta, null=True)
        for story in STORIES
        if switch.kind in vocabulary(beta=beta)[story]
    ]
    together = [
        (beta, story, (first, second))
        for beta in (False, True)
        for story, first, second in pairs(beta=beta)
    ]
    chance = random.Random(f"{seed}/pairs")
    chance.shuffle(alone)
    chance.shuffle(together)
    for tried, (beta, story, chosen) in enumerate((*alone[:most], *together[:most])):
        yield tried
        try:
            tell_story(story, *chosen, beta=beta).check()
        except Exception as error:
            raise BrokenPairError(story, chosen, beta=beta) from error
