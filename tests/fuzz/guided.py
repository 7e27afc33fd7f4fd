"""`python -m tests.fuzz.guided TARGET`: inputs guided by what they make the package do.

Run by `python -m tests.fuzz`, in a process of its own: libFuzzer, which is behind atheris,
ends the one that it runs in. Exit status 0 when nothing was found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["realtime_actors"], enable_loader_override=False):
    from tests.fuzz.bounds import try_input
    from tests.fuzz.hostile import input_for, mutated
    from tests.fuzz.targets import TARGETS

SEEDS = 100
LONGEST_INPUT = 256 * 1024


def main() -> None:
    """Fuzz. Does not return."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=0, help="0: until the runs are over")
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True, help="where it keeps what it learns")
    parser.add_argument("--corpus", type=Path, help="inputs to begin with")
    options = parser.parse_args()
    learnt = options.work / "learnt"
    learnt.mkdir(parents=True, exist_ok=True)
    for number in range(SEEDS):
        seed = input_for(options.target, Random(f"{options.seed}/{number}"))
        (learnt / f"seed_{number}").write_bytes(seed)
    folders = [str(each) for each in (learnt, options.corpus) if each and each.is_dir()]
    flags = [
        f"-max_total_time={options.seconds}",
        f"-runs={options.runs}",
        f"-seed={options.seed}",
        f"-max_len={LONGEST_INPUT}",
        f"-artifact_prefix={options.work}/",
        "-timeout=30",  # ours is shorter, but can't end what never comes back to Python
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-reload=0",
    ]
    target = TARGETS[options.target]

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = Random(seed)
        if chance.random() < 0.2:
            return bytes(atheris.Mutate(data, max_size))
        return mutated(options.target, data, chance)[:max_size]

    atheris.Setup(
        [sys.argv[0], *flags, *folders],
        lambda data: try_input(target, data),
        custom_mutator=mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
