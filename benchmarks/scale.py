"""Many conversations in one process: 50 frames a second in, and 50 out, in each of them.

For each number of sessions: how many cores it takes, how late what is heard is, how late
what is said leaves, and how many threads a session has. A contender keeps up as long as
99 of 100 deltas are less than 50 ms late, and 99 of 100 sends less than one frame.
"""

from __future__ import annotations

import argparse

from benchmarks.harness import AGENTS, ASYNCIO, DIRECT, OURS, Bench, Contender, Runs

CONTENDERS = (OURS, DIRECT, ASYNCIO, AGENTS)

USUAL = {
    (False, False): "1,25,50,100,150,200,400",
    (False, True): "50,200",
    (True, False): "50,100",
    (True, True): "50",
}
"""How many sessions, unless somebody says: over TLS or not, quickly or not."""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", help="numbers of sessions, as in 1,50,100,200")
    parser.add_argument("--tls", action="store_true", help="over TLS")


def main() -> None:
    with Bench(__doc__, quick_rounds=1, options=options) as bench:
        tls: bool = bench.arguments.tls
        if tls:
            bench.named("scale_tls")
        given: str = bench.arguments.sessions or USUAL[tls, bench.quick]
        counts = [int(count) for count in given.split(",")]
        bench.serve(tls=tls)

        results: dict[int, Runs] = {}
        knee = dict.fromkeys(CONTENDERS, 0)
        for count in counts:
            # Twice what was too much is no news, and takes the machine from the others.
            # (What we are to reach with 200, beside agents, has to be known in any case.)
            able = [each for each in CONTENDERS if count <= max(2 * knee[each], 200)]
            results[count] = runs = bench.take_turns(
                "scale",
                {each: {"sessions": count, "seconds": 2 if bench.quick else 4} for each in able},
                query={"job": "paced", "size": 960},
            )
            late = bench.server_stats()["late_p99_ms"]
            if late > 10:
                bench.note(f"{count} sessions: the load server was late itself, p99 {late:.0f} ms")
            for each in able:
                if keeps_up(runs, each):
                    knee[each] = count

        bench.table(
            f"Many sessions in one process{', over TLS' if tls else ''}",
            ["sessions", "", "cores", "p50 ms", "p99 ms", "sends late, p99 ms", "threads"],
            [
                [
                    count,
                    each.name,
                    *(
                        runs.median(each, key)
                        for key in ("cores", "p50_ms", "p99_ms", "late_p99_ms", "threads")
                    ),
                ]
                for count, runs in results.items()
                for each in runs.of
            ],
        )
        if 50 in results:
            key = "scale_tls_cpu_50" if tls else "scale_cpu_50"
            bench.target(key, results[50].ratio(OURS, AGENTS, "cores"))
            bench.target(f"{key}_direct", results[50].ratio(DIRECT, AGENTS, "cores"))
        if not tls:
            if 200 in results:
                for name, key in (("cpu", "cores"), ("in", "p99_ms"), ("out", "late_p99_ms")):
                    bench.target(f"scale_{name}_200", results[200].ratio(OURS, AGENTS, key))
            for name, each in (("", OURS), ("_direct", DIRECT)):
                # Who keeps up with no number that was tried is given the smallest.
                bench.target(f"scale_knee{name}", knee[each] / (knee[AGENTS] or min(counts)))
        for each in CONTENDERS:
            bench.note(f"{each.name} keeps up with {knee[each]} sessions, of the numbers tried")


def keeps_up(runs: Runs, contender: Contender) -> bool:
    return runs.median(contender, "p99_ms") < 50 and runs.median(contender, "late_p99_ms") < 20


if __name__ == "__main__":
    main()
