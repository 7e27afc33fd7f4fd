"""`python -m tests.soak`: the joined test for as long as you like, with a seed.

Then what a server may leave out, in pairs.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import sys
import time
import traceback

from tests.soak.driver import BrokenRuleError, Figures, soak, story
from tests.soak.pairs import BrokenPairError, try_pairs

STEPS = 1_000_000
EVERY = 10.0
"""Seconds between two lines of progress."""


def main() -> int:
    """Soak; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument(
        "--pairs", type=int, default=None, help="of what a server leaves out (default: steps / 100)"
    )
    parser.add_argument("--story", type=int, default=None, help="only this one of the seed")
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    pairs = options.steps // 100 if options.pairs is None else options.pairs
    print(f"seed {seed}", flush=True)
    began = told = time.monotonic()
    figures = Figures()
    try:
        if options.story is not None:
            story(seed, options.story, figures)
        else:
            for figures in soak(seed, options.steps):
                if time.monotonic() - told > EVERY:
                    told = time.monotonic()
                    print(f"  {figures.steps:,} steps, {figures.stories:,} stories", flush=True)
        summary(figures, seed, time.monotonic() - began)
        if options.story is None:
            leave_out(seed, pairs)
    except BrokenRuleError as broken:
        report(broken)
        return 1
    except BrokenPairError as broken:
        traceback.print_exception(broken)
        print(f"\nagain: python -m tests.soak --seed {seed} --steps 0 --pairs {pairs}")
        return 1
    return 0


def leave_out(seed: int, pairs: int) -> None:
    """Try what a server may leave out."""
    began = told = time.monotonic()
    tried = 0
    for tried in try_pairs(seed, pairs):
        if time.monotonic() - told > EVERY:
            told = time.monotonic()
            print(f"  {tried:,} things left out", flush=True)
    print(
        f"{tried:,} stories of servers that leave things out, {time.monotonic() - began:.0f} s:"
        " all was right that could be"
    )


def report(broken: BrokenRuleError) -> None:
    """Say what broke, and how to see it again."""
    traceback.print_exception(broken)
    if broken.world is not None:
        print("\nthe last steps:")
        trace = broken.world.trace
        for now, message in itertools.islice(trace, max(0, len(trace) - 20), None):
            print(f"  {now:8.2f}  {message!r:.200}")
    print(f"\nagain: python -m tests.soak --seed {broken.seed} --story {broken.number}")


def summary(figures: Figures, seed: int, elapsed: float) -> None:
    """Say what was tried."""
    unit = 1024 if sys.platform == "darwin" else 1  # of ru_maxrss, in KiB
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit / 1024
    events = ", ".join(f"{name} {count:,}" for name, count in figures.events.most_common())
    print(
        f"{figures.steps:,} steps in {figures.stories:,} stories ({figures.moves:,} moves), "
        f"{elapsed:.0f} s, at most {memory:.0f} MiB, seed {seed}: every rule held\n"
        f"endings: {dict(figures.endings)}\nevents: {events}"
    )


if __name__ == "__main__":
    sys.exit(main())
