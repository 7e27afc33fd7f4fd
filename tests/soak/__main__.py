"""`python -m tests.soak`: the joined test for as long as you like, with a seed."""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import sys
import time
import traceback

from tests.soak.driver import BrokenRuleError, Figures, soak, story

STEPS = 1_000_000
EVERY = 10.0
"""Seconds between two lines of progress."""


def main() -> int:
    """Soak; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--story", type=int, default=None, help="only this one of the seed")
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
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
    except BrokenRuleError as broken:
        report(broken)
        return 1
    summary(figures, seed, time.monotonic() - began)
    return 0


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
