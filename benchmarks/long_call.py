"""What a turn costs in a long call, and what an event holds that waits to be read.

A turn is what the user has said, and what the model says, in five pieces (without its sound, which
costs the same in any call): some twenty events of the server. The session is a whole one, without
a socket. Who reads takes each turn's events at once. Else they wait, and what they hold is
measured: what the same turns leave behind where events are read is the history's own.
"""

from __future__ import annotations

import argparse

from benchmarks.harness import Bench, Contender

LENGTHS = (100, 1_000, 10_000)
TURNS = 100


def main() -> None:
    with Bench(__doc__, rounds=7, quick_rounds=1, options=_options) as bench:
        calls = {Contender(f"{items:,} items", "ours"): items for items in bench.arguments.lengths}
        runs = bench.take_turns(
            "long_call",
            {call: {"items": items, "turns": TURNS} for call, items in calls.items()},
            fresh=True,
        )
        columns = ("cpu_ms", "unread_cpu_ms", "bytes_per_event", "history_us")
        bench.table(
            "A turn, by what the conversation has already",
            ["", "CPU ms", "unread, CPU ms", "bytes per waiting event", "history(), CPU µs"],
            [[call.name, *(runs.median(call, key) for key in columns)] for call in calls],
        )
        first, *_, last = calls
        for key in ("cpu_ms", "unread_cpu_ms", "bytes_per_event"):
            bench.target(f"long_call_{key}", runs.ratio(last, first, key))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="in items")


if __name__ == "__main__":
    main()
