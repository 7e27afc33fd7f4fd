"""The user speaks over the model: how soon a program knows that it has to be silent.

50 sessions in one process, each with speech coming in at 50 deltas a second, and once a
second an `input_audio_buffer.speech_started`. From the moment at which the server hands
that to its socket, to the moment at which a subscriber holds the event that says so
(`AudioInterruptedEvent`; for openai-agents, `audio_interrupted`).
"""

from benchmarks.harness import AGENTS, DIRECT, OURS, Bench

CONTENDERS = (OURS, DIRECT, AGENTS)


def main() -> None:
    with Bench(__doc__, quick_rounds=1) as bench:
        bench.serve()
        runs = bench.take_turns(
            "barge_in",
            {each: {"sessions": 50, "seconds": 3 if bench.quick else 6} for each in CONTENDERS},
            query={"job": "barge_in", "size": 960},
        )
        bench.table(
            "From speech started to the interruption, 50 sessions",
            ["", "p50 ms", "p99 ms"],
            [
                [each.name, *(runs.median(each, key) for key in ("p50_ms", "p99_ms"))]
                for each in CONTENDERS
            ],
        )
        bench.target("barge_in_p99", runs.median(OURS, "p99_ms"))


if __name__ == "__main__":
    main()
