"""One thread of the process computes without end: what that does to latency.

One session, 50 deltas a second. The interpreter lets a thread that computes run for a
*switch interval* (`sys.setswitchinterval`, 5 ms unless set) before another one gets a
turn, and a delta passes through two threads here: that which reads, and that of the subscriber
(one if it has no queue). The library never sets it: it is
the program's. This is to know what to set it to, or to move the work to another process.
"""

from benchmarks.harness import AGENTS, DIRECT, FLOOR, OURS, Bench

CONTENDERS = (OURS, DIRECT, FLOOR, AGENTS)
INTERVALS_MS = (5, 1, 0.5)


def main() -> None:
    with Bench(__doc__, quick_rounds=1) as bench:
        bench.serve()
        rows: list[list[object]] = []
        for interval in (None, *INTERVALS_MS):
            noise = {} if interval is None else {"noise_ms": interval}
            runs = bench.take_turns(
                "paced",
                {each: {"seconds": 0.4 if bench.quick else 3, **noise} for each in CONTENDERS},
                query={"job": "paced", "size": 960},
            )
            if interval == 5:
                bench.target("noise_p50", runs.ratio(OURS, AGENTS, "p50_ms"))
                bench.target("noise_p50_direct", runs.ratio(DIRECT, AGENTS, "p50_ms"))
            rows += [
                [
                    "nothing else runs" if interval is None else f"{interval} ms",
                    each.name,
                    runs.median(each, "p50_ms"),
                    runs.median(each, "p99_ms"),
                ]
                for each in CONTENDERS
            ]
        bench.table(
            "Latency beside a thread that computes",
            ["switch interval", "", "p50 ms", "p99 ms"],
            rows,
        )


if __name__ == "__main__":
    main()
