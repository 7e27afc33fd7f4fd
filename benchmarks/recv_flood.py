"""Receiving as fast as it goes: CPU of the whole process for each audio delta.

One session. The server sends 20 ms deltas (960 bytes) and 100 ms deltas (4,800 bytes) as
fast as they are taken; a subscriber's queue is read by the main thread. The floor is our
own frame parser with orjson and pybase64 in a loop, with no session and no actor.
"""

from benchmarks.harness import AGENTS, ASYNCIO, BARE, DIRECT, FLOOR, NO_EXTRAS, OURS, PLAIN, Bench

# So many deltas that a turn takes about half a second.
COUNTS = {
    OURS: 40_000,
    DIRECT: 40_000,
    ASYNCIO: 40_000,
    NO_EXTRAS: 15_000,
    PLAIN: 10_000,
    FLOOR: 40_000,
    AGENTS: 10_000,
    BARE: 600,
}


def main() -> None:
    with Bench(__doc__, rounds=7) as bench:
        bench.serve()
        for size in (960, 4800):
            share = 960 / size * (0.5 if bench.quick else 1)
            runs = bench.take_turns(
                "flood",
                {each: {"count": int(count * share)} for each, count in COUNTS.items()},
                query={"job": "flood", "size": size},
            )
            bench.table(
                f"Flood of {size}-byte audio deltas",
                ["", "CPU µs per delta", "time µs per delta", "agents / this", "this / floor"],
                [
                    [
                        each.name,
                        runs.median(each, "cpu_us"),
                        runs.median(each, "wall_us"),
                        runs.ratio(AGENTS, each, "cpu_us"),
                        runs.ratio(each, FLOOR, "cpu_us"),
                    ]
                    for each in COUNTS
                ],
            )
            threads = ("io_us", "session_us", "subscriber_us")
            bench.table(
                f"Whose CPU it is, of {size}-byte deltas: µs per delta",
                ["", "I/O thread", "session", "subscriber"],
                [
                    [each.name, *(runs.median(each, key) for key in threads)]
                    for each in (OURS, DIRECT, NO_EXTRAS)
                ],
            )
            floor = runs.ratio(AGENTS, FLOOR, "cpu_us")
            bench.target(f"flood_{size}_agents", runs.ratio(AGENTS, OURS, "cpu_us"), floor=floor)
            bench.target(f"flood_{size}_no_extras", runs.ratio(AGENTS, NO_EXTRAS, "cpu_us"))
            bench.target(f"flood_{size}_floor", runs.ratio(OURS, FLOOR, "cpu_us"))


if __name__ == "__main__":
    main()
