"""Sending 20 ms frames one after the other, until the server has them all.

`send_audio` of a session, from one thread (or coroutine). The floor encodes and masks
like us and writes to the socket itself.
"""

from benchmarks.harness import AGENTS, BARE, FLOOR, NO_EXTRAS, OURS, Bench

CONTENDERS = (OURS, NO_EXTRAS, FLOOR, AGENTS, BARE)


def main() -> None:
    with Bench(__doc__, rounds=7) as bench:
        bench.serve()
        runs = bench.take_turns(
            "send",
            {each: {"frames": 3000 if bench.quick else 10_000, "size": 960} for each in CONTENDERS},
            query={"job": "sink"},
        )
        bench.table(
            "send_audio, frames of 960 bytes",
            ["", "CPU µs per call", "calls / s", "calls / s: this / agents"],
            [
                [
                    each.name,
                    runs.median(each, "cpu_us"),
                    runs.median(each, "calls_per_s"),
                    runs.ratio(each, AGENTS, "calls_per_s"),
                ]
                for each in CONTENDERS
            ],
        )
        floor = runs.ratio(FLOOR, AGENTS, "calls_per_s")
        bench.target("send_c_mask", runs.ratio(OURS, AGENTS, "calls_per_s"), floor=floor)
        bench.target("send_no_extras", runs.ratio(NO_EXTRAS, AGENTS, "calls_per_s"))


if __name__ == "__main__":
    main()
