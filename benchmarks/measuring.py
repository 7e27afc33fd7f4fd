"""What contenders measure with, and keep time by."""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "FRAME_SECONDS",
    "SILENCE",
    "STAMP_BYTES",
    "WARM_UP_SECONDS",
    "Spent",
    "appointments",
    "collection_ms",
    "cpu_by_thread",
    "percentile",
    "resident_bytes",
    "sent_at",
    "spending",
    "summary_ms",
]

FRAME_SECONDS = 0.02
SILENCE = bytes(960)
"""A frame of PCM16 at 24 kHz."""

STAMP_BYTES = 9  # in base64: twelve characters, without padding

WARM_UP_SECONDS = 1.0


def sent_at(audio: bytes) -> float:
    """When the load server sent this delta, by `time.monotonic`: one clock for all processes."""
    return int.from_bytes(audio[:STAMP_BYTES], "big") / 1e9


def appointments(connections: int, seconds: float) -> Iterator[tuple[float, range]]:
    """When a program with so many microphones sends, and for which of them.

    A frame of each every 20 ms; they are served in four groups, one every 5 ms. For
    fewer than four, that is one by one.
    """
    start, groups = time.monotonic(), min(4, connections)
    for tick in itertools.count():
        due = start + tick * FRAME_SECONDS / groups
        if due > start + seconds:
            return
        yield due, range(tick % groups, connections, groups)


class Spent:
    """What a block took: of the clock, and of all processors together."""

    wall_s = 0.0
    cpu_s = 0.0


@contextmanager
def spending(*, collect: bool = True) -> Iterator[Spent]:
    """Measure a block. Garbage of before is none of its business.

    Not `collect` where something comes in all the time: what has to wait for a full
    collection would be late by our doing.
    """
    spent = Spent()
    if collect:
        gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    yield spent
    spent.wall_s = time.perf_counter() - wall
    spent.cpu_s = time.process_time() - cpu


def collection_ms() -> float:
    """How long a full garbage collection stops everything."""
    gc.collect()  # what there is to be thrown away
    start = time.perf_counter()
    gc.collect()
    return (time.perf_counter() - start) * 1000


def cpu_by_thread() -> dict[str, float]:
    """Seconds of a processor that each thread has had so far, by its name."""
    return {
        each.name: time.clock_gettime(time.pthread_getcpuclockid(each.ident))
        for each in threading.enumerate()
        if each.ident is not None
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all are below."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def summary_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Median and tail, in milliseconds."""
    return {
        "count": len(seconds),
        "p50_ms": percentile(seconds, 50) * 1000,
        "p99_ms": percentile(seconds, 99) * 1000,
    }


def resident_bytes() -> int:
    """Memory of this process that is really there."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
