"""What no input may do: raise, take a second, or take 64 MiB."""

from __future__ import annotations

import gc
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TypeAlias

__all__ = [
    "MOST_BYTES",
    "MOST_SECONDS",
    "Target",
    "TooLargeError",
    "TooSlowError",
    "try_input",
]

Target: TypeAlias = Callable[[bytes], None]
"""Takes any bytes, and raises if what they make is wrong."""

MOST_SECONDS = 1.0
"""Of the processor: what else the machine does is no fault of an input."""

MOST_BYTES = 64 * 2**20
"""By which one input may make the process grow."""

STATUS = Path("/proc/self/status")
CLEAR_REFERENCES = Path("/proc/self/clear_refs")


class TooSlowError(AssertionError):
    """An input took longer than any may."""


class TooLargeError(AssertionError):
    """An input took more memory than any may."""


def try_input(target: Target, data: bytes) -> None:
    """Run a target on an input. Raises what it raises, `TooSlowError` or `TooLargeError`.

    A target that goes on for ever is ended, in the main thread.
    """
    began, before = time.thread_time(), _begin_peak()
    with _ended_after(MOST_SECONDS):
        target(data)
    took, grew = time.thread_time() - began, _peak() - before
    if took > MOST_SECONDS:
        raise TooSlowError(f"{len(data)} bytes took {took:.2f} s of the processor")
    if grew > MOST_BYTES:
        gc.collect()
        raise TooLargeError(f"{len(data)} bytes took {grew / 2**20:.0f} MiB of memory")


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """Raise `TooSlowError` in the middle of what takes longer."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"ended after {seconds:g} s of the processor")

    # Not SIGALRM: it counts the time of other processes, and libFuzzer has it.
    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _begin_peak() -> int:
    """Begin to measure how large the process gets; return how large it is, where that is known."""
    with suppress(OSError):
        CLEAR_REFERENCES.write_text("5")  # Linux: the peak is what it has now
    return _peak()


def _peak() -> int:
    """How large the process was at most: since `_begin_peak`, or ever where no more is known."""
    try:
        status = STATUS.read_bytes()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    start = status.index(b"VmHWM:") + 6
    return int(status[start : status.index(b"kB", start)]) * 1024
