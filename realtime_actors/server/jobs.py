"""Work beside a connection: threads that can be told to stop, and are all accounted for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from realtime_actors.server.engines.base import Cancelled

__all__ = ["Job", "Jobs"]


class Job:
    """A piece of work in a thread of its own."""

    def __init__(self, name: str, work: Callable[[Job], None]) -> None:
        self._stop = threading.Event()
        self.thread = threading.Thread(target=work, args=(self,), name=name, daemon=True)
        self.thread.start()

    @property
    def cancelled(self) -> Cancelled:
        """Whether anybody still waits for it."""
        return self._stop.is_set

    def cancel(self) -> None:
        """Tell it that nobody does."""
        self._stop.set()

    def pause(self, seconds: float) -> None:
        """Wait, unless it is cancelled. For the work itself."""
        self._stop.wait(seconds)


class Jobs:
    """The jobs of one connection, by key. For its owning thread only."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job] = {}

    def start(self, key: Hashable, name: str, work: Callable[[Job], None]) -> None:
        """Run `work` in a thread."""
        for each in [each for each, job in self._jobs.items() if not job.thread.is_alive()]:
            del self._jobs[each]
        self._jobs[key] = Job(name, work)

    def cancel(self, key: Hashable) -> None:
        """Tell a job that nobody waits for it. Does nothing when it has ended."""
        job = self._jobs.get(key)
        if job is not None:
            job.cancel()

    def stop(self, timeout: float) -> list[str]:
        """Cancel all, and wait for their ends. Answers the names of those still running."""
        for job in self._jobs.values():
            job.cancel()
        deadline = time.monotonic() + timeout
        for job in self._jobs.values():
            job.thread.join(max(0.0, deadline - time.monotonic()))
        return [job.thread.name for job in self._jobs.values() if job.thread.is_alive()]
