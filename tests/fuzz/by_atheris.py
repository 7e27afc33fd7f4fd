"""Inputs guided by coverage, by atheris: in a process of its own, watched from here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from attrs import frozen

__all__ = ["GuidedRun", "is_installed", "start", "why_not"]

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"


def is_installed() -> bool:
    """Return whether atheris is there: its wheels are for Linux on x86-64."""
    return importlib.util.find_spec("atheris") is not None


why_not = "atheris is not installed: it has wheels for Linux on x86-64 only"


@frozen
class GuidedRun:
    """A search that is under way."""

    process: subprocess.Popen[bytes]
    work: Path

    def wait(self) -> list[bytes]:
        """Wait for its end. Return the inputs that went wrong in it."""
        self.process.wait()
        return [
            path.read_bytes()
            for path in sorted(self.work.iterdir())
            if path.name.startswith(("crash-", "timeout-", "oom-"))
        ]

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.work / "log").read_text("utf-8", "replace")

    @property
    def tried(self) -> int:
        """How many inputs it has tried."""
        return _figure(r"stat::number_of_executed_units: (\d+)", self.log)

    @property
    def edges(self) -> int:
        """How many ways through the package its inputs take."""
        return _figure(r"cov: (\d+)", self.log)


def start(target: str, work: Path, *, seconds: int = 0, runs: int = -1, seed: int) -> GuidedRun:
    """Begin to search. What it learns stays in `work`, for the next time."""
    work.mkdir(parents=True, exist_ok=True)
    for old in work.glob("*-*"):
        old.unlink()
    limits = ("--seconds", str(seconds), "--runs", str(runs), "--seed", str(seed))
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.fuzz.guided", target, *limits),
                *("--work", str(work), "--corpus", str(CORPUS / target)),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return GuidedRun(process, work)


def _figure(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0
