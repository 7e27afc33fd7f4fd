"""`python -m tests.mutants`: break a copy of the package, and see whether the tests notice.

A mutant is killed when a test fails, and has survived when none does. First the tests run
on a copy that nothing was done to: if they fail there, their failing means nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path

from attrs import frozen

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("realtime_actors", "tests", "docs", "pyproject.toml", "README.md")
SUITE = ("tests/core", "tests/session")
PATIENCE = 900.0
"""Seconds for a run of the tests: far more than any takes on a machine that has other work as
well. A test that hangs fails long before that: pytest gives each its own time (`timeout` in
pyproject.toml). So a run that is not over by then says nothing of the mutant."""

PASSED, FAILED, NOT_OVER = 0, 1, -1
"""Exit statuses of pytest, and ours for a run that took too long. All others mean that it could
not run the tests."""


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    NOT_FOUND = "NOT FOUND"
    """Its place is not in the code, or there more than once: the table is out of date."""
    BROKEN = "BROKEN"
    """The tests could not even be collected: this is no fault that a test must find."""
    UNKNOWN = "NOT KNOWN"
    """The tests took too long: they have not failed, nor have all of them passed."""


@frozen
class Verdict:
    """A mutant's fate, and what brought it about."""

    mutant: Mutant
    fate: Fate
    by: str = ""
    seconds: float = 0.0


def main() -> int:
    """Try the mutants; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--only", default="", help="those whose text has this in it")
    options = parser.parse_args()
    chosen = [each for each in MUTANTS if options.only.lower() in str(each).lower()]
    began = time.monotonic()
    print(f"{len(chosen)} mutants, {options.jobs} at a time", flush=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        untouched = pool.submit(try_untouched)
        verdicts = []
        for verdict in pool.map(try_mutant, chosen):
            verdicts.append(verdict)
            print(line(verdict), flush=True)
    status, output = untouched.result()
    if status != PASSED:
        print(f"{output}\nthe tests do not pass without any mutant: what killed them is not known")
        return 1
    killed = sum(verdict.fate is Fate.KILLED for verdict in verdicts)
    behaviours = sorted({mutant.behaviour for mutant in chosen})
    print(
        f"{killed} of {len(chosen)} mutants killed, of behaviours"
        f" {', '.join(map(str, behaviours))}, in {time.monotonic() - began:.0f} s"
    )
    return 0 if killed == len(chosen) else 1


def line(verdict: Verdict) -> str:
    mutant = verdict.mutant
    by = f"\n{'':22}by {verdict.by}" if verdict.by else ""
    return (
        f"{verdict.fate.value:9} {mutant.behaviour:2} {verdict.seconds:5.1f} s"
        f"  {mutant.breaks} ({mutant.file}){by}"
    )


def try_untouched() -> tuple[int, str]:
    """Run all tests on a copy without a fault."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy(Path(folder))
        return run_tests(Path(folder), SUITE)


def try_mutant(mutant: Mutant) -> Verdict:
    """Run the tests on a copy with one fault: first those nearby, then all."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        copy(folder)
        if not plant(folder, mutant):
            return Verdict(mutant, Fate.NOT_FOUND)
        near = tuple(f"tests/{each}" for each in mutant.near)
        for tests in (near, SUITE):
            status, output = run_tests(folder, tests)
            seconds = time.monotonic() - began
            if status == FAILED:
                return Verdict(mutant, Fate.KILLED, first_failure(output), seconds)
            if status == NOT_OVER:
                return Verdict(mutant, Fate.UNKNOWN, output, seconds)
            if status != PASSED:
                last = output.strip().splitlines()[-1:]
                return Verdict(mutant, Fate.BROKEN, "".join(last), seconds)
    return Verdict(mutant, Fate.SURVIVED, seconds=seconds)


def copy(folder: Path) -> None:
    """Copy all that the tests look at."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        else:
            shutil.copy(source, target)


def plant(folder: Path, mutant: Mutant) -> bool:
    """Put the fault in its place. Gives whether there is exactly one."""
    path = folder / "realtime_actors" / mutant.file
    source = path.read_text() if path.exists() else ""
    if source.count(mutant.find) != 1:
        return False
    path.write_text(source.replace(mutant.find, mutant.replace))
    return True


def run_tests(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Run tests until the first one fails; give pytest's exit status, and what it said."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    # Examples that are the same each time; and the copy, not what is installed.
    environment = os.environ | {"CI": "1", "PYTHONPATH": str(folder)}
    try:
        done = subprocess.run(
            [*command, "-m", "not local", *tests],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return NOT_OVER, f"no test: they were not over in {PATIENCE:.0f} s"
    return done.returncode, done.stdout


def first_failure(output: str) -> str:
    """The name of the test that noticed."""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return found[1] if found else "a test that hung"


if __name__ == "__main__":
    sys.exit(main())
