"""What senders of audio tell their session when the network was too slow for some of it."""

from __future__ import annotations

import threading

from attrs import define, field, frozen

from realtime_actors.core.messages import AudioDropped
from realtime_actors.transport.base import DroppedAudio

__all__ = ["AudioWasDropped", "Untold"]


@frozen
class AudioWasDropped:
    """Told to the session: `Untold.take` has something."""


@define
class Untold:
    """Audio that was dropped, and that the session has not heard of. For any thread.

    However much that is, one message in the session's mailbox stands for it.
    """

    _ms: float = 0.0
    _at_ms: float = 0.0
    _lock: threading.Lock = field(factory=threading.Lock)  # guards both

    def add(self, dropped: DroppedAudio) -> bool:
        """Note what was dropped. Return whether the session has to be told that it was."""
        with self._lock:
            is_first = not self._ms
            if is_first:
                self._at_ms = dropped.at_ms
            self._ms += dropped.ms
        return is_first

    def take(self) -> AudioDropped:
        """Return all that was noted, as the core is told of it."""
        with self._lock:
            taken = AudioDropped(ms=self._ms, at_ms=self._at_ms)
            self._ms = 0.0
        return taken
