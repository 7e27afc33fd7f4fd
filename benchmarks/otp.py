"""What an actor costs: a `GenServer` beside pykka's own actor, which it is made of.

In each round both have their turn at everything, one right after the other, in one
process; only memory is measured in a process of its own. A call waits for its answer;
a cast is sent and handled (the last one is waited for), 100,000 in a row; fan-out is one
message to each of 100 actors, until all have handled it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pykka
from attrs import frozen

from benchmarks.harness import Bench
from benchmarks.measuring import resident_bytes
from benchmarks.targets import Target
from realtime_actors import otp

OURS: Final = "GenServer"
PYKKA: Final = "pykka"
SUBSCRIBERS: Final = 100
IDLE: Final = 1000

WANTED: Final = {
    "call": Target("otp", "call round trip: ours / pykka's ask", "at most", 1.0),
    "inline": Target("otp", "the same, handled by the caller: ours / pykka's", "at most", 0.5),
    "cast": Target("otp", "cast: pykka's tell / ours", "at least", 1.5),
    "memory": Target("otp", "memory of an idle actor: ours / pykka's", "at most", 1.2),
}


class Server(otp.GenServer):
    def handle_call(self, message: Any, from_: otp.From, state: Any) -> otp.Reply:
        return otp.Reply(message, state)

    def handle_cast(self, message: Any, state: Any) -> otp.NoReply:
        return otp.NoReply(state)


class Inline(Server):
    """A server that is run by those who call it, when it has nothing else to do."""

    inline = True


class Plain(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return message


STARTS: Final[dict[str, Callable[[], pykka.ActorRef[Any]]]] = {
    OURS: Server.start,
    PYKKA: Plain.start,
}
INLINE_STARTS: Final = {**STARTS, OURS: Inline.start}


@frozen
class Job:
    """Something to measure: microseconds for one of it."""

    name: str
    run: Callable[[Callable[[], pykka.ActorRef[Any]], int], float]
    times: int
    starts: dict[str, Callable[[], pykka.ActorRef[Any]]] = STARTS


def microseconds(times: int, action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) / times * 1e6


def call(start: Callable[[], pykka.ActorRef[Any]], times: int) -> float:
    actor = start()

    def ask() -> None:
        for number in range(times):
            actor.ask(number)

    taken = microseconds(times, ask)
    actor.stop()
    return taken


def call_elsewhere(start: Callable[[], pykka.ActorRef[Any]], times: int) -> float:
    """`call`, in a thread that is not the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, start, times).result()


def cast(start: Callable[[], pykka.ActorRef[Any]], times: int) -> float:
    actor = start()

    def tell() -> None:
        for number in range(times):
            actor.tell(number)
        actor.ask("done")

    taken = microseconds(times, tell)
    actor.stop()
    return taken


def start_and_stop(start: Callable[[], pykka.ActorRef[Any]], times: int) -> float:
    def live() -> None:
        for _ in range(times):
            start().stop()

    return microseconds(times, live)


def fan_out(start: Callable[[], pykka.ActorRef[Any]], times: int) -> float:
    actors = [start() for _ in range(SUBSCRIBERS)]

    def publish() -> None:
        for number in range(times):
            for actor in actors:
                actor.tell(number)
            for actor in actors:
                actor.ask("done")

    taken = microseconds(times, publish)
    for actor in actors:
        actor.stop()
    return taken


JOBS: Final = {
    "call": Job("call, and its answer", call, 5_000),
    "inline": Job("the same, to an idle `inline` server", call_elsewhere, 5_000, INLINE_STARTS),
    "cast": Job("cast, sent and handled", cast, 100_000),
    "start": Job("start and stop", start_and_stop, 1_000),
    "fan_out": Job(f"fan-out to {SUBSCRIBERS}, and an answer of each", fan_out, 20),
}


def kilobytes_per_actor(name: str) -> float:
    """What an idle actor takes, its thread included, in an interpreter of its own."""
    code = f"from benchmarks.otp import *; print(measured_kilobytes({name!r}))"
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measured_kilobytes(name: str) -> float:
    start = STARTS[name]
    start().ask("warm")
    before = resident_bytes()
    actors = [start() for _ in range(IDLE)]
    for actor in actors:
        actor.ask("here")
    return (resident_bytes() - before) / IDLE / 1024


def main() -> None:
    with Bench(__doc__, rounds=9, quick_rounds=3) as bench:
        measured: dict[str, dict[str, list[float]]] = {}
        for _ in range(bench.rounds):
            for key, job in JOBS.items():
                times = job.times // 5 if bench.quick else job.times
                for name, start in job.starts.items():
                    of_job = measured.setdefault(key, {})
                    of_job.setdefault(name, []).append(job.run(start, times))
        measured["memory"] = {
            name: [kilobytes_per_actor(name) for _ in range(3)] for name in STARTS
        }
        rows = []
        for key, of_job in measured.items():
            ratio = statistics.median(
                ours / theirs for ours, theirs in zip(of_job[OURS], of_job[PYKKA], strict=True)
            )
            label = f"{JOBS[key].name}, µs" if key in JOBS else "memory of an idle actor, KB"
            medians = [statistics.median(of_job[name]) for name in STARTS]
            rows.append([label, *medians, ratio, _verdict(key, ratio)])
        bench.table("An actor of ours, and of pykka", ["", OURS, PYKKA, "ratio", "target"], rows)


def _verdict(key: str, ratio: float) -> str:
    target = WANTED.get(key)
    if target is None:
        return ""
    value = 1 / ratio if target.bound == "at least" else ratio
    return f"{target.show(value)} (wanted {target.wanted()}): {target.distance(value)}"


if __name__ == "__main__":
    main()
