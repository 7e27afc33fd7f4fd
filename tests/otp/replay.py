"""Replays scenarios recorded on the BEAM, and compares what the library does.

    python tests/otp/replay.py tests/data/otp/otp_traces.json [--core] [--only ID]
                               [--repeat N] [--jitter MS] [--scale FACTOR] [--jobs N]

Prints a line for every scenario that failed, with the first difference, then
`N passed, M failed, K skipped`. The exit status is 0 only if none failed. What the
data itself marks `no_counterpart` is skipped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self

from attrs import frozen

if __name__ == "__main__":  # a script has its own folder on the path, not the project's
    sys.path.insert(0, str(Path(__file__).parents[2]))

from realtime_actors import otp
from tests.otp.interpreter import Player
from tests.otp.world import STRUCTURED, UNLABELLED, Event, World

__all__ = ["differences", "load", "main", "played", "run", "scenarios", "verdict"]

SKIPPED = "no_counterpart"
SCALE = 2.0
"""All times of the scenarios are stretched by this: a shared machine may sleep for 40 ms."""
LIFECYCLE = ("init", "terminate")


def load(path: Path) -> list[dict[str, Any]]:
    """The scenarios of a file."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["scenarios"]
    return found


def scenarios(
    found: Iterable[dict[str, Any]], *, core: bool = False, only: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Those that were asked for."""
    return [
        each
        for each in found
        if (each.get("core") or not core) and (not only or each["id"] in only)
    ]


def run(
    scenario: dict[str, Any], *, jitter_ms: float = 0.0, scale: float = SCALE, seed: int = 0
) -> list[Event]:
    """Drive the library through a scenario's steps. Gives the trace."""
    return played(scenario, World(scale=scale, jitter_ms=jitter_ms, seed=seed))


def played(scenario: dict[str, Any], world: World) -> list[Event]:
    """Drive the library through a scenario's steps, in this world. Gives the trace."""
    try:
        with otp.Client("main of the scenario") as client:
            world.enter("main", client.ref)
            Player(world, "main").play(scenario["steps"])
            world.come_to_rest()
    finally:
        world.end()
    return world.trace


def differences(scenario: dict[str, Any], trace: Sequence[Event]) -> str | None:
    """The first difference between a trace and what was recorded. None if there is none.

    Where the releases of OTP differ, the trace of either will do.
    """
    spelling = Spelling.of(scenario)
    expect = scenario["expect"]
    wanted = [(expect["per_process"], expect.get("trace"))]
    measured = scenario.get("measured", {})
    wanted += [(each, None) for each in measured.get("otp27_per_process", ())]
    got = [normal(event, spelling) for event in trace]
    first: str | None = None
    for per_process, whole in wanted:
        found = (
            per_process_difference(per_process, got, spelling)
            or (
                order_difference("trace", whole, got, spelling)
                if expect.get("order") == "total"
                else None
            )
            or order_difference(
                "lifecycle",
                expect.get("lifecycle"),
                [event for event in got if event[1] in LIFECYCLE],
                spelling,
            )
        )
        if found is None:
            return None
        first = first or found
    return first


def per_process_difference(
    expected: dict[str, list[Event]], got: Sequence[Event], spelling: Spelling
) -> str | None:
    by_process: dict[str, list[Event]] = {}
    for who, *event in got:
        by_process.setdefault(who, []).append(event)
    for who in sorted(expected.keys() | by_process.keys()):
        found = order_difference(who, expected.get(who, []), by_process.get(who, []), spelling)
        if found is not None:
            return found
    return None


def order_difference(
    what: str, expected: Sequence[Event] | None, got: Sequence[Event], spelling: Spelling
) -> str | None:
    if expected is None:
        return None
    wanted = [normal(event, spelling) for event in expected]
    for at in range(max(len(wanted), len(got))):
        want = wanted[at] if at < len(wanted) else "nothing more"
        have = got[at] if at < len(got) else "nothing more"
        if want != have:
            return f"{what}[{at}]: expected {json.dumps(want)}, got {json.dumps(have)}"
    return None


def raised_in(steps: Any) -> Iterable[str]:
    """The texts that a scenario raises itself: only those have to be the same."""
    if isinstance(steps, dict):
        steps = list(steps.values())
    if isinstance(steps, list):
        if len(steps) == 2 and steps[0] == "raise" and isinstance(steps[1], str):
            yield steps[1]
        for each in steps:
            yield from raised_in(each)


def nested_in(steps: Any) -> Iterable[str]:
    """The ids of supervisors within others."""
    if isinstance(steps, dict):
        if "supervisor" in steps and "id" in steps:
            yield steps["id"]
        steps = list(steps.values())
    if isinstance(steps, list):
        for each in steps:
            yield from nested_in(each)


@frozen
class Spelling:
    """What the spelling of a scenario leaves open."""

    texts: frozenset[str]
    """Texts of exceptions that are the scenario's own: only those have to be the same."""
    unlabelled: frozenset[str]
    """Supervisors within others. Nobody gave them a label, so a recording may spell them by
    their id, or by a word for any process without a label."""

    @classmethod
    def of(cls, scenario: dict[str, Any]) -> Self:
        steps = scenario["steps"]
        return cls(frozenset(raised_in(steps)), frozenset(nested_in(steps)))

    def is_unlabelled(self, word: str) -> bool:
        label = word.removeprefix("@").partition("#")[0]
        return word == STRUCTURED or (word[:1] == "@" and label in (UNLABELLED, *self.unlabelled))


def normal(value: Any, spelling: Spelling) -> Any:
    """A value as it is compared: texts of exceptions that are not the scenario's own left
    out, and what came in any order (`got_set`) in one order.
    """
    if isinstance(value, str) and spelling.is_unlabelled(value):
        return f"@{UNLABELLED}"
    if isinstance(value, list):
        parts = [normal(each, spelling) for each in value]
        for at, part in enumerate(parts[1:], start=1):
            if value[at - 1] == "got_set":
                parts[at] = sorted(part, key=json.dumps)
        return parts
    if isinstance(value, dict):
        return {
            key: normal(each, spelling)
            for key, each in value.items()
            if key != "msg" or not isinstance(each, str) or each in spelling.texts
        }
    return value


def verdict(
    scenario: dict[str, Any], *, repeat: int, jitter_ms: float, scale: float, seed: int
) -> str | None:
    """What goes wrong with a scenario, in the first of its runs that does. None if none."""
    for number in range(repeat):
        try:
            with unreported():
                trace = run(scenario, jitter_ms=jitter_ms, scale=scale, seed=seed + number)
            found = differences(scenario, trace)
        except (Exception, otp.Exit) as error:
            found = f"{type(error).__name__}: {error}"
        if found is not None:
            return f"{scenario['id']} (run {number + 1}): {found}"
    return None


@contextlib.contextmanager
def unreported() -> Iterator[None]:
    """Report no crash meanwhile: they are what the scenarios are about."""
    log = logging.getLogger("realtime_actors.otp")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def verdicts(
    chosen: Sequence[dict[str, Any]], judge: Callable[[dict[str, Any]], str | None], jobs: int
) -> Iterator[str | None]:
    """A verdict on each scenario, in order. They mostly wait, so several do it at a time."""
    if jobs == 1:
        yield from map(judge, chosen)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(judge, chosen)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--core", action="store_true", help="only the smaller set to begin with")
    parser.add_argument(
        "--only", metavar="ID", action="append", default=[], help="only this scenario, and others"
    )
    parser.add_argument("--repeat", metavar="N", type=int, default=1)
    parser.add_argument(
        "--jitter", metavar="MS", type=float, default=0.0, help="random delays around each event"
    )
    parser.add_argument(
        "--scale",
        metavar="FACTOR",
        type=float,
        default=SCALE,
        help="stretch all times of the scenarios (default %(default)s)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the random delays")
    parser.add_argument("--jobs", metavar="N", type=int, default=4, help="so many at a time")
    options = parser.parse_args(arguments)
    chosen = scenarios(load(options.path), core=options.core, only=options.only)
    if unknown := set(options.only) - {each["id"] for each in chosen}:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    mirrored = [each for each in chosen if each.get("mirror") != SKIPPED]
    judge = partial(
        verdict,
        repeat=options.repeat,
        jitter_ms=options.jitter,
        scale=options.scale,
        seed=options.seed,
    )
    failed = 0
    for found in verdicts(mirrored, judge, options.jobs):
        if found is not None:
            print(found, flush=True)
            failed += 1
    print(
        f"{len(mirrored) - failed} passed, {failed} failed, {len(chosen) - len(mirrored)} skipped"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
