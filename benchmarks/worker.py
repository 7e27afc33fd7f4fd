"""The process of a contender: does the jobs that it is given, one after the other.

    python -m benchmarks.worker ours [package to do without] ...

Reads a JSON object per line, `{"job": "flood", ...parameters}`, calls that function of the
contender's module, and answers with what it gives. With `noise_ms` a thread that only
computes runs beside it, and gives way that often at most.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__: list[str] = []


@contextmanager
def noise(switch_interval_ms: float | None) -> Iterator[None]:
    """Keep the interpreter busy with something else."""
    if switch_interval_ms is None:
        yield
        return
    is_over = threading.Event()

    def compute() -> None:
        while not is_over.is_set():
            sum(range(1000))

    before = sys.getswitchinterval()
    sys.setswitchinterval(switch_interval_ms / 1000)
    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        sys.setswitchinterval(before)


def main(name: str, *without: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    for package in without:
        sys.modules[package] = None  # type: ignore[assignment]  # makes `import` raise
    contender = importlib.import_module(f"benchmarks.contenders.{name}")
    for line in sys.stdin:
        parameters: dict[str, Any] = json.loads(line)
        job = getattr(contender, parameters.pop("job"))
        try:
            with noise(parameters.pop("noise_ms", None)):
                answer = job(**parameters)
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
