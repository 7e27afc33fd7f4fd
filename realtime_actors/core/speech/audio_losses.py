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
from realtime_actors.core.effects import CancelTimer, Effects, Publish, SetTimer
from realtime_actors.core.messages import AudioDropped

__all__ = ["LOSSES_TIMER", "TELL_EVERY", "AudioLosses"]

LOSSES_TIMER: Final[Hashable] = "audio_losses"

TELL_EVERY: Final = 1.0
"""Seconds of losses in one event, after the first. Ours."""


@define(kw_only=True)
class AudioLosses:
    """What was lost, and was not told yet."""

    info: events.EventInfo
    _losing: bool = False  # `LOSSES_TIMER` is set
    _untold_ms: float = 0.0
    _at_ms: float = 0.0  # where the first of that is missing

    def dropped(self, dropped: AudioDropped) -> Effects:
        """Audio was dropped. Tell it now, or within a second."""
        if self._untold_ms < 1:
            self._at_ms = dropped.at_ms
        self._untold_ms += dropped.ms
        return [] if self._losing else self._next_second()

    def second_is_over(self) -> Effects:
        """The timer has fired."""
        self._losing = False
        return self._next_second()

    def tell_the_rest(self) -> Effects:
        """Nothing can be sent any more: tell what is not told yet."""
        if not self._losing:
            return []
        self._losing = False
        return [*self._tell(), CancelTimer(LOSSES_TIMER)]

    def _next_second(self) -> Effects:
        told = self._tell()
        self._losing = bool(told)
        return [*told, SetTimer(LOSSES_TIMER, TELL_EVERY)] if told else []

    def _tell(self) -> Effects:
        whole_ms = int(self._untold_ms)
        if not whole_ms:
            return []
        self._untold_ms -= whole_ms  # the rest counts with what follows: sums don't drift
        return [
            Publish(
                events.InputAudioDroppedEvent(
                    dropped_ms=whole_ms, audio_start_ms=int(self._at_ms), info=self.info
                )
            )
        ]
