"""Receiving as it is in life: how late each audio delta of 20 ms is, at 50 a second.

One session on an idle process. From the moment at which the server hands the delta to
its socket, to the moment at which a subscriber holds the audio.
"""

from benchmarks.harness import AGENTS, BARE, DIRECT, FLOOR, NO_EXTRAS, OURS, PLAIN, Bench

CONTENDERS = (OURS, DIRECT, NO_EXTRAS, PLAIN, FLOOR, AGENTS, BARE)


def main() -> None:
    with Bench(__doc__, rounds=7, quick_rounds=1) as bench:
        bench.serve()
        runs = bench.take_turns(
            "paced",
            {each: {"seconds": 1.5 if bench.quick else 4} for each in CONTENDERS},
            query={"job": "paced", "size": 960},
        )
        bench.table(
            "Latency of an audio delta, one session",
            ["", "p50 µs", "p99 µs", "p50: this / agents", "p99: this / agents"],
            [
                [
                    each.name,
                    runs.median(each, "p50_ms") * 1000,
                    runs.median(each, "p99_ms") * 1000,
                    runs.ratio(each, AGENTS, "p50_ms"),
                    runs.ratio(each, AGENTS, "p99_ms"),
                ]
                for each in CONTENDERS
            ],
        )
        floor = {key: runs.ratio(FLOOR, AGENTS, key) for key in ("p50_ms", "p99_ms")}
        bench.target("paced_p50", runs.ratio(OURS, AGENTS, "p50_ms"), floor=floor["p50_ms"])
        bench.target(
            "paced_p50_direct", runs.ratio(DIRECT, AGENTS, "p50_ms"), floor=floor["p50_ms"]
        )
        bench.target("paced_p99", runs.ratio(OURS, AGENTS, "p99_ms"), floor=floor["p99_ms"])
        bench.target(
            "paced_p99_direct", runs.ratio(DIRECT, AGENTS, "p99_ms"), floor=floor["p99_ms"]
        )


if __name__ == "__main__":
    main()
