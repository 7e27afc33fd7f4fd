"""What waits several times, written once for threads and for event loops.

A function that waits is written as a generator, which gives a `Wait` each time. `finish` waits in
the caller's thread; `realtime_actors.aio` waits in an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from realtime_actors import otp

__all__ = ["Steps", "Wait", "answer", "finish", "future"]

T = TypeVar("T")


@frozen(eq=False)
class Wait:
    """Something to wait for, and for how long."""

    get: Callable[[float], Any]
    """Wait so many seconds, and give or raise what came of it."""
    when_there: Callable[[Callable[[], object]], object]
    """Have something called when waiting is over."""
    timeout: float


Steps: TypeAlias = Generator[Wait, Any, T]


def answer(asked: otp.Answer[Any], timeout: float) -> Wait:
    """Wait for the answer to a call."""
    return Wait(lambda left: asked.get(timeout=left), asked.when_there, timeout)


def future(made: Future[Any], timeout: float) -> Wait:
    """Wait for a future."""
    return Wait(made.result, lambda callback: made.add_done_callback(lambda _: callback()), timeout)


def finish(steps: Steps[T]) -> T:
    """Take all steps, in this thread."""
    try:
        wait = next(steps)
        while True:
            try:
                came = wait.get(wait.timeout)
            except BaseException as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(came)
    except StopIteration as done:
        value: T = done.value
        return value
