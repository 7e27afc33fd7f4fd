"""`python -m tests.fuzz`: hostile input, for as long as you like.

No input may raise out of us, take a second of the processor, or 64 MiB of memory. Two engines
search at the same time: hypothesis (by chance, out of the published schema) and atheris (guided
by coverage, where it is installed). An input that goes wrong is kept in `tests/fuzz/corpus`,
which `make test` tries again.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz import by_atheris
from tests.fuzz.bounds import try_input
from tests.fuzz.by_hypothesis import inputs, search
from tests.fuzz.schema import SCHEMA
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
WORK = Path(__file__).parents[2] / "build" / "fuzz"


def main() -> int:
    """Fuzz; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one")
    parser.add_argument("--replay", type=Path, help="try this one input, of the --target")
    options = parser.parse_args()
    targets: list[str] = options.target or list(TARGETS)
    if options.replay is not None:
        if len(targets) != 1:
            parser.error("--replay needs the one --target that the input is for")
        try_input(TARGETS[targets[0]], options.replay.read_bytes())
        print("nothing goes wrong")
        return 0
    seed = random.randrange(2**31) if options.seed is None else options.seed
    print(f"seed {seed}")
    if not SCHEMA.is_file():
        print(f"the published schema is not at {SCHEMA}: events are made out of samples alone")
    if not by_atheris.is_installed():
        print(f"{by_atheris.why_not}: hypothesis searches alone")
    seconds = max(1, options.seconds // len(targets))
    wrong = [fuzz(target, seconds=seconds, seed=seed) for target in targets]
    return int(any(wrong))


def fuzz(target: str, *, seconds: int, seed: int) -> bool:
    """Search with all engines. Return whether something was found; say so, and keep it."""
    began = time.monotonic()
    work = WORK / target
    guided = None
    if by_atheris.is_installed():
        guided = by_atheris.start(target, work, seconds=seconds, seed=seed)
    try:
        by_chance = search(TARGETS[target], inputs(target), seconds=seconds, seed=seed)
        found = [] if by_chance.found is None else [by_chance.found]
        said = f"{by_chance.tried:,} inputs by hypothesis"
        if guided is not None:
            found += guided.wait()
            said += f", {guided.tried:,} by atheris ({guided.edges:,} edges)"
            if guided.process.returncode and not found:
                print(guided.log[-3000:], file=sys.stderr)
                raise RuntimeError("atheris failed, and has found nothing")
    finally:
        if guided is not None and guided.process.poll() is None:
            guided.process.kill()
            guided.process.wait()
    wrong = [data for data in found if report(target, data)]
    print(f"{target}: {said}, {time.monotonic() - began:.0f} s: {len(wrong)} went wrong")
    return bool(wrong)


def report(target: str, data: bytes) -> bool:
    """Try an input again, alone. Where it goes wrong, say how, and keep it."""
    try:
        try_input(TARGETS[target], data)
    except Exception as error:
        path = CORPUS / target / hashlib.sha256(data).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        traceback.print_exception(error)
        print(f"\nagain: python -m tests.fuzz --target {target} --replay {path}\n")
        return True
    return False  # with coverage measured it took too long, and does not without


if __name__ == "__main__":
    sys.exit(main())
