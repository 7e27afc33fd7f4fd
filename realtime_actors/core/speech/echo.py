"""When the microphone must mind the model's own voice.

What is played is known from the ledger, and how loud it is from the audio itself. The
result is one immutable `Echo`, read by the thread that sends audio; see `core.speech.microphone`.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import define, field

from realtime_actors.audio import decode_audio, level_db, split_frames
from realtime_actors.config import BargeIn
from realtime_actors.core.speech.gate import Echo
from realtime_actors.core.speech.speech import Speech

__all__ = ["EchoPolicy"]

LEVEL_MS: Final = 10
"""Loudness is taken of pieces so short that no moment of the echo is much louder."""


@define
class EchoPolicy:
    """What `BargeIn` means for the microphone, now."""

    barge_in: BargeIn
    speech: Speech
    _loudest_db: float = field(default=-math.inf)
    _has_spoken: bool = False

    @property
    def follows_speech(self) -> bool:
        """Every piece of the model's speech changes what the microphone has to mind."""
        return self.barge_in.mode in ("gated", "half_duplex")

    def audio(self, audio: bytes, now: float) -> None:
        """Note a piece of speech that will be played, before the ledger knows of it."""
        self._has_spoken = True
        if self.barge_in.mode != "gated":
            return
        if now >= self._ends_at(now):
            self._loudest_db = -math.inf  # all that was loud before has died away
        name = self.speech.audio_format
        whole = audio if name != "pcm16" else audio[: len(audio) // 2 * 2]
        levels = (
            level_db(decode_audio(each, name)) for each in split_frames(whole, LEVEL_MS, name)
        )
        self._loudest_db = max(self._loudest_db, *levels, -math.inf)

    def echo(self, now: float) -> Echo | None:
        """Return what the microphone has to mind; None if nothing."""
        protected = self.speech.protected_until(now)
        if not self.follows_speech or not self._has_spoken:
            return None if protected is None else Echo(muted_until=protected)
        muted, until = -math.inf if protected is None else protected, self._ends_at(now)
        if self.barge_in.mode == "half_duplex":
            return Echo(muted_until=max(muted, until))
        return Echo(
            muted_until=muted,
            audible_until=until,
            threshold_db=self._loudest_db - self.barge_in.echo_loss_db,
            hold_ms=self.barge_in.hold_ms,
            pre_roll_ms=self.barge_in.pre_roll_ms,
        )

    def _ends_at(self, now: float) -> float:
        return self.speech.ledger.ends_at(now) + self.barge_in.tail_ms / 1000
