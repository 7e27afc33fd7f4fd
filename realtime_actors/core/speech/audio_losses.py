"""What the user said and the server never got, since the network was slower than speech.

    Whole --audio was dropped: told at once--> Losing --a second without--> Whole
                                                |  ^
                                                +--+ a second with more: told in one

An outage drops fifty frames a second, and a program wants to know three things: that it has
begun, how much is missing, and that it is over.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from attrs import define

from realtime_actors import events
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import AudioDropped
from realtime_actors.core.outbox import Outbox

__all__ = ["LOSSES_TIMER", "TELL_EVERY", "AudioLosses"]

LOSSES_TIMER: Final[Hashable] = "audio_losses"

TELL_EVERY: Final = 1.0
"""Seconds of losses in one event, after the first. Ours."""


@define(kw_only=True)
class AudioLosses:
    """What was lost, and was not told yet."""

    outbox: Outbox
    _losing: bool = False  # `LOSSES_TIMER` is set
    _untold_ms: float = 0.0
    _at_ms: float = 0.0  # where the first of that is missing

    def dropped(self, dropped: AudioDropped) -> None:
        """Tell of audio that was dropped, now or within a second."""
        if self._untold_ms < 1:
            self._at_ms = dropped.at_ms
        self._untold_ms += dropped.ms
        if not self._losing:
            self._next_second()

    def second_is_over(self) -> None:
        """Tell of what was dropped within the last second."""
        self._losing = False
        self._next_second()

    def lost(self, loss: Loss) -> None:
        """Tell what is not told yet: the connection is gone."""
        if self._losing:
            self._losing = False
            self._tell()
            self.outbox.cancel_timer(LOSSES_TIMER)

    def _next_second(self) -> None:
        self._losing = self._tell()
        if self._losing:
            self.outbox.set_timer(LOSSES_TIMER, TELL_EVERY)

    def _tell(self) -> bool:
        """Tell what is not told yet. Return whether there was anything."""
        whole_ms = int(self._untold_ms)
        if not whole_ms:
            return False
        self._untold_ms -= whole_ms  # the rest counts with what follows: sums don't drift
        self.outbox.publish(
            events.InputAudioDroppedEvent, dropped_ms=whole_ms, audio_start_ms=int(self._at_ms)
        )
        return True
