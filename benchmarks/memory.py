"""Memory of a session that is connected and waits, and of a process with 50 of them.

The last table says what of a session's memory Python knows of, by where it was asked for.
What is left is outside of Python: the thread's stack, the socket, and with TLS its state.
"""

from benchmarks.harness import AGENTS, OURS, Bench

CONTENDERS = (OURS, AGENTS)
SESSIONS = 50


def main() -> None:
    columns = ("session_kb", "process_mb", "stop_ms")
    with Bench(__doc__, quick_rounds=1) as bench:
        for tls in (False, True):
            bench.serve(tls=tls)
            runs = bench.take_turns(
                "idle",
                {each: {"sessions": SESSIONS} for each in CONTENDERS},
                query={"job": "idle"},
                fresh=True,
            )
            bench.table(
                f"Memory with {SESSIONS} idle sessions{', over TLS' if tls else ''}",
                ["", "KB per session", "MB of the process", "full collection, ms"],
                [[each.name, *(runs.median(each, key) for key in columns)] for each in CONTENDERS],
            )
            ratio = runs.ratio(OURS, AGENTS, "session_kb")
            bench.target("memory_session_tls" if tls else "memory_session", ratio)
            if not tls:
                bench.target("memory_process", runs.ratio(OURS, AGENTS, "process_mb"))
        bench.serve()
        (parts,) = bench.take_turns(
            "idle_by_part", {OURS: {"sessions": SESSIONS}}, query={"job": "idle"}, rounds=1
        ).of[OURS]
        bench.table("A session's memory, by part", ["", "KB"], list(parts.items()))


if __name__ == "__main__":
    main()
